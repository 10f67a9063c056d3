"""The metric of names matched to a namespace: right ids and rightly none, with the probability of each answer.

Load it with ``bioft.metrics.load("alignment")`` or with ``evaluate.load("path/to/bioft/metrics/alignment.py")``.
"""

# `evaluate.load` reads the imports line by line: one import a line here, not parenthesised.
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import datasets
import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from bioft.errors import BioftError
from bioft.metrics import intervals, module
from bioft.metrics.estimation import estimates
from bioft.metrics.estimation.calibration import calibration_error
from bioft.metrics.estimation.estimates import CONFIDENCE, F1, Estimate, Measured, PairedDifference, count_of, ratio
from bioft.metrics.estimation.groups import Floats, Groups, Mask
from bioft.metrics.estimation.ranking import falling

METRICS = (
    "accuracy", "precision", "recall", "f1", "hits_at_1", "hits_at_5", "coverage_at_95_precision",
    "false_positives", "false_negatives", "ece",
)  # fmt: skip
"""The metrics, in the order in which they are reported."""
PRECISION = 0.95
"""What the answers that are covered must reach."""


_ANSWER = {
    "id": datasets.Value("string"),
    "ranked": datasets.List(datasets.Value("string")),
    "probability": datasets.Value("float64"),
}
Answers = Sequence[Mapping[str, Any]]


class Alignment(module.MetricWithIntervals):
    """Accuracy, precision, recall, F1, hits, coverage, errors and calibration of matched names, with intervals."""

    FEATURES: ClassVar = datasets.Features({"predictions": _ANSWER, "references": datasets.Value("string")})

    def measure(self, predictions: Answers, references: Sequence[str]) -> Measured:
        """Return the metrics of answers."""
        return measured(predictions, references)


def measured(predictions: Answers, references: Sequence[str], groups: Sequence[ArrayLike] = ()) -> Measured:
    """Return the metrics as estimates over names, of which those of a group share a compound."""
    if len(predictions) != len(references):
        raise BioftError(f"There are {len(predictions):,} answers for {len(references):,} names: give one for each.")
    if not references:
        raise BioftError("There are no names to measure on.")
    probability = intervals.check_shares([answer["probability"] for answer in predictions], "probabilities")
    golds = [set(filter(None, reference.split("|"))) for reference in references]
    answered = [answer["id"] for answer in predictions]
    given, has_match = np.array([bool(each) for each in answered]), np.array([bool(gold) for gold in golds])
    found = np.array([identifier in gold for identifier, gold in zip(answered, golds, strict=True)])
    right = found | ~(given | has_match)
    hits = {
        k: np.array([bool(gold & {*answer["ranked"][:k]}) for answer, gold in zip(predictions, golds, strict=True)])
        for k in (1, 5)
    }
    found_of = {
        "accuracy": estimates.mean(right),
        "precision": ratio(found, given),
        "recall": ratio(found, has_match),
        "f1": ratio(2 * found, given.astype(int) + has_match, F1),
        "hits_at_1": ratio(hits[1], has_match),
        "hits_at_5": ratio(hits[5], has_match),
        "coverage_at_95_precision": Coverage.of(right, probability),
        "false_positives": _number(given & ~found),
        "false_negatives": _number(has_match & ~given),
        "ece": calibration_error(right, probability),
    }
    return Measured(found_of, len(references), tuple(groups))


def paired_alignment(
    references: Sequence[str],
    first: Answers,
    second: Answers,
    *,
    metric: str = "accuracy",
    groups: Sequence[ArrayLike] = (),
) -> PairedDifference:
    """Compare the answers of two systems to the same names: see `estimates.paired`, and for errors also `measured`."""
    return estimates.paired(metric, *(measured(answers, references, groups) for answers in (first, second)))


@dataclass(frozen=True)
class Coverage(Estimate):
    """The largest share of names whose answers, taken by falling probability, are right to 95 %.

    It is no smooth function of the names, and has no test of differences. The interval reaches from the last place at
    which the precision is significantly above 95 % to the last at which it is not significantly below, by the binomial
    distribution (as Woodruff 1952 has them for quantiles), each with Wilson's interval of a share of names as large.
    """

    right: Mask = None  # type: ignore[assignment]
    probability: Floats = None  # type: ignore[assignment]

    @classmethod
    def of(cls, right: Mask, probability: Floats) -> "Coverage":
        """The coverage of answers, each array of shape (n,)."""
        excess, accepted = _excess(right, probability)
        # The margin is for rounding: 0.95 is no binary fraction.
        value = float(np.where(excess >= -1e-9, accepted, 0).max()) / len(right)
        return cls(value, np.full(len(right), np.nan), right=right, probability=probability)

    def interval(self, groups: Groups, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """The interval, as the class says."""
        n, quantile = len(self.right), float(special.ndtri((1 + confidence) / 2))
        excess, accepted = _excess(self.right, self.probability)
        alone = estimates.mean(self.right).influence
        variance = float(alone @ alone)
        design = max(1.0, groups.variance(alone) / variance) if variance else n / max(groups.degrees, 1)
        if not math.isfinite(design):
            return 0.0, 1.0
        right, wrong = (excess + PRECISION * accepted) / design, ((1 - PRECISION) * accepted - excess) / design
        above = special.betainc(right + 1e-9, wrong + 1, PRECISION)
        below = special.betainc(wrong + 1e-9, right + 1, 1 - PRECISION)
        tail = (1 - confidence) / 2
        low, high = (float(np.where(kept, accepted, 0).max()) / n for kept in (above < tail, below > tail))
        size = n / design
        return (
            min(self.value, estimates.wilson(low, size, quantile)[0]),
            max(self.value, estimates.wilson(high, size, quantile)[1]),
        )


def _excess(right: Mask, probability: Floats) -> tuple[Floats, Floats]:
    """At each probability: the right answers beyond 95 % of those accepted, and the number accepted."""
    # Equal probabilities are accepted together.
    order, ends = falling(probability)
    accepted = (ends + 1).astype(np.float64)
    return np.cumsum(right[order])[ends] - PRECISION * accepted, accepted


def _number(what: Mask) -> Estimate:
    share = estimates.mean(what)
    n = len(what)
    return replace(share, value=float(what.sum()), influence=share.influence * n, scale=count_of(n))
