"""Pairs of texts from tables of one's own: with a graded score or a label, or anchors with their positives."""

import math
import re
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Annotated, Any, NamedTuple

import pyarrow as pa  # type: ignore[import-untyped]
from datasets import Dataset, DatasetDict

from bioft.datasets import data, pair_audit
from bioft.datasets.formats import splits
from bioft.datasets.formats.tables import Table, one_text, text_of
from bioft.datasets.options import GroupColumn, OwnTable, takes
from bioft.datasets.pair_audit import RELATED
from bioft.datasets.splits import check_columns
from bioft.errors import BioftError, command_word
from bioft.storage.tables import NO_VALUE
from bioft.storage.text_lines import normalise

_TRUTH = {"true": "1", "false": "0"}
_COLUMNS = data("columns.toml", __package__)["pairs"]
FIRST, SECOND, NEGATIVE, SCORE = (_COLUMNS[part] for part in ("first", "second", "negative", "score"))


@dataclass(frozen=True, kw_only=True)
class PairOptions(OwnTable):
    """Options of pairs of texts in tables."""

    first_column: Annotated[str | None, "Column of the first text (by default anchor, sentence1, text1)."] = None
    second_column: Annotated[str | None, "Column of the second text (by default positive, sentence2, text2)."] = None
    negative_column: Annotated[
        str | None, "Column of a text that does not belong to the first (by default negative)."
    ] = None
    score_column: Annotated[
        str | None,
        "Column of the graded score, or of 1 and 0 (by default score or label; none: all pairs belong together).",
    ] = None
    score_range: Annotated[str | None, "Lowest and highest score that there may be, such as 0,5."] = None
    group_column: GroupColumn = None


class Row(NamedTuple):
    """A pair of texts; `negative` is "" where there is none, `score` None where all pairs belong together."""

    first: str
    second: str
    negative: str
    score: float | None
    group: str | None
    place: str

    def texts(self) -> tuple[str, ...]:
        """The texts, normalised."""
        return tuple(normalise(text) for text in self[:3] if text)


@takes(PairOptions)
def build_pairs(asked: PairOptions) -> tuple[DatasetDict, dict[str, Any]]:
    """Build pairs of texts of a table of one's own; returns the splits and the manifest.

    The columns are sentence1, sentence2, score (from 0 to 1) and group, or without scores anchor, positive, negative
    where there is one, and group. Texts that a pair joins are in one split, also over several pairs; of scored pairs
    those that belong together join, if all of them would join too much, and the others between splits are left out.
    BioftError: no table, a missing column, an empty text, a score that is none or out of its range, or a split left
    empty.
    """
    scored: set[bool] = set()
    notes: dict[str, None] = {}
    read = splits.collect("pairs", asked, lambda table, start: _maker(table, asked, scored, notes))
    if len(scored) > 1:
        raise BioftError("Some of the files have a column of scores, and others have none.")
    if len({bool(row.negative) for its in read.rows.values() for row in its}) > 1:
        raise BioftError("Some of the files have a column of negatives, and others have none.")
    read.told["notes"] += notes
    rows, left_out, arguments = read.rows, Counter[str](), {**asked.sizes(), "seed": asked.seed}
    if True in scored:
        low, high = _range(asked.score_range, [row.score for its in rows.values() for row in its])
        rows = {name: [row._replace(score=_scaled(row, low, high)) for row in its] for name, its in rows.items()}
        arguments["score_range"] = f"{low:g},{high:g}"
    if splits.ALL in rows:
        rows[splits.ALL] = _distinct(rows[splits.ALL], left_out)
    joins = _joins(rows.get(splits.ALL, []))
    divided = splits.divide(
        rows,
        identity=lambda row: row.place,
        same=joins if splits.ALL in rows else Row.texts,
        group=lambda row: row.group,
        asked=asked,
        what="pairs",
    )
    if splits.ALL in rows:
        left_out["pairs between splits"] = _without_shared(divided.rows)
        divided.split["strategy"] = "paired_text"
    whole = all(row.score in (0, 1) for its in divided.rows.values() for row in its)
    kind = None if True not in scored else pa.int64() if whole else pa.float64()
    firsts: dict[str, int] = {}
    dataset = DatasetDict({name: _to_split(its, kind, firsts) for name, its in divided.rows.items()})
    return dataset, read.origin.manifest(
        dataset,
        arguments,
        rows={name: _count(its) for name, its in dataset.items()},
        split=divided.split,
        **read.telling(divided, left_out),
        graded=kind == pa.float64(),
        audit=audit(dataset),
    )


def audit(dataset: Mapping[str, Dataset]) -> dict[str, Any]:
    """Check pairs for leaks: returns `checks` (what was counted, all 0) and `pair_audit.audit`.

    Raises LeakageError if a text (but for case and punctuation) is in two splits.
    """
    columns = [name for name in dataset["train"].column_names if name not in ("score", "group")]
    check_columns(dataset, "texts", *columns, key=normalise)
    return {"checks": {"normalised_texts_across_splits": 0}, **pair_audit.audit(dataset)}


def _maker(
    table: Table, asked: PairOptions, scored: set[bool], notes: dict[str, None]
) -> Callable[[str, Sequence[Any]], Row]:
    first, second = (
        table.option(asked, f"{name}_column", known, needed=True)
        for name, known in (("first", FIRST), ("second", SECOND))
    )
    negative, score = table.option(asked, "negative_column", NEGATIVE), table.option(asked, "score_column", SCORE)
    group = table.option(asked, "group_column")
    if negative is not None and score is not None:
        score = None
    scored.add(score is not None)
    numbers = count(1)
    used = {first, second, negative, score, group}
    others = [
        name
        for place, name in enumerate(table.columns)
        if place not in used and name.lower() not in _COLUMNS["no_score"]
    ]
    if score is None and negative is None and others:
        unread = ", ".join(others)
        notes[f"no column is known as that of scores: all pairs are taken to belong together. Not read: {unread}"] = (
            None
        )

    def make(place: str, cells: Sequence[Any]) -> Row:
        places = (first, second, negative)
        texts = ["" if column is None else one_text(cells[column], place) for column in places]
        needed = texts[: 3 if negative is not None else 2]
        if not all(text.strip() and text not in NO_VALUE for text in needed):
            raise BioftError(f"{place}: a text is empty, or NA. Fill it in, or leave such rows out with --skip-bad.")
        number = None
        if score is not None:
            number = _number(text_of(cells[score]), table, score, place)
        named = None if group is None else text_of(cells[group])
        return Row(texts[0], texts[1], texts[2], number, named, f"{place} ({next(numbers)})")

    return make


def _number(said: str, table: Table, column: int, place: str) -> float:
    # Where fields are not parted by commas, numbers may have one for a point.
    plain = re.sub(r"^(-?\d+),(\d+)$", r"\1.\2", said) if table.delimiter != "," else said
    try:
        number = float(_TRUTH.get(said.strip().lower(), plain.replace("_", "no number")))
    except ValueError:
        number = math.nan
    if math.isfinite(number):
        return number
    mend = "Name another --score-column, or leave such rows out with --skip-bad."
    if re.fullmatch(r"-?\d+(,\d+)+", said):
        mend = "Write it without the comma, or with a point in its place."
    elif any(letter.isalpha() for letter in said) and said.lower() not in ("nan", "inf", "-inf"):
        found = [table.find(None, known, "", needed=False) for known in (FIRST, SECOND)]
        columns = " ".join(f"--text-column {command_word(table.columns[its])}" for its in found if its is not None)
        columns = f"{columns or '--text-column NAME'} --label-column {command_word(table.columns[column])}"
        mend = (
            "Write 1 for pairs that belong together, else 0. To learn such words as labels: bioft build labels "
            f"{command_word(table.name)} {columns} --output FOLDER."
        )
    raise BioftError(f"{place}: the score {said[:40]!r} is no number. {mend}")


def _range(asked: str | None, scores: Sequence[float | None]) -> tuple[float, float]:
    there = [score for score in scores if score is not None]
    if asked is None:
        if min(there) >= 0 and max(there) <= 1:
            return 0.0, 1.0
        raise BioftError(
            f"The scores go from {min(there):g} to {max(there):g}. Say from where to where they may, with "
            f"--score-range, such as --score-range 0,{max(5, int(max(there) + 0.999))}."
        )
    try:
        low, high = map(float, asked.split(","))
    except ValueError:
        low, high = 0.0, 0.0
    if not low < high:
        raise BioftError(f"--score-range is {asked!r}; give the lowest and the highest score, such as 0,5.")
    return low, high


def _scaled(row: Row, low: float, high: float) -> float:
    if row.score is None or not low <= row.score <= high:
        place = row.place.rpartition(" (")[0]
        raise BioftError(f"{place}: the score {row.score} is not from {low:g} to {high:g} (--score-range).")
    return (row.score - low) / (high - low)


def _distinct(rows: Sequence[Row], left_out: Counter[str]) -> list[Row]:
    """Each pair once, without those of a text with itself."""
    seen: dict[Hashable, Row] = {}
    for row in rows:
        key = row.texts()
        if key[0] == key[1]:
            left_out["pairs of a text with itself"] += 1
        elif seen.setdefault(key, row) is not row:
            left_out["pairs that come again, of which the first is kept"] += 1
    return list(seen.values())


def _joins(rows: Sequence[Row]) -> Callable[[Row], tuple[str, ...]]:
    """What keeps a pair with others: all its texts; where that would join most pairs, those of pairs with high scores.

    A pair that joins nothing goes with its first text.
    """
    groups = Counter(splits.components(rows, Row.texts, lambda row: row.group).tolist())
    if not rows or groups.most_common(1)[0][1] <= len(rows) / 2 or all(row.score is None for row in rows):
        return Row.texts
    return lambda row: row.texts() if (row.score or 0) >= RELATED else row.texts()[:1]


def _without_shared(rows_of: dict[str, list[Row]]) -> int:
    """Leave out the pairs, not of high scores, that have a text of another split; returns how many.

    The split of a text is that of the pairs that keep it.
    """
    home: dict[str, str] = {}
    for name, rows in rows_of.items():
        for row in rows:
            for text in row.texts() if row.score is None or row.score >= RELATED else row.texts()[:1]:
                home.setdefault(text, name)
    n = 0
    for name, rows in rows_of.items():
        kept = [row for row in rows if all(home.setdefault(text, name) == name for text in row.texts())]
        n += len(rows) - len(kept)
        rows_of[name] = kept
        if not kept:
            raise BioftError(f"No pairs are left for the split '{name}'. Use more pairs or other sizes.")
    return n


def _to_split(rows: Sequence[Row], kind: Any, firsts: dict[str, int]) -> Dataset:
    """The rows of a split; `kind` is the type of the scores, None where there are none.

    `firsts` has a number for each first text so far: no group of one split has the name of one of another.
    """
    # Rows of one first text are one group: a batch of a ranking loss then holds each of them once.
    groups = [row.group or str(firsts.setdefault(normalise(row.first), len(firsts))) for row in rows]
    names = ("anchor", "positive") if kind is None else ("sentence1", "sentence2")
    columns: dict[str, Any] = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    if kind is None and any(row.negative for row in rows):
        columns["negative"] = [row.negative for row in rows]
    if kind is not None:
        columns["score"] = pa.array([row.score for row in rows], pa.float64()).cast(kind)
    return Dataset(pa.table(columns | {"group": groups}))


def _count(rows: Dataset) -> dict[str, int]:
    counts = {"pairs": len(rows), "groups": len(set(rows["group"]))}
    if "score" in rows.column_names:
        counts["related"] = sum(score >= RELATED for score in rows["score"])
    return counts
