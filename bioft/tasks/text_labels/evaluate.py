"""How good predicted labels of texts are: metrics with intervals, baselines on the same texts, and the comparison.

Nothing is measured on a text that was trained on: every evaluation is told which those are, and stops at the first.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from datasets import Dataset, DatasetDict

from bioft import metrics
from bioft.datasets.texts.baselines import baselines_for, indicator_matrix
from bioft.datasets.texts.labelled import audit, labels_of
from bioft.errors import BioftError, LeakageError
from bioft.metrics import intervals, multilabel, plots, report as metrics_report
from bioft.storage.runs import PREDICTIONS
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


def choose(dataset: DatasetDict, labels: Sequence[str], validation_scores: np.ndarray) -> list[float] | None:
    """The threshold of each label, chosen on validation; None where a text has one label."""
    validation = dataset["validation"]
    if "labels" not in validation.column_names:
        return None
    return choose_thresholds(indicator_matrix(labels_of(validation), labels), validation_scores)


def predictions(
    rows: Dataset, labels: Sequence[str], scores: np.ndarray, thresholds: list[float] | None
) -> pd.DataFrame:
    """The predictions table of texts: id, label and prediction (lists of labels), scores (of `labels`, in order)."""
    table = pd.DataFrame(
        {"id": rows["id"][:], "label": labels_of(rows), "prediction": decide(scores, labels, thresholds)}
    )
    return table.assign(scores=list(scores))


def baselines(dataset: DatasetDict, record: Mapping[str, Any], progress: bool = False) -> dict[str, pd.DataFrame]:
    """The predictions table of every baseline, fitted on the training split, with thresholds from validation."""
    train, labels, found = dataset["train"], record["labels"], {}
    for name, kind in baselines_for(labels).items():
        baseline = kind(labels, multi_label="labels" in train.column_names).fit(train["text"][:], labels_of(train))
        validation, test = (baseline.scores(dataset[split]["text"]) for split in ("validation", "test"))
        found[name] = predictions(dataset["test"], labels, test, choose(dataset, labels, validation))
    return found


def figures(table: pd.DataFrame, dataset: Any, record: Mapping[str, Any], *, n_resamples: int = 1000) -> Metrics:
    """Metrics of `bioft.metrics.multilabel`, each with value, 95 % bootstrap interval over texts, and n.

    A table without scores gives those that need none.
    """
    flat = metrics.load("multilabel").compute(
        predictions=table["prediction"].tolist(),
        references=table["label"].tolist(),
        labels=list(record["labels"]),
        scores=np.stack(table["scores"].tolist()) if "scores" in table else None,
        n_resamples=n_resamples,
    )
    return intervals.nest(flat)


def comparisons(
    table: pd.DataFrame, baselines: Mapping[str, pd.DataFrame], dataset: Any, record: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Paired bootstrap over texts of the model's micro and macro F1 against those of the best baseline."""
    labels, ours = (list(map(list, table[column])) for column in ("label", "prediction"))
    results: dict[str, dict[str, Any]] = {}
    for key, metric in {"comparison": "f1", "macro_comparison": "macro_f1"}.items():
        compared = {
            name: multilabel.paired_f1_bootstrap(labels, ours, list(map(list, its["prediction"])), metric=metric)
            for name, its in baselines.items()
        }
        results[key] = metrics_report.describe_best(compared, SHOWN[metric])
    return results


def test_rows(dataset: DatasetDict) -> pd.DataFrame:
    """The texts and labels that the predictions table of a run on this dataset is about."""
    return pd.DataFrame({"id": dataset["test"]["id"][:], "label": labels_of(dataset["test"])})


def check_files(directory: Path, dataset: DatasetDict, record: Mapping[str, Any]) -> list[str]:
    """Whether the run says that it was trained on the training split; it lacks some of it otherwise.

    LeakageError: it was trained on texts of the test split.
    """
    trained_on = read_trained_on(directory)
    check_not_trained_on(dataset["test"]["text"], trained_on)
    whole = checksums_of(dataset["train"]["text"]) <= trained_on
    return [] if whole else [f"{TRAINED_ON} lacks texts of the training split."]


def check_data(dataset: DatasetDict, record: Mapping[str, Any]) -> list[str]:
    """Raises LeakageError if a text is in two splits."""
    audit(dataset)
    return []


def checksums_of(texts: Iterable[str]) -> set[str]:
    """A checksum of each text, the same for texts that differ in case and punctuation only."""
    return {hashlib.sha256(normalise(text).encode()).hexdigest()[:32] for text in texts}


def check_not_trained_on(texts: Iterable[str], trained_on: Collection[str]) -> None:
    """Raise LeakageError, with the first and their number, before texts are scored that the model was trained on."""
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
    """The checksums of the texts that a run was trained on; BioftError if the run does not say."""
    path = Path(directory) / TRAINED_ON
    if not path.is_file():
        raise BioftError(f"{directory} has no {TRAINED_ON}: which texts it was trained on is not known.")
    return set(pd.read_parquet(path)["checksum"])


def write_predictions(
    table: pd.DataFrame, baselines: Mapping[str, pd.DataFrame], record: Mapping[str, Any], directory: Path
) -> None:
    """Write `predictions.parquet` (a row for each test text) and `classification_report.txt`.

    Columns: those of the predictions table, and `baseline_<name>` (lists of labels).
    """
    others = {f"baseline_{name}": its["prediction"] for name, its in baselines.items()}
    table.assign(**others).to_parquet(directory / PREDICTIONS, index=False)
    flat = metrics.load("multilabel").compute(
        predictions=table["prediction"].tolist(), references=table["label"].tolist(), labels=record["labels"]
    )
    report = multilabel.classification_report(flat, record["labels"], multi_label=record["classifier"]["multi_label"])
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
