"""Binary classification metrics with bootstrap intervals, and paired tests of two score vectors.

Everything works on two vectors: ``labels`` (0 or 1) and ``scores`` (probability of label 1, in [0, 1]).
"""

import math
import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from bioft.errors import BioftError
from bioft.metrics import bootstrap
from bioft.metrics.bootstrap import Floats, Integers, Measured, PairedDifference, nest, ratio, wilson_interval  # noqa: F401

METRICS = ("accuracy", "f1", "precision", "recall", "auroc", "auprc", "ece", "mcc")
"""The metrics, in the order in which they are reported."""

CALIBRATION_BINS = 15
"""Equal-width bins of the expected calibration error, the number that Guo et al. (2017) use."""


def metric_values(labels: ArrayLike, scores: ArrayLike, *, threshold: float = 0.5) -> dict[str, float]:
    """Return every metric of `METRICS` without an interval.

    A pair is predicted positive when ``score >= threshold``. A ratio without a denominator (precision when
    nothing is predicted positive, …) is 0, as in scikit-learn. AUROC needs both classes and AUPRC (average
    precision) at least one positive: without them they are NaN, and a `UserWarning` says why.

    ECE is the expected calibration error over 15 equal-width bins of the *score*: the mean of
    ``|fraction of positives - mean score|`` over the bins, weighted by their size (Naeini et al. 2015 for
    binary problems; number and width of the bins from Guo et al. 2017). It doesn't depend on the threshold.

    Raises:
        BioftError: labels other than 0 and 1, scores that are NaN or outside [0, 1], lengths that differ,
            no examples.
    """
    return measured(labels, scores, threshold=threshold).point()


def bootstrap_metrics(
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    threshold: float = 0.5,
    n_resamples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
    groups: ArrayLike | None = None,
) -> dict[str, float]:
    """Return every metric (see `metric_values`) as `bootstrap.figures` does, with ``n`` and ``threshold``.

    With ``groups`` (one value per example, such as its document or gene) whole groups are drawn, which is right when
    examples of a group are not independent.

    Raises:
        BioftError: as `metric_values`; fewer than 1 resample; a confidence outside (0, 1); groups of another
            length.
    """
    bootstrap.check_resampling(n_resamples, confidence)
    found = measured(labels, scores, threshold=threshold, groups=groups)
    flat = bootstrap.figures(found, n_resamples=n_resamples, seed=seed, confidence=confidence)
    return {**flat, "n": found.n}


def measured(
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    threshold: float = 0.5,
    groups: ArrayLike | None = None,
    metrics: Sequence[str] = METRICS,
) -> Measured:
    """Return some of the metrics as functions of how often each example counts; errors as `bootstrap_metrics`."""
    labels, scores = check_labels_and_scores(labels, scores)
    index = None
    if groups is not None:
        if np.shape(groups) != labels.shape:
            raise BioftError(
                f"One group per example is needed: groups have shape {np.shape(groups)}, expected {labels.shape}."
            )
        index = bootstrap.group_index(groups)
    if {"auroc", "auprc"} & set(metrics):
        _warn_if_undefined(labels)
    proportions = {"accuracy": np.ones(len(labels), bool), "precision": scores >= threshold, "recall": labels == 1}
    values = partial(_Ranked(labels, scores, threshold).metrics, names=metrics)
    zero, others = set(METRICS) - {"auroc", "auprc"}, {"threshold": float(threshold)}
    return Measured(values, len(labels), zero=zero, proportions=proportions, groups=index, others=others)


def paired_bootstrap(
    labels: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    *,
    metric: str = "auroc",
    thresholds: tuple[float, float] = (0.5, 0.5),
    groups: ArrayLike | None = None,
    **options: Any,
) -> PairedDifference:
    """Compare two score vectors on the same examples: the difference of a metric, first minus second.

    ``thresholds`` are those of the first and the second; options and the rest are those of `bootstrap.paired`.

    Raises:
        BioftError: as `bootstrap_metrics`, and an unknown metric.
    """
    if metric not in METRICS:
        raise BioftError(f"Unknown metric {metric!r}. Known: {', '.join(METRICS)}.")
    systems = [
        measured(labels, scores, threshold=threshold, groups=groups, metrics=(metric,))
        for scores, threshold in zip((first, second), thresholds, strict=True)
    ]
    return bootstrap.paired(metric, *systems, **options)


def ranking_values(labels: ArrayLike, scores: ArrayLike, weights: Floats) -> dict[str, Floats]:
    """Return AUROC and AUPRC in each resample, shape (resamples,), for weights of shape (resamples, examples).

    They are NaN where they are undefined. Raises BioftError as `metric_values`.
    """
    return _Ranked(*check_labels_and_scores(labels, scores), 0.5).metrics(weights, ("auroc", "auprc"))


def calibration_error(labels: ArrayLike, scores: ArrayLike, n_resamples: int = 1000) -> dict[str, float | int | None]:
    """Return the expected calibration error with its interval: value, low, high, n; errors as `metric_values`."""
    found = measured(labels, scores, metrics=("ece",))
    return bootstrap.nest({**bootstrap.figures(found, n_resamples=n_resamples), "n": found.n})["ece"]


def check_labels_and_scores(labels: ArrayLike, scores: ArrayLike) -> tuple[Integers, Floats]:
    """Return both as arrays of shape (n,): labels int64 (0 or 1), scores float64 in [0, 1].

    Raises:
        BioftError: anything else; says which example is wrong.
    """
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


def calibration_bins(scores: ArrayLike) -> Integers:
    """Return the bin of each score, 0 … 14. Bins are (left, right] as in Guo et al., the first holds 0 too."""
    bins = np.ceil(np.asarray(scores, dtype=np.float64) * CALIBRATION_BINS).astype(np.int64) - 1
    return np.clip(bins, 0, CALIBRATION_BINS - 1)


def calibration_gaps(truth: NDArray[Any], scores: Floats) -> Floats:
    """Return truth minus score in the column of each score's bin, else 0; shape (n, bins)."""
    gaps = np.zeros((len(scores), CALIBRATION_BINS))
    gaps[np.arange(len(scores)), calibration_bins(scores)] = truth - scores
    return gaps


def reliability(truth: ArrayLike, scores: ArrayLike) -> tuple[Floats, Floats, Floats, Integers]:
    """Return, of the bins that hold any scores, mean score, share that is so and the distances to the ends of its
    Wilson interval (2, bins); and the number of scores in each of all bins.
    """
    place = calibration_bins(scores)
    sizes = np.bincount(place, minlength=CALIBRATION_BINS)
    filled = np.flatnonzero(sizes)
    positives, sums = (np.bincount(place, each, CALIBRATION_BINS)[filled] for each in (truth, scores))
    share = positives / sizes[filled]
    bounds = [wilson_interval(int(k), int(n)) for k, n in zip(positives, sizes[filled], strict=True)]
    low, high = np.array(bounds).T
    # Rounding may put a bound a hair on the wrong side.
    return sums / sizes[filled], share, np.maximum([share - low, high - share], 0), sizes


def falling(scores: Floats) -> tuple[Integers, Integers]:
    """Return the order of falling scores, and the place of the last of each run of equal ones in it."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    return order, np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))


def auroc(labels: ArrayLike, scores: ArrayLike, weights: NDArray[np.floating]) -> Floats:
    """Return AUROC in each resample, shape (resamples,), for weights of shape (resamples, n); NaN with one class only.

    The share of pairs of a positive and a negative example in which the positive one scores higher, ties as half (Mann
    and Whitney 1947). Weights are whole numbers, so all sums are exact; weights in float32 whose columns are
    contiguous (``order="F"``) are not copied.
    """
    labels, scores = np.asarray(labels), np.asarray(scores)
    drawn = np.ascontiguousarray(weights.T, dtype=np.float32)
    positives, negatives = (np.flatnonzero(labels == label) for label in (1, 0))
    negatives = negatives[np.argsort(scores[negatives], kind="stable")]
    below, up_to = (np.searchsorted(scores[negatives], scores[positives], side=side) for side in ("left", "right"))
    there, sums = drawn[positives], _running_sums(drawn[negatives])
    wins = sums[below]
    if (below != up_to).any():
        wins = (wins + sums[up_to]) * np.float32(0.5)
    total = there.sum(axis=0, dtype=np.float64) * sums[-1]
    return ratio(np.einsum("ij,ij->j", there, wins, dtype=np.float64), total)


def _running_sums(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The sum of the first 0, 1, … rows, shape (n + 1 or more, columns).

    In blocks, whose rows are added side by side, which is faster than numpy's cumsum along the first axis.
    """
    n, columns = rows.shape
    size = max(1, int(np.sqrt(n)))
    blocks = np.zeros((-(-(n + 1) // size), size, columns), rows.dtype)
    blocks.reshape(-1, columns)[1 : n + 1] = rows
    for place in range(1, size):
        blocks[:, place] += blocks[:, place - 1]
    for place in range(1, len(blocks)):
        blocks[place] += blocks[place - 1, -1]
    return blocks.reshape(-1, columns)


def delong_interval(labels: ArrayLike, scores: ArrayLike) -> tuple[float, float, float]:
    """AUROC and its 95 % interval by DeLong's variance (fast form: Sun and Xu, IEEE SPL 2014)."""
    labels, scores = np.asarray(labels), np.asarray(scores)
    positive, negative = scores[labels == 1], scores[labels == 0]
    n_positive, n_negative = len(positive), len(negative)
    ranks = stats.rankdata(np.concatenate([positive, negative]))
    # For each example: the fraction of the other class that it is ranked right against.
    of_positive = (ranks[:n_positive] - stats.rankdata(positive)) / n_negative
    of_negative = 1 - (ranks[n_positive:] - stats.rankdata(negative)) / n_positive
    area = float(of_positive.mean())
    variance = sum(float(part.var(ddof=1)) / len(part) for part in (of_positive, of_negative) if len(part) > 1)
    margin = 1.959963984540054 * variance**0.5
    return area, max(0.0, area - margin), min(1.0, area + margin)


class _Ranked:
    """Labels and scores sorted once by falling score, for weighted metrics of many resamples."""

    def __init__(self, labels: Integers, scores: Floats, threshold: float) -> None:
        if math.isnan(threshold):
            raise BioftError("The threshold is NaN: give a number, such as the most accurate one on validation.")
        self.labels, self.scores = labels, scores
        # Tied examples enter a curve together.
        self.order, self.ends = falling(scores)
        self.positive = labels[self.order].astype(np.float64)
        self.predicted_positive = int((scores >= threshold).sum())
        self.gaps = calibration_gaps(self.positive, scores[self.order])

    def metrics(self, weights: Floats, names: Sequence[str]) -> dict[str, Floats]:
        """Return each named metric, shape (resamples,), for weights of shape (resamples, examples).

        NaN where a metric is undefined.
        """
        drawn, weights = weights, weights[:, self.order]
        positive = np.cumsum(weights * self.positive, axis=1)
        total = np.cumsum(weights, axis=1)
        all_positive, all_total = positive[:, -1], total[:, -1]
        all_negative = all_total - all_positive
        k = self.predicted_positive
        predicted = total[:, k - 1] if k else np.zeros(len(weights))
        tp = positive[:, k - 1] if k else np.zeros(len(weights))
        fp = predicted - tp
        fn = all_positive - tp
        tn = all_negative - fp

        def auprc() -> Floats:
            true, predicted = positive, total
            if len(self.ends) < positive.shape[1]:
                true, predicted = positive[:, self.ends], total[:, self.ends]
            return ratio((np.diff(true, prepend=0) * ratio(true, predicted, 0.0)).sum(axis=1), all_positive)

        formulas = {
            "accuracy": lambda: (tp + tn) / all_total,
            "f1": lambda: ratio(2 * tp, 2 * tp + fp + fn),
            "precision": lambda: ratio(tp, predicted),
            "recall": lambda: ratio(tp, all_positive),
            "auroc": lambda: auroc(self.labels, self.scores, drawn),
            "auprc": auprc,
            "ece": lambda: np.abs(weights @ self.gaps).sum(axis=1) / all_total,
            "mcc": lambda: ratio(tp * tn - fp * fn, np.sqrt(predicted * all_positive * all_negative * (tn + fn))),
        }
        return {name: formulas[name]() for name in names}


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
