"""Articles of an index that are almost the same."""

from typing import NamedTuple

import numpy as np

from bioft.datasets.rank import rank_embeddings
from bioft.errors import BioftError
from bioft.search import index as search_index
from bioft.search.index import SearchIndex

NEIGHBOURS = 20
"""Nearest articles of each that are looked at."""


class NearDuplicate(NamedTuple):
    """Two articles (ids and titles) whose embeddings have a cosine at or above the threshold."""

    score: float
    id: str
    title: str
    other_id: str
    other_title: str


def near_duplicates(index: SearchIndex, threshold: float = 0.95) -> list[NearDuplicate]:
    """Return pairs of articles with a cosine from `threshold` on, the most alike first.

    Each article is compared to its `NEIGHBOURS` nearest. BioftError: a threshold that is not above 0 and at most 1.
    """
    if not 0 < threshold <= 1:
        raise BioftError(f"The threshold is {threshold}: give a cosine above 0 and at most 1.")
    pairs: dict[tuple[int, int], float] = {}
    k, at_once = min(NEIGHBOURS + 1, len(index)), search_index.EXACT_UP_TO
    for first in range(0, len(index), at_once):
        rows = np.arange(first, min(first + at_once, len(index)))
        vectors = index.embeddings(rows)
        if len(index) <= at_once:
            keys, scores = rank_embeddings(vectors, vectors, k)
        else:
            found = index.vectors.search(vectors, k)
            keys, scores = found.keys.astype(np.int64), 1 - found.distances
        for at, column in zip(*np.nonzero(scores >= threshold), strict=True):
            pair = sorted((int(rows[at]), int(keys[at, column])))
            if pair[0] != pair[1]:
                pairs[pair[0], pair[1]] = float(scores[at, column])
    ids, titles = index.articles["id"], index.articles["title"]
    return [
        NearDuplicate(min(score, 1.0), *(column[row].as_py() for row in pair for column in (ids, titles)))
        for pair, score in sorted(pairs.items(), key=lambda item: -item[1])
    ]
