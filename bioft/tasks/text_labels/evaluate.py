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
from bioft.datasets.texts import labelled
from bioft.datasets.texts.baselines import baselines_for, indicator_matrix
from bioft.datasets.texts.labelled import labels_of
from bioft.errors import BioftError, LeakageError
from bioft.metrics import multilabel, plots, report as metrics_report, thresholds
from bioft.metrics.estimation import estimates
from bioft.storage.runs import PREDICTIONS
from bioft.storage.text_lines import normalise
from bioft.task import FINE_TUNED
from bioft.tasks.answers import TEXTS, read_table
from bioft.tasks.choices import FIRST, Checked, is_other_rule, not_given
from bioft.tasks.neighbours import by_neighbour
from bioft.tasks.read_by_others import other_classifier
from bioft.tasks.text_labels.classifier import choose_thresholds, decide, score_texts

SHOWN = {
    "f1": "Micro F1",
    "macro_f1": "Macro F1",
    "accuracy": "All labels right",
    "macro_auroc": "AUROC, mean",
    "macro_auprc": "mAP",
}
DECIDED_FROM = ".5"
"""The score from which on one of two labels is the higher one."""
TRAINED_ON = "trained_on.parquet"
"""The file of a run that says which texts it was trained on, as checksums of them."""
REPORT = "classification_report.txt"
FILES = (REPORT, TRAINED_ON)
"""What `bioft verify` compares in a run on it, beside the files that runs on all tasks have."""

Metrics = dict[str, dict[str, float | int | None]]
lacking = labelled.lacking


def choose(dataset: DatasetDict, record: Mapping[str, Any], validation_scores: np.ndarray) -> list[float] | None:
    """The threshold of each label of a record, chosen on what it says; None where a text has one label."""
    if (rules := chosen_on(dataset, record["labels"])) is None:
        return None
    truth = indicator_matrix(labels_of(dataset["validation"]), record["labels"])
    # Without a run there is no record of it yet.
    on = recorded_choice(record) if "classifier" in record else rules.values()
    return choose_thresholds(truth, validation_scores, on)


def recorded_choice(record: Mapping[str, Any]) -> list[str]:
    """What chose the threshold of each label: validation did all of a record from before it had to have a size."""
    return record["classifier"].get("thresholds_chosen_on", [thresholds.VALIDATION] * len(record["labels"]))


def chosen_on(dataset: DatasetDict, labels: Sequence[str]) -> dict[str, str] | None:
    """By label what chooses its threshold: "validation", or why it is .5; None where a text has one label."""
    validation = dataset["validation"]
    if "labels" not in validation.column_names:
        return None
    truth = indicator_matrix(labels_of(validation), labels)
    return {label: thresholds.chosen_on(there) for label, there in zip(labels, truth.T, strict=True)}


def shown(record: Mapping[str, Any]) -> dict[str, str]:
    """The metrics of a results table and their words; of two labels that exclude each other F1 of the second first."""
    about, labels = record.get("classifier") or record["dataset"], record["labels"]  # the dataset tells without a run
    if about["multi_label"] or len(labels) != 2:
        return SHOWN
    return {f"{labels[1].lower()}_f1": f"F1, {labels[1]} (from {DECIDED_FROM})", **SHOWN}


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
        found[name] = predictions(dataset["test"], labels, test, choose(dataset, record, validation))
    return found


def figures(table: pd.DataFrame, dataset: Any, record: Mapping[str, Any]) -> Metrics:
    """Metrics of `bioft.metrics.multilabel`, 95 % intervals over texts, and n; without scores those that need none."""
    flat = metrics.load("multilabel").compute(
        predictions=table["prediction"].tolist(),
        references=table["label"].tolist(),
        labels=list(record["labels"]),
        scores=np.stack(table["scores"].tolist()) if "scores" in table else None,
    )
    return estimates.nest(flat)


def comparisons(
    table: pd.DataFrame, baselines: Mapping[str, pd.DataFrame], dataset: Any, record: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Paired test over texts of the model's main metric and macro F1 against those of the best baseline."""
    labels, ours = (list(map(list, table[column])) for column in ("label", "prediction"))
    results: dict[str, dict[str, Any]] = {}
    words = shown(record)
    main = next(iter(words))
    for key, metric in {"comparison": main, "macro_comparison": "macro_f1"}.items():
        compared = {
            name: multilabel.paired_f1(labels, ours, list(map(list, its["prediction"])), metric=metric)
            for name, its in baselines.items()
        }
        results[key] = metrics_report.describe_best(compared, words[metric])
    best = results["comparison"]["baseline"]
    systems = {FINE_TUNED: table, **baselines}
    if dataset is None:
        return results
    return results | by_neighbour(figures, systems, best, (main, words[main]), dataset, dataset["train"], record)


def test_rows(dataset: DatasetDict) -> pd.DataFrame:
    """The texts and labels that the predictions table of a run on this dataset is about."""
    return pd.DataFrame({"id": dataset["test"]["id"][:], "label": labels_of(dataset["test"])})


def check_files(directory: Path, dataset: DatasetDict, record: Mapping[str, Any]) -> list[str]:
    """Whether the run tells the training texts as such, and its report; LeakageError: it was trained on test texts."""
    trained_on, reasons = read_trained_on(directory), []
    if sorted(record["labels"]) != sorted(record["dataset"]["labels"]):
        return ["The record names other labels of the model than the data have."]
    if (several := record["dataset"]["multi_label"]) != record["classifier"]["multi_label"]:
        reasons.append(
            f"The record says that a text has {'one label' if several else 'several labels'}: it is not so."
        )
    kept = record["classifier"].get("thresholds")
    its = None if kept is None else dict(zip(record["labels"], kept, strict=True))
    reasons += other_classifier(directory, several=several, thresholds=its)
    check_not_trained_on(dataset["test"]["text"], trained_on)
    if not checksums_of(dataset["train"]["text"]) <= trained_on:
        reasons.append(f"{TRAINED_ON} lacks texts of the training split.")
    table = pd.read_parquet(directory / PREDICTIONS, columns=["label", "prediction"])
    written = directory / REPORT
    # Earlier versions wrote it in other words.
    current = written.is_file() and int(record["schema_version"]) >= FIRST
    if current and written.read_text(encoding="utf-8") != report(table, record):
        reasons.append(f"{REPORT} does not follow from {PREDICTIONS}.")
    return reasons


def audit(dataset: DatasetDict, record: Mapping[str, Any]) -> dict[str, Any]:
    """The audit of texts, made again; LeakageError if a text is in two splits."""
    return labelled.audit(dataset)


def baseline_names(record: Mapping[str, Any]) -> list[str]:
    """The baselines that every run with these labels has."""
    return list(baselines_for(record["labels"]))


def check_choices(model: Any, dataset: DatasetDict, record: Mapping[str, Any], noise: float) -> Checked:
    """For which labels the threshold is not the one that validation gives; `noise` is that of the scores."""
    labels, kept, rules = record["labels"], record["classifier"], chosen_on(dataset, record["labels"])
    if rules is None or kept["thresholds"] is None:
        return ([] if rules == kept["thresholds"] else ["Thresholds are for texts of several labels each."]), []
    network, tokenizer, *_ = model
    texts, reasons = dataset["validation"]["text"][:], []
    scores = score_texts(network, tokenizer, texts, kept["max_length"], kept["multi_label"])
    best = choose(dataset, record, scores) or []
    wrong = not_given(kept["thresholds"], lambda its: choose(dataset, record, its) or [], scores, noise)
    for place, (label, stated) in enumerate(zip(labels, recorded_choice(record), strict=True)):
        threshold = kept["thresholds"][place]
        if is_other_rule(stated, rules[label], record):
            reasons.append(
                f"{label}: what chose the threshold is said to be: {stated}; by validation it is: {rules[label]}."
            )
        elif place in wrong and stated != thresholds.VALIDATION:
            reasons.append(f"{label}: the threshold is {threshold:.4f}, and not .5 as recorded.")
        elif place in wrong:
            reasons.append(
                f"{label}: validation does not give the recorded threshold {threshold:.4f} but {best[place]:.4f}."
            )
    return reasons, []


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
    if not (Path(directory) / TRAINED_ON).is_file():
        raise BioftError(f"{directory} has no {TRAINED_ON}: which texts it was trained on is not known.")
    return set(read_table(Path(directory), {"checksum": TEXTS}, TRAINED_ON)["checksum"])


def write_predictions(
    table: pd.DataFrame, baselines: Mapping[str, pd.DataFrame], record: Mapping[str, Any], directory: Path
) -> None:
    """Write `predictions.parquet` (`baseline_<name>` has lists of labels) and `classification_report.txt`."""
    others = {f"baseline_{name}": its["prediction"] for name, its in baselines.items()}
    table.assign(**others).to_parquet(directory / PREDICTIONS, index=False)
    (directory / REPORT).write_text(report(table, record), encoding="utf-8")


def report(table: pd.DataFrame, record: Mapping[str, Any]) -> str:
    """What `classification_report.txt` says of predictions: the figures of each label, as text."""
    flat = metrics.load("multilabel").compute(
        predictions=table["prediction"].tolist(), references=table["label"].tolist(), labels=record["labels"]
    )
    return multilabel.classification_report(flat, record["labels"], multi_label=record["classifier"]["multi_label"])


def plot(directory: Path, record: Mapping[str, Any]) -> None:
    """Draw the F1 of each label with its interval, the most frequent at the top, into `plots/labels.png` of a run."""
    result, labels, rows = record["metrics"], record["labels"], record["dataset"]["rows"]["test"]
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
