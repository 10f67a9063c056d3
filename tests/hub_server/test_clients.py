"""The real clients, unmodified, against the test Hub: over LFS and over Xet."""

import hashlib
import json
import re
import sys
from pathlib import Path

import pytest

from tests import warm_process
from tests.conftest import REPOSITORY
from tests.hub_server import client_flows
from tests.hub_server.server import HubServer


@pytest.mark.parametrize("xet", [False, True], ids=["lfs", "xet"])
def test_every_flow_of_every_client(hub: HubServer, tmp_path: Path, subtests: pytest.Subtests, xet: bool) -> None:
    """One client process runs all flows; each flow is a subtest."""
    hub.application.page_size = 3
    hub.application.multipart_threshold = client_flows.LARGE // 4
    tokens = [f"{role}={token}" for role, token in hub.tokens.items()]
    command = [sys.executable, "-m", "tests.hub_server.client_flows", str(tmp_path / "files"), *tokens]
    environment = hub.environment(xet=xet, OMP_NUM_THREADS="1")
    _, shown = warm_process.run(REPOSITORY, command, environment)
    done = [json.loads(line) for line in shown.splitlines() if line.startswith('{"flow"')]
    for result in done:
        with subtests.test(result["flow"]):
            assert result["failure"] is None, result["failure"]
    assert [result["flow"] for result in done] == [flow.__name__ for flow in client_flows.FLOWS], shown

    # The bytes took the way that this run is about, and arrived.
    large = hub.repository("model", "user/large")
    file = large.file("large.safetensors")
    expected = client_flows.random_bytes(client_flows.LARGE)
    assert file.sha256 == hashlib.sha256(expected).hexdigest()
    puts = [request for request in hub.requests if request.method == "PUT" and "/storage/" in request.path]
    parts = [request for request in puts if re.search(rf"{file.sha256}/\d+\?", request.path)]
    if xet:
        assert file.xet_hash and not parts
        restored = tmp_path / "restored"
        hub.store.xet.restore(file.sha256, restored)
        assert restored.read_bytes() == expected
    else:
        assert not file.xet_hash and len(parts) == 4 == -(-file.size // hub.application.multipart_threshold)
        assert large.store.content(file).stat().st_size == file.size
