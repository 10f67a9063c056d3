"""Recorded figures can be had again: intervals and paired differences are those of the first releases."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from bioft import metrics
from bioft.compare.compare import resampled_values
from bioft.metrics import alignment, bootstrap, entity_f1, intervals, multilabel, relation_f1, retrieval, thresholds
from bioft.metrics.intervals import auroc
from bioft.tasks.answers import Ranking, Ratio
from bioft.tasks.masked_lm import evaluate as masked_lm

SIZE = 60
# Made by the code before there was one bootstrap: value, low and high, with 1,000 resamples and seed 0.
INTERVALS = {
    ("gda", "auroc"): (0.8883319409635199, 0.8270749586069819, 0.9379197882348271),
    ("gda", "ece"): (0.14675, 0.07782083333333328, 0.17154166666666665),
    ("gda", "recall"): (0.8421052631578947, 0.7413633461047254, 0.9272727272727272),
    ("entity_f1", "macro_f1"): (0.855441220977993, 0.8208619409758692, 0.8864210849010937),
    ("entity_f1", "disease_precision"): (0.8333333333333334, 0.7796610169491526, 0.8888888888888888),
    ("relation_f1", "f1"): (0.8538283062645011, 0.8198161276030128, 0.8848869778615363),
    ("relation_f1", "cid_recall"): (0.8260869565217391, 0.75, 0.8925693624557262),
    ("alignment", "ece"): (0.40333333333333327, 0.29999999999999993, 0.49166666666666653),
    ("alignment", "coverage_at_95_precision"): (0.0, 0.0, 0.5333333333333333),
    ("retrieval", "ndcg_at_10"): (0.455587163055414, 0.4087496867870985, 0.5026573982031003),
    ("retrieval", "map"): (0.300188492063492, 0.2604366507335257, 0.3429421897546897),
    ("multilabel", "samples_f1"): (0.6544444444444443, 0.5409444444444444, 0.7633472222222222),
    ("multilabel", "b_f1"): (0.8214285714285714, 0.6938383045525903, 0.9180327868852459),
}
# Difference, low, high and p-value.
DIFFERENCES = {
    ("gda", "auroc"): (0.10512392091339451, 0.004719901541387, 0.20728096757044126, 0.04395604395604396),
    ("gda", "ece"): (0.02624999999999998, -0.05484583333333331, 0.0943354166666666, 0.6653346653346653),
    ("entity_f1", "macro_f1"): (0.14289776161249979, 0.0686522982387321, 0.2119940338024267, 0.001998001998001998),
    ("relation_f1", "cid_precision"): (
        0.048387096774193616, -0.040989845667054055, 0.13755016450470084, 0.3116883116883117,
    ),
    ("alignment", "coverage_at_95_precision"): (0.0, -0.03333333333333333, 0.5333333333333333, 1.0),
    ("retrieval", "ndcg_at_10"): (
        0.04000947342304112, -0.028087816041997803, 0.10488079805466792, 0.23776223776223776,
    ),
    ("multilabel", "macro_f1"): (0.21183666910636934, 0.12328046763971448, 0.29967859564535426, 0.001998001998001998),
}  # fmt: skip
PAIRED: dict[str, Any] = {
    "gda": intervals.paired_bootstrap,
    "entity_f1": entity_f1.paired_f1_bootstrap,
    "relation_f1": relation_f1.paired_f1_bootstrap,
    "alignment": alignment.paired_alignment_bootstrap,
    "retrieval": retrieval.paired_retrieval_bootstrap,
    "multilabel": multilabel.paired_f1_bootstrap,
}


def simulated(name: str) -> list[Any]:
    """References and the predictions of two systems, as the metric takes them."""
    rng = np.random.default_rng(5)
    if name == "gda":
        labels = rng.integers(0, 2, 120)
        return [labels, *(np.clip(labels * 0.3 + rng.random(120) * 0.7, 0, 1).round(2) for _ in range(2))]
    if name == "multilabel":
        there = rng.random((SIZE, 3)) < 0.4
        sides = [there, *(there ^ (rng.random(there.shape) < share) for share in (0.1, 0.3))]
        return [
            [[label for label, its in zip("abc", row, strict=True) if its] for row in side.tolist()] for side in sides
        ]
    if name == "alignment":
        references = [f"c{i % 9}" if i % 4 else "" for i in range(SIZE)]
        systems: list[Any] = []
        for wrong in (0.2, 0.4):
            given = [f"c{rng.integers(9)}" if rng.random() < wrong else each for each in references]
            answers = [
                {"id": each, "ranked": [each or "c1", "c2"], "probability": round(rng.random(), 1)} for each in given
            ]
            systems.append(answers)
        return [references, *systems]
    if name == "retrieval":
        names = [f"d{i}" for i in range(7)] + [f"d{i}x" for i in range(5)]
        systems = [[rng.permutation(names)[:size].tolist() for _ in range(SIZE)] for size in (12, 9)]
        return [[[f"d{i % 7}", f"d{i % 5}x"] for i in range(SIZE)], *systems]

    def item(i: int) -> tuple[Any, ...]:
        if name == "entity_f1":
            return i * 10, i * 10 + 5, ("Chemical", "Disease")[i % 2]
        return "CID" if i % 2 else "Treats", f"C{i}", f"D{i}"

    documents = [[item(i) for i in range(6) if rng.random() < 0.6] for _ in range(SIZE)]
    systems = [
        [[each for each in its if rng.random() < kept] + [item(7)] * int(rng.random() < 0.3) for its in documents]
        for kept in (0.8, 0.6)
    ]
    return [documents, *systems]


@pytest.mark.parametrize("name", metrics.NAMES)
def test_figures_are_those_that_were_recorded(name: str, tmp_path: Any) -> None:
    references, first, second = simulated(name)
    result = metrics.load(name, cache_dir=str(tmp_path)).compute(predictions=first, references=references)
    for (metric, key), expected in INTERVALS.items():
        if metric == name:
            found = [result[key + end] for end in ("", "_low", "_high")]
            assert found == pytest.approx(expected, rel=1e-12, abs=1e-15), key
    for (metric, key), expected in DIFFERENCES.items():
        if metric == name:
            difference = PAIRED[name](references, first, second, metric=key)
            assert difference[3:7] == pytest.approx(expected, rel=1e-12, abs=1e-15), key


def test_figures_of_masked_tokens_and_thresholds_are_those_that_were_recorded() -> None:
    rng = np.random.default_rng(2)
    hidden = rng.integers(1, 40, SIZE).astype(float)
    first, second = (
        pd.DataFrame(
            {
                "hidden": hidden,
                "correct": np.floor(hidden * rng.random(SIZE)),
                "loss": hidden * rng.random(SIZE) * 3,
            }
        )
        for _ in range(2)
    )
    found = masked_lm.figures(first, None, {})["perplexity"]
    assert [found[key] for key in ("value", "low", "high", "n")] == pytest.approx(
        [4.425768117727406, 3.40035336496555, 5.7153824817614, SIZE], rel=1e-12
    )
    assert masked_lm.difference(first, second)[3:7] == pytest.approx(
        (0.008730158730158755, -0.11484042771938248, 0.12931237463153442, 0.8871128871128872), rel=1e-12
    )
    labels, *systems = simulated("gda")
    assert [thresholds.most_accurate_threshold(labels, each) for each in systems] == [0.515, 0.385]
    assert thresholds.best_threshold(labels, systems[0]) == (0.515, 0.8173913043478261)
    assert thresholds.best_threshold(labels, systems[1], 7) == (0.345, 0.7284768211920529)


def test_a_comparison_of_runs_draws_as_the_recipes_do() -> None:
    """The same resamples, whatever the number of threads: intervals of `bioft compare` are those of the record."""
    labels, scores, other = simulated("gda")
    right = ((scores >= 0.5) == labels).astype(float)
    compared = [Ranking(labels, scores), Ranking(labels, other), Ratio(right, np.ones(len(labels)))]
    drawn = resampled_values(compared, len(labels), 1000, 0)
    recorded = intervals.bootstrap_metrics(labels, scores)
    assert bootstrap.percentiles(drawn[:, 0], 0.95, 0.0) == (recorded["auroc_low"], recorded["auroc_high"])
    assert bootstrap.percentiles(drawn[:, 2], 0.95, 0.0) == (recorded["accuracy_low"], recorded["accuracy_high"])
    low, high = bootstrap.percentiles(drawn[:, 0] - drawn[:, 1], 0.95, 0.0)
    assert (low, high) == pytest.approx(DIFFERENCES["gda", "auroc"][1:3], rel=1e-12)


@pytest.mark.parametrize("order", ["C", "F"])
def test_auroc_is_scikit_learns_in_any_layout(order: Any) -> None:
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 2, 300), np.round(rng.random(300), 1)
    weights = np.asarray(rng.integers(0, 4, (5, 300)), dtype=np.float64, order=order)
    expected = [roc_auc_score(labels, scores, sample_weight=row) for row in weights]
    assert auroc(labels, scores, weights) == pytest.approx(expected, rel=1e-12)


def test_a_system_that_predicts_nothing_where_nothing_is_can_be_compared() -> None:
    """With the one that predicts something there, which is wrong: the difference is 0 and not undefined."""
    nothing: list[list[Any]] = [[], [], []]
    found = entity_f1.paired_f1_bootstrap(nothing, [[(0, 3, "Disease")], [], []], nothing, n_resamples=50)
    assert (found.first, found.second, found.low, found.high, found.p_value) == (0, 0, 0, 0, 1)
