"""Every figure with an interval on the pages of documentation is that of a run record, kept in recipes/results.

A comment `<!-- figures: recipe/name -->` before a table or a paragraph says of which.
"""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

from bioft.metrics.report import interval_text
from bioft.task import called
from tests import figures
from tests.docs.pages import PAGES, text

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
PAGE = "\n\n".join(text(page) for page in PAGES if page != "README.md")
INTERVAL = re.compile(r"-?\d*\.\d{3} \[-?\d*\.\d{3}–-?\d*\.\d{3}\]")
POINT = re.compile(r"(?<![\d+–-])\.\d{3}\b")
SPREAD = re.compile(r"\.\d{3} ± \.\d{3}")
METRICS = {
    "AUROC": "auroc",
    "Accuracy": "accuracy",
    "Accuracy on hidden tokens": "masked_accuracy",
    "Calibration error": "ece",
    "Coverage at 95 % precision": "coverage_at_95_precision",
    "F1": "f1",
    "F1, chemical": "chemical_f1",
    "F1, disease": "disease_f1",
    "F1, end to end": "end_to_end_f1",
    "F1, entities": "f1",
    "F1, relations": "relation_f1",
    "F1, unseen mentions": "unseen_f1",
    "MRR@10": "mrr_at_10",
    "Macro F1": "macro_f1",
    "Micro F1": "f1",
    "Precision": "precision",
    "Random negatives": "random_negatives",
    "Recall": "recall",
    "Recall@10": "recall_at_10",
    "Recall@100": "recall_at_100",
    "nDCG@10": "ndcg_at_10",
}
BASELINES = (
    "popularity_logistic",
    "popularity_boosted",
    "surface",
    "tfidf",
    "graph",
    "likeness",
    "all_together",
)
COUNTED = {"False positives": "false_positives"}
IN_UNITS = {"Perplexity of hidden tokens": "perplexity"}
FRONT_PAGE = (RECIPES.parent / "README.md").read_text(encoding="utf-8")


def record(name: str) -> dict[str, Any]:
    return json.loads((RECIPES / "results" / f"{name}.json").read_text(encoding="utf-8"))


def blocks() -> list[tuple[str, str]]:
    """Each marked table or paragraph with the name of its record."""
    return re.findall(r"<!-- figures: (\S+) -->\n(.*?)(?:\n\n|\Z)", f"{FRONT_PAGE}\n\n{PAGE}", flags=re.DOTALL)


def cells(line: str) -> list[str]:
    return [cell.strip().strip("*") for cell in line.strip("|").split("|")]


def test_no_figure_stands_without_a_record() -> None:
    marked = "".join(block for _, block in blocks())
    alone = [figure for figure in INTERVAL.findall(PAGE) if figure not in marked]
    assert not alone


@pytest.mark.parametrize(("name", "block"), [pair for pair in blocks() if pair[0] != "sft_gda/baselines"])
def test_figures_are_those_of_the_record(name: str, block: str) -> None:
    lines = block.splitlines()
    if name.endswith("_seeds"):
        found = record(name)["metrics"].values()
        known = [its for its in found if its["mean"] is not None]
        spreads = [its["seed_sd" if "seed_sd" in its else "sd"] for its in known]  # earlier: of seeds only
        wanted = {f"{its['mean']:.3f} ± {sd:.3f}".replace("0.", ".") for its, sd in zip(known, spreads, strict=True)}
        assert len(shown := set(SPREAD.findall(block))) > 1 and shown <= wanted
        return
    if not block.startswith("|"):
        wanted = set(figures.intervals(record(name)))
        assert set(INTERVAL.findall(block)) <= wanted
        if not wanted:  # of a run whose intervals were too narrow
            points = {interval_text(its).split(" ")[0] for part in figures.rows(record(name)) for its in part.values()}
            assert (shown := set(POINT.findall(block))) and shown <= points
        return
    header, *rows = (cells(line) for line in (lines[0], *lines[2:]))
    wanted = figures.rows(record(name))
    # Pages and tables in the terminal call a baseline the same; how many examples a prompt has, pages say beside it.
    names = [called(its) for its in record(name)["baselines"] if its != "few_shot"]
    assert [its for row in rows if (its := row[0].partition(":")[0]) in names] == names
    (n,) = re.findall(r"n = ([\d,]+)", header[0])
    assert len(rows) == len(wanted)
    for row, metrics in zip(rows, wanted, strict=True):
        for heading, cell in list(zip(header, row, strict=True))[1:]:
            word, _, own_n = heading.partition(", n = ")
            if word in COUNTED:
                figure = metrics[COUNTED[word]]
                assert cell == f"{figure['value']:,.0f}", (row[0], word)
                continue
            if word in IN_UNITS:
                figure = metrics[IN_UNITS[word]]
                assert [float(number.replace(",", "")) for number in re.findall(r"[\d,.]+", cell)] == [
                    pytest.approx(figure[key], rel=0.005) for key in ("value", "low", "high")
                ], (row[0], word)
                continue
            if cell == "–":  # a baseline of entities says nothing of relations, and the other way round
                assert METRICS[word] not in metrics, (row[0], word)
                continue
            figure = metrics[METRICS[word]]
            shown = interval_text(figure)
            assert cell in (shown, shown.split(" ")[0]), (row[0], word)
            assert figure["n"] == int((own_n or n).replace(",", ""))


def test_baselines_of_every_split_are_those_of_their_files() -> None:
    (block,) = (block for name, block in blocks() if name == "sft_gda/baselines")
    header, *rows = (cells(line) for line in (block.splitlines()[0], *block.splitlines()[2:]))
    assert len(rows) == 8
    for row in rows:
        its = dict(zip(header, row, strict=True))
        found = record(f"sft_gda/baselines/{its['Split']}-{its['Negatives']}")
        for name in BASELINES:
            word = f"{called(name)[0].upper()}{called(name)[1:]}"
            if its[word] == "–":  # validation is too small to fit it
                assert name not in found
                continue
            figure = found[name]["auroc"]
            assert its[word] in ((shown := interval_text(figure)), shown.split(" ")[0]), row
            assert figure["n"] == int(its["n"].replace(",", ""))


def test_the_front_page_shows_figures_of_each_recipe_and_the_picture_of_them(tmp_path: Path) -> None:
    lines = re.findall(r"^\| \[`(\w+)`\]\(\S+\) \|(.*)$", FRONT_PAGE, flags=re.MULTILINE)
    assert {name for name, _ in lines} == {path.stem for path in RECIPES.glob("*.py")}
    for name, line in lines:
        kept = {f"{name}/{path.stem}" for path in (RECIPES / "results" / name).glob("*.json")}
        kept = kept & figures.DRAWN.keys()
        kept |= {f"{name}/baselines/{path.stem}" for path in (RECIPES / "results" / name / "baselines").glob("*.json")}
        wanted = {shown for each in kept for shown in figures.intervals(record(each))}
        assert set(INTERVAL.findall(line)) <= wanted, name
    figures.draw(tmp_path / "results.png")
    committed = RECIPES.parent / "docs" / "results.png"
    np.testing.assert_allclose(imread(tmp_path / "results.png"), imread(committed), atol=0.1)


def test_the_time_of_the_default_is_that_of_its_record() -> None:
    training = record("sft_gda/default")["training"]
    assert f"trains its {training['steps']} steps in {training['seconds']:.0f} s" in " ".join(
        text("docs/gpus.md").split()
    )
