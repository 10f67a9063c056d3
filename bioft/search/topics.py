"""Research topics of an index: clusters of its embeddings, named by the MeSH terms that set them apart."""

import re
from collections import Counter
from typing import NamedTuple

import numpy as np
from sklearn.cluster import MiniBatchKMeans
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from bioft.errors import BioftError
from bioft.search.index import SearchIndex

TERMS = 5
"""MeSH terms that name a topic."""
_WORD = re.compile(r"[^\W\d_][\w-]{2,}")


class Topic(NamedTuple):
    """A cluster of articles."""

    size: int
    terms: tuple[str, ...]
    """MeSH terms, or else words of titles, that set the cluster apart, the most telling first."""
    title: str
    """Of the article nearest to the middle."""
    id: str
    rows: tuple[int, ...]
    """Its articles' rows in the index."""


def find_topics(index: SearchIndex, n: int = 10, seed: int = 0) -> list[Topic]:
    """Split the articles into n clusters by k-means over unit-length embeddings; return them, the largest first.

    A MeSH term tells of a cluster by p log(p / q): the share p of the cluster's articles that have it, against the
    share q of all articles; where no article has any, words of the titles do. Clusters that get no article are left
    out.

    Raises:
        BioftError: n is not between 1 and the number of articles.
    """
    if not 0 < n <= len(index):
        raise BioftError(f"{n} topics were asked for: give a number from 1 to {len(index):,}, the number of articles.")
    vectors = index.embeddings()
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    means = MiniBatchKMeans(n, random_state=seed, n_init=3).fit(vectors)
    ids, titles, mesh = (each.to_pylist() for each in (index.articles["id"], index.articles["title"], index.mesh))
    if not any(mesh):
        mesh = [[word for word in _WORD.findall(title.lower()) if word not in ENGLISH_STOP_WORDS] for title in titles]
    everywhere = Counter(term for terms in mesh for term in set(terms))
    topics = []
    for cluster, centre in enumerate(means.cluster_centers_):
        rows = np.flatnonzero(means.labels_ == cluster)
        if not len(rows):
            continue
        middle = rows[np.argmax(vectors[rows] @ centre)]
        inside = Counter(term for row in rows for term in set(mesh[row]))
        telling = {
            term: count / len(rows) * np.log((count / len(rows)) / (everywhere[term] / len(index)))
            for term, count in inside.items()
        }
        named = sorted((term for term in telling if telling[term] > 0), key=lambda term: (-telling[term], term))
        topics.append(Topic(len(rows), tuple(named[:TERMS]), titles[middle], ids[middle], tuple(rows.tolist())))
    return sorted(topics, key=lambda topic: -topic.size)
