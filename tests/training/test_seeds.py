"""`--seeds` and `bioft seeds`: one failed seed among three, what is trained again, and the figures over seeds."""

import json
import math
import statistics
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import scipy.stats
import yaml
from typer.testing import CliRunner

from bioft.cli.main import app
from bioft.errors import BioftError
from bioft.storage import runs
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
    assert "n = 3" in written["note"] and "not those over test examples" in written["note"]
    for name, figure in written["metrics"].items():
        values = [record["metrics"][name]["value"] for record in records]
        if None in values:
            assert figure["mean"] is None
            continue
        assert figure["mean"] == pytest.approx(statistics.mean(values))
        assert figure["sd"] == pytest.approx(statistics.stdev(values))
        if figure["sd"] > 1e-9:
            expected = scipy.stats.t.interval(0.95, 2, figure["mean"], figure["sd"] / math.sqrt(3))
            assert (figure["low"], figure["high"]) == pytest.approx(expected)
    assert any(figure["sd"] for figure in written["metrics"].values()), "the seeds make a difference"
    best = max(records[0]["baselines"], key=lambda name: records[0]["baselines"][name]["f1"]["value"])
    assert written["metric"] == "f1" and written["baseline"] == best
    assert written["metrics"]["f1"]["baseline"] == records[0]["baselines"][best]["f1"]["value"]


def test_the_commands_take_the_folder_of_the_seeds(three: Path, tmp_path: Path) -> None:
    """`bioft seeds` writes what the recipe wrote; `bioft compare` ranks the seeds."""
    result = CliRunner().invoke(app, ["seeds", str(three), "-o", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert "seeds 1, 2, 3" in result.output and "±" in result.output
    for name in ("seeds.json", "seeds.md"):
        assert (tmp_path / "out" / name).read_text() == (three / name).read_text()
    result = CliRunner().invoke(app, ["compare", str(three), "--resamples", "100", "-o", str(tmp_path / "compared")])
    assert result.exit_code == 0, result.output
    table = (tmp_path / "compared" / "comparison.csv").read_text()
    assert all(str(three / f"seed_{seed}") in table for seed in (1, 2, 3))


def changed(run: Path, copy: Path, config: dict[str, object], **record: object) -> str:
    """A copy of a finished run with another configuration or record."""
    copy.mkdir()
    for name in (runs.CONFIG, runs.RECORD):
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
    assert alone.metrics["f1"].mean is not None and alone.metrics["f1"].low is None, "one seed has no interval"
    with pytest.raises(BioftError, match="Two of the runs have the seed 1"):
        seed_runs.summarise([first, first])
    (tmp_path / "moved" / runs.CONFIG).write_text("seed: 9")
    with pytest.raises(BioftError, match="was changed"):
        seed_runs.summarise([first, moved])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--seeds", "1,two"], "whole numbers"),
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
