"""Known associations as they are read: each pair once, as numbers and columns of Arrow.

The full report of CTD has 10^8 rows, and with Python's own objects a million different pairs would take gigabytes.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]

Integers = npt.NDArray[np.int64]

BATCH = 10_000
"""Rows, or pairs to be united, that are Python objects at once."""
LEAST = 500_000
"""Rows that wait to be united at least."""
SCHEMA = pa.schema({"key": pa.int64(), "evidence": pa.string(), "pmids": pa.string()})
_ROOM = 1 << 31
"""A key is the number of the gene times this, and the number of the disease."""


class Known(NamedTuple):
    """Different pairs in the order of their first rows."""

    genes: list[tuple[str, str]]
    """Name and id of each number."""
    diseases: list[tuple[str, str]]
    pairs: pa.Table
    """As `SCHEMA`; evidence and PubMed ids are joined by "|"."""
    n_repeated: int
    """How many rows were of a pair that had come before."""

    def numbers(self) -> tuple[Integers, Integers]:
        """The gene and the disease of each pair."""
        keys = self.pairs["key"].to_numpy()
        return keys // _ROOM, keys % _ROOM


def collect(rows: Iterable[Mapping[str, str]]) -> Known:
    """One row per (gene, gene id, disease, disease id), evidence and PubMed ids united.

    Rows that wait to be united are never more than `LEAST`, or than there are different pairs.
    """
    genes: dict[tuple[str, str], int] = {}
    diseases: dict[tuple[str, str], int] = {}
    pairs, waiting, n_waiting, n_rows, rest = SCHEMA.empty_table(), list[pa.Table](), 0, 0, iter(rows)
    while True:
        batch = list(islice(rest, BATCH))
        keys = [
            genes.setdefault((row["gene"], row["gene_id"]), len(genes)) * _ROOM
            + diseases.setdefault((row["disease"], row["disease_id"]), len(diseases))
            for row in batch
        ]
        columns = [keys, [row["evidence"] for row in batch], [row["pmids"] for row in batch]]
        waiting.append(pa.table(columns, schema=SCHEMA))
        n_rows, n_waiting = n_rows + len(batch), n_waiting + len(batch)
        if not batch or n_waiting >= max(LEAST, len(pairs)):
            pairs, _ = unite(pa.concat_tables([pairs, *waiting]))
            waiting, n_waiting = [], 0
        if not batch:
            return Known(list(genes), list(diseases), pairs, n_rows - len(pairs))


def unite(pairs: pa.Table) -> tuple[pa.Table, npt.NDArray[np.bool_]]:
    """One row per key, in the order of the first ones, and which were repeated.

    Of rows that are all the same nothing changes; else parts that are joined by "|" are taken once, evidence in the
    order of the alphabet, PubMed ids in that of their first appearance.
    """
    keys = pairs["key"].to_numpy()
    order = np.argsort(keys, kind="stable")
    begins = np.flatnonzero(np.diff(keys[order], prepend=-1))
    first, sizes = order[begins], np.diff(begins, append=len(keys))
    repeated = sizes > 1
    if not repeated.any():
        return pairs, np.zeros(len(pairs), bool)
    united = [pairs.take(first[~repeated])]
    united += _united(pairs, order[np.repeat(repeated, sizes)], sizes[repeated])
    place = np.argsort(np.concatenate([first[~repeated], first[repeated]]))
    return pa.concat_tables(united).take(place), place >= len(united[0])


def _united(pairs: pa.Table, rows: Integers, sizes: Integers) -> Iterator[pa.Table]:
    """The pairs that have so many rows each, some at a time."""
    ends = np.cumsum(sizes)
    for start in range(0, len(sizes), BATCH):
        some = sizes[start : start + BATCH]
        first = ends[start] - sizes[start]
        taken = pairs.take(rows[first : first + some.sum()])
        values = zip(taken["evidence"].to_pylist(), taken["pmids"].to_pylist(), strict=True)
        joined = [_joined(islice(values, size)) for size in some.tolist()]
        keys = taken["key"].to_numpy()[np.cumsum(some) - some]
        yield pa.table([keys, *map(list, zip(*joined, strict=True))], schema=SCHEMA)


def _joined(values: Iterable[tuple[str, str]]) -> tuple[str, str]:
    different = list(dict.fromkeys(values))
    if len(different) == 1:
        return different[0]
    evidence, pmids = zip(*different, strict=True)
    return "|".join(sorted(_parts(evidence))), "|".join(_parts(pmids))


def _parts(values: Iterable[str]) -> dict[str, None]:
    """The distinct parts of "|"-joined values, in order of first appearance."""
    return dict.fromkeys(part for value in values for part in value.split("|") if part)
