"""Parquet files of somebody else's: how much they hold is read before they are, and of which kind it is."""

from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from bioft.errors import BioftError

FREE_CELLS = 10_000_000
CELLS_PER_BYTE = 4
"""A run of equal values takes next to nothing in a file: 14 MB can hold 400 million rows."""
_TEXT = ("text", lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind))
_NUMBER = ("whole numbers", pa.types.is_integer)


def _is_list(kind: Any) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind)


def _lists_of(**parts: Any) -> tuple[str, Any]:
    """Lists of structs with these parts, or without any of texts; where all are empty, their values are of no kind."""

    def fits(kind: Any) -> bool:
        if not _is_list(kind) or pa.types.is_null(kind.value_type):
            return _is_list(kind)
        if not parts:
            return _TEXT[1](kind.value_type)
        its = {field.name: field.type for field in kind.value_type} if pa.types.is_struct(kind.value_type) else {}
        return all(name in its and part[1](its[name]) for name, part in parts.items())

    return f"lists with {', '.join(parts)}" if parts else "lists of text", fits


_TEXTS = _lists_of()
CELLS: dict[str, Any] = {
    **dict.fromkeys(("gene", "gene_id", "disease", "disease_id", "document_id", "id", "pmid", "text"), _TEXT),
    **dict.fromkeys(("anchor", "positive", "negative", "sentence1", "sentence2", "group"), _TEXT),
    **dict.fromkeys(("labels", "mesh", "cites", "cited_with", "coupled", "same_topic"), _TEXTS),
    "entities": _lists_of(id=_TEXT, type=_TEXT, start=_NUMBER, end=_NUMBER, text=_TEXT),
    "relations": _lists_of(type=_TEXT, head=_TEXT, tail=_TEXT),
    "score": ("numbers", lambda kind: pa.types.is_floating(kind) or pa.types.is_integer(kind)),
    "label": ("text or whole numbers", lambda kind: _TEXT[1](kind) or pa.types.is_integer(kind)),
}
"""What the columns of bioft's datasets hold, in words and as a test of their type."""
IDS = ("document_id", "id", "pmid")
"""Those of which no value comes twice in a split."""


def check_parquet(path: Path) -> None:
    """Refuse a Parquet file that holds far more cells than its size lets expect, before it is read: BioftError."""
    try:
        footer, size = pq.read_metadata(path), path.stat().st_size
        groups = [footer.row_group(index) for index in range(footer.num_row_groups)]
        cells = sum(group.column(index).num_values for group in groups for index in range(group.num_columns))
    except (OSError, ValueError, pa.ArrowException) as error:
        raise BioftError(f"{path} can't be read: {str(error).rstrip('.')}.") from error
    cells = max(cells, footer.num_rows * footer.num_columns)
    if cells > max(FREE_CELLS, CELLS_PER_BYTE * size):
        raise BioftError(
            f"{path} has {footer.num_rows:,} rows in {size:,} bytes: it would take the whole memory, and is not read."
        )


def check_rows(path: Path, table: pa.Table) -> None:
    """Refuse a split without rows: BioftError."""
    if not len(table):
        raise BioftError(
            f"{path} has no row: nothing can be trained or measured on it. Build the dataset of more data."
        )


def check_cells(path: Path, table: pa.Table) -> None:
    """Refuse cells that are empty or of another kind than those of bioft's datasets, and ids twice: BioftError."""
    for name in [name for name in table.column_names if name in CELLS]:
        column, (words, fits) = table[name], CELLS[name]
        if not fits(column.type):
            raise BioftError(f"{path}: the column {name} holds {column.type}, not {words}. Build the dataset again.")
        blank = _TEXT[1](column.type) and pc.any(pc.equal(pc.utf8_trim_whitespace(column), "")).as_py()
        if blank or _has_empty(column):
            raise BioftError(f"{path}: a cell of the column {name} is empty. Fill it in, and build the dataset again.")
        if name == "score" and not pc.all(pc.and_(pc.greater_equal(column, 0), pc.less_equal(column, 1))).as_py():
            raise BioftError(f"{path}: a score is not from 0 to 1. Build the dataset again, with --score-range.")
        if name in IDS and len(twice := (its := pc.value_counts(column)).filter(pc.greater(its.field("counts"), 1))):
            raise BioftError(f"{path}: the {name} {twice[0]['values'].as_py()!r} comes twice. Give each row its own.")
    if {"document_id", "text", "entities", "relations"} <= {*table.column_names}:
        check_documents(path, table)


def check_documents(path: Path, table: pa.Table) -> None:
    """Refuse documents whose mentions are not in their text, or with parts of relations that are blank: BioftError."""
    for batch in table.select(["document_id", "text", "entities", "relations"]).to_batches(max_chunksize=1000):
        for row in batch.to_pylist():
            wrong = [e for e in row["entities"] if not _is_mention(row["text"], e)]
            wrong += [each for each in row["relations"] if not all(map(str.strip, each.values()))]
            if wrong:
                raise BioftError(
                    f"{path}: document {row['document_id']} has what is no mention in its text, or no relation: "
                    f"{wrong[0]}. Correct it, and build the dataset again."
                )


def _is_mention(text: str, entity: dict[str, Any]) -> bool:
    start, end = entity["start"], entity["end"]
    return 0 <= start < end <= len(text) and text[start:end] == entity["text"] and bool(entity["type"].strip())


def _has_empty(column: Any) -> bool:
    """Whether a cell, or a value inside one, is null."""
    if column.null_count:
        return True
    if _is_list(column.type):
        return _has_empty(pc.list_flatten(column))
    fields = range(column.type.num_fields) if pa.types.is_struct(column.type) else ()
    return any(_has_empty(pc.struct_field(column, [index])) for index in fields)
