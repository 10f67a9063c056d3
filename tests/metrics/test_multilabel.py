"""The metric of labelled texts: scikit-learn's values and table, intervals, comparison, and what it refuses."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from sklearn.metrics import average_precision_score, classification_report, f1_score, precision_score, roc_auc_score

from bioft import metrics
from bioft.errors import BioftError
from bioft.metrics import multilabel
from bioft.metrics.estimation import estimates

LABELS = ["Another_Study", "Covid19", "Negative", "Success"]


@pytest.fixture(scope="module")
def metric():
    return metrics.load("multilabel")


def drawn(n: int = 200, seed: int = 0) -> tuple[list[list[str]], list[list[str]], np.ndarray]:
    """References, predictions that agree with them more often than not, and scores."""
    rng = np.random.default_rng(seed)
    truth = rng.random((n, len(LABELS))) < (0.1, 0.3, 0.5, 0.2)
    predicted = np.where(rng.random(truth.shape) < 0.2, ~truth, truth)
    scores = np.round(np.clip(0.5 * truth + rng.random(truth.shape) / 2, 0, 1), 2)
    return names_of(truth), names_of(predicted), scores


def names_of(indicators: np.ndarray) -> list[list[str]]:
    return [[label for label, there in zip(LABELS, row, strict=True) if there] for row in indicators]


def test_the_table_is_scikit_learns_letter_for_letter(metric):
    """Without intervals, for texts with any number of labels and for those with one each."""
    references, predictions, _ = drawn()
    result = metric.compute(predictions=predictions, references=references, labels=LABELS, confidence=None)
    compared = multilabel.indicators(predictions, references, LABELS)
    expected = classification_report(compared.truth, compared.predicted, target_names=LABELS, zero_division=0)
    assert multilabel.classification_report(result, LABELS, multi_label=True) == expected

    one, other = [its[:1] or ["Success"] for its in references], [its[:1] or ["Covid19"] for its in predictions]
    result = metric.compute(predictions=other, references=one, labels=LABELS, confidence=None)
    flat = [[its[0] for its in side] for side in (one, other)]
    # With one label each the micro average is the accuracy.
    expected = classification_report(*flat, zero_division=0)
    assert multilabel.classification_report(result, LABELS, multi_label=False) == expected
    assert result["f1"] == pytest.approx(result["accuracy"])


def test_the_table_with_intervals_has_each_figure_with_its_own(metric):
    references, predictions, _ = drawn()
    result = metric.compute(predictions=predictions, references=references, labels=LABELS)
    lines = multilabel.classification_report(result, LABELS, multi_label=True).splitlines()
    assert [line.split()[0] for line in lines if line.strip()][1:] == [*LABELS, *multilabel.AVERAGES]
    low, high = result["macro_f1_low"], result["macro_f1_high"]
    assert f"{result['macro_f1']:.2f} [{low:.2f}, {high:.2f}]" in lines[-3]
    assert len({len(line) for line in lines if line.strip()}) == 1, "the columns stand below each other"


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(*[st.sets(st.sampled_from(LABELS))] * 2), min_size=1, max_size=6))
def test_values_are_those_of_scikit_learn(pairs):
    """Averages are over the labels that occur or are predicted, as scikit-learn's are by default."""
    references, predictions = ([sorted(pair[side]) for pair in pairs] for side in (0, 1))
    compared = multilabel.indicators(predictions, references)
    if len(compared.labels) < 2:  # scikit-learn takes one column for classes
        return
    result = metrics.load("multilabel").compute(predictions=predictions, references=references, confidence=None)
    for prefix, average in (("", "micro"), ("macro_", "macro"), ("weighted_", "weighted"), ("samples_", "samples")):
        options = {"average": average, "zero_division": 0}
        expected = precision_score(compared.truth, compared.predicted, **options)
        assert result[f"{prefix}precision"] == pytest.approx(expected)
        assert result[f"{prefix}f1"] == pytest.approx(f1_score(compared.truth, compared.predicted, **options))
    by_label = f1_score(compared.truth, compared.predicted, average=None, zero_division=0)
    found = [result[f"{label.lower()}_f1"] for label in compared.labels]
    np.testing.assert_allclose(found, by_label)
    assert result["accuracy"] == np.mean([a == b for a, b in pairs])


def test_rankings_are_those_of_scikit_learn(metric):
    references, predictions, scores = drawn()
    result = metric.compute(predictions=predictions, references=references, labels=LABELS, scores=scores)
    truth = multilabel.indicators(predictions, references, LABELS).truth
    assert result["macro_auroc"] == pytest.approx(roc_auc_score(truth, scores, average="macro"))
    assert result["macro_auprc"] == pytest.approx(average_precision_score(truth, scores, average="macro"))
    assert result["covid19_auroc"] == pytest.approx(roc_auc_score(truth[:, 1], scores[:, 1]))
    for name in ("macro_auroc", "macro_auprc", "macro_f1", "f1", "negative_recall", "accuracy"):
        assert result[f"{name}_low"] < result[name] < result[f"{name}_high"], name


def test_a_label_that_is_nowhere_is_in_no_average(metric):
    """It has its support, 0, and changes nothing; one that is only predicted counts with F1 0."""
    sides = {"predictions": [["Covid19"], ["Covid19"]], "references": [["Covid19"], ["Negative"]]}
    result = metric.compute(**sides, labels=LABELS)
    assert result["macro_f1"] == pytest.approx((2 / 3 + 0) / 2)
    assert result["success_support"] == 0 and "success_f1" not in result
    assert not [name for name, value in estimates.nest(result).items() if value["value"] is None]


def test_a_label_that_is_nowhere_leaves_open_what_the_average_of_all_labels_is(metric):
    """As much as the others differ: where all labels are found alike nothing."""
    references, predictions, _ = drawn()
    sides = {"predictions": predictions, "references": references}
    few, more = (metric.compute(**sides, labels=[*LABELS, *further]) for further in ([], ["Never", "Nowhere"]))
    assert few["macro_f1"] == more["macro_f1"] and few["f1_low"] == more["f1_low"]
    assert few["macro_f1_low"] > more["macro_f1_low"] + 0.01 and few["macro_f1_high"] < more["macro_f1_high"] - 0.01
    with estimates.of_schema(5):
        assert metric.compute(**sides, labels=[*LABELS, "Never"])["macro_f1_low"] == few["macro_f1_low"]
    right = {"predictions": references, "references": references}
    few, more = (metric.compute(**right, labels=[*LABELS, *further]) for further in ([], ["Never"]))
    assert few["macro_f1_low"] == pytest.approx(more["macro_f1_low"])


def test_a_label_of_one_text_makes_no_significant_difference(metric):
    """It has no variance of its own: before, macro F1 differed as surely as if all texts spoke for it."""
    references = [[label] for label in LABELS[:3] * 20] + [["Success"]]
    compare = (references, references, [*references[:-1], []])
    found = multilabel.paired_f1(*compare, metric="macro_f1")
    assert found.difference == pytest.approx(0.25) and found.p_value > 0.1 and found.low < 0
    with estimates.of_schema(5):
        assert multilabel.paired_f1(*compare, metric="macro_f1").p_value < 1e-10


def test_a_perfect_score_has_an_interval_that_reaches_below_it(metric):
    references = [["Covid19"]] * 9 + [["Negative"]]
    result = metric.compute(predictions=references, references=references)
    assert 0.5 < result["recall_low"] < 0.8 and result["recall_high"] == 1
    assert result["negative_recall_low"] < 0.2, "there is one text with it"
    assert result["macro_f1_low"] < result["f1_low"] and result["macro_f1_high"] == 1


def test_two_systems_are_compared_on_the_same_texts():
    references, predictions, _ = drawn(300)
    worse = [its[:1] for its in predictions]
    found = multilabel.paired_f1(references, predictions, worse, metric="macro_f1")
    assert found.difference == pytest.approx(found.first - found.second) and found.low > 0 and found.p_value < 0.01
    same = multilabel.paired_f1(references, predictions, predictions)
    assert (same.difference, same.p_value) == (0, 1) and -0.02 < same.low < 0 < same.high < 0.02
    with pytest.raises(BioftError, match="Unknown metric 'auc'"):
        multilabel.paired_f1(references, predictions, worse, metric="auc")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"predictions": [["A"]], "references": [["C"]], "labels": ["A", "B"]}, "'C' is not among"),
        ({"predictions": [["A"]], "references": [["a"]]}, "differ in case only"),
        ({"predictions": [["Macro"]], "references": [["Macro"]]}, "can't be called 'macro'"),
        ({"predictions": [["A"]], "references": [["A"]], "scores": [[0.1, 0.2]]}, r"shape \(1, 2\)"),
        ({"predictions": [["A"]], "references": [["A"]], "scores": [[1.2]]}, r"not in \[0, 1\]"),
    ],
)
def test_what_cannot_be_measured_is_refused(options, message):
    with pytest.raises(BioftError, match=message):
        metrics.load("multilabel").compute(**options)


def test_each_text_needs_its_list():
    with pytest.raises(BioftError, match="predictions for 1 texts and references for 2"):
        multilabel.indicators([["A"]], [["A"], ["B"]])
    with pytest.raises(BioftError, match="no texts"):
        multilabel.indicators([], [])
