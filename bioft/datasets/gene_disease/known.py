"""Known associations as they are read: each pair once, as numbers in memory and texts on the disk.

The full report of CTD has 10^8 rows: what they tell would not fit into memory, as Python's own objects least of all.
"""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]

from bioft.datasets.gene_disease.on_disk import Integers, Texts
from bioft.storage.files import disk_errors

BATCH = 10_000
"""Rows that are Python objects at once."""
LEAST = 500_000
"""Rows that are in memory before any wait on the disk to be united."""
PARTS = 64
"""Files in which they wait, each of other pairs."""
SCHEMA = pa.schema({"row": pa.int64(), "key": pa.int64(), "evidence": pa.string(), "pmids": pa.string()})
_ROOM = 1 << 31
"""A key is the number of the gene times this, and the number of the disease."""


@dataclass(frozen=True)
class Pairs:
    """Different pairs: a number for each, and the places of its texts, which are joined by "|"."""

    keys: Integers
    places: Integers
    evidence: Texts
    pmids: Texts

    def __len__(self) -> int:
        return len(self.keys)

    def select(self, chosen: Integers | npt.NDArray[np.bool_]) -> "Pairs":
        """Some of them, by their indices or by a mask."""
        return replace(self, keys=self.keys[chosen], places=self.places[chosen])

    def by(self, keys: Integers) -> "Pairs":
        """The same by other keys; pairs that have one key are united, and come last."""
        order = np.argsort(keys, kind="stable")
        same = np.diff(keys[order]) == 0
        several = np.zeros(len(keys), bool)
        several[order[np.append(same, False) | np.append(False, same)]] = True
        its = self.select(several)
        rows = pa.table(
            [np.flatnonzero(several), keys[several], self.evidence.take(its.places), self.pmids.take(its.places)],
            schema=SCHEMA,
        )
        united, places = unite(rows), self.places[~several]
        places = np.append(places, self.evidence.n + np.arange(len(united)))
        self.evidence.add(united["evidence"])
        self.pmids.add(united["pmids"])
        return replace(self, keys=np.append(keys[~several], united["key"].to_numpy()), places=places)


class Known(NamedTuple):
    """Different pairs in the order of their first rows."""

    genes: list[tuple[str, str]]
    """Name and id of each number."""
    diseases: list[tuple[str, str]]
    pairs: Pairs
    n_repeated: int
    """How many rows were of a pair that had come before."""

    def numbers(self) -> tuple[Integers, Integers]:
        """The gene and the disease of each pair."""
        return self.pairs.keys // _ROOM, self.pairs.keys % _ROOM


def collect(rows: Iterable[Mapping[str, str]]) -> Known:
    """One row per (gene, gene id, disease, disease id), evidence and PubMed ids united.

    Of `LEAST` rows or more those wait on the disk that memory has no room for. BioftError: the disk takes no more.
    """
    genes: dict[tuple[str, str], int] = {}
    diseases: dict[tuple[str, str], int] = {}
    waiting, n_rows, rest, parts = list[pa.Table](), 0, iter(rows), _Parts()
    while batch := list(islice(rest, BATCH)):
        keys = [
            genes.setdefault((row["gene"], row["gene_id"]), len(genes)) * _ROOM
            + diseases.setdefault((row["disease"], row["disease_id"]), len(diseases))
            for row in batch
        ]
        places = range(n_rows, n_rows + len(batch))
        columns = [places, keys, [row["evidence"] for row in batch], [row["pmids"] for row in batch]]
        waiting.append(pa.table(columns, schema=SCHEMA))
        n_rows += len(batch)
        if sum(map(len, waiting)) >= LEAST:
            parts.write(pa.concat_tables(waiting))
            waiting = []
    first, united, evidence, pmids = list[Integers](), list[Integers](), Texts(), Texts()
    for part in parts.read(pa.concat_tables([SCHEMA.empty_table(), *waiting])):
        its = unite(part)
        first.append(its["row"].to_numpy())
        united.append(its["key"].to_numpy())
        evidence.add(its["evidence"])
        pmids.add(its["pmids"])
    order = np.argsort(np.concatenate(first))
    pairs = Pairs(np.concatenate(united)[order], order, evidence, pmids)
    return Known(list(genes), list(diseases), pairs, n_rows - len(pairs))


class _Parts:
    """Rows that wait on the disk, those of a pair in one file."""

    def __init__(self) -> None:
        self.files: list[Any] = []
        self.writers: list[Any] = []

    def write(self, rows: pa.Table) -> None:
        """Put rows to those that wait."""
        if not self.files:
            self.files = [tempfile.TemporaryFile() for _ in range(PARTS)]  # noqa: SIM115  (`read` closes them)
            self.writers = [pa.ipc.new_stream(file, SCHEMA) for file in self.files]
        genes, diseases = np.divmod(rows["key"].to_numpy(), _ROOM)
        part = (genes + diseases) % PARTS
        with disk_errors(Path(tempfile.gettempdir())):
            for number, writer in enumerate(self.writers):
                writer.write_table(rows.filter(pa.array(part == number)))

    def read(self, rest: pa.Table) -> Iterator[pa.Table]:
        """The rows with the last ones, those of a pair together; all at once where none wait on the disk."""
        if not self.files:
            yield rest
            return
        self.write(rest)
        for file, writer in zip(self.files, self.writers, strict=True):
            with disk_errors(Path(tempfile.gettempdir())), file:
                writer.close()
                file.seek(0)
                yield pa.ipc.open_stream(file).read_all()


def unite(rows: pa.Table) -> pa.Table:
    """One row per key, the first one, in their order.

    Of rows that are all the same nothing changes; else parts that are joined by "|" are taken once, evidence in the
    order of the alphabet, PubMed ids in that of their first appearance.
    """
    rows = rows.combine_chunks()
    keys = rows["key"].to_numpy()
    order = np.argsort(keys, kind="stable")
    begins = np.flatnonzero(np.diff(keys[order], prepend=-1))
    first, sizes = order[begins], np.diff(begins, append=len(keys))
    repeated = sizes > 1
    alone = rows.take(first[~repeated])
    united = pa.concat_tables([alone, *_united(rows, order[np.repeat(repeated, sizes)], sizes[repeated])])
    return united.take(np.argsort(united["row"].to_numpy()))


def _united(rows: pa.Table, order: Integers, sizes: Integers) -> Iterator[pa.Table]:
    """The pairs that have so many of the rows in this order, some at a time."""
    ends, start = np.cumsum(sizes), 0
    while start < len(sizes):
        begin = ends[start] - sizes[start]
        stop = max(start + 1, int(np.searchsorted(ends, begin + BATCH, side="right")))
        taken, some = rows.take(order[begin : ends[stop - 1]]), sizes[start:stop]
        values = zip(taken["evidence"].to_pylist(), taken["pmids"].to_pylist(), strict=True)
        joined = zip(*(_joined(islice(values, size)) for size in some.tolist()), strict=True)
        numbers = taken.select(["row", "key"]).take(np.cumsum(some) - some)
        yield pa.table([*numbers.columns, *map(list, joined)], schema=SCHEMA)
        start = stop


def _joined(values: Iterable[tuple[str, str]]) -> tuple[str, str]:
    different = list(dict.fromkeys(values))
    if len(different) == 1:
        return different[0]
    evidence, pmids = zip(*different, strict=True)
    return "|".join(sorted(_parts(evidence))), "|".join(_parts(pmids))


def _parts(values: Iterable[str]) -> dict[str, None]:
    """The distinct parts of "|"-joined values, in order of first appearance."""
    return dict.fromkeys(part for value in values for part in value.split("|") if part)
