"""Texts with their entities highlighted, for a terminal and as a web page of its own (markup like displaCy's)."""

from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

from rich.text import Text

from bioft.tasks.entities.tagging import Entity

COLOURS = ("#8fd3ff", "#ffb494", "#a8e6a1", "#ffd866", "#dcb8ff", "#f2a6d0", "#c9cdd2", "#9fe8de")
"""Light enough for black letters on them, in light and dark surroundings."""

STYLE = """\
:root { color-scheme: light dark; }
body { font: 17px/1.9 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.3rem; line-height: 1.4; }
h2 { font-size: 1rem; margin: 2.2rem 0 0.3rem; overflow-wrap: anywhere; }
.entities { white-space: pre-wrap; overflow-wrap: anywhere; }
.entity { color: #111; padding: 0.15em 0.35em; border-radius: 0.35em; box-decoration-break: clone;
  -webkit-box-decoration-break: clone; }
.relation { font-size: 0.9em; font-weight: 600; margin-left: 1.2em; }
.entity span { font-size: 0.68em; font-weight: 600; margin-left: 0.5em; }
"""


class Highlighted(NamedTuple):
    """A document to be shown; `statements` are relations in words."""

    document_id: str
    text: str
    entities: Sequence[Entity]
    statements: Sequence[str] = ()


def to_terminal(document: Highlighted, types: Sequence[str]) -> Text:
    """The text for a terminal: each entity in the colour of its type and followed by it, `clonidine⟨Chemical⟩`.

    Args:
        document: its entities are in order and do not overlap.
        types: all types that may occur; the place of one in them decides its colour.
    """
    shown = Text()
    place = 0
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
    """One web page with all documents; nothing is fetched from anywhere.

    Args:
        documents: as for `to_terminal`; the probability of an entity shows when the pointer rests on it.
        types: as for `to_terminal`.
        title: of the page.
    """
    counted: Counter[str] = Counter()
    sections = []
    for document in documents:
        counted.update(entity.type for entity in document.entities)
        sections.append(
            f'<h2>{escape(document.document_id)}</h2>\n<div class="entities">{_marked(document, types)}</div>'
            + "".join(f'\n<div class="relation">{escape(statement)}</div>' for statement in document.statements)
        )
    legend = " ".join(
        f'<mark class="entity type-{index}">{escape(kind)}<span>{counted[kind]:,}</span></mark>'
        for index, kind in enumerate(types)
    )
    colours = "".join(f".type-{index} {{ background: {_colour(kind, types)}; }}\n" for index, kind in enumerate(types))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{STYLE}{colours}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n<p>{legend}</p>\n" + "\n".join(sections) + "\n</body>\n</html>\n"
    )


def _marked(document: Highlighted, types: Sequence[str]) -> str:
    parts = []
    place = 0
    for entity in document.entities:
        parts.append(escape(document.text[place : entity.start]))
        parts.append(
            f'<mark class="entity type-{types.index(entity.type)}" title="probability {entity.score:.2f}">'
            f"{escape(document.text[entity.start : entity.end])}<span>{escape(entity.type)}</span></mark>"
        )
        place = entity.end
    return "".join(parts) + escape(document.text[place:])


def _colour(kind: str, types: Sequence[str]) -> str:
    return COLOURS[types.index(kind) % len(COLOURS)]
