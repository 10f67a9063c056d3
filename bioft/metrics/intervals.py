"""Binary classification metrics with intervals, and paired tests of two score vectors.

Everything works on two vectors: ``labels`` (0 or 1) and ``scores`` (probability of label 1, in [0, 1]).
"""

import math
import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from bioft.errors import BioftError
from bioft.metrics.estimation import estimates
from bioft.metrics.estimation.calibration import calibration_error
from bioft.metrics.estimation.estimates import CONFIDENCE, CORRELATION, F1, Estimate, Measured, PairedDifference, ratio
from bioft.metrics.estimation.groups import Floats, Integers
from bioft.metrics.estimation.ranking import auprc, auroc

METRICS = ("accuracy", "f1", "precision", "recall", "auroc", "auprc", "ece", "mcc")
"""The metrics, in the order in which they are reported."""


def measured(
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    threshold: float = 0.5,
    groups: Sequence[ArrayLike] = (),
    metrics: Sequence[str] = METRICS,
) -> Measured:
    """Return some of the metrics as estimates.

    A pair is predicted positive when ``score >= threshold``. A ratio without a denominator (precision when
    nothing is predicted positive, …) is 0, as in scikit-learn. AUROC needs both classes and AUPRC (average
    precision) at least one positive: without them they are NaN, and a `UserWarning` says why.

    ECE is the expected calibration error over 15 equal-width bins of the *score*: the mean of ``|fraction of positives
    - mean score|`` over the bins, weighted by their size (Naeini et al. 2015 for binary problems; number and width of
    the bins from Guo et al. 2017). It doesn't depend on the threshold. ``groups`` has for each kind of group
    (documents; genes and diseases) one value per example: examples of a group are not independent. BioftError: labels
    other than 0 and 1, scores or a threshold that are NaN, scores outside [0, 1], lengths that differ, no examples.
    """
    labels, scores = check_labels_and_scores(labels, scores)
    if math.isnan(threshold):
        raise BioftError("The threshold is NaN: give a number, such as the most accurate one on validation.")
    if {"auroc", "auprc"} & set(metrics):
        _warn_if_undefined(labels)
    there, found = labels == 1, scores >= threshold
    formulas = {
        "accuracy": lambda: estimates.mean(there == found),
        "f1": lambda: ratio(2.0 * (there & found), there.astype(float) + found, F1),
        "precision": lambda: ratio(there & found, found),
        "recall": lambda: ratio(there & found, there),
        "auroc": lambda: auroc(labels, scores),
        "auprc": lambda: auprc(labels, scores),
        "ece": lambda: calibration_error(labels, scores),
        "mcc": lambda: _correlation(there, found),
    }
    known = {name: formulas[name]() for name in metrics}
    return Measured(known, len(labels), tuple(groups), {"threshold": float(threshold)})


def paired(
    labels: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    *,
    metric: str = "auroc",
    thresholds: tuple[float, float] = (0.5, 0.5),
    groups: Sequence[ArrayLike] = (),
    confidence: float = CONFIDENCE,
) -> PairedDifference:
    """Compare two score vectors on the same examples: the difference of a metric, first minus second.

    ``thresholds`` are those of the first and the second; the rest is as in `estimates.paired`. BioftError: as
    `measured`, and an unknown metric.
    """
    if metric not in METRICS:
        raise BioftError(f"Unknown metric {metric!r}. Known: {', '.join(METRICS)}.")
    systems = [
        measured(labels, scores, threshold=threshold, groups=groups, metrics=(metric,))
        for scores, threshold in zip((first, second), thresholds, strict=True)
    ]
    return estimates.paired(metric, *systems, confidence=confidence)


def check_labels_and_scores(labels: ArrayLike, scores: ArrayLike) -> tuple[Integers, Floats]:
    """Labels (int64, 0 or 1) and scores (float64, 0 to 1), shape (n,); BioftError says which example is wrong."""
    labels = _check_labels(labels)
    try:
        scores = np.asarray(scores, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BioftError(f"Scores must be numbers: {error}.") from error
    if scores.shape != labels.shape:
        raise BioftError(f"Shapes differ: labels are {labels.shape}, scores are {scores.shape}.")
    advice = " Scores are probabilities of label 1: apply a sigmoid to logits first."
    return labels, check_shares(scores, "scores", advice)


def check_shares(values: ArrayLike, what: str, advice: str = "") -> Floats:
    """Return values as float64, shape (n,); BioftError says which of them is not in [0, 1]."""
    array = np.asarray(values, dtype=np.float64)
    bad = np.flatnonzero(~((array >= 0) & (array <= 1)))  # the negation catches NaN too
    if len(bad):
        raise BioftError(
            f"{len(bad):,} of {len(array):,} {what} are not in [0, 1]; the first is {array[bad[0]]} at "
            f"index {bad[0]}.{advice}"
        )
    return array


def _correlation(there: np.ndarray, found: np.ndarray) -> Estimate:
    """Matthews' correlation of what is there and what was found; 0 where either is all or nothing."""
    n, positives, predicted, both = len(there), there.sum(), found.sum(), (there & found).sum()
    about = (there, ~there, found, ~found)
    spread = float(positives) * predicted * (n - positives) * (n - predicted)
    if not spread:
        return Estimate(0.0, np.zeros(n), about, CORRELATION)
    root = math.sqrt(spread)
    value = float(n * both - positives * predicted) / root
    # The derivatives with respect to the weights of all, of positives, of predicted and of both.
    of_all = both / root - value / 2 * (1 / (n - positives) + 1 / (n - predicted))
    of_there = -predicted / root - value / 2 * (1 / positives - 1 / (n - positives))
    of_found = -positives / root - value / 2 * (1 / predicted - 1 / (n - predicted))
    influence = of_all + of_there * there + of_found * found + n / root * (there & found)
    return Estimate(value, influence, about, CORRELATION)


def _check_labels(labels: ArrayLike) -> Integers:
    array = np.asarray(labels)
    if array.ndim != 1 or not len(array):
        raise BioftError(f"The labels must be a non-empty vector, not an array of shape {array.shape}.")
    bad = np.flatnonzero(~((array == 0) | (array == 1)))
    if len(bad):
        raise BioftError(
            f"The labels must be 0 or 1; {len(bad):,} of {len(array):,} are not: the first is "
            f"{array[bad[0]]} at index {bad[0]}."
        )
    return array.astype(np.int64)


def _warn_if_undefined(labels: Integers) -> None:
    positives = int(labels.sum())
    if positives in (0, len(labels)):
        undefined = "AUROC and AUPRC are" if positives == 0 else "AUROC is"
        words = f"{undefined} undefined (NaN): all {len(labels):,} labels are {labels[0]}."
        warnings.warn(words, UserWarning, stacklevel=4)
