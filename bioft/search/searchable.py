"""What is searched by words and by meaning: an index, or several as one; and what is found."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
from numpy.typing import NDArray

from bioft.datasets.rank import fuse_ranks, rank_embeddings
from bioft.errors import BioftError, nearest
from bioft.search import layout

DEPTH, CONSTANT, WEIGHT_OF_MEANING = 100, 5.0, 0.4
"""How many of each half are fused; constant and weight of `fuse_ranks`, chosen on three collections (bench_hybrid)."""
Vectors = NDArray[np.float32]
"""Embeddings, shape (texts, dimensions), or one of them."""
Rows = NDArray[np.int64]
Scores = list[dict[int, float]]
"""By query the scores of rows, best first."""


class Hit(NamedTuple):
    """An article that was found."""

    rank: int
    score: float | None
    """The cosine of its embedding and the query's; None of a search by words alone."""
    by_words: int | None
    """Its rank by words alone; None if it is not among the first, or was not asked for."""
    by_meaning: int | None
    """Its rank by meaning alone; likewise."""
    year: int | None
    title: str
    id: str
    retracted: bool
    row: int
    """Its row in the index."""
    cross_encoder: float | None = None
    """Its score by the cross-encoder that reranked it; None if none did."""


def depth_of(vectors: Any, queries: Any, k: int) -> int:
    """How many of each half are looked for to find k: as many as are fused, of both. BioftError: k is below 1."""
    if k < 1:
        raise BioftError(f"k is {k}: ask for at least 1 article.")
    return k if queries is None or vectors is None else max(k, DEPTH)


def hits_of(
    rows: Sequence[int],
    by_words: Sequence[int],
    by_meaning: Sequence[int],
    cosines: Sequence[float | None],
    articles: Sequence[dict[str, Any]],
) -> list[Hit]:
    """Articles as hits, in the order of their rows, with their ranks in both halves."""
    of_words, of_meaning = ({row: rank for rank, row in enumerate(each, 1)} for each in (by_words, by_meaning))
    return [
        Hit(rank, cosine, of_words.get(row), of_meaning.get(row), row=row, **article)
        for rank, (row, cosine, article) in enumerate(zip(rows, cosines, articles, strict=True), 1)
    ]


class Searchable(ABC):
    """What is searched by words and meaning: an index, or several as one. Articles go by their rows."""

    directory: Path
    manifest: dict[str, Any]

    @abstractmethod
    def __len__(self) -> int:
        """How many articles there are."""

    @property
    @abstractmethod
    def years(self) -> pa.ChunkedArray:
        """The year of each article, or null."""

    @property
    @abstractmethod
    def mesh(self) -> pa.ChunkedArray:
        """The MeSH terms of each article, as lists; most of what is stored, so read only where needed."""

    @abstractmethod
    def embeddings(self, rows: Rows) -> Vectors:
        """The vectors of these articles: shape (articles, dimensions)."""

    @abstractmethod
    def texts(self, rows: Sequence[int]) -> list[str]:
        """The texts of these articles."""

    @abstractmethod
    def shown(self, rows: Sequence[int], many: bool = False) -> list[dict[str, Any]]:
        """What is shown of these articles: id, title, year, retracted. With `many`, those of all are kept for more."""

    @abstractmethod
    def by_words(self, queries: Sequence[str], k: int, rows: Rows | None) -> Scores:
        """For each query the BM25 scores of the k best of these rows, or of all, best first."""

    @abstractmethod
    def by_meaning(self, vectors: Vectors, k: int, rows: Rows | None) -> Scores:
        """For each vector the cosines of the k nearest of these rows, or of all, nearest first."""

    def search(self, vector: Vectors | None, k: int = 10, query: str = "", **filters: Any) -> list[Hit]:
        """Return what `search_all` does, for an embedding of shape (dimensions,), a query in words, or both."""
        vectors = None if vector is None else np.asarray(vector)[None]
        return self.search_all(vectors, [query] if query else None, k, **filters)[0]

    def search_all(
        self,
        vectors: Vectors | None,
        queries: Sequence[str] | None,
        k: int = 10,
        *,
        from_year: int | None = None,
        to_year: int | None = None,
        mesh: Sequence[str] = (),
    ) -> list[list[Hit]]:
        """Return for each query the k best articles, or all that there are, best first.

        By meaning for embeddings of shape (queries, dimensions), by words (BM25) for queries in words, and for both by
        their ranks fused. By words alone only what shares a word with the query is found.

        With filters only articles whose year is stated and lies between both years, and that have all the MeSH terms
        (upper and lower case are the same). BioftError: k below 1, years in the wrong order, or a MeSH term that no
        article has.
        """
        rows = self.filtered(from_year, to_year, mesh)
        found = self.halves(vectors, queries, depth_of(vectors, queries, k), rows)
        many = len(found) * k * layout.READ_TOGETHER > len(self)
        each = zip(found, [None] * len(found) if vectors is None else vectors, strict=True)
        return [
            self._hits(list(by_words), list(by_meaning), vector, k, many) for (by_words, by_meaning), vector in each
        ]

    def halves(
        self, vectors: Vectors | None, queries: Sequence[str] | None, depth: int, rows: Rows | None
    ) -> list[tuple[dict[int, float], dict[int, float]]]:
        """Return for each query what `by_words` and `by_meaning` find, so many each; {} of what it has not."""
        depth = min(depth, len(self) if rows is None else len(rows))
        nothing: Scores = [{}] * len(vectors if queries is None else queries)  # type: ignore[arg-type]
        shared = nothing if queries is None or not depth else self.by_words(queries, depth, rows)
        near = nothing if vectors is None or not depth else self.by_meaning(vectors, depth, rows)
        return list(zip(shared, near, strict=True))

    def filtered(self, from_year: int | None, to_year: int | None, mesh: Sequence[str]) -> Rows | None:
        """Rows that pass the filters of `search_all`, in order; None without filters. BioftError: as there."""
        if from_year is not None and to_year is not None and from_year > to_year:
            raise BioftError(f"No year is from {from_year} and to {to_year}. Exchange them.")
        if from_year is None and to_year is None and not mesh:
            return None
        passed = np.ones(len(self), bool)
        if from_year is not None or to_year is not None:
            years = pc.fill_null(self.years, -1).to_numpy()
            passed = (years >= max(from_year or 0, 0)) & (years <= (np.inf if to_year is None else to_year))
        for term in mesh:
            codes, articles, numbers = self._terms
            if not (wanted := numbers.get(term.strip().lower())):
                near = nearest(term.strip().lower(), [*numbers], n=3)
                raise BioftError(f"No article of the index has the MeSH term {term!r}. {near}".strip())
            having = np.zeros(len(self), bool)
            for number in wanted:
                having[articles[codes == number]] = True
            passed &= having
        return np.flatnonzero(passed)

    @cached_property
    def _terms(self) -> tuple[NDArray[np.int32], Rows, dict[str, list[int]]]:
        """Of each MeSH heading its number and its article; and the numbers by term in lower case."""
        column = self.mesh.combine_chunks()
        coded = pc.list_flatten(column).dictionary_encode()
        numbers: dict[str, list[int]] = {}
        for number, term in enumerate(coded.dictionary.to_pylist()):
            numbers.setdefault(term.lower(), []).append(number)
        return coded.indices.to_numpy(), pc.list_parent_indices(column).to_numpy(), numbers

    def _hits(
        self, by_words: Sequence[int], by_meaning: Sequence[int], vector: Vectors | None, k: int, many: bool
    ) -> list[Hit]:
        rows = self._once(fuse_ranks(by_meaning, by_words, WEIGHT_OF_MEANING, CONSTANT), k)
        return hits_of(rows, by_words, by_meaning, self.cosines(vector, rows), self.shown(rows, many))

    def cosines(self, vector: Vectors | None, rows: Sequence[int]) -> list[float | None]:
        """The cosine of a vector with each of these articles; None of each without a vector."""
        found: list[float | None] = [None] * len(rows)
        if vector is not None and rows:
            order, values = rank_embeddings([vector], self.embeddings(np.array(rows)), len(rows))
            for place, value in zip(order[0].tolist(), values[0].tolist(), strict=True):
                found[place] = value
        return found

    def _once(self, rows: list[int], k: int) -> list[int]:
        """The first k of these, each article once."""
        return rows[:k]
