"""A search index on disk: vectors in a graph (usearch), words (bm25s), both mapped into memory, and the articles."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from bioft.datasets.rank import bm25_scores, top
from bioft.errors import BioftError
from bioft.search import layout, words
from bioft.search.articles import IndexedArticle
from bioft.search.layout import SCHEMA
from bioft.search.searchable import Rows, Scores, Searchable, Vectors

if TYPE_CHECKING:  # the encoder brings PyTorch along, which near duplicates and topics do without
    from usearch.index import Index

    from bioft.search.encoder import SearchEncoder

EXACT_UP_TO, EXACT_OF_SOME = 10_000, 20_000
"""As many articles are compared one by one, which misses nothing; and as many of those that pass filters, for which
the graph would have to be asked for far more than are wanted."""
SHOWN, READ_ALL_FROM = ["id", "title", "year", "retracted"], 0.25
"""Columns that are shown of an article; and from how many single reads on, as a fraction of the groups of rows, they
are read at once and kept."""


@dataclass(frozen=True)
class SearchIndex(Searchable):
    """An opened index; of vectors and articles nothing is read before it is needed."""

    directory: Path
    manifest: dict[str, Any]
    vectors: "Index"
    words: Any
    """A `bm25s.BM25`; None where no article has a word."""
    table: pq.ParquetFile

    def __len__(self) -> int:
        return self.manifest["count"]

    @cached_property
    def articles(self) -> pa.Table:
        """A row for each vector, in its order: id, title, year and retracted."""
        return self.table.read(SHOWN).combine_chunks()

    @cached_property
    def mesh(self) -> pa.ChunkedArray:
        """As `Searchable`."""
        return self.table.read(["mesh"])["mesh"]

    @cached_property
    def years(self) -> pa.ChunkedArray:
        """As `Searchable`."""
        return self.table.read(["year"])["year"]

    def shown(self, rows: Sequence[int], many: bool = False) -> list[dict[str, Any]]:
        """As `Searchable`."""
        return self._shown(rows, SHOWN, many)

    def texts(self, rows: Sequence[int]) -> list[str]:
        """As `Searchable`."""
        return [each["text"] for each in self._read(rows, ["text"])]

    def ids(self, rows: Sequence[int]) -> list[str]:
        """The ids of these articles."""
        return [each["id"] for each in self._shown(rows, ["id"])]

    def _shown(self, rows: Sequence[int], columns: list[str], many: bool = False) -> list[dict[str, Any]]:
        """What is shown of articles, from memory once more of its groups were read than `READ_ALL_FROM` of all."""
        if many or "articles" in vars(self) or self._reads[0] > READ_ALL_FROM * len(self._starts):
            return self.articles.select(columns).take(_indices(rows)).to_pylist()
        return self._read(rows, columns)

    @cached_property
    def _reads(self) -> list[int]:
        """How many groups of rows were read so far."""
        return [0]

    @cached_property
    def _starts(self) -> Rows:
        """The first row of each group of rows of the file of articles."""
        metadata = self.table.metadata
        sizes = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
        return np.cumsum([0, *sizes[:-1]])

    def _read(self, rows: Sequence[int], columns: list[str]) -> list[dict[str, Any]]:
        """These columns of a few rows, from the groups of rows that they are in."""
        groups = (np.searchsorted(self._starts, rows, side="right") - 1).tolist()
        starts = self._starts.tolist()
        inside: dict[int, list[tuple[int, int]]] = {}
        for at, (row, group) in enumerate(zip(rows, groups, strict=True)):
            inside.setdefault(group, []).append((at, int(row) - starts[group]))
        self._reads[0] += len(inside)
        found: list[dict[str, Any]] = [{}] * len(rows)
        for group, places in inside.items():
            taken = self.table.read_row_group(group, columns).take(_indices([place for _, place in places]))
            for (at, _), article in zip(places, taken.to_pylist(), strict=True):
                found[at] = article
        return found

    def rows_of(self, ids: Sequence[str]) -> list[int]:
        """The rows of articles by their ids; BioftError for one that is not in the index."""
        rows = pc.index_in(pa.array(ids, pa.string()), value_set=self.articles["id"].combine_chunks())
        if rows.null_count:
            raise BioftError(f"No article of the index has the id {ids[rows.is_null().index(True).as_py()]!r}.")
        return rows.to_pylist()

    def by_words(self, queries: Sequence[str], k: int, rows: Rows | None) -> Scores:
        """As `Searchable`."""
        if self.words is None:
            return [{} for _ in queries]
        found = []
        for scores in bm25_scores(self.words, queries):
            best = np.array(top(scores if rows is None else scores[rows], k), np.int64)
            best = best if rows is None else rows[best]
            found.append(dict(zip(best.tolist(), scores[best].tolist(), strict=True)))
        return found

    def by_meaning(self, vectors: Vectors, k: int, rows: Rows | None) -> Scores:
        """As `Searchable`."""
        candidates = len(self) if rows is None else len(rows)
        ranked: Scores = [{} for _ in vectors]
        if rows is not None and candidates <= EXACT_OF_SOME:
            ranked = self._nearest(vectors, k, rows)
        else:
            # As many as hold k that pass the filter, twice over; where they don't, all that pass are compared.
            fetched = min(k if rows is None else 2 * k * len(self) // candidates, len(self))
            for number, vector in enumerate(layout.as_kept(vectors, layout.stored_as(self.manifest))):
                found = self.vectors.search(vector, fetched, exact=candidates <= EXACT_UP_TO)
                keys, cosines = found.keys.astype(np.int64), 1 - found.distances
                passed = np.ones(len(keys), bool) if rows is None else np.isin(keys, rows)
                ranked[number] = dict(zip(keys[passed][:k].tolist(), cosines[passed][:k].tolist(), strict=True))
        if lacking := [number for number, each in enumerate(ranked) if len(each) < min(k, candidates)]:
            considered = np.arange(len(self)) if rows is None else rows
            for number, its in zip(lacking, self._nearest(vectors[lacking], k, considered), strict=True):
                ranked[number] = its
        return ranked

    def _nearest(self, vectors: Vectors, k: int, rows: Rows) -> Scores:
        """As `by_meaning`, by comparing each of these rows as it is stored."""
        from usearch.index import MetricKind, search

        if not len(rows):
            return [{} for _ in vectors]
        stored = np.stack(self.vectors.get(rows.astype(np.uint64)))  # type: ignore[arg-type]
        ranked = []
        for vector in layout.as_kept(vectors, layout.stored_as(self.manifest)).astype(stored.dtype):
            found = search(stored, vector, min(k, len(rows)), MetricKind.Cos, exact=True)
            its = zip(rows[found.keys.astype(np.int64)].tolist(), (1 - found.distances).tolist(), strict=True)
            ranked.append(dict(sorted(its, key=lambda each: (-each[1], each[0]))))
        return ranked

    def embeddings(self, rows: Rows | None = None) -> Vectors:
        """As `Searchable`, or of all articles."""
        rows = np.arange(len(self)) if rows is None else rows
        found = np.asarray(self.vectors.get(rows.astype(np.uint64), dtype="f32"), np.float32)
        if layout.stored_as(self.manifest) == "int8":  # of any length
            found = found / np.maximum(np.linalg.norm(found, axis=-1, keepdims=True), np.finfo(np.float32).tiny)
        return found


def _indices(rows: Sequence[int]) -> pa.Array:
    """The same numbers for PyArrow, whose `array` would import pandas: half a second, which one query needs not."""
    return pa.Array.from_buffers(pa.int64(), len(rows), [None, pa.py_buffer(np.asarray(rows, np.int64))])


def open_index(directory: str | os.PathLike[str]) -> SearchIndex:
    """Open an index to search it; its vectors stay on disk and are mapped into memory.

    BioftError: no index there, one of a newer bioft, or files that are not those of the manifest.
    """
    directory = Path(directory)
    manifest = layout.read_manifest(directory)
    if manifest is None:
        if any(directory.glob(f"*/{layout.MANIFEST}")):
            raise BioftError(
                f"{directory} holds several indexes, which `bioft search` takes as one. Name one of them."
            )
        raise BioftError(f"No index in {directory}: there is no {layout.MANIFEST}. Make one with `bioft index`.")
    vectors = layout.load(directory, manifest, view=True)
    return SearchIndex(
        directory, manifest, vectors, words.load(directory, manifest), layout.table(directory, manifest)
    )


def index_articles(
    directory: str | os.PathLike[str],
    encoder: "SearchEncoder",
    articles: Sequence[IndexedArticle],
    *,
    add: bool = False,
    overwrite: bool = False,
    stored_as: str | None = None,
    progress: str | None = None,
) -> tuple[SearchIndex, int]:
    """Make an index of articles, or with `add` put those into an index whose ids it does not have yet.

    With `overwrite` the new index takes the place of one that is there.

    Vectors are kept in float16, or as `stored_as` says (`layout.STORED_AS`); an index that is added to stays as it is.
    Returns the opened index and how many articles are new in it. Until all is written the old index stays as it was.
    BioftError: an index is there already (without `add` or `overwrite`), or other files; an index of another encoder,
    of other vectors than were asked for or with changed files; another process is writing it; the disk is full.
    """
    directory = Path(directory)
    layout.check_target(directory, add, overwrite)
    directory.mkdir(parents=True, exist_ok=True)
    with layout.locked(directory):
        old = layout.read_manifest(directory)
        manifest, known = None if overwrite else old, SCHEMA.empty_table()
        if manifest is None:
            vectors = layout.new_vectors(encoder.dimensions, stored_as or layout.FLOAT16)
        else:
            check_encoder(directory, manifest, encoder)
            encoder = _as_kept(directory, manifest, encoder, stored_as)
            if encoder.backend != (backend := manifest["model"]["backend"]):
                raise BioftError(
                    f"The articles of {directory} were encoded by {backend}, not by {encoder.backend}. Add with "
                    f"--backend {backend}, so that their embeddings are as exact as each other."
                )
            layout.check_sums(directory, manifest)
            vectors, known = layout.load(directory, manifest, view=False), layout.table(directory, manifest).read()
        ids = set(known["id"].to_pylist())
        new = [article for article in articles if article.id not in ids]
        if new or manifest is None:
            embeddings = encoder.encode([article.text for article in new], progress)
            kept = layout.as_kept(embeddings, stored_as or layout.stored_as(manifest or {}))
            vectors.add(np.arange(len(known), len(known) + len(new), dtype=np.uint64), kept)
            rows = [{name: getattr(article, name) for name in SCHEMA.names} for article in new]
            table = pa.concat_tables([known, pa.Table.from_pylist(rows, SCHEMA)])
            model = {"name": encoder.name, "identity": encoder.identity, "backend": encoder.backend}
            model["max_length"] = encoder.model.max_seq_length
            layout.write(directory, old, vectors, table, model)
    return open_index(directory), len(new)


def remove_articles(directory: str | os.PathLike[str], ids: Sequence[str]) -> SearchIndex:
    """Take articles out of an index by their ids; returns the opened index. A killed removal leaves it as it was.

    BioftError: as `open_index` and `rows_of`; another process is writing it; the disk is full.
    """
    directory = Path(directory)
    open_index(directory)
    with layout.locked(directory):
        old = open_index(directory)
        layout.check_sums(directory, old.manifest)
        kept = np.setdiff1d(np.arange(len(old)), old.rows_of(ids))
        vectors = layout.new_vectors(old.manifest["dimensions"], layout.stored_as(old.manifest))
        # As they are stored, so that none is rounded twice.
        stored = np.asarray(old.vectors.get(kept.astype(np.uint64)))
        vectors.add(np.arange(len(kept), dtype=np.uint64), stored.reshape(len(kept), vectors.ndim))
        layout.write(directory, old.manifest, vectors, old.table.read().take(pa.array(kept)), old.manifest["model"])
    return open_index(directory)


def check_encoder(directory: Path, manifest: dict[str, Any], encoder: "SearchEncoder") -> None:
    """Refuse an encoder other than the one that an index was made with: BioftError says which one it needs."""
    if encoder.identity != manifest["model"]["identity"]:
        raise BioftError(
            f"The index {directory} was made with {manifest['model']['name']}, not with {encoder.name} as it is now: "
            "their embeddings can't be compared. Name that model, or index the articles with the new one into another "
            "folder."
        )


def _as_kept(
    directory: Path, manifest: dict[str, Any], encoder: "SearchEncoder", stored_as: str | None
) -> "SearchEncoder":
    """The encoder, cut as the index that is added to is; BioftError where other vectors were asked for."""
    kept, kind = manifest["dimensions"], layout.stored_as(manifest)
    if (encoder.first or kept) != kept or (stored_as or kind) != kind:
        raise BioftError(
            f"The vectors of {directory} have {kept} dimensions in {kind}. Add with the same, or leave --dimensions "
            "and --vectors out."
        )
    return replace(encoder, first=None if kept == replace(encoder, first=None).dimensions else kept)


def load_encoder_of(index: Searchable, name: str | None = None) -> "SearchEncoder":
    """Load the encoder that an index was made with; `name` says where it is now, if not where it was.

    BioftError: as `load_encoder`; it is not where it was; it is another one.
    """
    from bioft.search.encoder import load_encoder

    recorded = index.manifest["model"]["name"]
    if name is None and Path(recorded).is_absolute() and not Path(recorded).is_dir():
        raise BioftError(
            f"The index {index.directory} was made with {recorded}, which is not there. Say where it is now "
            "(`bioft search --model`)."
        )
    encoder = load_encoder(name or recorded)
    check_encoder(index.directory, index.manifest, encoder)
    return _as_kept(index.directory, index.manifest, encoder, None)
