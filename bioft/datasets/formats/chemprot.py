"""ChemProt and DrugProt (BioCreative VI and VII): tables of abstracts, entities and relations, which belong together.

The table of abstracts has id, title and abstract; offsets count in both with one character between them. That of
entities has id, T number, type, start, end and text; that of relations id, type and, last, `Arg1:T1` and `Arg2:T2`.
The names of the files differ in one word only.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from bioft.datasets.documents.corpus import AnnotatedText
from bioft.datasets.documents.pubtator import Mention, Relation
from bioft.datasets.formats import conll, inputs
from bioft.errors import BioftError, leaving_out
from bioft.storage.text_lines import TextLines


def read(path: Path, *, skipped: list[str] | None, counted: Counter[str]) -> Iterator[AnnotatedText]:
    """Yield the documents of a table of abstracts, with what the tables beside it say of them.

    A mention's id is document and T number, where there is a table of relations. Raises BioftError, with file and
    line, for a line that is none of its table, and as `inputs.check`; with `skipped` the line or document is left out.
    """
    entities, relations = inputs.beside(path)
    related: dict[str, list[tuple[str, list[str]]]] = {}
    mentions: dict[str, dict[str, Mention]] = {}
    for place, (document, *fields) in _rows(entities, (6,), skipped):
        with leaving_out(skipped):
            key, kind, start, end, words = fields
            if not (start.isdigit() and end.isdigit()):
                raise BioftError(f"{place}: offsets that are no whole numbers: {start[:40]!r} and {end[:40]!r}.")
            identifier = f"{document}:{key}" if relations else conll.NOT_LINKED
            its = mentions.setdefault(document, {})
            if key in its:
                raise BioftError(f"{place}: the entity {key} comes twice in document {document}.")
            its[key] = Mention(int(start), int(end), words, kind, identifier)
    for place, (document, *fields) in _rows(relations, (4, 5, 6), skipped) if relations else ():
        related.setdefault(document, []).append((place, fields))
    for place, (document, title, abstract) in _rows(path, (3,), skipped):
        with leaving_out(skipped):
            its = mentions.pop(document, {})
            found = [_relation(where, fields, its) for where, fields in related.pop(document, ())]
            text = f"{title} {abstract}"
            yield inputs.check(AnnotatedText(document, text, "", [*its.values()], list(dict.fromkeys(found))), place)
    for what, left in (("entities", mentions), ("relations", related)):
        counted[f"{what} of documents that have no text"] += sum(map(len, left.values()))


def _rows(path: Path, lengths: tuple[int, ...], skipped: list[str] | None) -> Iterator[tuple[str, list[str]]]:
    lines = TextLines(path)
    for line in lines:
        fields = line.rstrip("\r\n").split("\t")
        place = f"{path}, line {lines.number}"
        with leaving_out(skipped):
            if len(fields) in lengths:
                yield place, fields
            elif line.strip():
                raise BioftError(f"{place}: {len(fields)} fields where {' or '.join(map(str, lengths))} should be.")


def _relation(place: str, fields: list[str], mentions: dict[str, Mention]) -> Relation:
    ends = []
    for number, field in enumerate(fields[-2:], 1):
        match = re.fullmatch(rf"Arg{number}:(\S+)", field.strip())
        if match is None or match[1] not in mentions:
            raise BioftError(
                f"{place}: {field[:40]!r} names no entity of the document, such as Arg{number}:T{number}."
            )
        ends.append(mentions[match[1]].id)
    return Relation(fields[0], ends[0], ends[1])
