"""Rank documents for queries without a trained model, and with the embeddings of one: best first; or at random.

A model is worth its training only where it finds more than words do (BM25, TF-IDF).
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bioft.errors import BioftError

_CHUNK = 1024
"""Queries that are compared to all documents at a time: 400 MB for 100,000 documents."""
_FEW = 256
"""The same by words, of which any number may be shared: 300 MB if they all are."""


def random_order(n: int, rng: np.random.Generator) -> Iterator[int]:
    """Numbers below n at random: a few, with which one is content nearly always, then all of them."""
    yield from rng.integers(n, size=100).tolist()
    yield from rng.permutation(n).tolist()


def rank_bm25(queries: Sequence[str], documents: Sequence[str], k: int) -> Iterator[list[int]]:
    """Yield for each query the indices of the k documents with the highest BM25 score, best first.

    Lucene's variant with k1 = 1.5 and b = 0.75, over lower-case words without English stop words (bm25s). Documents
    that share no word with the query are left out. Of equal scores the first leads. BioftError: no documents, or none
    with a word; k below 1.
    """
    _check(documents, k)
    index = bm25_index(documents)
    if index is None:
        raise BioftError("No document has a word that BM25 can look for (all are empty, or stop words only).")
    # One after the other: a thousand numbers for each of 100,000 queries are 3 GB.
    return (top(scores, k) for scores in bm25_scores(index, queries))


def bm25_index(documents: Sequence[str]) -> Any:
    """Return the words of documents as `rank_bm25` weighs them, a `bm25s.BM25`; None if there is no word at all."""
    import bm25s

    tokens = bm25s.tokenize(list(documents), show_progress=False)
    if not tokens.vocab:
        return None
    index = bm25s.BM25()
    index.index(tokens, show_progress=False)
    return index


def bm25_scores(index: Any, queries: Sequence[str]) -> Iterator[NDArray[np.float32]]:
    """Yield for each query the BM25 score of every document of a `bm25_index`; all are 0 where no word is shared."""
    import bm25s

    for words in bm25s.tokenize(list(queries), return_ids=False, show_progress=False):
        yield index.get_scores(words) if words else np.zeros(index.scores["num_docs"], np.float32)


def fuse_ranks(first: Sequence[int], second: Sequence[int], weight: float, constant: float) -> list[int]:
    """Fuse two rankings of documents, both best first, by reciprocal ranks (Cormack et al. 2009): best first.

    A document gets weight / (constant + rank) from the first, (1 - weight) / (constant + rank) from the second, with
    ranks from 1; of equal ones that of the first leads.
    """
    scores: dict[int, float] = {}
    for ranking, share in ((first, weight), (second, 1 - weight)):
        for rank, document in enumerate(ranking, 1):
            scores[document] = scores.get(document, 0.0) + share / (constant + rank)
    return sorted(scores, key=lambda document: -scores[document])


def rank_tfidf(queries: Sequence[str], documents: Sequence[str], k: int) -> Iterator[list[int]]:
    """Yield for each query the indices of the k documents with the highest TF-IDF cosine, best first.

    Over lower-case words, the logarithm of their counts, without English stop words (scikit-learn); the rest as
    `rank_bm25`.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    _check(documents, k)
    vectorizer = TfidfVectorizer(sublinear_tf=True, stop_words="english", dtype=np.float32)
    try:
        # By word: a product with few queries then touches what they have only.
        matrix = vectorizer.fit_transform(documents).T.tocsr()
    except ValueError:
        raise BioftError(
            "No document has a word that TF-IDF can look for (all are empty, or stop words only)."
        ) from None
    parts = (vectorizer.transform(queries[at : at + _FEW]) @ matrix for at in range(0, len(queries), _FEW))
    return (
        _first(part.indices[start:end], part.data[start:end], k)
        for part in parts
        for start, end in pairwise(part.indptr)
    )


def rank_embeddings(
    query_embeddings: ArrayLike, document_embeddings: ArrayLike, k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the k documents with the highest cosine for each query, best first, by comparing all.

    Takes embeddings of shape (queries, dimensions) and (documents, dimensions). Returns the indices of the documents
    and the cosines, both of shape (queries, min(k, documents)). Of equal cosines the first document leads. BioftError:
    dimensions that differ, no documents, an embedding that is all 0 or not finite; k below 1.
    """
    queries = _unit_length(query_embeddings, "query")
    documents = _unit_length(document_embeddings, "document")
    _check(documents, k)
    if queries.shape[1] != documents.shape[1]:
        raise BioftError(
            f"The queries are embedded in {queries.shape[1]} dimensions, the documents in {documents.shape[1]}: embed "
            "both with the same model."
        )
    k = min(k, len(documents))
    indices = np.empty((len(queries), k), np.int64)
    scores = np.empty((len(queries), k), np.float32)
    for start in range(0, len(queries), _CHUNK):
        rows = slice(start, start + _CHUNK)
        cosines = queries[rows] @ documents.T
        indices[rows] = [_largest(row, k) for row in cosines]
        scores[rows] = np.take_along_axis(cosines, indices[rows], axis=1)
    return indices, scores


def _check(documents: Sequence[str] | NDArray[np.float32], k: int) -> None:
    if not len(documents):
        raise BioftError("There are no documents to look through.")
    if k < 1:
        raise BioftError(f"k is {k}: ask for at least 1 document.")


def top(scores: NDArray[np.float32], k: int) -> list[int]:
    """Return the indices of the k highest scores above 0, best first; of equal ones the first leads."""
    above = np.flatnonzero(scores > 0)  # few of a large collection have a word of the query
    return above[_largest(scores[above], min(k, len(above)))].tolist() if len(above) else []


def _first(documents: NDArray[np.int32], scores: NDArray[np.float32], k: int) -> list[int]:
    """The same for scores of some documents, in any order: sorting all of them would take longer than the rest."""
    least = np.partition(scores, len(scores) - k)[len(scores) - k] if len(scores) > k else 0
    above, equal = scores > least, (scores == least) & (scores > 0)
    order = np.lexsort((documents[above], -scores[above]))
    return [*documents[above][order].tolist(), *np.sort(documents[equal])[: k - len(order)].tolist()]


def _largest(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Return the indices of the k largest, the largest first; of equal ones the lowest indices, in order."""
    # Which of equal ones a partition takes is arbitrary. There may be very many: they are in order already.
    least = np.partition(scores, len(scores) - k)[len(scores) - k]
    above, equal = np.flatnonzero(scores > least), np.flatnonzero(scores == least)
    return np.concatenate([above[np.argsort(-scores[above], kind="stable")], equal[: k - len(above)]])


def _unit_length(embeddings: ArrayLike, what: str) -> NDArray[np.float32]:
    array = np.asarray(embeddings, np.float32)
    if array.ndim != 2:
        raise BioftError(f"The {what} embeddings have shape {array.shape}: one row for each {what} is needed.")
    norms = np.linalg.norm(array, axis=1, keepdims=True)
    bad = np.flatnonzero(~((norms[:, 0] > 0) & np.isfinite(norms[:, 0])))
    if len(bad):
        raise BioftError(
            f"{len(bad):,} {what} embeddings have no direction (all 0, or not finite), the first at index {bad[0]}."
        )
    return array / norms
