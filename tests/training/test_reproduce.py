"""`bioft reproduce` trains a run again as its record says, and refuses what it cannot: one real run in all."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from bioft.cli.main import app
from bioft.datasets.configuration import recorded_configuration
from bioft.errors import BioftError
from bioft.hub import pull
from bioft.storage import environment, runs
from bioft.training import reproduce as reproduction
from tests import warm_process
from tests.recipe import command_line, load_recipe, run_recipe
from tests.tiny import write_encoder


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of token_classification on the sample corpus with a tiny random encoder."""
    folder = tmp_path_factory.mktemp("finished")
    options = {
        "model_name_or_path": write_encoder(folder / "model"),
        "output_dir": folder / "run",
        "max_steps": 3,
        "eval_strategy": "no",
        "save_strategy": "no",
        "load_best_model_at_end": False,
        "window_length": 96,
        "window_overlap": 16,
        "learning_rate": 0.01,
    }
    run_recipe(load_recipe("token_classification"), *command_line(**options))
    return folder / "run"


def copy_of(finished: Path, folder: Path, config: dict[str, Any] | None = None, **record: Any) -> Path:
    """A copy of the run whose record and configuration agree with these changes."""
    copy = folder / "copy"
    shutil.copytree(finished, copy)
    path = copy / runs.CONFIG
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | (config or {})))
    content = runs.read(copy) | record
    content["files"] = runs.checksums(copy)
    (copy / runs.RECORD).write_text(json.dumps(content))
    return copy


def test_the_new_run_goes_beside_the_run_and_never_into_it(finished: Path, tmp_path: Path) -> None:
    copy = copy_of(finished, tmp_path)
    (tmp_path / "copy-reproduced").mkdir()
    (tmp_path / "copy-reproduced" / runs.RECORD).write_text("{}")
    with pytest.raises(BioftError, match=r"copy-reproduced holds a finished run\. Name another folder"):
        reproduction.reproduce(str(copy))


def test_a_run_trained_again_has_the_same_figures(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recipe runs as a program of its own; on the same machine all figures are equal."""
    warm_process.instead_of_subprocess("bioft.training.reproduce", monkeypatch)
    result = CliRunner().invoke(app, ["reproduce", str(finished), "-o", str(tmp_path / "again")])
    assert result.exit_code == 0, result.output
    assert ": reproduced" in " ".join(result.output.split())
    recorded, again = runs.read(finished), runs.read(tmp_path / "again")
    assert again["metrics"] == recorded["metrics"] and again["dataset"] == recorded["dataset"]
    assert (again["preset"], again["seed"]) == (recorded["preset"], recorded["seed"])
    runs.check_files(tmp_path / "again", again)
    refused = CliRunner().invoke(app, ["reproduce", str(finished), "-o", str(tmp_path / "again")])
    assert refused.exit_code == 1 and "holds a finished run" in " ".join(refused.output.split())


def test_figures_outside_their_interval_are_not_reproduced(finished: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """A record that states more than its run had, and another test split: each is a reason, exit code 1."""
    metrics = runs.read(finished)["metrics"]
    metrics["f1"] = {"value": 0.95, "low": 0.93, "high": 0.97, "n": metrics["f1"]["n"]}
    prints = runs.read(finished)["dataset"]
    forged = copy_of(
        finished, tmp_path, metrics=metrics, dataset=prints | {"fingerprints": prints["fingerprints"] | {"test": "0"}}
    )
    monkeypatch.setattr(reproduction, "_train", lambda recipe, config, preset: shutil.copytree(finished, out))
    out = tmp_path / "again"
    result = CliRunner().invoke(app, ["reproduce", str(forged), "-o", str(out)])
    words = " ".join(result.output.split())
    assert result.exit_code == 1
    assert "Outside the recorded intervals: f1." in words and "test differ" in words and ": not reproduced" in words
    assert "0.9500 [0.9300, 0.9700]" in result.output


def test_what_differs_in_code_packages_and_hardware_is_named(finished: Path) -> None:
    here = environment.environment()
    assert reproduction.environment_differences(here | {"bioft": here["bioft"] | {"git_dirty": False}}, here) == []
    then = json.loads(json.dumps(here))
    then["packages"] = then["packages"] | {"torch": "1.0", "gone": "2.0"}
    then["hardware"]["gpus"] = ["NVIDIA H200"]
    then["bioft"] |= {"version": "0.0.1", "git_commit": None, "git_dirty": True}
    notes = "\n".join(reproduction.environment_differences(then, here))
    assert f"torch 1.0, now {here['packages']['torch']}" in notes and "gone 2.0, now none" in notes
    assert "gpus: NVIDIA H200, now none" in notes
    assert "recorded 0.0.1 (commit none)" in notes and "in no commit" in notes


def test_the_base_model_and_a_dataset_on_the_hub_are_pinned(finished: Path) -> None:
    record = runs.read(finished)
    record["base_model"] |= {"name_or_path": "user/base", "revision": "a" * 40}
    record["dataset"]["hub"] = {"id": "user/pairs", "revision": "b" * 40}
    config = recorded_configuration(finished, record)
    assert (config["model_name_or_path"], config["model_revision"]) == ("user/base", "a" * 40)
    assert (config["dataset"], config["dataset_revision"]) == ("user/pairs", "b" * 40)


def test_other_data_than_the_recorded_are_refused_before_any_training(finished: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("other data")
    with pytest.raises(BioftError, match="is not the file that the run was trained on"):
        reproduction.reproduce(str(finished), tmp_path / "out", dataset_path=other)
    with pytest.raises(BioftError, match="There is no"):
        reproduction.reproduce(str(finished), tmp_path / "out", dataset_path=tmp_path / "nothing")
    gone = copy_of(finished, tmp_path, {"dataset": "bc5cdr", "dataset_path": str(tmp_path / "gone.zip")})
    with pytest.raises(BioftError, match=r"no .*gone\.zip.*--dataset-path"):
        reproduction.reproduce(str(gone), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_trained_again_is_refused(finished: Path, tmp_path: Path) -> None:
    def refuse(run: Path, words: str) -> None:
        with pytest.raises(BioftError, match=words):
            reproduction.reproduce(str(run), tmp_path / "out")
        assert not (tmp_path / "out").exists()
        shutil.rmtree(run)

    refuse(copy_of(finished, tmp_path, recipe="token_clasification"), "Did you mean 'token_classification'")
    changed = copy_of(finished, tmp_path)
    with (changed / runs.CONFIG).open("a") as stream:
        stream.write("learning_rate: 1\n")
    refuse(changed, "config.yaml was changed")
    bare = copy_of(finished, tmp_path)
    content = runs.read(bare)
    (bare / runs.CONFIG).unlink()
    content["files"] = runs.checksums(bare)
    (bare / runs.RECORD).write_text(json.dumps(content))
    refuse(bare, "has no config.yaml")
    base = runs.read(finished)["base_model"]
    refuse(copy_of(finished, tmp_path, base_model=base | {"sha256": "0" * 64}), "not those that the run was trained")
    pulled = copy_of(finished, tmp_path)
    (pulled / pull.ORIGIN).write_text(json.dumps({"id": "user/adapter", "revision": "c" * 40}))
    refuse(pulled, "base model in a local folder .*, which nobody else can load")
    embedded = base | {"name_or_path": "user/base", "id": "user/base"}
    pulled = copy_of(finished, tmp_path, {"dataset_path": "/data/cdr.zip"}, base_model=embedded)
    (pulled / pull.ORIGIN).write_text(json.dumps({"id": "user/adapter", "revision": "c" * 40}))
    refuse(pulled, "files of another machine .dataset_path.*--dataset-path")
    refuse(copy_of(finished, tmp_path, hardware=None), "run.json is not a run record: its hardware is null")


def test_a_recipe_that_fails_is_told_with_its_exit_code(finished: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """A program that only ends with 3 stands for the recipe; it got the preset's name and the new folder."""
    (tmp_path / "configs").mkdir()
    seen = tmp_path / "seen"
    script = (
        f"import sys; open({str(seen)!r}, 'w').write(sys.argv[2] + chr(10) + open(sys.argv[2]).read()); sys.exit(3)"
    )
    (tmp_path / "token_classification.py").write_text(script)
    monkeypatch.setattr("bioft.training.presets.recipes_directory", lambda: tmp_path)
    with pytest.raises(BioftError, match="token_classification ended with exit code 3"):
        reproduction.reproduce(str(finished), tmp_path / "out")
    path, content = seen.read_text().split("\n", 1)
    config = yaml.safe_load(content)
    assert Path(path).name == "default.yaml"
    assert (config["output_dir"], config["report_to"], config["max_steps"]) == (str(tmp_path / "out"), "none", 3)


def test_a_recipe_of_ones_own_is_started_from_the_folder_of_its_script(
    finished: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    """As the recorded command names it, with the recorded configuration; never for a run from the Hub."""
    monkeypatch.chdir(tmp_path)
    seen = tmp_path / "seen"
    script = f"import sys; open({str(seen)!r}, 'w').write(' '.join(sys.argv[:2])); sys.exit(3)"
    (tmp_path / "my_tagger.py").write_text(script)
    own = copy_of(finished, tmp_path, recipe="my_tagger", command=["my_tagger.py", "--config", "mine.yaml"])
    with pytest.raises(BioftError, match="my_tagger ended with exit code 3"):
        reproduction.reproduce(str(own), tmp_path / "out")
    assert seen.read_text() == "my_tagger.py --config"
    seen.unlink()
    (tmp_path / "my_tagger.py").rename(tmp_path / "elsewhere.py")
    with pytest.raises(BioftError, match=r"my_tagger\.py is not here"):
        reproduction.reproduce(str(own), tmp_path / "out")
    (tmp_path / "elsewhere.py").rename(tmp_path / "my_tagger.py")
    (own / pull.ORIGIN).write_text(json.dumps({"id": "user/adapter", "revision": "c" * 40}))
    with pytest.raises(BioftError, match=r"no recipe 'my_tagger'\. What comes from the Hub may not choose code"):
        reproduction.reproduce(str(own), tmp_path / "out")
    assert not seen.exists()
