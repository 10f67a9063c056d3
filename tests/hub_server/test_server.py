"""What the test Hub itself promises: faults happen where they were asked for, and a refused commit changes nothing."""

import base64
import hashlib
import json
import threading
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
import requests
from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import HfHubHTTPError

from tests.hub_server import metadata
from tests.hub_server.server import HubServer
from tests.hub_server.store import Repository, StoreError, checked_path


@pytest.fixture
def api(hub: HubServer) -> HfApi:
    return HfApi(endpoint=hub.endpoint, token=hub.tokens["write"])


@pytest.fixture
def repository(hub: HubServer, api: HfApi) -> Repository:
    api.create_repo("user/model")
    return hub.repository("model", "user/model")


def add_note(api: HfApi, text: str = "note") -> None:
    api.create_commit("user/model", [CommitOperationAdd("note.txt", text.encode())], commit_message="Add a note")


def post_commit(hub: HubServer, changes: list[dict[str, Any]], **header: str) -> requests.Response:
    """Send a commit as it goes over the wire, without the client's own checks."""
    lines = [{"key": "header", "value": {"summary": "test", **header}}, *changes]
    body = "\n".join(json.dumps(line) for line in lines)
    url = f"{hub.endpoint}/api/models/user/model/commit/main"
    return requests.post(url, body, headers={"Authorization": f"Bearer {hub.tokens['write']}"}, timeout=30)


def test_a_status_fault_hits_the_chosen_requests_only(hub: HubServer, repository: Repository) -> None:
    hub.fail("GET", "/api/models/user/model$", status=429, times=2, after=1, headers={"Retry-After": "7"})
    url = f"{hub.endpoint}/api/models/user/model"
    answers = [requests.get(url, timeout=30) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 429, 429, 200]
    assert answers[1].headers["Retry-After"] == "7"
    assert hub.faults_hit == 2
    hub.fail("*", ".", status=500)
    hub.clear_faults()
    assert requests.get(url, timeout=30).ok


def test_a_cut_request_never_reaches_the_repository_and_a_cut_answer_does(
    hub: HubServer, api: HfApi, repository: Repository
) -> None:
    hub.fail("POST", "/commit/", cut="request")
    with pytest.raises(httpx2.TransportError):
        add_note(api)
    assert len(repository.commits()) == 1
    hub.fail("POST", "/commit/", cut="response")
    with pytest.raises(httpx2.TransportError):
        add_note(api)
    assert repository.read("note.txt") == b"note"
    assert [r.status for r in hub.requests if "/commit/" in r.path] == [None, None]


def test_a_cut_answer_without_a_body_is_lost_too(hub: HubServer, api: HfApi, repository: Repository) -> None:
    add_note(api)
    hub.fail("HEAD", "/resolve/", cut="response")
    with pytest.raises(requests.ConnectionError):
        requests.head(f"{hub.endpoint}/user/model/resolve/main/note.txt", timeout=30)


@pytest.mark.parametrize("moment", ["request", "response"])
def test_a_stalled_request_goes_on_when_released(
    hub: HubServer, api: HfApi, repository: Repository, moment: str
) -> None:
    hub.fail("POST", "/commit/", stall=moment)  # type: ignore[arg-type]
    client = threading.Thread(target=add_note, args=[api])
    client.start()
    hub.wait_for_faults(1)
    assert client.is_alive()
    if moment == "request":
        assert len(repository.commits()) == 1
    hub.release()
    client.join()
    assert repository.read("note.txt") == b"note"


def test_a_client_that_gives_up_a_stalled_request_leaves_nothing(hub: HubServer, repository: Repository) -> None:
    hub.fail("POST", "/commit/", stall=True)
    with pytest.raises(requests.ReadTimeout):
        requests.post(f"{hub.endpoint}/api/models/user/model/commit/main", b"{}", timeout=0.2)
    hub.release()
    assert requests.get(f"{hub.endpoint}/api/models/user/model", timeout=30).ok
    assert len(repository.commits()) == 1


def test_stopping_does_not_wait_for_a_stalled_client(tmp_path: Path) -> None:
    failures = []
    with HubServer(tmp_path) as hub:
        hub.fail("GET", ".", stall=True)

        def ask() -> None:
            try:
                requests.get(f"{hub.endpoint}/api/whoami-v2", timeout=60)
            except requests.ConnectionError as error:
                failures.append(error)

        client = threading.Thread(target=ask)
        client.start()
        hub.wait_for_faults(1)
    client.join()
    assert len(failures) == 1


def test_every_request_is_recorded_and_announced(hub: HubServer, api: HfApi, repository: Repository) -> None:
    seen: list[str] = []
    hub.on_request(lambda request: seen.append(f"{request.method} {request.path}"))
    add_note(api, "searched for")
    hub.wait_for_requests(len(seen))
    commit = hub.requests[-1]
    assert seen[-1] == "POST /api/models/user/model/commit/main" and commit.status == 200
    assert base64.b64encode(b"searched for") in commit.body
    assert commit.headers["authorization"] == f"Bearer {hub.tokens['write']}"


TEXT = {"content": base64.b64encode(b"x").decode(), "encoding": "base64"}


@pytest.mark.parametrize(
    ("changes", "header", "status"),
    [
        ([{"key": "file", "value": {"path": "../escape.txt", **TEXT}}], {}, 400),
        ([{"key": "file", "value": {"path": "a/../../escape.txt", **TEXT}}], {}, 400),
        ([{"key": "file", "value": {"path": "/etc/passwd", **TEXT}}], {}, 400),
        ([{"key": "file", "value": {"path": ".git/config", **TEXT}}], {}, 400),
        ([{"key": "lfsFile", "value": {"path": "w.bin", "algo": "sha256", "oid": "0" * 64, "size": 3}}], {}, 400),
        ([{"key": "deletedFile", "value": {"path": "missing.txt"}}], {}, 404),
        ([{"key": "deletedFolder", "value": {"path": "missing/"}}], {}, 404),
        ([{"key": "file", "value": {"path": "README.md", "content": "---\na: [b\n---\n"}}], {}, 400),
        ([], {"parentCommit": "0" * 40}, 412),
    ],
)
def test_a_refused_commit_changes_nothing(
    hub: HubServer, repository: Repository, changes: list[dict], header: dict[str, str], status: int
) -> None:
    good = [{"key": "file", "value": {"path": "good.txt", **TEXT}}]
    assert post_commit(hub, good + changes, **header).status_code == status
    assert [commit.title for commit in repository.commits()] == ["initial commit"]
    assert list(repository.files()) == [".gitattributes"]


@pytest.mark.parametrize("path", ["", "..", "a//b", "a/./b", "a\0b", "a/.git/b"])
def test_a_path_that_is_no_file_of_a_repository_is_refused(path: str) -> None:
    with pytest.raises(StoreError):
        checked_path(path)


def test_pull_requests_that_changed_the_same_file_do_not_merge(api: HfApi, repository: Repository) -> None:
    for text in ("one", "two"):
        add = [CommitOperationAdd("note.txt", text.encode())]
        api.create_commit("user/model", add, commit_message=text, create_pr=True)
    api.merge_pull_request("user/model", 1)
    with pytest.raises(HfHubHTTPError) as refusal:
        api.merge_pull_request("user/model", 2)
    assert refusal.value.response.status_code == 409
    assert repository.read("note.txt") == b"one"


def test_storage_takes_only_signed_addresses_and_the_announced_content(hub: HubServer, repository: Repository) -> None:
    content = b"weights"
    sha256 = hashlib.sha256(content).hexdigest()
    batch = requests.post(
        f"{hub.endpoint}/user/model.git/info/lfs/objects/batch",
        json={"objects": [{"oid": sha256, "size": len(content)}]},
        headers={"Authorization": f"Bearer {hub.tokens['write']}"},
        timeout=30,
    )
    href = batch.json()["objects"][0]["actions"]["upload"]["href"]
    assert requests.put(href.replace("size=7", "size=8"), content, timeout=30).status_code == 403
    assert requests.put(href, content, headers={"Authorization": "Bearer x"}, timeout=30).status_code == 400
    assert requests.put(href, b"changed", timeout=30).status_code == 400
    assert not repository.objects
    assert requests.put(href, content, timeout=30).ok
    assert repository.objects == {sha256: len(content)}


def test_what_came_over_xet_is_served_over_http(hub: HubServer, api: HfApi, repository: Repository) -> None:
    """Stored raw, LZ4-compressed and byte-grouped: the client chooses one of these by the content."""
    generator = np.random.default_rng(0)
    contents = {
        "raw.bin": generator.bytes(150_000),
        "text.bin": b"gene and disease " * 20_000,
        "floats.bin": generator.normal(size=100_003).astype(np.float32).tobytes() + b"odd",
    }
    operations = [CommitOperationAdd(name, content) for name, content in contents.items()]
    api.create_commit("user/model", operations, commit_message="Add all")
    for name, content in contents.items():
        assert repository.file(name).xet_hash
        answer = requests.get(f"{hub.endpoint}/user/model/resolve/main/{name}", timeout=30)
        assert answer.content == content
    part = requests.get(answer.url, headers={"Range": "bytes=10-19"}, timeout=30)
    assert part.status_code == 206 and part.content == content[10:20]


TASK, DATASET = "task: {type: t}", "dataset: {type: t, name: n}"


@pytest.mark.parametrize(
    ("header", "error"),
    [
        ("license: [mit", "YAML metadata error"),
        ("- a\n- b", "must be an object"),
        ("tags: 3", '"tags" must be'),
        ("base_model: /tmp/model", '"base_model" with value "/tmp/model" is not valid'),
        ("model-index: x", '"model-index" must be an array'),
        ("model-index: [{results: []}]", '"model-index[0].name" is required'),
        (f"model-index: [{{name: a, results: [{{{TASK}}}]}}]", "dataset.type"),
        (f"model-index: [{{name: a, results: [{{{DATASET}}}]}}]", "task.type"),
        (f"model-index: [{{name: a, results: [{{{TASK}, {DATASET}, metrics: [{{type: f1}}]}}]}}]", "metrics[0]"),
    ],
)
def test_a_card_with_a_wrong_header_is_refused(header: str, error: str) -> None:
    errors, _ = metadata.check(f"---\n{header}\n---\n# Card\n", "model")
    assert len([text for text in errors if error in text]) >= 1


def test_cards_may_lack_a_header_and_data_cards_name_their_configurations() -> None:
    assert metadata.check("# Card\n", "model") == ([], ["empty or missing yaml metadata in repo card"])
    errors, _ = metadata.check("---\nconfigs:\n- data_files: a.csv\n---\n", "dataset")
    assert errors == ['"configs[0].config_name" is required']
    _, warnings = metadata.check("---\nlicense: other\ndatasets: [a/b/c]\n---\n", "model")
    assert len(warnings) == 2
