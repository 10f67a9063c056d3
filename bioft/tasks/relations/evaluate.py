"""How good found relations are: metrics with intervals, the baselines on the same documents, and the comparison."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from datasets import Dataset, DatasetDict

from bioft import metrics
from bioft.datasets.documents.corpus import expected_supports, lacking_relations as lacking, training_documents
from bioft.datasets.documents.pubtator import concepts
from bioft.metrics import counts, relation_f1, thresholds
from bioft.metrics.estimation import estimates
from bioft.task import FINE_TUNED
from bioft.tasks.choices import Checked, is_other_rule, not_given
from bioft.tasks.entities import predict as entity_prediction, predictions
from bioft.tasks.entities.evaluate import Metrics, audit, compared, plot, tables
from bioft.tasks.entities.predictions import Record
from bioft.tasks.read_by_others import other_classifier, other_tokenizer
from bioft.tasks.relations import candidates as relations, errors, predict as prediction
from bioft.tasks.relations.answers import END_TO_END as END_TO_END_FILE
from bioft.tasks.relations.baselines import RELATIONS
from bioft.tasks.relations.linking import FILE as CONCEPTS, ConceptDictionary
from bioft.tasks.relations.predict import RelationScores, table_of

__all__ = ["audit", "lacking", "plot", "tables"]  # of all documents, and as for entities
END_TO_END = "end_to_end_"
FILES = (CONCEPTS, END_TO_END_FILE)
"""What `bioft verify` compares in a run on it, beside the files that runs on all tasks have."""
SHOWN = {
    "f1": "F1",
    "precision": "Precision",
    "recall": "Recall",
    "end_to_end_f1": "F1, end to end",
    "macro_f1": "Macro F1",
}


def check_supports(test: Dataset, manifest: Mapping[str, Any]) -> None:
    """Stop unless the references are as many as the dataset's manifest counts, for each relation type."""
    counts.assert_supports(relation_f1.supports(relation_f1.relations(test)), expected_supports(manifest, "relations"))


def test_rows(dataset: DatasetDict) -> pd.DataFrame:
    """`id` and `label` that a predictions table of the test split must have."""
    return table_of(dataset["test"]).drop(columns="prediction")


def baselines(
    dataset: DatasetDict, record: Record, progress: bool = False, linked: Dataset | None = None
) -> dict[str, pd.DataFrame]:
    """What each baseline of `RELATIONS`, fitted on what `record` says, finds in the test split: predictions tables.

    `linked` are the test documents with entities that were found: the baselines are then asked end to end too.
    """
    train, test = training_documents(dataset, record["train_on"]), dataset["test"]
    fitted = {name: kind().fit(train) for name, kind in RELATIONS.items()}
    return {
        name: table_of(test, baseline.predict(test), None if linked is None else baseline.predict(linked))
        for name, baseline in fitted.items()
    }


def figures(table: pd.DataFrame, dataset: DatasetDict, record: Record) -> Metrics:
    """Metrics of `bioft.metrics.relation_f1`, each with value, 95 % interval over documents, and n.

    They are of relations between annotated entities; where the table has those between found entities, their micro F1,
    precision and recall are added as `end_to_end_f1` and so on. BioftError: a document that the test split lacks.
    """
    test = dataset["test"]
    table, references = predictions.of_rows(table, test), relation_f1.relations(test)

    def compute(column: str) -> Metrics:
        found = predictions.without_scores(table[column])
        return estimates.nest(metrics.load("relation_f1").compute(predictions=found, references=references))

    result = compute("prediction")
    if "end_to_end_prediction" in table:
        nested = compute("end_to_end_prediction")
        result |= {f"{END_TO_END}{name}": nested[name] for name in ("f1", "precision", "recall")}
    return result


def comparisons(
    table: pd.DataFrame, baselines: Mapping[str, pd.DataFrame], dataset: DatasetDict, record: Record
) -> dict[str, dict[str, Any]]:
    """Paired test over documents of the model's micro F1 against the best baseline's on the same documents."""
    test = dataset["test"]
    references, found = relation_f1.relations(test), _found(table, test)
    results = {name: relation_f1.paired_f1(references, found, _found(its, test)) for name, its in baselines.items()}
    return compared(results, figures, {FINE_TUNED: table, **baselines}, dataset, record)


def check_files(directory: Path, dataset: DatasetDict, record: Record) -> list[str]:
    """Whether concepts are called, and relations asked for, as in the training documents; and by which tokenizer."""
    train, reasons = training_documents(dataset, record["train_on"]), []
    if ConceptDictionary.load(directory).ids != ConceptDictionary.fit(train).ids:
        reasons.append(f"{CONCEPTS} does not hold the names that the training documents have for concepts.")
    stated, ours = prediction.recorded_arguments(record), relations.argument_types(train)
    if {kind: set(pairs) for kind, pairs in stated.items()} != {kind: set(pairs) for kind, pairs in ours.items()}:
        reasons.append(f"Relations are asked for between {stated}; in the training documents they are between {ours}.")
    if (new := bool(record.get("new_head", True))) == prediction.is_prompted(record):
        head, kind = ("a new head", "asked") if new else ("no new head", "a classifier")
        reasons.append(f"The record says that the base model has {head}; the model of this run is {kind}.")
    if not prediction.is_prompted(record):
        reasons += other_classifier(directory, several=relations.NO_RELATION not in record["labels"])
    else:
        words = [str(its) for its in record["relations"]["prompt"].values()]
        reasons += other_tokenizer(directory, record["base_model"], [*dataset["test"]["text"][:], *words])
    return reasons


def baseline_names(record: Record) -> list[str]:
    """The baselines that every run has."""
    return list(RELATIONS)


def check_choices(model: Sequence[Any], dataset: DatasetDict, record: Record, noise: float) -> Checked:
    """Why the recorded threshold is not the one that validation gives, or the prompt another; and notes."""
    validation, reasons = dataset["validation"], []
    if prediction.is_prompted(record):
        from bioft.tasks.relations.prompted.training import check_prompt

        splits = {**dataset, "train": training_documents(dataset, record["train_on"])}
        reasons = check_prompt(model[1], splits, prediction.recorded_arguments(record), record["relations"])
    scores = partial(prediction.score, model, validation.to_list(), record)
    others, notes = check_threshold(scores, validation, record, noise)
    return reasons + others, notes


def check_threshold(
    scores: Callable[[], RelationScores], validation: Dataset, record: Record, noise: float
) -> Checked:
    """Why validation, of which these are the scores, does not give the recorded threshold; and notes."""
    recorded, stated = record["relations"]["threshold"], record["relations"]["threshold_chosen_on"]
    if stated == "given":
        return [], [f"The threshold {recorded:.4f} was given by hand: it may have been chosen on the test split."]
    rule = prediction.threshold_chosen_on(validation.to_list(), prediction.recorded_arguments(record))
    if stated == "not chosen" and record["train_on"] == "train":
        return [f"The threshold is said to be not chosen, though validation was not trained on: it is {rule}."], []
    if stated != "not chosen" and is_other_rule(stated, rule, record):
        return [f"What chose the threshold is said to be: {stated}; by the validation split it is: {rule}."], []
    if stated != thresholds.VALIDATION:
        wrong = recorded != thresholds.DEFAULT
        return ([f"The threshold is {recorded:.4f}, and not .5 as recorded."] if wrong else []), []
    made = scores()
    truth, missed = prediction.truth_of(made.candidates, list(made.arguments), validation.to_list())
    best, _ = thresholds.best_threshold(truth, made.scores, missed)
    if not not_given([recorded], lambda s: [thresholds.best_threshold(truth, s, missed)[0]], made.scores, noise):
        return [], []
    return [f"Validation does not give the recorded threshold {recorded:.4f} but {best:.4f}."], []


def analyses(tables: Mapping[str, pd.DataFrame], dataset: Any, record: Record) -> dict[str, Any]:
    """What became of each relation of the test documents: see `bioft.tasks.relations.errors`."""
    test = dataset["test"]
    return {"error_analysis": errors.analyse_relations(test.to_list(), _found(tables[FINE_TUNED], test))}


def find_and_link(run: str | None, test: Dataset, manifest: Record, dictionary: ConceptDictionary) -> Dataset | None:
    """The test documents with the entities that a run of `token_classification` finds; None without a run.

    Each gets the concept id that the dictionary has for it. BioftError: no such run, or one with another test split.
    """
    if run is None:
        return None
    entity_prediction.read_tested_on(run, manifest)
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

    `names` are the labels of the classifier, `missed` counts relations that are between no candidates.
    """

    def compute(prediction: Any) -> dict[str, float]:
        logits, truth = np.asarray(prediction.predictions, dtype=np.float64), np.asarray(prediction.label_ids)
        if relations.NO_RELATION in names:
            none = list(names).index(relations.NO_RELATION)
            logits, truth = logits[:, 1 - none] - logits[:, none], truth != none
        threshold, f1 = thresholds.best_threshold(truth, 1 / (1 + np.exp(-logits)), missed)
        return {"f1": f1, "threshold": threshold}

    return compute


def _found(table: pd.DataFrame, test: Dataset) -> list[predictions.Items]:
    return predictions.without_scores(predictions.of_rows(table, test)["prediction"])
