"""Estimates: metrics with what their intervals and tests need, which are the same for every task.

Every metric is a function of how much each example counts. Its derivative with respect to that weight is the example's
*influence*; the sum of squared influences is the metric's variance (infinitesimal jackknife, Jaeckel 1972), and by
groups of examples that belong together it is cluster-robust (`Groups`). docs/intervals.md says how often
the intervals hold the true value in simulations.

**Intervals** of shares are Wilson's (1927), with the number of independent examples that would give the same variance
in place of n, as surveys have it (Korn and Graubard 1998). To the examples that a metric is about a quarter of one is
added, half right and half wrong, before that number is computed: so an interval has a width also where all examples
are right, and for right and wrong answers it is Wilson's own. F1 is such a share after F1 / (2 - F1): the right items
among all that are there or were found.

**Differences** of two systems on the same examples are tested by t, with the variance of the difference of influences.
One more group that differs as those do that differ is added (Agresti and Min 2005 do so with 2 x 2 tables).
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special  # `scipy.stats` takes a second to import

from bioft.errors import BioftError
from bioft.metrics.estimation.groups import Floats, Groups, Mask

CONFIDENCE = 0.95
MORE = 0.25
"""How much of an example is added. In simulations 0.1 to 1 held as often as they should, the more the wider."""

LEAST_DEGREES = 0.5
"""Degrees of freedom of the variance of a part of an average that no group tells of (until schema 4 also: one)."""
NOTHING_KNOWN = 0.25
"""The variance of a share that no example tells of, the largest that a share can have."""
BORROWED = 2.0
"""How many groups a part of a difference of areas borrows from the others (1 to 4 hold alike in simulations)."""
RARE_PARTS = 5
"""The schema of records from which on averages have the variance of rare parts as `Average` says."""
LEFT_OUT = 6
"""The schema of records from which on averages know of parts left out, and differences of the parts of both."""
_schema: ContextVar[int] = ContextVar("schema", default=LEFT_OUT)


@contextmanager
def of_schema(schema: int) -> Iterator[None]:
    """Make intervals and tests of averages in the way of the time when a record of this schema was written."""
    token = _schema.set(schema)
    try:
        yield
    finally:
        _schema.reset(token)


class Scale(NamedTuple):
    """How a metric becomes a share or, without bounds, a number with a symmetric interval; and back."""

    to: Callable[[float], float]
    slope: Callable[[float], float]
    """The derivative of `to`."""
    back: Callable[[float], float]
    is_share: bool = True
    span: float = 1.0
    """The largest difference of two values."""


SHARE = Scale(lambda value: value, lambda value: 1.0, lambda share: share)
F1 = Scale(lambda f1: f1 / (2 - f1), lambda f1: 2 / (2 - f1) ** 2, lambda share: 2 * share / (1 + share))
CORRELATION = Scale(lambda value: (1 + value) / 2, lambda value: 0.5, lambda share: 2 * share - 1, span=2.0)
LOGARITHM = Scale(math.log, lambda value: 1 / value, math.exp, is_share=False, span=math.inf)
NUMBER = Scale(lambda value: value, lambda value: 1.0, lambda value: value, is_share=False, span=math.inf)


def count_of(n: int) -> Scale:
    """The scale of a number of examples out of n."""
    return Scale(lambda count: count / n, lambda count: 1 / n, lambda share: share * n, span=n)


class Unseen(NamedTuple):
    """What the influences of an average do not show; of estimates that are none nothing."""

    variance: float = 0.0
    """Beyond that of the influences."""
    bias: float = 0.0
    """To second order."""
    whole: float = 0.0
    """The sum of the variances of its parts."""
    squares: float = 0.0
    """The sum of their squares, each by its degrees of freedom."""

    @property
    def degrees(self) -> float:
        """The degrees of freedom of the sum of variances by Satterthwaite's approximation."""
        return max(1.0, self.whole**2 / self.squares) if self.squares else math.inf


@dataclass(frozen=True)
class Estimate:
    """A metric on n examples."""

    value: float
    """NaN where it is undefined."""
    influence: Floats
    """Shape (n,): how the value changes with the weight of each example, at a weight of 1."""
    about: tuple[Mask, ...] = ()
    """The examples that it is about, each of shape (n,); of several kinds it needs all (positives and negatives)."""
    scale: Scale = SHARE
    bias: float = 0.0
    """How far the value is expected to lie above what it is of very many examples."""

    def units(self, groups: Groups) -> float:
        """How many groups of examples it is about; of several kinds of examples the harmonic mean."""
        counts = [groups.count(mask) for mask in self.about] or [groups.count(np.ones(groups.n, bool))]
        return len(counts) / sum(1 / count for count in counts) if all(counts) else 0.0

    def interval(self, groups: Groups, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """The interval, as the module says; NaN for an undefined value, infinite where nothing bounds it."""
        if math.isnan(self.value):
            return math.nan, math.nan
        to, slope, back, is_share, _ = self.scale
        if is_share:
            share, units, variance = self.share(groups)
            # The number of independent examples whose share would have this variance.
            shrunk, variance = _with_more(share, variance, units)
            size = shrunk * (1 - shrunk) / variance if units else 0.0
            low, high = wilson(share, size, _quantile(groups, confidence))
            return min(self.value, back(low)), max(self.value, back(high))
        margin = _quantile(groups, confidence) * math.sqrt(groups.variance(self.influence)) * slope(self.value)
        if not math.isfinite(margin):
            return -math.inf, math.inf
        return back(to(self.value) - margin), back(to(self.value) + margin)

    def unseen(self, groups: Groups) -> Unseen:
        """What the influences do not show."""
        return Unseen()

    def kept(self, groups: Groups, value: float) -> float:
        """The share of the influences' variance that the metric has where it is `value`."""
        return 1.0

    def share(self, groups: Groups) -> tuple[float, float, float]:
        """The value as a share, how many groups it is about, and its variance."""
        slope = self.scale.slope(self.value)
        share = min(max(self.scale.to(self.value - self.bias), 0.0), 1.0)
        return share, self.units(groups), groups.variance(self.influence) * slope**2


@dataclass(frozen=True)
class Average(Estimate):
    """The mean of other estimates, such as macro F1.

    What there is of rare parts misleads: the F1 of a label with one text is 0 or 1, without a variance, and on average
    below its true value, since F1 is concave in the share of right items. So to the variance each part adds what its
    own interval has more, by what it adds, and the centre is the value less its bias to second order. In u groups a
    variance is seen too small, by more than u / (u + 1) where the value is 0 or 1: it is taken (u + 1) / u times. How
    much parts of few groups vary is itself known badly: the degrees of freedom are Satterthwaite's (1946) over the
    parts, each of which has as many as groups that it is about. Of a part that no example tells of, as the precision
    of a label that is never predicted, anything may be so: it has the largest variance of a share. No end lies further
    out than the mean of those of the parts.

    Parts that are left out, as labels that neither occur nor are predicted, vary as the others do: the mean has the
    variance of a sample without replacement (Cochran 1977), also where it is not about all parts.
    """

    parts: tuple[Estimate, ...] = ()
    of_truth: bool = False
    """Whether it has the same parts for all systems, as the areas of the labels that occur."""
    left_out: int = 0
    """How many parts more there would be of very many examples."""

    @classmethod
    def of(cls, parts: Sequence[Estimate], n: int, *, of_truth: bool = False, left_out: int = 0) -> "Average":
        """The mean of those that are defined; NaN if none is."""
        known = tuple(part for part in parts if not math.isnan(part.value))
        if not known:
            return cls(math.nan, np.zeros(n))
        value = float(np.mean([part.value for part in known]))
        influence = np.mean([part.influence for part in known], axis=0)
        return cls(value, influence, parts=known, of_truth=of_truth, left_out=left_out)

    def pooled(self, other: Estimate, groups: Groups) -> tuple[float, float] | None:
        """What the difference of two averages of the same parts lacks in variance, and the degrees of freedom.

        A part of few groups borrows from the others how much a group varies, as if it had `BORROWED` groups more that
        vary as those of the parts do on average (Smyth 2004). None where no part has two groups.
        """
        pairs = list(zip(self.parts, other.parts, strict=True)) if isinstance(other, Average) else []
        units = np.array([min(groups.count(mask) for mask in ours.about) for ours, _ in pairs], float)
        seen = np.array([groups.variance(ours.influence - theirs.influence) for ours, theirs in pairs])
        if not (several := units > 1).any():
            return None
        own = units - 1
        of_one = (own * units * seen + BORROWED * (units * seen)[several].mean()) / (own + BORROWED)
        each = of_one / units
        degrees = each.sum() ** 2 / (each**2 / (own + BORROWED)).sum() if each.any() else math.inf
        return max(0.0, float((each - seen).sum())) / len(pairs) ** 2, float(degrees)

    def interval(self, groups: Groups, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """The interval, as the class says."""
        if math.isnan(self.value):
            return math.nan, math.nan
        if not groups.degrees:
            return 0.0, 1.0
        unseen = self.unseen(groups)
        centre = min(max(self.value - unseen.bias, 1e-9), 1 - 1e-9)
        variance = groups.variance(self.influence) + unseen.variance
        if self.left_out and _schema.get() >= LEFT_OUT:
            there = len(self.parts)
            spread = float(np.var([part.value for part in self.parts], ddof=1)) if there > 1 else NOTHING_KNOWN
            variance += self.left_out / (there + self.left_out) * spread / there
        size = centre * (1 - centre) / variance
        quantile = float(special.stdtrit(min(unseen.degrees, groups.degrees), (1 + confidence) / 2))
        low, high = wilson(centre, size, quantile)
        if _schema.get() >= RARE_PARTS:
            # Wilson's size is 0 at the very ends of the scale. Parts that move together have the mean of their ends.
            lows, highs = np.array([part.interval(groups, confidence) for part in self.parts]).T
            low, high = max(low, float(np.mean(lows))), min(high, float(np.mean(highs)))
        return min(low, self.value), max(high, self.value)

    def unseen(self, groups: Groups) -> Unseen:
        """What the parts' own intervals have beyond their influences."""
        variance = bias = total = squares = 0.0
        earlier = _schema.get() < RARE_PARTS
        for part in self.parts:
            share, units, of_share = part.share(groups)
            shrunk, wider = _with_more(share, of_share, units)
            if not units and not earlier:
                wider = NOTHING_KNOWN
            slope = 1 / part.scale.slope(part.scale.back(shrunk))
            bias += (part.bias + _curvature(part.scale, shrunk) * wider / 2) / len(self.parts)
            wider, degrees = (wider, units - 1) if earlier else (wider * (units + 1) / max(units, 1), units)
            seen = groups.variance(part.influence)
            variance += max(0.0, wider * slope**2 - seen) / len(self.parts) ** 2
            whole = max(wider * slope**2, seen)
            total, squares = total + whole, squares + whole**2 / max(degrees, LEAST_DEGREES)
        count = max(1, len(self.parts))
        return Unseen(variance, bias, total / count**2, squares / count**4)


@dataclass(frozen=True)
class Measured:
    """What was measured on ``n`` examples (documents, queries, …)."""

    estimates: Mapping[str, Estimate]
    n: int
    groups: tuple[ArrayLike, ...] = ()
    """For each kind of group one value per example: see `Groups`."""
    others: Mapping[str, float] = field(default_factory=dict)
    """What belongs to the result beside metrics, such as numbers of examples."""

    def nested(self) -> dict[str, dict[str, float | int | None]]:
        """Each metric with value, low, high and n, as `nest` gives them."""
        return nest({**figures(self), "n": self.n})


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


def ratio(numerator: ArrayLike, denominator: ArrayLike, scale: Scale = SHARE, otherwise: float = 0.0) -> Estimate:
    """The ratio of two sums over examples, each of shape (n,); `otherwise` without a positive denominator."""
    above, below = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    total, about = float(below.sum()), (below > 0,)
    if total <= 0:
        return Estimate(otherwise, np.zeros(len(above)), about, scale)
    value = float(above.sum()) / total
    return Estimate(value, (above - value * below) / total, about, scale)


def mean(values: ArrayLike, scale: Scale = SHARE) -> Estimate:
    """The mean of numbers, one for each example."""
    each = np.asarray(values, np.float64)
    value = float(each.mean())
    return Estimate(value, (each - value) / len(each), (), scale)


def figures(measured: Measured, *, confidence: float | None = CONFIDENCE, prefix: str = "") -> dict[str, float]:
    """Return every metric with its interval as a flat dict: ``<metric>``, ``<metric>_low`` and ``<metric>_high``.

    ``prefix`` stands before each; a confidence of None leaves the intervals out. BioftError: a confidence outside (0,
    1), or groups of another length.
    """
    groups = Groups(measured.n, measured.groups)
    flat: dict[str, float] = {}
    for name, estimate in measured.estimates.items():
        flat[prefix + name] = estimate.value
        if confidence is not None:
            _check_confidence(confidence)
            flat[f"{prefix}{name}_low"], flat[f"{prefix}{name}_high"] = estimate.interval(groups, confidence)
    return flat | {prefix + name: value for name, value in measured.others.items()}


def nest(flat: Mapping[str, float]) -> dict[str, dict[str, float | int | None]]:
    """Turn a flat result into ``{"accuracy": {"value", "low", "high", "n"}, …}``, the shape in ``run.json``.

    Every key with a ``_low`` and a ``_high`` beside it becomes an entry; others (``threshold``) are left out. What is
    not finite, such as an undefined metric, becomes None, since JSON has no NaN.
    """

    def finite(key: str) -> float | None:
        return float(flat[key]) if math.isfinite(flat[key]) else None

    ends = {"value": "", "low": "_low", "high": "_high"}
    return {
        name: {key: finite(name + end) for key, end in ends.items()} | {"n": int(flat["n"])}
        for name in flat
        if f"{name}_low" in flat and f"{name}_high" in flat
    }


def paired(metric: str, first: Measured, second: Measured, *, confidence: float = CONFIDENCE) -> PairedDifference:
    """Compare two systems on the same examples: the difference of a metric, the first minus the second.

    What makes an example hard for both cancels. ``low`` and ``high`` are its interval by t, ``p_value`` is two-sided;
    the interval is without 0 just where the p-value is below 1 - confidence. A metric that only one of them has, such
    as the F1 of a type that the other never predicts, is 0 for the other. The groups are those of the first.
    BioftError: a metric that neither has, or whose differences can't be tested; a confidence outside (0, 1).
    """
    if metric not in (known := {**first.estimates, **second.estimates}):
        raise BioftError(f"Unknown metric {metric!r}. Known: {', '.join(known)}.")
    _check_confidence(confidence)
    nothing = replace(known[metric], value=0.0, influence=np.zeros(first.n))
    ours, theirs = (each.estimates.get(metric, nothing) for each in (first, second))
    return difference(metric, ours, theirs, Groups(first.n, first.groups), confidence)


def difference(
    metric: str, first: Estimate, second: Estimate, groups: Groups, confidence: float = CONFIDENCE
) -> PairedDifference:
    """Compare two estimates of a metric on the same examples: see `paired`."""
    influence, apart = first.influence - second.influence, first.value - second.value
    if np.isnan(influence).any():
        raise BioftError(f"There is no test for differences in {metric}: it is no smooth function of the examples.")
    if math.isnan(apart) or not groups.degrees:
        error, degrees = math.nan if math.isnan(apart) else math.inf, 1.0
    else:
        error, degrees = _error(first, second, groups)
    margin = error * float(special.stdtrit(degrees, (1 + confidence) / 2))
    span = first.scale.span
    p_value = 2 * float(special.stdtr(degrees, -abs(apart) / error))
    low, high = max(-span, apart - margin), min(span, apart + margin)
    return PairedDifference(metric, first.value, second.value, apart, low, high, p_value, groups.n)


def _error(first: Estimate, second: Estimate, groups: Groups) -> tuple[float, float]:
    """The standard error of the difference of two estimates, and its degrees of freedom."""
    influence, today = first.influence - second.influence, _schema.get() >= LEFT_OUT
    moving = groups.moving(influence)
    of_each = [each.unseen(groups) for each in (first, second)]
    of_both = Unseen(*map(sum, zip(*of_each, strict=True)))
    # What differs may be all in parts of one group, whose influences are 0.
    if not (moving or (today and of_both.variance and first.value != second.value)):
        # Nothing differs: as if one group did, wholly.
        return first.scale.span / max(first.units(groups), 1.0), max(1.0, float(groups.degrees))
    pooled = first.pooled(second, groups) if moving and isinstance(first, Average) and first.of_truth else None
    limit = of_both.degrees if today else min(each.degrees for each in of_each)
    lacking, limit = pooled or (of_both.variance, limit)
    kept = max(each.kept(groups, (first.value + second.value) / 2) for each in (first, second))
    error = math.sqrt(kept * groups.variance(influence) * (1 + 1 / max(moving, 1)) + lacking)
    return error, max(1.0, min(groups.effective_degrees(influence), limit))


def wilson(share: float, size: float, quantile: float) -> tuple[float, float]:
    """Wilson's score interval of a share that was found in a sample of `size`, at a quantile such as 1.96."""
    if not size > 0:
        return 0.0, 1.0
    squared = quantile**2 / size
    centre = (share + squared / 2) / (1 + squared)
    half = quantile * math.sqrt(share * (1 - share) / size + squared / (4 * size)) / (1 + squared)
    # Rounding may leave a bound a hair beside the end.
    return max(0.0, centre - half) if share > 0 else 0.0, min(1.0, centre + half) if share < 1 else 1.0


def _quantile(groups: Groups, confidence: float) -> float:
    """Of Student's t with as many degrees of freedom as there are groups, less one."""
    return float(special.stdtrit(groups.degrees, (1 + confidence) / 2)) if groups.degrees else math.inf


def _with_more(share: float, variance: float, units: float) -> tuple[float, float]:
    """A share of some units and its variance, with a little of a unit more, half of it right and half wrong."""
    shrunk = (units * share + MORE / 2) / (units + MORE)
    spread = units * (units * variance + (share - shrunk) ** 2) + MORE * ((1 - shrunk) ** 2 + shrunk**2) / 2
    return shrunk, spread / (units + MORE) / max(units, 1e-12)


def _curvature(scale: Scale, share: float) -> float:
    """The second derivative of the value with respect to the share."""
    step = 1e-4
    inner = min(max(share, step), 1 - step)
    return (scale.back(inner - step) - 2 * scale.back(inner) + scale.back(inner + step)) / step**2


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise BioftError(f"confidence must be between 0 and 1, such as 0.95, not {confidence}.")
