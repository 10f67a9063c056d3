"""The expected calibration error with an interval that knows its bias, and what reliability diagrams show."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from bioft.metrics.estimation.estimates import CONFIDENCE, Estimate, ratio
from bioft.metrics.estimation.groups import Floats, Groups, Integers

BINS = 15
"""Equal-width bins of the expected calibration error, the number that Guo et al. (2017) use."""


def bins_of(scores: ArrayLike) -> Integers:
    """Return the bin of each score, 0 … 14. Bins are (left, right] as in Guo et al., the first holds 0 too."""
    bins = np.ceil(np.asarray(scores, dtype=np.float64) * BINS).astype(np.int64) - 1
    return np.clip(bins, 0, BINS - 1)


@dataclass(frozen=True)
class CalibrationError(Estimate):
    """The expected calibration error, which is biased upwards: a calibrated system has one above 0, too.

    In each bin the gap between the share that is so and the mean score is a normal variable (its variance with the one
    example more that intervals of shares have) whose absolute value is taken. The interval has the sizes of the gaps
    of which an error such as this one is to be expected, as multiples of those found, and for the upper end also of
    gaps alike in all bins. It reaches down to 0 where a calibrated system may have such an error, and up to the value
    at least, which lies above what is likely where n is small.
    """

    gaps: Floats = None  # type: ignore[assignment]
    """Truth less score, shape (n,)."""
    scores: Floats = None  # type: ignore[assignment]

    def interval(self, groups: Groups, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """The interval, as the class says."""
        sizes, sums = self._bins()
        deviations, shared = self._deviations(groups)
        if not np.isfinite(deviations).all():
            return 0.0, 1.0
        quantile = float(special.ndtri((1 + confidence) / 2)) * math.sqrt(shared)

        def limit(shape: Floats, sign: int) -> float:
            return self._multiple(shape, deviations, sign * quantile, self.value) * float(shape.sum())

        found, alike = np.abs(sums) if self.value else deviations, sizes / len(self.gaps)
        low, high = limit(found, 1), max(limit(found, -1), limit(alike, -1))
        return min(low, self.value), min(1.0, max(high, self.value))

    def kept(self, groups: Groups, value: float) -> float:
        """Absolute values of gaps near 0 vary less than the gaps, of which alone the influences know.

        That is so of normal variables. The gap of a bin that expects less than one event is far from one: its variance
        is lowered by that share only.
        """
        deviations, _ = self._deviations(groups)
        if not (self.value and np.isfinite(deviations).all() and deviations.any()):
            return 1.0
        gaps = np.abs(self._bins()[1])
        _, variances = _folded(self._multiple(gaps, deviations, 0.0, value) * gaps, deviations)
        are_normal = np.minimum(1.0, (deviations * len(self.gaps)) ** 2)
        return 1 - float(are_normal @ (deviations**2 - variances) / (deviations**2).sum())

    def _bins(self) -> tuple[Integers, Floats]:
        """The size of each bin, and the part of its gap in the mean of all."""
        place = bins_of(self.scores)
        return np.bincount(place, minlength=BINS), np.bincount(place, self.gaps, BINS) / len(self.gaps)

    def _multiple(self, shape: Floats, deviations: Floats, quantile: float, value: float) -> float:
        """The multiple of gaps whose error is expected to be so many standard deviations below the value; or 0."""
        from scipy.optimize import brentq  # rarely needed, and long to import

        def expected(multiple: float) -> float:
            means, variances = _folded(multiple * shape, deviations)
            return float(means.sum() + quantile * math.sqrt(variances.sum())) - value

        if expected(0.0) >= 0:
            return 0.0
        # A folded variable has at least the mean and at most the deviation of its own: the root is below this.
        most = (value + (abs(quantile) + 1) * float(deviations.sum())) / float(shape.sum())
        return float(brentq(expected, 0.0, most, xtol=1e-6))

    def _deviations(self, groups: Groups) -> tuple[Floats, float]:
        """The standard deviation of each bin's part, and by what groups raise the variance of their sum."""
        n, place = len(self.gaps), bins_of(self.scores)
        sizes, sums = self._bins()
        shares = (np.bincount(place, self.gaps + self.scores, BINS) + 0.5) / (sizes + 1)
        alone = np.bincount(place, self.gaps**2, BINS) / n**2 - sums**2 / n
        together = np.array(
            [groups.variance(np.where(place == each, self.gaps / n, 0.0) - sums[each] / n) for each in range(BINS)]
        )
        design = np.maximum(1.0, np.divide(together, alone, out=np.ones(BINS), where=alone > 1e-15))
        shared = groups.variance(self.influence) / float(together.sum()) if together.any() else 1.0
        return np.sqrt(sizes * shares * (1 - shares) * design) / n, max(1.0, shared)


def calibration_error(truth: ArrayLike, scores: ArrayLike) -> CalibrationError:
    """The expected calibration error over 15 bins of scores in [0, 1] for what is so (0 or 1), each of shape (n,).

    The mean of ``|share that is so - mean score|`` over the bins, weighted by their size (Naeini et al. 2015; number
    and width of the bins from Guo et al. 2017).
    """
    scores = np.asarray(scores, np.float64)
    gaps, place = np.asarray(truth, np.float64) - scores, bins_of(scores)
    sums = np.bincount(place, gaps, BINS) / len(gaps)
    value = float(np.abs(sums).sum())
    influence = (np.sign(sums)[place] * gaps - value) / len(gaps)
    return CalibrationError(value, influence, gaps=gaps, scores=scores)


def reliability(
    truth: ArrayLike, scores: ArrayLike, groups: tuple[ArrayLike, ...] = ()
) -> tuple[Floats, Floats, Floats, Integers]:
    """Return, of the bins that hold any scores, mean score, share that is so and the distances to the ends of its
    interval (2, bins); and the number of scores in each of all bins.
    """
    truth, scores, place = np.asarray(truth, np.float64), np.asarray(scores, np.float64), bins_of(scores)
    sizes = np.bincount(place, minlength=BINS)
    filled = np.flatnonzero(sizes)
    together = Groups(len(scores), groups)
    shares = [ratio(truth * (place == each), place == each) for each in filled]
    share = np.array([its.value for its in shares])
    low, high = np.array([its.interval(together) for its in shares]).T
    # Rounding may put a bound a hair on the wrong side.
    return (
        np.bincount(place, scores, BINS)[filled] / sizes[filled],
        share,
        np.maximum([share - low, high - share], 0),
        sizes,
    )


def _folded(means: Floats, deviations: NDArray[np.float64]) -> tuple[Floats, Floats]:
    """Mean and variance of the absolute value of normal variables."""
    deviations = np.maximum(deviations, 1e-12)
    standard = means / deviations
    folded = deviations * math.sqrt(2 / math.pi) * np.exp(-(standard**2) / 2)
    folded += means * (1 - 2 * special.ndtr(-standard))
    return folded, np.maximum(means**2 + deviations**2 - folded**2, 0)
