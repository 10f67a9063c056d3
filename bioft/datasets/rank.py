"""Rank documents for queries without a trained model, and with the embeddings of one: best first.

A model is worth its training only where it finds more than words do (BM25, TF-IDF).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bioft.errors import BioftError

_CHUNK = 1024
"""Queries that are compared to all documents at a time: 400 MB for 100,000 documents."""


def rank_bm25(queries: Sequence[str], documents: Sequence[str], k: int) -> list[list[int]]:
    """Return for each query the indices of the k documents with the highest BM25 score, best first.

    Lucene's variant with k1 = 1.5 and b = 0.75, over lower-case words without English stop words (bm25s). Documents
    that share no word with the query are left out. Of equal scores the first leads. BioftError: no documents, or none
    with a word; k below 1.
    """
    import bm25s

    _check(documents, k)
    tokens = bm25s.tokenize(list(documents), show_progress=False)
    if not tokens.vocab:
        raise BioftError("No document has a word that BM25 can look for (all are empty, or stop words only).")
    index = bm25s.BM25()
    index.index(tokens, show_progress=False)
    words = bm25s.tokenize(list(queries), return_ids=False, show_progress=False)
    return [_top(index.get_scores(query), k) if query else [] for query in words]


def rank_tfidf(queries: Sequence[str], documents: Sequence[str], k: int) -> list[list[int]]:
    """Return for each query the indices of the k documents with the highest TF-IDF cosine, best first.

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
    ranked = []
    for start in range(0, len(queries), _CHUNK):
        scores = (vectorizer.transform(queries[start : start + _CHUNK]) @ matrix).toarray()
        ranked += [_top(row, k) for row in scores]
    return ranked


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


def _top(scores: NDArray[np.float32], k: int) -> list[int]:
    best = _largest(scores, min(k, len(scores)))
    return best[scores[best] > 0].tolist()


def _largest(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Return the indices of the k largest, the largest first; of equal ones the lowest indices, in order."""
    # All that reach the k-th largest value, not k of them: which of equal ones a partition takes is arbitrary.
    reached = np.flatnonzero(scores >= np.partition(scores, len(scores) - k)[len(scores) - k])
    return reached[np.argsort(-scores[reached], kind="stable")][:k]


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
