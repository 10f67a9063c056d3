"""The run directory: whole or resumable, never silently replaced, and edited files are found out."""

import json
from pathlib import Path

import pytest

from bioft.errors import BioftError
from bioft.storage import environment, files as storage_files, run_directory, runs


def checkpoint(directory: Path, step: int, *, whole: bool = True) -> Path:
    folder = directory / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "trainer_state.json").write_text("{}" if whole else '{"cut')
    return folder


def test_the_newest_whole_checkpoint_is_found_and_cut_ones_are_removed(tmp_path: Path) -> None:
    assert run_directory.last_checkpoint(tmp_path) is None
    for step in (50, 200):
        checkpoint(tmp_path, step)
    cut = checkpoint(tmp_path, 1000, whole=False)
    (tmp_path / "checkpoint-1100").mkdir()
    assert run_directory.last_checkpoint(tmp_path) == str(tmp_path / "checkpoint-200")
    assert not cut.exists()


def test_an_unfinished_run_resumes_only_with_the_same_settings(tmp_path: Path) -> None:
    config = {"learning_rate": 0.1, "logging_steps": 5}
    run_directory.prepare(tmp_path / "run", config)
    checkpoint(tmp_path / "run", 50)
    run_directory.prepare(tmp_path / "run", {**config, "logging_steps": 1})
    with pytest.raises(BioftError, match=r"learning_rate: 0.1, now 0.2"):
        run_directory.prepare(tmp_path / "run", {**config, "learning_rate": 0.2})
    assert run_directory.last_checkpoint(tmp_path / "run") is not None
    run_directory.prepare(tmp_path / "run", {**config, "learning_rate": 0.2}, overwrite=True)
    assert run_directory.last_checkpoint(tmp_path / "run") is None


def test_reading_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(BioftError, match=r"no run.json"):
        runs.read(tmp_path)
    run_directory.prepare(tmp_path / "run", {})
    with pytest.raises(BioftError, match="not finished"):
        runs.read(tmp_path / "run")
    (tmp_path / "run" / "run.json").write_text("{")
    with pytest.raises(BioftError, match="not a run record"):
        runs.read(tmp_path / "run")
    (tmp_path / "run" / "run.json").write_text(json.dumps({"schema_version": 99}))
    with pytest.raises(BioftError, match="Update bioft"):
        runs.read(tmp_path / "run")


def test_changed_and_missing_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "b.txt").write_text("b")
    record = {"files": runs.checksums(tmp_path)}
    runs.check_files(tmp_path, record)
    (tmp_path / "a.txt").write_text("edited")
    (tmp_path / "b.txt").unlink()
    with pytest.raises(BioftError, match=r"a.txt was changed; b.txt is missing"):
        runs.check_files(tmp_path, record)


def test_tokens_do_not_reach_the_recorded_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["recipes/sft_gda.py", "--hub_token", "secret", "--hub_token=hf_x", "--seed", "1"])
    command = environment.command_line()
    assert command == ["recipes/sft_gda.py", "--hub_token", "***", "--hub_token=***", "--seed", "1"]


def test_a_full_disk_is_a_message_and_leaves_no_partial_file(tmp_path: Path) -> None:
    """/dev/full answers every write with ENOSPC."""
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    (tmp_path / ".run.json.partial").symlink_to("/dev/full")
    with pytest.raises(BioftError, match=r"No space left on device.*MiB free"):
        storage_files.write_text(tmp_path / "run.json", "{}" * 10_000)
    assert list(tmp_path.iterdir()) == []


def test_cached_arrays_are_computed_once(tmp_path: Path) -> None:
    import numpy as np

    first = run_directory.cached(tmp_path / "scores.npz", lambda: {"test": np.array([1.0, 2.0])})
    second = run_directory.cached(tmp_path / "scores.npz", lambda: pytest.fail("computed again"))
    assert (first["test"] == second["test"]).all()
