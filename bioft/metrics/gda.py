"""The metric of gene–disease association: scores against labels, each figure with a 95 % interval.

Load it with ``bioft.metrics.load("gda")`` or with ``evaluate.load("path/to/bioft/metrics/gda.py")``.
"""

# `evaluate.load` reads the imports line by line: one import a line here, not parenthesised.
from collections.abc import Sequence
from typing import ClassVar

import datasets

from bioft.metrics import intervals, module
from bioft.metrics.estimation.estimates import Measured


class Gda(module.MetricWithIntervals):
    """Accuracy, F1, precision, recall, AUROC, AUPRC, ECE and MCC of scores, with intervals."""

    # References are not int64: the cast would make 0.7 a 0 without a word.
    FEATURES: ClassVar = datasets.Features(dict.fromkeys(("predictions", "references"), datasets.Value("float64")))

    def measure(self, predictions: Sequence[float], references: Sequence[float], threshold: float = 0.5) -> Measured:
        """Return the metrics of scores at a threshold."""
        return intervals.measured(references, predictions, threshold=threshold)
