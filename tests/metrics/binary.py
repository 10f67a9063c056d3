"""Binary classification metrics as flat dicts, as `evaluate.Metric` gives them."""

from typing import Any

from numpy.typing import ArrayLike

from bioft.metrics import intervals
from bioft.metrics.estimation import estimates


def metric_values(labels: ArrayLike, scores: ArrayLike, **options: Any) -> dict[str, float]:
    """Every metric of `intervals.METRICS` without an interval."""
    return {name: its.value for name, its in intervals.measured(labels, scores, **options).estimates.items()}


def metrics_with_intervals(
    labels: ArrayLike, scores: ArrayLike, confidence: float = estimates.CONFIDENCE, **options: Any
) -> dict[str, float]:
    """The same with intervals."""
    found = intervals.measured(labels, scores, **options)
    return {**estimates.figures(found, confidence=confidence), "n": found.n}
