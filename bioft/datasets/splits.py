"""Splitting without leakage: by pair, by held-out entity, by any group; and the audit of the result."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from bioft.errors import BioftError, LeakageError
from bioft.storage.runs import SPLITS as SPLITS

STRATEGIES = ("pair", "gene_held_out", "disease_held_out", "both_held_out")
"""How pairs are split at random; by time is another way."""
SPLIT_OF_WORD = {
    **dict.fromkeys(("train", "training", "trn", "trng"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev", "devel", "develop", "development"), "validation"),
    **dict.fromkeys(("tune", "testa"), "validation"),
    **dict.fromkeys(("test", "testing", "tst", "eval", "evaluation", "testb"), "test"),
}
"""How splits are called in columns and in names of files; "testa" and "testb" by CoNLL 2002 and 2003."""
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SET = re.compile(rf"({'|'.join(sorted(SPLIT_OF_WORD, key=len, reverse=True))})set(?![a-z])")
DROPPED = -1
IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
T = TypeVar("T")


def splits_in(name: str) -> list[str]:
    """The splits that the name of a file or folder says, in its order: of "CDR_TrainingSet" and of "NCBItrainset"."""
    words = [*map(str.lower, _WORD.findall(name)), *_SET.findall(name.lower())]
    return list(dict.fromkeys(SPLIT_OF_WORD[word] for word in words if word in SPLIT_OF_WORD))


def split_in(name: str) -> str | None:
    """The first split that the name of a file or folder says; None if it says none."""
    return next(iter(splits_in(name)), None)


def check_sizes(validation_size: float, test_size: float) -> None:
    """Raise BioftError for fractions that are none, or that leave nothing to train on."""
    for name, size in (("validation_size", validation_size), ("test_size", test_size)):
        if not 0 < size < 1:
            raise BioftError(f"{name} is {size}; it is a fraction between 0 and 1, such as 0.1.")
    if validation_size + test_size >= 1:
        raise BioftError(f"validation_size {validation_size} and test_size {test_size} leave nothing to train on.")


def grouped_split(
    groups: Sequence[Any] | npt.NDArray[Any], validation_size: float, test_size: float, rng: np.random.Generator
) -> IntArray:
    """Split rows so that all rows of a group are in one split; an index into `SPLITS` per row.

    The groups are put in random order on a line, each as long as its number of rows, and fall into the split where
    their middle lies: so the sizes (fractions of the rows) are met as nearly as the groups allow. BioftError: sizes
    that leave a split empty.
    """
    check_sizes(validation_size, test_size)
    places = _places(groups, rng)
    rows = _cut(places, validation_size, test_size)
    check_not_empty(rows, f"{len(rows):,} rows in {len(np.unique(places)):,} groups")
    return rows


def _places(groups: Sequence[Any] | npt.NDArray[Any], rng: np.random.Generator) -> FloatArray:
    """Where the middle of each row's group lies on a line from 0 to 1, on which the groups are in random order."""
    _, codes, counts = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    order = rng.permutation(len(counts))
    middle = np.empty(len(counts))
    middle[order] = (np.cumsum(counts[order]) - counts[order] / 2) / max(len(codes), 1)
    return middle[codes]


def _cut(places: FloatArray, validation_size: float, test_size: float) -> IntArray:
    """The split of each row by its place: the test split comes first, then validation."""
    splits = [SPLITS.index("test"), SPLITS.index("validation")]
    return np.select([places < test_size, places < test_size + validation_size], splits, SPLITS.index("train"))


def by_split(rows: Sequence[T], codes: IntArray) -> dict[str, list[T]]:
    """The rows of each split, by the split of each row."""
    found: dict[str, list[T]] = {name: [] for name in SPLITS}
    for row, code in zip(rows, codes.tolist(), strict=True):
        found[SPLITS[code]].append(row)
    return found


def check_not_empty(rows: IntArray, what: str) -> None:
    """Raise BioftError if a split has no row; `what` says of which data."""
    empty = [name for index, name in enumerate(SPLITS) if not (rows == index).any()]
    if empty:
        raise BioftError(f"No rows left for split '{empty[0]}' ({what}). Use more data, other sizes or another split.")


@dataclass(frozen=True)
class Assignment:
    """Which split each positive pair is in, and which entities each split may use."""

    rows: IntArray
    """Per pair: an index into SPLITS, or DROPPED."""
    gene_rows: IntArray | None = None
    """Per pair: the split that owns its gene, where genes are held out."""
    disease_rows: IntArray | None = None
    """Per pair: the split that owns its disease, where diseases are held out."""
    among: npt.NDArray[np.bool_] | None = None
    """Per pair: whether its gene and disease may be used by a split; by default those of all pairs."""

    def allowed(self, index: int, codes: IntArray, owned: IntArray | None) -> IntArray:
        """The distinct codes that split `index` may use, of the side whose owners (`gene_rows`, …) these are."""
        if owned is not None:
            return np.unique(codes[owned == index])
        return np.unique(codes if self.among is None else codes[self.among])


def assign(
    strategy: str,
    genes: IntArray,
    diseases: IntArray,
    validation_size: float,
    test_size: float,
    rng: np.random.Generator,
    least_validation: int = 0,
) -> Assignment:
    """Assign positive pairs (gene and disease codes, shape (n,)) to splits by one of `STRATEGIES`.

    With "both_held_out" genes and diseases are partitioned each on its own, and a pair whose gene and disease belong
    to different splits is dropped: with sizes 0.1 and 0.2 about 54 % of the pairs remain. A split has the square of
    its size then: where validation would have fewer than `least_validation` pairs, it gets more genes and diseases of
    training, but no more than test has.
    """
    sizes = (validation_size, test_size, rng)
    if strategy == "pair":
        return Assignment(grouped_split(np.arange(len(genes)), *sizes))
    if strategy == "gene_held_out":
        rows = grouped_split(genes, *sizes)
        return Assignment(rows, gene_rows=rows)
    if strategy == "disease_held_out":
        rows = grouped_split(diseases, *sizes)
        return Assignment(rows, disease_rows=rows)
    if strategy != "both_held_out":
        raise BioftError(f"Unknown split '{strategy}'. Known: {', '.join(STRATEGIES)}.")
    check_sizes(validation_size, test_size)
    gene_places, disease_places = _places(genes, rng), _places(diseases, rng)
    # Up to where validation must reach to hold each pair that is not test's.
    reach = np.sort(np.maximum(gene_places, disease_places)[np.minimum(gene_places, disease_places) >= test_size])
    if 0 < least_validation <= len(reach):
        needed = reach[least_validation - 1] - test_size + 1e-9
        validation_size = max(validation_size, needed) if needed <= test_size else validation_size
    gene_rows, disease_rows = (_cut(places, validation_size, test_size) for places in (gene_places, disease_places))
    rows = np.where(gene_rows == disease_rows, gene_rows, DROPPED)
    check_not_empty(rows, f"{(rows >= 0).sum():,} of {len(rows):,} pairs lie within one partition")
    return Assignment(rows, gene_rows, disease_rows)


def connected(owners: Sequence[int] | IntArray, keys: Sequence[int] | IntArray, n: int) -> IntArray:
    """The part that each of n rows is in, numbered by their first rows, shape (n,): rows with a key in common are in
    one, also over others. `owners` are the rows that the `keys` (numbers) are of.
    """
    _, codes = np.unique(np.asarray(keys), return_inverse=True)
    size = n + len(codes)
    edges = coo_array((np.ones(len(codes), np.int8), (np.asarray(owners, np.int64), n + codes)), shape=(size, size))
    return connected_components(edges, directed=False)[1][:n].astype(np.int64)


def straddling(groups: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """The values (a group, a document id, a text) that occur in more than one split, and the splits they are in."""
    seen: dict[str, list[str]] = {}
    for split, values in groups.items():
        for value in set(values):
            seen.setdefault(value, []).append(split)
    return {value: splits for value, splits in seen.items() if len(splits) > 1}


def check_disjoint(groups: Mapping[str, Iterable[str]], what: str) -> None:
    """Raise LeakageError, with examples, if a value of `groups` occurs in more than one split."""
    shared = straddling(groups)
    if shared:
        examples = "; ".join(f"{value!r} in {' and '.join(shared[value])}" for value in sorted(shared)[:3])
        raise LeakageError(f"{len(shared):,} {what} straddle splits, for example {examples}.")


def check_columns(dataset: Mapping[str, Any], what: str, *columns: str, key: Callable[[str], str] = str) -> None:
    """Raise LeakageError if a value of these columns, or what `key` makes of it, is in two splits."""
    first: dict[int, int] = {}
    shared: dict[str, set[str]] = {}
    names = list(dataset)
    for index, name in enumerate(names):
        for value in (key(value) for column in columns for value in in_batches(dataset[name][column])):
            # A number for each text: the texts of a large dataset twice would not fit into memory.
            if (other := first.setdefault(hash(value), index)) != index:
                shared.setdefault(value, {names[other]}).add(name)
    if shared:
        check_disjoint({name: [value for value, its in shared.items() if name in its] for name in names}, what)


def in_batches(column: Any) -> Iterator[Any]:
    """The values of a column in pieces: that of a large dataset would not fit into memory."""
    for start in range(0, len(column), 1000):
        yield from column[start : start + 1000]


def split_ids(joined: Iterable[str]) -> set[str]:
    """The single ids of columns in which several are joined by a bar."""
    return {part for value in set(joined) for part in value.split("|")}
