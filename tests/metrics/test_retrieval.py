"""The retrieval metric: by hand, against scikit-learn and plain formulas, intervals, and what it refuses."""

import math
from pathlib import Path

import evaluate
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from sklearn.metrics import ndcg_score

import bioft.metrics
from bioft.errors import BioftError
from bioft.metrics.estimation.estimates import nest
from bioft.metrics.retrieval import METRICS, paired_retrieval, values_per_query
from tests.wilson import wilson_interval


@pytest.fixture(scope="module")
def retrieval(tmp_path_factory):
    return bioft.metrics.load("retrieval", cache_dir=str(tmp_path_factory.mktemp("metrics")))


def test_by_hand(retrieval):
    """A relevant document first and third of two; the only one second; one that isn't found; nothing ranked."""
    predictions = [["a", "x", "b"], ["x", "a"], ["x", "y"], []]
    references = [["a", "b"], ["a"], ["a"], ["a"]]
    result = retrieval.compute(predictions=predictions, references=references, confidence=None)
    assert set(result) == {*METRICS, "n"}
    assert result["n"] == 4
    ndcg = [(1 + 1 / math.log2(4)) / (1 + 1 / math.log2(3)), 1 / math.log2(3), 0, 0]
    assert result["ndcg_at_10"] == pytest.approx(sum(ndcg) / 4)
    assert result["mrr_at_10"] == pytest.approx((1 + 1 / 2) / 4)
    assert result["recall_at_10"] == pytest.approx(2 / 4)
    assert result["recall_at_100"] == pytest.approx(2 / 4)
    assert result["map"] == pytest.approx(((1 + 2 / 3) / 2 + 1 / 2) / 4)


def test_integers_are_ids_too(retrieval):
    """As the rankings of `bioft.datasets.rank` are: indices of documents."""
    strings = retrieval.compute(predictions=[["3", "1"], ["2"]], references=[["1"], ["2"]], confidence=None)
    assert retrieval.compute(predictions=[[3, 1], [2]], references=[[1], [2]], confidence=None) == strings
    assert strings["mrr_at_10"] == 0.75


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_against_plain_formulas(data):
    """Cut-offs included: rankings of up to 130 documents, relevant ones among them or not."""
    n = data.draw(st.integers(2, 130))
    ranked = data.draw(st.permutations(range(n)))[: data.draw(st.integers(1, n))]
    relevant = data.draw(st.sets(st.integers(0, n - 1), min_size=1))
    (values,) = values_per_query([ranked], [sorted(relevant)])
    hits = np.array([document in relevant for document in ranked], float)
    # scikit-learn wants a score for each document: those that are not ranked come last, and count for nothing.
    truth = np.array([[document in relevant for document in range(n)]], float)
    scores = np.array([[n - ranked.index(document) if document in ranked else 0 for document in range(n)]], float)
    first = np.flatnonzero(hits[:10])
    expected = [
        ndcg_score(truth, scores, k=10) if len(ranked) == n or len(ranked) >= 10 else None,
        1 / (first[0] + 1) if len(first) else 0,
        hits[:10].sum() / len(relevant),
        hits[:100].sum() / len(relevant),
        (hits * np.cumsum(hits) / np.arange(1, len(hits) + 1)).sum() / len(relevant),
    ]
    for value, other in zip(values, expected, strict=True):
        assert other is None or value == pytest.approx(other, abs=1e-9)


def test_intervals_hold_the_mean_of_simulated_queries(retrieval):
    """The interval of a mean must be near the normal one: here of reciprocal ranks of 400 queries."""
    rng = np.random.default_rng(5)
    predictions = [[int(each) for each in rng.permutation(12)] for _ in range(400)]
    references = [[0]] * 400
    result = retrieval.compute(predictions=predictions, references=references)
    values = values_per_query(predictions, references)[:, METRICS.index("mrr_at_10")]
    margin = 1.96 * values.std() / 20
    assert result["mrr_at_10_low"] == pytest.approx(values.mean() - margin, abs=0.05 * margin)
    assert result["mrr_at_10_high"] == pytest.approx(values.mean() + margin, abs=0.05 * margin)
    assert nest(result)["ndcg_at_10"]["n"] == 400
    assert result == retrieval.compute(predictions=predictions, references=references)


def test_perfect_and_failed_rankings_have_the_interval_of_a_proportion(retrieval):
    perfect = retrieval.compute(predictions=[["a", "x"]] * 8, references=[["a"]] * 8)
    failed = retrieval.compute(predictions=[["x", "y"]] * 8, references=[["a"]] * 8)
    for name in METRICS:
        # A little wider: by t with 7 degrees of freedom.
        assert (perfect[f"{name}_low"], perfect[f"{name}_high"]) == pytest.approx(wilson_interval(8, 8), abs=0.1)
        assert (failed[f"{name}_low"], failed[f"{name}_high"]) == pytest.approx(wilson_interval(0, 8), abs=0.1)


def test_paired_comparison_is_sharper_than_the_intervals(retrieval):
    """Half of the queries are easy; in half of the others one system is a place better."""
    rng = np.random.default_rng(0)
    places = np.tile([0, 6], 30)
    references = [[0]] * 60
    worse = [[*range(1, place + 1), 0] for place in places]
    better = [[*range(1, place + 1 - (place > 0 and rng.random() < 0.5)), 0] for place in places]
    found = paired_retrieval(references, better, worse, metric="mrr_at_10")
    results = [retrieval.compute(predictions=each, references=references) for each in (better, worse)]
    assert found.first == pytest.approx(results[0]["mrr_at_10"])
    assert found.second == pytest.approx(results[1]["mrr_at_10"])
    assert found.low > 0
    assert found.p_value < 0.05
    assert found.high - found.low < results[1]["mrr_at_10_high"] - results[1]["mrr_at_10_low"]
    with pytest.raises(BioftError, match="Unknown metric 'ndcg'"):
        paired_retrieval(references, better, worse, metric="ndcg")


@pytest.mark.parametrize(
    ("predictions", "references", "message"),
    [
        ([["a"], ["a"]], [["a"], []], "Query 1 has no relevant document"),
        ([["a", "b", "a"]], [["a"]], "ranking of query 0 has a document twice"),
        ([["a"]], [["a"], ["b"]], "1 rankings for 2 queries"),
        ([], [], "no queries"),
    ],
)
def test_what_has_no_value_is_refused(predictions, references, message):
    with pytest.raises(BioftError, match=message):
        values_per_query(predictions, references)


def test_loads_by_path(tmp_path):
    path = Path(bioft.metrics.__file__).with_name("retrieval.py")
    metric = evaluate.load(str(path), cache_dir=str(tmp_path))
    assert metric.compute(predictions=[["a"]], references=[["a"]], confidence=None)["map"] == 1.0
