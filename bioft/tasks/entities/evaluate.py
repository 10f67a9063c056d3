"""How good found entities are: metrics with intervals, the baselines on the same documents, and the comparison."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from datasets import Dataset

from bioft import metrics
from bioft.datasets.documents.corpus import expected_supports
from bioft.metrics import counts, entity_f1, intervals, report
from bioft.tasks.entities import errors as error_analysis, tagging
from bioft.tasks.entities.baselines import ENTITIES
from bioft.tasks.entities.tagging import Entity, Span

COMPARED = "f1"
SHOWN = {"f1": "F1", "precision": "Precision", "recall": "Recall", "unseen_f1": "F1, unseen", "macro_f1": "Macro F1"}

Metrics = dict[str, dict[str, float | int | None]]


def shown_metrics(labels: Sequence[str]) -> dict[str, str]:
    """The metrics of a results table and their words: micro F1, F1 of each type that has BIO labels, the others."""
    return {"f1": "F1", **{f"{kind.lower()}_f1": f"F1, {kind}" for kind in tagging.types_of(labels)}} | SHOWN


def types_in(*splits: Dataset) -> set[str]:
    """The types of the entities in documents."""
    return {kind for split in splits for spans in entity_f1.spans(split) for *_, kind in spans}


def check_supports(test: Dataset, manifest: Mapping[str, Any]) -> None:
    """Stop unless the references are as many as the dataset's manifest counts, for each type."""
    counts.assert_supports(entity_f1.supports(entity_f1.spans(test)), expected_supports(manifest, "mentions"))


def evaluate(test: Dataset, spans: Sequence[Sequence[Span]], train: Dataset) -> Metrics:
    """Metrics of `bioft.metrics.entity_f1`, each with value, low, high (95 % bootstrap interval over documents) and n.

    Args:
        test: documents.
        spans: what was found in each of them.
        train: documents trained on: mentions with a name that does not occur there are also measured apart.
    """
    flat = metrics.load("entity_f1").compute(
        predictions=spans,
        references=entity_f1.spans(test),
        texts=list(test["text"]),
        seen=entity_f1.seen_in_training(train),
    )
    return intervals.nest(flat)


def predict_baselines(train: Dataset, test: Dataset) -> dict[str, list[list[Span]]]:
    """What each baseline of `ENTITIES`, fitted on `train`, finds in each document of `test`."""
    return {name: kind().fit(train).predict(test) for name, kind in ENTITIES.items()}


def compare_with_best_baseline(
    test: Dataset, spans: Sequence[Sequence[Span]], baselines: Mapping[str, Sequence[Sequence[Span]]]
) -> dict[str, Any]:
    """Paired bootstrap over documents of the model's micro F1 against the best baseline's on the same documents."""
    references = entity_f1.spans(test)
    results = {name: entity_f1.paired_f1_bootstrap(references, spans, found) for name, found in baselines.items()}
    best = max(results, key=lambda name: results[name].second)
    return report.describe_difference(best, results[best], "F1")


def analyse_errors(test: Dataset, spans: Sequence[Sequence[Span]]) -> dict[str, Any]:
    """What became of each mention of the test documents: see `bioft.tasks.entities.errors.analyse`."""
    return error_analysis.analyse(
        list(test["text"]), entity_f1.spans(test), spans, document_ids=list(test["document_id"])
    )


def write_predictions(
    test: Dataset,
    entities: Sequence[Sequence[Entity]],
    baselines: Mapping[str, Sequence[Sequence[Span]]],
    directory: Path,
) -> None:
    """Write `predictions.parquet`: a row for each test document, its mentions and those found as JSON lists."""
    columns: dict[str, Any] = {
        "id": list(test["document_id"]),
        "label": [json.dumps(spans) for spans in entity_f1.spans(test)],
        "prediction": [json.dumps([[*e.span, round(e.score, 4)] for e in found]) for found in entities],
    }
    for name, spans in baselines.items():
        columns[f"baseline_{name}"] = [json.dumps(found) for found in spans]
    pd.DataFrame(columns).to_parquet(directory / "predictions.parquet", index=False)


def window_f1(labels: Sequence[str]) -> Callable[[Any], dict[str, float]]:
    """A function for a trainer's `compute_metrics`: micro F1 of exact spans, counted window by window.

    The trainer shuffles windows by length, so it counts them by themselves; a mention on the border of two windows
    counts as two halves. Good for choosing a checkpoint; the figures of a run come from whole documents.
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
        result = counts.metrics(counts.count(found, references, type_index=2), n_resamples=0)
        return {name: result[name] for name in ("f1", "precision", "recall")}

    return compute
