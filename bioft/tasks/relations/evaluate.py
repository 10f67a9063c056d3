"""How good found relations are: metrics with intervals, the baselines on the same documents, and the comparison."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from datasets import Dataset

from bioft import metrics
from bioft.datasets.documents.corpus import expected_supports
from bioft.datasets.documents.pubtator import concepts
from bioft.metrics import counts, intervals, relation_f1, report, thresholds
from bioft.metrics.relation_f1 import Relation
from bioft.tasks.entities import predict as entity_prediction
from bioft.tasks.relations import candidates as relations
from bioft.tasks.relations.baselines import RELATIONS
from bioft.tasks.relations.linking import ConceptDictionary

COMPARED = "f1"
END_TO_END = "end_to_end_"
SHOWN = {
    "f1": "F1",
    "precision": "Precision",
    "recall": "Recall",
    "end_to_end_f1": "F1, end to end",
    "macro_f1": "Macro F1",
}

Metrics = dict[str, dict[str, float | int | None]]
Documents = Sequence[Sequence[tuple[Any, ...]]]
"""The relations (type, head, tail) of each document; a score may follow."""


def check_supports(test: Dataset, manifest: Mapping[str, Any]) -> None:
    """Stop unless the references are as many as the dataset's manifest counts, for each relation type."""
    counts.assert_supports(relation_f1.supports(relation_f1.relations(test)), expected_supports(manifest, "relations"))


def evaluate(test: Dataset, predicted: Documents, end_to_end: Documents | None = None) -> Metrics:
    """Metrics of `bioft.metrics.relation_f1`, each with value, 95 % bootstrap interval over documents, and n.

    Args:
        test: documents with their relations.
        predicted: the relations found in each of them between annotated entities.
        end_to_end: those between entities that were found too; their micro F1, precision and recall are added as
            `end_to_end_f1` and so on.
    """
    result = intervals.nest(_compute(test, predicted))
    if end_to_end is not None:
        nested = intervals.nest(_compute(test, end_to_end))
        result |= {f"{END_TO_END}{name}": nested[name] for name in ("f1", "precision", "recall")}
    return result


def evaluate_baselines(
    train: Dataset, test: Dataset, linked: Dataset | None = None
) -> tuple[dict[str, Documents], dict[str, Metrics]]:
    """Fit every baseline of `RELATIONS` on `train`; what each finds in `test`, and its metrics.

    `linked` are the test documents with entities that were found: the baselines are then evaluated end to end too.
    """
    predicted: dict[str, Documents] = {}
    results: dict[str, Metrics] = {}
    for name, kind in RELATIONS.items():
        baseline = kind().fit(train)
        predicted[name] = baseline.predict(test)
        results[name] = evaluate(test, predicted[name], None if linked is None else baseline.predict(linked))
    return predicted, results


def compare_with_best_baseline(
    test: Dataset, predicted: Documents, baselines: Mapping[str, Documents]
) -> dict[str, Any]:
    """Paired bootstrap over documents of the model's micro F1 against the best baseline's on the same documents."""
    references, model = relation_f1.relations(test), _without_scores(predicted)
    results = {name: relation_f1.paired_f1_bootstrap(references, model, found) for name, found in baselines.items()}
    best = max(results, key=lambda name: results[name].second)
    return report.describe_difference(best, results[best], "F1")


def find_and_link(
    run: str | None, test: Dataset, manifest: Mapping[str, Any], dictionary: ConceptDictionary
) -> Dataset | None:
    """The test documents with the entities that a run of `token_classification` finds; None without a run.

    Each gets the concept id that the dictionary has for it.

    Raises:
        BioftError: the run was evaluated on another test split, so these documents may be among those that it was
            trained on; or there is no such run.
    """
    if run is None:
        return None
    entity_prediction.check_not_trained_on(run, manifest)
    entities = entity_prediction.predict_with_run(run, list(test["text"]))
    rows = [
        row | {"entities": dictionary.link(row["text"], spans)}
        for row, spans in zip(test.to_list(), entity_prediction.spans_of(entities), strict=True)
    ]
    return Dataset.from_list(rows, features=test.features)


def describe_links(run: str | None, linked: Dataset | None) -> dict[str, Any] | None:
    """Which run found the entities, how many, and how many of them the dictionary knows; None without a run."""
    if run is None or linked is None:
        return None
    ids = [entity["id"] for row in linked for entity in row["entities"]]
    return {"entity_run": run, "mentions": len(ids), "linked": sum(bool(concepts(each)) for each in ids)}


def pair_f1(names: Sequence[str], missed: int) -> Callable[[Any], dict[str, float]]:
    """A function for a trainer's `compute_metrics`: the highest micro F1 that any threshold gives.

    Args:
        names: the labels of the classifier in its order.
        missed: relations of the documents that are between no candidates.
    """

    def compute(prediction: Any) -> dict[str, float]:
        logits, truth = np.asarray(prediction.predictions, dtype=np.float64), np.asarray(prediction.label_ids)
        if relations.NO_RELATION in names:
            none = list(names).index(relations.NO_RELATION)
            logits, truth = logits[:, 1 - none] - logits[:, none], truth != none
        threshold, f1 = thresholds.best_threshold(truth, 1 / (1 + np.exp(-logits)), missed)
        return {"f1": f1, "threshold": threshold}

    return compute


def _compute(test: Dataset, predicted: Documents) -> dict[str, float]:
    references = relation_f1.relations(test)
    return metrics.load("relation_f1").compute(predictions=_without_scores(predicted), references=references)


def _without_scores(documents: Documents) -> list[list[Relation]]:
    return [[(kind, head, tail) for kind, head, tail, *_ in found] for found in documents]
