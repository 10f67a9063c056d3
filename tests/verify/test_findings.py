"""A record pulled from the Hub may not make this machine load one of its own folders."""

import json
from pathlib import Path
from typing import Any

import pytest

from bioft.errors import BioftError
from bioft.hub import pull
from bioft.verify.findings import check_base_model
from tests.tiny import write_model


@pytest.mark.parametrize("pulled", [True, False])
@pytest.mark.parametrize("absolute", [True, False])
def test_the_base_model_is_no_folder_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pulled: bool, absolute: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = write_model(tmp_path / "models" / "base", "llama")
    name = str(folder) if absolute else "models/base"
    run = tmp_path / "run"
    run.mkdir()
    if pulled:
        (run / pull.ORIGIN).write_text(json.dumps({"id": "user/run", "revision": "0" * 40}))
    recorded: dict[str, Any] = {"name_or_path": name, "id": name, "revision": None, "sha256": None}
    if pulled:
        with pytest.raises(BioftError, match="local folder"):
            check_base_model(run, {"base_model": recorded})
    else:
        assert check_base_model(run, {"base_model": recorded}) == []
