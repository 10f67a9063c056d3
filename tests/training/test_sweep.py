"""A sweep chooses on validation alone, continues after an interruption, and uses the test split once."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from bioft.cli.main import app
from bioft.compare import compare as run_comparison, outcomes
from bioft.errors import BioftError
from bioft.hub import publication
from bioft.storage import datasets as storage, runs
from bioft.training import sweep
from bioft.verify import verify as verification
from tests.labelled_texts import write_weak_labels
from tests.recipe import command_line
from tests.recipe_in_process import RecipeInProcess
from tests.tiny import write_encoder

TINY = {
    "max_length": 32,
    "max_steps": 4,
    "eval_strategy": "no",
    "save_strategy": "no",
    "load_best_model_at_end": False,
}
RATES = ("1e-7", "0.02")


def test_a_sweep_from_beginning_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of the test split can't be read until the choice is made, so no trial can have used it.

    On the way the sweep is interrupted, and a trial fails.
    """
    data, out = write_weak_labels(tmp_path / "data"), tmp_path / "sweep"
    test = (data / "test.parquet").read_bytes()
    (data / "test.parquet").write_bytes(b"unreadable")
    recipe = RecipeInProcess()
    monkeypatch.setattr(sweep, "run_recipe", recipe)
    words = command_line(**TINY, model_name_or_path=write_encoder(tmp_path / "model"), dataset=data)
    command = ["sweep", "text_classification", *words, "--grid", f"learning_rate={','.join(RATES)}", "-o", str(out)]

    recipe.instead = [None, KeyboardInterrupt]
    assert CliRunner().invoke(app, command).exit_code != 0
    assert len(recipe.calls) == 2

    recipe.calls.clear()
    recipe.instead = [1]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 1 and "Failed: learning_rate 0.02" in result.output, result.output
    assert "the test split was left alone" in " ".join(result.output.split())
    (call,) = recipe.calls
    assert "--learning_rate=0.02" in call and "--validation_only" in call, "the first trial is finished"

    recipe.calls.clear()
    result = CliRunner().invoke(app, command)
    assert "--learning_rate=0.02" in recipe.calls[0] and "--validation_only" in recipe.calls[0]
    assert len(recipe.calls) == 2 and "--validation_only" not in recipe.calls[1], "the chosen one"
    assert result.exit_code == 1 and "Can't read split 'test'" in result.output, (
        "all trials stand, without the test split"
    )

    recipe.calls.clear()
    (data / "test.parquet").write_bytes(test)
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    (call,) = recipe.calls
    content = json.loads((out / "sweep.json").read_text())
    trials = content["trials"]
    assert len(trials) == 2 and trials[0]["value"] == max(trial["value"] for trial in trials)
    assert f"--learning_rate={trials[0]['parameters']['learning_rate']}" in call and str(out / "chosen") in call

    dataset, _ = storage.load(data)
    record = runs.read(out / "chosen")
    runs.check_files(out / "chosen", record)
    assert record["metrics"]["f1"] == content["test"] and content["test"]["n"] == len(dataset["test"])
    assert record["dataset"]["fingerprints"]["test"] == storage.fingerprint(dataset["test"])
    for trial in trials:
        its = runs.read(trial["directory"])
        assert its["dataset"]["evaluated_on"] == "validation" and trial["n"] == len(dataset["validation"])
        assert its["dataset"]["fingerprints"]["test"] == storage.fingerprint(dataset["validation"])
        assert {path.name for path in Path(trial["directory"]).iterdir()} == {runs.RECORD, runs.CONFIG}
    table = pd.read_csv(out / "sweep.csv")
    assert list(table["value"]) == [trial["value"] for trial in trials] and (out / "sweep.png").stat().st_size > 0

    recipe.calls.clear()
    again = CliRunner().invoke(app, command)
    assert again.exit_code == 0 and recipe.calls == [], "a finished sweep trains nothing"
    refused = CliRunner().invoke(app, [*command[:-4], "--grid", "learning_rate=0.1,0.2", "-o", str(out)])
    assert refused.exit_code == 1 and "other settings" in " ".join(refused.output.split())
    _check_that_a_trial_is_not_published(Path(trials[0]["directory"]))
    _check_that_forged_figures_are_found(command, out, Path(trials[1]["directory"]))


def _check_that_forged_figures_are_found(command: list[str], out: Path, worse: Path) -> None:
    """Of the chosen run's test split, and of a trial that another should be chosen for."""
    for folder, words in ((out / "chosen", "do not follow from predictions.parquet"), (worse, "was changed since")):
        path, record = folder / runs.RECORD, runs.read(folder)
        before = path.read_text()
        record["metrics"]["f1"]["value"] = 0.987
        path.write_text(json.dumps(record))
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 1 and words in " ".join(result.output.split()), result.output
        path.write_text(before)
    _check_that_another_run_is_not_the_chosen_one(command, out / "chosen")
    assert CliRunner().invoke(app, command).exit_code == 0


def _check_that_another_run_is_not_the_chosen_one(command: list[str], chosen: Path) -> None:
    """One with other settings, such as those that the test split would choose."""
    config, record = (chosen / name for name in (runs.CONFIG, runs.RECORD))
    before = [path.read_text() for path in (config, record)]
    config.write_text(yaml.safe_dump(yaml.safe_load(before[0]) | {"learning_rate": 0.5}))
    record.write_text(json.dumps(runs.read(chosen) | {"files": runs.checksums(chosen)}))
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 1 and "learning_rate 0.5, there " in " ".join(result.output.split()), result.output
    for path, text in zip((config, record), before, strict=True):
        path.write_text(text)


def _check_that_a_trial_is_not_published(trial: Path) -> None:
    """A figure on validation, by which the best of several was chosen, is none to compare with or to publish."""
    for refuse in (lambda: run_comparison.compare([str(trial)]), lambda: publication.run_files(trial, "user/name")):
        with pytest.raises(BioftError, match="validation split only"):
            refuse()
    assert "validation split only" in verification.verify(str(trial)).reasons[0]


class MadeUpRecipe:
    """In the place of a training: a record whose figure is best at a learning rate of 1e-3; remembers its calls."""

    def __init__(self) -> None:
        self.calls: list[dict[str, str]] = []
        self.failing = 0

    def __call__(self, script: Path, words: Sequence[str], environment: Mapping[str, str] | None = None) -> int:
        given = dict(word.removeprefix("--").split("=") for word in words if word.startswith("--") and "=" in word)
        self.calls.append(given)
        if len(self.calls) == self.failing:
            raise KeyboardInterrupt
        value = 1 / (1 + abs(float(given["learning_rate"]) - 1e-3))
        record: dict[str, Any] = {"schema_version": 1, "comparison": {"metric": "f1"}, "training": {"seconds": 1.0}}
        record["dataset"] = {"evaluated_on": "validation", "fingerprints": {"test": "v"}}
        record["metrics"] = {"f1": {"value": value, "low": value, "high": value, "n": 9}}
        folder = Path(words[list(words).index("--output_dir") + 1])
        folder.mkdir(parents=True)
        (folder / runs.RECORD).write_text(json.dumps(record))
        (folder / runs.CONFIG).write_text("{}\n")
        return 0


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> MadeUpRecipe:
    """The recipe, whose runs have no predictions that their figures could follow from."""
    recipe = MadeUpRecipe()
    monkeypatch.setattr(sweep, "run_recipe", recipe)
    monkeypatch.setattr(outcomes, "finished_run", lambda name: (Path(name), runs.read(name)))
    monkeypatch.setattr(outcomes, "check_figures", lambda directory, record: None)
    return recipe


def test_drawn_configurations_are_as_many_as_asked_for(tmp_path: Path, made_up: MadeUpRecipe) -> None:
    """Optuna draws in the ranges; what an interruption cut off is tried again, nothing else is."""
    recipe = made_up
    recipe.failing = 4
    options: dict[str, Any] = {"grid": {"head": ["linear", "two_layer"]}, "trials": 8}
    options["ranges"] = {"learning_rate": ["1e-5", "1e-1", "log"], "max_length": ["16", "64"]}
    with pytest.raises(KeyboardInterrupt):
        sweep.sweep("text_classification", [], tmp_path / "sweep", **options)
    found = sweep.sweep("text_classification", [], tmp_path / "sweep", **options)
    assert recipe.calls[3] == recipe.calls[4], "the interrupted one"
    drawn = [tuple(call.items()) for call in recipe.calls]
    assert len(drawn) == 8 + 1 + 1 and len(set(drawn)) == 8 and drawn[-1] in drawn[:-1], "the chosen one again"
    for call in recipe.calls:
        assert 1e-5 <= float(call["learning_rate"]) <= 1e-1 and 16 <= int(call["max_length"]) <= 64
    rates = [float(call["learning_rate"]) for call in recipe.calls]
    assert found.trials[0].parameters["learning_rate"] == min(rates, key=lambda rate: abs(rate - 1e-3))
    with pytest.raises(BioftError, match="in another folder"):
        sweep.sweep("text_classification", [], tmp_path / "sweep", **(options | {"trials": 9}))


def without(folder: str, *path: str) -> Callable[[Path], None]:
    """What takes a part of the record away of the runs in a folder of a sweep."""

    def damage(out: Path) -> None:
        for place in out.glob(f"{folder}/{runs.RECORD}"):
            record = part = json.loads(place.read_text())
            for key in path[:-1]:
                part = part[key]
            del part[path[-1]]
            place.write_text(json.dumps(record))

    return damage


LACKS = "is not that of a finished run: it has no name"
DAMAGED: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no database": (lambda out: (out / sweep.STUDY).write_bytes(b"x" * 5000), "does not hold the trials of a sweep"),
    "no settings": (lambda out: (out / runs.CONFIG).write_text("{"), f"{runs.CONFIG}, line 1, column 2: not valid"),
    "no record": (lambda out: (out / sweep.CHOSEN / runs.RECORD).write_text("[]"), "is not a run record"),
    "no figures": (without("trials/*", "metrics"), LACKS),
    "no value": (without("trials/*", "metrics", "f1", "value"), LACKS),
    "no n": (without("trials/*", "metrics", "f1", "n"), LACKS),
    "no fingerprint": (without("trials/*", "dataset", "fingerprints", "test"), LACKS),
    "no time": (without("trials/*", "training", "seconds"), LACKS),
    "chosen without figures": (without(sweep.CHOSEN, "metrics"), LACKS),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_what_was_damaged_since_is_said_in_a_sentence(case: str, tmp_path: Path, made_up: MadeUpRecipe) -> None:
    out, (damage, words) = tmp_path / "sweep", DAMAGED[case]
    options: dict[str, Any] = {"grid": {"learning_rate": ["1e-3", "1e-2"]}}
    sweep.sweep("text_classification", [], out, **options)
    damage(out)
    before = (out / "sweep.json").read_text()
    with pytest.raises(BioftError, match=re.escape(words)):
        sweep.sweep("text_classification", [], out, **options)
    assert (out / "sweep.json").read_text() == before and len(made_up.calls) == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["text_clasification", "--grid", "learning_rate=1,2"], "Did you mean 'text_classification'"),
        (["text_classification", "--grid", "learnin_rate=1,2"], "Did you mean 'learning_rate'"),
        (["text_classification", "--grid", "learning_rate=1e-3,-1"], "learning_rate is -1.0; it must be 0 or more"),
        (["text_classification", "--grid", "max_length=8,four"], "invalid int value: 'four'"),
        (["text_classification", "--grid", "learning_rate"], "key=value,value"),
        (["text_classification", "--grid", "max_length=8", "--grid", "max_length=9"], "given twice"),
        (["text_classification"], "nothing to try"),
        (["text_classification", "--range", "learning_rate=1,2"], "--trials"),
        (["text_classification", "--range", "learning_rate=2,1", "--trials", "2"], "low < high"),
        (["text_classification", "--range", "learning_rate=1", "--trials", "2"], "low,high"),
        (["text_classification", "--grid", "seed=1,2"], "--seeds"),
        (["text_classification", "--grid", "max_length=8", "--push_to_hub", "a/b"], "push the chosen run"),
        (["sequence_classification", "--grid", "max_length=8", "--entity_run", "x"], "test documents"),
    ],
)
def test_a_wrong_command_writes_nothing(words: list[str], message: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["sweep", *words, "-o", str(tmp_path / "sweep")])
    assert result.exit_code == 1 and message in " ".join(result.output.split()), result.output
    assert not (tmp_path / "sweep").exists()


def test_a_script_whose_trials_would_see_the_test_split_is_not_swept(tmp_path: Path) -> None:
    script, out = tmp_path / "own.py", tmp_path / "sweep"
    script.write_text(
        "from dataclasses import dataclass\n\n\n@dataclass\nclass Options:\n    size: int = 1\n\n\n"
        "def main(options: Options) -> None:\n    raise AssertionError\n"
    )
    result = CliRunner().invoke(app, ["sweep", str(script), "--grid", "size=1,2", "--output", str(out)])
    assert result.exit_code == 1 and not out.exists()
    assert "own.py has no option validation_only" in " ".join(result.output.split())
