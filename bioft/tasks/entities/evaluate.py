"""How good found entities are: metrics with intervals, the baselines on the same documents, and the comparison."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from datasets import Dataset, DatasetDict
from rich.table import Table

from bioft import metrics
from bioft.datasets.documents import corpus
from bioft.datasets.documents.corpus import expected_supports, training_documents
from bioft.metrics import counts, entity_f1, report
from bioft.metrics.estimation import estimates
from bioft.task import FINE_TUNED
from bioft.tasks.entities import errors as error_analysis, predictions, tagging
from bioft.tasks.entities.baselines import ENTITIES
from bioft.tasks.entities.predict import table_of
from bioft.tasks.entities.predictions import Record
from bioft.tasks.neighbours import Figures, by_neighbour

SHOWN = {"f1": "F1", "precision": "Precision", "recall": "Recall", "unseen_f1": "F1, unseen", "macro_f1": "Macro F1"}

Metrics = dict[str, dict[str, float | int | None]]
lacking = corpus.lacking


def shown(record: Record) -> dict[str, str]:
    """The metrics of a results table and their words: micro F1, F1 of each type that has BIO labels, the others."""
    of_types = {f"{kind.lower()}_f1": f"F1, {kind}" for kind in tagging.types_of(record["labels"])}
    return {"f1": "F1", **of_types} | SHOWN


def check_supports(test: Dataset, manifest: Mapping[str, Any]) -> None:
    """Stop unless the references are as many as the dataset's manifest counts, for each type."""
    counts.assert_supports(entity_f1.supports(entity_f1.spans(test)), expected_supports(manifest, "mentions"))


def test_rows(dataset: DatasetDict) -> pd.DataFrame:
    """`id` and `label` that a predictions table of the test split must have."""
    return table_of(dataset["test"]).drop(columns="prediction")


def baselines(dataset: DatasetDict, record: Record, progress: bool = False) -> dict[str, pd.DataFrame]:
    """What each baseline of `ENTITIES`, fitted on what `record` says, finds in the test split: predictions tables."""
    train, test = training_documents(dataset, record["train_on"]), dataset["test"]
    return {name: table_of(test, kind().fit(train).predict(test)) for name, kind in ENTITIES.items()}


def figures(table: pd.DataFrame, dataset: DatasetDict, record: Record) -> Metrics:
    """Metrics of `bioft.metrics.entity_f1`, each with value, low, high (95 % interval over documents) and n.

    Mentions with a name that does not occur in the documents trained on are also measured apart. BioftError: the table
    is not about the test split.
    """
    test = dataset["test"]
    predictions.check_ids(table, test)
    flat = metrics.load("entity_f1").compute(
        predictions=predictions.without_scores(table["prediction"]),
        references=entity_f1.spans(test),
        texts=list(test["text"]),
        seen=entity_f1.seen_in_training(training_documents(dataset, record["train_on"])),
    )
    return estimates.nest(flat)


def comparisons(
    table: pd.DataFrame, baselines: Mapping[str, pd.DataFrame], dataset: DatasetDict, record: Record
) -> dict[str, dict[str, Any]]:
    """Paired test over documents of the model's micro F1 against the best baseline's on the same documents."""
    references, found = entity_f1.spans(dataset["test"]), predictions.without_scores(table["prediction"])
    results = {
        name: entity_f1.paired_f1(references, found, predictions.without_scores(its["prediction"]))
        for name, its in baselines.items()
    }
    return compared(results, figures, {FINE_TUNED: table, **baselines}, dataset, record)


def compared(
    results: Mapping[str, estimates.PairedDifference],
    figures: Figures,
    tables: Mapping[str, pd.DataFrame],
    dataset: DatasetDict,
    record: Record,
) -> dict[str, dict[str, Any]]:
    """The comparison with the best baseline by its paired test, and both beside near neighbours of training."""
    best = report.describe_best(results, "F1")
    trained_on = training_documents(dataset, record["train_on"])
    near = by_neighbour(figures, tables, best["baseline"], ("f1", "F1"), dataset, trained_on, record)
    return {"comparison": best} | near


def audit(dataset: DatasetDict, record: Record) -> dict[str, Any]:
    """The audit of documents as the record has it, made again; LeakageError if a document is in two splits."""
    return corpus.audit(dataset)


def baseline_names(record: Record) -> list[str]:
    """The baselines that every run has."""
    return list(ENTITIES)


def analyses(tables: Mapping[str, pd.DataFrame], dataset: Any, record: Record) -> dict[str, Any]:
    """What became of each mention of the test documents: see `bioft.tasks.entities.errors.analyse`."""
    test, found = dataset["test"], predictions.without_scores(tables[FINE_TUNED]["prediction"])
    ids = list(test["document_id"])
    return {"error_analysis": error_analysis.analyse(test["text"], entity_f1.spans(test), found, document_ids=ids)}


def plot(directory: Path, record: Record) -> None:
    """Draw the analyses of errors that a record holds into `plots/`."""
    for name in ("error_analysis", "relation_error_analysis"):
        if name in record:
            error_analysis.plot(record[name], directory / "plots" / f"{name}.png")


def tables(record: Record) -> list[Table]:
    """The analysis of errors that a record holds, for the terminal."""
    return error_analysis.tables(record["error_analysis"]) if "error_analysis" in record else []


def window_f1(labels: Sequence[str]) -> Callable[[Any], dict[str, float]]:
    """A function for a trainer's `compute_metrics`: micro F1 of exact spans, counted window by window.

    A mention on the border of two windows counts as two halves. Good for choosing a checkpoint; the figures of a run
    come from whole documents.
    """

    def compute(prediction: Any) -> dict[str, float]:
        documents, scores, references = [], [], []
        for values, tags in zip(prediction.predictions, prediction.label_ids, strict=True):
            kept = tags != tagging.IGNORED
            places = np.arange(kept.sum())
            words = np.stack([places, places + 1], axis=1)
            tokens = tagging.Tokens("", places.tolist(), words, words)
            documents.append(tokens)
            scores.append(values[kept])
            references.append(tagging.to_spans(tokens, tags[kept], labels))
        found = [[entity.span for entity in entities] for entities in tagging.most_probable(documents, scores, labels)]
        result = counts.metrics(counts.count(found, references, type_index=2), confidence=None)
        return {name: result[name] for name in ("f1", "precision", "recall")}

    return compute
