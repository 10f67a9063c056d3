"""How good a joint model is: its entities, its relations between annotated entities, and both end to end."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from datasets import Dataset, DatasetDict
from rich.table import Table

from bioft.datasets.documents.pubtator import concepts
from bioft.errors import BioftError
from bioft.metrics import counts, entity_f1, relation_f1
from bioft.metrics.estimation.estimates import PairedDifference
from bioft.storage import runs
from bioft.storage.json_text import NUMBER
from bioft.task import FINE_TUNED
from bioft.tasks import entities, joint as itself, relations
from bioft.tasks.choices import Checked
from bioft.tasks.entities import answers as entity_answers, evaluate as entity_evaluation, predictions
from bioft.tasks.entities.evaluate import Metrics, audit, plot
from bioft.tasks.entities.predict import spans_of
from bioft.tasks.entities.predictions import Record
from bioft.tasks.joint import answers as joint_answers
from bioft.tasks.joint.predict import JointPrediction, heads_of, predict_split
from bioft.tasks.relations import answers as relation_answers, evaluate as relation_evaluation
from bioft.tasks.relations.linking import FILE as CONCEPTS
from bioft.tasks.relations.predict import highest_f1

__all__ = ["audit", "plot"]  # as for entities
SHOWN = {
    "f1": "F1, entities",
    "relation_f1": "F1, relations",
    "end_to_end_f1": "F1, end to end",
    "unseen_f1": "F1, unseen",
}
FILES = (CONCEPTS,)
"""What `bioft verify` compares in a run on it, beside the files that runs on all tasks have."""
RELATED = {"relation_label": "label", "relation_prediction": "prediction"}
"""The columns of relations, and what those of a run on relations alone are called."""
COLUMNS = {"f1": "prediction", "relation_f1": "relation_prediction", "end_to_end_f1": "end_to_end_prediction"}
"""By metric the column of the predictions that it measures."""
COMPARABLE = {
    entities.TASK.name: (entity_answers.read, COLUMNS),
    relations.TASK.name: (relation_answers.read, COLUMNS | {"f1": "", "relation_f1": "prediction"}),
    itself.TASK.name: (joint_answers.read, COLUMNS),
}
"""The tasks whose runs can be compared: what reads their predictions, and the column of each metric, if any."""
TRAINING = ("seconds", "examples_seen", "steps")


def validation_metrics(rows: Dataset, prediction: JointPrediction, heads: Sequence[str]) -> dict[str, float]:
    """Micro F1 of each trained head (of relations by the best threshold), and their mean `f1`, to choose by."""
    found = {}
    if "entities" in heads:
        compared = counts.count(spans_of(prediction.entities), entity_f1.spans(rows), type_index=2)
        found["entity_f1"] = counts.metrics(compared, confidence=None)["f1"]
    if "relations" in heads:
        found["relation_f1"] = highest_f1(prediction.annotated, rows)
    return {**found, "f1": sum(found.values()) / len(found)}


def lacking(dataset: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    """What documents lack for both heads, in words."""
    return entity_evaluation.lacking(dataset, manifest) or relation_evaluation.lacking(dataset, manifest)


def test_rows(dataset: DatasetDict) -> pd.DataFrame:
    """`id` and the labels that a predictions table of the test split must have, for both heads."""
    test = dataset["test"]
    mentions, related = predictions.to_json(entity_f1.spans(test)), predictions.to_json(relation_f1.relations(test))
    return pd.DataFrame({"id": list(test["document_id"]), "label": mentions, "relation_label": related})


check_files = relation_evaluation.check_files


def baselines(dataset: DatasetDict, record: Record, progress: bool = False) -> dict[str, pd.DataFrame]:
    """What each baseline for what the trained heads do finds in the test split: predictions tables."""
    heads = heads_of(record)
    result = entity_evaluation.baselines(dataset, record) if "entities" in heads else {}
    if "relations" in heads:
        names = {theirs: ours for ours, theirs in RELATED.items()}
        found = relation_evaluation.baselines(dataset, record)
        result |= {name: table.rename(columns=names) for name, table in found.items()}
    return result


def figures(table: pd.DataFrame, dataset: DatasetDict, record: Record) -> Metrics:
    """The metrics of each head that the predictions table has something of, with intervals.

    Those of entities are as `bioft.tasks.entities.evaluate.figures` has them; `relation_f1` and so on are of relations
    between annotated entities, `end_to_end_f1` and so on of relations between the model's own, linked by the
    dictionary.
    """
    result = entity_evaluation.figures(table, dataset, record) if "prediction" in table else {}
    if "relation_prediction" in table:
        found = relation_evaluation.figures(_related(table), dataset, record)
        end_to_end = relation_evaluation.END_TO_END
        result |= {name if name.startswith(end_to_end) else f"relation_{name}": its for name, its in found.items()}
    return result


def comparisons(
    table: pd.DataFrame, baselines: Mapping[str, pd.DataFrame], dataset: DatasetDict, record: Record
) -> dict[str, dict[str, Any]]:
    """Paired test against the best baseline of relations, or of entities where there is none of relations."""
    if "relation_prediction" in table:
        theirs = {name: _related(found) for name, found in baselines.items() if "relation_prediction" in found}
        return relation_evaluation.comparisons(_related(table), theirs, dataset, record)
    theirs = {name: found for name, found in baselines.items() if "prediction" in found}
    return entity_evaluation.comparisons(table, theirs, dataset, record)


def baseline_names(record: Record) -> list[str]:
    """The baselines of what the trained heads do."""
    kinds = {"entities": entity_evaluation, "relations": relation_evaluation}
    return [name for head in heads_of(record) for name in kinds[head].baseline_names(record)]


def check_choices(model: Sequence[Any], dataset: DatasetDict, record: Record, noise: float) -> Checked:
    """As for relations alone."""
    if "relations" not in heads_of(record):
        return [], []
    validation = dataset["validation"]
    return relation_evaluation.check_threshold(
        lambda: predict_split(model, validation, record).annotated, validation, record, noise
    )


def _related(table: pd.DataFrame) -> pd.DataFrame:
    """The part about relations, as the predictions table of a run on relations alone."""
    return table[[column for column in ("id", *RELATED, "end_to_end_prediction") if column in table]].rename(
        columns=RELATED
    )


def shown(record: Record) -> dict[str, str]:
    """The metrics of a results table and their words, those that this model has."""
    return {name: words for name, words in SHOWN.items() if name in record["metrics"]}


def describe_links(prediction: JointPrediction) -> dict[str, int]:
    """How many mentions were found, and how many of them the dictionary knows."""
    ids = [entity["id"] for entities in prediction.linked for entity in entities]
    return {"mentions": len(ids), "linked_mentions": sum(bool(concepts(each)) for each in ids)}


def analyses(tables: Mapping[str, pd.DataFrame], dataset: Any, record: Record) -> dict[str, Any]:
    """The analyses of the trained heads: `error_analysis` of entities, `relation_error_analysis`."""
    table = tables[FINE_TUNED]
    found = entity_evaluation.analyses(tables, dataset, record) if "prediction" in table else {}
    if "relation_prediction" in table:
        ((_, its),) = relation_evaluation.analyses({FINE_TUNED: _related(table)}, dataset, record).items()
        found["relation_error_analysis"] = its
    return found


class Other(NamedTuple):
    """A run that this one is compared with: its record, its predictions and the columns of these."""

    record: Record
    table: pd.DataFrame
    columns: Mapping[str, str]


def read_others(names: Sequence[str], manifest: Mapping[str, Any], test: Dataset) -> list[Other]:
    """The runs to compare with, read before the training so that none is refused after it.

    BioftError names the first that is not finished or is damaged, finds nothing of this kind, or has another test
    split.
    """
    found = []
    for directory in names:
        if (task := runs.read(directory).get("task")) not in COMPARABLE:
            raise BioftError(f"{directory} is a run on {task}; give one on {', '.join(COMPARABLE)}.")
        record = runs.read_trained(directory, whole=True)
        runs.check_whole(directory, record, {"training": dict.fromkeys(TRAINING, NUMBER)})
        if record["dataset"]["fingerprints"]["test"] != manifest["fingerprints"]["test"]:
            raise BioftError(f"The run in {directory} has another test split: only the same documents are compared.")
        read, columns = COMPARABLE[record["task"]]
        found.append(Other(record, predictions.of_rows(read(Path(directory), record), test), columns))
    return found


def compare_with_runs(
    record: Record, table: pd.DataFrame, test: Dataset, others: Sequence[Other]
) -> list[dict[str, Any]]:
    """Paired tests of a finished evaluation against other runs.

    Returns for each metric that a run shares with this one: the other run's `name` and `recipe`, the `metric`, this
    one's value (`first`), the other's (`second`), `difference`, `low`, `high`, `p_value`, `n`, and how long each was
    trained (`seconds`, `other_seconds`) on how many examples and steps.
    """
    compared = []
    for other in others:
        for metric, column in COLUMNS.items():
            if column not in table or other.columns[metric] not in other.table:
                continue
            module: Any = entity_f1 if metric == "f1" else relation_f1
            sides = (predictions.without_scores(its) for its in (table[column], other.table[other.columns[metric]]))
            references = entity_f1.spans(test) if metric == "f1" else relation_f1.relations(test)
            difference: PairedDifference = module.paired_f1(references, *sides)
            compared.append(
                difference._asdict()
                | {"metric": metric, "name": other.record["name"], "recipe": other.record["recipe"]}
                | {key: record["training"][key] for key in TRAINING}
                | {f"other_{key}": other.record["training"][key] for key in TRAINING}
            )
    return compared


def tables(record: Record) -> list[Table | str]:
    """The analysis of errors that a record holds, and the comparisons with other runs, for the terminal."""
    sentences = (_comparison_in_words(compared) for compared in record.get("comparisons") or ())
    return [*entity_evaluation.tables(record), *sentences]


def _comparison_in_words(compared: Mapping[str, Any]) -> str:
    """One sentence for an entry of `compare_with_runs`."""
    return (
        f"{SHOWN[compared['metric']]}: {compared['first']:.3f}, against {compared['second']:.3f} of the run "
        f"{compared['recipe']}/{compared['name']}: difference {compared['difference']:+.3f}, 95% interval "
        f"{compared['low']:+.3f} to {compared['high']:+.3f} (trained {compared['seconds']:.0f} s and "
        f"{compared['other_seconds']:.0f} s)."
    )
