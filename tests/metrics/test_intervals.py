"""Values of binary classification against scikit-learn, their intervals and tests, and what bad input does."""

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from sklearn import metrics as sk

from bioft.errors import BioftError
from bioft.metrics.estimation.estimates import nest, wilson
from bioft.metrics.intervals import METRICS, paired
from bioft.metrics.thresholds import most_accurate_threshold
from tests.metrics.binary import metric_values, metrics_with_intervals
from tests.wilson import wilson_interval


def simulated(n, seed=0, decimals=None):
    """Calibrated scores: the label is 1 with the probability that the score says."""
    rng = np.random.default_rng(seed)
    scores = rng.random(n)
    labels = (rng.random(n) < scores).astype(int)
    return labels, scores if decimals is None else scores.round(decimals)


def by_scikit_learn(labels, scores, threshold, weights=None):
    predicted = scores >= threshold
    arguments = {"sample_weight": weights}
    ratios = {**arguments, "zero_division": 0}
    return {
        "accuracy": sk.accuracy_score(labels, predicted, **arguments),
        "f1": sk.f1_score(labels, predicted, **ratios),
        "precision": sk.precision_score(labels, predicted, **ratios),
        "recall": sk.recall_score(labels, predicted, **ratios),
        "auroc": sk.roc_auc_score(labels, scores, **arguments),
        "auprc": sk.average_precision_score(labels, scores, **arguments),
        "mcc": sk.matthews_corrcoef(labels, predicted, **arguments),
    }


@st.composite
def labelled_scores(draw):
    """Few distinct scores, so that ties within and across the classes are common; both classes present."""
    n = draw(st.integers(2, 40))
    scores = draw(st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.500001, 0.9, 1.0]), min_size=n, max_size=n))
    labels = draw(st.lists(st.integers(0, 1), min_size=n, max_size=n))
    labels[:2] = [0, 1]
    return np.array(labels), np.array(scores)


@settings(max_examples=60, deadline=None)
@given(labelled_scores(), st.sampled_from([0.0, 0.3, 0.5, 1.1]))
def test_point_values_are_those_of_scikit_learn(data, threshold):
    values = metric_values(*data, threshold=threshold)
    for name, expected in by_scikit_learn(*data, threshold).items():
        assert values[name] == pytest.approx(expected, abs=1e-12), name


def test_ece_by_hand():
    # Bins of width 1/15: 0 and 1/15 share the first, 0.07 is in the second, 1 in the last.
    labels = [0, 1, 1, 0]
    scores = [0.0, 1 / 15, 0.07, 1.0]
    expected = (abs(1 - 1 / 15) + abs(1 - 0.07) + abs(0 - 1.0)) / 4
    assert metric_values(labels, scores)["ece"] == pytest.approx(expected)
    labels, scores = simulated(200_000)
    assert metric_values(labels, scores)["ece"] < 0.01
    assert metric_values(labels, scores * 0.5)["ece"] == pytest.approx(0.25, abs=0.01)


def test_ece_from_calibration_curve():
    labels, scores = simulated(5_000)
    scores = scores**2
    observed, predicted = sk_calibration_curve(labels, scores)
    sizes = np.histogram(scores, np.linspace(0, 1, 16))[0]
    expected = np.sum(sizes * np.abs(observed - predicted)) / len(scores)
    assert metric_values(labels, scores)["ece"] == pytest.approx(expected, abs=1e-12)


def sk_calibration_curve(labels, scores):
    from sklearn.calibration import calibration_curve

    return calibration_curve(labels, scores, n_bins=15, strategy="uniform")


def test_intervals_hold_the_value_and_shrink_with_n():
    widths = []
    for n in (300, 4_800):
        flat = metrics_with_intervals(*simulated(n))
        for name in METRICS:
            assert flat[f"{name}_low"] < flat[name] <= flat[f"{name}_high"], name
        widths.append(flat["auroc_high"] - flat["auroc_low"])
    assert widths[0] / widths[1] == pytest.approx(4, rel=0.3)


def test_intervals_widen_when_groups_agree():
    labels, scores = simulated(400, seed=3)
    copies = 9  # each example nine times, as if a document repeated it: no new information
    groups = np.repeat([f"document {i}" for i in range(400)], copies)
    repeated = np.repeat(labels, copies), np.repeat(scores, copies)

    def width(flat):
        return flat["auroc_high"] - flat["auroc_low"]

    honest = width(metrics_with_intervals(labels, scores))
    assert width(metrics_with_intervals(*repeated, groups=[groups])) == pytest.approx(honest, rel=0.05)
    # A second kind of group that crosses the first adds nothing: the copies differ in it only.
    crossed = [groups, np.arange(len(groups))]
    assert width(metrics_with_intervals(*repeated, groups=crossed)) == pytest.approx(honest, rel=0.05)
    assert width(metrics_with_intervals(*repeated)) == pytest.approx(honest / 3, rel=0.1)


def test_groups_of_one_are_no_groups():
    labels, scores = simulated(80)
    assert metrics_with_intervals(labels, scores, groups=[np.arange(80)]) == metrics_with_intervals(labels, scores)


@pytest.mark.parametrize("right", [True, False])
def test_perfect_and_hopeless_figures_have_wide_intervals(right):
    """Also with groups: ten of four examples each say less than 40 examples do."""
    labels = np.array([0, 1] * 20)
    scores = np.where(labels == right, 0.9, 0.1)
    alone, grouped = (metrics_with_intervals(labels, scores, groups=g) for g in ([], [np.arange(40) // 4]))
    for name in METRICS:
        assert alone[f"{name}_high"] - alone[f"{name}_low"] > 0.03, name
    for name in ("accuracy", "auroc", "recall", "precision", "f1")[: None if right else 2]:
        assert alone[f"{name}_high"] - alone[f"{name}_low"] < grouped[f"{name}_high"] - grouped[f"{name}_low"], name
    assert alone["accuracy"] == right and abs(alone["accuracy_low" if right else "accuracy_high"] - right) < 0.12
    nothing = metrics_with_intervals(labels, np.full(40, 0.1))
    assert (nothing["precision_low"], nothing["precision"], nothing["precision_high"]) == (0, 0, 1)
    assert (nothing["mcc_low"], nothing["mcc"], nothing["mcc_high"]) == (-1, 0, 1)
    assert nothing["auroc_low"] < nothing["auroc"] == 0.5 < nothing["auroc_high"]


def test_one_group_tells_nothing():
    flat = metrics_with_intervals([0, 1, 1], [0.2, 0.4, 0.9], groups=[["a", "a", "a"]])
    assert all((flat[f"{name}_low"], flat[f"{name}_high"]) == (0, 1) for name in METRICS if name != "mcc")
    assert paired([0, 1, 1], [0.2, 0.4, 0.9], [0.2, 0.9, 0.1], groups=[["a", "a", "a"]]).p_value == 1


def test_one_class():
    with pytest.warns(UserWarning, match="AUROC is undefined .* all 3 labels are 1"):
        flat = metrics_with_intervals([1, 1, 1], [0.2, 0.7, 0.9])
    assert flat["accuracy"] == pytest.approx(2 / 3)
    assert math.isnan(flat["auroc"]) and math.isnan(flat["auroc_low"])
    assert flat["auprc"] == 1
    with pytest.warns(UserWarning, match="AUROC and AUPRC are undefined"):
        values = metric_values([0, 0], [0.2, 0.7])
    assert math.isnan(values["auroc"]) and math.isnan(values["auprc"])
    assert values["accuracy"] == 0.5


def test_nest():
    with pytest.warns(UserWarning, match="undefined"):
        flat = metrics_with_intervals([1, 1, 0][:2], [0.4, 0.7])
    nested = nest(flat)
    assert set(nested) == set(METRICS)
    assert nested["auroc"] == {"value": None, "low": None, "high": None, "n": 2}
    assert nested["accuracy"] == {
        "value": 0.5,
        "low": flat["accuracy_low"],
        "high": flat["accuracy_high"],
        "n": 2,
    }


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([0, 1], [0.5, math.nan], "the first is nan at index 1"),
        ([0, 1, 1], [0.5, 1.5, -2], "2 of 3 scores are not in .0, 1.; the first is 1.5 at index 1"),
        ([0, 1], [0.5], r"labels are \(2,\), scores are \(1,\)"),
        ([0, 2], [0.5, 0.5], "must be 0 or 1; 1 of 2 are not: the first is 2 at index 1"),
        ([0.0, 0.7], [0.5, 0.5], "the first is 0.7"),
        ([0.0, math.nan], [0.5, 0.5], "the first is nan"),
        (["a", "b"], [0.5, 0.5], "the first is a"),
        ([], [], "non-empty"),
        ([[0, 1]], [[0.5, 0.5]], r"shape \(1, 2\)"),
        ([0, 1], ["high", "low"], "Scores must be numbers"),
    ],
)
def test_bad_input(labels, scores, message):
    for function in (metric_values, metrics_with_intervals, most_accurate_threshold):
        with pytest.raises(BioftError, match=message):
            function(labels, scores)
    with pytest.raises(BioftError, match=message):
        paired(labels, scores, scores)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"confidence": 95}, "confidence"),
        ({"groups": [[1]]}, r"\(1,\), expected \(2,\)"),
        ({"threshold": math.nan}, "threshold is NaN"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(BioftError, match=message):
        metrics_with_intervals([0, 1], [0.1, 0.9], **arguments)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1)), min_size=1, max_size=30),
)
def test_best_threshold_is_the_best(pairs):
    labels, scores = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
    threshold = most_accurate_threshold(labels, scores)

    def accuracy(t):
        return np.mean((scores >= t) == labels)

    every = [accuracy(t) for t in [*scores, 2.0]]
    assert accuracy(threshold) == max(every)
    shuffled = np.random.default_rng(0).permutation(len(labels))
    assert most_accurate_threshold(labels[shuffled], scores[shuffled]) == threshold


def test_best_threshold_by_hand():
    assert most_accurate_threshold([0, 0, 1, 1], [0.1, 0.2, 0.6, 0.9]) == pytest.approx(0.4)
    # All of one class: as near to 0.5 as leaves every score on its side.
    assert most_accurate_threshold([1, 1], [0.8, 0.9]) == pytest.approx(0.4)
    assert most_accurate_threshold([0, 0], [0.1, 0.2]) == pytest.approx(0.6)
    assert 1 < most_accurate_threshold([0, 0], [0.1, 1.0]) < 1.001
    # 0.25 and 0.75 are equally good and equally far from 0.5: the lower.
    assert most_accurate_threshold([0, 1, 0, 1], [0.0, 0.5, 0.5, 1.0]) == 0.25
    # Adjacent floats: no midpoint lies between them.
    low = 0.5
    high = np.nextafter(low, 1)
    threshold = most_accurate_threshold([0, 1], [low, high])
    assert low < threshold <= high


def test_wilson_is_that_of_scipy():
    for k, n in [(419, 500), (1, 10), (50, 100), (0, 10), (10, 10)]:
        assert wilson(k / n, n, 1.959963984540054) == pytest.approx(wilson_interval(k, n))
    assert wilson(0, 10, 1.96)[0] == 0 and wilson(1, 10, 1.96)[1] == 1
    assert wilson(0, 0, 1.96) == (0, 1)


@pytest.mark.parametrize("metric", METRICS)
def test_the_same_scores_do_not_differ(metric):
    labels, scores = simulated(100)
    result = paired(labels, scores, scores, metric=metric)
    assert (result.difference, result.p_value) == (0, 1)
    assert -0.1 < result.low < 0 < result.high < 0.1, "100 examples can't say that there is no difference at all"


def test_pairing_sees_what_intervals_hide():
    labels, good = simulated(600)
    rng = np.random.default_rng(5)
    worse = np.clip(good + rng.normal(0, 0.2, 600), 0, 1)
    result = paired(labels, good, worse, metric="auroc")
    assert result.difference == pytest.approx(
        sk.roc_auc_score(labels, good) - sk.roc_auc_score(labels, worse), abs=1e-12
    )
    assert 0 < result.low < result.difference < result.high
    assert result.p_value < 0.05
    first, second = metrics_with_intervals(labels, good), metrics_with_intervals(labels, worse)
    assert first["auroc_low"] < second["auroc_high"]  # apart they would overlap
    mirrored = paired(labels, worse, good, metric="auroc")
    assert mirrored.difference == -result.difference
    assert (mirrored.low, mirrored.high) == pytest.approx((-result.high, -result.low))
    assert mirrored.p_value == pytest.approx(result.p_value)


def test_p_values_have_no_floor_and_go_with_intervals():
    labels, scores = simulated(2_000)
    assert paired(labels, scores, 1 - scores).p_value < 1e-12
    for seed in range(30):
        noisy = np.clip(scores + np.random.default_rng(seed).normal(0, 0.1, 2_000), 0, 1)
        result = paired(labels, scores[:], noisy, metric="accuracy")
        assert (result.p_value < 0.05) == (result.low > 0 or result.high < 0)


def test_a_constant_can_be_compared():
    """A majority baseline has no MCC: 0 by convention, so there is a difference to test."""
    labels, scores = simulated(200)
    result = paired(labels, scores, np.full(200, 0.5), metric="mcc")
    assert result.second == 0
    assert result.low > 0 and result.p_value < 0.001


def test_each_system_has_its_threshold():
    labels, scores = simulated(300)
    result = paired(labels, scores, scores / 2, metric="accuracy", thresholds=(0.5, 0.25))
    assert result.difference == 0
    with pytest.raises(BioftError, match=r"Unknown metric 'auc'.*auroc"):
        paired(labels, scores, scores, metric="auc")


def test_differences_with_groups_and_one_class():
    labels, scores = simulated(60)
    groups = np.arange(60) // 6
    clustered = paired(labels, scores, scores**3, metric="ece", groups=[groups])
    plain = paired(labels, scores, scores**3, metric="ece")
    assert clustered.difference == plain.difference
    assert clustered.low != plain.low
    with pytest.warns(UserWarning, match="undefined"):
        result = paired([1, 1], [0.2, 0.3], [0.4, 0.5])
    assert math.isnan(result.difference) and math.isnan(result.p_value)
