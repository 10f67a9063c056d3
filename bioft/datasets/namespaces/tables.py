"""Vocabularies in tables: CTD's, NCBI Gene, HGNC, the UMLS, SNOMED CT, and any with the columns id and name."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bioft.datasets import data
from bioft.datasets.namespaces.concepts import PREFERRED, RELATED, SYNONYM, Concept
from bioft.errors import BioftError
from bioft.storage import json_text
from bioft.storage.tables import NO_VALUE, Table, delimiter_of
from bioft.storage.text_lines import LinesAfter, TextLines

HINT = "A table needs the columns id and name; synonyms (joined by |), parents and alternative_ids are read too."
_MISSING = {"", "-"}
_MRCONSO_FIELDS, _CUI = 18, "C"


@dataclass(frozen=True)
class Layout:
    """The columns of a kind of table. What has several values has them joined by "|"."""

    id: str
    names: Sequence[str]
    """The first is the preferred one, the others are synonyms."""
    synonyms: Sequence[str] = ()
    parents: str = ""
    merged: str = ""
    withdrawn: dict[str, list[str]] = field(default_factory=dict)
    """By column the values of rows that are no longer valid."""


LAYOUTS = {name: Layout(**its) for name, its in data("layouts.toml", __package__).items()}
"""By what they are called, those that are looked for first."""


class Start(NamedTuple):
    """What stands above the rows: the layout, the columns and their delimiter."""

    name: str
    columns: list[str]
    delimiter: str
    lines: int
    """How many these are."""


def start(lines: TextLines) -> Start | None:
    """Find the line that names the columns, also in a comment above the rows; None in a file without such a line."""
    comments: list[str] = []
    for line in lines:
        if line.startswith("#") and line.strip("# \r\n"):
            comments.append(line)
            found = _layout(line)
        elif line.startswith("#") or not line.strip():
            continue
        else:
            found = _layout(line)
            if found is None:
                return None
        if found is not None:
            return Start(*found, lines.number)
    return None


def _layout(line: str) -> tuple[str, list[str], str] | None:
    header = line.strip().lstrip("\ufeff# ").strip()
    known = {each.id for each in LAYOUTS.values()} | {each.names[0] for each in LAYOUTS.values()}
    delimiter = delimiter_of(header, known)
    columns = [column.strip().strip('"') for column in header.split(delimiter)]
    for name, layout in LAYOUTS.items():
        if {layout.id, layout.names[0]} <= set(columns):
            return name, columns, delimiter
    if header != header.lower():  # as spreadsheets have it: ID, Name
        return _layout(header.lower())
    return None


def read(lines: TextLines) -> Iterator[Concept]:
    """Yield a concept for each row. BioftError, with the line: no such table; a row with other fields than columns."""
    found = start(lines)
    if found is None:
        yield from _mrconso(lines)
        return
    layout = LAYOUTS[found.name]
    rows = LinesAfter(lines.path, found.lines, lambda line: line.startswith("#"), lines.hint)
    table = Table(rows, header=found.columns, delimiter=found.delimiter)
    for row in table:
        identifier = bare(row[layout.id])
        if not identifier:
            raise BioftError(f"{lines.path}, line {table.line}: {layout.id} is empty.")
        concept = Concept(identifier)
        concept.obsolete = any(row.get(column) in values for column, values in layout.withdrawn.items())
        for place, column in enumerate(layout.names):
            concept.names += [(name, SYNONYM if place else PREFERRED) for name in _values(row.get(column, ""))[:1]]
        for column in layout.synonyms:
            # What a gene was called is often another's name now.
            kind = RELATED if column.startswith("prev_") else SYNONYM
            concept.names += [(name, kind) for name in _values(row.get(column, ""))]
        concept.parents = [bare(each) for each in _values(row.get(layout.parents, ""))]
        concept.merged = [bare(each) for each in _values(row.get(layout.merged, ""))]
        yield concept


def bare(identifier: str) -> str:
    """An id as annotated corpora write it: MeSH's without "MESH:"."""
    identifier = identifier.strip()
    return identifier[5:] if identifier[:5].casefold() == "mesh:" else identifier


def _values(cell: str) -> list[str]:
    if cell.strip() in NO_VALUE:
        return []
    if isinstance(listed := json_text.container(cell.strip()), list):
        cell = "|".join(map(str, listed))
    given = (each.strip().strip('"').strip() for each in cell.strip().strip('"').split("|"))
    return [each for each in given if each not in _MISSING]


def _mrconso(lines: TextLines) -> Iterator[Concept]:
    """The English names of MRCONSO.RRF of the UMLS that are not suppressed."""
    for line in lines:
        fields = line.rstrip("\r\n").split("|")
        if len(fields) not in (_MRCONSO_FIELDS, _MRCONSO_FIELDS + 1) or not fields[0].startswith(_CUI):
            raise BioftError(
                f"{lines.path}, line {lines.number}: no table of a kind that bioft knows ({', '.join(LAYOUTS)}), and "
                f"no line of MRCONSO.RRF. {HINT}"
            )
        cui, language, status, _, string_type, _, preferred = fields[:7]
        if language == "ENG" and fields[16] != "O" and fields[16] != "Y":
            best = (status, string_type, preferred) == ("P", "PF", "Y")
            yield Concept(cui, [(fields[14], PREFERRED if best else SYNONYM)])
