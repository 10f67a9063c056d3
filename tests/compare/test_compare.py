"""What `bioft compare` ranks and what it sets apart; and that it declares no difference where there is none."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from sklearn.metrics import f1_score, roc_auc_score
from typer.testing import CliRunner

from bioft.cli.main import app
from bioft.compare import compare as run_comparison, outcomes as run_outcomes
from bioft.errors import BioftError
from bioft.metrics import counts, intervals, report
from bioft.metrics.estimation.groups import Groups
from bioft.storage import runs
from bioft.task import BASE, FINE_TUNED
from bioft.tasks.entities import answers as entity_answers
from bioft.tasks.text_labels import answers as label_answers

N = 400
THRESHOLDS = {"threshold": 0.5, "base_model_threshold": 0.5, "baseline_thresholds": {"near": 0.5, "far": 0.5}}
ENVIRONMENT = {"schema_version": 1, "seed": 0, "scoring": THRESHOLDS}


def write_run(
    folder: Path, scores: np.ndarray, labels: np.ndarray, answers: dict[str, int] | None = None, **changes: Any
) -> Path:
    """A finished gene–disease run with these scores, as far as a comparison reads it.

    `answers` are those of other systems: the column, and the seed and strength of `simulated` scores.
    """
    folder.mkdir(parents=True)
    table = pd.DataFrame({"gene_id": [f"g{i}" for i in range(len(labels))], "label": labels})
    table["disease_id"] = [f"d{i}" for i in range(len(labels))]
    table["gene"], table["disease"] = table["gene_id"], table["disease_id"]
    table["score"], table["prediction"] = scores, (scores >= 0.5).astype(int)
    for column, seed in (answers or {}).items():
        table[column] = simulated(seed, len(labels), strength=0.3 + seed)[1]
    table.to_parquet(folder / "predictions.parquet", index=False)
    record = ENVIRONMENT | {
        "task": "gene-disease-association",
        "name": folder.name,
        "dataset": {"fingerprints": {"test": "f" * 64}},
        "comparison": {"baseline": "popularity", "difference": 0.05, "p_value": 0.02},
        "training": {"trainable_parameters": 1_000_000, "seconds": 300.0, "examples_per_second": 5.0},
        "files": runs.checksums(folder),
    }
    (folder / runs.RECORD).write_text(json.dumps(record | changes))
    return folder


def simulated(seed: int, n: int = N, strength: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Labels, the same for every seed, and scores that know something of them."""
    labels = np.random.default_rng(99).integers(0, 2, n)
    noise = np.random.default_rng(seed).normal(size=n)
    return labels, 1 / (1 + np.exp(-(strength * (2 * labels - 1) + noise)))


@pytest.fixture
def three(tmp_path: Path) -> list[Path]:
    found = []
    for seed, strength in enumerate((0.2, 1.5, 0.25)):
        labels, scores = simulated(seed, strength=strength)
        found.append(write_run(tmp_path / f"run{seed}", scores, labels))
    return found


def test_the_predictions_of_a_run_are_read_once(three: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    read, whole = [], pd.read_parquet
    monkeypatch.setattr(pd, "read_parquet", lambda path: read.append(path) or whole(path))
    run_comparison.compare(list(map(str, three)))
    assert sorted(read) == [folder / "predictions.parquet" for folder in three]


def test_runs_are_ranked_with_intervals_and_paired_tests(three: list[Path]) -> None:
    found = run_comparison.compare(list(map(str, three)))
    (ranking,) = found.rankings
    assert found.apart == {} and (ranking.metric, ranking.n) == ("auroc", N)
    assert list(ranking.table["rank"]) == [1, 2, 3] and ranking.table["run"].iloc[0] == str(three[1])
    labels, _ = simulated(0)
    for row in ranking.table.to_dict("records"):
        scores = pd.read_parquet(Path(row["run"]) / "predictions.parquet")["score"]
        assert row["value"] == pytest.approx(roc_auc_score(labels, scores))
        assert row["low"] < row["value"] < row["high"]
    best = ranking.pairs[ranking.pairs["first"] == str(three[1])]
    assert (best["low"] > 0).all() and (best["p_corrected"] < 0.01).all(), "far better: both tests say so"
    others = ranking.pairs[ranking.pairs["first"] != str(three[1])].iloc[0]
    assert others["low"] < 0 < others["high"] and others["p_value"] > 0.05
    assert (ranking.pairs["p_corrected"] >= ranking.pairs["p_value"]).all()


def test_the_paired_difference_is_that_of_the_house(three: list[Path]) -> None:
    """The same difference, interval and p-value as `intervals.paired` gives recipes."""
    found = run_comparison.compare(list(map(str, three[:2])))
    row = found.rankings[0].pairs.iloc[0]
    labels, first = simulated(1, strength=1.5)
    expected = intervals.paired(labels, first, simulated(0, strength=0.2)[1])
    assert row["difference"] == pytest.approx(expected.difference)
    assert (row["low"], row["high"]) == pytest.approx((expected.low, expected.high), rel=1e-12)
    assert row["p_value"] == pytest.approx(expected.p_value)


def test_runs_on_pairs_that_share_genes_are_less_sure(tmp_path: Path) -> None:
    """The same scores: with two genes, or two diseases, hardly anything is known."""
    labels, scores = simulated(0)
    widths = {}
    for number, genes in enumerate((N, 40, 2)):
        folder = write_run(tmp_path / f"run{number}", scores, labels)
        table = pd.read_parquet(folder / "predictions.parquet")
        table.assign(gene_id=[str(i % genes) for i in range(N)]).to_parquet(folder / "predictions.parquet")
        outcomes = run_outcomes.outcomes(folder, json.loads((folder / runs.RECORD).read_text()))[FINE_TUNED]
        low, high = outcomes.metrics["auroc"].estimate().interval(Groups(N, outcomes.groups))
        widths[genes] = high - low
    assert widths[N] < widths[2] and widths[40] < widths[2]


def test_ties_share_a_rank_and_no_difference_has_no_sign(tmp_path: Path) -> None:
    labels, scores = simulated(0)
    best = write_run(tmp_path / "best", simulated(1, strength=1.5)[1], labels)
    same = [write_run(tmp_path / name, scores, labels) for name in ("one", "other")]
    found = run_comparison.compare(list(map(str, [*same, best])))
    assert list(found.rankings[0].table["rank"]) == [1, 2, 2]
    text = run_comparison.to_markdown(found)
    assert text.count("| 2= |") == 2 and "| 1 |" in text
    both = run_comparison.to_markdown(run_comparison.compare(list(map(str, same))))
    assert ".000 (p = 1.000)" in both and "-.000" not in both and "+.000" not in both


def test_baselines_stand_beside_a_run_alone(tmp_path: Path) -> None:
    """From its stored answers, and the difference to the best of them is that of the metric that was asked for."""
    labels, scores = simulated(0)
    answers = {"baseline_near": 1, "baseline_far": 0, "base_score": 0}
    run = write_run(tmp_path / "run", scores, labels, answers, comparison=None)
    (ranking,) = run_comparison.compare([str(run)]).rankings
    rows = ranking.table.set_index("run")
    assert ranking.table["run"].iloc[0] == "near" and set(rows.index) == {"near", "far", BASE, str(run)}
    predicted = pd.read_parquet(run / "predictions.parquet")
    assert rows.at["far", "value"] == pytest.approx(roc_auc_score(labels, predicted["baseline_far"]))
    expected = intervals.paired(labels, scores, predicted["baseline_near"].to_numpy())
    of_run = rows.loc[str(run)]
    assert (of_run["best_baseline"], of_run["above_baseline"]) == ("near", pytest.approx(expected.difference))
    assert of_run["p_baseline"] == pytest.approx(expected.p_value)
    (by_accuracy,) = run_comparison.compare([str(run)], metric="accuracy").rankings
    other = intervals.paired(labels, scores, predicted["baseline_near"].to_numpy(), metric="accuracy")
    assert by_accuracy.table.set_index("run").at[str(run), "above_baseline"] == pytest.approx(other.difference)
    console = Console(file=io.StringIO(), width=80)
    run_comparison.print_comparison(run_comparison.compare([str(run)]), console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "near (baseline)" in text and "far (baseline)" in text and "base model" in text
    assert "Holm" not in text and "ranked apart" not in text


def test_what_is_stored_nowhere_stands_as_recorded(tmp_path: Path) -> None:
    """The best baseline, the base model, and figures on random negatives."""
    figures = {"value": 0.6, "low": 0.5, "high": 0.7, "n": N}
    random = {"metric": "auroc", "figures": {FINE_TUNED: figures | {"value": 0.9}}}
    known = {"base_model_metrics": {"auroc": figures}, report.RANDOM_NEGATIVES: random}
    run = write_run(tmp_path / "run", simulated(0)[1], simulated(0)[0], {"baseline_near": 1}, **known)
    rows = run_comparison.compare([str(run)]).rankings[0].table.set_index("run")
    assert rows.at[BASE, "value"] == 0.6 and rows.at[str(run), f"{report.RANDOM_NEGATIVES}_value"] == 0.9
    assert (rows.at[str(run), "best_baseline"], rows.at[str(run), "above_baseline"]) == ("popularity", 0.05)


def test_rows_may_be_in_another_order(tmp_path: Path) -> None:
    labels, scores = simulated(0)
    first = write_run(tmp_path / "first", scores, labels)
    other = write_run(tmp_path / "other", simulated(1, strength=1.5)[1], labels, {"baseline_near": 2})
    expected, found = [], []
    for rankings, order in ((expected, 1), (found, -1)):
        pd.read_parquet(other / runs.PREDICTIONS)[::order].to_parquet(other / runs.PREDICTIONS, index=False)
        (other / runs.RECORD).write_text(json.dumps(runs.read(other) | {"files": runs.checksums(other)}))
        rankings += run_comparison.compare([str(first), str(other)]).rankings
    pd.testing.assert_frame_equal(found[0].pairs, expected[0].pairs)
    pd.testing.assert_frame_equal(found[0].table, expected[0].table)


@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_interval_is_broken_on_a_narrow_terminal(three: list[Path], width: int, monkeypatch: Any) -> None:
    """Columns are left out, not cut: each figure that is shown is whole."""
    monkeypatch.chdir(three[0].parent)
    found = run_comparison.compare([path.name for path in three])
    console = Console(file=io.StringIO(), width=width)
    run_comparison.print_comparison(found, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert max(map(len, text.splitlines())) <= width and "…" not in text
    for row in found.rankings[0].table.to_dict("records"):
        assert report.interval_text(row) in text and row["run"] in text
    assert text.count("(p ") == text.count("(p = ") + text.count("(p < "), "no p-value is broken"


def test_holms_correction_is_the_textbooks() -> None:
    assert run_comparison.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert run_comparison.holm([]).shape == (0,)


def test_what_cannot_be_ranked_together_is_set_apart_with_the_reason(three: list[Path], tmp_path: Path) -> None:
    labels, scores = simulated(7)
    other = write_run(tmp_path / "other", scores, labels, dataset={"fingerprints": {"test": "0" * 64}})
    newer = write_run(tmp_path / "newer", scores, labels, schema_version=99)
    edited = write_run(tmp_path / "edited", scores, labels)
    pd.read_parquet(edited / "predictions.parquet").assign(score=labels).to_parquet(edited / "predictions.parquet")
    bare = write_run(tmp_path / "bare", scores, labels, comparison=None, training=None)
    strange = write_run(tmp_path / "strange", scores, labels, task="poetry")
    fewer = write_run(tmp_path / "fewer", scores[:-1], labels[:-1])
    names = [*three, other, newer, edited, bare, strange, fewer, tmp_path / "nothing"]
    found = run_comparison.compare(list(map(str, names)))
    assert [len(ranking.table) for ranking in found.rankings] == [4, 1]
    reasons = {Path(name).name: reason for name, reason in found.apart.items()}
    assert reasons.keys() == {"newer", "edited", "strange", "fewer", "nothing"}
    assert "Update bioft" in reasons["newer"] and "was changed" in reasons["edited"]
    assert "poetry" in reasons["strange"] and "not about the same test examples" in reasons["fewer"]
    console = Console(file=io.StringIO(), width=200)
    run_comparison.print_comparison(found, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "are ranked apart" in text and "tests (Holm)" in text
    assert f"Not compared:\n\n- {newer}: " in run_comparison.to_markdown(found)
    with pytest.raises(BioftError, match="nothing to compare"):
        run_comparison.compare([str(newer)])
    with pytest.raises(BioftError, match="given twice"):
        run_comparison.compare([str(three[0])] * 2)
    with pytest.raises(BioftError, match="Did you mean 'accuracy'"):
        run_comparison.compare([str(three[0])], metric="acuracy")


def test_f1_of_documents_is_that_of_the_metric() -> None:
    """Entities in documents: the ratio over documents is micro F1, as `bioft.metrics.counts` has it."""
    there = [[(0, 4, "Chemical"), (9, 12, "Disease")], [(3, 7, "Disease")], []]
    found = [[(0, 4, "Chemical")], [(3, 8, "Disease")], [(1, 2, "Chemical")]]
    with_scores = [[[*item, 0.9] for item in items] for items in found]
    table = pd.DataFrame({"id": ["a", "b", "c"]})
    table["label"], table["prediction"] = [[json.dumps(cell) for cell in column] for column in (there, with_scores)]
    outcomes = entity_answers.outcomes(table)
    expected = counts.metrics(counts.count(found, there, type_index=2), confidence=None)["f1"]
    assert outcomes.metrics["f1"].estimate().value == pytest.approx(expected)


def test_f1_of_labelled_texts_is_scikit_learns() -> None:
    rng = np.random.default_rng(1)
    there, found = (rng.random((50, 4)) < 0.4 for _ in range(2))
    names = np.array(list("abcd"))
    cells = [[names[row].tolist() for row in side] for side in (there, found)]
    table = pd.DataFrame({"id": range(50), "label": cells[0], "prediction": cells[1]})
    metrics = label_answers.outcomes(table).metrics
    assert metrics["f1"].estimate().value == pytest.approx(f1_score(there, found, average="micro"))
    assert metrics["accuracy"].estimate().value == pytest.approx((there == found).all(axis=1).mean())


def test_a_run_that_is_not_there_is_said_and_the_others_are_ranked(three: list[Path], tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["compare", *map(str, three), str(tmp_path / "missing")])
    assert result.exit_code == 1 and "auroc, n = 400" in result.output
    assert "There is no folder" in result.output.partition("Not compared: ")[2]


@pytest.mark.draws
def test_the_command_prints_the_table_and_writes_it(three: list[Path], tmp_path: Path) -> None:
    command = ["compare", *map(str, three), "--resamples", "300", "--output", str(tmp_path / "out")]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "no longer drawn at random" in result.output
    assert "gene-disease-association: auroc, n = 400" in result.output
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {
        "comparison.csv",
        "comparison.html",
        "comparison.md",
        "comparison.png",
        "comparison.svg",
        "comparison.pdf",
        "pairs.csv",
    }
    assert (
        len(pd.read_csv(tmp_path / "out" / "comparison.csv")) == len(pd.read_csv(tmp_path / "out" / "pairs.csv")) == 3
    )
    assert str(three[1]) in (tmp_path / "out" / "comparison.html").read_text()
    again = CliRunner().invoke(app, command)
    assert again.exit_code == 1 and "not empty" in again.output
