"""Stored predictions that are none: each command that reads them says so in a sentence, and ranks nothing by them."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bioft.compare import analyze, compare
from bioft.errors import BioftError
from bioft.storage import runs
from bioft.tasks.answers import wrong_in
from bioft.training import seeds
from bioft.verify import files
from bioft.verify.findings import PredictionCheck, Verification

GOLDEN = Path(__file__).parents[1] / "golden" / "runs"
NUMBERS = {
    "gene_disease": ("score", "label", "prediction", "baseline_graph"),
    "masked_lm": ("hidden", "loss"),
    "name_alignment": ("score",),
    "relations": ("score", "label", "prediction"),
}
CASES = [(task, column) for task, columns in NUMBERS.items() for column in columns]


def damaged(folder: Path, task: str, change: Callable[[pd.DataFrame], Any]) -> Path:
    """A copy of a golden run whose predictions were changed, with the checksums that fit."""
    run = shutil.copytree(GOLDEN / task, folder)
    table = pd.read_parquet(run / runs.PREDICTIONS)
    changed = change(table)
    (table if changed is None else changed).to_parquet(run / runs.PREDICTIONS, index=False)
    record = json.loads((run / runs.RECORD).read_text()) | {"files": runs.checksums(run)}
    (run / runs.RECORD).write_text(json.dumps(record))
    return run


def check_refused(run: Path, words: str, tmp_path: Path) -> None:
    """Commands of comparisons refuse it in one sentence and write nothing; `bioft verify` has a reason."""
    for use in (lambda: compare.compare([str(run)]), lambda: analyze.analyse([str(run)], tmp_path / "analysis")):
        with pytest.raises(BioftError, match=r"predictions\.parquet holds no predictions on") as raised:
            use()
        assert words in str(raised.value)
    assert not (tmp_path / "analysis").exists()
    found = Verification(str(run))
    files.check_files(run, runs.read(run), found)
    assert any(words in reason for reason in found.reasons)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("task", "column"), CASES)
def test_numbers_that_are_none(task: str, column: str, value: float, tmp_path: Path) -> None:
    run = damaged(
        tmp_path / "run", task, lambda table: table.assign(**{column: table[column].where(table.index != 1, value)})
    )
    check_refused(run, f"{column} of row 1 is", tmp_path)


@pytest.mark.parametrize(("task", "column"), [case for case in CASES if case[0] != "masked_lm"])
def test_scores_and_labels_out_of_their_range(task: str, column: str, tmp_path: Path) -> None:
    run = damaged(
        tmp_path / "run", task, lambda table: table.assign(**{column: table[column].where(table.index != 1, 7)})
    )
    check_refused(run, f"{column} of row 1 is 7", tmp_path)


@pytest.mark.parametrize("scores", [[np.nan] * 18, [2.0] * 18, [0.5] * 3])
def test_scores_of_labels(scores: list[float], tmp_path: Path) -> None:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        n = len(table["scores"][0])
        return table.assign(
            scores=[np.array(scores[:n]) if row == 1 else its for row, its in enumerate(table["scores"])]
        )

    check_refused(damaged(tmp_path / "run", "text_labels", change), "scores", tmp_path)


@pytest.mark.parametrize("task", sorted(path.name for path in GOLDEN.iterdir()))
def test_rows_and_cells_that_are_missing(task: str, tmp_path: Path) -> None:
    check_refused(damaged(tmp_path / "empty", task, lambda table: table.iloc[:0]), "it has no row", tmp_path)

    def without_an_answer(table: pd.DataFrame) -> pd.DataFrame:
        column = "prediction" if "prediction" in table else "correct"
        return table.assign(**{column: table[column].astype(object).where(table.index != 0, None)})

    check_refused(damaged(tmp_path / "none", task, without_an_answer), "of row 0 is missing", tmp_path)
    assert wrong_in(pd.read_parquet(GOLDEN / task / runs.PREDICTIONS), runs.read(GOLDEN / task)) == ""


def test_answers_of_a_task_outside_bioft_are_its_own() -> None:
    """A regression has labels that are neither 0 nor 1, and scores beyond 1."""
    table = pd.DataFrame({"id": ["a"], "label": [3.7], "prediction": [4.1], "score": [12.0]})
    assert wrong_in(table, {"module": "doses"}) == ""
    assert wrong_in(table.iloc[:0], {"module": "doses"}) == "it has no row"
    assert wrong_in(table, {"module": "bioft.tasks.gene_disease"}) == "label of row 0 is 3.7"


@pytest.mark.parametrize("column", ["hidden", "correct", "loss"])
def test_counts_and_losses_below_0(column: str) -> None:
    table = pd.read_parquet(GOLDEN / "masked_lm" / runs.PREDICTIONS)
    assert wrong_in(table.assign(**{column: -1}), {"module": "bioft.tasks.masked_lm"}) == f"{column} of row 0 is -1"


def test_a_score_in_json_that_is_none(tmp_path: Path) -> None:
    run = damaged(tmp_path / "run", "entities", lambda table: table.assign(prediction='[[0, 1, "Gene", NaN]]'))
    for use in (lambda: compare.compare([str(run)]), lambda: analyze.analyse([str(run)], tmp_path / "analysis")):
        with pytest.raises(BioftError, match="a score is NaN"):
            use()


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_has_no_rank(label: int, tmp_path: Path) -> None:
    run = damaged(tmp_path / "run", "gene_disease", lambda table: table.assign(label=label))
    with pytest.raises(BioftError, match="Its auroc is not defined: its test examples are all of one kind"):
        compare.compare([str(run)])
    found = compare.compare([str(run)], metric="accuracy")
    assert found.apart == {} and found.rankings[0].runs == [str(run)], "accuracy is defined"


def test_of_two_runs_with_other_labels_none_is_ranked_and_of_three_those_that_agree(tmp_path: Path) -> None:
    """In whatever order they are named."""
    whole, again = GOLDEN / "gene_disease", tmp_path / "again"
    one_class = damaged(tmp_path / "one_class", "gene_disease", lambda table: table.assign(label=1))
    shutil.copytree(whole, again)
    for names in ([whole, one_class], [one_class, whole]):
        with pytest.raises(BioftError, match="There is nothing to compare") as raised:
            compare.compare(list(map(str, names)))
        for name, other in (names, names[::-1]):
            assert f"{name}: Its predictions have other labels than those of {other}" in str(raised.value)
    found = compare.compare([str(one_class), str(whole), str(again)])
    assert list(found.apart) == [str(one_class)] and set(found.rankings[0].runs) == {str(whole), str(again)}


def test_seeds_say_that_there_is_one_class(tmp_path: Path) -> None:
    """Of a run whose record states a figure that one class does not have, and of one whose record states none."""
    run = damaged(tmp_path / "run", "gene_disease", lambda table: table.assign(label=1))
    words = r"are all of one class, so that there is no auroc, and run\.json states 0\.\d+\. See with bioft verify"
    with pytest.raises(BioftError, match=words):
        seeds.summarise([str(run)])
    summary = seeds.summarise([str(GOLDEN / "gene_disease")])
    undefined = replace(summary.metrics["auroc"], values=[None], mean=None)
    seeds.write_summary(replace(summary, metrics=summary.metrics | {"auroc": undefined}), tmp_path)
    assert "Not every run has the metric auroc" in (tmp_path / "seeds.md").read_text()
    seeds.write_summary(summary, tmp_path)
    assert "Not every run has" not in (tmp_path / "seeds.md").read_text()


def test_runs_with_other_labels_are_not_analysed_together(tmp_path: Path) -> None:
    one_class = damaged(tmp_path / "one_class", "gene_disease", lambda table: table.assign(label=1))
    first, second, together = analyze.analyse([str(GOLDEN / "gene_disease"), str(one_class)], tmp_path / "analysis")
    (apart,) = together.sections
    assert all("with the same test examples and labels" in reason for reason in apart.reasons)
    assert len(apart.reasons) == 2
    words = "AUROC is not defined: all pairs of the test split are of one class."
    assert words in second.sections[0].reasons and words not in first.sections[0].reasons
    assert words in (tmp_path / "analysis" / "index.html").read_text()


def test_a_verification_is_json() -> None:
    found = Verification("run", predictions=PredictionCheck(1, 1, 0, 1, float("nan"), 0.001))
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["predictions"]["max_difference"] is None
