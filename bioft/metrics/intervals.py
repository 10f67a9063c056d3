"""Binary classification metrics with intervals: bootstrap, Wilson, and paired tests of two score vectors.

Everything works on two vectors: ``labels`` (0 or 1) and ``scores`` (probability of label 1, in [0, 1]).
A bootstrap resample is a vector of weights, how often each example was drawn, so one weighted formula gives
the point value (all weights 1) and every resample, computed for many resamples at once by matrix operations.
"""

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from bioft.errors import BioftError

METRICS = ("accuracy", "f1", "precision", "recall", "auroc", "auprc", "ece", "mcc")
"""The metrics, in the order in which they are reported."""

CALIBRATION_BINS = 15
"""Equal-width bins of the expected calibration error, the number that Guo et al. (2017) use."""

# Elements of one weight matrix (resamples x examples): 32 MB each in float64, a few of them alive at a time.
_CHUNK_ELEMENTS = 4_000_000

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class PairedDifference(NamedTuple):
    """A metric of two score vectors on the same examples: ``difference`` is the first minus the second."""

    metric: str
    first: float
    second: float
    difference: float
    low: float
    high: float
    p_value: float
    n: int


class McNemar(NamedTuple):
    """McNemar's exact test: the examples that only one classifier gets right, and the two-sided p-value."""

    only_first_correct: int
    only_second_correct: int
    p_value: float


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
    labels, scores = check_labels_and_scores(labels, scores)
    _warn_if_undefined(labels)
    return _point_values(_Ranked(labels, scores, threshold), METRICS)


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
    """Return every metric of `METRICS` with its bootstrap interval, as a flat dict of floats.

    Keys: ``<metric>``, ``<metric>_low`` and ``<metric>_high`` for each metric (see `metric_values`), ``n``
    (number of examples) and ``threshold``. `nest` turns it into one entry per metric.

    Examples are drawn with replacement; with ``groups`` (one value per example, such as its document or
    gene) whole groups are, which is right when examples of a group are not independent. Intervals are
    percentile intervals, with two exceptions where those are known to be wrong:

    - ECE is biased upwards, and more so in a resample, so that a percentile interval can lie wholly above
      the value (in simulations it covered the true ECE of a slightly miscalibrated model in 3 % of samples
      of 500). Its interval is the reversed ("basic") one, ``2 * value - percentile`` (covered 88 %), cut at
      0 and reaching up to the value at least. It is still too narrow for a perfectly calibrated model.
    - An accuracy, precision or recall of exactly 0 or 1 is the same in every resample. Its interval is
      Wilson's instead (on the number of groups when there are groups).

    Resamples in which a metric has no denominator are left out of its interval. The same seed
    draws the same examples whatever the scores, so intervals of several models are comparable.

    Raises:
        BioftError: as `metric_values`; fewer than 1 resample; a confidence outside (0, 1); groups of another
            length.
    """
    labels, scores = check_labels_and_scores(labels, scores)
    check_resampling(n_resamples, confidence)
    group_index = _group_index(groups, len(labels))
    _warn_if_undefined(labels)
    ranked = _Ranked(labels, scores, threshold)
    point = _point_values(ranked, METRICS)
    chunks = [
        ranked.metrics(weights, METRICS) for weights in resample_weights(len(labels), n_resamples, seed, group_index)
    ]
    predicted = scores >= threshold
    # The examples that a proportion is about: its denominator.
    denominators = {"accuracy": np.ones(len(labels), bool), "precision": predicted, "recall": labels == 1}
    flat: dict[str, float] = {}
    for name in METRICS:
        value = point[name]
        low, high = percentiles(np.concatenate([chunk[name] for chunk in chunks]), confidence, value)
        if name == "ece":
            low, high = max(0.0, 2 * value - high), min(1.0, max(value, 2 * value - low))
        elif name in denominators and value in (0.0, 1.0):
            concerned = denominators[name]
            total = int(concerned.sum()) if group_index is None else len(np.unique(group_index[concerned]))
            low, high = wilson_interval(round(value * total), total, confidence)
        flat[name], flat[f"{name}_low"], flat[f"{name}_high"] = value, low, high
    return {**flat, "n": len(labels), "threshold": float(threshold)}


def nest(flat: Mapping[str, float]) -> dict[str, dict[str, float | int | None]]:
    """Turn a flat result into ``{"accuracy": {"value", "low", "high", "n"}, …}``, the shape in ``run.json``.

    Every key with a ``_low`` and a ``_high`` beside it becomes an entry; others (``threshold``) are left out.
    NaN, an undefined metric, becomes None, since JSON has no NaN.
    """

    def finite(value: float) -> float | None:
        return None if math.isnan(value) else float(value)

    return {
        name: {
            "value": finite(value),
            "low": finite(flat[f"{name}_low"]),
            "high": finite(flat[f"{name}_high"]),
            "n": int(flat["n"]),
        }
        for name, value in flat.items()
        if f"{name}_low" in flat and f"{name}_high" in flat
    }


def best_threshold(labels: ArrayLike, scores: ArrayLike) -> float:
    """Return the threshold that maximises accuracy, for ``score >= threshold``. Choose it on VALIDATION only.

    Candidates are the midpoints between neighbouring scores, and one outside them at each end (all examples
    negative: above 1 when a score is 1). Of several equally accurate ones it is the nearest to 0.5, then the
    lower.

    Raises:
        BioftError: as `metric_values`.
    """
    labels, scores = check_labels_and_scores(labels, scores)
    order = np.argsort(scores, kind="stable")
    values, starts = np.unique(scores[order], return_index=True)
    middle = (values[:-1] + values[1:]) / 2
    # Between adjacent floats the midpoint rounds to one of them: it must not take the lower one in.
    middle = np.where(middle <= values[:-1], values[1:], middle)
    above = (values[-1] + 1) / 2
    above = above if above > values[-1] else np.nextafter(values[-1], 2)
    candidates = np.concatenate([[values[0] / 2], middle, [above]])
    # Candidate k predicts positive from the k-th distinct score upwards.
    below = np.append(starts, len(labels))
    positives_below = np.concatenate([[0], np.cumsum(labels[order])])[below]
    correct = (below - positives_below) + (labels.sum() - positives_below)
    best = candidates[correct == correct.max()]
    return float(best[np.argmin(np.abs(best - 0.5))])


def wilson_interval(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return Wilson's score interval (1927) for a proportion; (0, 1) when ``n`` is 0.

    Raises:
        BioftError: ``successes`` outside 0 … n, or a confidence outside (0, 1).
    """
    if not 0 <= successes <= n:
        raise BioftError(f"A proportion of {successes} out of {n} is impossible: successes must be in 0 … n.")
    _check_confidence(confidence)
    if n == 0:
        return 0.0, 1.0
    interval = stats.binomtest(successes, n).proportion_ci(confidence_level=confidence, method="wilson")
    return float(interval.low), float(interval.high)


def paired_bootstrap(
    labels: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    *,
    metric: str = "auroc",
    thresholds: tuple[float, float] = (0.5, 0.5),
    n_resamples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
    groups: ArrayLike | None = None,
) -> PairedDifference:
    """Compare two score vectors on the same examples: the difference of a metric, first minus second.

    Both are resampled together, so what makes an example hard for both cancels. ``low`` and ``high`` are the
    percentile interval; ``p_value`` is two-sided, twice the smaller share of resamples on one side of 0 (with
    one added to both counts, so it is never below ``2 / (n_resamples + 1)``). ``thresholds`` are those of the
    first and the second.

    Raises:
        BioftError: as `bootstrap_metrics`, and an unknown metric.
    """
    if metric not in METRICS:
        raise BioftError(f"Unknown metric {metric!r}. Known: {', '.join(METRICS)}.")
    labels, first = check_labels_and_scores(labels, first)
    _, second = check_labels_and_scores(labels, second)
    check_resampling(n_resamples, confidence)
    group_index = _group_index(groups, len(labels))
    _warn_if_undefined(labels)
    ranked = [_Ranked(labels, s, t) for s, t in zip((first, second), thresholds, strict=True)]

    value_first, value_second = (_point_values(r, (metric,))[metric] for r in ranked)
    differences = np.concatenate(
        [
            np.subtract(*(_by_convention(metric, r.metrics(weights, (metric,))[metric]) for r in ranked))
            for weights in resample_weights(len(labels), n_resamples, seed, group_index)
        ]
    )
    return paired_difference(metric, value_first, value_second, differences, n=len(labels), confidence=confidence)


def paired_difference(
    metric: str, first: float, second: float, differences: Floats, *, n: int, confidence: float = 0.95
) -> PairedDifference:
    """Return the comparison of two values whose difference in each resample is given; `paired_bootstrap` says how.

    ``differences`` has shape (resamples,), NaN where it is undefined; ``n`` is the number of examples.
    """
    low, high = percentiles(differences, confidence, first - second)
    defined = differences[~np.isnan(differences)]
    if len(defined):
        one_side = min(int((defined <= 0).sum()), int((defined >= 0).sum()))
        p_value = min(1.0, 2 * (one_side + 1) / (len(defined) + 1))
    else:
        p_value = math.nan
    return PairedDifference(metric, first, second, first - second, low, high, p_value, n)


def ranking_values(labels: ArrayLike, scores: ArrayLike, weights: Floats) -> dict[str, Floats]:
    """Return AUROC and AUPRC in each resample, shape (resamples,), for weights of shape (resamples, examples).

    They are NaN where they are undefined. Raises BioftError as `metric_values`.
    """
    return _Ranked(*check_labels_and_scores(labels, scores), 0.5).metrics(weights, ("auroc", "auprc"))


def mcnemar(labels: ArrayLike, first: ArrayLike, second: ArrayLike) -> McNemar:
    """Compare the accuracy of two sets of predicted labels (0 or 1) on the same examples.

    McNemar's test (1947) in its exact form, a binomial test on the examples that only one gets right.

    Raises:
        BioftError: labels or predictions other than 0 and 1, lengths that differ, no examples.
    """
    labels = _check_labels(labels, "labels")
    right = []
    for name, predictions in (("first", first), ("second", second)):
        predictions = _check_labels(predictions, f"{name} predictions")
        _check_lengths(labels, predictions, f"{name} predictions")
        right.append(predictions == labels)
    only_first, only_second = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    discordant = only_first + only_second
    p_value = float(stats.binomtest(only_first, discordant).pvalue) if discordant else 1.0
    return McNemar(only_first, only_second, p_value)


def check_labels_and_scores(labels: ArrayLike, scores: ArrayLike) -> tuple[Integers, Floats]:
    """Return both as arrays of shape (n,): labels int64 (0 or 1), scores float64 in [0, 1].

    Raises:
        BioftError: anything else; says which example is wrong.
    """
    labels = _check_labels(labels, "labels")
    try:
        scores = np.asarray(scores, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BioftError(f"Scores must be numbers: {error}.") from error
    _check_lengths(labels, scores, "scores")
    bad = np.flatnonzero(~((scores >= 0) & (scores <= 1)))  # the negation catches NaN too
    if len(bad):
        raise BioftError(
            f"{len(bad):,} of {len(scores):,} scores are not in [0, 1]; the first is {scores[bad[0]]} at "
            f"index {bad[0]}. Scores are probabilities of label 1: apply a sigmoid to logits first."
        )
    return labels, scores


def calibration_bins(scores: ArrayLike) -> Integers:
    """Return the bin of each score, 0 … 14. Bins are (left, right] as in Guo et al., the first holds 0 too."""
    bins = np.ceil(np.asarray(scores, dtype=np.float64) * CALIBRATION_BINS).astype(np.int64) - 1
    return np.clip(bins, 0, CALIBRATION_BINS - 1)


class _Ranked:
    """Labels and scores sorted once by falling score, for weighted metrics of many resamples."""

    def __init__(self, labels: Integers, scores: Floats, threshold: float) -> None:
        if math.isnan(threshold):
            raise BioftError("The threshold is NaN: give a number, such as best_threshold of validation.")
        self.order = np.argsort(-scores, kind="stable")
        ranked = scores[self.order]
        self.positive = labels[self.order].astype(np.float64)
        # The last example of each run of equal scores: tied examples enter a curve together.
        self.ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
        self.predicted_positive = int((scores >= threshold).sum())
        self.gaps = np.zeros((len(ranked), CALIBRATION_BINS))
        self.gaps[np.arange(len(ranked)), calibration_bins(ranked)] = self.positive - ranked

    def metrics(self, weights: Floats, names: Sequence[str]) -> dict[str, Floats]:
        """Return each named metric, shape (resamples,), for weights of shape (resamples, examples).

        NaN where a metric is undefined.
        """
        weights = weights[:, self.order]
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

        def curves() -> tuple[Floats, Floats]:
            if len(self.ends) == positive.shape[1]:
                return positive, total
            return positive[:, self.ends], total[:, self.ends]

        def auroc() -> Floats:
            true, predicted = curves()
            false = predicted - true
            area = (np.diff(false, prepend=0) * (true + _shifted(true))).sum(axis=1) / 2
            return _ratio(area, all_positive * all_negative, np.nan)

        def auprc() -> Floats:
            true, predicted = curves()
            area = (np.diff(true, prepend=0) * _ratio(true, predicted, 0.0)).sum(axis=1)
            return _ratio(area, all_positive, np.nan)

        formulas = {
            "accuracy": lambda: (tp + tn) / all_total,
            "f1": lambda: _ratio(2 * tp, 2 * tp + fp + fn, np.nan),
            "precision": lambda: _ratio(tp, predicted, np.nan),
            "recall": lambda: _ratio(tp, all_positive, np.nan),
            "auroc": auroc,
            "auprc": auprc,
            "ece": lambda: np.abs(weights @ self.gaps).sum(axis=1) / all_total,
            "mcc": lambda: _ratio(
                tp * tn - fp * fn,
                np.sqrt(predicted * all_positive * all_negative * (tn + fn)),
                np.nan,
            ),
        }
        return {name: formulas[name]() for name in names}


def _shifted(values: Floats) -> Floats:
    """Return the values one step earlier along the curve, starting at 0."""
    return np.concatenate([np.zeros((len(values), 1)), values[:, :-1]], axis=1)


def _ratio(numerator: Floats, denominator: Floats, otherwise: float) -> Floats:
    result = np.full_like(numerator, otherwise, dtype=np.float64)
    return np.divide(numerator, denominator, out=result, where=denominator > 0)


def resample_weights(n: int, n_resamples: int, seed: int, group_index: Integers | None = None) -> Iterator[Floats]:
    """Yield weight matrices of shape (some resamples, n): how often each example was drawn.

    With ``group_index`` (0, 1, … per example) whole groups are drawn. The rows don't depend on the size of a chunk.
    """
    rng = np.random.default_rng(seed)
    units = n if group_index is None else int(group_index.max()) + 1
    size = max(1, _CHUNK_ELEMENTS // max(n, units))
    for start in range(0, n_resamples, size):
        rows = min(size, n_resamples - start)
        drawn = rng.integers(0, units, size=(rows, units))
        drawn += np.arange(rows)[:, None] * units
        counts = np.bincount(drawn.ravel(), minlength=rows * units).reshape(rows, units).astype(np.float64)
        yield counts if group_index is None else counts[:, group_index]


def _by_convention(metric: str, values: Floats) -> Floats:
    """Return 0 for a ratio without a denominator; an undefined AUROC or AUPRC stays NaN."""
    return values if metric in ("auroc", "auprc") else np.nan_to_num(values)


def _point_values(ranked: _Ranked, metrics: Sequence[str]) -> dict[str, float]:
    values = ranked.metrics(np.ones((1, len(ranked.order))), metrics)
    return {metric: float(_by_convention(metric, values[metric])[0]) for metric in metrics}


def percentiles(values: Floats, confidence: float, otherwise: float) -> tuple[float, float]:
    """Return the percentile interval of the defined values; when there are none, ``otherwise`` twice."""
    defined = values[~np.isnan(values)]
    if not len(defined):
        return otherwise, otherwise
    tail = (1 - confidence) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)


def _group_index(groups: ArrayLike | None, n: int) -> Integers | None:
    if groups is None:
        return None
    groups = np.asarray(groups)
    if groups.shape != (n,):
        raise BioftError(f"One group per example is needed: groups have shape {groups.shape}, expected ({n},).")
    return np.unique(groups, return_inverse=True)[1].astype(np.int64)


def _check_labels(labels: ArrayLike, name: str) -> Integers:
    array = np.asarray(labels)
    if array.ndim != 1 or not len(array):
        raise BioftError(f"The {name} must be a non-empty vector, not an array of shape {array.shape}.")
    bad = np.flatnonzero(~((array == 0) | (array == 1)))
    if len(bad):
        raise BioftError(
            f"The {name} must be 0 or 1; {len(bad):,} of {len(array):,} are not: the first is "
            f"{array[bad[0]]} at index {bad[0]}."
        )
    return array.astype(np.int64)


def _check_lengths(labels: NDArray[Any], other: NDArray[Any], name: str) -> None:
    if other.shape != labels.shape:
        raise BioftError(f"Shapes differ: labels are {labels.shape}, {name} are {other.shape}.")


def check_resampling(n_resamples: int, confidence: float) -> None:
    """Raise BioftError for fewer than 1 resample and for a confidence outside (0, 1)."""
    if n_resamples < 1:
        raise BioftError(f"n_resamples must be at least 1, not {n_resamples}.")
    _check_confidence(confidence)


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise BioftError(f"confidence must be between 0 and 1, such as 0.95, not {confidence}.")


def _warn_if_undefined(labels: Integers) -> None:
    positives = int(labels.sum())
    if positives in (0, len(labels)):
        undefined = "AUROC and AUPRC are" if positives == 0 else "AUROC is"
        warnings.warn(
            f"{undefined} undefined (NaN): all {len(labels):,} labels are {labels[0]}.",
            UserWarning,
            stacklevel=3,
        )
