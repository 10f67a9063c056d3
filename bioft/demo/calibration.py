"""What similarities are usual in an index: the distribution that a cosine is read against."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
from numpy.typing import NDArray

from bioft.search.index import SearchIndex

SAMPLED_ARTICLES, SAMPLED_PAIRS = 5000, 20_000
SPECIFIC_SHARE = 0.05
"""Share of the articles that may have a heading that tells two articles' topic, as in `pubmed_relations.Topics`."""
ONE_PERCENT = 0.01

Cosines = NDArray[np.float32]


@dataclass(frozen=True)
class Calibration:
    """Cosines of pairs of articles of an index, each in ascending order."""

    random: Cosines
    """Of pairs drawn at random; empty for an index of one article."""
    related: Cosines
    """Of pairs that share a specific MeSH heading; empty where there are none."""
    nearest: Cosines
    """Of articles and the article nearest to each."""

    def is_far(self, score: float) -> bool:
        """Whether 99 % of the articles are nearer to another article than `score`."""
        return len(self.nearest) > 0 and score < float(np.quantile(self.nearest, ONE_PERCENT))

    def in_words(self, score: float, what: str = "articles") -> str:
        """Say how a cosine compares: "higher than 97 % of 20,000 random pairs of articles of this index"."""
        compared = [(self.random, f"random pairs of {what} of this index")]
        compared += [(self.related, "pairs that share a specific MeSH heading")]
        return " and ".join(
            f"higher than {_share_below(cosines, score)} {len(cosines):,} {pairs}"
            for cosines, pairs in compared
            if len(cosines)
        )


def share_below(cosines: Cosines, score: float) -> float:
    """Return the share of the cosines, which are in ascending order, that are below a score."""
    return float(np.searchsorted(cosines, score)) / len(cosines)


def calibrate(index: SearchIndex, seed: int = 0) -> Calibration:
    """Measure the similarities of an index on a sample of its articles and of their pairs."""
    generator = np.random.default_rng(seed)
    rows = np.arange(len(index))
    if len(rows) > SAMPLED_ARTICLES:
        rows = np.sort(generator.choice(rows, SAMPLED_ARTICLES, replace=False))
    vectors = index.embeddings(rows)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    nearest = np.empty(0, np.float32)
    if len(index) > 1:
        nearest = 1 - index.vectors.search(vectors, 2).distances[:, 1]
    pairs = _random_pairs(len(rows), generator)
    related = _related_pairs(index.mesh.take(pa.array(rows)).to_pylist())
    if len(related) > SAMPLED_PAIRS:
        related = related[generator.choice(len(related), SAMPLED_PAIRS, replace=False)]
    return Calibration(_cosines(vectors, pairs), _cosines(vectors, related), np.sort(nearest))


def _random_pairs(n: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Return all pairs of n articles, or many random ones, each of two articles."""
    if n * (n - 1) // 2 <= SAMPLED_PAIRS:
        return np.column_stack(np.triu_indices(n, 1))
    first = generator.integers(n, size=SAMPLED_PAIRS)
    return np.column_stack([first, (first + generator.integers(1, n, size=SAMPLED_PAIRS)) % n])


def _related_pairs(mesh: list[list[str]]) -> NDArray[np.int64]:
    """Return the pairs of articles that have a heading in common which few other articles have."""
    counts = Counter(term for terms in mesh for term in set(terms))
    limit = max(2.0, SPECIFIC_SHARE * sum(map(bool, mesh)))
    having: dict[str, list[int]] = defaultdict(list)
    for row, terms in enumerate(mesh):
        for term in set(terms):
            if counts[term] <= limit:
                having[term].append(row)
    pairs = {pair for its in having.values() for pair in combinations(its, 2)}
    return np.array(sorted(pairs), np.int64).reshape(-1, 2)


def _cosines(vectors: NDArray[np.float32], pairs: NDArray[np.int64]) -> Cosines:
    return np.sort(np.einsum("ij,ij->i", vectors[pairs[:, 0]], vectors[pairs[:, 1]]))


def _share_below(cosines: Cosines, score: float) -> str:
    share = share_below(cosines, score)
    if share in (0, 1):
        return "all of" if share else "none of"
    # Rounded down to what is true: "100 %" is said only of all.
    percent = np.floor(share * 1000) / 10 if share > 0.99 else np.floor(share * 100)
    return f"{percent:g} % of"
