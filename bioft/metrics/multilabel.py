"""The metric of classified texts: precision, recall and F1 of each label and their averages, AUROC and mAP.

For texts with any number of labels, and for those with one each. Load it with ``bioft.metrics.load("multilabel")`` or
with ``evaluate.load("path/to/bioft/metrics/multilabel.py")``.
"""

# `evaluate.load` reads the imports line by line: one import a line here, not parenthesised.
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import datasets
import numpy as np
from numpy.typing import ArrayLike, NDArray

from bioft.errors import BioftError
from bioft.metrics import counts, module
from bioft.metrics.estimation import estimates, ranking
from bioft.metrics.estimation.estimates import CONFIDENCE, F1, Average, Estimate, Measured, PairedDifference, ratio
from bioft.metrics.estimation.groups import Floats, Mask
from bioft.metrics.intervals import check_shares

AVERAGES = ("micro", "macro", "weighted", "samples")
MEASURES = ("precision", "recall", "f1")
Labels = Sequence[Iterable[str]]


class Indicators(NamedTuple):
    """Which labels each text has, and which were predicted: shape (texts, labels)."""

    labels: list[str]
    truth: NDArray[np.bool_]
    predicted: NDArray[np.bool_]


class MultiLabel(module.MetricWithIntervals):
    """Precision, recall and F1 of the labels of texts, by label and averaged, AUROC and mAP, with intervals."""

    FEATURES: ClassVar = datasets.Features(
        {side: [datasets.Value("string")] for side in ("predictions", "references")}
    )

    def measure(
        self,
        predictions: Labels,
        references: Labels,
        labels: Sequence[str] | None = None,
        scores: ArrayLike | None = None,
    ) -> Measured:
        """Return the metrics of labels."""
        compared = indicators(predictions, references, labels)
        return measured(compared, None if scores is None else _check_scores(scores, compared))


def measured(compared: Indicators, scores: Floats | None = None) -> Measured:
    """Return the metrics as estimates over texts; AUROC and mAP with scores of shape (texts, labels)."""
    truth, predicted, names = compared.truth, compared.predicted, _names(compared.labels)
    n, known = len(truth), np.flatnonzero((truth | predicted).any(axis=0)).tolist()
    by_label = {names[column]: _measures(truth[:, column], predicted[:, column]) for column in known}
    found: dict[str, Estimate] = _measures(truth, predicted)
    for measure in MEASURES:
        # A label that neither occurs nor is predicted tells nothing about the mean over labels.
        labels = [its[measure] for its in by_label.values()]
        found[f"macro_{measure}"] = (
            Average.of(labels, n, left_out=len(names) - len(labels)) if labels else ratio(np.zeros(n), np.zeros(n))
        )
        found[f"weighted_{measure}"] = _weighted(labels, truth[:, known])
        found[f"samples_{measure}"] = estimates.mean(_of_texts(truth, predicted, measure))
    found["accuracy"] = estimates.mean((truth == predicted).all(axis=1))
    found |= {f"{name}_{measure}": its[measure] for name, its in by_label.items() for measure in MEASURES}
    if scores is not None:
        occurring = np.flatnonzero(truth.any(axis=0)).tolist()
        for kind, area in {"auroc": ranking.auroc, "auprc": ranking.auprc}.items():
            areas = {names[column]: area(truth[:, column], scores[:, column]) for column in occurring}
            found |= {f"{name}_{kind}": its for name, its in areas.items()}
            found[f"macro_{kind}"] = Average.of(list(areas.values()), n, of_truth=True)
    supports = zip((f"{name}_support" for name in names), truth.sum(axis=0).tolist(), strict=True)
    return Measured(found, n, others={"support": int(truth.sum()), **dict(supports)})


def indicators(predictions: Labels, references: Labels, labels: Sequence[str] | None = None) -> Indicators:
    """Turn lists of labels into arrays; the labels are in the order given, or else in alphabetical order.

    BioftError: no texts, not as many predictions as references, a label that is not among `labels`, or two labels that
    differ in case only.
    """
    if len(predictions) != len(references):
        raise BioftError(
            f"There are predictions for {len(predictions):,} texts and references for {len(references):,}: give one "
            "list of labels for each text, an empty one where there is nothing."
        )
    if not len(references):
        raise BioftError("There are no texts to measure on.")
    predictions, references = [list(its) for its in predictions], [list(its) for its in references]
    there = {label for side in (predictions, references) for its in side for label in its}
    known = sorted(there) if labels is None else list(labels)
    if unknown := sorted(there - set(known)):
        raise BioftError(f"The label {unknown[0]!r} is not among those to measure: {', '.join(known)}.")
    _names(known)
    column = {label: index for index, label in enumerate(known)}
    truth, predicted = (np.zeros((len(references), len(known)), bool) for _ in range(2))
    for array, side in ((truth, references), (predicted, predictions)):
        for row, its in enumerate(side):
            array[row, [column[label] for label in its]] = True
    return Indicators(known, truth, predicted)


def paired_f1(
    references: Labels, first: Labels, second: Labels, *, metric: str = "f1", confidence: float = CONFIDENCE
) -> PairedDifference:
    """Compare the labels that two systems predict for the same texts: the difference of a metric.

    ``metric`` is any that the metric returns without scores, such as ``macro_f1``. Each is averaged over the labels
    that occur, or that it predicts. BioftError: as `indicators`; a metric that there is not; a confidence outside (0,
    1).
    """
    labels = sorted({label for side in (references, first, second) for its in side for label in its})
    systems = [measured(indicators(predictions, references, labels)) for predictions in (first, second)]
    return estimates.paired(metric, *systems, confidence=confidence)


def classification_report(
    result: Mapping[str, Any], labels: Sequence[str], *, multi_label: bool, digits: int = 2
) -> str:
    """The figures in the layout of scikit-learn's `classification_report`, with an interval after each of them.

    `result` is what the metric returned; without intervals the table is scikit-learn's own, where texts with one label
    each (not `multi_label`) have the row `accuracy` instead of `micro avg`, and no `samples avg`. `labels` are the
    rows, in their order.
    """
    with_intervals = "f1_low" in result
    figure_width = 2 + digits + (2 * (digits + 2) + 5 if with_intervals else 0)
    width = max(len(name) for name in (*labels, "weighted avg"))
    column = max(9, figure_width)

    def figure(name: str) -> str:
        value = result.get(name, 0.0)
        value = 0.0 if math.isnan(value) else value
        if not with_intervals:
            return f"{value:.{digits}f}"
        low, high = (result.get(f"{name}_{end}", value) for end in ("low", "high"))
        return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"

    def row(name: str, figures: Sequence[str], support: int) -> str:
        return f"{name:>{width}s} " + "".join(f" {each:>{column}}" for each in figures) + f" {support:>9}\n"

    total = int(result["support"])
    report = f"{'':>{width}s} " + "".join(f" {each:>{column}}" for each in ("precision", "recall", "f1-score"))
    report += f" {'support':>9}\n\n"
    for label, name in zip(labels, _names(labels), strict=True):
        report += row(label, [figure(f"{name}_{measure}") for measure in MEASURES], int(result[f"{name}_support"]))
    report += "\n"
    if not multi_label:
        report += row("accuracy", ["", "", figure("accuracy")], total)
    for average in AVERAGES if multi_label else ("macro", "weighted"):
        prefix = "" if average == "micro" else f"{average}_"
        report += row(f"{average} avg", [figure(prefix + measure) for measure in MEASURES], total)
    return report


def _measures(truth: Mask, predicted: Mask) -> dict[str, Estimate]:
    """F1, precision and recall of a label, shape (texts,), or of all labels, shape (texts, labels)."""
    right, there, found = (each.reshape(len(each), -1).sum(axis=1) for each in (truth & predicted, truth, predicted))
    return {
        "f1": ratio(2 * right, there + found, F1), "precision": ratio(right, found), "recall": ratio(right, there),
    }  # fmt: skip


def _weighted(labels: Sequence[Estimate], truth: Mask) -> Estimate:
    """The mean over labels, each counted as often as it occurs; truth has the same labels."""
    total, about = int(truth.sum()), np.asarray(truth.any(axis=1))
    if not total:
        return Estimate(0.0, np.zeros(len(truth)), (about,))
    there, values = truth.sum(axis=0), np.array([each.value for each in labels])
    value = float((there * values).sum()) / total
    influence = sum(n * each.influence for n, each in zip(there / total, labels, strict=True))
    return Estimate(value, influence + truth @ (values - value) / total, (about,))


def _of_texts(truth: Mask, predicted: Mask, measure: str) -> Floats:
    """A measure of the labels of each text, shape (texts,); 0 without a denominator."""
    right, there, found = ((each.sum(axis=1)).astype(np.float64) for each in (truth & predicted, truth, predicted))
    above, below = {"f1": (2 * right, there + found), "precision": (right, found), "recall": (right, there)}[measure]
    return np.divide(above, below, out=np.zeros(len(below)), where=below > 0)


def _names(labels: Sequence[str]) -> list[str]:
    """The name of each label in the keys of a result."""
    names = counts.lower_names(labels, "labels")
    if taken := [name for name in names if name in AVERAGES]:
        raise BioftError(f"A label can't be called {taken[0]!r}, as an average is. Give it another name.")
    return names


def _check_scores(scores: ArrayLike, compared: Indicators) -> Floats:
    array = np.asarray(scores, dtype=np.float64)
    if array.shape != compared.truth.shape:
        raise BioftError(
            f"Scores have shape {array.shape}; needed is {compared.truth.shape}, one for each text and label."
        )
    check_shares(array.ravel(), "scores")
    return array
