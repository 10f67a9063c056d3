"""Tables of one's own: CSV, TSV, JSONL and Parquet files; columns by name or number."""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from datasets import ClassLabel, Dataset, Features, IterableDataset, load_from_disk

from bioft.datasets import data
from bioft.datasets.formats import annotations, inputs
from bioft.datasets.options import OwnTable
from bioft.errors import BioftError, command_word, leaving_out, suggestion
from bioft.storage import json_text, tables as delimited
from bioft.storage.json_text import text_of
from bioft.storage.text_lines import LinesAfter, TextLines

PEEKED = 200
"""Rows by which it is told whether the first one names the columns."""
_ABSTRACT = re.compile(r"###\s*\d+\s*")
_OF_FASTTEXT = re.compile(r"\s*(?:__label__[^\s,]+[\s,]+)+")
_OF_PANDAS = frozenset({"columns", "index", "data"})
KNOWN = frozenset(data("columns.toml", __package__)["usual"]["names"])
"""Names of columns that no row of data has."""


@dataclass
class Table:
    """The rows of one file or Hub split, each with its place ("line 3") for messages, and the names of columns."""

    name: str
    columns: list[str]
    rows: Iterator[tuple[str, Sequence[Any]]]
    header: bool = True
    """Without one the columns are called 1, 2, …"""
    types: Mapping[str, Any] | None = None
    """The features of Parquet files that `datasets` wrote and of data on the Hub."""
    sample: Sequence[Sequence[Any]] = ()
    """The first rows, where there is no header."""
    delimiter: str = ""
    """What parts the fields of a text file."""
    notes: list[str] = field(default_factory=list)
    """What is said of the file beside its rows, all of it when these were read."""

    def find(self, asked: str | None, known: Iterable[str], option: str, *, needed: bool = True) -> int | None:
        """The place of a column: the one that was asked for by name or number, else the first of the known names.

        BioftError: there is none; suggests the nearest name.
        """
        lower = [column.strip().lower() for column in self.columns]
        lower[:1] = [column.lstrip("# ") or column for column in lower[:1]]
        lower += [name.replace(" ", "_") for name in lower]
        if asked is None:
            found = next((lower.index(name) % len(self.columns) for name in known if name in lower), None)
            if found is None and needed:
                raise BioftError(f"{self.name} has no column for {option}: name it. {self.in_words()}")
            return found
        if asked in self.columns:
            return self.columns.index(asked)
        if asked.lower() in lower:
            return lower.index(asked.lower()) % len(self.columns)
        if not self.header or not asked.isdigit():
            mend = suggestion(asked, self.columns) if self.header else self.in_words()
            raise BioftError(f"{self.name} has no column {asked!r} ({option}). {mend}")
        if not 1 <= int(asked) <= len(self.columns):
            raise BioftError(f"{self.name} has {len(self.columns)} columns, no column {asked} ({option}).")
        return int(asked) - 1

    def option(self, asked: OwnTable, name: str, known: Sequence[str] = (), *, needed: bool = False) -> int | None:
        """The place of the column that an option of a builder names: see `find`."""
        return self.find(getattr(asked, name), known, f"--{name.replace('_', '-')}", needed=needed)

    def in_words(self) -> str:
        """The columns, for messages."""
        if self.header:
            return f"Its columns: {', '.join(self.columns[:30])}{', …' * (len(self.columns) > 30)}."
        first = "; ".join(f"{n} {str(cell)[:30]!r}" for n, cell in zip(self.columns, self.sample[0], strict=False))
        return f"It has no line with the names of its columns; they are called by number. The first row: {first}."


def read(path: Path, asked: Iterable[str | None], skipped: list[str] | None, *, lines: bool = False) -> Table:
    """The table in a file; rows that are wrong raise BioftError, or with `skipped` are left out with a message.

    `asked`: the names of columns that were given; `lines`: see `_delimited`. Raises BioftError for other files.
    """
    kind = inputs.tell(path)
    if path.is_file() and inputs.is_parquet(path):
        try:
            whole, notes = _plain(pq.read_table(path))
            return replace(of_dataset(str(path), Dataset(whole)), notes=notes)
        except (OSError, ValueError, pa.ArrowException) as error:  # Arrow has not each kind of file implemented
            raise BioftError(f"{path} can't be read as Parquet ({error}). Write it again.") from None
    if inputs.is_saved(path):
        return of_dataset(str(path), load_from_disk(str(path)))
    if kind in ("records", "documents", "tokens"):
        return _records(path, skipped)
    if kind not in ("delimited", "mentions"):
        mend = f"For its entities: bioft build entities {command_word(path)} --output FOLDER."
        mend = "It was built already: give it to a recipe as --dataset." if kind == "dataset" else mend
        what = inputs.NAMES.get(kind, "a dataset of bioft")
        raise BioftError(f"{path} is {what}, no table of rows. Read are {inputs.OF_TABLES}. {mend}")
    return _delimited(path, [name for name in asked if name], skipped, lines)


def _plain(table: pa.Table) -> tuple[pa.Table, list[str]]:
    """The table with texts where Spark writes bytes, and notes on columns that are not read."""
    notes = []
    for place, each in enumerate(table.schema):
        if pa.types.is_binary(each.type) or pa.types.is_large_binary(each.type):
            with suppress(pa.ArrowInvalid):  # bytes that are no text stay
                table = table.set_column(place, each.name, table[place].cast(pa.string()))
    for each in table.schema:
        try:
            Features.from_arrow_schema(pa.schema([each]))
        except ValueError:
            table = table.drop_columns(each.name)
            notes.append(f"has a column {each.name} of type {each.type}, which is not read")
    return table, notes


def of_dataset(name: str, rows: Dataset | IterableDataset) -> Table:
    """The table of rows that `datasets` holds or streams, with the names of class labels in the place of numbers."""
    features = dict(rows.features or {})

    def cells() -> Iterator[tuple[str, Sequence[Any]]]:
        number = 0
        for batch in rows.iter(batch_size=1000):
            for values in zip(*(batch[column] for column in features), strict=True):
                number += 1
                named = map(_named, values, features.values())
                yield f"{name}, row {number}", list(named)

    return Table(name, list(features), cells(), types=features)


def _named(value: Any, feature: Any) -> Any:
    """A cell with the names of class labels, also of those inside lists and objects."""
    if isinstance(feature, ClassLabel):
        # The Hub writes -1 for labels that are kept secret.
        return None if value is None or value < 0 else feature.int2str(value)
    inner = feature if isinstance(feature, dict) else getattr(feature, "feature", None)
    if isinstance(value, dict) and isinstance(inner, dict):
        return {key: _named(each, inner.get(key)) for key, each in value.items()}
    if isinstance(value, list) and isinstance(inner, ClassLabel | dict):
        return [_named(each, inner) for each in value]
    return value


def one_text(value: Any, place: str) -> str:
    """A cell as one text, also where it is alone in a list; BioftError for several, and for an object."""
    value = value[0] if isinstance(value, list) and len(value) == 1 else value
    if isinstance(value, list | dict):
        raise BioftError(
            f"{place}: {str(value)[:60]} is {len(value)} values where one text should be. Write a row for each."
        )
    return text_of(value)


def _records(path: Path, skipped: list[str] | None) -> Table:
    """JSON lines, or an array of objects; the columns are the keys of the first object and any later ones."""
    objects = _objects(path, skipped)
    first = list(islice(objects, PEEKED))
    if not first:
        raise BioftError(f"{path} has no row that can be read. {skipped[0] if skipped else ''}".strip())
    columns = list(dict.fromkeys(key for _, each in first for key in each))

    def cells() -> Iterator[tuple[str, Sequence[Any]]]:
        for place, each in chain(first, objects):
            yield place, [each.get(column) for column in columns]

    return Table(str(path), columns, cells())


def _objects(path: Path, skipped: list[str] | None) -> Iterator[tuple[str, dict[str, Any]]]:
    lines = TextLines(path)
    all_lines = (line.lstrip() for line in lines if line.strip())
    start = next(all_lines, "")
    if _goes_on(start) or (start[0] == "{" and next(all_lines, None) is None):
        yield from _of_object(json_text.parse(lines.read(), str(path)), path, skipped)
        return
    if start[0] != "[":
        for row in json_text.rows(lines, skipped):
            yield f"{path}, line {lines.number}", annotations.as_row(row)
        return
    yield from _objects_in(json_text.parse(lines.read(), str(path)), str(path), skipped)


def _objects_in(values: Iterable[Any], where: str, skipped: list[str] | None) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, value in enumerate(values, 1):
        place, value = f"{where}, object {number}", annotations.as_row(value)
        if isinstance(value, dict):
            yield place, value
        elif skipped is None:
            raise BioftError(f"{place}: a {type(value).__name__} where an object with columns should be.")
        else:
            skipped.append(f"{place}: no object with columns.")


def _goes_on(line: str) -> bool:
    """Whether an object begins in a line that others end, as JSON is written to be read by people."""
    if line[0] != "{" or line.rstrip().endswith("}"):
        return False
    try:
        json.JSONDecoder().raw_decode(line)
    except (ValueError, RecursionError):
        return re.fullmatch(r'\{\s*("(?:[^"\\]|\\.)*"\s*:\s*(?:[\[{].*)?)?', line, re.DOTALL) is not None
    return False


def _of_object(whole: Any, path: Path, skipped: list[str] | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """The rows of a file that is one object: those of the list in it, or one for each key, which is its id."""
    if not isinstance(whole, dict):
        raise BioftError(f"{path}: a {type(whole).__name__} where objects with columns should be.")
    if (rows := _of_columns(whole)) is not None:
        yield from _objects_in(rows, str(path), skipped)
        return
    lists = [
        key
        for key, value in whole.items()
        if isinstance(value, list) and any(isinstance(annotations.as_row(each), dict) for each in value)
    ]
    if len(lists) == 1 and not KNOWN & {key.lower() for key in whole if key != lists[0]}:
        yield from _objects_in(whole[lists[0]], f"{path}, {lists[0]}", skipped)
    elif whole.keys() >= _OF_PANDAS or (len(whole) > 1 and all(isinstance(value, dict) for value in whole.values())):
        if whole.keys() >= _OF_PANDAS or (KNOWN | {"tokens"}) & {key.lower() for key in whole}:
            raise BioftError(
                f"{path} has its columns one after another, as pandas writes them. Write rows: "
                'to_json(..., orient="records", lines=True).'
            )
        for key, value in whole.items():
            yield f"{path}, {key}", value if "id" in value else {"id": key, **value}
    else:
        yield f"{path}, line 1", annotations.as_row(whole)


def _of_columns(whole: Mapping[str, Any]) -> Iterator[dict[str, Any]] | None:
    """The rows of an object that has columns: equally long lists; those of one row with tokens hold no lists."""
    values = [*whole.values()]
    if not (KNOWN | {"tokens"}) & {key.lower() for key in whole} or not all(
        isinstance(each, list) and len(each) == len(values[0]) > 1 for each in values
    ):
        return None
    nested = all(isinstance(each, list) for each in whole.get("tokens", ()))
    return (dict(zip(whole, each, strict=True)) for each in zip(*values, strict=True)) if nested else None


def _delimited(path: Path, asked: Sequence[str], skipped: list[str] | None, lines: bool) -> Table:
    """A CSV file or its like; with `lines`, where no column has a usual name or one asked for, a text on each line."""
    first = [line.rstrip("\r\n") for line in islice(TextLines(path), PEEKED)]
    if any(map(_ABSTRACT.fullmatch, islice(filter(str.strip, first), 1))):
        return _of_abstracts(path, skipped)
    if any(map(_OF_FASTTEXT.match, islice(filter(str.strip, first), 1))):
        return _of_fasttext(path, skipped)
    above, notes = _above(first, {name.lower() for name in asked if not name.isdigit()})
    start = [line for line in first[above:] if line.strip()]
    start = [line for place, line in enumerate(start) if not (above and place and line[0] == "#")]
    parted = {each: delimited.rows_in(start, each) for each in _delimiters(start[:1])}
    of_r = {each for each, its in parted.items() if _lacks_a_name(its)}
    parted |= {each: [["", *parted[each][0]], *parted[each][1:]] for each in of_r}
    alike = {each: sum(len(row) == len(rows[0]) > 1 for row in rows) for each, rows in parted.items()}
    usual = KNOWN | {name.lower() for name in asked}
    named_in = {each: usual & {cell.strip('# "').lower() for cell in rows[0]} for each, rows in parted.items()}
    separator = max(alike, key=lambda each: (alike[each], len(named_in[each]), len(parted[each][0])))
    names, named = [cell.strip(' "') for cell in parted[separator][0]], named_in[separator]
    bare = [names[0].lstrip("# ") or names[0], *names[1:]] if above else names
    is_table = alike[separator] >= max(1, len(parted[separator]) / 2) or (named and len(names) > 1)
    if not is_table or (lines and not named):
        return _lines(path, [line for line in first if line.strip()], asked)
    comments: list[int] = []

    def is_comment(line: str) -> bool:
        found = line[0] == "#" and bool(above) and separator == "\t" and "\t" not in line
        comments.extend([source.number] if found else ())
        return found

    source = LinesAfter(path, above + (separator in of_r), is_comment)
    sample = []
    if separator in of_r:
        found = delimited.Table(source, header=names, delimiter=separator, skipped=skipped)
    elif _names_columns(bare, parted[separator][1:], asked):
        needed = [name for name in asked if name in names][:1]
        found = delimited.Table(source, needed, delimiter=separator, skipped=skipped)
    else:
        header = [str(n) for n in range(1, len(names) + 1)]
        found = delimited.Table(source, header=header, delimiter=separator, skipped=skipped)
        sample = [names]
    columns = [*bare[:1], *found.columns[1:]] if above and not sample else found.columns

    def rows() -> Iterator[tuple[str, Sequence[Any]]]:
        for row in found:
            yield f"{path}, line {found.line}", list(row.values())
        if n := len({*comments}):
            notes.append(f"has {n} lines of comments (#) among its rows")

    return Table(str(path), columns, rows(), not sample, sample=sample, delimiter=separator, notes=notes)


def _delimiters(header: Sequence[str]) -> tuple[str, ...]:
    """What may part the fields; spaces only where they part quoted ones, as R writes them."""
    return (*delimited.DELIMITERS, *([" "] if any('" "' in line for line in header) else []))


def _lacks_a_name(rows: Sequence[Sequence[str]]) -> bool:
    """Whether rows begin with the numbers 1, 2, …, of which the header says nothing, as R writes them."""
    first, *others = rows
    return len(first) > 1 and len(others) > 1 and all(
        len(row) == len(first) + 1 and row[0].strip('"') == str(n) for n, row in enumerate(others, 1)
    )  # fmt: skip


def _above(lines: Sequence[str], wanted: Collection[str]) -> tuple[int, list[str]]:
    """How many lines stand above the first row or the names of the columns, and what is said of them.

    These are comments, and what programs write above a table: then all columns that are `wanted` are named below, or
    two at least have usual names.
    """
    if lines and re.fullmatch(r'"?sep=.[;,\s"]*', lines[0]):
        return 1, []  # Excel's, of the delimiter
    if n := _comments(lines):
        return n, [f"begins with {n} lines of comments (#)"]
    for place, line in enumerate(lines):
        cells = ({cell.strip().lower() for cell in delimited.rows_in([line], each)[0]} for each in _delimiters([line]))
        if any(its >= {*wanted} if wanted else len(its & KNOWN) > 1 for its in cells):
            return place, [f"has {place} lines above the names of its columns, which are not read"] if place else []
    return 0, []


def _of_abstracts(path: Path, skipped: list[str] | None) -> Table:
    """Sentences after their labels, those of an abstract under its id, as PubMed RCT has them (Dernoncourt 2017)."""
    lines = TextLines(path)

    def rows() -> Iterator[tuple[str, Sequence[Any]]]:
        document = ""
        for line in lines:
            label, tab, text = line.strip().partition("\t")
            if _ABSTRACT.fullmatch(label):
                document = label.strip("# ")
            elif label:
                with leaving_out(skipped):
                    if not tab:
                        raise BioftError(f"{path}, line {lines.number}: {label[:60]!r} is no label, tab and sentence.")
                    yield f"{path}, line {lines.number}", [document, label, text]

    note = "has ids of abstracts above their sentences: they are the column document (for --group-column)"
    return Table(str(path), ["document", "label", "text"], rows(), delimiter="\t", notes=[note])


def _of_fasttext(path: Path, skipped: list[str] | None) -> Table:
    """Texts behind their labels, each of which begins with __label__, as fastText and Flair have them."""
    lines = TextLines(path)

    def rows() -> Iterator[tuple[str, Sequence[Any]]]:
        for line in filter(str.strip, lines):
            place = f"{path}, line {lines.number}"
            with leaving_out(skipped):
                if (found := _OF_FASTTEXT.match(line)) is None:
                    raise BioftError(
                        f"{place}: {line.strip()[:60]!r} does not begin with __label__, as the first does."
                    )
                labels = found[0].replace("__label__", " ").replace(",", " ").split()
                yield place, [line[found.end() :].strip(), labels if several else labels[0]]

    every = (_OF_FASTTEXT.match(line) for line in TextLines(path))
    several = any(found and found[0].count("__label__") > 1 for found in every)
    return Table(str(path), ["text", "label"], rows())


def _comments(lines: Sequence[str]) -> int:
    """How many lines at the start are comments: begin with "#", and have other numbers of fields than the rows."""
    n = next((place for place, line in enumerate(lines) if line.strip() and line[0] != "#"), 0)
    if not n:
        return 0
    rows = {each: delimited.rows_in([lines[n - 1], *lines[n:]], each) for each in delimited.DELIMITERS}
    its = [each for each in rows.values() if len(each) > 1]
    return n - any(len(each[0]) == len(each[1]) > 1 for each in its) if its else 0


def _lines(path: Path, start: Sequence[str], asked: Sequence[str]) -> Table:
    """A table of one column: a text on each line."""
    name = start[0].strip().strip('"')
    header = name.lower() in KNOWN | {name.lower() for name in asked if not name.isdigit()}
    # A table of one column, as programs write it, has quotation marks around texts.
    quoted = header or delimited.are_quoted(start)
    lines = delimited.quoted_lines(TextLines(path)) if quoted else enumerate(TextLines(path), 1)
    rows = ((f"{path}, line {number}", [line.rstrip("\r\n")]) for number, line in lines if line.strip())
    if header:
        next(rows)
    return Table(str(path), [name if header else "1"], rows, header, sample=[start[:1]])


def _names_columns(first: Sequence[str], others: Sequence[Sequence[str]], asked: Sequence[str]) -> bool:
    """Whether the first row names the columns: it has a name that was asked for or is usual, or no value of theirs."""
    # Where files were put together the names come again, all of them; a value comes again in its column.
    others = [row for row in others if [cell.strip(' "') for cell in row] != [*first]]
    columns = [[row[column] for row in others if column < len(row)] for column in range(len(first))]
    names = KNOWN | {name.lower() for name in asked if not name.isdigit()}
    if any(cell.lower() in names and cell not in values for cell, values in zip(first, columns, strict=True)):
        return True
    for cell, values in zip(first, columns, strict=True):
        if cell in values or (values and _is_number(cell) and all(map(_is_number, values))):
            return False
    return True


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
