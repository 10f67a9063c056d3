"""Ranking documents by words and by embeddings: against the formulas, ties, empty texts, and what is refused."""

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.feature_extraction.text import TfidfVectorizer

from bioft.datasets.rank import rank_bm25, rank_embeddings, rank_tfidf, top
from bioft.errors import BioftError

DOCUMENTS = [
    "Aspirin lowers fever and pain.",
    "Lung cancer treatment: surgery and radiation of the lung.",
    "",
    "Cancer screening in adults.",
    "Aspirin lowers fever and pain.",
]


@pytest.mark.parametrize("rank", [rank_bm25, rank_tfidf])
def test_words_that_are_shared_and_rare_lead(rank):
    assert list(rank(["lung cancer"], DOCUMENTS, 5)) == [[1, 3]]
    # Equal documents keep their order; upper case and punctuation don't matter.
    assert list(rank(["FEVER, pain!"], DOCUMENTS, 5)) == [[0, 4]]
    assert list(rank(["FEVER, pain!"], DOCUMENTS, 1)) == [[0]]


@pytest.mark.parametrize("rank", [rank_bm25, rank_tfidf])
def test_queries_without_a_known_word_find_nothing(rank):
    assert list(rank(["", "   ", "zebrafish", "the and of", "fever"], DOCUMENTS, 3)) == [[], [], [], [], [0, 4]]
    assert list(rank([], DOCUMENTS, 3)) == []


@pytest.mark.parametrize("rank", [rank_bm25, rank_tfidf])
def test_documents_without_words_are_refused(rank):
    with pytest.raises(BioftError, match="no documents"):
        rank(["fever"], [], 3)
    with pytest.raises(BioftError, match="No document has a word"):
        rank(["fever"], ["", "the of"], 3)
    with pytest.raises(BioftError, match="k is 0"):
        rank(["fever"], DOCUMENTS, 0)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 5), max_size=6), min_size=1, max_size=12), st.integers(1, 13))
def test_tfidf_ranks_as_scores_of_all_documents_do(documents, k):
    texts = [" ".join(f"word{word}" for word in each) for each in documents] + ["word0"]
    vectorizer = TfidfVectorizer(sublinear_tf=True, dtype=np.float32)
    matrix = vectorizer.fit_transform(texts)
    every = (vectorizer.transform(texts) @ matrix.T).toarray()
    assert list(rank_tfidf(texts, texts, k)) == [top(scores, k) for scores in every]


def test_bm25_is_the_published_formula():
    """Robertson's sum with Lucene's idf, k1 = 1.5 and b = 0.75, on random texts of a few words."""
    rng = np.random.default_rng(1)
    words = [f"word{i}" for i in range(12)]
    documents = [list(rng.choice(words, rng.integers(1, 15))) for _ in range(40)]
    mean_length = np.mean([len(document) for document in documents])

    def score(query, document):
        total = 0.0
        for word in query:
            n = sum(word in each for each in documents)
            tf = document.count(word)
            idf = math.log(1 + (len(documents) - n + 0.5) / (n + 0.5))
            total += idf * tf / (tf + 1.5 * (0.25 + 0.75 * len(document) / mean_length))
        return total

    queries = [list(rng.choice(words, 3, replace=False)) for _ in range(10)]
    ranked = rank_bm25([" ".join(query) for query in queries], [" ".join(each) for each in documents], 40)
    for query, found in zip(queries, ranked, strict=True):
        scores = np.array([score(query, document) for document in documents])
        assert set(found) == set(np.flatnonzero(scores > 0))
        # Equal scores may differ in the last digit: what counts is that no score rises along the ranking.
        assert (np.diff(scores[found]) < 1e-5).all()


@settings(max_examples=60, deadline=None)
@given(
    arrays.arrays(np.int64, (7, 3), elements=st.integers(-3, 3)),
    arrays.arrays(np.int64, (2, 3), elements=st.integers(1, 3)),
    st.integers(1, 9),
)
def test_embeddings_are_ranked_like_a_full_sort(documents, queries, k):
    documents[~documents.any(axis=1)] = 1
    indices, scores = rank_embeddings(queries, documents, k)
    assert indices.shape == scores.shape == (2, min(k, 7))
    lengths = np.outer(np.linalg.norm(queries, axis=1), np.linalg.norm(documents, axis=1))
    cosines = queries @ documents.T / lengths
    for row in range(2):
        assert len(set(indices[row])) == min(k, 7)
        assert scores[row] == pytest.approx(np.sort(cosines[row])[::-1][:k], abs=1e-6)
        assert scores[row] == pytest.approx(cosines[row][indices[row]], abs=1e-6)


def test_equal_embeddings_keep_their_order():
    indices, _ = rank_embeddings(np.ones((1, 4)), np.ones((50, 4)), 5)
    assert indices.tolist() == [[0, 1, 2, 3, 4]]


@pytest.mark.parametrize(
    ("queries", "documents", "message"),
    [
        (np.ones((1, 3)), np.ones((2, 4)), "3 dimensions, the documents in 4"),
        (np.ones((1, 3)), np.array([[1, 1, 1], [0, 0, 0]]), "1 document embeddings have no direction.*index 1"),
        (np.full((2, 3), np.nan), np.ones((2, 3)), "2 query embeddings have no direction"),
        (np.ones(3), np.ones((2, 3)), "query embeddings have shape"),
        (np.ones((1, 3)), np.ones((0, 3)), "no documents"),
    ],
)
def test_embeddings_that_have_no_ranking_are_refused(queries, documents, message):
    with pytest.raises(BioftError, match=message):
        rank_embeddings(queries, documents, 2)
