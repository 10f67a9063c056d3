"""How good predicted labels of texts are: metrics with intervals, baselines on the same texts, and the comparison.

Nothing is measured on a text that was trained on: every evaluation is told which those are, and stops at the first.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from datasets import Dataset, DatasetDict

from bioft import metrics
from bioft.datasets.texts.baselines import baselines_for, indicator_matrix
from bioft.datasets.texts.labelled import labels_of
from bioft.errors import BioftError, LeakageError
from bioft.metrics import intervals, multilabel, plots, report as metrics_report
from bioft.storage.text_lines import normalise
from bioft.tasks.text_labels.classifier import choose_thresholds, decide

SHOWN = {
    "f1": "Micro F1",
    "macro_f1": "Macro F1",
    "accuracy": "All labels right",
    "macro_auroc": "AUROC, mean",
    "macro_auprc": "mAP",
}
TRAINED_ON = "trained_on.parquet"
"""The file of a run that says which texts it was trained on, as checksums of them."""
REPORT = "classification_report.txt"

Metrics = dict[str, dict[str, float | int | None]]


@dataclass(frozen=True)
class Predicted:
    """Scores of the test texts, shape (texts, labels), the labels decided on, and the thresholds (if any) used."""

    scores: np.ndarray
    labels: list[list[str]]
    thresholds: list[float] | None


def predicted(
    dataset: DatasetDict, labels: Sequence[str], validation_scores: np.ndarray, test_scores: np.ndarray
) -> Predicted:
    """Decide on labels; where a text may have several, the threshold of each label is chosen on validation."""
    thresholds = None
    if "labels" in dataset["validation"].column_names:
        thresholds = choose_thresholds(indicator_matrix(labels_of(dataset["validation"]), labels), validation_scores)
    return Predicted(test_scores, decide(test_scores, labels, thresholds), thresholds)


def evaluate(
    rows: Dataset, found: Predicted, labels: Sequence[str], trained_on: Collection[str], *, n_resamples: int = 1000
) -> Metrics:
    """Metrics of `bioft.metrics.multilabel`, each with value, 95 % bootstrap interval over texts, and n.

    Args:
        rows: the texts with their labels.
        found: what was predicted for them.
        labels: of the scores, in their order.
        trained_on: `checksums_of` the texts that the model has been trained on.

    Raises:
        LeakageError: one of the texts was trained on, also where it differs in case or punctuation.
    """
    check_not_trained_on(rows["text"], trained_on)
    flat = metrics.load("multilabel").compute(
        predictions=found.labels,
        references=labels_of(rows),
        labels=list(labels),
        scores=found.scores,
        n_resamples=n_resamples,
    )
    return intervals.nest(flat)


def checksums_of(texts: Iterable[str]) -> set[str]:
    """A checksum of each text, the same for texts that differ in case and punctuation only."""
    return {hashlib.sha256(normalise(text).encode()).hexdigest()[:32] for text in texts}


def check_not_trained_on(texts: Iterable[str], trained_on: Collection[str]) -> None:
    """Stop before a text is scored that the model was trained on.

    Raises:
        LeakageError: names the first such text and how many there are.
    """
    texts, trained = list(texts), frozenset(trained_on)
    if seen := [text for text in texts if checksums_of([text]) <= trained]:
        raise LeakageError(
            f"{len(seen):,} of {len(texts):,} texts to evaluate on were trained on; the first is {seen[0][:80]!r}. A "
            "score on them says nothing: evaluate on texts that were held out."
        )


def write_trained_on(checksums: Collection[str], directory: Path) -> None:
    """Write the texts that a run was trained on, as checksums, so that any later evaluation can refuse them."""
    pd.DataFrame({"checksum": sorted(checksums)}).to_parquet(directory / TRAINED_ON, index=False)


def read_trained_on(directory: str | Path) -> set[str]:
    """The checksums of the texts that a run was trained on.

    Raises:
        BioftError: the run does not say.
    """
    path = Path(directory) / TRAINED_ON
    if not path.is_file():
        raise BioftError(f"{directory} has no {TRAINED_ON}: which texts it was trained on is not known.")
    return set(pd.read_parquet(path)["checksum"])


def predict_baselines(dataset: DatasetDict, labels: Sequence[str]) -> dict[str, Predicted]:
    """Fit every baseline on the training split; what each predicts for the test split."""
    train, multi_label = dataset["train"], "labels" in dataset["train"].column_names
    found = {}
    for name, kind in baselines_for(labels).items():
        baseline = kind(labels, multi_label=multi_label).fit(train["text"][:], labels_of(train))
        found[name] = predicted(
            dataset, labels, *(baseline.scores(dataset[s]["text"]) for s in ("validation", "test"))
        )
    return found


def compare_with_best_baseline(
    test: Dataset, found: Predicted, baselines: Mapping[str, Predicted], metric: str = "f1"
) -> dict[str, Any]:
    """Paired bootstrap over texts of the model's F1 (micro, or `macro_f1`) against the best baseline's."""
    references = labels_of(test)
    results = {
        name: multilabel.paired_f1_bootstrap(references, found.labels, its.labels, metric=metric)
        for name, its in baselines.items()
    }
    best = max(results, key=lambda name: results[name].second)
    return metrics_report.describe_difference(best, results[best], SHOWN[metric])


def write_predictions(
    test: Dataset, found: Predicted, baselines: Mapping[str, Predicted], labels: Sequence[str], directory: Path
) -> None:
    """Write `predictions.parquet` (a row for each test text) and `classification_report.txt`.

    Columns: id, label, prediction and `baseline_<name>` (each a list of labels) and scores (of `labels`, in order).
    """
    table = pd.DataFrame({"id": test["id"][:], "label": labels_of(test), "prediction": found.labels})
    table["scores"] = list(found.scores)
    for name, its in baselines.items():
        table[f"baseline_{name}"] = its.labels
    table.to_parquet(directory / "predictions.parquet", index=False)
    flat = metrics.load("multilabel").compute(
        predictions=found.labels, references=labels_of(test), labels=list(labels)
    )
    multi_label = "labels" in test.column_names
    report = multilabel.classification_report(flat, labels, multi_label=multi_label)
    (directory / REPORT).write_text(report, encoding="utf-8")


def plot_labels(result: Metrics, labels: Sequence[str], rows: Mapping[str, int], directory: Path) -> None:
    """Draw the F1 of each label with its interval, the most frequent at the top, into `plots/labels.png`."""
    shown = [label for label in labels if f"{label.lower()}_f1" in result]
    shown.sort(key=lambda label: rows[label])
    figure, axes = plots.new_figure(height=1.2 + 0.28 * len(shown))
    for place, label in enumerate(shown):
        its = result[f"{label.lower()}_f1"]
        axes.plot([its["low"], its["high"]], [place, place], color=plots.SKY, linewidth=3)
        axes.plot(its["value"], place, "o", color=plots.BLUE)
    axes.set_yticks(range(len(shown)), [f"{label} ({rows[label]:,})" for label in shown])
    axes.set(xlim=(0, 1), xlabel="F1 on the test split, with 95 % interval", title="Labels (texts with it in test)")
    (directory / "plots").mkdir(exist_ok=True)
    plots.save_figure(figure, directory / "plots" / "labels.png")
