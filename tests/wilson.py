"""Wilson's score interval by SciPy, which tests hold bioft's intervals against."""

from scipy.stats import binomtest


def wilson_interval(successes: int, n: int) -> tuple[float, float]:
    """Its ends for a share of independent examples, at 95 %."""
    found = binomtest(successes, n).proportion_ci(confidence_level=0.95, method="wilson")
    return float(found.low), float(found.high)
