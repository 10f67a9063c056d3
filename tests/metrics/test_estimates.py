"""What intervals and tests of all metrics share: influences, groups, coverage and error rates in simulations."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from bioft import metrics
from bioft.metrics import alignment, counts, entity_f1, intervals, multilabel, relation_f1, retrieval
from bioft.metrics.estimation import estimates
from bioft.metrics.estimation.calibration import CalibrationError, calibration_error
from bioft.metrics.estimation.estimates import Measured
from bioft.metrics.estimation.groups import Groups
from bioft.tasks.masked_lm import evaluate as masked_lm
from tests.metrics.binary import metric_values, metrics_with_intervals

SIZE = 60
SMOOTH = {"coverage_at_95_precision": "it jumps from one name to another", "ece": "a gap of 0 has no derivative"}


def simulated(name: str, size: int = SIZE) -> list[Any]:
    """References and the predictions of two systems, as the metric takes them."""
    rng = np.random.default_rng(5)
    if name == "gda":
        labels = rng.integers(0, 2, size)
        return [labels, *(np.clip(labels * 0.3 + rng.random(size) * 0.7, 0, 1).round(2) for _ in range(2))]
    if name == "multilabel":
        there = rng.random((size, 3)) < 0.4
        sides = [there, *(there ^ (rng.random(there.shape) < share) for share in (0.1, 0.3))]
        return [
            [[label for label, its in zip("abc", row, strict=True) if its] for row in side.tolist()] for side in sides
        ]
    if name == "alignment":
        references = [f"c{i % 9}" if i % 4 else "" for i in range(size)]
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
        systems = [[rng.permutation(names)[:depth].tolist() for _ in range(size)] for depth in (12, 9)]
        return [[[f"d{i % 7}", f"d{i % 5}x"] for i in range(size)], *systems]

    def item(i: int) -> tuple[Any, ...]:
        if name == "entity_f1":
            return i * 10, i * 10 + 5, ("Chemical", "Disease")[i % 2]
        return "CID" if i % 2 else "Treats", f"C{i}", f"D{i}"

    documents = [[item(i) for i in range(6) if rng.random() < 0.6] for _ in range(size)]
    systems = [
        [[each for each in its if rng.random() < kept] + [item(7)] * int(rng.random() < 0.3) for its in documents]
        for kept in (0.8, 0.6)
    ]
    return [documents, *systems]


def measured(name: str, references: Any, predictions: Any) -> Measured:
    """What the metric of that name measures."""
    if name == "multilabel":
        scores = np.array([[0.3 + 0.4 * (label in its) for label in "abc"] for its in predictions])
        scores += np.array([len(its) for its in references])[:, None] / 10 - 0.1
        return multilabel.measured(multilabel.indicators(predictions, references, list("abc")), scores)
    if name in ("entity_f1", "relation_f1"):
        return counts.measured(counts.count(predictions, references, type_index=2 if name == "entity_f1" else 0))
    measure: Callable[..., Measured] = {
        "gda": lambda found, there: intervals.measured(there, found),
        "alignment": alignment.measured,
        "retrieval": retrieval.measured,
    }[name]
    return measure(predictions, references)


@pytest.mark.parametrize("name", metrics.names())
def test_an_influence_is_the_derivative_with_respect_to_a_weight(name: str) -> None:
    """All examples many times over, and one of them once more: the value moves as its influence says."""
    references, predictions, _ = simulated(name, 12)
    copies = 300
    found = measured(name, references, predictions)
    everything = np.repeat(np.arange(len(references)), copies)
    for example in (0, 5, 11):
        rows = [*everything, example]
        more = measured(name, [references[i] for i in rows], [predictions[i] for i in rows])
        for metric, estimate in found.estimates.items():
            if metric in SMOOTH:
                continue
            moved = (more.estimates[metric].value - estimate.value) * copies
            influence = estimate.influence[example]
            # Areas have variances of their own, tested below; numbers of names grow with copies.
            if "auroc" in metric or "auprc" in metric or metric.startswith("false_"):
                continue
            assert moved == pytest.approx(influence, rel=0.02, abs=0.002), metric


def test_auroc_has_the_variance_of_delong() -> None:
    rng = np.random.default_rng(3)
    labels, scores = rng.integers(0, 2, 80), rng.random(80).round(1)
    positive, negative = scores[labels == 1], scores[labels == 0]
    wins = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    variance = sum(np.var(wins.mean(axis=axis), ddof=1) / wins.shape[1 - axis] for axis in (0, 1))
    estimate = intervals.measured(labels, scores).estimates["auroc"]
    assert estimate.value == pytest.approx(wins.mean())
    assert (estimate.influence**2).sum() == pytest.approx(variance)


def test_auprc_has_the_influences_of_positives_left_out() -> None:
    """The derivative with respect to a weight, as of one positive fewer."""
    rng = np.random.default_rng(3)
    labels, scores, copies = rng.integers(0, 2, 40), rng.random(40).round(1), 300
    estimate = intervals.measured(labels, scores, metrics=["auprc"]).estimates["auprc"]
    positives = labels.sum()
    for example in range(40):
        rows = [*np.repeat(np.arange(40), copies), example]
        moved = metric_values(labels[rows], scores[rows])["auprc"] - estimate.value
        expected = moved * copies * positives / (positives - 1)
        assert estimate.influence[example] == pytest.approx(expected, rel=0.02, abs=0.002)


def test_variance_by_crossed_groups_is_that_of_cameron_gelbach_and_miller() -> None:
    rng = np.random.default_rng(0)
    influence, genes, diseases = rng.normal(size=90), rng.integers(0, 9, 90), rng.integers(0, 7, 90)

    def of(*kinds: Any) -> float:
        sums = pd.Series(influence).groupby(list(kinds)).sum().to_numpy()
        return float((sums**2).sum() * len(sums) / (len(sums) - 1))

    expected = of(genes) + of(diseases) - of(genes, diseases)
    assert Groups(90, [genes, diseases]).variance(influence) == pytest.approx(max(expected, of(genes), of(diseases)))
    assert Groups(90, [[f"g{gene}" for gene in genes]]).variance(influence) == pytest.approx(of(genes))
    assert Groups(90).variance(influence) == pytest.approx((influence**2).sum() * 90 / 89)


@pytest.mark.parametrize("name", metrics.names())
def test_every_interval_holds_its_value_and_has_a_width(name: str, tmp_path: Any) -> None:
    """Also where everything is right or wrong, and whatever the order of the examples."""
    references, first, second = simulated(name)
    order = np.random.default_rng(1).permutation(SIZE)
    compute = metrics.load(name, cache_dir=str(tmp_path)).compute
    right = references.astype(float) if name == "gda" else first if name == "alignment" else references
    for predictions in (first, second, right):
        figures = estimates.nest(compute(predictions=predictions, references=references, groups=np.arange(SIZE) // 2))
        again = estimates.nest(
            compute(
                predictions=[predictions[i] for i in order],
                references=[references[i] for i in order],
                groups=order // 2,
            )
        )
        for metric, figure in figures.items():
            assert figure["low"] <= figure["value"] <= figure["high"], metric
            assert figure["high"] - figure["low"] > 0.01, metric
            assert list(again[metric].values()) == pytest.approx(list(figure.values())), metric


def test_masked_tokens_go_the_same_way() -> None:
    rng = np.random.default_rng(2)
    hidden = rng.integers(1, 40, SIZE).astype(float)
    columns = {"hidden": hidden, "correct": np.floor(hidden * rng.random(SIZE)), "loss": hidden * rng.random(SIZE) * 3}
    found = masked_lm.figures(pd.DataFrame(columns), None, {})["perplexity"]
    # The value, and near it the interval of 1,000 resamples of texts.
    assert found["value"] == pytest.approx(4.425768117727406, rel=1e-12)
    assert [found["low"], found["high"]] == pytest.approx([3.400, 5.715], rel=0.03)


@pytest.mark.parametrize("paired", [entity_f1.paired_f1, relation_f1.paired_f1])
def test_a_system_that_predicts_nothing_where_nothing_is_can_be_compared(paired: Any) -> None:
    """With the one that predicts something there, which is wrong: the difference is 0 and not undefined."""
    nothing: list[list[Any]] = [[], [], []]
    item = (0, 3, "Disease") if paired is entity_f1.paired_f1 else ("CID", "C1", "D1")
    for metric in ("f1", "macro_f1"):
        found = paired(nothing, [[item], [], []], nothing, metric=metric)
        assert (found.first, found.second, found.p_value) == (0, 0, 1)


def pairs(rng: np.random.Generator, share: float, crossed: bool, systems: int = 1) -> tuple[Any, ...]:
    """Labels of 100 examples, the scores of systems that are equally good, and what the examples share."""
    n = 100
    kinds = (rng.integers(0, 40, n), rng.integers(0, 25, n)) if crossed else ()
    labels = (rng.random(n) < share).astype(int)
    scores = []
    for _ in range(systems):
        shift = sum((rng.normal(0, 0.6, 40)[kind] for kind in kinds), np.zeros(n))
        spread = math.sqrt(1 - 0.72 * crossed)
        scores.append(1 / (1 + np.exp(-(rng.normal(0, spread, n) + shift + 1.5 * labels - 0.75))))
    return labels, scores, kinds


@pytest.mark.parametrize(("share", "crossed"), [(0.5, False), (0.1, False), (0.5, True)])
def test_intervals_hold_the_true_value_as_often_as_they_say(share: float, crossed: bool) -> None:
    """In 300 samples of 100: 285 expected, standard deviation 4. Intervals without groups held .85 of crossed ones."""
    rng = np.random.default_rng(0)
    many = [pairs(rng, share, crossed) for _ in range(300)]
    labels, scores = (np.concatenate(each) for each in zip(*((y, s[0]) for y, s, _ in many), strict=True))
    truth = metric_values(labels, scores)
    held = dict.fromkeys(("accuracy", "f1", "precision", "recall", "auroc", "auprc", "mcc"), 0)
    for y, (s,), kinds in many:
        flat = metrics_with_intervals(y, s, groups=kinds)
        for name in held:
            held[name] += flat[f"{name}_low"] <= truth[name] <= flat[f"{name}_high"]
    assert all(270 <= count <= 300 for count in held.values()), held


@pytest.mark.parametrize(("share", "crossed"), [(0.5, False), (0.1, False), (0.5, True)])
def test_equal_systems_differ_as_rarely_as_tests_say(share: float, crossed: bool) -> None:
    """In 400 comparisons: 20 significant ones expected at 5 %, standard deviation 4.4."""
    rng = np.random.default_rng(1)
    significant = dict.fromkeys(("accuracy", "f1", "auroc", "auprc"), 0)
    for _ in range(400):
        labels, scores, kinds = pairs(rng, share, crossed, systems=2)
        for name in significant:
            found = intervals.paired(labels, *scores, metric=name, groups=kinds)
            significant[name] += found.p_value < 0.05
    assert all(4 <= count <= 36 for count in significant.values()), significant


def rare_labels(rng: np.random.Generator, n: int, *, never: bool = False) -> Measured:
    """Of nine labels, four of which one text in a hundred has, seven in ten are found, of the rarest half, or none."""
    shares, right = np.array([0.3] * 5 + [0.01] * 4), np.array([0.7] * 5 + [0.0 if never else 0.5] * 4)
    there = rng.random((n, 9)) < shares
    predicted = rng.random((n, 9)) < np.where(there, right, right * shares * (1 - right) / (1 - shares))
    return multilabel.measured(multilabel.Indicators([f"l{i}" for i in range(9)], there, predicted))


def test_averages_over_rare_labels_hold_the_true_value_and_did_less_often_before() -> None:
    """In 300 samples 285 are expected, with a standard deviation of 3.8; by the intervals of schema 4 it was 272."""
    rng, held = np.random.default_rng(2), {4: 0, estimates.RARE_PARTS: 0}
    truth = rare_labels(rng, 200_000).estimates["macro_f1"].value
    for _ in range(300):
        its = rare_labels(rng, 150).estimates["macro_f1"]
        for schema in held:
            with estimates.of_schema(schema):
                low, high = its.interval(Groups(150, ()))
            held[schema] += low <= truth <= high
    assert held[estimates.RARE_PARTS] >= 277 and held[4] < held[estimates.RARE_PARTS], held


def test_areas_of_equal_systems_over_rare_labels_differ_as_often_as_they_should() -> None:
    """Of 400 samples 20 are expected, with a standard deviation of 4.4; by each label's own few texts it was none."""
    rng, differing, shares = np.random.default_rng(0), 0, np.geomspace(0.25, 0.005, 17)
    for _ in range(400):
        there = rng.random((100, 17)) < shares
        compared = multilabel.Indicators([f"l{i}" for i in range(17)], there, there)
        scores = [expit(rng.normal(size=there.shape) + 2.5 * there) for _ in range(2)]
        systems = [multilabel.measured(compared, its).estimates["macro_auroc"] for its in scores]
        differing += estimates.difference("macro_auroc", *systems, Groups(100, ())).p_value < 0.05
    assert 7 <= differing <= 33, differing


def test_averages_of_equal_systems_over_rare_labels_differ_more_often_than_by_the_degrees_of_one() -> None:
    """Of 300 samples 15 are expected, with a standard deviation of 3.8."""
    rng, differing, shares = np.random.default_rng(4), {5: 0, estimates.LEFT_OUT: 0}, np.geomspace(0.25, 0.005, 12)
    for _ in range(300):
        there = rng.random((60, 12)) < shares
        found = [np.where(there, rng.random(there.shape) < 0.7, rng.random(there.shape) < 0.3 * shares) for _ in "ab"]
        systems = [multilabel.measured(multilabel.Indicators([*"abcdefghijkl"], there, its)) for its in found]
        for schema in differing:
            with estimates.of_schema(schema):
                differing[schema] += estimates.paired("macro_recall", *systems).p_value < 0.05
    assert differing[5] < differing[estimates.LEFT_OUT] and 6 <= differing[estimates.LEFT_OUT] <= 26, differing


def test_a_label_that_is_never_predicted_does_not_make_an_average_unknown() -> None:
    """Nothing tells of its precision, which has the variance of what may be anything; before all of it was unknown."""
    measured = rare_labels(np.random.default_rng(3), 400, never=True)
    low, high = measured.estimates["macro_precision"].interval(Groups(400, ()))
    assert low > 0.1 and high < 0.85
    with estimates.of_schema(4):
        assert measured.estimates["macro_precision"].interval(Groups(400, ())) == pytest.approx((0.0, 1.0))


@pytest.mark.parametrize(("n", "least"), [(40, 0.8), (1000, 0.99)])
def test_an_average_at_the_end_of_the_scale_is_known_as_well_as_its_parts(n: int, least: float) -> None:
    """All right: what the three labels' own intervals leave open; by the intervals of schema 4 anything from 0 on."""
    texts = [[label] for label in np.random.default_rng(0).choice([*"abc"], n)]
    measured = multilabel.measured(multilabel.indicators(texts, texts)).estimates
    low, high = measured["macro_f1"].interval(Groups(n, ()))
    assert least < low < measured["f1"].interval(Groups(n, ()))[0] and high == 1
    with estimates.of_schema(4):
        assert measured["macro_f1"].interval(Groups(n, ()))[0] < 0.01


def test_the_calibration_of_equally_calibrated_systems_differs_about_as_often_as_it_should() -> None:
    rng, differing = np.random.default_rng(0), 0
    for _ in range(500):
        labels = rng.integers(0, 2, 200)
        first, second = (expit(1.5 * rng.normal(1.5 * labels - 0.75, 1)) for _ in range(2))
        differing += intervals.paired(labels, first, second, metric="ece").p_value < 0.05
    assert 0.02 <= differing / 500 <= 0.07, "influences alone, which know nothing of signs, find less than 0.005"


def test_a_calibration_error_has_an_interval_whatever_groups_share(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its ends lie further out than ten deviations of the bins where they hang together much."""
    rng = np.random.default_rng(0)
    error = calibration_error(rng.integers(0, 2, 60), rng.random(60))
    deviations, _ = error._deviations(Groups(60, ()))
    monkeypatch.setattr(CalibrationError, "_deviations", lambda self, groups: (deviations, 1000.0))
    low, high = error.interval(Groups(60, ()))
    assert low == 0.0 and high == 1.0
