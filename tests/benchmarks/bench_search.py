"""Search in made-up vectors against exact search, at growing sizes; and encoding against `model.encode`.

    python tests/benchmarks/bench_search.py [--sizes 10000 100000] [--pubmed FOLDER] [--run RUN]

The vectors have 768 dimensions, made of 64 directions that vary by article around the centre of one of 1,000 topics,
with a little noise in every dimension; queries are made in the same way. Search runs one query at a time in one thread
through the index mapped from disk. Encoding is timed by turns in processor seconds of one thread on real abstracts,
so that what else runs on the machine counts little; making the int8 graph is not counted. What a quicker way costs is
said as nDCG@10, queries always encoded by PyTorch: titles for their articles, and with --run, a run of contrastive on
names and synonyms of HPO terms, the names of its test split.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bioft.datasets.rank import rank_embeddings
from bioft.search.layout import EXPANSION_SEARCH, index_class, new_vectors

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
    index = new_vectors(DIMENSIONS)
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
    index = index_class().restore(str(path), view=True)
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
    """Encode n articles by turns in each way, and compare the embeddings and the rankings that they make."""
    import torch

    from bioft.datasets.pubmed import articles as pubmed_articles
    from bioft.metrics.retrieval import paired_retrieval
    from bioft.models.embed import encode_texts, int8_forward
    from bioft.models.precision import lowered
    from bioft.tasks.retrieval.named import load as load_named

    torch.set_num_threads(1)
    model, _ = load_named("embedded:all-minilm-l6-v2")
    in_16_bits = lowered(model, torch.bfloat16)
    articles = [article for article in pubmed_articles.read([pubmed])[0] if article.text]
    chosen = np.random.default_rng(0).permutation(len(articles))[:n]
    texts, titles = [articles[i].text for i in chosen], [articles[i].title for i in chosen]
    int8 = int8_forward(model)
    ways = {
        "plain": lambda part: model.encode(part, batch_size=32, show_progress_bar=False),
        "pytorch": lambda part: encode_texts(model, part),
        "bfloat16": lambda part: encode_texts(in_16_bits, part),
        "onnx-int8": lambda part: encode_texts(model, part, forward=int8),
    }
    seconds, wall = dict.fromkeys(ways, 0.0), dict.fromkeys(ways, 0.0)
    found: dict[str, list[NDArray[np.float32]]] = {name: [] for name in ways}
    for way in ways.values():
        way(texts[:4])  # what only the first call does is not counted
    for first in range(0, n, TURN):
        for name, way in ways.items():
            started = time.process_time(), time.perf_counter()
            found[name].append(way(texts[first : first + TURN]))
            seconds[name] += time.process_time() - started[0]
            wall[name] += time.perf_counter() - started[1]
    vectors = {name: np.concatenate(parts) for name, parts in found.items()}
    queries = model.encode(titles, show_progress_bar=False)
    relevant = [[i] for i in range(len(texts))]
    ranked = {name: rank_embeddings(queries, rows, 10)[0].tolist() for name, rows in vectors.items()}
    result: dict[str, object] = {"texts": len(texts)}
    for name in ways:
        ndcg = paired_retrieval(relevant, ranked["plain"], ranked[name])
        result[name] = {
            "texts/s of processor time": len(texts) / seconds[name],
            "ratio": seconds["plain"] / seconds[name],
            "ratio of wall time": wall["plain"] / wall[name],
            "least cosine with plain": float(_cosines(vectors["plain"], vectors[name]).min()),
            "nDCG@10": ndcg.second,
            "less than plain": (ndcg.difference, ndcg.low, ndcg.high),
        }
    return result


def measure_names(run: Path) -> dict[str, object]:
    """How much worse a run finds the synonyms of the test split of HPO with coarser embeddings than with its own.

    Queries too are in bfloat16 where the texts are, as in an index that was made so; int8 has those of PyTorch.
    """
    import torch

    from bioft.datasets.hpo import terms as hpo_terms
    from bioft.metrics.retrieval import paired_retrieval
    from bioft.models.embed import encode_texts, int8_forward
    from bioft.models.precision import lowered
    from bioft.tasks.retrieval import encoder as contrastive
    from bioft.tasks.retrieval.predict import Queries

    model, _ = contrastive.load_run(run)
    asked = Queries.of(hpo_terms.build_synonyms()[0]["test"])
    exact = encode_texts(model, asked.texts)
    rows = [asked.texts.index(query) for query in asked.queries]
    vectors = {
        "pytorch": exact,
        "bfloat16": encode_texts(lowered(model, torch.bfloat16), asked.texts),
        "onnx-int8": encode_texts(model, asked.texts, forward=int8_forward(model)),
    }
    searched = vectors | {"onnx-int8": exact}
    ranked = {
        name: [
            [text for text in found if text != row][:10]
            for row, found in zip(rows, rank_embeddings(searched[name][rows], those, 11)[0].tolist(), strict=True)
        ]
        for name, those in vectors.items()
    }
    result: dict[str, object] = {"queries": len(rows)}
    for name in ("bfloat16", "onnx-int8"):
        ndcg = paired_retrieval(asked.relevant, ranked["pytorch"], ranked[name])
        result[name] = {
            "nDCG@10, pytorch and this": (ndcg.first, ndcg.second),
            "loss": (ndcg.difference, ndcg.low, ndcg.high),
            "least cosine": float(_cosines(exact, vectors[name]).min()),
        }
    return result


def _cosines(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    return (one * other).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="*", default=[10_000, 100_000], help="such as 1000000; 4 GB")
    parser.add_argument("--pubmed", type=Path, help="folder of PubMed XML; without it encoding is not measured")
    parser.add_argument("--texts", type=int, default=192)
    parser.add_argument("--run", type=Path, help="run of contrastive on hpo_synonyms")
    arguments = parser.parse_args()
    for each in arguments.sizes:
        with tempfile.TemporaryDirectory() as place:
            print(measure_search(each, Path(place)), flush=True)
    if arguments.pubmed is not None:
        print(measure_encoding(arguments.pubmed, arguments.texts))
    if arguments.run is not None:
        print(measure_names(arguments.run))
