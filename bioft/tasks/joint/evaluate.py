"""How good a joint model is: its entities, its relations between annotated entities, and both end to end."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from datasets import Dataset

from bioft.datasets.documents.pubtator import concepts
from bioft.errors import BioftError
from bioft.metrics import counts, entity_f1, relation_f1
from bioft.metrics.intervals import PairedDifference
from bioft.storage import runs
from bioft.tasks.entities import errors as error_analysis, evaluate as entity_evaluation
from bioft.tasks.entities.predict import spans_of
from bioft.tasks.entities.tagging import Span
from bioft.tasks.joint import model as joint
from bioft.tasks.joint.model import JointPrediction
from bioft.tasks.relations import errors as relations_errors, evaluate as relation_evaluation
from bioft.tasks.relations.linking import ConceptDictionary
from bioft.tasks.relations.predict import KEY, choose_threshold, without_scores

SHOWN = {
    "f1": "F1, entities",
    "relation_f1": "F1, relations",
    "end_to_end_f1": "F1, end to end",
    "unseen_f1": "F1, unseen",
}
RELATION = "relation_"
COLUMNS = {
    "label": "label",
    "f1": "prediction",
    "relation_label": "relation_label",
    "relation_f1": "relation_prediction",
    "end_to_end_f1": "end_to_end_prediction",
}
"""Where `predictions.parquet` has the predictions that a metric is about."""
COMPARABLE = ("token_classification", "sequence_classification", "joint_ner_re")
TRAINING = ("seconds", "examples_seen", "steps")

Metrics = dict[str, dict[str, float | int | None]]


def predict_split(
    model: Any,
    rows: Dataset,
    tokenizer: Any,
    dictionary: ConceptDictionary,
    windows: Mapping[str, int],
    progress: str | None = None,
) -> JointPrediction:
    """What `joint.predict` finds in a split; also the relations between the entities that are annotated there."""
    options: dict[str, Any] = {**windows, "annotated": list(rows["entities"]), "progress": progress}
    return joint.predict(model, tokenizer, list(rows["text"]), dictionary, **options)


def validation_metrics(rows: Dataset, prediction: JointPrediction, heads: Sequence[str]) -> dict[str, float]:
    """Micro F1 of each trained head (of relations between annotated entities, the highest of any threshold).

    `f1` is the mean of them: what a checkpoint is chosen by.
    """
    found = {}
    if "entities" in heads:
        compared = counts.count(spans_of(prediction.entities), entity_f1.spans(rows), type_index=2)
        found["entity_f1"] = counts.metrics(compared, n_resamples=0)["f1"]
    if "relations" in heads:
        threshold, _ = choose_threshold(prediction.annotated, rows)
        references = relation_f1.relations(rows)
        predicted = without_scores(prediction.annotated.found(len(rows), threshold))
        found["relation_f1"] = counts.metrics(counts.count(predicted, references, type_index=0), n_resamples=0)["f1"]
    return {**found, "f1": sum(found.values()) / len(found)}


def evaluate(
    test: Dataset, train: Dataset, prediction: JointPrediction, threshold: float, heads: Sequence[str]
) -> Metrics:
    """The metrics of each trained head, with intervals.

    Those of entities are as `entity_evaluation.evaluate` has them; `relation_f1` and so on are of relations between
    annotated entities, `end_to_end_f1` and so on of relations between the model's own, linked by the dictionary.
    """
    result: Metrics = {}
    if "entities" in heads:
        result |= entity_evaluation.evaluate(test, spans_of(prediction.entities), train)
    if "relations" in heads:
        end_to_end = prediction.end_to_end.found(len(test), threshold) if len(heads) == 2 else None
        found = relation_evaluation.evaluate(test, prediction.annotated.found(len(test), threshold), end_to_end)
        result |= as_relations(found)
    return result


def evaluate_baselines(
    train: Dataset, test: Dataset, heads: Sequence[str]
) -> tuple[dict[str, list[list[Span]]], dict[str, Any], dict[str, Metrics]]:
    """Fit the baselines for what the trained heads do.

    Returns:
        The entities that each baseline of entities finds in each test document, the relations that each baseline of
        relations finds between annotated entities, and the metrics of all, by name.
    """
    spans = entity_evaluation.predict_baselines(train, test) if "entities" in heads else {}
    results = {name: entity_evaluation.evaluate(test, found, train) for name, found in spans.items()}
    predicted: dict[str, Any] = {}
    if "relations" in heads:
        predicted, figures = relation_evaluation.evaluate_baselines(train, test)
        results |= {name: as_relations(each) for name, each in figures.items()}
    return spans, predicted, results


def shown_metrics(metrics: Metrics) -> dict[str, str]:
    """The metrics of a results table and their words, those that this model has."""
    return {name: words for name, words in SHOWN.items() if name in metrics}


def compare_with_best_baseline(
    test: Dataset,
    prediction: JointPrediction,
    threshold: float,
    spans: Mapping[str, Sequence[Sequence[Span]]],
    predicted: Mapping[str, Any],
) -> dict[str, Any]:
    """Paired bootstrap against the best baseline of relations, or of entities where there is none of relations."""
    if predicted:
        found = prediction.annotated.found(len(test), threshold)
        return relation_evaluation.compare_with_best_baseline(test, found, predicted)
    return entity_evaluation.compare_with_best_baseline(test, spans_of(prediction.entities), spans)


def describe_links(prediction: JointPrediction) -> dict[str, int]:
    """How many mentions were found, and how many of them the dictionary knows."""
    ids = [entity["id"] for entities in prediction.linked for entity in entities]
    return {"mentions": len(ids), "linked_mentions": sum(bool(concepts(each)) for each in ids)}


def analyse_errors(
    test: Dataset, prediction: JointPrediction, threshold: float, heads: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """The analyses of the trained heads: `error_analysis` of entities, `relation_error_analysis`."""
    found: dict[str, Any] = {}
    if "entities" in heads:
        texts, ids = list(test["text"]), list(test["document_id"])
        spans = spans_of(prediction.entities)
        found["error_analysis"] = error_analysis.analyse(texts, entity_f1.spans(test), spans, document_ids=ids)
    if "relations" in heads:
        predicted = without_scores(prediction.annotated.found(len(test), threshold))
        found["relation_error_analysis"] = relations_errors.analyse_relations(test.to_list(), predicted)
    return found


def write_predictions(
    test: Dataset, prediction: JointPrediction, threshold: float, heads: Sequence[str], directory: Path
) -> None:
    """Write `predictions.parquet`: a row for each test document, with JSON lists of what the trained heads found.

    Columns: id; `label`, `prediction` (start, end, type; of predictions also the score) of entities;
    `relation_label`, `relation_prediction` (type, head, tail, score; between annotated entities) and
    `end_to_end_prediction`.
    """
    columns: dict[str, list[str]] = {"id": list(test["document_id"])}
    if "entities" in heads:
        columns["label"] = _as_json(entity_f1.spans(test))
        columns["prediction"] = _as_json(prediction.entities)
    if "relations" in heads:
        columns["relation_label"] = _as_json(relation_f1.relations(test))
        columns["relation_prediction"] = _as_json(prediction.annotated.found(len(test), threshold))
    if len(heads) == 2:
        columns["end_to_end_prediction"] = _as_json(prediction.end_to_end.found(len(test), threshold))
    pd.DataFrame(columns).to_parquet(directory / "predictions.parquet", index=False)


def check_comparable(runs_to_compare: Sequence[str], manifest: Mapping[str, Any]) -> None:
    """Stop unless all runs are finished, find entities or relations, and have the test split of this dataset.

    Raises:
        BioftError: names the first run that is not so.
    """
    for directory in runs_to_compare:
        record = runs.read(directory)
        if record["recipe"] not in COMPARABLE:
            raise BioftError(f"{directory} is a run of {record['recipe']}; give one of {', '.join(COMPARABLE)}.")
        if record["dataset"]["fingerprints"]["test"] != manifest["fingerprints"]["test"]:
            raise BioftError(f"The run in {directory} has another test split: only the same documents are compared.")


def compare_with_runs(record: Mapping[str, Any], directory: Path, others: Sequence[str]) -> list[dict[str, Any]]:
    """Paired bootstraps of a finished evaluation against other runs on the same test documents.

    Args:
        record: of this run, with `metrics`, `dataset` and `training`.
        directory: of this run, with `predictions.parquet`.
        others: runs that `check_comparable` accepts.

    Returns:
        For each metric that a run shares with this one: the other run's `name` and `recipe`, the `metric`, this one's
        value (`first`), the other's (`second`), `difference`, `low`, `high`, `p_value`, `n`, and how long each was
        trained (`seconds`, `other_seconds`) on how many examples and steps.
    """
    mine = _read_predictions(directory, "joint_ner_re")
    compared = []
    for other in others:
        its_record = runs.read(other)
        theirs = _read_predictions(Path(other), its_record["recipe"])
        for metric in [name for name in mine if name in theirs and name not in ("label", "relation_label")]:
            module: Any = entity_f1 if metric == "f1" else relation_f1
            references = mine["label" if metric == "f1" else "relation_label"]
            ids = list(references)
            difference: PairedDifference = module.paired_f1_bootstrap(
                *([side.get(each, []) for each in ids] for side in (references, mine[metric], theirs[metric]))
            )
            compared.append(
                difference._asdict()
                | {"metric": metric, "name": its_record["name"], "recipe": its_record["recipe"]}
                | {key: record["training"][key] for key in TRAINING}
                | {f"other_{key}": its_record["training"][key] for key in TRAINING}
            )
    return compared


def comparison_in_words(compared: Mapping[str, Any]) -> str:
    """One sentence for an entry of `compare_with_runs`."""
    return (
        f"{SHOWN[compared['metric']]}: {compared['first']:.3f}, against {compared['second']:.3f} of the run "
        f"{compared['recipe']}/{compared['name']}: difference {compared['difference']:+.3f}, 95% interval "
        f"{compared['low']:+.3f} to {compared['high']:+.3f} (trained {compared['seconds']:.0f} s and "
        f"{compared['other_seconds']:.0f} s)."
    )


def as_relations(figures: Metrics) -> Metrics:
    """Metrics of relations under names that set them apart from those of entities."""
    return {
        name if name.startswith(relation_evaluation.END_TO_END) else f"{RELATION}{name}": values
        for name, values in figures.items()
    }


def _as_json(documents: Sequence[Sequence[tuple[Any, ...]]]) -> list[str]:
    rounded = [
        [[round(value, 4) if isinstance(value, float) else value for value in each] for each in found]
        for found in documents
    ]
    return [json.dumps(found, ensure_ascii=False) for found in rounded]


def _read_predictions(directory: Path, recipe: str) -> dict[str, dict[str, list[tuple[Any, ...]]]]:
    """The predictions of a run by metric, and the labels, for each document id; scores are left out."""
    table = pd.read_parquet(directory / "predictions.parquet")
    if recipe == "sequence_classification":
        found = {"relation_f1": _by_document(table[table["prediction"] == 1])}
        end_to_end = directory / "predictions_end_to_end.parquet"
        return found | ({"end_to_end_f1": _by_document(pd.read_parquet(end_to_end))} if end_to_end.is_file() else {})
    found = {}
    for name, column in COLUMNS.items():
        if column in table:
            lists = zip(table["id"], map(json.loads, table[column]), strict=True)
            found[name] = {document: [tuple(item[:3]) for item in items] for document, items in lists}
    return found


def _by_document(table: pd.DataFrame) -> dict[str, list[tuple[Any, ...]]]:
    found: dict[str, list[tuple[Any, ...]]] = {}
    for document, *relation in table[KEY].itertuples(index=False):
        found.setdefault(document, []).append(tuple(relation))
    return found
