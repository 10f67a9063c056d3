"""What holds an index best: usearch and bm25s with bioft's own files, or LanceDB; and words in SQLite's FTS5.

    pip install lancedb
    python tests/benchmarks/bench_search_engines.py [--sizes 10000 30000] [--engines bioft lancedb fts5]
    python tests/benchmarks/bench_search_engines.py --command 100000 [--shards 10]

Vectors have 384 dimensions: clustered, made as in `bench_search.py`. A text is 150 made-up words, their frequencies by
Zipf's law; a query is 4 words of a text. Filters that 1 % of the articles pass are a year and a MeSH term. Each engine
and size runs in a process of its own, one query at a time; 1 % of the articles are added, then deleted.
"""

import argparse
import multiprocessing
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
from numpy.typing import NDArray

from bioft.datasets.rank import rank_embeddings
from bioft.search.encoder import SearchEncoder

DIMENSIONS, DIRECTIONS, TOPICS, QUERIES, WORDS, VOCABULARY = 384, 64, 1000, 200, 150, 50_000
PARTS = 100
"""Years, and MeSH terms: each holds 1 % of the articles."""


class Made:
    """Made-up articles, the same each time."""

    def __init__(self, n: int) -> None:
        rng = np.random.default_rng(0)
        directions = rng.normal(size=(DIRECTIONS, DIMENSIONS)).astype(np.float32)
        topics = rng.normal(size=(TOPICS, DIRECTIONS)).astype(np.float32)

        def draw(n: int) -> NDArray[np.float32]:
            inner = topics[rng.integers(TOPICS, size=n)] + rng.normal(size=(n, DIRECTIONS)).astype(np.float32)
            vectors = inner @ directions + rng.normal(size=(n, DIMENSIONS)).astype(np.float32)
            return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

        self.vectors = np.concatenate([draw(min(50_000, n - first)) for first in range(0, n, 50_000)])
        self.queries = draw(QUERIES)
        self.years, self.mesh = (rng.integers(PARTS, size=n) for _ in range(2))
        self._words = np.minimum(rng.zipf(1.3, size=(n, WORDS)), VOCABULARY).astype(np.int32)
        self.asked = [
            " ".join(f"w{word}" for word in rng.choice(self._words[row], 4)) for row in rng.integers(n, size=QUERIES)
        ]

    def text(self, row: int) -> str:
        return " ".join(f"w{word}" for word in self._words[row])

    def table(self, first: int, end: int) -> pa.Table:
        """Articles as Arrow."""
        rows = range(first, end)
        return pa.table(
            {
                "id": [str(row) for row in rows],
                "title": [f"Title {row}" for row in rows],
                "year": pa.array(1925 + self.years[first:end], pa.int32()),
                "mesh": [["All", f"Term {self.mesh[row]}"] for row in rows],
                "text": list(map(self.text, rows)),
                "vector": pa.FixedSizeListArray.from_arrays(self.vectors[first:end].ravel(), DIMENSIONS),
            }
        )


class Numbered(SearchEncoder):
    """An encoder of texts that begin with the number of their made-up vector."""

    def encode(self, texts: Sequence[str], progress: str | None = None) -> NDArray[np.float32]:
        """As `SearchEncoder`."""
        return np.stack([self.model.vectors[int(text.partition(" ")[0])] for text in texts])


class Bioft:
    """Vectors in usearch, words in bm25s, the rest in Parquet; an add makes the words anew."""

    def __init__(self, made: Made, folder: Path, name: str = "made", identity: str = "made") -> None:
        self.made, self.folder = made, folder / "index"
        model = SimpleNamespace(vectors=made.vectors, get_embedding_dimension=lambda: DIMENSIONS, max_seq_length=256)
        self.encoder = Numbered(model, name, identity)

    def add(self, first: int, end: int, shard: str = "") -> None:
        from bioft.search.articles import IndexedArticle
        from bioft.search.index import index_articles

        made = self.made
        articles = [
            IndexedArticle(
                str(row),
                f"Title {row}",
                f"{row} {made.text(row)}",
                1925 + int(made.years[row]),
                ("All", f"Term {made.mesh[row]}"),
                False,
            )
            for row in range(first, end)
        ]
        self.index, _ = index_articles(self.folder / shard, self.encoder, articles, add=first > 0 and not shard)

    def meaning(self, vector: NDArray[np.float32], year: int | None = None, mesh: str | None = None) -> list[int]:
        hits = self.index.search(vector, 10, from_year=year, to_year=year, mesh=[mesh] if mesh else ())
        return [int(hit.id) for hit in hits]

    def words(self, query: str) -> list[int]:
        return [int(hit.id) for hit in self.index.search(None, 100, query)]


class LanceDB:
    """Everything in one table: IVF-HNSW over scalar-quantised vectors, full text, scalar indexes."""

    def __init__(self, made: Made, folder: Path) -> None:
        import lancedb

        self.made, self.db, self.table = made, lancedb.connect(folder), None

    def add(self, first: int, end: int) -> None:
        if first:
            self.table.add(self.made.table(first, end))
            self.table.optimize()
            return
        for start in range(0, end, 20_000):
            rows = self.made.table(start, min(start + 20_000, end))
            if self.table is None:
                self.table = self.db.create_table("articles", rows)
            else:
                self.table.add(rows)
        self.table.create_index(metric="cosine", index_type="IVF_HNSW_SQ", num_partitions=max(1, end // 100_000))
        self.table.create_scalar_index("year")
        self.table.create_scalar_index("mesh", index_type="LABEL_LIST")
        self.table.create_fts_index("text", stem=False)
        self.table.optimize()

    def meaning(self, vector: NDArray[np.float32], year: int | None = None, mesh: str | None = None) -> list[int]:
        search = self.table.search(vector).distance_type("cosine").nprobes(20).ef(128).refine_factor(4)
        if year:
            search = search.where(f"year >= {year} and year <= {year}", prefilter=True)
        if mesh:
            search = search.where(f"array_has_any(mesh, ['{mesh}'])", prefilter=True)
        return [int(each) for each in search.select(["id"]).limit(10).to_arrow()["id"].to_pylist()]

    def words(self, query: str) -> list[int]:
        found = self.table.search(query, query_type="fts").select(["id"]).limit(100).to_arrow()
        return [int(each) for each in found["id"].to_pylist()]

    def delete(self, first: int, end: int) -> None:
        self.table.delete(f"cast(id as int) >= {first}")
        self.table.optimize()


class FTS5:
    """Words in SQLite."""

    def __init__(self, made: Made, folder: Path) -> None:
        import sqlite3

        self.made, self.database = made, sqlite3.connect(folder / "words.sqlite")
        self.database.execute("CREATE VIRTUAL TABLE articles USING fts5(text, content='', tokenize='unicode61')")

    def add(self, first: int, end: int) -> None:
        with self.database:
            rows = ((row, self.made.text(row)) for row in range(first, end))
            self.database.executemany("INSERT INTO articles(rowid, text) VALUES (?, ?)", rows)
        if not first:
            self.database.execute("INSERT INTO articles(articles) VALUES ('optimize')")

    def words(self, query: str) -> list[int]:
        asked = " OR ".join(f'"{word}"' for word in set(query.split()))
        found = self.database.execute("SELECT rowid FROM articles WHERE text MATCH ? ORDER BY rank LIMIT 100", [asked])
        return [row for (row,) in found]


ENGINES: dict[str, Any] = {"bioft": Bioft, "lancedb": LanceDB, "fts5": FTS5}


def measure(name: str, size: int) -> None:
    """Build, ask, add and delete; print what it took."""
    added = size // 100
    made = Made(size + added)
    row: dict[str, Any] = {"engine": name, "articles": size}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        engine = ENGINES[name](made, folder)
        before = _memory()
        row["build s"] = _seconds(lambda: engine.add(0, size))
        row["memory of the build MB"] = _memory() - before
        row["disk MB"] = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
        if hasattr(engine, "meaning"):
            year, term = 1925 + int(made.years[0]), f"Term {made.mesh[0]}"
            everyone = np.arange(size)
            filters: dict[str, tuple[dict[str, Any], NDArray[np.int64]]] = {
                "all": ({}, everyone),
                "year": ({"year": year}, everyone[made.years[:size] + 1925 == year]),
                "mesh": ({"mesh": term}, everyone[made.mesh[:size] == made.mesh[0]]),
            }
            for what, (options, rows) in filters.items():
                right = rows[rank_embeddings(made.queries, made.vectors[rows], 10)[0]]
                found, row[f"{what} p95 ms"] = _timed(
                    lambda query, options=options: engine.meaning(query, **options), list(made.queries)
                )
                shared = [len({*a} & {*b}) / 10 for a, b in zip(found, right.tolist(), strict=True)]
                row[f"{what} recall@10"] = float(np.mean(shared))
        if hasattr(engine, "words"):
            _, row["words p95 ms"] = _timed(engine.words, made.asked)
        row["add 1 % s"] = _seconds(lambda: engine.add(size, size + added))
        if hasattr(engine, "delete"):
            row["delete 1 % s"] = _seconds(lambda: engine.delete(size, size + added))
        row["memory in all MB"] = _memory()
    print({key: round(value, 3) if isinstance(value, float) else value for key, value in row.items()}, flush=True)


def measure_command(size: int, shards: int) -> None:
    """Print how long `bioft search` takes on made articles, in one index or shards: one query, and 300 of a file."""
    from bioft.search.encoder import load_encoder
    from bioft.search.shards import NAME

    made, name = Made(size), "embedded:all-minilm-l6-v2"
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        engine = Bioft(made, folder, name, load_encoder(name).identity)
        for number in range(1, shards + 1):
            rows = size * (number - 1) // shards, size * number // shards
            shard = NAME.format(number, shards) if shards > 1 else ""
            before = time.process_time()
            wall = _seconds(partial(engine.add, *rows, shard))
            print(f"build {shard}: {wall:.1f} s, of the processor {time.process_time() - before:.1f} s", flush=True)
        print(f"memory in all: {_memory():,.0f} MB")
        print(f"disk: {sum(path.stat().st_size for path in folder.rglob('*') if path.is_file()) / 1e6:,.1f} MB")
        asked = (made.asked * 2)[:300]
        (folder / "queries.tsv").write_text("".join(f"{row}\t{query}\n" for row, query in enumerate(asked)))
        many = ["--input", str(folder / "queries.tsv"), "--trec", str(folder / "run.txt")]
        loading = "from bioft.search.encoder import load_encoder as load; load('embedded:all-minilm-l6-v2')"
        for what, words in (
            ("libraries and encoder", ["-c", loading]),
            ("one query by words", ["-m", "bioft", "search", str(engine.folder), made.asked[0], "--json", "--words"]),
            ("one query", ["-m", "bioft", "search", str(engine.folder), made.asked[0], "--json"]),
            ("300 queries", ["-m", "bioft", "search", str(engine.folder), *many]),
        ):
            run = partial(subprocess.run, [sys.executable, *words], check=True, capture_output=True)
            run() if what != "300 queries" else None  # what only the first does is not counted
            before = _of_children()
            wall = _seconds(run)
            print(f"{what}: {wall:.2f} s, of the processor {_of_children() - before:.2f} s", flush=True)


def _timed(ask: Callable[[Any], list[int]], queries: list[Any]) -> tuple[list[list[int]], float]:
    found, times = [], []
    ask(queries[0])  # what only the first does is not counted
    for query in queries:
        started = time.perf_counter()
        found.append(ask(query))
        times.append(time.perf_counter() - started)
    return found, float(np.percentile(times, 95)) * 1000


def _seconds(do: Callable[[], Any]) -> float:
    started = time.perf_counter()
    do()
    return time.perf_counter() - started


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="*", default=[10_000, 30_000])
    parser.add_argument("--command", type=int, help="measure `bioft search` instead, on as many articles")
    parser.add_argument("--shards", type=int, default=1, help="indexes that these articles are in")
    parser.add_argument("--engines", nargs="*", choices=ENGINES, default=list(ENGINES))
    arguments = parser.parse_args()
    if arguments.command:
        measure_command(arguments.command, arguments.shards)
    for each in () if arguments.command else arguments.sizes:
        for engine in arguments.engines:
            process = multiprocessing.get_context("spawn").Process(target=measure, args=(engine, each))
            process.start()
            process.join()
