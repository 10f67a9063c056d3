"""Search in made-up vectors against exact search, at growing sizes; and encoding against `model.encode`.

    python tests/benchmarks/bench_search.py [--sizes 10000 100000] [--pubmed FOLDER]

The vectors have 768 dimensions, made of 64 directions that vary by article around the centre of one of 1,000 topics,
with a little noise in every dimension; queries are made in the same way. Search runs one query at a time in one thread
through the index mapped from disk. Encoding is timed by turns in processor seconds of one thread on real abstracts,
so that what else runs on the machine counts little.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from usearch.index import Index

from bioft.retrieval_baselines import rank_embeddings
from bioft.search_index import EXPANSION_SEARCH, GRAPH

DIMENSIONS, DIRECTIONS, TOPICS, QUERIES, CHUNK, TURN = 768, 64, 1000, 500, 50_000, 64


class MadeVectors:
    """Vectors of the kind that the module's docstring says, the same each time."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)
        self.directions = self.rng.normal(size=(DIRECTIONS, DIMENSIONS)).astype(np.float32)
        self.topics = self.rng.normal(size=(TOPICS, DIRECTIONS)).astype(np.float32)

    def draw(self, n: int) -> NDArray[np.float32]:
        """Return n new ones of unit length, shape (n, 768)."""
        inner = self.topics[self.rng.integers(TOPICS, size=n)]
        inner = inner + self.rng.normal(size=(n, DIRECTIONS)).astype(np.float32)
        vectors = inner @ self.directions + self.rng.normal(size=(n, DIMENSIONS)).astype(np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def measure_search(size: int, folder: Path) -> dict[str, object]:
    """Build an index of `size` vectors, map it from disk, and search it for `QUERIES` queries."""
    made = MadeVectors()
    queries = made.draw(QUERIES)
    index = Index(ndim=DIMENSIONS, **GRAPH)
    scores, keys, seconds = np.empty((QUERIES, 0), np.float32), np.empty((QUERIES, 0), np.int64), 0.0
    for first in range(0, size, CHUNK):
        vectors = made.draw(min(CHUNK, size - first))
        started = time.perf_counter()
        index.add(np.arange(first, first + len(vectors), dtype=np.uint64), vectors)
        seconds += time.perf_counter() - started
        # The exact answer so far, so that not all vectors need be held in full precision.
        found, cosines = rank_embeddings(queries, vectors, 10)
        keys, scores = np.hstack([keys, found + first]), np.hstack([scores, cosines])
        best = np.argsort(-scores, axis=1)[:, :10]
        keys, scores = np.take_along_axis(keys, best, 1), np.take_along_axis(scores, best, 1)
    memory, path = index.memory_usage, folder / "vectors.usearch"
    index.save(str(path))
    index = Index.restore(str(path), view=True)
    index.expansion_search = EXPANSION_SEARCH
    times, shared = [], 0
    for query, right in zip(queries, keys, strict=True):
        started = time.perf_counter()
        matches = index.search(query, 10, threads=1)
        times.append(time.perf_counter() - started)
        shared += len({*matches.keys.tolist()} & {*right.tolist()})
    return {
        "vectors": size,
        "recall@10": shared / (10 * QUERIES),
        "p50 ms": float(np.percentile(times, 50)) * 1000,
        "p95 ms": float(np.percentile(times, 95)) * 1000,
        "build s": seconds,
        "disk MB": path.stat().st_size / 1e6,
        "memory of the build MB": memory / 1e6,
    }


def measure_encoding(pubmed: Path, n: int) -> dict[str, object]:
    """Encode n articles by turns in both ways, and compare the embeddings and the rankings that they make."""
    import torch

    from bioft.datasets import pubmed_articles
    from bioft.encoding import encode_texts
    from bioft.metrics.retrieval import paired_retrieval_bootstrap
    from bioft.search_encoder import load_encoder

    torch.set_num_threads(1)
    model = load_encoder("embedded:all-minilm-l6-v2").model
    articles = [article for article in pubmed_articles.read([pubmed])[0] if article.text]
    chosen = np.random.default_rng(0).permutation(len(articles))[:n]
    texts, titles = [articles[i].text for i in chosen], [articles[i].title for i in chosen]
    seconds, found = {"plain": 0.0, "bioft": 0.0}, {"plain": [], "bioft": []}
    ways = {
        "plain": lambda part: model.encode(part, batch_size=32, show_progress_bar=False),
        "bioft": lambda part: encode_texts(model, part),
    }
    for way in ways.values():
        way(texts[:4])  # what only the first call does is not counted
    for first in range(0, n, TURN):
        for name, way in ways.items():
            started = time.process_time()
            found[name].append(way(texts[first : first + TURN]))
            seconds[name] += time.process_time() - started
    vectors = {name: np.concatenate(parts) for name, parts in found.items()}
    queries = model.encode(titles, show_progress_bar=False)
    ranked = {name: rank_embeddings(queries, rows, 10)[0].tolist() for name, rows in vectors.items()}
    ndcg = paired_retrieval_bootstrap([[i] for i in range(len(texts))], ranked["bioft"], ranked["plain"])
    return {
        "texts": len(texts),
        "bioft texts/s": len(texts) / seconds["bioft"],
        "plain texts/s": len(texts) / seconds["plain"],
        "ratio": seconds["plain"] / seconds["bioft"],
        "largest difference": float(np.abs(vectors["plain"] - vectors["bioft"]).max()),
        "nDCG@10 of titles for their articles, bioft and plain": (ndcg.first, ndcg.second),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="*", default=[10_000, 100_000], help="such as 1000000; 4 GB")
    parser.add_argument("--pubmed", type=Path, help="folder of PubMed XML; without it encoding is not measured")
    parser.add_argument("--texts", type=int, default=192)
    arguments = parser.parse_args()
    for each in arguments.sizes:
        with tempfile.TemporaryDirectory() as place:
            print(measure_search(each, Path(place)), flush=True)
    if arguments.pubmed is not None:
        print(measure_encoding(arguments.pubmed, arguments.texts))
