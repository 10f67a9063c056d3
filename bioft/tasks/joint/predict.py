"""What a finished run finds in documents: entities, relations between entities that are given, or both."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from datasets import Dataset

from bioft.datasets.documents.pubtator import concepts
from bioft.errors import BioftError
from bioft.metrics import entity_f1, relation_f1
from bioft.storage import runs
from bioft.tasks.entities import table as tables, tagging
from bioft.tasks.entities.files import InputDocument
from bioft.tasks.entities.tagging import Entity
from bioft.tasks.joint import model as joint
from bioft.tasks.joint.model import JointPrediction, load_run
from bioft.tasks.relations.linking import ConceptDictionary
from bioft.tasks.relations.predict import FoundRelation

load = load_run


def heads_of(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Which of "entities" and "relations" are learnt, here (their loss has a weight) or in the run begun from."""
    kept = record["joint"]
    learnt = {
        "entities": kept["entity_loss_weight"] or kept.get("start_from"),
        "relations": kept["relation_loss_weight"],
    }
    return tuple(head for head, whether in learnt.items() if whether)


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


def predict(
    model: Sequence[Any], rows: Dataset, record: Mapping[str, Any], progress: str | None = None
) -> pd.DataFrame:
    """The predictions table of documents, with columns for what the trained heads find: see `table_of`.

    Args:
        model: the model, its tokenizer and its dictionary, such as `load` gives.
        rows: documents.
        record: that of the run, of which `joint`, `relations` and `windows` are read.
        progress: text of a progress bar; None shows none.
    """
    network, tokenizer, dictionary, *_ = model
    found = predict_split(network, rows, tokenizer, dictionary, record["windows"], progress)
    return table_of(rows, found, record["relations"]["threshold"], heads_of(record))


def table_of(rows: Dataset, prediction: JointPrediction, threshold: float, heads: Sequence[str]) -> pd.DataFrame:
    """The predictions table of documents: a row for each, with JSON lists of what the trained heads found.

    Columns: id; `label`, `prediction` (start, end, type; of predictions also the score) of entities;
    `relation_label`, `relation_prediction` (type, head, tail, score; between annotated entities) and
    `end_to_end_prediction`.
    """
    columns: dict[str, list[str]] = {"id": list(rows["document_id"])}
    if "entities" in heads:
        columns["label"] = tables.to_json(entity_f1.spans(rows))
        columns["prediction"] = tables.to_json(prediction.entities)
    if "relations" in heads:
        columns["relation_label"] = tables.to_json(relation_f1.relations(rows))
        columns["relation_prediction"] = tables.to_json(prediction.annotated.found(len(rows), threshold))
    if len(heads) == 2:
        columns["end_to_end_prediction"] = tables.to_json(prediction.end_to_end.found(len(rows), threshold))
    return pd.DataFrame(columns)


class Found(NamedTuple):
    """What was found in a document; `ids` are the concept ids of its entities, in their order.

    `ids` and `relations` are None where a run does not look for relations.
    """

    entities: list[Entity]
    ids: list[str] | None = None
    relations: list[FoundRelation] | None = None


def predict_documents(run: str | Path, documents: Sequence[InputDocument]) -> list[Found]:
    """Ask a finished run of `token_classification`, `sequence_classification` or `joint_ner_re`.

    Raises:
        BioftError: no such run; or it finds relations between given entities, and a document has none with an id.
    """
    recipe = runs.read(run)["recipe"]
    texts = [document.text for document in documents]
    if recipe == "joint_ner_re":
        prediction, related = joint.predict_with_run(run, texts)
        linked = [[entity["id"] for entity in entities] for entities in prediction.linked]
        return list(map(Found, prediction.entities, linked, related))
    if recipe == "sequence_classification":
        return _relations_of_given_entities(run, documents)
    from bioft.tasks.entities.predict import predict_with_run

    return [Found(entities) for entities in predict_with_run(run, texts)]


def entity_types(run: str | Path, found: Sequence[Found]) -> list[str]:
    """The entity types that a run may find, or that were given to it, in alphabetical order."""
    record = runs.read(run)
    if record["recipe"] == "sequence_classification":
        return sorted({entity.type for document in found for entity in document.entities})
    return tagging.types_of(record["labels"])


def statements(document: InputDocument, found: Found) -> list[str]:
    """The relations in words, each concept by its first name in the text: "naloxone —CID→ pain (.93)"."""
    names: dict[str, str] = {}
    for entity, identifier in zip(found.entities, found.ids or (), strict=False):
        for concept in concepts(identifier):
            names.setdefault(concept, document.text[entity.start : entity.end])
    return [
        f"{names[each.head]} —{each.type}→ {names[each.tail]} ({each.score:.2f})" for each in found.relations or ()
    ]


def _relations_of_given_entities(run: str | Path, documents: Sequence[InputDocument]) -> list[Found]:
    from bioft.tasks.relations import predict as relation_prediction

    for document in documents:
        if not any(concepts(mention.id) for mention in document.mentions):
            raise BioftError(
                f"Document {document.document_id} has no entities with concept ids. This run finds relations between "
                "entities that are given: give it a .pubtator file with mentions, or use a run of joint_ner_re."
            )
    rows = [{"text": each.text, "entities": [asdict(mention) for mention in each.mentions]} for each in documents]
    return [
        Found([Entity(m.start, m.end, m.type, 1.0) for m in document.mentions], [m.id for m in document.mentions], its)
        for document, its in zip(documents, relation_prediction.predict_with_run(run, rows), strict=True)
    ]
