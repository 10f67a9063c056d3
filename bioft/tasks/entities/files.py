"""Documents to be read by a model, from text, JSONL or PubTator files, and what it finds in them, written as such."""

import json
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from rich.text import Text

from bioft.datasets.documents import pubtator
from bioft.errors import BioftError, leaving_out
from bioft.storage import json_text
from bioft.storage.files import new_file
from bioft.storage.pages import html
from bioft.storage.tables import DELIMITERS, Table, rows_in
from bioft.storage.text_lines import TextLines
from bioft.tasks.entities.tagging import Entity

logger = logging.getLogger(__name__)

READ = (
    "A run on documents reads .txt (one document), .jsonl, .csv and .tsv (rows with `text`) and .pubtator, also .gz."
)
FORMATS = {".jsonl": "jsonl", ".csv": "table", ".tsv": "table", ".txt": "text"}
ID_KEYS = ("document_id", "id")
# PubTator has one line for a title and one for an abstract; a blank in place of a line break keeps the offsets.
BLANKS = str.maketrans("\n\r\t", "   ")


UNLINKED = "-1"


class Link(NamedTuple):
    """What an entity is linked to: an id ("-1" for none), its name, how probably that is right, and the decision."""

    id: str
    name: str
    probability: float
    decision: str
    candidates: tuple[str, ...] = ()
    """The next best ids."""


@dataclass(frozen=True)
class InputDocument:
    """A text with its id; `fields` are the other keys of a JSONL row, `title` and `mentions` are those of PubTator."""

    document_id: str
    text: str
    title: str | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    mentions: list[pubtator.Mention] = field(default_factory=list)


class FoundRelation(NamedTuple):
    """A relation between two concepts of a document, with its probability."""

    type: str
    head: str
    tail: str
    score: float


class Found(NamedTuple):
    """What was found in a document; `ids` are the concept ids of its entities, in their order.

    `ids` and `relations` are None where a run does not look for relations, `links`, what a namespace knows of the
    entities, where none was asked.
    """

    entities: Sequence[Entity]
    ids: Sequence[str] | None = None
    relations: Sequence[FoundRelation] | None = None
    links: Sequence[Link] | None = None

    def label(self, index: int) -> str:
        """What stands behind an entity that is shown: its type and, where it is linked, its id."""
        kind, linked = self.entities[index].type, self.links[index].id if self.links else UNLINKED
        return kind if linked == UNLINKED else f"{kind} {linked}"

    def statements(self, text: str) -> list[str]:
        """The relations in words, each concept by its first name in the text: "naloxone —CID→ pain (.93)"."""
        names: dict[str, str] = {}
        for entity, identifier in zip(self.entities, self.ids or (), strict=False):
            for concept in pubtator.concepts(identifier):
                names.setdefault(concept, text[entity.start : entity.end])
        return [
            f"{names[each.head]} —{each.type}→ {names[each.tail]} ({each.score:.2f})" for each in self.relations or ()
        ]


def format_of(path: Path) -> str | None:
    """The format that a file's name tells: .jsonl, .pubtator (also .PubTator.txt), else .txt; None for others."""
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    if ".pubtator" in suffixes:
        return "pubtator"
    return FORMATS.get(suffixes[-1]) if suffixes else None


def format_to_write(path: Path) -> str:
    """The format that the name of a file to be written tells: "jsonl" or "pubtator"; BioftError for another."""
    kind = format_of(path)
    if kind is None or kind not in ("jsonl", "pubtator") or path.suffix.lower() == ".gz":
        raise BioftError(f"{path} is neither .jsonl nor .pubtator: what is found can be written as one of these.")
    return kind


def kind_of(path: Path) -> str | None:
    """The format of a file to be read: as its name tells or, of .txt, what its first line shows that it is."""
    kind = format_of(path)
    if kind == "text" and (found := _looks_like(path)):
        logger.warning("%s looks like %s and is read as such: name it %s.", path.name, *found[1:])
        return found[0]
    return kind


def _looks_like(path: Path) -> tuple[str, str, str] | None:
    """What else than text a .txt file is: the format, in words, and how such a file is to be named."""
    if pubtator.looks_like(path):
        return "pubtator", "PubTator", ".pubtator"
    first = next((line.strip() for line in TextLines(path) if line.strip()), "")
    if first.startswith("<?xml"):
        raise BioftError(f"{path} is XML, no text. {READ}")
    with suppress(BioftError):
        if first.startswith("{") and "text" in json_text.parse(first, str(path)):
            return "jsonl", "JSONL", ".jsonl"
    for delimiter in DELIMITERS:
        cells = rows_in([first], delimiter)[0]
        # In prose a space stands behind a comma.
        if (
            cells[1:]
            and "text" in [cell.strip("# ").lower() for cell in cells]
            and not any(cell[:1] == " " for cell in cells)
        ):
            return "table", "a table", ".tsv" if delimiter == "\t" else ".csv"
    return None


def read(
    path: Path,
    skipped: list[str] | None = None,
    *,
    taken: Sequence[str] = ("entities", "relations"),
    kind: str | None = None,
) -> list[InputDocument]:
    """Read the documents of a file (plain or gzip); a .txt file is one document, other files have one in each row.

    A row of .jsonl, .csv or .tsv needs `text`; it may have `document_id` (or `id`) and any other keys but `entities`
    and `relations`. `kind` is what `kind_of` told, where it did. Annotations in a PubTator file must be valid.
    `skipped` takes one message for each document that is left out because something is wrong in it; without it the
    first such document raises. BioftError, with file and line: no such file, a format that is not known, or a document
    that cannot be read.
    """
    kind = kind or kind_of(path)
    if kind is None:
        raise BioftError(f"{path} is none of these. {READ}")
    if kind == "pubtator":
        found = pubtator.read(path, skipped=skipped, allow_empty_abstract=True, unborne=Counter())
        return [InputDocument(each.document_id, each.text, each.title, mentions=each.mentions) for each in found]
    lines = TextLines(path, "Give the path of a text file.")
    if kind == "text":
        text = "".join(lines)
        if not text.strip():
            raise BioftError(f"{path} is blank: there is nothing to read in it.")
        return [InputDocument(re.sub(r"[\s|]+", "_", path.name.split(".")[0]), text)]
    documents = []
    for number, row in _rows(lines, kind, skipped):
        with leaving_out(skipped):
            documents.append(_from_row(row, f"{path}, line {number}", f"line-{number}", taken))
    if not documents and not skipped:
        raise BioftError(f"{path} holds no document: all its lines are blank.")
    return documents


def write(path: Path, documents: Sequence[InputDocument], found: Sequence[Found], *, overwrite: bool = False) -> None:
    """Write documents with what was found in them, as .jsonl or .pubtator, whole or not at all.

    A JSONL row has the keys of the input row, `document_id`, `text` and `entities`, a list of objects with start, end,
    type, text, score and, where there are concept ids, `id`; of those of a namespace also the `name` there, the
    `probability` that the id is right and the `decision`; where relations were looked for, also `relations`:
    objects with type, head, tail and score. In PubTator there are no scores, an entity without an id has "-1", and the
    first line of a text is its title. BioftError: another format, or what PubTator has no way to write.
    """
    pairs = list(zip(documents, found, strict=True))
    if format_to_write(path) == "pubtator":
        pubtator.write((_to_pubtator(*pair) for pair in pairs), path, overwrite=overwrite)
        return
    write_whole(path, (json.dumps(to_row(*pair), ensure_ascii=False) + "\n" for pair in pairs))


def write_whole(path: Path, parts: Iterable[str]) -> None:
    """Write a text file in one step: it is there whole, or as it was before."""
    with new_file(path) as partial, partial.open("w", encoding="utf-8", newline="") as stream:
        stream.writelines(parts)


def check_writable(path: Path, documents: Iterable[InputDocument]) -> None:
    """Raise BioftError for documents that `write` can't write to this file, before a model reads them."""
    if format_to_write(path) == "pubtator":
        pubtator.check_writable(_to_pubtator(each, Found(())) for each in documents)


def _rows(lines: TextLines, kind: str, skipped: list[str] | None) -> Iterator[tuple[int, dict[str, Any]]]:
    if kind == "jsonl":
        yield from ((lines.number, row) for row in json_text.rows(lines, skipped))
    else:
        table = Table(lines, ["text"], hint="Call the column of the texts: text.", skipped=skipped)
        yield from ((table.line, row) for row in table)


def _from_row(row: dict[str, Any], place: str, default_id: str, taken: Sequence[str]) -> InputDocument:
    if not isinstance(row.get("text"), str) or not row["text"].strip():
        text = row.get("text")
        kind = "there is no text" if text is None else f"its text is of type {type(text).__name__}"
        problem = "its text is empty" if isinstance(text, str) else kind
        raise BioftError(
            f"{place}: {problem}. Put a string under the key text; found: {', '.join(row)[:200] or 'no keys'}."
        )
    text = row.pop("text")
    if clash := [key for key in taken if key in row]:
        raise BioftError(f"{place}: the row has the key {clash[0]} already. Rename it: nothing of it may get lost.")
    document_id = next(filter(None, (json_text.text_of(row.get(key)) for key in ID_KEYS)), default_id)
    return InputDocument(document_id, text, fields=row)


def to_row(document: InputDocument, found: Found) -> dict[str, Any]:
    """A document with what was found in it, as a row of JSONL has it: see `write`."""
    row: dict[str, Any] = {**document.fields, "document_id": document.document_id, "text": document.text}
    row["entities"] = [
        {"start": start, "end": end, "type": kind, "text": document.text[start:end], "score": round(score, 4)}
        for start, end, kind, score in found.entities
    ]
    if found.ids is not None:
        for entity, identifier in zip(row["entities"], found.ids, strict=True):
            entity["id"] = identifier
    for entity, link in zip(row["entities"], found.links or (), strict=False):
        entity |= {"name": link.name, "probability": round(link.probability, 4), "decision": link.decision}
    if found.relations is not None:
        row["relations"] = [each._asdict() | {"score": round(each.score, 4)} for each in found.relations]
    return row


def _to_pubtator(document: InputDocument, found: Found) -> pubtator.Document:
    text = document.text.translate(BLANKS)
    title = document.title
    if title is None:
        end = document.text.find("\n")
        title = text[:end] if end > 0 and text[:end].strip() else text
    ids = found.ids or [pubtator.UNLINKED[0]] * len(found.entities)
    mentions = [
        pubtator.Mention(entity.start, entity.end, text[entity.start : entity.end], entity.type, identifier)
        for entity, identifier in zip(found.entities, ids, strict=True)
    ]
    stated = [pubtator.Relation(each.type, each.head, each.tail) for each in found.relations or ()]
    return pubtator.Document(document.document_id, title, text[len(title) + 1 :], mentions, stated)


COLOURS = ("#8fd3ff", "#ffb494", "#a8e6a1", "#ffd866", "#dcb8ff", "#f2a6d0", "#c9cdd2", "#9fe8de")
"""Light enough for black letters on them, in light and dark surroundings."""


def to_terminal(document: InputDocument, found: Found, types: Sequence[str]) -> Text:
    """The text for a terminal: each entity in the colour of its type and followed by it, `clonidine⟨Chemical⟩`.

    Entities are in order; of one that overlaps the one before the rest is shown. `types` are all that may occur; its
    place in them decides a colour.
    """
    shown, place = Text(), 0
    for index, entity in enumerate(found.entities):
        style = f"black on {_colour(entity.type, types)}"
        shown.append(document.text[place : entity.start])
        shown.append(document.text[max(place, entity.start) : entity.end], style=style)
        shown.append(f"⟨{found.label(index)}⟩", style=f"{style} italic")
        place = max(place, entity.end)
    shown.append(document.text[place:])
    for statement in found.statements(document.text):
        shown.append(f"\n  {statement}", style="bold")
    return shown


def to_html(documents: Sequence[InputDocument], found: Sequence[Found], types: Sequence[str], title: str) -> str:
    """One web page with all documents, as for `to_terminal`; nothing is fetched from anywhere."""
    counted = Counter(entity.type for each in found for entity in each.entities)
    shown = list(zip(documents, found, strict=True))
    values = {"shown": shown, "types": types, "title": title, "counted": counted, "colour": _colour}
    return html(__package__, "highlight.html.j2", **values)


def _colour(kind: str, types: Sequence[str]) -> str:
    return COLOURS[types.index(kind) % len(COLOURS)]
