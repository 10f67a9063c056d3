"""The metric of gene–disease association: scores against labels, each figure with a 95 % interval.

Load it with ``bioft.metrics.load("gda")`` or with ``evaluate.load("path/to/bioft/metrics/gda.py")``.
"""

# `evaluate.load` reads the imports line by line: one import a line here, not parenthesised.
from collections.abc import Sequence
from typing import Any, ClassVar

import datasets

from bioft.metrics import intervals, module
from bioft.metrics.bootstrap import Measured

_DESCRIPTION = """\
Metrics of binary classification from continuous scores. At a threshold: accuracy, F1, precision, recall and
MCC. Without one: AUROC, AUPRC (average precision) and the expected calibration error (15 equal-width bins of
the score). Each comes with a bootstrap interval.
"""

_CITATION = """\
@inproceedings{guo2017calibration,
  title = {On Calibration of Modern Neural Networks},
  author = {Guo, Chuan and Pleiss, Geoff and Sun, Yu and Weinberger, Kilian Q.},
  booktitle = {Proceedings of the 34th International Conference on Machine Learning},
  year = {2017}
}
@inproceedings{naeini2015,
  title = {Obtaining Well Calibrated Probabilities Using {Bayesian} Binning},
  author = {Naeini, Mahdi Pakdaman and Cooper, Gregory F. and Hauskrecht, Milos},
  booktitle = {Proceedings of the Twenty-Ninth AAAI Conference on Artificial Intelligence},
  year = {2015}
}
@book{efron1993bootstrap,
  title = {An Introduction to the Bootstrap},
  author = {Efron, Bradley and Tibshirani, Robert J.},
  publisher = {Chapman \\& Hall},
  year = {1993}
}
"""

_INPUTS = """
Args:
    predictions: scores in [0, 1], the probability of label 1.
    references: labels, 0 or 1.
    threshold: predicted positive when score >= threshold; choose it on validation data. Default 0.5.
    groups: one value per example; draws whole groups, for examples that are not independent. Default None.

Returns:
    dict of floats: accuracy, f1, precision, recall, auroc, auprc, ece, mcc, each also as <name>_low and
    <name>_high; n, the number of examples; threshold. AUROC is NaN when only one class is present, AUPRC when
    there are no positives (a warning says so).

Examples:
    >>> gda = bioft.metrics.load("gda")
    >>> result = gda.compute(predictions=[0.9, 0.2, 0.7, 0.4], references=[1, 0, 1, 0])
    >>> result["auroc"]
    1.0
"""


class Gda(module.BootstrappedMetric):
    """Accuracy, F1, precision, recall, AUROC, AUPRC, ECE and MCC of scores, with intervals."""

    # References are not int64: the cast would make 0.7 a 0 without a word.
    ABOUT: ClassVar = {
        "description": _DESCRIPTION,
        "citation": _CITATION,
        "inputs_description": _INPUTS,
        "features": datasets.Features(dict.fromkeys(("predictions", "references"), datasets.Value("float64"))),
        "reference_urls": ["https://arxiv.org/abs/1706.04599"],
    }

    def measure(
        self,
        predictions: Sequence[float],
        references: Sequence[float],
        threshold: float = 0.5,
        groups: Sequence[Any] | None = None,
    ) -> Measured:
        """Return the metrics of scores at a threshold."""
        return intervals.measured(references, predictions, threshold=threshold, groups=groups)
