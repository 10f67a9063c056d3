"""The metric of names matched to a namespace: right ids and rightly none, with the probability of each answer.

Load it with ``bioft.metrics.load("alignment")`` or with ``evaluate.load("path/to/bioft/metrics/alignment.py")``.
"""

# `evaluate.load` reads the imports line by line: one import a line here, not parenthesised.
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import datasets
import numpy as np

from bioft.errors import BioftError
from bioft.metrics import bootstrap, intervals, module
from bioft.metrics.bootstrap import Floats, Measured, PairedDifference, ratio

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


class Alignment(module.BootstrappedMetric):
    """Accuracy, precision, recall, F1, hits, coverage, errors and calibration of matched names, with intervals."""

    FEATURES: ClassVar = datasets.Features({"predictions": _ANSWER, "references": datasets.Value("string")})

    def measure(self, predictions: Answers, references: Sequence[str]) -> Measured:
        """Return the metrics of answers."""
        return measured(predictions, references)


def measured(predictions: Answers, references: Sequence[str]) -> Measured:
    """Return the metrics as functions of how often each name counts; errors as of the metric."""
    outcome = _Outcome(predictions, references)
    return Measured(outcome.metrics, len(references), METRICS, outcome.proportions)


def paired_alignment_bootstrap(
    references: Sequence[str], first: Answers, second: Answers, *, metric: str = "accuracy", **options: Any
) -> PairedDifference:
    """Compare the answers of two systems to the same names; options and result are those of `bootstrap.paired`.

    Raises:
        BioftError: an unknown metric, or what the metric itself does not take.
    """
    return bootstrap.paired(metric, measured(first, references), measured(second, references), **options)


class _Outcome:
    """What is right about each answer, as vectors over names."""

    def __init__(self, predictions: Answers, references: Sequence[str]) -> None:
        if len(predictions) != len(references):
            raise BioftError(
                f"There are {len(predictions):,} answers for {len(references):,} names: give one for each."
            )
        if not references:
            raise BioftError("There are no names to measure on.")
        self.probability = intervals.check_shares([answer["probability"] for answer in predictions], "probabilities")
        golds = [set(filter(None, reference.split("|"))) for reference in references]
        given = [answer["id"] for answer in predictions]
        self.given = np.array([bool(identifier) for identifier in given])
        self.has_match = np.array([bool(gold) for gold in golds])
        found = np.array([identifier in gold for identifier, gold in zip(given, golds, strict=True)])
        self.found = found
        self.right = found | ~(self.given | self.has_match)
        ranked_and_gold = [(answer["ranked"], gold) for answer, gold in zip(predictions, golds, strict=True)]
        self.hits = {
            k: np.array([bool(gold.intersection(ranked[:k])) for ranked, gold in ranked_and_gold]) for k in (1, 5)
        }
        self.proportions = {"accuracy": np.ones(len(golds), bool), "precision": self.given}
        self.proportions |= dict.fromkeys(("recall", "hits_at_1", "hits_at_5"), self.has_match)
        """Per metric that is a proportion: the names that it is about."""
        # Equal probabilities are accepted together.
        self.order, self.ends = intervals.falling(self.probability)
        self.gaps = intervals.calibration_gaps(self.right, self.probability)

    def metrics(self, weights: Floats) -> dict[str, Floats]:
        """Return each metric, shape (resamples,), for weights of shape (resamples, names); NaN if undefined."""
        total = weights.sum(axis=1)
        found, given, has_match = (weights @ part for part in (self.found, self.given, self.has_match))
        accepted = np.cumsum(weights[:, self.order], axis=1)[:, self.ends]
        right = np.cumsum((weights * self.right)[:, self.order], axis=1)[:, self.ends]
        # The margin is for rounding: 0.95 is no binary fraction.
        covered = np.where(right >= PRECISION * accepted - 1e-9, accepted, 0).max(axis=1)
        return {
            "accuracy": weights @ self.right / total,
            "precision": ratio(found, given),
            "recall": ratio(found, has_match),
            "f1": ratio(2 * found, given + has_match),
            "hits_at_1": ratio(weights @ self.hits[1], has_match),
            "hits_at_5": ratio(weights @ self.hits[5], has_match),
            "coverage_at_95_precision": covered / total,
            "false_positives": weights @ (self.given & ~self.found),
            "false_negatives": weights @ (self.has_match & ~self.given),
            "ece": np.abs(weights @ self.gaps).sum(axis=1) / total,
        }
