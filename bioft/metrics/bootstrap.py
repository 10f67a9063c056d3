"""The bootstrap: intervals of metrics and of their differences, over examples drawn with replacement.

A resample is a vector of weights, how often each example was drawn. So a metric is a function of weights: one formula
gives the point value (all weights 1) and every resample, computed for many resamples at once by matrix operations.
The same seed draws the same examples whatever the metric, so intervals of several systems are comparable.
"""

import math
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from bioft.errors import BioftError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Values = Callable[[Floats], Mapping[str, Floats]]
"""Each metric, shape (resamples,), for weights of shape (resamples, examples); NaN where it is undefined."""

# Elements of one weight matrix (resamples x examples): 32 MB each in float64, a few of them alive at a time.
_CHUNK_ELEMENTS = 4_000_000


class PairedDifference(NamedTuple):
    """A metric of two systems on the same examples: ``difference`` is the first minus the second."""

    metric: str
    first: float
    second: float
    difference: float
    low: float
    high: float
    p_value: float
    n: int


class SignTest(NamedTuple):
    """The examples that only the first, or only the second system is righter on, and the two-sided p-value."""

    first: int
    second: int
    p_value: float


@dataclass(frozen=True)
class Measured:
    """What was measured on ``n`` examples (documents, queries, …), which are what is resampled."""

    values: Values
    n: int
    zero: Collection[str] = ()
    """Metrics that are 0 without a denominator, as in scikit-learn; others are NaN then."""
    proportions: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    """Of metrics that are shares: the examples that they are about, for Wilson's interval; each of shape (n,)."""
    groups: Integers | None = None
    """0, 1, … per example: examples of a group are drawn together. None draws each alone."""
    means: Mapping[str, float] = field(default_factory=dict)
    """Point values that are known more exactly than `values` has them, such as means."""
    others: Mapping[str, float] = field(default_factory=dict)
    """What belongs to the result beside metrics, such as numbers of examples."""

    def point(self) -> dict[str, float]:
        """The value of each metric on all examples."""
        values = self.by_convention(self.values(np.ones((1, self.n))))
        return {name: float(value[0]) for name, value in values.items()} | dict(self.means)

    def by_convention(self, values: Mapping[str, Floats]) -> dict[str, Floats]:
        """The values with 0 for a ratio without a denominator, where that is the convention."""
        return {name: np.nan_to_num(value) if name in self.zero else value for name, value in values.items()}


def figures(
    measured: Measured, *, n_resamples: int = 1000, seed: int = 0, confidence: float = 0.95, prefix: str = ""
) -> dict[str, float]:
    """Return every metric with its interval as a flat dict: ``<metric>``, ``<metric>_low`` and ``<metric>_high``.

    ``prefix`` stands before each; 0 resamples leave the intervals out. Intervals are percentile intervals, with two
    exceptions where those are known to be wrong:

    - ECE (a metric called so) is biased upwards, and more so in a resample, so that a percentile interval can lie
      wholly above the value (in simulations it covered the true ECE of a slightly miscalibrated model in 3 % of
      samples of 500). Its interval is the reversed ("basic") one, ``2 * value - percentile`` (covered 88 %), cut at 0
      and reaching up to the value at least. It is still too narrow for a perfectly calibrated model.
    - A proportion of exactly 0 or 1 is the same in every resample. Its interval is Wilson's instead (on the number of
      groups when there are groups).

    Resamples in which a metric has no denominator are left out of its interval.

    Raises:
        BioftError: fewer than 0 resamples, or a confidence outside (0, 1).
    """
    if n_resamples:
        check_resampling(n_resamples, confidence)
    drawn = resampled(measured.values, measured.n, n_resamples, seed, groups=measured.groups) if n_resamples else {}
    flat: dict[str, float] = {}
    for name, value in measured.point().items():
        flat[prefix + name] = value
        if name in drawn:
            low, high = percentiles(drawn[name], confidence, value)
            if name == "ece":
                low, high = max(0.0, 2 * value - high), min(1.0, max(value, 2 * value - low))
            elif name in measured.proportions and value in (0.0, 1.0):
                its = np.flatnonzero(measured.proportions[name])
                total = len(its) if measured.groups is None else len(np.unique(measured.groups[its]))
                low, high = wilson_interval(round(value * total), total, confidence)
            flat[f"{prefix}{name}_low"], flat[f"{prefix}{name}_high"] = low, high
    return flat | {prefix + name: value for name, value in measured.others.items()}


def nest(flat: Mapping[str, float]) -> dict[str, dict[str, float | int | None]]:
    """Turn a flat result into ``{"accuracy": {"value", "low", "high", "n"}, …}``, the shape in ``run.json``.

    Every key with a ``_low`` and a ``_high`` beside it becomes an entry; others (``threshold``) are left out.
    NaN, an undefined metric, becomes None, since JSON has no NaN.
    """

    def finite(key: str) -> float | None:
        return None if math.isnan(flat[key]) else float(flat[key])

    ends = {"value": "", "low": "_low", "high": "_high"}
    return {
        name: {key: finite(name + end) for key, end in ends.items()} | {"n": int(flat["n"])}
        for name in flat
        if f"{name}_low" in flat and f"{name}_high" in flat
    }


def paired(
    metric: str, first: Measured, second: Measured, *, n_resamples: int = 1000, seed: int = 0, confidence: float = 0.95
) -> PairedDifference:
    """Compare two systems on the same examples: the difference of a metric, the first minus the second.

    Both are resampled together, so what makes an example hard for both cancels. ``low`` and ``high`` are the
    percentile interval; ``p_value`` is two-sided, twice the smaller share of resamples on one side of 0 (with one
    added to both counts, so it is never below ``2 / (n_resamples + 1)``). A metric that only one of them has, such as
    the F1 of a type that the other never predicts, is 0 for the other.

    Raises:
        BioftError: a metric that neither has; fewer than 1 resample; a confidence outside (0, 1).
    """
    points = [first.point(), second.point()]
    if metric not in (known := points[0] | points[1]):
        raise BioftError(f"Unknown metric {metric!r}. Known: {', '.join(known)}.")
    check_resampling(n_resamples, confidence)
    draws = []
    for each in (first, second):
        drawn = each.by_convention(resampled(each.values, each.n, n_resamples, seed, groups=each.groups))
        draws.append(drawn.get(metric, np.zeros(n_resamples)))
    ours, theirs = (point.get(metric, 0.0) for point in points)
    return paired_difference(metric, ours, theirs, draws[0] - draws[1], n=first.n, confidence=confidence)


def paired_difference(
    metric: str, first: float, second: float, differences: Floats, *, n: int, confidence: float = 0.95
) -> PairedDifference:
    """Return the comparison of two values whose difference in each resample is given; `paired` says how.

    ``differences`` has shape (resamples,), NaN where it is undefined; ``n`` is the number of examples.
    """
    low, high = percentiles(differences, confidence, first - second)
    defined = differences[~np.isnan(differences)]
    p_value = math.nan
    if len(defined):
        one_side = min(int((defined <= 0).sum()), int((defined >= 0).sum()))
        p_value = min(1.0, 2 * (one_side + 1) / (len(defined) + 1))
    return PairedDifference(metric, first, second, first - second, low, high, p_value, n)


def resampled(
    values: Values, n: int, n_resamples: int, seed: int, *, groups: Integers | None = None, threads: int = 1
) -> dict[str, Floats]:
    """Return each metric of `values` in every resample over n examples, shape (resamples,)."""
    parts: list[Mapping[str, Floats]] = []
    waiting: deque[Future[Mapping[str, Floats]]] = deque()
    with ThreadPoolExecutor(threads) as pool:  # numpy lets other threads run meanwhile
        for weights in resample_weights(n, n_resamples, seed, groups):
            waiting.append(pool.submit(values, weights))
            if len(waiting) > threads:  # else all weights would be in memory at once
                parts.append(waiting.popleft().result())
        parts += [future.result() for future in waiting]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def resample_weights(n: int, n_resamples: int, seed: int, groups: Integers | None = None) -> Iterator[Floats]:
    """Yield weight matrices of shape (some resamples, n): how often each example was drawn.

    With ``groups`` (0, 1, … per example) whole groups are drawn. The rows don't depend on the size of a chunk.
    """
    rng = np.random.default_rng(seed)
    units = n if groups is None else int(groups.max()) + 1
    size = max(1, _CHUNK_ELEMENTS // max(n, units))
    for start in range(0, n_resamples, size):
        rows = min(size, n_resamples - start)
        drawn = rng.integers(0, units, size=(rows, units))
        drawn += np.arange(rows)[:, None] * units
        counts = np.bincount(drawn.ravel(), minlength=rows * units).reshape(rows, units).astype(np.float64)
        yield counts if groups is None else counts[:, groups]


def group_index(groups: ArrayLike) -> Integers:
    """Return 0, 1, … for each group, by the sorted names of groups; the same shape."""
    return np.unique(np.asarray(groups), return_inverse=True)[1].astype(np.int64)


def percentiles(values: Floats, confidence: float, otherwise: float) -> tuple[float, float]:
    """Return the percentile interval of the defined values; when there are none, ``otherwise`` twice."""
    defined = values[~np.isnan(values)]
    if not len(defined):
        return otherwise, otherwise
    tail = (1 - confidence) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)


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


def sign_test(first: ArrayLike, second: ArrayLike) -> SignTest:
    """Compare how right two systems are on the same examples, each of shape (n,), by the exact sign test.

    On right and wrong answers it is McNemar's test (1947) in its exact form. BioftError for lengths that differ.
    """
    first, second = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if first.shape != second.shape:
        raise BioftError(f"Shapes differ: the first system's are {first.shape}, the second's {second.shape}.")
    more, fewer = int((first > second).sum()), int((first < second).sum())
    return SignTest(more, fewer, float(stats.binomtest(more, more + fewer).pvalue) if more + fewer else 1.0)


def ratio(numerator: Floats, denominator: Floats, otherwise: float = math.nan) -> Floats:
    """Return the elementwise quotient, ``otherwise`` where there is no positive denominator."""
    result = np.full_like(numerator, otherwise, dtype=np.float64)
    return np.divide(numerator, denominator, out=result, where=denominator > 0)


def check_resampling(n_resamples: int, confidence: float) -> None:
    """Raise BioftError for fewer than 1 resample and for a confidence outside (0, 1)."""
    if n_resamples < 1:
        raise BioftError(f"n_resamples must be at least 1, not {n_resamples}.")
    _check_confidence(confidence)


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise BioftError(f"confidence must be between 0 and 1, such as 0.95, not {confidence}.")
