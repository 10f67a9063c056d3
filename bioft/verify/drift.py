"""Whether stored answers are better than those made again, by their effect on the run's own metrics, with its sign.

Rounding moves scores to and fro, a forger moves them towards their labels. So what is tested is not how far scores are
moved, but how much the metrics gain by it: a move of each score by a hundredth, which no tolerance for rounding in 16
bits can refuse, is a large gain if all of them go the right way.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from bioft.metrics.estimation.groups import Floats
from bioft.tasks.answers import Metric, Outcomes, Ranking, Ratio

EFFECT = 0.02
"""The change of a metric that a sample must find."""
ALPHA = 1e-4
"""How often honest answers may seem to gain, in one test."""
LIKELY = 0.05
"""How often honest answers may seem to gain as much as is no rounding in float32."""
POWER = 0.999
"""How often it must find it, if the gains are as they were in the rows drawn before: they are guessed from few."""
UNEVEN = 5
"""How much more than the mean those rows may gain whose moving pays most."""
SMALLEST = 0.005
"""A gain below this is never a reason, however certain it is."""
Gains = dict[str, list[Floats]]
"""By metric arrays of gains by row, whose means add up to the gain of the metric."""


class Drift(NamedTuple):
    """By how much a metric is higher with the stored answers than with those made again, and its standard error."""

    metric: str
    gain: float
    error: float
    p_value: float
    """One-sided, of a gain of 0 or less (t-test)."""

    @property
    def found(self) -> bool:
        """Whether the gain is neither chance nor too small to matter."""
        return self.gain > SMALLEST and self.p_value < ALPHA

    @property
    def is_large(self) -> bool:
        """Whether the gain is more than rounding in float32 gives, where all rows are known: few need be moved."""
        return self.gain > EFFECT and self.p_value < LIKELY


def gains(made: Outcomes, stored: Outcomes, whole: Outcomes) -> Gains:
    """What each row adds to the metrics by its stored answer in the place of the one made again.

    `made` and `stored` are of the same rows, `whole` of all stored ones. BioftError for none: metrics that one of them
    lacks are left out.
    """
    return {
        name: _gains(made.metrics[name], metric, whole.metrics[name])
        for name, metric in stored.metrics.items()
        if name in made.metrics
    }


def _gains(made: Metric, stored: Metric, whole: Metric) -> list[Floats]:
    if isinstance(stored, Ratio):
        assert isinstance(made, Ratio) and isinstance(whole, Ratio)
        ratio = whole.numerator.sum() / max(whole.denominator.sum(), 1e-12)
        more = stored.numerator - made.numerator - ratio * (stored.denominator - made.denominator)
        return [more / max(whole.denominator.mean(), 1e-12)]
    assert isinstance(made, Ranking) and isinstance(whole, Ranking)
    found = []
    for label, sign in ((1, 1.0), (0, -1.0)):
        # The area is the mean share of negatives below a positive, and of positives above a negative.
        others, mine = np.sort(whole.scores[whole.labels != label]), stored.labels == label
        if len(others) and mine.any():
            found.append(sign * (_place(others, stored.scores[mine]) - _place(others, made.scores[mine])))
    return found


def _place(others: Floats, scores: Floats) -> Floats:
    """The share of others below each score, half of those that are equal to it."""
    below, to = (np.searchsorted(others, scores, side) for side in ("left", "right"))
    return (below + to) / (2 * len(others))


def drifts(found: Gains, sign: int = 1) -> list[Drift]:
    """The gain of each metric; with `sign` -1 how much lower it is."""
    result = []
    for metric, parts in found.items():
        if (freedom := sum(map(len, parts)) - len(parts)) < 1:
            continue
        gain = sign * float(sum(part.mean() for part in parts))
        error = _error(parts)
        p_value = float(stats.t.sf(gain / error, freedom)) if error else float(gain <= 0)
        result.append(Drift(metric, gain, error, p_value))
    return result


def _error(parts: Sequence[Floats]) -> float:
    """The standard error of the sum of means."""
    return math.sqrt(sum(part.var(ddof=1) / len(part) for part in parts if len(part) > 1))


def rows_for_tolerance(whole: Outcomes, tolerance: float) -> int:
    """How many rows hold, with probability .95, one that was moved, if moves within `tolerance` gain .02.

    A forger who moves few rows moves those that pay most; by the rule of three one of 3 / share is among the drawn.
    """
    needed = 0.0
    for metric in whole.metrics.values():
        if isinstance(metric, Ranking):
            moved = metric.scores - np.where(metric.labels == 1, tolerance, -tolerance)
            gain = metric.estimate().value - Ranking(metric.labels, moved).estimate().value
            needed = max(needed, 3 * UNEVEN * gain / EFFECT if math.isfinite(gain) else 0.0)
    return math.ceil(needed)


def rows_for_replaced(whole: Outcomes) -> int:
    """How many rows hold, with probability .95, one that was replaced, if the replaced ones gain .02.

    Few rows gain it where each turns from the worst answer to the best: .02 of the rows, or of those of the rarer
    label, each of which is that share of an area. By the rule of three one of 3 / share is among the drawn.
    """
    share = 1.0
    for metric in whole.metrics.values():
        if isinstance(metric, Ranking) and (rarer := np.bincount(metric.labels, minlength=2).min()):
            share = min(share, rarer / len(whole.ids))
    return math.ceil(3 / (EFFECT * share))


def rows_for_power(found: Gains, drawn: int) -> int:
    """How many rows find a gain of .02, by how much the gains of the drawn ones vary."""
    wanted = EFFECT / (stats.norm.isf(ALPHA) + stats.norm.isf(1 - POWER))
    return max((math.ceil(drawn * (_error(parts) / wanted) ** 2) for parts in found.values()), default=0)


def words(drift: Drift) -> str:
    """`auroc by .031 (p = 2e-09)`."""
    return f"{drift.metric} by {drift.gain:.3f} (p = {drift.p_value:.1g})"
