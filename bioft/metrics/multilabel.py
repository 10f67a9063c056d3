"""The metric of classified texts: precision, recall and F1 of each label and their averages, AUROC and mAP.

For texts with any number of labels, and for those with one each. Load it with ``bioft.metrics.load("multilabel")`` or
with ``evaluate.load("path/to/bioft/metrics/multilabel.py")``.
"""

# `evaluate.load` reads the imports line by line: one import a line here, not parenthesised.
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, NamedTuple

import datasets
import numpy as np
from numpy.typing import ArrayLike, NDArray

from bioft.errors import BioftError
from bioft.metrics import bootstrap, counts, intervals, module
from bioft.metrics.bootstrap import Floats, Measured, PairedDifference

AVERAGES = ("micro", "macro", "weighted", "samples")
MEASURES = ("precision", "recall", "f1")
Labels = Sequence[Iterable[str]]
_ratio = partial(bootstrap.ratio, otherwise=0.0)


class Indicators(NamedTuple):
    """Which labels each text has, and which were predicted: shape (texts, labels)."""

    labels: list[str]
    truth: NDArray[np.bool_]
    predicted: NDArray[np.bool_]


class MultiLabel(module.BootstrappedMetric):
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
    """Return the metrics as functions of how often each text counts; AUROC and mAP with scores of (texts, labels)."""
    proportions: dict[str, Any] = {"accuracy": np.ones(len(compared.truth), bool)}
    for measure, side in (("precision", compared.predicted), ("recall", compared.truth)):
        proportions[measure] = side.any(axis=1)
        proportions |= {f"{name}_{measure}": its for name, its in zip(_names(compared.labels), side.T, strict=True)}
    by_label = zip(_names(compared.labels), compared.truth.sum(axis=0).tolist(), strict=True)
    supports = {"support": int(compared.truth.sum()), **{f"{name}_support": n for name, n in by_label}}
    values = partial(_values, compared, scores=scores)
    return Measured(values, len(compared.truth), proportions=proportions, others=supports)


def indicators(predictions: Labels, references: Labels, labels: Sequence[str] | None = None) -> Indicators:
    """Turn lists of labels into arrays; the labels are in the order given, or else in alphabetical order.

    Raises:
        BioftError: no texts, not as many predictions as references, a label that is not among `labels`, or two labels
            that differ in case only.
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


def paired_f1_bootstrap(
    references: Labels, first: Labels, second: Labels, *, metric: str = "f1", **options: Any
) -> PairedDifference:
    """Compare the labels that two systems predict for the same texts: the difference of a metric, first minus second.

    ``metric`` is any that the metric returns without scores, such as ``macro_f1``. Both are resampled together. Both
    are averaged over the labels that occur, or that either predicts.

    Raises:
        BioftError: as `indicators`; a metric that there is not; fewer than 1 resample.
    """
    labels = sorted({label for side in (references, first, second) for its in side for label in its})
    systems = [measured(indicators(predictions, references, labels)) for predictions in (first, second)]
    return bootstrap.paired(metric, *systems, **options)


def classification_report(
    result: Mapping[str, Any], labels: Sequence[str], *, multi_label: bool, digits: int = 2
) -> str:
    """The figures in the layout of scikit-learn's `classification_report`, with an interval after each of them.

    Args:
        result: what the metric returned; without intervals the table is scikit-learn's own.
        labels: the rows, in their order.
        multi_label: as in scikit-learn, texts with one label each have the row `accuracy` instead of `micro avg`, and
            no `samples avg`.
        digits: of the figures.
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


def _values(compared: Indicators, weights: Floats, scores: Floats | None = None) -> dict[str, Floats]:
    """Return each metric, shape (resamples,), for weights of shape (resamples, texts); NaN if it is undefined."""
    truth, predicted = compared.truth.astype(np.float64), compared.predicted.astype(np.float64)
    both = truth * predicted
    tp, there, found = weights @ both, weights @ truth, weights @ predicted
    texts = weights.sum(axis=1)
    present = (there + found) > 0
    by_label = _measures(tp, there, found)
    total = [kind.sum(axis=1) for kind in (tp, there, found)]
    sizes = [array.sum(axis=1) for array in (both, truth, predicted)]
    micro, samples = _measures(*total), _measures(*sizes)
    result: dict[str, Floats] = dict(micro)
    for measure in MEASURES:
        values = by_label[measure]
        # A label that is not in a resample at all tells nothing about the mean over labels.
        result[f"macro_{measure}"] = _ratio((values * present).sum(axis=1), present.sum(axis=1).astype(np.float64))
        result[f"weighted_{measure}"] = _ratio((values * there).sum(axis=1), total[1])
        result[f"samples_{measure}"] = _ratio(weights @ samples[measure], texts)
    result["accuracy"] = _ratio(weights @ (truth == predicted).all(axis=1).astype(np.float64), texts)
    measured = (compared.truth | compared.predicted).any(axis=0)
    names = _names(compared.labels)
    for index in np.flatnonzero(measured).tolist():
        for measure in MEASURES:
            values = np.where(present[:, index], by_label[measure][:, index], np.nan)
            result[f"{names[index]}_{measure}"] = values
    if scores is not None:
        ranked: dict[str, list[Floats]] = {"auroc": [], "auprc": []}
        for index in np.flatnonzero(compared.truth.any(axis=0)).tolist():
            rankings = intervals.ranking_values(compared.truth[:, index], scores[:, index], weights)
            for kind, drawn in rankings.items():
                result[f"{names[index]}_{kind}"] = drawn
                ranked[kind].append(drawn)
        for kind, columns in ranked.items():
            stacked = np.stack(columns)
            defined = ~np.isnan(stacked)
            mean = _ratio(np.where(defined, stacked, 0.0).sum(axis=0), defined.sum(axis=0).astype(np.float64))
            result[f"macro_{kind}"] = np.where(defined.any(axis=0), mean, np.nan)
    return result


def _measures(tp: Floats, there: Floats, found: Floats) -> dict[str, Floats]:
    return {"f1": _ratio(2 * tp, there + found), "precision": _ratio(tp, found), "recall": _ratio(tp, there)}


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
    return array
