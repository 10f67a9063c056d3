"""Texts with their entities highlighted, for a terminal and as a web page of its own (markup like displaCy's)."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.text import Text

from bioft.storage.pages import html
from bioft.tasks.entities.tagging import Entity

COLOURS = ("#8fd3ff", "#ffb494", "#a8e6a1", "#ffd866", "#dcb8ff", "#f2a6d0", "#c9cdd2", "#9fe8de")
"""Light enough for black letters on them, in light and dark surroundings."""


class Highlighted(NamedTuple):
    """A document to be shown; `statements` are relations in words."""

    document_id: str
    text: str
    entities: Sequence[Entity]
    statements: Sequence[str] = ()


def to_terminal(document: Highlighted, types: Sequence[str]) -> Text:
    """The text for a terminal: each entity in the colour of its type and followed by it, `clonidine⟨Chemical⟩`.

    Entities are in order and do not overlap. `types` are all that may occur; its place in them decides a colour.
    """
    shown, place = Text(), 0
    for entity in document.entities:
        style = f"black on {_colour(entity.type, types)}"
        shown.append(document.text[place : entity.start])
        shown.append(document.text[entity.start : entity.end], style=style)
        shown.append(f"⟨{entity.type}⟩", style=f"{style} italic")
        place = entity.end
    shown.append(document.text[place:])
    for statement in document.statements:
        shown.append(f"\n  {statement}", style="bold")
    return shown


def to_html(documents: Iterable[Highlighted], types: Sequence[str], title: str) -> str:
    """One web page with all documents, as for `to_terminal`; nothing is fetched from anywhere.

    The probability of an entity shows when the pointer rests on it.
    """
    documents = list(documents)
    counted = Counter(entity.type for document in documents for entity in document.entities)
    values = {"documents": documents, "types": types, "title": title, "counted": counted, "colour": _colour}
    return html(__package__, "highlight.html.j2", **values)


def _colour(kind: str, types: Sequence[str]) -> str:
    return COLOURS[types.index(kind) % len(COLOURS)]
