"""What was found in a document, whatever found it: entities, relations between them, or both."""

from collections.abc import Sequence
from typing import NamedTuple

from bioft.datasets.documents.pubtator import concepts
from bioft.tasks.entities.tagging import Entity


class FoundRelation(NamedTuple):
    """A relation between two concepts of a document, with its probability."""

    type: str
    head: str
    tail: str
    score: float


class Found(NamedTuple):
    """What was found in a document; `ids` are the concept ids of its entities, in their order.

    `ids` and `relations` are None where a run does not look for relations.
    """

    entities: Sequence[Entity]
    ids: Sequence[str] | None = None
    relations: Sequence[FoundRelation] | None = None

    def statements(self, text: str) -> list[str]:
        """The relations in words, each concept by its first name in the text: "naloxone —CID→ pain (.93)"."""
        names: dict[str, str] = {}
        for entity, identifier in zip(self.entities, self.ids or (), strict=False):
            for concept in concepts(identifier):
                names.setdefault(concept, text[entity.start : entity.end])
        return [
            f"{names[each.head]} —{each.type}→ {names[each.tail]} ({each.score:.2f})" for each in self.relations or ()
        ]
