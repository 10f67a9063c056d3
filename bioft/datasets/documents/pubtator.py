"""PubTator files, read strictly and written without loss.

The format (Wei et al., Nucleic Acids Res. 2013, https://www.ncbi.nlm.nih.gov/research/pubtator3/): per document a
line `ID|t|title`, a line `ID|a|abstract`, then tab-separated mentions (ID, start, end, text, type, concept id and,
for a composite mention such as "renal and hepatic failure", the individual mentions joined by "|") and relations
(ID, type, head, tail); a blank line ends the document. Offsets count characters of title + one space + abstract,
exactly as written: an HTML entity such as `&gt;` counts four. What corpora add is kept: further columns of relations
(Novel or No in BioRED, a score in submissions, the subject in BioREDirect) and of mentions (tmVar), mentions without
an id column.
"""

import os
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple

from bioft.errors import BioftError, leaving_out
from bioft.storage.files import new_file
from bioft.storage.identifiers import UNLINKED, parts
from bioft.storage.text_lines import TextLines

SHIFTS = sorted(range(-20, 21), key=abs)
"""Where a mention that is not at its offsets is looked for, to say how far off they are."""

UNBORNE = "relations whose ends no annotation bears"
"""What is counted of relations that are left out."""
_DOCUMENT_ID = re.compile(r"[^\s|\ufeff]+")
_TEXT_LINE = re.compile(rf"({_DOCUMENT_ID.pattern})\|([ta])\|(.*)", re.DOTALL)


def concepts(identifier: str) -> list[str]:
    """The concept ids in a mention's id: "D1|D2" and "101,102" are several, "-1" is none; see `identifiers.parts`."""
    return [part for part in parts(identifier) if part not in UNLINKED]


@dataclass(frozen=True, slots=True)
class Mention:
    """A stretch of a document's text that names something."""

    start: int
    end: int
    """Offsets of the first character and of the one after the last."""
    text: str
    type: str
    """For example "Chemical"."""
    id: str
    """The concept id as written: several are joined by "|", "-1" is none. See `concepts`."""
    individual: str | None = None
    """The individual mentions of a composite one, joined by "|"; or the seventh column of another corpus."""
    extra: tuple[str, ...] = ()
    """Further columns."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A statement of the whole document about two concepts."""

    type: str
    head: str
    tail: str
    note: str | None = None
    """The fifth column: "Novel" or "No" in BioRED, a score in submissions; with further ones, if there are."""


@dataclass(slots=True)
class Document:
    """A title and an abstract with what is annotated in them."""

    document_id: str
    title: str
    abstract: str
    mentions: list[Mention] = field(default_factory=list)
    relations: list[Relation] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Title, one space, abstract: what the offsets count in."""
        return f"{self.title} {self.abstract}"


class Problem(NamedTuple):
    """What is wrong with a document, and in which part of it."""

    part: Literal["title", "abstract", "mention", "relation"]
    position: int
    """Which title, abstract, mention or relation of the document, from 0."""
    message: str


def find_problem(document: Document, *, allow_empty_abstract: bool = False) -> Problem | None:
    """The first thing that is wrong with a document's content (see `read`); None if nothing is."""
    if not document.title.strip():
        return Problem("title", 0, "the title is empty. Write it, or remove the document.")
    if not document.abstract.strip() and not allow_empty_abstract:
        return Problem("abstract", 0, "the abstract is empty. Write it, or remove the document.")
    text = document.text
    for index, mention in enumerate(document.mentions):
        if message := _mention_problem(mention, text):
            return Problem("mention", index, message)
    borne = borne_ids(document.mentions)
    for index, relation in enumerate(document.relations):
        if not (relation.type and relation.head and relation.tail):
            return Problem("relation", index, "the relation lacks its type, head or tail.")
        if missing := [concept for concept in (relation.head, relation.tail) if concept not in borne]:
            message = f"the {relation.type} relation names the id {missing[0]}, which no mention bears."
            return Problem("relation", index, message)
    return None


def _mention_problem(mention: Mention, text: str) -> str | None:
    start, end = mention.start, mention.end
    if not mention.type:
        return f"the mention {mention.text!r} has no type."
    if start < 0 or start >= end:
        return f"the mention {mention.text!r} goes from {start} to {end}."
    if text[start:end] != mention.text or end > len(text):
        places = [start + shift for shift in SHIFTS if start + shift >= 0]
        place = next((each for each in places if text.startswith(mention.text, each)), None)
        mend = "Offsets count characters of title, one space and abstract."
        mend = mend if place is None else f"It stands at {place} to {place + len(mention.text)}."
        return (
            f"the mention {mention.text!r} is said to stand at {start} to {end}, where the text (of {len(text):,} "
            f"characters) has {text[start:end][:80]!r}. {mend}"
        )
    if mention.individual:
        individuals = mention.individual.lower().split("|")
        n_mentions, n_concepts = len(individuals), len(parts(mention.id))
        # In other corpora the column is no list of mentions, such as tmVar's form of a variant.
        words = {*mention.text.lower().split()}
        if n_mentions != n_concepts and (n_concepts > 1 or any(words & {*each.split()} for each in individuals)):
            return (
                f"the composite mention {mention.text!r} has {n_mentions} individual mentions and {n_concepts} "
                "concept ids."
            )
    return None


def first_overlap(mentions: Sequence[Mention]) -> tuple[Mention, Mention] | None:
    """Two mentions that overlap or are nested, those that begin first; None where all stand apart."""
    order = sorted(mentions, key=lambda mention: (mention.start, mention.end))
    return next(((one, other) for one, other in pairwise(order) if other.start < one.end), None)


def without_overlaps(document: Document) -> Document:
    """The document with the longest of mentions that overlap (of equally long ones the first in the text).

    A relation to a concept that no mention bears any more is not in it.
    """
    kept: list[Mention] = []  # in order, and apart
    for mention in sorted(document.mentions, key=lambda each: (each.start - each.end, each.start)):
        place = bisect_left(kept, mention.start, key=lambda each: each.start)
        near = kept[max(place - 1, 0) : place + 1]
        if all(mention.end <= other.start or other.end <= mention.start for other in near):
            kept.insert(place, mention)
    chosen = {id(mention) for mention in kept}
    mentions = [mention for mention in document.mentions if id(mention) in chosen]
    borne = borne_ids(mentions)
    relations = [each for each in document.relations if {each.head, each.tail} <= borne]
    return replace(document, mentions=mentions, relations=relations)


def borne_ids(mentions: Iterable[Mention]) -> set[str]:
    """The concept ids that mentions bear, also those of several concepts as they are written."""
    return {each for mention in mentions for each in (mention.id, *concepts(mention.id))} - {*UNLINKED}


@dataclass
class _Lines:
    """The lines of one document with their numbers."""

    path: Path
    after_blank: bool = True
    lines: list[tuple[int, str]] = field(default_factory=list)
    number_after_gap: int | None = None
    """The line of this document that comes after a blank one, which there must not be."""

    @property
    def first(self) -> int:
        return self.lines[0][0]

    def error(self, number: int, problem: str) -> BioftError:
        return BioftError(f"{self.path}, document {_name(self.lines[0][1])[:40]}, line {number}: {problem}")


def _name(line: str) -> str:
    return re.split(r"[|\t]", line, maxsplit=1)[0].strip()


def read(
    path: str | os.PathLike[str],
    *,
    skipped: list[str] | None = None,
    allow_empty_abstract: bool = False,
    unborne: Counter[str] | None = None,
) -> Iterator[Document]:
    """Stream the documents of a PubTator file (plain or gzip, LF or CRLF, with or without byte order mark).

    `skipped` takes one message for each document that is left out because something is wrong in it; without it the
    first such document raises BioftError with file, document and line. Wrong are: a title or abstract line that is
    missing, empty or of another document, no blank line before a document, a document id that comes twice, a line that
    is neither mention nor relation, offsets that do not give the mention's text, another number of individual mentions
    than of concept ids, and a relation to an id that no mention bears; with `unborne` such relations are left out and
    counted. Mentions may overlap and be nested. Nothing is mended but a space at the end of a title that offsets do
    not count: what is not an error comes out as it is written. A file that can't be read raises as `TextLines` does.
    """
    seen: dict[str, int] = {}
    block = None
    for block in _blocks(TextLines(path, "Give the path of a PubTator file.")):
        with leaving_out(skipped):
            document = _document(block, allow_empty_abstract, unborne)
            first = seen.setdefault(document.document_id, block.first)
            if first != block.first:
                raise block.error(block.first, f"the document id comes twice; first in line {first}. Remove one.")
            yield document
    if block is None:
        raise BioftError(f"{path} holds no document: all its lines are blank.")


def looks_like(path: str | os.PathLike[str]) -> bool:
    """Whether the first line of a text file that is not blank is a title as in PubTator."""
    first = next((line for line in TextLines(path, "Give the path of a text file.") if line.strip()), "")
    match = _TEXT_LINE.fullmatch(first.rstrip("\r\n"))
    return match is not None and match[2] == "t"


def write(documents: Iterable[Document], path: Path, *, overwrite: bool = False) -> None:
    """Write documents in PubTator format, each followed by a blank line; the file is written all or nothing.

    What is written reads back as the same documents. BioftError: a document that can't be written so (line breaks in
    the text, a tab inside a mention or id, anything that `read` finds wrong), or a file that exists, unless
    `overwrite`.
    """
    if path.exists() and (path.is_dir() or not overwrite):
        raise BioftError(f"{path} exists already. Name another file, or move it away.")
    if not path.parent.is_dir():
        raise BioftError(f"The folder {path.parent} does not exist. Create it first.")
    with new_file(path) as partial, partial.open("w", encoding="utf-8", newline="") as stream:
        stream.writelines(_written(documents))


def check_writable(documents: Iterable[Document]) -> None:
    """Raise BioftError for documents that `write` can't write."""
    for _ in _written(documents):
        pass


def _written(documents: Iterable[Document]) -> Iterator[str]:
    seen: dict[str, int] = {}
    for number, document in enumerate(documents, 1):
        name = document.document_id
        lines = [f"{name}|t|{document.title}", f"{name}|a|{document.abstract}"]
        for mention in document.mentions:
            fields = [name, str(mention.start), str(mention.end), mention.text, mention.type, mention.id]
            individual = [] if mention.individual is None else [mention.individual]
            lines.append("\t".join([*fields, *individual, *mention.extra]))
        for relation in document.relations:
            fields = [name, relation.type, relation.head, relation.tail]
            lines.append("\t".join(fields if relation.note is None else [*fields, relation.note]))
        if seen.setdefault(name, number) != number:
            raise BioftError(f"Document {name} can't be written: the id was used before. Give each document its own.")
        _check_writable(document, lines)
        yield "\n".join(lines) + "\n\n"


def _check_writable(document: Document, lines: list[str]) -> None:
    problem = f"Document {document.document_id!r} can't be written in PubTator format"
    if not _DOCUMENT_ID.fullmatch(document.document_id):
        raise BioftError(f"{problem}: its id must not be empty, nor hold spaces or '|'.")
    if any("\n" in line or "\r" in line for line in lines):
        raise BioftError(f"{problem}: it holds a line break. Put a space there: the offsets stay the same.")
    block = _Lines(Path("(to be written)"), lines=list(enumerate(lines, 1)))
    if _document(block, allow_empty_abstract=True) != document:
        raise BioftError(f"{problem}: a mention, type or id holds a tab. Put a space there.")


def _blocks(lines: TextLines) -> Iterator[_Lines]:
    """The lines of each document: those between blank ones.

    A title line begins a document also where the blank line is missing, and lines that name the document above the
    blank line belong to it: so what is left out with a wrong document is all of it, and nothing else.
    """
    block: _Lines | None = None
    blank = True
    for line in lines:
        line = line.rstrip("\r\n")
        if not line.strip():
            blank = True
            continue
        match = _TEXT_LINE.fullmatch(line)
        title = match is not None and match[2] == "t"
        if block and not title and blank and _name(line) == _name(block.lines[0][1]):
            block.number_after_gap = block.number_after_gap or lines.number
        elif block is None or title or blank:
            if block:
                yield block
            block = _Lines(lines.path, after_blank=blank)
        block.lines.append((lines.number, line))
        blank = False
    if block:
        yield block


def _document(block: _Lines, allow_empty_abstract: bool, unborne: Counter[str] | None = None) -> Document:
    if not block.after_blank:
        raise block.error(block.first, "no blank line before this document. Put one there.")
    if block.number_after_gap:
        raise block.error(block.number_after_gap, "a blank line inside the document comes before this one. Remove it.")
    name, title = _text_line(block, 0, "t")
    of, abstract = _text_line(block, 1, "a")
    if of != name:
        raise block.error(block.lines[1][0], f"the abstract is that of document {of}.")
    document = Document(name, title, abstract)
    numbers = {"title": [block.first], "abstract": [block.lines[1][0]], "mention": [], "relation": []}
    for number, line in block.lines[2:]:
        fields = line.split("\t")
        if fields[0] != name:
            raise block.error(number, f"belongs to no document above it: {line[:60]!r}.")
        # Both may have six columns or more; offsets begin with no letter.
        is_type = fields[1:] and fields[1][:1].isalpha()
        if (len(fields) >= 6 and not is_type) or (len(fields) == 5 and fields[1].isdigit() and fields[2].isdigit()):
            document.mentions.append(_mention(block, number, fields))
            numbers["mention"].append(number)
        elif len(fields) >= 4:
            kind, head, tail, *rest = fields[1:]
            document.relations.append(Relation(kind, head, tail, "\t".join(rest) if rest else None))
            numbers["relation"].append(number)
        else:
            raise block.error(
                number,
                f"{len(fields)} tab-separated fields: {line[:60]!r}. A mention has 6, or more in some corpora (id, "
                "start, end, text, type, concept id; individual mentions), a relation 4 or 5 (id, type, head, tail; "
                "Novel or No).",
            )
    if any("|" in end for each in document.relations for end in (each.head, each.tail)):
        document.relations = [_without_types(each, document.mentions) for each in document.relations]
    if unborne is not None:
        borne = borne_ids(document.mentions)
        kept = [each for each in document.relations if {each.head, each.tail} <= borne]
        unborne[UNBORNE] += len(document.relations) - len(kept)
        document.relations = kept
    problem = find_problem(document, allow_empty_abstract=allow_empty_abstract)
    if problem and problem.part == "mention" and title != (bare := title.rstrip()):
        # Offsets of PubTator's own files do not count the space that it writes at the end of titles.
        stripped = replace(document, title=bare)
        if (of_stripped := find_problem(stripped, allow_empty_abstract=allow_empty_abstract)) is None:
            document, problem = stripped, of_stripped
    if problem:
        raise block.error(numbers[problem.part][problem.position], problem.message)
    return document


def _without_types(relation: Relation, mentions: Sequence[Mention]) -> Relation:
    """The relation without the types that PubTator3 writes before ids, where mentions of these types bear them."""
    borne = {(each.type, concept) for each in mentions for concept in borne_ids([each])}
    concepts_borne = {concept for _, concept in borne}

    def bare(end: str) -> str:
        kind, _, identifier = end.partition("|")
        return identifier if end not in concepts_borne and (kind, identifier) in borne else end

    return replace(relation, head=bare(relation.head), tail=bare(relation.tail))


def _text_line(block: _Lines, index: int, letter: str) -> tuple[str, str]:
    """Document id and text of the title ("t") or abstract ("a") line."""
    there = index < len(block.lines)
    number, line = block.lines[index if there else -1]
    match = _TEXT_LINE.fullmatch(line) if there else None
    if match is None or match[2] != letter:
        what, place = {"t": "title", "a": "abstract"}[letter], "here" if there else "after it"
        raise block.error(number, f"the {what} line (ID|{letter}|text) should stand {place}: {line[:60]!r}.")
    return match[1], match[3]


def _mention(block: _Lines, number: int, fields: list[str]) -> Mention:
    _, start, end, text, mention_type, *rest = fields
    if not all(value.isascii() and value.isdigit() and len(value) < 10 for value in (start, end)):
        raise block.error(number, f"offsets that are no whole numbers: {start[:40]!r} and {end[:40]!r}.")
    identifier = rest[0] if rest else ""
    individual = rest[1] if len(rest) > 1 else None
    return Mention(int(start), int(end), text, mention_type, identifier, individual, tuple(rest[2:]))
