"""The alignment metric: by hand, against plain formulas, and how it counts errors."""

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import bioft.metrics
from bioft.errors import BioftError
from bioft.metrics.alignment import METRICS, measured, paired_alignment
from bioft.metrics.estimation.estimates import nest
from tests.metrics.binary import metric_values
from tests.wilson import wilson_interval


@pytest.fixture(scope="module")
def alignment(tmp_path_factory):
    return bioft.metrics.load("alignment", cache_dir=str(tmp_path_factory.mktemp("metrics")))


def answer(identifier, probability=0.5, ranked=None):
    return {
        "id": identifier,
        "ranked": [identifier] if ranked is None and identifier else ranked or [],
        "probability": probability,
    }


def test_by_hand(alignment):
    """Right; one of two right ids; wrong id; id where there is none; nothing where there is one; rightly nothing."""
    predictions = [
        answer("a", 0.9, ["a", "b"]),
        answer("b", 0.8),
        answer("c", 0.7, ["c", "x", "y", "z", "a"]),
        answer("d", 0.6),
        answer("", 0.5, ["q", "w", "e", "r", "t", "a"]),
        answer("", 0.4),
    ]
    references = ["a", "b2|b", "a", "", "a", ""]
    result = alignment.compute(predictions=predictions, references=references, confidence=None)
    assert set(result) == {*METRICS, "n"}
    assert result["n"] == 6
    assert result["accuracy"] == 3 / 6
    assert result["precision"] == 2 / 4
    assert result["recall"] == 2 / 4
    assert result["f1"] == 2 / 4
    assert result["hits_at_1"] == 2 / 4
    assert result["hits_at_5"] == 3 / 4
    assert result["false_positives"] == 2
    assert result["false_negatives"] == 1
    assert result["coverage_at_95_precision"] == 2 / 6
    assert result["accuracy"] * 6 + result["false_positives"] + result["false_negatives"] == 6


def test_coverage_goes_past_an_early_error_and_takes_ties_together(alignment):
    def coverage(right, probabilities):
        predictions = [answer("a" if each else "b", p) for each, p in zip(right, probabilities, strict=True)]
        result = alignment.compute(predictions=predictions, references=["a"] * len(right), confidence=None)
        return result["coverage_at_95_precision"]

    falling = np.linspace(0.9, 0.1, 40)
    assert coverage([1] * 19 + [0] + [1] * 19 + [0], falling) == 1  # 38 of 40 are 95 %
    assert coverage([0] + [1] * 19 + [0] * 20, falling) == 20 / 40  # 19 of 20, the error first
    assert coverage([0] + [1] * 18 + [0] * 21, falling) == 0
    assert coverage([1, 0], [0.7, 0.7]) == 0
    assert coverage([1, 0], [0.7, 0.6]) == 0.5


ANSWERS = st.lists(
    st.tuples(
        st.sampled_from(["", "a", "b", "c"]),
        st.sampled_from(["", "a", "b", "a|c"]),
        st.sampled_from([0.0, 0.25, 0.5, 0.9, 1.0]),
        st.lists(st.sampled_from("abcdefgh"), max_size=7, unique=True),
    ),
    min_size=1,
    max_size=30,
)


def plainly(rows):
    """The metrics by the words of their definitions."""
    n = len(rows)
    right = [i == gold == "" or (i != "" and i in gold.split("|")) for i, gold, _, _ in rows]
    found = sum(1 for (i, *_), ok in zip(rows, right, strict=True) if ok and i)
    given, has = sum(1 for r in rows if r[0]), [r for r in rows if r[1]]
    covered = 0
    for threshold in {r[2] for r in rows}:
        accepted = [ok for r, ok in zip(rows, right, strict=True) if r[2] >= threshold]
        if sum(accepted) * 20 >= 19 * len(accepted):
            covered = max(covered, len(accepted))
    return {
        "accuracy": sum(right) / n,
        "precision": found / given if given else 0,
        "recall": found / len(has) if has else 0,
        "f1": 2 * found / (given + len(has)) if given + len(has) else 0,
        "hits_at_1": sum(bool(set(r[3][:1]) & set(r[1].split("|"))) for r in has) / len(has) if has else 0,
        "hits_at_5": sum(bool(set(r[3][:5]) & set(r[1].split("|"))) for r in has) / len(has) if has else 0,
        "coverage_at_95_precision": covered / n,
        "false_positives": given - found,
        "false_negatives": sum(1 for r in has if not r[0]),
    }


@settings(max_examples=150, deadline=None)
@given(ANSWERS)
def test_any_answers_against_the_definitions(rows):
    predictions = [{"id": i, "ranked": ranked, "probability": p} for i, _, p, ranked in rows]
    found = measured(predictions, [row[1] for row in rows]).estimates
    for name, expected in plainly(rows).items():
        assert found[name].value == pytest.approx(expected), name
    right = [int(i == gold or (i != "" and i in gold.split("|"))) for i, gold, _, _ in rows]
    if len(set(right)) == 2:
        assert found["ece"].value == pytest.approx(metric_values(right, [row[2] for row in rows])["ece"])


def many(n=400, seed=0):
    """Answers whose probability is that of being right; a quarter of the names have no match."""
    rng = np.random.default_rng(seed)
    probability = rng.random(n)
    right = rng.random(n) < probability
    golds = np.where(rng.random(n) < 0.25, "", "a")
    ids = [gold if ok else {"": "x", "a": ""}[gold] for gold, ok in zip(golds, right, strict=True)]
    return [answer(i, p) for i, p in zip(ids, probability, strict=True)], golds.tolist()


def test_intervals_nest_and_shrink_with_n(alignment):
    widths = []
    for n in (150, 2_400):
        predictions, references = many(n)
        flat = alignment.compute(predictions=predictions, references=references)
        nested = nest(flat)
        assert set(nested) == set(METRICS)
        for name, figure in nested.items():
            assert figure["low"] <= figure["value"] <= figure["high"], name
            assert figure["n"] == n
        widths.append(nested["accuracy"]["high"] - nested["accuracy"]["low"])
    assert widths[0] / widths[1] == pytest.approx(4, rel=0.3)
    assert flat["ece"] < 0.05


def test_perfect_answers_have_intervals(alignment):
    predictions, references = [answer("a", 0.99)] * 30 + [answer("", 0.99)] * 10, ["a"] * 30 + [""] * 10
    result = alignment.compute(predictions=predictions, references=references)
    assert result["accuracy_low"] == pytest.approx(wilson_interval(40, 40)[0], abs=0.02)
    assert result["precision_low"] == result["recall_low"] == pytest.approx(wilson_interval(30, 30)[0], abs=0.02)
    assert result["false_positives"] == 0 and 3 < result["false_positives_high"] < 5, "the rule of three"
    # 40 right answers are not enough to say that 95 % are right; 80 are.
    assert (result["coverage_at_95_precision_low"], result["coverage_at_95_precision_high"]) == (0, 1)
    twice = alignment.compute(predictions=predictions * 2, references=references * 2)
    assert twice["coverage_at_95_precision_low"] > 0.95


def test_no_match_for_everything(alignment):
    result = alignment.compute(predictions=[answer("", 0.5)] * 2, references=["", ""])
    assert (result["accuracy"], result["precision"], result["recall"], result["f1"]) == (1, 0, 0, 0)
    assert (result["precision_low"], result["precision_high"]) == (0, 1)


def test_two_systems_are_compared(alignment):
    predictions, references = many(300)
    same = paired_alignment(references, predictions, predictions)
    assert (same.difference, same.p_value) == (0, 1) and -0.01 < same.low < 0 < same.high < 0.01
    worse = [answer("zzz", each["probability"]) if i % 10 == 0 else each for i, each in enumerate(predictions)]
    result = paired_alignment(references, predictions, worse)
    values = [
        alignment.compute(predictions=each, references=references, confidence=None)["accuracy"]
        for each in (predictions, worse)
    ]
    assert result.difference == pytest.approx(values[0] - values[1])
    assert 0 < result.low < result.difference < result.high
    errors = paired_alignment(references, worse, predictions, metric="false_positives")
    assert errors.low > 0
    with pytest.raises(BioftError, match="no test for differences in coverage"):
        paired_alignment(references, predictions, worse, metric="coverage_at_95_precision")
    with pytest.raises(BioftError, match="Unknown metric 'auroc'"):
        paired_alignment(references, predictions, worse, metric="auroc")


@pytest.mark.parametrize(
    ("predictions", "references", "message"),
    [
        ([answer("a", 1.5), answer("b", 0.5)], ["a", "b"], r"1 of 2 probabilities .* 1.5 at index 0"),
        ([answer("a"), answer("b", math.nan)], ["a", "b"], "nan at index 1"),
        ([answer("a")], ["a", "b"], "1 answers for 2 names"),
        ([], [], "no names"),
    ],
)
def test_bad_input(predictions, references, message):
    with pytest.raises(BioftError, match=message):
        paired_alignment(references, predictions, predictions)
