"""Research topics of an index: clusters of its embeddings, each with a name, its MeSH terms and its years."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.cluster import MiniBatchKMeans
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, CountVectorizer

from bioft.datasets.pubmed.relations import CHECK_TAGS
from bioft.errors import BioftError
from bioft.search.index import SearchIndex

TERMS = 5
"""MeSH terms that set a topic apart."""
NAMED_BY = 3
"""Words and pairs of words that name a topic."""
_WORD = re.compile(r"[^\W\d_][\w-]{2,}")


class Topic(NamedTuple):
    """A cluster of articles."""

    size: int
    name: str
    """Words of its titles that set it apart, such as "lung cancer, chemotherapy"; "" where no title has a word."""
    terms: tuple[str, ...]
    """MeSH terms that set it apart, the most telling first; without those that say who was studied (`CHECK_TAGS`)."""
    title: str
    """Of the article nearest to the middle."""
    id: str
    rows: tuple[int, ...]
    """Its articles' rows in the index."""
    years: dict[int, int]
    """How many of its articles are of which year, for those whose year is stated."""


def find_topics(index: SearchIndex, n: int = 10, seed: int = 0) -> list[Topic]:
    """Split the articles into n clusters by k-means over unit-length embeddings; return them, the largest first.

    A MeSH term tells of a cluster by p log(p / q): the share p of the cluster's articles that have it, against the
    share q of all articles. Names are by class-based TF-IDF (`_names`). Clusters that get no article are left out.
    BioftError: n is not between 1 and the number of articles.
    """
    if not 0 < n <= len(index):
        raise BioftError(f"{n} topics were asked for: give a number from 1 to {len(index):,}, the number of articles.")
    vectors = index.embeddings()
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    means = MiniBatchKMeans(n, random_state=seed, n_init=3).fit(vectors)
    columns = (index.articles["id"], index.articles["title"], index.articles["year"], index.mesh)
    ids, titles, years, mesh = (each.to_pylist() for each in columns)
    everywhere = Counter(term for terms in mesh for term in set(terms))
    topics = []
    for cluster, name in zip(range(n), _names(titles, means.labels_, n), strict=True):
        rows = np.flatnonzero(means.labels_ == cluster)
        if not len(rows):
            continue
        middle = rows[np.argmax(vectors[rows] @ means.cluster_centers_[cluster])]
        inside = Counter(term for row in rows for term in set(mesh[row]) - CHECK_TAGS)
        telling = {
            term: count / len(rows) * np.log((count / len(rows)) / (everywhere[term] / len(index)))
            for term, count in inside.items()
        }
        named = sorted((term for term in telling if telling[term] > 0), key=lambda term: (-telling[term], term))
        over = Counter(sorted(years[row] for row in rows if years[row] is not None))
        topics.append(
            Topic(len(rows), name, tuple(named[:TERMS]), titles[middle], ids[middle], tuple(rows.tolist()), dict(over))
        )
    return sorted(topics, key=lambda topic: -topic.size)


def _phrases(title: str) -> Iterator[str]:
    """The words of a title that are no stop words, and the pairs of such that stand side by side."""
    before, end = "", -1
    for found in _WORD.finditer(title.lower()):
        word = "" if found[0] in ENGLISH_STOP_WORDS else found[0]
        if word:
            yield word
        if word and word != before and before and found.start() == end + 1 and title[end].isspace():
            yield f"{before} {word}"
        before, end = word, found.end()


def _names(titles: list[str], labels: NDArray[np.int32], n: int) -> list[str]:
    """Name each cluster by words and pairs of words of its titles, which share no word with each other.

    By class-based TF-IDF (Grootendorst 2022): sqrt(tf) log(1 + A / f) for the share tf of a phrase in the phrases of
    the cluster, its number f in all, and the average number A of phrases of a cluster. What only one of several titles
    has names none.
    """
    vectorizer = CountVectorizer(analyzer=_phrases)
    try:
        counts = vectorizer.fit_transform(titles)
    except ValueError:  # no title has a word
        return [""] * n
    phrases = vectorizer.get_feature_names_out()
    members = sparse.csr_matrix((np.ones(len(titles)), (labels, np.arange(len(titles)))), shape=(n, len(titles)))
    inside = (members @ counts).tocsr()
    totals = np.asarray(inside.sum(axis=1)).ravel()
    rarity = np.log(1 + totals.mean() / np.asarray(inside.sum(axis=0)).ravel())
    sizes = np.bincount(labels, minlength=n)
    names = []
    for cluster in range(n):
        row = inside[cluster]
        telling = np.sqrt(row.data / max(totals[cluster], 1)) * rarity[row.indices]
        chosen: list[str] = []
        for place in np.lexsort((row.indices, -telling)):
            phrase, count = str(phrases[row.indices[place]]), row.data[place]
            if count < min(2, sizes[cluster]):
                continue
            words = set(phrase.split())
            common = [each for each in chosen if words & set(each.split())]
            if not common and len(chosen) < NAMED_BY:
                chosen.append(phrase)
            elif len(common) == 1 and common[0] in words and 2 * count >= row[0, vectorizer.vocabulary_[common[0]]]:
                chosen[chosen.index(common[0])] = phrase  # what the word mostly stands in says more
        names.append(", ".join(chosen))
    return names
