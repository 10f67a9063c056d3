"""How articles are related: one cites the other, both are cited together, they cite the same, they have one topic."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from bioft.datasets.pubmed.articles import Article
from bioft.storage.text_lines import normalise

Matrix = Any
"""A scipy sparse matrix of shape (articles, articles)."""

CHECK_TAGS = frozenset(
    {
        "Adolescent", "Adult", "Aged", "Aged, 80 and over", "Animals", "Cats", "Cattle", "Chick Embryo", "Child",
        "Child, Preschool", "Cricetinae", "Dogs", "Female", "Guinea Pigs", "Humans", "Infant", "Infant, Newborn",
        "Male", "Mice", "Middle Aged", "Pregnancy", "Rabbits", "Rats", "Swine", "Young Adult",
    }
)  # fmt: skip
"""MeSH headings that say who was studied, which indexers at NLM check for every article; not what it is about."""
_CHUNK = 1024
"""Articles that are compared to all at a time."""


def citations(articles: Sequence[Article]) -> Matrix:
    """Return which of the articles (row) cites which (column), as ones."""
    row_of = {article.pmid: row for row, article in enumerate(articles)}
    pairs = {
        (row, row_of[pmid])
        for row, article in enumerate(articles)
        for pmid in article.references
        if pmid in row_of and row_of[pmid] != row
    }
    return _matrix(pairs, (len(articles), len(articles)))


def cocitations(cites: Matrix) -> Matrix:
    """Return how many articles cite both (Small, J. Am. Soc. Inf. Sci. 1973); nothing on the diagonal."""
    return _off_diagonal(cites.T @ cites)


def bibliographic_coupling(articles: Sequence[Article]) -> Matrix:
    """Return how many references two articles share (Kessler, Am. Doc. 1963); nothing on the diagonal."""
    column_of: dict[str, int] = {}
    pairs = {
        (row, column_of.setdefault(pmid, len(column_of)))
        for row, article in enumerate(articles)
        for pmid in article.references
    }
    cited = _matrix(pairs, (len(articles), len(column_of)))
    return _off_diagonal(cited @ cited.T)


class Topics:
    """The MeSH headings of a collection of articles, weighted by log(articles with headings / articles with this one).

    Headings that more than `max_share` of the articles have ("Humans", or what the whole collection is about) say
    nothing about two articles' having one topic: they lengthen an article's vector, but two articles don't share them.
    """

    def __init__(self, articles: Sequence[Article], max_share: float = 0.05) -> None:
        terms = [set(article.mesh) for article in articles]
        counts = Counter(term for each in terms for term in each)
        indexed = sum(map(bool, terms))
        # At least two articles may share a heading, however small the collection.
        limit = max(2.0, max_share * indexed)
        self.specific = [{term for term in each if counts[term] <= limit} for each in terms]
        """Per article its headings that are rare enough to be shared."""
        self.topical = [each - CHECK_TAGS for each in terms]
        """Per article its headings that say what it is about, frequent ones too."""
        weights = {term: math.log(indexed / count) for term, count in counts.items()}
        # An article with "Humans" only, in a collection of such, has no length.
        lengths = np.array([math.sqrt(sum(weights[term] ** 2 for term in each)) or 1.0 for each in terms])
        column_of = {term: column for column, term in enumerate(counts)}
        rows = [row for row, each in enumerate(self.specific) for _ in each]
        columns = [column_of[term] for each in self.specific for term in each]
        values = [weights[term] / lengths[row] for row, each in enumerate(self.specific) for term in each]
        self._vectors = sparse.csr_array((values, (rows, columns)), shape=(len(articles), len(column_of)))

    def similarity(self, rows: NDArray[np.int64], least: float) -> Matrix:
        """The cosine of each two of these articles (rows of the collection) where it is at least `least`."""
        chosen = self._vectors[rows]
        parts = []
        for start in range(0, len(rows), _CHUNK):
            part = (chosen[start : start + _CHUNK] @ chosen.T).tocsr()
            part.data[part.data < least] = 0
            part.eliminate_zeros()
            parts.append(part)
        return _off_diagonal(sparse.vstack(parts, format="csr"))


def components(articles: Sequence[Article], cites: Matrix | None) -> list[str]:
    """Return the group of each article: those that citations connect, and those with the same folded text.

    Without `cites` only the text connects. A group is named after the first PMID in it.
    """
    first_with: dict[str, int] = {}
    same = {(row, first_with.setdefault(normalise(article.text), row)) for row, article in enumerate(articles)}
    n = len(articles)
    links = _matrix(same, (n, n))
    _, labels = connected_components(links if cites is None else links + cites, directed=False)
    name_of: dict[int, str] = {}
    return [name_of.setdefault(label, article.pmid) for article, label in zip(articles, labels.tolist(), strict=True)]


def _matrix(pairs: set[tuple[int, int]], shape: tuple[int, int]) -> Matrix:
    rows, columns = np.array(sorted(pairs), np.int64).reshape(-1, 2).T
    return sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)


def _off_diagonal(matrix: Matrix) -> Matrix:
    matrix = matrix.tocsr()
    matrix.setdiag(0)
    matrix.eliminate_zeros()
    return matrix
