"""The run directory: whole or resumable, never silently replaced, and edited files are found out."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import save_file
from typer.testing import CliRunner

from bioft.cli.main import app
from bioft.errors import BioftError
from bioft.storage import environment, files as storage_files, run_directory, runs
from bioft.training import presets


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


def test_the_first_checkpoint_that_was_cut_off_has_none_before_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoint(tmp_path, 8, whole=False)
    assert run_directory.last_checkpoint(tmp_path) is None
    assert caplog.text.endswith("): it is removed.\n")


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


def test_one_process_at_a_time_trains_into_a_folder(tmp_path: Path) -> None:
    """A lock is of its descriptor: a second one of this process is as good as another process."""
    (run := tmp_path / "run").mkdir()
    other = storage_files.lock(run)
    assert other is not None
    for overwrite in (False, True):
        with pytest.raises(BioftError, match=r"Another process trains into .*run\. Wait"):
            run_directory.prepare(run, {"seed": 0}, overwrite=overwrite)
    assert not any(run.iterdir())
    os.close(other)
    for overwrite in (False, True):
        run_directory.prepare(run, {"seed": 0}, overwrite=overwrite)
        assert storage_files.lock(run) is None
    run_directory.release(run)
    other = storage_files.lock(run)
    assert other is not None
    os.close(other)


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


def test_a_run_under_a_path_with_an_accent_is_resumed_under_ascii(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from bioft.storage import run_directory, files; path = sys.argv[1];"
        "run_directory.prepare(Path(path), {'dataset_path': path, 'note': 'gr\\u00f6\\u00dfer'});"
        "files.write_json(Path(path) / 'run.json', {'path': path})"
    )
    place = tmp_path / "é"
    for ascii_only in ({}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}):
        (place / "run.json").unlink(missing_ok=True)
        subprocess.run([sys.executable, "-c", program, str(place)], env=os.environ | ascii_only, check=True)
        assert json.loads((place / "run.json").read_bytes()) == {"path": str(place)}
    assert "größer" in (place / "config.yaml").read_text(encoding="utf-8")


def test_what_an_interrupted_training_leaves_is_said(tmp_path: Path) -> None:
    """Nothing at all, where nothing was computed; else what the same command goes on from."""
    run = tmp_path / "run"
    assert run_directory.after_interrupt(None) == run_directory.after_interrupt(run) == "Nothing was written."
    run_directory.prepare(run, {"seed": 0})
    assert run_directory.after_interrupt(run) == "Nothing was written." and not run.exists()
    run_directory.prepare(run, {"seed": 0})
    (run / f"{runs.BASE_SCORES}abc.npz").touch()
    left = run_directory.after_interrupt(run)
    assert left.endswith("begins the training anew; the scores of the base model are kept.") and run.is_dir()
    for step, content in ((30, "{}"), (40, '{"half')):
        (run / f"checkpoint-{step}").mkdir()
        (run / f"checkpoint-{step}" / "trainer_state.json").write_text(content)
    assert run_directory.after_interrupt(run) == f"The same command continues from checkpoint-30 in {run}."
    (run / runs.RECORD).touch()
    assert run_directory.after_interrupt(run) == f"The run in {run} is finished."


def test_reading_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(BioftError, match=r"no run.json"):
        runs.read(tmp_path)
    (tmp_path / "ran").touch()
    with pytest.raises(BioftError, match=r"There is no folder .*run\. Did you mean 'ran'\?$"):
        runs.read(tmp_path / "run")
    with pytest.raises(BioftError, match=r"ran is a file: name a folder\.$"):
        runs.read(tmp_path / "ran")
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
    monkeypatch.setattr("sys.argv", ["own.py", "--hub_token", "secret", "--hub_token=hf_x", "--seed", "1"])
    assert environment.command_line() == ["own.py", "--hub_token", "***", "--hub_token=***", "--seed", "1"]


def test_the_recorded_command_names_a_recipe_of_bioft_wherever_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in (presets.recipes_directory(), tmp_path / "site-packages" / "bioft" / "_recipes"):
        monkeypatch.setattr("sys.argv", [str(folder / "mlm.py"), "--seed", "1"])
        if "site-packages" in folder.parts:
            monkeypatch.setattr(environment.bioft, "__file__", str(folder.parent / "__init__.py"))
        assert environment.command_line() == ["bioft", "train", "mlm", "--seed", "1"]
    monkeypatch.setattr("sys.argv", [str(tmp_path / "mlm.py")])
    assert environment.command_line() == ["mlm.py"]


def test_a_full_disk_is_a_message_and_leaves_no_partial_file(tmp_path: Path) -> None:
    """/dev/full answers every write with ENOSPC."""
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    with (
        pytest.raises(BioftError, match=rf"{tmp_path}/run.json: No space left on device.*MB free"),
        storage_files.new_file(tmp_path / "run.json") as partial,
    ):
        partial.symlink_to("/dev/full")
        partial.write_text("{}" * 10_000)
    assert list(tmp_path.iterdir()) == []


def test_what_libraries_say_of_a_full_disk_is_understood(tmp_path: Path) -> None:
    """PyTorch tells of it as an error without number, safetensors in words."""
    for words in (
        "basic_ios::clear: iostream error",
        "Error while serializing: No space left on device (os error 28)",
    ):
        with (
            pytest.raises(BioftError, match=r"Can't write to .*run: the disk takes no more .*MB free"),
            storage_files.disk_errors(tmp_path / "run"),
        ):
            raise RuntimeError(words)
    with pytest.raises(RuntimeError, match="shapes"), storage_files.disk_errors(tmp_path / "run"):
        raise RuntimeError("the shapes do not fit")


def test_the_free_space_is_that_of_the_disk_which_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIOFT_CACHE", str(tmp_path / "cache"))
    asked = []
    monkeypatch.setattr(storage_files.shutil, "disk_usage", lambda path: asked.append(path) or SimpleNamespace(free=0))
    error = OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "cache" / "hub" / "x.safetensors"))
    (tmp_path / "cache").mkdir()
    told = str(storage_files.disk_error(error, Path("/elsewhere/run")))
    assert str(tmp_path / "cache" / "hub") in told and "BIOFT_CACHE" in told and asked == [tmp_path / "cache"]


def test_a_folder_that_is_replaced_stays_until_the_new_one_stands(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "old").write_text("")
    with pytest.raises(ZeroDivisionError), storage_files.new_folder(tmp_path / "x", existing="replace") as new:
        (new / "half").write_text("")
        raise ZeroDivisionError
    assert [path.name for path in (tmp_path / "x").iterdir()] == ["old"]
    for existing, left in (("replace", "new"), ("keep", "new")):
        with storage_files.new_folder(tmp_path / "x", existing=existing) as new:
            (new / ("new" if existing == "replace" else "later")).write_text("")
        assert [path.name for path in (tmp_path / "x").iterdir()] == [left]
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_what_a_killed_run_left_half_written_is_no_file_of_the_run(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("a: 1")
    (tmp_path / ".run.json.x7.partial").mkdir()
    (tmp_path / ".run.json.x7.partial" / "run.json").write_text("{")
    assert list(runs.checksums(tmp_path)) == ["config.yaml"]


def test_the_commit_of_another_repository_is_not_bioft_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """bioft as a wheel in a virtual environment inside a repository of the user's own, or at its top."""
    for command in ("init -q", "-c user.name=a -c user.email=a@b commit -q --allow-empty -m first"):
        subprocess.run(["git", *command.split()], cwd=tmp_path, check=True)
    package = tmp_path / ".venv" / "site-packages" / "bioft"
    package.mkdir(parents=True)
    monkeypatch.setattr(environment.bioft, "__file__", str(package / "__init__.py"))
    assert environment.git_state() == {"git_commit": None, "git_dirty": None}
    installed = tmp_path / "bioft" / "__init__.py"
    installed.parent.mkdir()
    installed.touch()
    monkeypatch.setattr(environment.bioft, "__file__", str(installed))
    assert environment.git_state()["git_commit"] is None
    subprocess.run(["git", "add", "bioft"], cwd=tmp_path, check=True)
    assert environment.git_state()["git_commit"] is not None


def test_cached_arrays_are_computed_once(tmp_path: Path) -> None:
    first = run_directory.cached(tmp_path / "scores.npz", lambda: {"test": np.array([1.0, 2.0])})
    second = run_directory.cached(tmp_path / "scores.npz", lambda: pytest.fail("computed again"))
    assert (first["test"] == second["test"]).all()


def test_what_is_written_may_be_read_by_others(tmp_path: Path) -> None:
    """Libraries write weights by temporary files, which have the rights of their owner only."""
    (tmp_path / "usual").write_text("")
    with storage_files.new_folder(tmp_path / "out") as partial:
        (partial / "inner").mkdir()
        for name in ("model.safetensors", "inner/tokenizer.json"):
            (partial / name).write_text("x")
            (partial / name).chmod(0o600)
    usual = (tmp_path / "usual").stat().st_mode
    assert {path.stat().st_mode for path in (tmp_path / "out").rglob("*") if path.is_file()} == {usual}


@pytest.mark.parametrize("command", ["compare", "verify", "merge", "reproduce", "seeds"])
def test_a_mistyped_run_is_missing_whatever_the_hub_has(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside runs: before any Hub is asked, with the nearest name."""
    (tmp_path / "runs" / "entities_1").mkdir(parents=True)
    (tmp_path / "runs" / "entities_1" / runs.RECORD).write_text("{}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("bioft.hub.pull.pull_adapter", None)
    more = ["-o", "merged"] if command == "merge" else []
    result = CliRunner().invoke(app, [command, "runs/entites_1", *more])
    assert result.exit_code != 0
    assert "There is no folder runs/entites_1. Did you mean 'runs/entities_1'?" in " ".join(result.output.split())


def test_a_folder_of_runs_is_none_and_names_them(tmp_path: Path) -> None:
    with pytest.raises(BioftError, match=r"No run in .*: there is no run\.json\. `bioft train` writes one"):
        runs.read(tmp_path)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / runs.RECORD).write_text("{}")
    with pytest.raises(BioftError, match=r"Name one of .*one, .*two\."):
        runs.read(tmp_path)


def test_a_run_on_the_hub_is_fetched_before_it_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BioftError, match=r"fetched first: bioft pull-adapter user/name name$"):
        runs.read("user/name")
    (tmp_path / "user").mkdir()
    with pytest.raises(BioftError, match=r"There is no folder user/name\.$"):
        runs.read("user/name")
