"""Labelled texts, and texts alone, from tables of one's own."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Annotated, Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
from datasets import Dataset, DatasetDict

from bioft.datasets import data
from bioft.datasets.formats import splits
from bioft.datasets.formats.annotations import ACCEPT, PRODIGY
from bioft.datasets.formats.tables import Table, text_of
from bioft.datasets.options import GroupColumn, IdColumn, OwnTable, takes
from bioft.datasets.splits import IntArray
from bioft.datasets.texts import corpus, labelled
from bioft.datasets.texts.labelled import LabelledText
from bioft.errors import BioftError, command_word
from bioft.storage import json_text
from bioft.storage.tables import NO_VALUE
from bioft.storage.text_lines import normalise

MOST_LABELS = 1000
"""A column of more labels than that is none of labels."""
TEXT, LABEL = (data("columns.toml", __package__)["labels"][part] for part in ("text", "label"))
BESIDE = {"abstract": "title", "sentence": "title", "text": "title", "sentence1": "sentence2"}
"""What is read for nothing where only the first of two columns is the text."""
SEPARATORS = (";", "|", ",", "#")
NO_LABEL = frozenset({"", "nan", "<na>"})
"""What programs write where there is none."""
REJECTED = "whose annotation was not accepted"
"""What is said of rows of Prodigy."""
MAYBE_NONE = frozenset({"na", "n/a", "null", "none", "-", "?"})
_WHOLE = re.compile(r"(-?\d+)\.0+")
_NUMBERED = re.compile(r"\d+_[01](?:,\d+_[01])+")
"""Labels as the BLUE benchmark writes them: number and 1 or 0 of each."""
YES = {"1": True, "true": True, "yes": True, "x": True, "0": False, "false": False, "no": False, "": False}


@dataclass(frozen=True, kw_only=True)
class TextOptions(OwnTable):
    """Options of texts in tables."""

    text_column: Annotated[
        Sequence[str] | None,
        "Column of the texts, by name or number (by default text); repeat it to put several together.",
    ] = None
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

    def columns_of_labels(self) -> bool:
        """Whether each label has a column of its own."""
        return len(self.label_column or ()) > 1 and not isinstance(self.label_column, str)


@takes(LabelOptions)
def build_labels(asked: LabelOptions) -> tuple[DatasetDict, dict[str, Any]]:
    """Build labelled texts of a table of one's own; returns the splits and the manifest.

    The columns are id, text and label, or labels where a text may have several. Where the splits are made here, texts
    that are the same but for case and punctuation are one row, and each label is in every split, unless there are
    groups; given splits are kept row by row. BioftError: no table, a missing column, a row without text or label, more
    than `MOST_LABELS` labels, an id in two splits, or a split left empty.
    """
    several: set[bool] = set()
    notes: list[str] = []
    read = splits.collect("labels", asked, lambda table, start: _maker(table, start, asked, several, notes))
    found = read.rows
    numbers = {name: [(row.id, row.text) for row in rows if row.id.isdigit()] for name, rows in found.items()}
    if asked.id_column is None and len(found) > 1 and splits.begin_again(numbers):
        found = {name: [row._replace(id=f"{name}-{row.id}") for row in rows] for name, rows in found.items()}
        notes.append(splits.BEGIN_AGAIN)
    counts = Counter(label for rows in found.values() for row in rows for label in row.labels)
    labels = sorted(counts)
    rejected = any(REJECTED in note for note in read.told["notes"])
    n_rows = sum(map(len, found.values()))
    _check_labels(labels, n_rows, any(several) and not asked.columns_of_labels(), rejected)
    merging, grouped = None, asked.group_column is not None
    if splits.ALL in found and not grouped:
        merged, merging = labelled.merge(found[splits.ALL], _as_marked)
        found = {splits.ALL: merged}

    def stratified(rows: Sequence[LabelledText]) -> IntArray:
        # Texts that differ in their marks only are in one split: the first of them is drawn.
        places: dict[int, int] = {}
        of = [places.setdefault(hash(normalise(row.text)), number) for number, row in enumerate(rows)]
        first = sorted(places.values())
        drawn = labelled.stratified_split(
            [rows[number] for number in first], **asked.sizes(), rng=np.random.default_rng(asked.seed)
        )
        return drawn[np.searchsorted(first, of)]

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
    told = read.telling(divided)
    if merging and merging["merged"]:
        notes.append(f"{merging['merged']:,} rows have the text of one before, and are one row with it")
    notes = list(dict.fromkeys(notes)) + _doubtful(counts, asked, any(several))
    return dataset, manifest | told | {"notes": told["notes"] + notes}


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


def _as_marked(text: str) -> str:
    """The text without what differs in one that is copied: case, space, stops at its end.

    Other punctuation stays: marks such as [[ ]] and << >> around entities make another text of a sentence.
    """
    return " ".join(text.casefold().split()).rstrip(" .!?")


def _check_labels(labels: Sequence[str], n_rows: int, in_lists: bool, rejected: bool) -> None:
    if in_lists and {*labels} <= {"0", "1"}:
        raise BioftError(
            "The labels are lists of 0 and 1, which do not say of what: write the names of those that are 1, or a "
            "column for each label, and name these with --label-column."
        )
    if len(labels) > MOST_LABELS or (len(labels) > 20 and len(labels) > n_rows / 2):
        raise BioftError(
            f"The labels have {len(labels):,} different values in {n_rows:,} rows, such as {labels[0][:40]!r}: that "
            "column is none of labels. Name another with --label-column; several labels in one are parted with "
            "--label-separator."
        )
    if len(labels) < 2:
        mend = " Others were rejected: --label-column answer learns which texts have it." if rejected else ""
        raise BioftError(f"There is one label only, {labels[0]!r}.{mend}" if labels else "No text has a label.")


def _doubtful(counts: Counter[str], asked: LabelOptions, several: bool) -> list[str]:
    """What one may not have meant: labels that differ in case only, are several in one, or are words for none."""
    notes = []
    folded: dict[str, list[str]] = {}
    for label in sorted(counts):
        folded.setdefault(_as_seen(label), []).append(label)
    if alike := [" and ".join(map(ascii, its)) for its in folded.values() if len(its) > 1]:
        notes.append(f"labels that differ in case or in what is not seen only count as two: {', '.join(alike)}")
    if none := [f"{label!r} ({n:,} texts)" for label, n in counts.items() if label.casefold() in MAYBE_NONE]:
        notes.append(f"{', '.join(none)}: taken as a label. If it means that there is none, leave these cells empty")
    for separator in () if several or asked.label_separator else SEPARATORS:
        parted = Counter(piece.strip() for label in counts for piece in {*label.split(separator)})
        joined = [label for label in counts if separator in label]
        if len(joined) > 1 and any(parted[piece.strip()] > 1 for label in joined for piece in label.split(separator)):
            notes.append(
                f"{len(joined)} of the {len(counts)} labels hold {separator!r}, such as {joined[0][:60]!r}: if they "
                f"are several in one, say --label-separator {separator!r}"
            )
            break
    return notes


def _as_seen(label: str) -> str:
    """A label in small letters, composed, with plain spaces and without characters that nobody sees."""
    shown = "".join(each for each in unicodedata.normalize("NFKC", label) if unicodedata.category(each) != "Cf")
    return " ".join(shown.casefold().split())


def _in_list(value: Any, place: str) -> Collection[str] | None:
    """The labels of a cell that holds any number of them: a list, also one that a program wrote as text, an object
    with 1 or 0 for each, or numbers with them; None for another cell.
    """
    if isinstance(value, str) and (found := json_text.container(value)) is not None:
        value = found
    if isinstance(value, dict) and [*value] == ["choices"]:  # as Label Studio has several
        value = value["choices"]
    if isinstance(value, list):
        if any(isinstance(each, list | dict) for each in value):
            raise BioftError(
                f"{place}: {text_of(value)[:60]} is no list of labels. For entities: bioft build entities."
            )
        return [text_of(each) for each in value]
    if isinstance(value, dict):
        return [name for name, each in value.items() if _is_yes(each, place)]
    if isinstance(value, str) and _NUMBERED.fullmatch(value):
        return [each.partition("_")[0] for each in value.split(",") if each[-1] == "1"]
    return None


def _is_yes(value: Any, place: str) -> bool:
    word = _label(value).lower()
    if word not in YES:
        raise BioftError(f"{place}: {word[:40]!r} in a column for one label; write 1 or 0.")
    return YES[word]


def _label(value: Any) -> str:
    """A label as text: whole numbers without a point, as in files of other formats; "" for none."""
    label = text_of(value).strip()
    label = match[1] if (match := _WHOLE.fullmatch(label)) else label
    return "" if label.lower() in NO_LABEL else label


def _maker(
    table: Table, start: str, asked: LabelOptions, several: set[bool], notes: list[str]
) -> Callable[[str, Sequence[Any]], LabelledText]:
    """What makes a row of the cells of a table; `several` gets whether its texts may have several labels."""
    _leave_out_rejected(table, asked)
    text_places, label_places = _places(table, asked)
    if len(text_places) == 1 and not asked.text_column:
        name = table.columns[text_places[0]]
        beside = table.find(None, (BESIDE.get(name.lower(), ""),), "", needed=False)
        if beside is not None and beside not in label_places:
            both = " ".join(
                f"--text-column {command_word(table.columns[its])}" for its in sorted((text_places[0], beside))
            )
            notes.append(f"the text is {name}, without {table.columns[beside]}: {both} takes both")
    make, separator = _text_maker(table, start, asked, text_places), asked.label_separator
    names = [table.columns[place] for place in label_places]
    if len(names) > 1 or separator:
        several.add(True)
    known: dict[str, tuple[str, ...]] = {}

    def labels_of(place: str, cells: Sequence[Any]) -> tuple[str, ...]:
        if len(names) > 1:
            return tuple(
                name for name, column in zip(names, label_places, strict=True) if _is_yes(cells[column], place)
            )
        value = cells[label_places[0]]
        if (found := _in_list(value, place)) is not None:
            several.add(True)
        elif separator:
            found = text_of(value).split(separator)
        if found is not None:
            return tuple(sorted({_label(each) for each in found} - {""}))
        if not (label := _label(value)):
            raise BioftError(
                f"{place}: the text has no label. Fill it in, or leave such rows out with --skip-bad; if texts have "
                "any number of labels, say what parts them with --label-separator."
            )
        return known.setdefault(label, (label,))

    return lambda place, cells: make(place, cells)._replace(labels=labels_of(place, cells))


def _leave_out_rejected(table: Table, asked: LabelOptions) -> None:
    """Take out of a table of Prodigy's the rows whose annotation was rejected or ignored: the label is not theirs.

    Where the answers are the labels, those that were rejected stay.
    """
    if not {"answer", PRODIGY} <= {*table.columns}:
        return
    kept = (ACCEPT, "reject") if "answer" in (asked.label_column or ()) else (ACCEPT,)
    answer, every = table.columns.index("answer"), table.rows

    def accepted() -> Iterator[tuple[str, Sequence[Any]]]:
        n = 0
        for place, cells in every:
            if cells[answer] in kept:
                yield place, cells
            else:
                n += 1
        if n:
            table.notes.append(f"has {n:,} rows {REJECTED}, which are left out")

    table.rows = accepted()


def _text_maker(
    table: Table, start: str, asked: TextOptions, text_places: Sequence[int]
) -> Callable[[str, Sequence[Any]], LabelledText]:
    """What makes a text of the cells of a table, with its id and group."""
    id_place, group_place = table.option(asked, "id_column", ("id",)), table.option(asked, "group_column")
    numbers, ids = count(1), set[str]()

    def make(place: str, cells: Sequence[Any]) -> LabelledText:
        number = next(numbers)
        name = _id(place, cells, id_place, ids) or f"{start}-{number}"
        group = None if group_place is None else text_of(cells[group_place])
        return LabelledText(name, "\n".join(_texts(place, [cells[column] for column in text_places])), group=group)

    return make


def _texts(place: str, values: Sequence[Any]) -> list[str]:
    """The parts of a text, those that are empty left out; a list of texts, such as sentences, is one part."""
    values = [
        " ".join(its) if isinstance(its, list) and all(isinstance(v, str) for v in its) else its for its in values
    ]
    for value in values:
        if not (value is None or isinstance(value, str) or text_of(value) == ""):
            raise BioftError(
                f"{place}: the text is of type {type(value).__name__}. Name another --text-column, or leave such rows "
                "out with --skip-bad."
            )
    if not (found := [value for value in values if isinstance(value, str) and value.strip()]):
        raise BioftError(f"{place}: the text is empty. Fill it in, or leave such rows out with --skip-bad.")
    if {*found} <= NO_VALUE:
        raise BioftError(
            f"{place}: the text is {found[0]}, which programs write where there is none. Fill it in, or leave such "
            "rows out with --skip-bad."
        )
    return found


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


def _text_places(table: Table, asked: TextOptions, known: Sequence[str]) -> list[int]:
    """The places of the columns that are the text."""
    named = [asked.text_column] if isinstance(asked.text_column, str) else asked.text_column
    places = [table.find(name, known, "--text-column") for name in named or (None,)]
    return [place for place in places if place is not None]


def _places(table: Table, asked: LabelOptions) -> tuple[list[int], list[int]]:
    """The places of text and labels: as asked, by usual names, or of two columns without names by what they hold."""
    labels = asked.label_column
    if not table.header and len(table.columns) == 2 and not (labels and labels[0].isdigit()):
        # Texts are longer than labels.
        first, second = map(len, table.sample[0])
        return ([0], [1]) if first >= second else ([1], [0])
    label_places = [table.find(each, LABEL, "--label-column") for each in labels or (None,)]
    text_places = _text_places(table, asked, TEXT)
    places = [place for place in label_places if place is not None]
    if {*text_places} & {*places}:
        raise BioftError(f"{table.name}: the column of the text is one of labels too. Name another --text-column.")
    return text_places, places


@takes(TextOptions)
def build_texts(asked: TextOptions) -> tuple[DatasetDict, dict[str, Any]]:
    """Build texts, to adapt language models to, of a table of one's own or of lines; returns splits and manifest.

    The columns are id and text. Texts that are the same but for case and punctuation are in one split. Raises
    BioftError as `build_labels`.
    """

    def maker(table: Table, start: str) -> Callable[[str, Sequence[Any]], LabelledText]:
        known = TEXT if len(table.columns) > 1 else (table.columns[0].lower(),)
        return _text_maker(table, start, asked, _text_places(table, asked, known))

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
