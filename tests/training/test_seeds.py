"""`--seeds` and `bioft seeds`: one failed seed among three, what is trained again, and the figures over seeds."""

import json
import math
import shutil
import statistics
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import psutil
import pytest
import scipy.stats
import yaml
from safetensors.numpy import load_file, save_file
from typer.testing import CliRunner

from bioft.cli.main import app
from bioft.errors import BioftError
from bioft.storage import runs
from bioft.task import called
from bioft.training import arguments, seeds as seed_runs
from bioft.training.recipe_process import options, run_recipe
from tests.labelled_texts import write_weak_labels
from tests.recipe import command_line, load_recipe
from tests.recipe_in_process import RecipeInProcess
from tests.tiny import write_encoder

TINY = {
    "max_length": 32,
    "max_steps": 2,
    "eval_strategy": "no",
    "save_strategy": "no",
    "load_best_model_at_end": False,
}


def train(monkeypatch: pytest.MonkeyPatch, **values: object) -> int:
    """Call the recipe as from the command line; the exit code."""
    monkeypatch.setattr("sys.argv", ["recipes/text_classification.py", *command_line(**TINY, **values)])
    with pytest.raises(SystemExit) as ended:
        arguments.run(load_recipe("text_classification").main)
    return int(ended.value.code)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seeds 1, 2 and 3, of which 2 failed at first."""
    folder = tmp_path_factory.mktemp("seeds")
    values = {"model_name_or_path": write_encoder(folder / "model"), "dataset": write_weak_labels(folder / "data")}
    values |= {"output_dir": folder / "run", "seeds": "1,2,3"}
    recipe = RecipeInProcess()
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(seed_runs, "run_recipe", recipe)
        recipe.instead = [None, 1]
        assert train(monkeypatch, **values) == 1, "a seed failed"
        assert [f"--seed {seed}" in call for seed, call in zip((1, 2, 3), recipe.calls, strict=True)] == [True] * 3
        assert json.loads((folder / "run" / "seeds.json").read_text())["seeds"] == [1, 3], "the others are finished"
        first = (folder / "run" / "seed_1" / runs.RECORD).stat().st_mtime_ns

        assert train(monkeypatch, **values, learning_rate=0.5) == 1
        assert len(recipe.calls) == 3, "another command trains nothing into the same folder"

        recipe.calls.clear()
        assert train(monkeypatch, **values) == 0
        assert len(recipe.calls) == 1 and "--seed 2" in recipe.calls[0], "only the missing seed is trained"
        assert (folder / "run" / "seed_1" / runs.RECORD).stat().st_mtime_ns == first
    return folder / "run"


def test_the_summary_is_over_seeds(three: Path) -> None:
    records = [runs.read(three / f"seed_{seed}") for seed in (1, 2, 3)]
    assert [record["seed"] for record in records] == [1, 2, 3]
    written = json.loads((three / "seeds.json").read_text())
    test = records[0]["dataset"]["rows"]["test"]["documents"]
    assert f"These figures rest on 3 seeds and 1 split, with {test} texts to test on." in written["note"]
    for name, figure in written["metrics"].items():
        its = [record["metrics"][name] for record in records]
        values = [each["value"] for each in its]
        if None in values:
            assert figure["mean"] is None
            continue
        assert figure["mean"] == pytest.approx(statistics.mean(values))
        assert figure["seed_sd"] == pytest.approx(statistics.stdev(values), abs=1e-12)
        half = statistics.mean((each["high"] - each["low"]) / 2 for each in its)
        error = 0.0
        if figure["seed_sd"] > 1e-9:
            expected = scipy.stats.t.interval(0.95, 2, figure["mean"], figure["seed_sd"] / math.sqrt(3))
            assert figure["over_seeds"] == pytest.approx(expected)
            error = expected[1] - figure["mean"]
        assert figure["overall"][1] - figure["mean"] == pytest.approx(math.hypot(error, half)), "with the test sample"
    assert any(figure["seed_sd"] for figure in written["metrics"].values()), "the seeds make a difference"
    best = max(records[0]["baselines"], key=lambda name: records[0]["baselines"][name]["f1"]["value"])
    assert written["metric"] == "f1" and written["baseline"] == best
    assert written["metrics"]["f1"]["baseline"] == records[0]["baselines"][best]["f1"]["value"]
    differences = [record["metrics"]["f1"]["value"] - record["baselines"][best]["f1"]["value"] for record in records]
    assert written["difference"]["values"] == pytest.approx(differences)
    assert f"Minus the best baseline ({called(best)})" in written["note"]


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seeds on each of two splits."""
    folder = tmp_path_factory.mktemp("splits")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(seed_runs, "run_recipe", RecipeInProcess())
        values = {"model_name_or_path": write_encoder(folder / "model"), "seeds": "1,2", "split_seeds": "0,3"}
        assert train(monkeypatch, **values, output_dir=folder / "run") == 0
    return folder / "run"


def test_splits_count_beside_seeds(splits: Path) -> None:
    """Every pair of seeds is trained; the interval is Nadeau and Bengio's over the means of the splits."""
    names = ["split_0_seed_1", "split_0_seed_2", "split_3_seed_1", "split_3_seed_2"]
    assert sorted(path.name for path in splits.glob("split_*")) == names
    records = [runs.read(splits / name) for name in names]
    prints = [record["dataset"]["fingerprints"]["test"] for record in records]
    assert prints[0] == prints[1] != prints[2] == prints[3]
    written = json.loads((splits / "seeds.json").read_text())
    assert (written["seeds"], written["split_seeds"]) == ([1, 2, 1, 2], [0, 0, 3, 3])
    assert "rest on 2 seeds and 2 splits" in written["note"] and "Nadeau and Bengio" in written["note"]
    figure = written["metrics"]["accuracy"]
    values = [record["metrics"]["accuracy"]["value"] for record in records]
    means = [statistics.mean(values[:2]), statistics.mean(values[2:])]
    rows = [each["dataset"]["rows"] for each in records]
    ratio = statistics.mean(each["test"]["documents"] / each["train"]["documents"] for each in rows)
    within = (statistics.variance(values[:2]) + statistics.variance(values[2:])) / 2
    error = scipy.stats.t.ppf(0.975, 1) * statistics.stdev(means) * math.sqrt(1 / 2 + ratio)
    assert figure["values"] == values and figure["seed_sd"] == pytest.approx(math.sqrt(within), abs=1e-12)
    assert figure["split_sd"] == pytest.approx(statistics.stdev(means), abs=1e-12)
    assert figure["over_seeds"] is None
    assert figure["overall"] == pytest.approx([statistics.mean(means) - error, statistics.mean(means) + error])
    assert seed_runs.expand([str(splits)]) == [str(splits / name) for name in names]


def test_an_interval_over_splits_holds_the_mean_over_all() -> None:
    """Of data drawn once, split at random: the mean over splits of a classifier that is right in 80 % of cases.

    The interval must hold the truth in about 95 % of such experiments, though every split tests the same examples
    again; Student's t without Nadeau and Bengio's term does not.
    """
    rng, held, without = np.random.default_rng(0), 0, 0
    for _ in range(400):
        right = rng.random(300) < 0.8
        values = np.array([right[rng.permutation(300)[:100]].mean() for _ in range(6)])
        low, high = seed_runs._figure(values, np.arange(6), 0.5, np.nan).overall or (0, 0)
        held += low <= 0.8 <= high
        low, high = seed_runs._figure(values, np.arange(6), 0.0, np.nan).overall or (0, 0)
        without += low <= 0.8 <= high
    assert held / 400 > 0.92 > without / 400


def test_the_commands_take_the_folder_of_the_seeds(three: Path, tmp_path: Path) -> None:
    """`bioft seeds` writes what the recipe wrote; `bioft compare` ranks the seeds."""
    result = CliRunner().invoke(app, ["seeds", str(three), "-o", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert "seeds 1, 2, 3" in result.output and "in all" in result.output
    for name in ("seeds.json", "seeds.md"):
        assert (tmp_path / "out" / name).read_text() == (three / name).read_text()
    result = CliRunner().invoke(app, ["compare", str(three), "--resamples", "100", "-o", str(tmp_path / "compared")])
    assert result.exit_code == 0, result.output
    table = (tmp_path / "compared" / "comparison.csv").read_text()
    assert all(str(three / f"seed_{seed}") in table for seed in (1, 2, 3))


def changed(run: Path, copy: Path, config: dict[str, object], **record: object) -> str:
    """A copy of a finished run with another configuration or record."""
    copy.mkdir()
    for name in (runs.CONFIG, runs.RECORD, runs.PREDICTIONS):
        (copy / name).write_bytes((run / name).read_bytes())
    (copy / runs.CONFIG).write_text(yaml.safe_dump(yaml.safe_load((copy / runs.CONFIG).read_text()) | config))
    content = runs.read(copy) | record | {"files": runs.checksums(copy)}
    (copy / runs.RECORD).write_text(json.dumps(content))
    return str(copy)


def test_runs_that_differ_in_more_than_the_seed_are_refused(three: Path, tmp_path: Path) -> None:
    first = str(three / "seed_1")
    other = changed(three / "seed_2", tmp_path / "rate", {"learning_rate": 0.7})
    with pytest.raises(BioftError, match=r"differ in more than the seed: learning_rate: 0.7 and "):
        seed_runs.summarise([first, other])
    prints = runs.read(first)["dataset"]["fingerprints"] | {"test": "0"}
    other = changed(three / "seed_2", tmp_path / "data", {}, dataset={"fingerprints": prints})
    with pytest.raises(BioftError, match=r"other data \(test\)"):
        seed_runs.summarise([first, other])
    moved = changed(three / "seed_2", tmp_path / "moved", {"dataset_path": "elsewhere"})
    assert seed_runs.summarise([moved, first]).seeds == [1, 2], "the same data in another place"
    alone = seed_runs.summarise([first])
    assert alone.metrics["f1"].mean is not None and alone.metrics["f1"].overall is None, "one seed has no interval"
    with pytest.raises(BioftError, match="Two of the runs have the seed 1"):
        seed_runs.summarise([first, first])
    (tmp_path / "moved" / runs.CONFIG).write_text("seed: 9")
    with pytest.raises(BioftError, match="was changed"):
        seed_runs.summarise([first, moved])


def test_copies_of_one_run_are_no_seeds(three: Path, tmp_path: Path) -> None:
    """They say that chance does nothing."""
    copy = shutil.copytree(three / "seed_1", tmp_path / "seed_9")
    record = runs.read(copy) | {"seed": 9}
    (copy / runs.RECORD).write_text(json.dumps(record))
    with pytest.raises(BioftError, match="have the same weights: they are copies of one run"):
        seed_runs.summarise([str(three / "seed_1"), str(copy)])
    (weights,) = copy.glob("*.safetensors")
    save_file(load_file(weights), weights, {"saved": "anew"})
    assert weights.read_bytes() != (three / "seed_1" / weights.name).read_bytes()
    (copy / runs.RECORD).write_text(json.dumps(record | {"files": runs.checksums(copy)}))
    with pytest.raises(BioftError, match="have the same weights: they are copies of one run"):
        seed_runs.summarise([str(three / "seed_1"), str(copy)])


def test_other_weights_with_the_same_losses_are_a_copy(three: Path, tmp_path: Path) -> None:
    """Chance changes them: a few may be the same after rounding, three are not."""
    log = [{"step": step, "loss": 0.7 - step / 10} for step in range(3)]
    for n, expected in ((2, nullcontext()), (3, pytest.raises(BioftError, match="have the same logged losses"))):
        names = [changed(three / f"seed_{seed}", tmp_path / f"{n}_{seed}", {}, log_history=log[:n]) for seed in (1, 2)]
        with expected:
            seed_runs.summarise(names)


def test_a_seed_that_the_configuration_contradicts_is_refused(three: Path, tmp_path: Path) -> None:
    other = changed(three / "seed_2", tmp_path / "seed_9", {}, seed=9)
    with pytest.raises(BioftError, match=r"seed_9 says two things of its seed: run\.json 9, config\.yaml 2"):
        seed_runs.summarise([str(three / "seed_1"), other])


def test_seeds_that_are_left_out_are_named(three: Path, tmp_path: Path) -> None:
    """Of three seeds the two best say less; the folder of all says which it was to have."""
    chosen = seed_runs.summarise([str(three / "seed_1"), str(three / "seed_3")])
    assert chosen.left_out == ["seed_2"]
    seed_runs.write_summary(chosen, tmp_path)
    assert "their folder was to have them too: seed_2." in (tmp_path / "seeds.md").read_text()
    every = seed_runs.summarise(seed_runs.expand([str(three)]))
    assert every.left_out == [] and "was to have" not in (three / "seeds.md").read_text()


def test_a_baseline_made_weak_is_not_summarised(three: Path, tmp_path: Path) -> None:
    """The difference to it would be the greater."""
    forged = shutil.copytree(three / "seed_2", tmp_path / "seed_2")
    record = runs.read(forged)
    for its in record["baselines"].values():
        its["f1"] = {"value": 0.01, "low": 0.0, "high": 0.02, "n": its["f1"]["n"]}
    (forged / runs.RECORD).write_text(json.dumps(record))
    with pytest.raises(BioftError, match=r"do not follow from predictions\.parquet: .*: f1 0\.0100"):
        seed_runs.summarise([str(three / "seed_1"), str(forged)])


def test_figures_that_no_prediction_gives_are_not_summarised(three: Path, tmp_path: Path) -> None:
    forged = shutil.copytree(three / "seed_2", tmp_path / "seed_2")
    record = runs.read(forged)
    record["metrics"]["f1"]["value"] = 0.987
    (forged / runs.RECORD).write_text(json.dumps(record))
    with pytest.raises(BioftError, match=r"do not follow from predictions\.parquet: fine-tuned: f1 0\.9870"):
        seed_runs.summarise([str(three / "seed_1"), str(forged)])


def test_one_split_by_two_seeds_is_one(three: Path, tmp_path: Path) -> None:
    """It would say that the split of the data does not matter."""
    forged = shutil.copytree(three / "seed_2", tmp_path / "seed_2")
    config, record = yaml.safe_load((forged / runs.CONFIG).read_text()), runs.read(forged)
    (forged / runs.CONFIG).write_text(yaml.safe_dump(config | {"split_seed": 7}))
    record["files"] = runs.checksums(forged)
    (forged / runs.RECORD).write_text(json.dumps(record))
    with pytest.raises(BioftError, match="have the same test split: that is one split"):
        seed_runs.summarise([str(three / "seed_1"), str(forged)])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--seeds", "1,two"], "whole numbers"),
        (["--split_seeds", "0,1", "--split_seed", "3"], "--split_seed or --split_seeds"),
        (["--seeds", "1,1"], "different numbers"),
        (["--seeds", "1,2", "--seed", "3"], "--seed or --seeds"),
        (["--seeds", "1,2", "--push_to_hub", "user/name"], "one run"),
        (["--seeds", "1,2", "--learning_rat", "1"], "Did you mean 'learning_rate'"),
    ],
)
def test_a_wrong_command_trains_nothing(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["recipe", *words, "--output_dir", str(tmp_path / "run")])
    with pytest.raises(SystemExit):
        arguments.run(load_recipe("text_classification").main)
    assert message in " ".join(capsys.readouterr().err.split()) and not (tmp_path / "run").exists()


def test_splits_that_come_with_the_data_have_no_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Said before the first of the runs, each of which would be refused; documents of one's own have a seed."""
    words = ["--dataset", "bc5cdr", "--split_seeds", "0,1", "--output_dir", str(tmp_path / "run")]
    monkeypatch.setattr("sys.argv", ["recipe", *words])
    monkeypatch.setattr(seed_runs, "train_seeds", None)
    with pytest.raises(SystemExit):
        arguments.run(load_recipe("token_classification").main)
    assert "--split_seed is for another --dataset: not for bc5cdr" in " ".join(capsys.readouterr().err.split())


def test_a_recipe_without_seeds_of_splits_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["recipe", "--split_seeds", "0,1", "--output_dir", str(tmp_path / "run")])
    recipe = load_recipe("token_classification")
    monkeypatch.setattr(arguments, "fields_of", lambda groups: {"output_dir", "seeds", "split_seeds", "dataset"})
    monkeypatch.setattr(arguments, "configuration", lambda *given: (tmp_path / "own.yaml", {}))
    with pytest.raises(SystemExit):
        arguments.run(recipe.main)
    assert "come with their splits" in " ".join(capsys.readouterr().err.split())


def test_options_are_read_in_every_form() -> None:
    assert options(["--a=1", "--b", "2", "3", "--flag", "--c="]) == {"a": "1", "b": "2 3", "flag": "", "c": ""}


def test_a_recipe_gets_its_words_and_ends_with_its_parent(tmp_path: Path) -> None:
    """The exit code, words and environment of the process; and that a killed parent leaves no training behind."""
    script = tmp_path / "script.py"
    script.write_text(
        "import os, sys\nsys.exit(3 if sys.argv[1:] == ['--a', 'b c'] and os.environ['X'] == 'y' else 4)"
    )
    assert run_recipe(script, ["--a", "b c"], {"X": "y"}) == 3
    if sys.platform != "linux":
        return
    script.write_text("import signal\nprint('started', flush=True)\nsignal.pause()")
    parent = (
        "from pathlib import Path; from bioft.training.recipe_process import run_recipe; "
        f"run_recipe(Path({str(script)!r}), [])"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "started\n"
        (child,) = psutil.Process(process.pid).children()
        process.kill()
        child.wait(timeout=60)
