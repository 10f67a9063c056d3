"""The baselines of text classification: what each reads, its scores, and labels that training lacks or always has."""

import numpy as np
import pytest

from bioft.datasets.texts import baselines as text_baselines
from bioft.datasets.texts.baselines import GenderKeywords, LabelPriors, Majority, TfIdfLogistic, TfIdfSvm
from bioft.datasets.trials import sexes
from bioft.errors import BioftError

LABELS = ["Covid19", "Negative", "Success"]
TEXTS = ["pandemic lockdown", "no effect seen", "lockdown again", "futile, no effect", "closed by the pandemic"]
TRUTH = [["Covid19"], ["Negative"], ["Covid19"], ["Negative"], ["Covid19"]]


@pytest.mark.parametrize("kind", [TfIdfLogistic, TfIdfSvm])
@pytest.mark.parametrize("multi_label", [False, True])
def test_tfidf_learns_words(kind, multi_label):
    """A label that no training text has is never likely."""
    scores = kind(LABELS, multi_label=multi_label).fit(TEXTS, TRUTH).scores(["the pandemic", "there was no effect"])
    assert scores.shape == (2, 3) and ((scores >= 0) & (scores <= 1)).all()
    assert scores.argmax(axis=1).tolist() == [0, 1] and (scores[:, 2] == 0).all()


def test_tfidf_with_one_label_that_varies_and_one_that_all_have():
    """As in small training splits of several labels a text."""
    truth = [["Success", *its] if its == ["Covid19"] else ["Success"] for its in TRUTH]
    scores = TfIdfLogistic(LABELS, multi_label=True).fit(TEXTS, truth).scores(["the pandemic", "no effect"])
    assert scores[0, 0] > 0.5 > scores[1, 0] and (scores[:, 1] == 0).all() and (scores[:, 2] == 1).all()


def test_majority_and_priors_read_no_text():
    assert Majority(LABELS, multi_label=False).fit(TEXTS, TRUTH).scores(["x"]).tolist() == [[1.0, 0.0, 0.0]]
    for multi_label in (False, True):
        drawn = LabelPriors(LABELS, multi_label=multi_label).fit(TEXTS, TRUTH).scores(["x"] * 4000)
        np.testing.assert_allclose(drawn.mean(axis=0), [0.6, 0.4, 0.0], atol=0.03)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Men with prostate cancer", "Male"),
        ("Pregnant WOMEN in their third trimester", "Female"),
        ("Adult men and women with asthma", "All"),
        ("Adults with asthma. Treatment and management of management", "All"),
        ("Semental males", "Male"),
    ],
)
def test_keywords_of_gender(text, label):
    """Whole words only: "treatment" holds no "men"."""
    baseline = GenderKeywords(sexes.LABELS, multi_label=False).fit([text], [[label]])
    assert sexes.LABELS[int(baseline.scores([text]).argmax())] == label


def test_keywords_are_for_the_labels_of_gender_only():
    assert "gender_keywords" in text_baselines.baselines_for(["All", "Male", "Female"])
    assert "gender_keywords" not in text_baselines.baselines_for(LABELS)


def test_nothing_to_fit_on_is_refused():
    with pytest.raises(BioftError, match="no texts to fit"):
        Majority(LABELS, multi_label=False).fit([], [])
