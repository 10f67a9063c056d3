"""Search among very many articles, one query at a time, by meaning, by words, by both, and with filters.

    python tests/benchmarks/bench_search_large.py --pubmed FOLDER_WITH_PUBMED_XML [--sizes 1000000] [--shards 10]

Articles are made up, after real ones: a vector is MiniLM's of a real sentence plus half the difference of two others',
which gives it their covariance; a text is 110 words drawn by how often they are in real abstracts without stop words
(a tenth are rare ones), and a number. So words are less bunched than in real texts, and more articles hold a frequent
one. A query is a vector made in the same way with 4, or 10, words of an article; filters are a year and a MeSH term
that 1 % of the articles have; an article has 12. The index is opened from disk; what was read before is still in
memory. The exact answer is by comparing all vectors in float32. Times are without encoding a query.
"""

import argparse
import re
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioft.search.articles import IndexedArticle
from bioft.search.encoder import SearchEncoder
from bioft.search.index import index_articles
from bioft.search.shards import NAME, open_searchable

QUERIES, WORDS, RARE, HEADINGS, PARTS, CHUNK, SENTENCES = 200, 110, 0.1, 12, 100, 50_000, 2000
K = 10


class Made:
    """Made-up articles, any part of them the same each time."""

    def __init__(self, size: int, pubmed: Path) -> None:
        from bioft.datasets.pubmed import articles as pubmed_articles
        from bioft.search.encoder import load_encoder

        texts = [article.text for article in pubmed_articles.read([pubmed])[0] if article.text]
        sentences = [each for text in texts for each in re.split(r"(?<=\. )", text) if len(each) > 40]
        chosen = np.random.default_rng(0).permutation(len(sentences))[:SENTENCES]
        self.size, self.encoder = size, load_encoder("embedded:all-minilm-l6-v2")
        self.real = self.encoder.encode([sentences[row] for row in chosen])
        self.real /= np.linalg.norm(self.real, axis=1, keepdims=True)
        self.real = self.real.astype(np.float32)
        self._count(texts)
        self.queries = self.draw(QUERIES, np.random.default_rng(1))
        rng = np.random.default_rng(2)
        self.years, self.terms = (rng.integers(PARTS, size=size) for _ in range(2))
        asked = rng.integers(size, size=QUERIES)
        self.asked = {
            f"{n} words": [" ".join(rng.choice(self.text(row).split()[1:], n)) for row in asked.tolist()]
            for n in (4, 10)
        }

    def _count(self, texts: Sequence[str]) -> None:
        import bm25s

        words = bm25s.tokenize(list(texts), return_ids=False, show_progress=False)
        counts = Counter(word for text in words for word in text)
        self.words = np.array([*counts], dtype=object)
        shares = np.array([*counts.values()], float)
        self.cumulated = np.cumsum(shares / shares.sum())

    def draw(self, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """New vectors of unit length."""
        one, two, three = rng.integers(len(self.real), size=(3, n))
        vectors = self.real[one] + 0.5 * (self.real[two] - self.real[three])
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def vectors(self, first: int, end: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Vectors of articles, some at a time, with the first's row: `first` is the first of its chunk."""
        for start in range(first, end, CHUNK):
            yield start, self.draw(CHUNK, np.random.default_rng([3, start]))[: end - start]

    def text(self, row: int) -> str:
        rng = np.random.default_rng([4, row])
        drawn = self.words[np.searchsorted(self.cumulated, rng.random(WORDS))]
        rare = rng.integers(self.size, size=int(RARE * WORDS))
        drawn[: len(rare)] = [f"rare{number}" for number in rare.tolist()]
        return f"{row} " + " ".join(drawn)

    def article(self, row: int) -> IndexedArticle:
        mesh = (
            "Humans",
            f"Term {self.terms[row]}",
            *(f"Heading {(row * 7 + n * 13) % 30_000}" for n in range(HEADINGS - 2)),
        )
        return IndexedArticle(str(row), f"Title {row}", self.text(row), 1925 + int(self.years[row]), mesh, False)


class Numbered(SearchEncoder):
    """An encoder of texts that begin with the number of their made-up vector."""

    def encode(self, texts: Sequence[str], progress: str | None = None) -> NDArray[np.float32]:
        """As `SearchEncoder`."""
        first = int(texts[0].partition(" ")[0])
        found = np.empty((len(texts), self.dimensions), np.float32)
        for start, vectors in self.model.made.vectors(first, first + len(texts)):
            found[start - first : start - first + len(vectors)] = vectors
        return found


def build(made: Made, folder: Path, shards: int, vectors: str) -> float:
    """Index all articles, in so many indexes; returns the processor's seconds."""
    model = SimpleNamespace(made=made, get_embedding_dimension=lambda: made.real.shape[1], max_seq_length=256)
    encoder = Numbered(model, made.encoder.name, made.encoder.identity)
    started = time.process_time()
    for number in range(1, shards + 1):
        if shards > 1 and (folder / NAME.format(number, shards)).exists():
            continue  # made before it was stopped
        rows = range(made.size * (number - 1) // shards, made.size * number // shards)
        name = NAME.format(number, shards) if shards > 1 else ""
        index_articles(folder / name, encoder, [made.article(row) for row in rows], stored_as=vectors)
        print(f"{rows.stop:,} articles after {time.process_time() - started:,.0f} s", flush=True)
    return time.process_time() - started


def measure(made: Made, folder: Path) -> dict[str, Any]:
    """Ask each query alone in each way."""
    started = time.perf_counter()
    index = open_searchable(folder)
    row: dict[str, Any] = {"open s": time.perf_counter() - started}
    year, term = 1925 + int(made.years[0]), f"Term {made.terms[0]}"
    passing = {"": np.ones(made.size, bool), "year": made.years == made.years[0], "mesh": made.terms == made.terms[0]}
    right = exact(made, passing)
    filters: dict[str, dict[str, Any]] = {
        "": {},
        "year": {"from_year": year, "to_year": year},
        "mesh": {"mesh": [term]},
    }
    for name, options in filters.items():
        found, times = timed(lambda n, options=options: index.search(made.queries[n], K, **options))
        shared = [
            len({int(hit.id) for hit in hits} & {*its}) / K
            for hits, its in zip(found, right[name].tolist(), strict=True)
        ]
        row[f"meaning {name} recall@10"] = float(np.mean(shared))
        row |= {f"meaning {name} {key}": value for key, value in times.items()}
    for what, texts in made.asked.items():
        row |= {
            f"{what} {key}": value for key, value in timed(lambda n, t=texts: index.search(None, K, t[n]))[1].items()
        }
        both = timed(lambda n, t=texts: index.search(made.queries[n], K, t[n]))[1]
        row |= {f"both, {what} {key}": value for key, value in both.items()}
    for name in ("year", "mesh"):
        texts, options = made.asked["4 words"], filters[name]
        both = timed(lambda n, t=texts, options=options: index.search(made.queries[n], K, t[n], **options))[1]
        row |= {f"both, 4 words, {name} {key}": value for key, value in both.items()}
    return row


def exact(made: Made, passing: dict[str, NDArray[np.bool_]]) -> dict[str, NDArray[np.int64]]:
    """The rows of the nearest of the articles that pass, for each query, shape (queries, K)."""
    best = {name: (np.empty((QUERIES, 0), np.int64), np.empty((QUERIES, 0), np.float32)) for name in passing}
    for start, vectors in made.vectors(0, made.size):
        cosines = made.queries @ vectors.T
        for name, its in passing.items():
            own = np.flatnonzero(its[start : start + len(vectors)])
            rows = np.hstack([best[name][0], np.tile(own + start, (QUERIES, 1))])
            values = np.hstack([best[name][1], cosines[:, own]])
            chosen = np.argpartition(-values, K, axis=1)[:, :K]
            best[name] = np.take_along_axis(rows, chosen, 1), np.take_along_axis(values, chosen, 1)
    return {name: rows for name, (rows, _) in best.items()}


def timed(ask: Callable[[int], Any]) -> tuple[list[Any], dict[str, float]]:
    """What each query finds, and the times of the wall and of the processor."""
    found, times = [], np.empty((QUERIES, 2))
    ask(0)  # what only the first does is not counted
    for number in range(QUERIES):
        before = time.perf_counter(), time.process_time()
        found.append(ask(number))
        times[number] = 1000 * (time.perf_counter() - before[0]), 1000 * (time.process_time() - before[1])
    p50, p95 = np.percentile(times, [50, 95], axis=0).tolist()
    return found, {"p50 ms": p50[0], "p95 ms": p95[0], "p95 ms of the processor": p95[1]}


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pubmed", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="*", default=[100_000])
    parser.add_argument("--shards", type=int, default=1, help="indexes that the articles are in")
    parser.add_argument("--vectors", default="float16", help="numbers that they are kept in: float32, float16, int8")
    parser.add_argument("--folder", type=Path, help="where the index is kept; one that is there is measured")
    arguments = parser.parse_args()
    for size in arguments.sizes:
        made = Made(size, arguments.pubmed)
        with tempfile.TemporaryDirectory() as place:
            folder = arguments.folder or Path(place) / "index"
            row: dict[str, Any] = {"articles": size, "shards": arguments.shards}
            if not folder.exists() or arguments.shards > 1:
                row["build, processor s"] = build(made, folder, arguments.shards, arguments.vectors)
                row["memory of the build MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
            row["disk MB"] = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
            row |= measure(made, folder)
        for key, value in row.items():
            print(f"{key}: {value:,.3f}" if isinstance(value, float) else f"{key}: {value:,}", flush=True)


if __name__ == "__main__":
    main()
