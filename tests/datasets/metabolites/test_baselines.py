"""The baselines of name matching: what each of them finds, and answers made of their scores."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from bioft import metrics
from bioft.datasets.metabolites.baselines import NAMES, Encoder, TfIdf
from bioft.errors import BioftError
from bioft.tasks.name_alignment.scorer import (
    NO_MATCH,
    OTHER,
    RIGHT,
    Answer,
    ScoreMeaning,
    is_right,
    outcomes,
    score_features,
)

NAMESPACE = pd.DataFrame(
    [
        ("glc", "D-Glucose"),
        ("g6p", "D-Glucose 6-phosphate"),
        ("g1p", "D-Glucose 1-phosphate"),
        ("lac", "L-Lactate"),
        ("lac", "(S)-2-Hydroxypropanoate"),
        ("atp", "ATP C10H12N5O13P3"),
        ("ala", "Beta-Alanine"),
        ("twin", "D-Glucose"),
        ("none", ""),
        ("pc", "Phosphatidylcholine"),
    ],
    columns=["id", "name"],
)


class Letters:
    """Stands for a SentenceTransformer: embeds a name by how often each letter occurs."""

    def encode(self, sentences, **options):
        assert options["normalize_embeddings"]
        counts = np.array([[text.lower().count(c) for c in "abcdefghijklmnopqrstuvwxyz"] for text in sentences], float)
        return counts / np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1e-9)


BASELINES = {**NAMES, "encoder": lambda: Encoder(Letters())}


@pytest.mark.parametrize(
    ("baseline", "name", "best"),
    [
        ("exact", " D-Glucose ", "glc"),
        ("exact", "d-glucose", None),
        ("normalised", "d glucose", "glc"),
        ("normalised", "&beta;-alanine", "ala"),
        ("normalised", "atp", "atp"),
        ("normalised", "L-lactic acid", None),
        ("standardised", "L-lactic acid", "lac"),
        ("standardised", "adenosine 5'-triphosphate", "atp"),
        ("standardised", "L-lactic", None),
        ("rapidfuzz", "Phosphatidyl-coline", "pc"),
        ("tfidf", "choline, phosphatidyl-", "pc"),
        ("encoder", "enilohclyditahpsohp", "pc"),
    ],
)
def test_what_each_baseline_finds(baseline, name, best):
    (ranking,) = BASELINES[baseline]().fit(NAMESPACE).predict([name])
    assert (ranking[0][0] if ranking else None) == best


@pytest.mark.parametrize("baseline", BASELINES)
def test_rankings(baseline):
    """Scores fall from 1 for the name itself; each id is there once, also with two names; empty names find nothing."""
    fitted = BASELINES[baseline]().fit(NAMESPACE)
    names = ["D-Glucose", "", "  ", "(S)-2-Hydroxypropanoate", "D-Glucose"]
    rankings = fitted.predict(names, k=4)
    assert rankings[1] == rankings[2] == []
    assert rankings[0] == rankings[4]
    assert [identifier for identifier, _ in rankings[0][:2]] == ["glc", "twin"]  # the first in the namespace leads
    assert rankings[3][0][0] == "lac"
    for ranking in (rankings[0], rankings[3]):
        ids, scores = zip(*ranking, strict=True)
        assert len(set(ids)) == len(ids) <= 4
        assert "none" not in ids
        assert scores[0] == pytest.approx(1, abs=1e-6) and scores[0] <= 1
        assert list(scores) == sorted(scores, reverse=True)
    assert fitted.predict([]) == []


def test_chunks_and_order_do_not_matter():
    names = [f"D-Glucose {i}-phosphate" for i in range(600)] + ["ATP"]
    fitted = TfIdf().fit(NAMESPACE)
    whole = fitted.predict(names, k=3)
    single = [fitted.predict([name], k=3)[0] for name in names[::97]]
    assert [[identifier for identifier, _ in ranking] for ranking in whole[::97]] == [
        [identifier for identifier, _ in ranking] for ranking in single
    ]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=8), st.text(max_size=30))
def test_any_names(names, query):
    namespace = pd.DataFrame({"id": [str(i) for i in range(len(names) + 1)], "name": [*names, "a real name"]})
    for make in NAMES.values():
        (ranking,) = make().fit(namespace).predict([query], k=3)
        assert all(0 <= score <= 1 for _, score in ranking)
        if query.strip() and query in names and make is not TfIdf:
            assert ranking[0][1] == pytest.approx(1)


def test_endless_names():
    namespace = pd.concat([NAMESPACE, pd.DataFrame({"id": ["long"], "name": ["poly" * 2_500]})])
    for make in NAMES.values():
        (ranking,) = make().fit(namespace).predict(["poly" * 2_500])
        assert ranking[0][0] == "long"


def test_bad_input():
    with pytest.raises(BioftError, match="no names"):
        TfIdf().fit(NAMESPACE[NAMESPACE["name"] == ""])
    with pytest.raises(BioftError, match=r"there are 1 and 2"):
        ScoreMeaning([[]], ["a", "b"])
    with pytest.raises(BioftError, match=r"there are 0 and 0"):
        ScoreMeaning([], [])


def test_outcomes():
    rankings = [[("a", 0.9), ("b", 0.5)], [("a", 0.9)], [("a", 0.9)], [], []]
    golds = ["b|a", "b", "", "b", ""]
    assert outcomes(rankings, golds).tolist() == [RIGHT, OTHER, NO_MATCH, OTHER, NO_MATCH]
    assert is_right("", "") and not is_right("", "a") and not is_right("a", "")
    assert score_features(rankings).round(6).tolist()[0] == [0.9, 0.81, 0.4, 0]
    assert score_features(rankings)[3].tolist() == [0, 0, 0, 0]


def simulated(n, seed):
    """Rankings whose best score is the probability of being right; of the rest half have no match."""
    rng = np.random.default_rng(seed)
    scores = rng.random(n)
    right, no_match = rng.random(n) < scores, rng.random(n) < 0.5
    golds = np.where(right, "a", np.where(no_match, "", "b"))
    return [[("a", float(score)), ("b", float(score) / 2)] for score in scores], golds.tolist()


def test_answers_are_calibrated():
    """Fitted on validation names, the probability of an answer is how often it is right on others."""
    rankings, golds = simulated(3_000, 0)
    model = ScoreMeaning(rankings, golds)
    rankings, golds = simulated(3_000, 1)
    answers = model.answer(rankings)
    result = metrics.load("alignment").compute(
        predictions=[each._asdict() for each in answers], references=golds, confidence=None
    )
    assert result["ece"] < 0.04
    assert result["accuracy"] > max(np.mean([gold == "a" for gold in golds]), np.mean([gold == "" for gold in golds]))
    assert np.allclose(model.probabilities(rankings).sum(axis=1), 1)
    assert {each.id for each in answers} == {"a", ""}
    assert all(each.ranked == ["a", "b"] for each in answers)


def test_nothing_found_is_no_match():
    rankings, golds = simulated(200, 0)
    model = ScoreMeaning(rankings, golds)
    (found,) = model.answer([[]])
    assert found == Answer("", [], pytest.approx(found.probability))


def test_validation_names_that_all_have_the_same_outcome():
    model = ScoreMeaning([[("a", 0.9)]] * 3, ["a"] * 3)
    assert model.answer([[("b", 0.1)]]) == [Answer("b", ["b"], 1.0)]
