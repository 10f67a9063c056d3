"""Relations of documents: scores of all candidates, also with the model of a run.

The model is a classifier of marked texts, or a language model that is asked (`prompted`): a record says which.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from bioft.datasets.documents.pubtator import concepts
from bioft.errors import BioftError
from bioft.metrics import thresholds
from bioft.models import base as models, precision
from bioft.models.batches import check_one_process, logits_of
from bioft.storage import runs
from bioft.tasks.entities import predict as entity_prediction, predictions, windows
from bioft.tasks.entities.files import Found, FoundRelation, InputDocument
from bioft.tasks.entities.predictions import Record
from bioft.tasks.entities.tagging import Entity
from bioft.tasks.relations import CLASSIFIER, TASK, candidates as relations, marking
from bioft.tasks.relations.answers import CANDIDATES, KEY, by_document
from bioft.tasks.relations.candidates import Candidate
from bioft.tasks.relations.marking import Markers
from bioft.tasks.relations.prompted import scoring
from bioft.tasks.relations.prompted.prompts import Prompt

if TYPE_CHECKING:
    from datasets import Dataset

Row = Mapping[str, Any]


def encode(
    markers: Markers, tokenizer: Any, texts: Sequence[str], found: Sequence[Candidate]
) -> tuple[list[list[int]], dict[str, int]]:
    """The vocabulary ids of each candidate's marked text, and what did not fit into them.

    The counts are `texts_without_some_mentions` (of the two concepts), `mentions_left_out`, and `texts_cut`.
    """
    marked, length = marking.mark(texts, found, tokenizer, markers), markers.max_length
    ids = tokenizer([each.text for each in marked], verbose=False)["input_ids"] if marked else []
    end = windows.special_tokens(tokenizer)[1]
    return [row if len(row) <= length else [*row[: length - len(end)], *end] for row in ids], {
        "texts_without_some_mentions": sum(each.left_out > 0 for each in marked),
        "mentions_left_out": sum(each.left_out for each in marked),
        "texts_cut": sum(len(row) > length for row in ids),
    }


@dataclass(frozen=True)
class RelationScores:
    """Candidates of some documents with the probability of each type of `arguments`, shape (candidates, types)."""

    candidates: list[Candidate]
    scores: np.ndarray
    arguments: relations.Arguments

    def found(self, n_documents: int, threshold: float) -> list[list[FoundRelation]]:
        """The relations of each document whose score reaches the threshold."""
        names = list(self.arguments)
        result: list[list[FoundRelation]] = [[] for _ in range(n_documents)]
        for row, column in np.argwhere(self.scores >= threshold).tolist():
            document, head, tail, _ = self.candidates[row]
            score = float(self.scores[row, column])
            result[document].append(FoundRelation(names[column], head.id, tail.id, score))
        return result


def recorded_arguments(record: Record) -> dict[str, list[tuple[str, str]]]:
    """The entity types of head and tail of each relation type, as a record has them; BioftError: of some it has none.

    A classifier's are those of its labels: it would find nothing of others, without a word.
    """
    stated, classifies = record["relations"]["arguments"], "markers" in record["relations"]
    labels = record.get("labels")  # while it is trained there are none yet
    of_labels = not (classifies and labels) or sorted(relations.label_names(stated)) == sorted(labels)
    whole = stated and all(pairs and all(len(its) == 2 for its in pairs) for pairs in stated.values())
    if not whole or not of_labels:
        raise BioftError(f"The record does not say between which entities relations are: {stated}. {runs.AS_IT_WAS}")
    return {kind: [(head, tail) for head, tail in pairs] for kind, pairs in stated.items()}


def is_prompted(record: Record) -> bool:
    """Whether the model of a run is a language model that is asked, and no classifier."""
    return "prompt" in record["relations"]


def labels_of(model: Any) -> list[str]:
    """The labels of a classifier in the order of its logits."""
    return [model.config.id2label[index] for index in range(model.config.num_labels)]


def score(model: Sequence[Any], rows: Sequence[Row], record: Record, progress: str | None = None) -> RelationScores:
    """Score all candidates of documents, whose `entities` may be annotated or predicted.

    `model` is a sequence classification model with the labels of `relations.label_names`, in any order, and its fast
    tokenizer; of the record `relations` hold the entity types of each relation type, and the markers. Where they hold
    a prompt, `model` is a language model and its tokenizer.
    """
    kept, arguments = record["relations"], recorded_arguments(record)
    found, texts = relations.candidates(rows, arguments), [row["text"] for row in rows]
    if is_prompted(record):
        probabilities = scoring.probabilities(model, texts, found, arguments, Prompt(**kept["prompt"]), progress)
        return RelationScores(found, probabilities, arguments)
    inputs, _ = encode(Markers(**kept["markers"]), model[1], texts, found)
    logits = np.array(logits_of(model[0], model[1], inputs, progress))
    return RelationScores(found, relations.type_scores(logits, found, arguments, labels_of(model[0])), arguments)


def add_marker_tokens(model: Any, tokenizer: Any, markers: Markers, arguments: relations.Arguments) -> None:
    """Give the vocabulary and the model the tokens of markers that are tokens of their own; else do nothing."""
    if markers.added_tokens:
        tokenizer.add_tokens(markers.tokens(arguments))
        model.resize_token_embeddings(len(tokenizer))


def pair_dataset(
    tokenizer: Any, rows: Sequence[Row], arguments: relations.Arguments, labels: Sequence[str], markers: Markers
) -> tuple["Dataset", dict[str, int]]:
    """A training example (`input_ids`, `labels`) for each candidate of documents; `labels` in the classifier's order.

    Beside it counts: those of `relations.count_labels`, `missed` (relations without a candidate) and those of
    `encode`.
    """
    from datasets import Dataset

    found = relations.candidates(rows, arguments)
    inputs, left_out = encode(markers, tokenizer, [row["text"] for row in rows], found)
    examples = {"input_ids": inputs, "labels": [relations.encode_labels(candidate, labels) for candidate in found]}
    missed = {"missed": relations.count_missed(rows, found)}
    return Dataset.from_dict(examples), relations.count_labels(found) | missed | left_out


def weighted_loss(positive_weight: float, labels: Sequence[str]) -> Callable[..., torch.Tensor] | None:
    """A loss for `transformers.Trainer` in which relations count `positive_weight` times; None if that is 1."""
    if positive_weight == 1.0:
        return None
    weights = torch.tensor([1.0 if label == relations.NO_RELATION else positive_weight for label in labels])

    def loss(outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None) -> torch.Tensor:
        logits, weight = outputs["logits"].float(), weights.to(labels.device)
        if labels.ndim == 1:
            total = nn.functional.cross_entropy(logits, labels, weight=weight, reduction="sum")
        else:
            total = nn.functional.binary_cross_entropy_with_logits(logits, labels, pos_weight=weight, reduction="sum")
        # The trainer counts the labels of all batches that make one step.
        return total / (labels.numel() if num_items_in_batch is None else num_items_in_batch)

    return loss


def choose_threshold(
    scores: RelationScores | None, rows: Sequence[Row], given: float | None = None
) -> tuple[float, str]:
    """The score from which on a relation is predicted, and where it comes from.

    `scores` are those of the validation documents, None where the model was trained on them; `given` is the user's.
    """
    if given is not None:
        return given, "given"
    if scores is None:
        return thresholds.DEFAULT, "not chosen"
    truth, missed = truth_of(scores.candidates, list(scores.arguments), rows)
    on = thresholds.chosen_on(truth)
    return thresholds.choose_highest_f1(truth, scores.scores, on, missed), on


def threshold_chosen_on(rows: Sequence[Row], arguments: relations.Arguments) -> str:
    """What a model chooses its threshold on, that was not trained on the validation documents `rows`."""
    return thresholds.chosen_on(relations.true_labels(relations.candidates(rows, arguments), arguments))


def highest_f1(scores: RelationScores, rows: Sequence[Row]) -> float:
    """The highest micro F1 that any threshold gives on documents."""
    truth, missed = truth_of(scores.candidates, list(scores.arguments), rows)
    return thresholds.best_threshold(truth, scores.scores, missed)[1]


def truth_of(found: Sequence[Any], types: Sequence[str], rows: Sequence[Row]) -> tuple[np.ndarray, int]:
    """Which relations are stated between candidates, shape (candidates, types), and how many between no candidates."""
    from bioft.metrics import relation_f1  # with `evaluate`, which takes a second

    stated = list(map(set, relation_f1.relations(rows)))
    truth = np.array(
        [[(kind, c.head.id, c.tail.id) in stated[c.document] for kind in types] for c in found], dtype=bool
    )
    return truth.reshape(-1, len(types)), sum(map(len, stated)) - int(truth.sum())


def candidates_table(rows: Sequence[Row], scores: RelationScores, threshold: float) -> pd.DataFrame:
    """A row for each candidate and each relation type that it may have, and for each relation without a candidate."""
    table = []
    for (document, head, tail, types), values in zip(scores.candidates, scores.scores.tolist(), strict=True):
        for (kind, pairs), score in zip(scores.arguments.items(), values, strict=True):
            if (head.type, tail.type) in pairs:
                table.append((rows[document]["document_id"], kind, head.id, tail.id, int(kind in types), score))
    there = {row[:4] for row in table}
    for row in rows:
        annotated = {(row["document_id"], r["type"], r["head"], r["tail"]) for r in row["relations"]}
        table += [(*key, 1, 0.0) for key in sorted(annotated - there)]
    frame = pd.DataFrame(table, columns=[*KEY, "label", "score"])
    frame["prediction"] = (frame["score"] >= threshold).astype(int)
    frame.insert(0, "id", [":".join(key) for key in zip(*(frame[c] for c in KEY), strict=True)])
    return frame


def table_of(
    rows: "Dataset",
    found: Sequence[Sequence[Sequence[Any]]] | None = None,
    end_to_end: Sequence[Sequence[Sequence[Any]]] | None = None,
) -> pd.DataFrame:
    """The predictions table of documents in which some relations were found, with or without scores: see `predict`.

    `found` are those between annotated entities, `end_to_end` those between found ones.
    """
    from bioft.metrics import relation_f1

    labels = [sorted(set(stated)) for stated in relation_f1.relations(rows)]
    columns = {"id": list(rows["document_id"]), "label": predictions.to_json(labels)}
    columns["prediction"] = predictions.to_json(found or [[]] * len(rows), digits=None)
    if end_to_end is not None:
        columns["end_to_end_prediction"] = predictions.to_json(end_to_end, digits=None)
    return pd.DataFrame(columns)


def load(
    directory: str | Path, dtype: torch.dtype | None = None, *, whole: bool = False
) -> tuple[Any, Any, dict[str, Any]]:
    """The model of a finished run on relations, its tokenizer, its record; see `entities.predict.load`."""
    record = runs.read_trained(directory, TASK.name)
    if is_prompted(record):
        return *scoring.load(Path(directory), record["base_model"], dtype), record
    runs.check_whole(directory, record, CLASSIFIER)
    head = "ForSequenceClassification"
    return entity_prediction.load(directory, dtype, task=TASK.name, head=head, whole=whole)


def predict(model: Sequence[Any], rows: "Dataset", record: Record, progress: str | None = None) -> pd.DataFrame:
    """The predictions table of documents: `id`, as JSON lists `label`, and with scores `prediction`, `candidates`."""
    scores, threshold = score(model, documents := rows.to_list(), record, progress), record["relations"]["threshold"]
    table = table_of(rows, scores.found(len(rows), threshold))
    every = by_document(candidates_table(documents, scores, threshold), table["id"].to_list())
    return table.assign(**{CANDIDATES: predictions.to_json(every, digits=None)})


def predict_base(model: Any, dataset: Any, record: Record, progress: str | None = None) -> pd.DataFrame:
    """What the base model finds in the test split: a language model as it is, an encoder with its new head."""
    from transformers import AutoModelForSequenceClassification, set_seed

    rows = dataset["test"]
    if is_prompted(record):
        with model[0].disable_adapter():
            return table_of(rows, score(model, rows.to_list(), record, progress).found(len(rows), thresholds.DEFAULT))
    set_seed(record["seed"])
    names = relations.label_names(recorded_arguments(record))
    base, tokenizer = models.load_encoder(
        models.resolve_recorded(record["base_model"]),
        AutoModelForSequenceClassification,
        id2label=dict(enumerate(names)),
        problem_type="single_label_classification" if relations.NO_RELATION in names else "multi_label_classification",
    )
    add_marker_tokens(base, tokenizer, Markers(**record["relations"]["markers"]), recorded_arguments(record))
    base.to(models.local_device(), precision.of_run(record))
    scores = score((base, tokenizer), rows.to_list(), record, progress)
    return table_of(rows, scores.found(len(rows), threshold=0.5))


def score_base(model: Any, tokenizer: Any, rows: "Dataset", record: Record) -> dict[str, np.ndarray]:
    """The `scores` of documents by a language model that is not trained yet, by their name, to be kept in a file."""
    return {"scores": score((model, tokenizer), rows.to_list(), record, "").scores}


def find(
    model: Sequence[Any], documents: Sequence[InputDocument], record: Record, progress: str | None = None
) -> list[Found]:
    """The relations between the entities of documents, which are given in PubTator files; BioftError without any."""
    if is_prompted(record):
        check_one_process("A language model is asked in one process")
    for document in documents:
        if not any(concepts(mention.id) for mention in document.mentions):
            raise BioftError(
                f"Document {document.document_id} has no entities with concept ids. This run finds relations between "
                "entities that are given: give it a .pubtator file with mentions, or use a run of joint_ner_re."
            )
    mentions = [sorted(each.mentions, key=lambda mention: mention.start) for each in documents]  # as in training
    rows = [
        {"text": each.text, "entities": list(map(asdict, its))} for each, its in zip(documents, mentions, strict=True)
    ]
    scores = score(model, rows, record, progress)
    return [
        Found([Entity(m.start, m.end, m.type, 1.0) for m in given], [m.id for m in given], its)
        for given, its in zip(mentions, scores.found(len(rows), record["relations"]["threshold"]), strict=True)
    ]


def entity_types(record: Record, found: Sequence[Found]) -> list[str]:
    """The types of the entities that were given, in alphabetical order."""
    return sorted({entity.type for document in found for entity in document.entities})
