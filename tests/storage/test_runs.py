"""The run directory: whole or resumable, never silently replaced, and edited files are found out."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

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


def weights(path: Path) -> Path:
    save_file({"weight": np.arange(100.0)}, path)
    return path


def test_a_checkpoint_whose_weights_are_cut_off_is_left_for_the_one_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The state file is whole in all of them; one has its weights in a folder, as sentence-transformers write them."""
    weights(checkpoint(tmp_path, 50) / "model.safetensors")
    (checkpoint(tmp_path, 100) / "optimizer.pt").write_bytes(b"PK cut")
    (nested := checkpoint(tmp_path, 150) / "0_Transformer").mkdir()
    for broken in (weights(nested / "model.safetensors"), weights(checkpoint(tmp_path, 200) / "adapter.safetensors")):
        broken.write_bytes(broken.read_bytes()[:-10])
    (checkpoint(tmp_path, 250) / "model.safetensors").write_bytes(b"")
    assert run_directory.last_checkpoint(tmp_path) == str(tmp_path / "checkpoint-50")
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-50"]
    words = [record.getMessage() for record in caplog.records]
    assert len(words) == 4 and all("it is removed, and the one before is taken" in each for each in words)
    assert "checkpoint-250" in words[0] and "adapter.safetensors" in words[1] and "optimizer.pt is cut off" in words[3]


@pytest.mark.parametrize("named", ["runs/b7/", "./runs/b7", "runs/../runs/b7", "{tmp}/runs/b7"])
def test_an_unfinished_run_resumes_however_its_folder_is_spelt(
    named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run_directory.prepare(Path("runs/b7"), {"seed": 1, "output_dir": "runs/b7"})
    named = named.format(tmp=tmp_path)
    run_directory.prepare(Path(named), {"seed": 1, "output_dir": named})
    with pytest.raises(BioftError, match=r"other settings \(seed: 1, now 2\)"):
        run_directory.prepare(Path(named), {"seed": 2, "output_dir": named})


def test_an_unfinished_run_that_was_moved_resumes_with_its_best_checkpoint(tmp_path: Path) -> None:
    run_directory.prepare(tmp_path / "old", {"output_dir": str(tmp_path / "old")})
    checkpoint(tmp_path / "old", 50)
    state = {"best_model_checkpoint": str(tmp_path / "old" / "checkpoint-50"), "best_metric": 0.7}
    (checkpoint(tmp_path / "old", 100) / "trainer_state.json").write_text(json.dumps(state))
    moved = (tmp_path / "old").rename(tmp_path / "new")
    run_directory.prepare(moved, {"output_dir": str(moved)})
    assert run_directory.last_checkpoint(moved) == str(moved / "checkpoint-100")
    now = json.loads((moved / "checkpoint-100" / "trainer_state.json").read_text())
    assert now == state | {"best_model_checkpoint": str(moved / "checkpoint-50")}


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
    first = run_directory.cached(tmp_path / "scores.npz", lambda: {"test": np.array([1.0, 2.0])})
    second = run_directory.cached(tmp_path / "scores.npz", lambda: pytest.fail("computed again"))
    assert (first["test"] == second["test"]).all()
