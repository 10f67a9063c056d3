"""Tables of one's own: CSV, TSV, JSONL and Parquet files, and data on the Hub by name; columns by name or number."""

import hashlib
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import datasets.config
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from datasets import ClassLabel, Dataset, IterableDataset, get_dataset_config_names, load_dataset_builder
from huggingface_hub import HfFileSystem

from bioft.datasets.formats import annotations, inputs
from bioft.datasets.options import OwnTable, PathName
from bioft.errors import BioftError, command_word, suggestion
from bioft.hub.client import Access, connection
from bioft.storage import json_text, tables as delimited
from bioft.storage.text_lines import TextLines

LARGEST = 500_000_000
"""Bytes of a dataset on the Hub from which on not all of it is fetched: in memory they are five times as many."""
PEEKED = 200
"""Rows by which it is told whether the first one names the columns."""
_OF_PANDAS = frozenset({"columns", "index", "data"})
KNOWN = frozenset(
    (
        "id", "index", "text", "texts", "sentence", "abstract", "title", "label", "labels", "class", "score", "split",
        "sentence1", "sentence2", "text1", "text2", "anchor", "positive", "negative", "gene", "disease", "question",
    )
)  # fmt: skip
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
    comments: int = 0
    """How many lines of comments stand above the first row or the names of the columns."""

    def find(self, asked: str | None, known: Iterable[str], option: str, *, needed: bool = True) -> int | None:
        """The place of a column: the one that was asked for by name or number, else the first of the known names.

        BioftError: there is none; suggests the nearest name.
        """
        lower = [column.strip().lower() for column in self.columns]
        if asked is None:
            found = next((lower.index(name) for name in known if name in lower), None)
            if found is None and needed:
                raise BioftError(f"{self.name} has no column for {option}: name it. {self.in_words()}")
            return found
        if asked in self.columns:
            return self.columns.index(asked)
        if asked.lower() in lower:
            return lower.index(asked.lower())
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
            return f"Its columns: {', '.join(self.columns)}."
        first = "; ".join(f"{n} {str(cell)[:30]!r}" for n, cell in zip(self.columns, self.sample[0], strict=False))
        return f"It has no line with the names of its columns; they are called by number. The first row: {first}."


def read(path: Path, asked: Iterable[str | None], skipped: list[str] | None, *, lines: bool = False) -> Table:
    """The table in a file; rows that are wrong raise BioftError, or with `skipped` are left out with a message.

    `asked`: the names of columns that were given; `lines`: see `_delimited`. Raises BioftError for other files.
    """
    kind = inputs.tell(path)
    if path.is_file() and inputs.is_parquet(path):
        try:
            return of_dataset(str(path), Dataset(pq.read_table(path)))
        except (OSError, ValueError) as error:
            raise BioftError(f"{path} can't be read as Parquet ({error}). Write it again.") from None
    if kind in ("records", "documents", "tokens"):
        return _records(path, skipped)
    if kind != "delimited":
        command = "entities" if kind != "dataset" else ""
        mend = f"For its entities: bioft build {command} {command_word(path)} --output FOLDER." if command else (
            "It was built already: give it to a recipe as --dataset."
        )  # fmt: skip
        what = inputs.NAMES.get(kind, "a dataset of bioft")
        raise BioftError(f"{path} is {what}, no table of rows. Read are {inputs.OF_TABLES}. {mend}")
    return _delimited(path, [name for name in asked if name], skipped, lines)


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


def text_of(value: Any) -> str:
    """A cell as text: "" for nothing and for NaN, whole numbers without a point, lists as JSON."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else str(value)


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
            yield f"{path}, line {lines.number}", row
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
    lists = [
        key
        for key, value in whole.items()
        if isinstance(value, list) and any(isinstance(annotations.as_row(each), dict) for each in value)
    ]
    if len(lists) == 1 and not KNOWN & {key.lower() for key in whole if key != lists[0]}:
        yield from _objects_in(whole[lists[0]], f"{path}, {lists[0]}", skipped)
    elif whole.keys() >= _OF_PANDAS or (len(whole) > 1 and all(isinstance(value, dict) for value in whole.values())):
        if whole.keys() >= _OF_PANDAS or KNOWN & {key.lower() for key in whole}:
            raise BioftError(
                f"{path} has its columns one after another, as pandas writes them. Write rows: "
                'to_json(..., orient="records", lines=True).'
            )
        for key, value in whole.items():
            yield f"{path}, {key}", value if "id" in value else {"id": key, **value}
    else:
        yield f"{path}, line 1", whole


def _delimited(path: Path, asked: Sequence[str], skipped: list[str] | None, lines: bool) -> Table:
    """A CSV file or its like; with `lines`, where no column has a usual name or one asked for, a text on each line."""
    first = [line.rstrip("\r\n") for line in islice(TextLines(path), PEEKED)]
    comments = _comments(first)
    start = [line for line in first[comments:] if line.strip()]
    parted = {each: delimited.rows_in(start, each) for each in delimited.DELIMITERS}
    alike = {each: sum(len(row) == len(rows[0]) > 1 for row in rows) for each, rows in parted.items()}
    separator = max(alike, key=lambda each: (alike[each], len(parted[each][0])))
    names = [cell.strip() for cell in parted[separator][0]]
    named = {name.lower() for name in names} & (KNOWN | {name.lower() for name in asked})
    if alike[separator] < max(1, len(parted[separator]) / 2) or (lines and not named):
        return _lines(path, [line for line in first if line.strip()], asked)
    source = _After(path, comments)
    if _names_columns(names, parted[separator][1:], asked):
        found = delimited.Table(source, [name for name in asked if name in names][:1], skipped=skipped)
        sample = []
    else:
        found = delimited.Table(source, header=[str(n) for n in range(1, len(names) + 1)], skipped=skipped)
        sample = [names]
    rows = ((f"{path}, line {found.line}", list(row.values())) for row in found)
    return Table(str(path), found.columns, rows, not sample, sample=sample, delimiter=separator, comments=comments)


class _After(TextLines):
    """The lines of a file after the first ones."""

    def __init__(self, path: Path, n: int) -> None:
        super().__init__(path)
        self.n = n

    def __iter__(self) -> Iterator[str]:
        return islice(super().__iter__(), self.n, None)


def _comments(lines: Sequence[str]) -> int:
    """How many lines at the start are comments: begin with "#", and have other numbers of fields than the rows."""
    n = next((place for place, line in enumerate(lines) if line.strip() and line[0] != "#"), 0)
    if not n:
        return 0
    rows = {each: delimited.rows_in([lines[n - 1], *lines[n:]], each) for each in delimited.DELIMITERS}
    separator = max(rows, key=lambda each: len(rows[each][1]) if len(rows[each]) > 1 else 0)
    return n - (len(rows[separator][0]) == len(rows[separator][1]) > 1) if len(rows[separator]) > 1 else 0


def _lines(path: Path, start: Sequence[str], asked: Sequence[str]) -> Table:
    """A table of one column: a text on each line."""
    header = start[0].strip().lower() in KNOWN | {name.lower() for name in asked if not name.isdigit()}
    lines = TextLines(path)
    rows = ((f"{path}, line {lines.number}", [line.rstrip("\r\n")]) for line in lines if line.strip())
    if header:
        next(rows)
    return Table(str(path), [start[0].strip() if header else "1"], rows, header, sample=[start[:1]])


def _names_columns(first: Sequence[str], others: Sequence[Sequence[str]], asked: Sequence[str]) -> bool:
    """Whether the first row names the columns: it has a name that was asked for or is usual, or no value of theirs."""
    lower = {cell.lower() for cell in first}
    if lower & {name.lower() for name in asked if not name.isdigit()} or lower & KNOWN:
        return True
    for column, cell in enumerate(first):
        values = [row[column] for row in others if column < len(row)]
        if cell in values or (values and _is_number(cell) and all(map(_is_number, values))):
            return False
    return True


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def is_on_hub(paths: Sequence[PathName]) -> bool:
    """Whether the data that were asked for are no files here, but have a name on the Hub."""
    return len(paths) == 1 and not Path(paths[0]).exists() and inputs.is_hub_name(str(paths[0]))


def of_hub(
    name: str, revision: str | None, subset: str | None, max_rows: int | None = None
) -> tuple[dict[str, Table], dict[str, Any], list[str]]:
    """The splits of a dataset on the Hub as tables, at one commit; what a manifest says of it; and notes.

    With `max_rows` the first rows of each split are streamed, and no more is fetched than these need. BioftError: no
    such dataset, one that needs code of its own, one of more than `LARGEST` bytes without `max_rows`, or one with
    several configurations and no `subset`; and where the Hub can't be asked.
    """
    # Nothing is asked for but the files of that commit: no copy of another one, no count of downloads.
    datasets.config.USE_PARQUET_EXPORT = datasets.config.HF_UPDATE_DOWNLOAD_COUNTS = False
    with connection(f"the dataset {name}", Access.of({})) as api:
        info = api.dataset_info(name, revision=revision, files_metadata=True)
        files = sorted(info.siblings or (), key=lambda each: each.rfilename)
        if f"{name.rpartition('/')[2]}.py" in {each.rfilename for each in files}:
            raise BioftError(
                f"The dataset {name} needs code of its own, which bioft does not run. The Hub keeps a copy as "
                "Parquet: --revision refs/convert/parquet"
            )
        configurations = get_dataset_config_names(name, revision=info.sha)
        if subset is None and len(configurations) > 1 and "default" not in configurations:
            raise BioftError(
                f"The dataset {name} has several configurations. Give --subset: {', '.join(configurations)}."
            )
        if subset is not None and subset not in configurations:
            raise BioftError(f"{name} has no configuration {subset!r}. {suggestion(subset, configurations)}")
        builder = load_dataset_builder(name, subset, revision=info.sha)
        size = sum(each.size or 0 for each in files if _is_of(builder, each.rfilename))
        if max_rows is None and size > LARGEST:
            raise BioftError(
                f"The dataset {name} has {size / 1e9:.1f} GB, and is read whole up to {LARGEST / 1e9:.1f} GB. Say how "
                "many rows are enough: --max-rows 100000 streams the first ones of each split."
            )
        splits, notes = _loaded(name, builder, max_rows)
    card: Any = info.card_data or {}
    content = "\n".join(f"{each.rfilename} {each.blob_id}" for each in files)
    source = {
        "name": name,
        "sha256": hashlib.sha256(content.encode()).hexdigest(),
        "bytes": sum(each.size or 0 for each in files),
        "version": info.sha,
        "url": f"https://huggingface.co/datasets/{name}",
        "redistribution": "ask",
        "license": card.get("license"),
    }
    return splits, source, notes


def _is_of(builder: Any, file: str) -> bool:
    """Whether a file of a dataset is one of those that a configuration reads."""
    found = (url for urls in (builder.config.data_files or {}).values() for url in urls)
    return any(str(url).endswith(f"/{file}") for url in found)


def _loaded(name: str, builder: Any, max_rows: int | None) -> tuple[dict[str, Table], list[str]]:
    if max_rows is None:
        builder.download_and_prepare()
        return {split: of_dataset(f"{name} {split}", rows) for split, rows in builder.as_dataset().items()}, []
    found, notes = {}, []
    for split, rows in builder.as_streaming_dataset().items():
        rows = rows if rows.features else rows._resolve_features()
        # As one list, so that what fails on the way is told as of the Hub.
        first = [*rows.take(max_rows + 1)]
        found[split] = of_dataset(f"{name} {split}", Dataset.from_list(first[:max_rows], features=rows.features))
        if len(first) > max_rows:
            of = _number_of_rows(builder, split)
            notes.append(f"of {name}, {split}, the first {max_rows:,} rows of {of} were read (--max-rows)")
    return found, notes


def _number_of_rows(builder: Any, split: str) -> str:
    """How many rows a split has: as its card says, else as the ends of Parquet files do, else "more"."""
    if known := (builder.info.splits or {}).get(split):
        return f"{known.num_examples:,}"
    if not type(builder).__name__.startswith("Parquet"):
        return "more"
    n_rows = 0
    for url in builder.config.data_files[split]:
        with HfFileSystem().open(url) as stream:
            n_rows += pq.read_metadata(stream).num_rows
    return f"{n_rows:,}"
