"""The expected calibration error with an interval that knows its bias, and what reliability diagrams show."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from bioft.metrics.estimates import CONFIDENCE, Estimate, ratio
from bioft.metrics.groups import Floats, Groups, Integers

BINS = 15
"""Equal-width bins of the expected calibration error, the number that Guo et al. (2017) use."""


def bins_of(scores: ArrayLike) -> Integers:
    """Return the bin of each score, 0 … 14. Bins are (left, right] as in Guo et al., the first holds 0 too."""
    bins = np.ceil(np.asarray(scores, dtype=np.float64) * BINS).astype(np.int64) - 1
    return np.clip(bins, 0, BINS - 1)


@dataclass(frozen=True)
class CalibrationError(Estimate):
    """The expected calibration error, which is biased upwards: a calibrated system has one above 0, too.

    In each bin the gap between the share that is so and the mean score is a normal variable whose absolute value is
    taken. The interval has the sizes of gaps, as multiples of those found, of which an error such as this one is to be
    expected; it reaches down to 0 where a calibrated system may have it, and up to the value at least, which lies
    above what is likely where n is small.
    """

    gaps: Floats = None  # type: ignore[assignment]
    """Truth less score, shape (n,)."""
    scores: Floats = None  # type: ignore[assignment]

    def interval(self, groups: Groups, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """The interval, as the class says."""
        n, place = len(self.gaps), bins_of(self.scores)
        sums = np.bincount(place, self.gaps, BINS) / n
        sizes = np.bincount(place, minlength=BINS)
        alone = np.bincount(place, self.gaps**2, BINS) / n**2 - sums**2 / n
        # What a calibrated system would have, with one example more that is half right: of a bin with few examples
        # its own variance says little, and scores of 0 and 1 say that there is none.
        shrunk = (sizes[place] * self.scores + 0.5) / (sizes[place] + 1)
        calibrated = np.bincount(place, shrunk * (1 - shrunk), BINS) / n**2
        together = np.array(
            [groups.variance(np.where(place == each, self.gaps / n, 0.0) - sums[each] / n) for each in range(BINS)]
        )
        if not np.isfinite(together).all():
            return 0.0, 1.0
        design = np.maximum(1.0, np.divide(together, alone, out=np.ones(BINS), where=alone > 1e-15))
        deviations = np.sqrt((together * sizes + calibrated * design) / (sizes + 1))
        # Bins share groups, so that their gaps vary together.
        shared = max(1.0, groups.variance(self.influence) / max(float(together.sum()), 1e-15))
        quantile = float(stats.norm.ppf((1 + confidence) / 2))
        shape = np.abs(sums) if self.value else deviations

        def expected(multiple: float, quantiles: float) -> float:
            means, variances = _folded(multiple * shape, deviations)
            return float(means.sum() + quantiles * math.sqrt(variances.sum() * shared))

        low, high = (float(shape.sum()) * self._multiple(expected, sign * quantile) for sign in (1, -1))
        return min(low, self.value), min(1.0, max(high, self.value))

    def _multiple(self, expected: Any, quantiles: float) -> float:
        """The multiple of the gaps at which the value is so many standard deviations from what is expected."""
        if expected(0.0, quantiles) >= self.value:
            return 0.0
        low, high = 0.0, 1.0
        while expected(high, quantiles) < self.value:
            high *= 2
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (middle, high) if expected(middle, quantiles) < self.value else (low, middle)
        return low


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
