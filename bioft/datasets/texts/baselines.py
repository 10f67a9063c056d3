"""Baselines of text classification that need no language model: a model is worth its training where it beats them.

Each is fitted on the texts and labels of a training split and gives every text a score in [0, 1] for each label; what
becomes of the scores (the best label, or all above a threshold) is the same as for a model.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.svm import LinearSVC

from bioft.datasets.trials import sexes
from bioft.errors import BioftError

Floats = NDArray[np.float64]
MAX_CHARACTERS = 4000
"""Of a text, as many as the TF-IDF baselines read: whole eligibility criteria would make them slow."""


class TextBaseline(ABC):
    """Scores the labels of texts, after being fitted on a training split."""

    def __init__(self, labels: Sequence[str], *, multi_label: bool) -> None:
        self.labels = list(labels)
        self.multi_label = multi_label

    def fit(self, texts: Sequence[str], labels: Sequence[Sequence[str]]) -> Self:
        """Fit on texts with the labels of each, and return the baseline itself; BioftError: no texts."""
        if not len(texts):
            raise BioftError("There are no texts to fit a baseline on.")
        self._fit(list(texts), indicator_matrix(labels, self.labels))
        return self

    def scores(self, texts: Sequence[str]) -> Floats:
        """A score in [0, 1] of each label for each text, shape (texts, labels)."""
        return self._scores(list(texts))

    @abstractmethod
    def _fit(self, texts: list[str], truth: Floats) -> None: ...

    @abstractmethod
    def _scores(self, texts: list[str]) -> Floats: ...


class Majority(TextBaseline):
    """The most frequent label of training, always."""

    def _fit(self, texts: list[str], truth: Floats) -> None:
        self.most_frequent = int(truth.sum(axis=0).argmax())

    def _scores(self, texts: list[str]) -> Floats:
        scores = np.zeros((len(texts), len(self.labels)))
        scores[:, self.most_frequent] = 1.0
        return scores


class LabelPriors(TextBaseline):
    """Labels drawn at random, each as often as in training (with a fixed seed)."""

    def _fit(self, texts: list[str], truth: Floats) -> None:
        self.priors = truth.mean(axis=0)

    def _scores(self, texts: list[str]) -> Floats:
        rng = np.random.default_rng(0)
        if self.multi_label:
            return (rng.random((len(texts), len(self.labels))) < self.priors).astype(np.float64)
        drawn = rng.choice(len(self.labels), size=len(texts), p=self.priors / self.priors.sum())
        return np.eye(len(self.labels))[drawn]


class TfIdfLogistic(TextBaseline):
    """TF-IDF of words, word pairs and character sequences; a logistic regression for each label against the rest."""

    classifier: Any = LogisticRegression
    options: dict[str, Any] = {"C": 10.0, "class_weight": "balanced", "max_iter": 300}  # noqa: RUF012

    def _fit(self, texts: list[str], truth: Floats) -> None:
        self.known = np.flatnonzero(truth.any(axis=0) & ~truth.all(axis=0))
        self.always = truth.all(axis=0)
        features = make_union(
            TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b"),
            TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, min_df=2),
        )
        self.pipeline = make_pipeline(features, OneVsRestClassifier(self.classifier(**self.options)))
        if len(self.known):
            # One column would be taken for classes instead of a label that is there or not.
            columns = truth[:, self.known].astype(int) if len(self.known) > 1 else truth[:, self.known[0]].astype(int)
            self.pipeline.fit([text[:MAX_CHARACTERS] for text in texts], columns)

    def _scores(self, texts: list[str]) -> Floats:
        scores = np.tile(self.always.astype(np.float64), (len(texts), 1))
        if len(self.known):
            decisions = np.asarray(self.pipeline.decision_function([text[:MAX_CHARACTERS] for text in texts]))
            scores[:, self.known] = 1 / (1 + np.exp(-decisions.reshape(len(texts), -1)))
        return scores


class TfIdfSvm(TfIdfLogistic):
    """The same features with a linear support vector machine; the scores are its decisions, squeezed into [0, 1]."""

    classifier: Any = LinearSVC
    options: dict[str, Any] = {"C": 0.5, "class_weight": "balanced"}  # noqa: RUF012


class GenderKeywords(TextBaseline):
    """Who may take part in a trial, by the words for a sex in its text.

    Words of one sex only give that sex; words of both, or of none, give All.
    """

    def _fit(self, texts: list[str], truth: Floats) -> None:
        """Nothing is learnt."""

    def _scores(self, texts: list[str]) -> Floats:
        scores = np.zeros((len(texts), len(self.labels)))
        for row, text in zip(scores, texts, strict=True):
            male, female = bool(sexes.MALE.search(text)), bool(sexes.FEMALE.search(text))
            label = "All" if male == female else "Male" if male else "Female"
            if label in self.labels:
                row[self.labels.index(label)] = 1.0
        return scores


TEXTS: dict[str, type[TextBaseline]] = {
    "majority": Majority,
    "label_priors": LabelPriors,
    "tfidf_svm": TfIdfSvm,
    "tfidf_logistic": TfIdfLogistic,
}
"""Those for any labels."""


def baselines_for(labels: Sequence[str]) -> dict[str, type[TextBaseline]]:
    """The baselines that suit these labels."""
    rules = {"gender_keywords": GenderKeywords} if set(labels) <= set(sexes.LABELS) else {}
    return {**TEXTS, **rules}


def indicator_matrix(labels: Sequence[Sequence[str]], known: Sequence[str]) -> Floats:
    """1 where a text has a label, else 0; shape (texts, labels)."""
    column = {label: index for index, label in enumerate(known)}
    matrix = np.zeros((len(labels), len(known)))
    for row, its in enumerate(labels):
        matrix[row, [column[label] for label in its]] = 1.0
    return matrix
