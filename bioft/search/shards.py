"""Several indexes searched as one: the shards of a collection that is too large to be indexed by one process."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from bioft.datasets.pubmed import articles as pubmed_articles
from bioft.errors import BioftError
from bioft.search import layout
from bioft.search.articles import TABLES
from bioft.search.index import SearchIndex, open_index
from bioft.search.searchable import Rows, Scores, Searchable, Vectors

NAME = "shard-{}-of-{}"
_NAMED = re.compile(r"shard-(\d+)-of-(\d+)")


def part(paths: Sequence[Path], shard: str) -> tuple[list[Path], str]:
    """Return the files of a shard such as "2/8", each 8th from the second on, and the name of its folder.

    Folders stand for the PubMed XML in them; files are taken in the order of their paths, so that together the shards
    have each file once. BioftError: no shard is called so, or it gets no file; as `pubmed_articles.files`.
    """
    found = re.fullmatch(r"([1-9]\d*)/([1-9]\d*)", shard.strip())
    if found is None or int(found[1]) > int(found[2]):
        raise BioftError(f"{shard!r} names no shard: give its number and how many there are, such as 2/8.")
    number, of = map(int, found.groups())
    tables = [path for path in paths if path.name.lower().endswith(TABLES)]
    others = [path for path in paths if path not in tables]
    files = sorted({*tables, *(pubmed_articles.files(others) if others else ())})
    if len(files) < of:
        raise BioftError(f"{len(files):,} files make no {of} shards. Give fewer shards, or more files.")
    return files[number - 1 :: of], NAME.format(number, of)


def open_searchable(directory: Path) -> Searchable:
    """Open an index, or a folder of indexes (`ShardedIndex`).

    BioftError: as `open_index`; indexes of different models or vectors; shards are missing.
    """
    folders = [path.parent for path in sorted(directory.glob(f"*/{layout.MANIFEST}"))]
    if (directory / layout.MANIFEST).is_file() or not folders:
        return open_index(directory)
    named = [found for folder in folders if (found := _NAMED.fullmatch(folder.name))]
    for of in sorted({int(each[2]) for each in named}):
        there = {int(each[1]) for each in named if int(each[2]) == of}
        if missing := [f"{number}/{of}" for number in range(1, of + 1) if number not in there]:
            raise BioftError(
                f"{directory} lacks {len(missing):,} of {of:,} shards: {', '.join(missing[:5])}. Make them with "
                "`bioft index --shard`."
            )
    shards = tuple(open_index(folder) for folder in folders)
    kinds = {(each.manifest["model"]["identity"], each.manifest["dimensions"]) for each in shards}
    if len(kinds) > 1:
        raise BioftError(f"The indexes in {directory} are of different models: their articles can't be compared.")
    return ShardedIndex(directory, shards)


@dataclass(frozen=True)
class ShardedIndex(Searchable):
    """Indexes of one encoder as one: the rows of each follow those of the one before.

    Cosines are compared as they are. BM25 weighs a word by how rare it is in the shard of the article; where files are
    dealt out to shards by turns, that differs little. An article that is in several shards is found once.
    """

    directory: Path
    shards: tuple[SearchIndex, ...]

    @property
    def manifest(self) -> dict[str, Any]:  # type: ignore[override]
        """Of the first: model and dimensions are those of all."""
        return self.shards[0].manifest

    @cached_property
    def _starts(self) -> Rows:
        return np.cumsum([0, *map(len, self.shards)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    @property
    def years(self) -> pa.ChunkedArray:
        """As `Searchable`."""
        return pa.chunked_array([chunk for shard in self.shards for chunk in shard.years.chunks], pa.int32())

    @property
    def mesh(self) -> pa.ChunkedArray:
        """As `Searchable`."""
        return pa.chunked_array([chunk for shard in self.shards for chunk in shard.mesh.chunks], pa.list_(pa.string()))

    def embeddings(self, rows: Rows) -> Vectors:
        """As `Searchable`."""
        found = np.empty((len(rows), self.manifest["dimensions"]), np.float32)
        for shard, places, own in self._by_shard(rows):
            found[places] = shard.embeddings(own)
        return found

    def texts(self, rows: Sequence[int]) -> list[str]:
        """As `Searchable`."""
        return self._gathered(rows, lambda shard, own: shard.texts(own))

    def shown(self, rows: Sequence[int], many: bool = False) -> list[dict[str, Any]]:
        """As `Searchable`."""
        return self._gathered(rows, lambda shard, own: shard.shown(own, many))

    def by_words(self, queries: Sequence[str], k: int, rows: Rows | None) -> Scores:
        """As `Searchable`."""
        return self._best(len(queries), k, rows, lambda shard, n, own: shard.by_words(queries, n, own))

    def by_meaning(self, vectors: Vectors, k: int, rows: Rows | None) -> Scores:
        """As `Searchable`."""
        return self._best(len(vectors), k, rows, lambda shard, n, own: shard.by_meaning(vectors, n, own))

    def _by_shard(self, rows: Any) -> Iterator[tuple[SearchIndex, Rows, Rows]]:
        """Each shard that has some of these rows, their places among them, and their rows in the shard."""
        rows = np.asarray(rows, np.int64)
        for shard, start in zip(self.shards, self._starts.tolist(), strict=False):
            places = np.flatnonzero((rows >= start) & (rows < start + len(shard)))
            if len(places):
                yield shard, places, rows[places] - start

    def _gathered(self, rows: Sequence[int], read: Callable[[SearchIndex, list[int]], list[Any]]) -> list[Any]:
        found: list[Any] = [None] * len(rows)
        for shard, places, own in self._by_shard(rows):
            for place, value in zip(places.tolist(), read(shard, own.tolist()), strict=True):
                found[place] = value
        return found

    def _best(
        self, n: int, k: int, rows: Rows | None, search: Callable[[SearchIndex, int, Rows | None], Scores]
    ) -> Scores:
        """What n queries find in all shards, the k with the highest scores, best first."""
        merged: Scores = [{} for _ in range(n)]
        passing = {id(shard): own for shard, _, own in self._by_shard(rows)} if rows is not None else {}
        for shard, start in zip(self.shards, self._starts.tolist(), strict=False):
            own = passing.get(id(shard))
            if candidates := len(shard) if rows is None else 0 if own is None else len(own):
                for every, found in zip(merged, search(shard, min(k, candidates), own), strict=True):
                    every.update((start + row, score) for row, score in found.items())
        ranked = [sorted(every, key=every.__getitem__, reverse=True) for every in merged]
        self._learn({row for rows in ranked for row in rows[:k]})
        return [{row: every[row] for row in self._once(rows, k)} for rows, every in zip(ranked, merged, strict=True)]

    @cached_property
    def _ids(self) -> dict[int, str]:
        """Ids by row, of what was found so far."""
        return {}

    def _learn(self, rows: Iterable[int]) -> None:
        missing = sorted(row for row in rows if row not in self._ids)
        self._ids.update(zip(missing, self._gathered(missing, SearchIndex.ids), strict=True))

    def _once(self, rows: list[int], k: int) -> list[int]:
        known: dict[str, int] = {}
        for first in range(0, len(rows), k):
            self._learn(rows[first : first + k])
            for row in rows[first : first + k]:
                known.setdefault(self._ids[row], row)
            if len(known) >= k:
                break
        return list(known.values())[:k]
