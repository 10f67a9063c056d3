"""Runs and datasets made before the move (`make.py`, schema 1) are read, shown and judged by today's code as then."""

import io
import json
import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from bioft.cards import dataset as dataset_cards, model as model_cards
from bioft.cards.words import audit_in_words
from bioft.cli import main as cli
from bioft.datasets.documents import sample
from bioft.datasets.hpo import gene_disease, terms
from bioft.datasets.texts import stop_reasons
from bioft.hub.pull import task_of
from bioft.storage import datasets as storage, runs
from bioft.verify.card import in_todays_words
from bioft.verify.checks import EARLIER

HERE = Path("tests/golden")
RUNS = sorted(path.name for path in (Path(__file__).parent / "runs").iterdir())
BUILDERS: dict[str, Callable[[], Any]] = {
    "hpo": gene_disease.build,
    "sample": sample.build,
    "stop_reasons_sample": stop_reasons.build_sample,
    "hpo_definitions": terms.build_definitions,
    "hpo_synonyms": terms.build_synonyms,
}
CHANGED_IN_CARDS = {
    " --out dataset\n": " --output dataset\n",
    "- clinical-trials\n": "",
    "| `id` |  |\n": "| `id` | what a row is called in the source, or its number there |\n",
}
"""What was changed in cards of datasets on purpose: the words before, and now."""
BUILT_AGAIN = """\
To build it again:

```
bioft build hpo-synonyms --validation-size 0.1 --test-size 0.2 --seed 0 --output dataset
```

"""
"""On the card of a source whose command the card did not name before."""
AUDITED_SINCE = ("near_duplicates", "surface", "families", "entity_surface", "relation_surface", "pair_surface")
TESTED = {"low", "high", "p_best", "p_baseline", "p_value", "p_corrected", "p_mcnemar"}
"""Columns of intervals and tests, which were made in another way until records of schema 3."""


@pytest.fixture(autouse=True)
def repository(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The runs name their base models and data relatively to the checkout."""
    monkeypatch.chdir(Path(__file__).parents[2])
    monkeypatch.setenv("BIOFT_CACHE", str(tmp_path / "cache"))


def said(name: str) -> dict[str, Any]:
    """What the commands of the commit before the move said about a run."""
    return json.loads((HERE / "said" / f"{name}.json").read_text())


def as_today(card: str) -> str:
    for before, now in CHANGED_IN_CARDS.items():
        card = card.replace(before, now)
    return re.sub("\n{3,}", "\n\n", card)  # two blank lines are now one


def same_tables(folder: Path, expected: dict[str, str], without: Collection[str] = ()) -> None:
    """The CSV files of a folder are those that were written before, but for intervals, tests and some columns."""
    made = {path.name: path for path in folder.rglob("*.csv")}
    assert made.keys() == expected.keys()
    for name, text in expected.items():
        now, then = pd.read_csv(made[name]), pd.read_csv(io.StringIO(text))
        if name == "comparison.csv":  # now has rows of base models and baselines too
            now = now[now["kind"] == "run"].drop(columns="kind").reset_index(drop=True)
        assert [column for column in then if column != "p_mcnemar"] == list(now)
        for column in now.columns.difference([*TESTED, *without]):
            pd.testing.assert_series_equal(
                now[column], then[column], check_dtype=False, rtol=0, atol=1e-6, obj=f"{name}, {column}"
            )


@pytest.mark.parametrize("name", RUNS)
def test_a_record_is_read_and_its_card_is_the_same(name: str) -> None:
    directory = HERE / "runs" / name
    record = runs.read(directory)
    runs.check_files(directory, record)
    assert task_of(directory, record).module == f"bioft.tasks.{name}"
    assert model_cards.model_card(record) == in_todays_words((directory / runs.CARD).read_text(), record)


@pytest.mark.parametrize("name", BUILDERS)
def test_a_dataset_has_the_same_manifest_and_card(name: str) -> None:
    dataset, manifest = BUILDERS[name]()
    stored = HERE / "datasets" / name
    then = json.loads((stored / storage.MANIFEST).read_text())
    # A fitted shortcut differs in its last digits from processor to processor; intervals are made in another way now.
    pairs = zip(manifest["audit"].get("shortcuts", []), then["audit"].get("shortcuts", []), strict=True)
    for now, before in pairs:
        assert now["auroc"] == pytest.approx(before["auroc"], abs=5e-4)
        now |= {key: before[key] for key in ("auroc", "low", "high")}
    card = dataset_cards.dataset_card(manifest, dataset)
    assert (BUILT_AGAIN in card) == (name == "hpo_synonyms")
    card = card.replace(BUILT_AGAIN, "")
    # What audits look for since then is on the card, each in a line of its own.
    added = {key: its for key in AUDITED_SINCE if (its := manifest["audit"].pop(key, None)) is not None}
    for sentence in audit_in_words(added):
        assert f"- {sentence}\n" in card
        card = card.replace(f"- {sentence}\n", "")
    assert json.loads(json.dumps(manifest)) == then
    assert card == as_today((stored / storage.CARD).read_text())


@pytest.mark.parametrize("name", RUNS)
def test_verify_finds_the_same(name: str) -> None:
    result = CliRunner().invoke(cli.app, ["verify", str(HERE / "runs" / name), "--json"])
    found, expected = json.loads(result.stdout), said(name)
    figures: dict[str, dict[str, float]] = {}
    for figure in found["figures"]:
        figures.setdefault(figure["model"], {})[figure["metric"]] = figure["measured"]
    assert (expected["status"], found["status"]) == ("verified", "verified in part"), found["reasons"]
    assert EARLIER in found["notes"]
    assert found["reasons"] == expected["reasons"] == []
    assert figures.keys() >= expected["figures"].keys()
    for model, values in expected["figures"].items():
        assert figures[model] == pytest.approx(values, rel=1e-6, abs=1e-6), model
    # Scores of mentions are stored with four digits, and now compared as they are stored.
    made, before = found["predictions"], expected["predictions"]
    assert {key: made[key] for key in before if key != "tolerance"} == pytest.approx(
        {key: its for key, its in before.items() if key != "tolerance"}, abs=6e-5
    )


@pytest.mark.parametrize("name", RUNS)
def test_compare_ranks_the_same(name: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(cli.app, ["compare", str(HERE / "runs" / name), "-o", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    # What a joint model is ranked by is not what its record compares with baselines.
    without = ("best_baseline", "above_baseline") if name == "joint" else ()
    same_tables(tmp_path / "out", said(name)["compare"], without)


@pytest.mark.draws
@pytest.mark.parametrize("name", RUNS)
def test_analyze_finds_the_same(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bioft.metrics.plots.BESIDE", ())  # the same figures once more
    result = CliRunner().invoke(cli.app, ["analyze", str(HERE / "runs" / name), "-o", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    same_tables(tmp_path / "out", said(name)["analyze"])
