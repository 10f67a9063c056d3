"""What a finished run finds in documents: entities, relations between entities that are given, or both."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from bioft.datasets.documents.pubtator import concepts
from bioft.errors import BioftError
from bioft.storage import runs
from bioft.tasks.entities import tagging
from bioft.tasks.entities.files import InputDocument
from bioft.tasks.entities.tagging import Entity
from bioft.tasks.relations.predict import FoundRelation


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
        from bioft.tasks.joint import model as joint

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
