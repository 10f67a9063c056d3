"""Splits of one's own data: given as files, by a column, or made here by group; a given test split stays as it is."""

import re
from array import array
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from bioft.datasets import data
from bioft.datasets.formats import hub, inputs, tables
from bioft.datasets.options import OwnData, OwnTable, PathName
from bioft.datasets.origin import Origin
from bioft.datasets.splits import (
    SPLIT_OF_WORD,
    SPLITS,
    IntArray,
    by_split,
    check_sizes,
    connected,
    grouped_split,
    split_in,
    splits_in,
)
from bioft.errors import BioftError, command_word, leaving_out, suggestion

BEGIN_AGAIN = "ids begin again in each split: they have its name before them"
ALL = "all"
"""In the place of a split, for rows that are to be split here."""
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_GROUPS = frozenset(data("columns.toml", __package__)["groups"]["names"])
T = TypeVar("T")


def begin_again(rows_of: Mapping[str, Iterable[tuple[str, str]]]) -> bool:
    """Whether splits, of ids and texts, count anew: of most ids that two of them have, the texts are others.

    One text that was mended makes no other rows of those that two splits share.
    """
    first: dict[str, str] = {}
    same = Counter[bool]()
    for number, text in (row for rows in rows_of.values() for row in rows):
        same.update([first[number] == text] if number in first else ())
        first.setdefault(number, text)
    return same[False] > same[True]


class Division(NamedTuple):
    """Rows by split, and what a manifest says of how they came there."""

    rows: dict[str, list[Any]]
    split: dict[str, Any]
    left_out: dict[str, int]
    notes: list[str]


def files_of(
    paths: Iterable[PathName],
    train: Iterable[PathName] | None,
    validation: Iterable[PathName] | None,
    test: Iterable[PathName] | None,
) -> dict[str, list[str]]:
    """The files of each split, or those of `ALL`; what `tell` reads of a folder are its files where they name splits.

    Files that are named train, dev, test and the like are the splits that they are named after. BioftError: no file; a
    test split without training data, or the other way round; names of which only some say a split.
    """
    named = [str(each) for path in paths for each in _in_folder(path)]
    named = [each for each in named if each not in _unions(named)]
    given = {
        name: [str(file) for file in files or ()]
        for name, files in zip(SPLITS, (train, validation, test), strict=True)
    }
    given = {name: files for name, files in given.items() if files}
    if not given:
        return _by_name(named)
    if named and "train" in given:
        raise BioftError("The training data are given twice: as INPUT and with --train. Leave one of them out.")
    if named:
        given = {"train": named, **given}
    for name in ("train", "test"):
        if name not in given:
            raise BioftError(f"There is no {name} split among the files given. Give it with --{name} FILE.")
    return given


def _unions(files: Sequence[str]) -> list[str]:
    """The files whose names say several splits, such as train_dev.tsv, where each of these has a file of its own."""
    said = {file: splits_in(Path(file).name) for file in files}
    alone = {its[0] for its in said.values() if len(its) == 1}
    return [file for file, its in said.items() if len(its) > 1 and alone >= {*its}]


def _in_folder(path: PathName) -> list[Path]:
    folder = Path(path)
    if not folder.is_dir() or inputs.is_brat(folder) or inputs.tables_in(folder):
        return [folder]
    found = sorted(file for file in folder.iterdir() if file.is_file() and split_in(file.name))
    belonging = {other for file in found for other in inputs.beside(file)}
    found = [file for file in found if file not in belonging]
    if not {"train", "test"} <= {split_in(file.name) for file in found}:
        found = []  # one of many documents may be called "test"
    inside = sorted(file for file in folder.iterdir() if file.is_dir() and split_in(file.name))
    return found or inside or [folder]


def _by_name(inputs: list[str]) -> dict[str, list[str]]:
    if not inputs:
        raise BioftError("No data: name your file, or give --train FILE and --test FILE.")
    named = {file: split_in(Path(file).name) for file in inputs}
    if len(inputs) == 1 or not any(named.values()):
        return {ALL: inputs}
    if not all(named.values()) or not {"train", "test"} <= set(named.values()):
        found = ", ".join(f"{Path(file).name} ({split or 'none'})" for file, split in named.items())
        raise BioftError(f"Which split is each file? Their names say: {found}. Give --train, --validation and --test.")
    return {name: [file for file in inputs if named[file] == name] for name in SPLITS if name in named.values()}


def split_of(word: str, column: str) -> str:
    """The split that a word of a split column means; BioftError for any other word."""
    if (found := SPLIT_OF_WORD.get(word.strip().lower())) is None:
        raise BioftError(f"The column {column} says {word[:40]!r}, which is no split. {suggestion(word, SPLITS)}")
    return found


def divide(
    found: Mapping[str, Sequence[T]],
    *,
    identity: Callable[[T], str],
    same: Callable[[T], Iterable[Hashable]],
    group: Callable[[T], Hashable | None],
    asked: OwnData,
    what: str,
    assign: Callable[[Sequence[T]], IntArray] | None = None,
) -> Division:
    """Divide rows into splits, none of which shares a group or a text with another.

    `found` are rows by split, or under `ALL`; `identity` is the id of a row, which may be in one split only; `same`
    what rows of two splits must not share (texts, normalised); `group` the group of a row, None where there are none.
    The sizes `asked` are fractions of the rows, and that of validation, where only that is missing, of training.
    `what` are the rows in words ("texts"). `assign` splits rows of `ALL` where that is not by group; its rows share
    nothing.

    A test split that is given stays as it is: rows of training and validation that share a text with it are left out
    and counted. BioftError: an id or a group in two given splits, or a split that is left empty.
    """
    sizes, rng = asked.sizes(), np.random.default_rng(asked.seed)
    if ALL in found:
        rows = list(found[ALL])
        codes = grouped_split(components(rows, same, group), **sizes, rng=rng) if assign is None else assign(rows)
        kept = np.flatnonzero(codes >= 0)
        rows, codes = [rows[index] for index in kept.tolist()], codes[kept]
        strategy = "group" if any(group(row) is not None for row in rows[:1]) else "same_text"
        return Division(by_split(rows, codes), {"strategy": strategy, **sizes}, {}, [])
    rows_of = {name: list(its) for name, its in found.items()}
    _check_apart(rows_of, identity, "id", "Each row needs its own id; leave --id-column out to number them.")
    _check_apart(rows_of, group, "group", "Leave out --group-column, or put all rows of the group into one split.")
    left_out = _without_repeats(rows_of, same, what)
    description: dict[str, Any] = {"strategy": "given"}
    notes = []
    if "validation" not in rows_of:
        check_sizes(**sizes)
        train = rows_of["train"]
        codes = _share(components(train, same, group), asked.validation_size, rng)
        rows_of = by_split(train, codes) | {"test": rows_of["test"]}
        description |= {"validation": "taken from train", "validation_size": asked.validation_size}
        taken = len(rows_of["validation"])
        notes.append(f"no validation split was given: {taken:,} of the {len(train):,} {what} of train are it")
    for name in SPLITS:
        if not rows_of[name]:
            raise BioftError(f"No {what} are left for the split '{name}'. Give more data, or other splits.")
    return Division({name: rows_of[name] for name in SPLITS}, description, left_out, notes)


def _share(groups: IntArray, size: float, rng: np.random.Generator) -> IntArray:
    """Validation for about that share of the rows, whole groups in random order; train for the others."""
    order = rng.permutation(int(groups.max()) + 1)
    counts = np.bincount(groups)[order]
    chosen = order[: max(1, int(np.searchsorted(np.cumsum(counts), round(size * len(groups)), side="right")))]
    return np.where(np.isin(groups, chosen), SPLITS.index("validation"), SPLITS.index("train"))


def components(
    rows: Sequence[T], same: Callable[[T], Iterable[Hashable]], group: Callable[[T], Hashable | None]
) -> IntArray:
    """The number of what each row must stay together with, shape (rows,): rows that share a text or a group."""
    code_of: dict[Hashable, int] = {}
    owners, nodes = [], []
    for index, row in enumerate(rows):
        keys: list[Hashable] = [("text", key) for key in same(row)]
        if (its := group(row)) is not None:
            keys.append(("group", its))
        for key in keys:
            owners.append(index)
            nodes.append(code_of.setdefault(key, len(code_of)))
    return connected(owners, nodes, len(rows))


def _check_apart(rows_of: Mapping[str, Sequence[T]], key: Callable[[T], Any], what: str, mend: str) -> None:
    first: dict[Any, str] = {}
    for name, rows in rows_of.items():
        for value in dict.fromkeys(key(row) for row in rows if key(row) is not None):
            if first.setdefault(value, name) != name:
                raise BioftError(f"The {what} {value!r} is in {first[value]} and in {name}. {mend}")


def _without_repeats(
    rows_of: dict[str, list[T]], same: Callable[[T], Iterable[Hashable]], what: str
) -> dict[str, int]:
    """Take out of training and validation what test has too, then out of training what validation has; count it."""
    left_out: Counter[str] = Counter()
    for name, others in (("validation", ("test",)), ("train", ("test", "validation"))):
        for other in others:
            if name not in rows_of or other not in rows_of:
                continue
            held = {key for row in rows_of[other] for key in same(row)}
            kept = [row for row in rows_of[name] if held.isdisjoint(same(row))]
            if len(kept) < len(rows_of[name]):
                left_out[f"{what} of {name} that {other} has too"] = len(rows_of[name]) - len(kept)
            rows_of[name] = kept
    return dict(left_out)


class Opened(NamedTuple):
    """The inputs of a builder by split, and what a manifest says of them."""

    files: dict[str, list[str]]
    """Or the names of splits on the Hub."""
    on_hub: dict[str, tables.Table]
    sources: list[dict[str, Any]]
    license: dict[str, str]
    notes: list[str]

    def named(self) -> dict[str, list[str]]:
        """The names of the files of given splits, as a manifest keeps them."""
        return {name: [Path(file).name for file in its] for name, its in self.files.items() if name != ALL}

    def without_folders(self, messages: Iterable[str]) -> list[str]:
        """Messages with the names of the files alone: manifests are published, and a home folder names its owner."""
        shown = list(messages)
        for file in (file for its in self.files.values() for file in its if not self.on_hub):
            shown = [message.replace(file, Path(file).name) for message in shown]
        return shown


def open_inputs(asked: OwnData) -> Opened:
    """Find the files that were asked for, or the dataset on the Hub.

    BioftError: as `files_of` and `hub.of_hub`, or splits on the Hub that are not named train and test.
    """
    given = (asked.train, asked.validation, asked.test)
    license = {"license": (asked.license or "unknown").lower()} | ({"title": asked.title} if asked.title else {})
    if not hub.is_on_hub(asked.paths):
        if asked.max_rows is not None:
            raise BioftError("--max-rows is for data on the Hub; files are read whole. Leave it out.")
        files = files_of(asked.paths, *given)
        every = [each for its in files.values() for each in its]
        return Opened(files, {}, inputs.sources(every, asked), license, _notes(files, asked.paths))
    name = str(asked.paths[0])
    by_split, source, notes = hub.of_hub(name, asked.revision, asked.subset, asked.max_rows)
    if asked.license is None and source["license"]:
        license["license"] = str(source["license"])
    source |= {"terms": asked.terms or "not stated", "citation": asked.citation}
    return Opened(_splits_of_hub(by_split, given, name), by_split, [source], license, notes)


def _notes(files: Mapping[str, Sequence[str]], paths: Iterable[PathName]) -> list[str]:
    unions = _unions([str(each) for path in paths for each in _in_folder(path)])
    notes = [f"{Path(each).name} is not read: it has the splits together that other files have" for each in unions]
    if len(together := files.get(ALL, ())) > 1:
        notes.append(
            f"{len(together)} files are put together and split here: if they are splits, say so with --train, "
            "--validation and --test"
        )
    return notes


class Collected(NamedTuple):
    """What was read of tables: rows by split, and what a manifest says of them."""

    rows: dict[str, list[Any]]
    origin: Origin
    told: dict[str, Any]

    def telling(self, divided: Division, left_out: Mapping[str, int] | None = None) -> dict[str, Any]:
        """What a manifest says of all that was read, and of what was `left_out` until the splits were made."""
        every = {key: n for key, n in {**(left_out or {}), **divided.left_out}.items() if n}
        return self.told | {"left_out": every, "notes": [*self.told["notes"], *divided.notes]}


def collect(
    builder: str,
    asked: OwnTable,
    maker: Callable[[tables.Table, str], Callable[[str, Sequence[Any]], T]],
    *,
    apart: Sequence[str] = (),
    lines: bool = False,
) -> Collected:
    """Read the rows of all tables that were asked for: files, or the splits of a dataset on the Hub.

    `builder` is what the manifest calls the builder; the options `asked` are kept as its arguments but for those that
    are said `apart`. `maker` takes a table and the start of ids for its rows; it returns what makes a row of its place
    and cells, or raises BioftError for a wrong one. With `lines` a file in which no column has a usual name is a text
    on each line, and no table. BioftError: a wrong row, unless `skip_bad`; and as `files_of` and `tables.read`.
    """
    opened = open_inputs(asked)
    skipped: list[str] = []
    messages = skipped if asked.skip_bad else None
    wanted = asked.columns()

    def table_of(file: str) -> tables.Table:
        return opened.on_hub[file] if opened.on_hub else tables.read(Path(file), wanted, messages, lines=lines)

    rows: dict[str, list[Any]] = {}
    notes = opened.notes
    for name, files in opened.files.items():
        for number, table in enumerate(map(table_of, files), 1):
            start = ("row" if name == ALL else name) + (f"-{number}" if number > 1 else "")
            make = maker(table, start)
            place_of_split = table.option(asked, "split_column")
            if not table.header:
                notes.append(f"{Path(table.name).name} has no line with the names of its columns")
            unread = _groups_unread(table, asked)
            for place, cells in table.rows:
                for column, values in unread.items():
                    values.append(hash(str(cells[column])))
                with leaving_out(messages):
                    of_row = name
                    if place_of_split is not None:
                        of_row = split_of(tables.text_of(cells[place_of_split]), str(asked.split_column))
                    rows.setdefault(of_row, []).append(make(place, cells))
            notes += [f"{Path(table.name).name} {note}" for note in table.notes]
            notes += _come_again({table.columns[column]: values for column, values in unread.items()})
    if not rows:
        raise BioftError(f"There is no row to build of. {skipped[0] if skipped else ''}".strip())
    n_read = sum(map(len, rows.values())) + len(skipped)
    arguments = asked.arguments(*apart) | opened.named()
    first = opened.without_folders(skipped[:3])
    told = {"read": {"rows": n_read}, "skipped": {"all": {"documents": len(skipped), "first": first}}}
    return Collected(rows, Origin(builder, arguments, opened.sources, opened.license), told | {"notes": notes})


def _groups_unread(table: tables.Table, asked: OwnTable) -> dict[int, Any]:
    """The columns that are named as groups are, where none was given of those that may be; for their values."""
    if getattr(asked, "group_column", "none") is not None:
        return {}
    taken = {*asked.columns()}
    words = {
        place: {*map(str.lower, _WORD.findall(name))} for place, name in enumerate(table.columns) if name not in taken
    }
    return {place: array("q") for place, its in words.items() if its & _GROUPS}


def _come_again(unread: Mapping[str, Sequence[int]]) -> Iterator[str]:
    """What is said of columns of which each value is, on average, in two rows or more."""
    for name, values in unread.items():
        if 1 < (n := len({*values})) <= len(values) / 2:
            yield (
                f"the column {name} is not read, and its {n:,} values come again in {len(values):,} rows: if rows "
                f"with the same one belong together, say --group-column {command_word(name)}"
            )


def _splits_of_hub(
    there: Mapping[str, Any], given: Sequence[Sequence[PathName] | None], name: str
) -> dict[str, list[str]]:
    """Which splits of a dataset on the Hub are which here: as named with --train and the others, or by their names."""
    chosen = {split: list(map(str, its)) for split, its in zip(SPLITS, given, strict=True) if its}
    for split, its in chosen.items():
        if missing := [each for each in its if each not in there]:
            raise BioftError(f"{name} has no split {missing[0]!r} (--{split}). {suggestion(missing[0], there)}")
    if chosen:
        chosen.setdefault("train", ["train"] if "train" in there else [])
        if not chosen["train"] or "test" not in chosen:
            raise BioftError(f"{name} has the splits {', '.join(there)}: name one with --train and one with --test.")
        return chosen
    named = {SPLIT_OF_WORD.get(each, ""): [each] for each in there}
    if {"train", "test"} <= named.keys():
        return {split: named[split] for split in SPLITS if split in named}
    if len(there) == 1:
        return {ALL: list(there)}
    raise BioftError(f"{name} has the splits {', '.join(there)}: name one with --train and one with --test.")
