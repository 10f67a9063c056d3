"""Labelled texts, and texts alone, from tables of one's own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Annotated, Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
from datasets import Dataset, DatasetDict

from bioft.datasets.formats import splits
from bioft.datasets.formats.tables import Table, text_of
from bioft.datasets.options import GroupColumn, IdColumn, OwnTable, takes
from bioft.datasets.splits import IntArray
from bioft.datasets.texts import corpus, labelled
from bioft.datasets.texts.labelled import LabelledText
from bioft.errors import BioftError
from bioft.storage.text_lines import normalise

MOST_LABELS = 1000
"""A column of more labels than that is none of labels."""
TEXT = ("text", "sentence", "abstract", "texts", "sentence1")
LABEL = ("label", "labels", "class", "target", "category")
YES = {"1": True, "true": True, "yes": True, "x": True, "0": False, "false": False, "no": False, "": False}


@dataclass(frozen=True, kw_only=True)
class TextOptions(OwnTable):
    """Options of texts in tables."""

    text_column: Annotated[str | None, "Column of the texts, by name or number (by default text)."] = None
    id_column: IdColumn = None
    group_column: GroupColumn = None


@dataclass(frozen=True, kw_only=True)
class LabelOptions(TextOptions):
    """Options of labelled texts in tables."""

    label_column: Annotated[
        Sequence[str] | None,
        "Column of the labels (by default label); repeat it for a column of 0 and 1 for each label.",
    ] = None
    label_separator: Annotated[str | None, "What parts several labels in one column, such as ';'."] = None


@takes(LabelOptions)
def build_labels(asked: LabelOptions) -> tuple[DatasetDict, dict[str, Any]]:
    """Build labelled texts of a table of one's own; returns the splits and the manifest.

    The columns are id, text and label, or labels where a text may have several. Where the splits are made here, texts
    that are the same but for case and punctuation are one row, and each label is in every split, unless there are
    groups; given splits are kept row by row.

    Raises:
        BioftError: no table, a missing column, a row without text or label, more than `MOST_LABELS` labels, an id in
            two splits, or a split left empty.
    """
    several: set[bool] = set()
    read = splits.collect("labels", asked, lambda table, start: _maker(table, start, asked, several))
    found = read.rows
    labels = sorted({label for rows in found.values() for row in rows for label in row.labels})
    _check_labels(labels, sum(map(len, found.values())))
    merging, grouped = None, asked.group_column is not None
    if splits.ALL in found and not grouped:
        merged, merging = labelled.merge(found[splits.ALL])
        found = {splits.ALL: merged}

    def stratified(rows: Sequence[LabelledText]) -> IntArray:
        return labelled.stratified_split(rows, **asked.sizes(), rng=np.random.default_rng(asked.seed))

    divided = _divide(found, asked, None if grouped else stratified)
    repeated = {
        name: len(rows) - len({hash(normalise(row.text)) for row in rows}) for name, rows in divided.rows.items()
    }
    read.rows.clear()
    dataset, manifest = labelled.assemble(
        divided.rows,
        read.origin,
        {**asked.sizes(), "seed": asked.seed},
        labels=labels,
        multi_label=any(several),
        split=divided.split | ({"strategy": "normalised_text"} if merging else {}),
        merging=merging,
        about={"label_source": "own"},
    )
    manifest["audit"]["repeated_texts"] = repeated
    return dataset, manifest | read.telling(divided)


def _divide(
    found: Mapping[str, list[LabelledText]],
    asked: TextOptions,
    assign: Callable[[Sequence[LabelledText]], IntArray] | None = None,
) -> splits.Division:
    return splits.divide(
        found,
        identity=lambda row: row.id,
        same=lambda row: (normalise(row.text),),
        group=lambda row: row.group,
        asked=asked,
        what="texts",
        assign=assign,
    )


def _check_labels(labels: Sequence[str], n_rows: int) -> None:
    if len(labels) > MOST_LABELS or (len(labels) > 20 and len(labels) > n_rows / 2):
        raise BioftError(
            f"The labels have {len(labels):,} different values in {n_rows:,} rows, such as {labels[0][:40]!r}: that "
            "column is none of labels. Name another with --label-column; several labels in one are parted with "
            "--label-separator."
        )
    if len(labels) < 2:
        raise BioftError(f"There is one label only, {labels[0]!r}." if labels else "No text has a label.")


def _maker(
    table: Table, start: str, asked: LabelOptions, several: set[bool]
) -> Callable[[str, Sequence[Any]], LabelledText]:
    """What makes a row of the cells of a table; `several` gets whether its texts may have several labels."""
    text_place, label_places = _places(table, asked)
    make, separator = _text_maker(table, start, asked, text_place), asked.label_separator
    names = [table.columns[place] for place in label_places]
    if len(names) > 1 or separator:
        several.add(True)
    known: dict[str, tuple[str, ...]] = {}

    def labels_of(place: str, cells: Sequence[Any]) -> tuple[str, ...]:
        if len(names) > 1:
            values = [text_of(cells[column]).strip().lower() for column in label_places]
            if wrong := [value for value in values if value not in YES]:
                raise BioftError(f"{place}: {wrong[0][:40]!r} in a column for one label; write 1 or 0.")
            return tuple(name for name, value in zip(names, values, strict=True) if YES[value])
        value = cells[label_places[0]]
        if isinstance(value, list):
            several.add(True)
            return tuple(sorted({text_of(each).strip() for each in value} - {""}))
        if separator:
            return tuple(sorted({each.strip() for each in text_of(value).split(separator)} - {""}))
        if not (label := text_of(value).strip()):
            raise BioftError(f"{place}: the text has no label. Fill it in, or leave such rows out with --skip-bad.")
        return known.setdefault(label, (label,))

    return lambda place, cells: make(place, cells)._replace(labels=labels_of(place, cells))


def _text_maker(
    table: Table, start: str, asked: TextOptions, text_place: int
) -> Callable[[str, Sequence[Any]], LabelledText]:
    """What makes a text of the cells of a table, with its id and group."""
    id_place, group_place = table.option(asked, "id_column", ("id",)), table.option(asked, "group_column")
    numbers, ids = count(1), set[str]()

    def make(place: str, cells: Sequence[Any]) -> LabelledText:
        number = next(numbers)
        name = _id(place, cells, id_place, ids) or f"{start}-{number}"
        group = None if group_place is None else text_of(cells[group_place])
        return LabelledText(name, _text(place, cells[text_place]), group=group)

    return make


def _text(place: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        what = "empty" if value in (None, "") or isinstance(value, str) else f"of type {type(value).__name__}"
        raise BioftError(f"{place}: the text is {what}. Fill it in, or leave such rows out with --skip-bad.")
    return value


def _id(place: str, cells: Sequence[Any], column: int | None, seen: set[str]) -> str:
    if column is None:
        return ""
    found = text_of(cells[column]).strip()
    if not found:
        raise BioftError(f"{place}: the id is empty. Fill it in, or leave out --id-column to number the rows.")
    if found in seen:
        raise BioftError(f"{place}: the id {found!r} comes again. Each text needs its own; name another --id-column.")
    seen.add(found)
    return found


def _places(table: Table, asked: LabelOptions) -> tuple[int, list[int]]:
    """The places of text and labels: as asked, by usual names, or of two columns without names by what they hold."""
    labels = asked.label_column
    if not table.header and len(table.columns) == 2 and not (labels and labels[0].isdigit()):
        # Texts are longer than labels.
        first, second = map(len, table.sample[0])
        return (0, [1]) if first >= second else (1, [0])
    label_places = [table.find(each, LABEL, "--label-column") for each in labels or (None,)]
    text_place = table.option(asked, "text_column", TEXT, needed=True)
    places = [place for place in label_places if place is not None]
    if text_place is None or text_place in places:
        raise BioftError(f"{table.name}: the column of the text is one of labels too. Name another --text-column.")
    return text_place, places


@takes(TextOptions)
def build_texts(asked: TextOptions) -> tuple[DatasetDict, dict[str, Any]]:
    """Build texts, to adapt language models to, of a table of one's own or of lines; returns splits and manifest.

    The columns are id and text. Texts that are the same but for case and punctuation are in one split. Raises
    BioftError as `build_labels`.
    """

    def maker(table: Table, start: str) -> Callable[[str, Sequence[Any]], LabelledText]:
        known = TEXT if len(table.columns) > 1 else (table.columns[0].lower(),)
        return _text_maker(table, start, asked, table.option(asked, "text_column", known, needed=True) or 0)

    read = splits.collect("texts", asked, maker, lines=True)
    divided = _divide(read.rows, asked)
    schema = corpus.SCHEMA
    dataset = DatasetDict(
        {
            name: Dataset(pa.table({"id": [row.id for row in rows], "text": [row.text for row in rows]}, schema))
            for name, rows in divided.rows.items()
        }
    )
    return dataset, read.origin.manifest(
        dataset,
        {**asked.sizes(), "seed": asked.seed},
        rows={name: corpus.count(split) for name, split in dataset.items()},
        split=divided.split,
        **read.telling(divided),
        audit=corpus.audit(dataset),
    )
