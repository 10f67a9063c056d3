"""From ranked candidates to an answer with a probability: the best candidate, or "no match".

What a score means is learnt on validation names: for each name a multinomial logistic regression tells the
probabilities that its best candidate is right, that the namespace has no match, and that another id is right.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from bioft.datasets.metabolites.baselines import Ranking
from bioft.errors import BioftError

Floats = NDArray[np.floating[Any]]

RIGHT, NO_MATCH, OTHER = 0, 1, 2
"""What can be true of a name: its best candidate is right, the namespace has none, or another id is right."""


class Answer(NamedTuple):
    """What is answered for a name: an id or "" for no match, the ids in order, and the probability of being right."""

    id: str
    ranked: list[str]
    probability: float


def is_right(identifier: str, gold: str) -> bool:
    """Tell whether an id is one of the right ones (joined by "|"); "" is right where there is none."""
    return identifier in gold.split("|")


def outcomes(rankings: Sequence[Ranking], golds: Sequence[str]) -> NDArray[np.int64]:
    """Return for each name whether its best candidate is right, shape (n,): `RIGHT`, `NO_MATCH` or `OTHER`."""
    return np.array(
        [
            NO_MATCH if not gold else RIGHT if ranking and is_right(ranking[0][0], gold) else OTHER
            for ranking, gold in zip(rankings, golds, strict=True)
        ],
        dtype=np.int64,
    )


def score_features(rankings: Sequence[Ranking]) -> Floats:
    """Return what the scores alone tell, shape (n, 4): best, its square, lead over the second, and whether it is 1."""
    best = np.array([ranking[0][1] if ranking else 0.0 for ranking in rankings])
    second = np.array([ranking[1][1] if len(ranking) > 1 else 0.0 for ranking in rankings])
    return np.stack([best, best**2, best - second, best >= 1 - 1e-6], axis=1)


class AnswerModel:
    """Turns features of candidates into answers; fitted on validation names."""

    def fit(self, features: Floats, rankings: Sequence[Ranking], golds: Sequence[str]) -> Self:
        """Learn from names with known ids; `features` has shape (names, any number). Returns the model itself.

        Raises:
            BioftError: no names, or not as many of each.
        """
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        if not len(golds) or not len(features) == len(rankings) == len(golds):
            raise BioftError(
                f"Answers are learnt from names with features, candidates and ids: there are {len(features)}, "
                f"{len(rankings)} and {len(golds)}."
            )
        truth = outcomes(rankings, golds)
        self.classes = np.unique(truth)
        if len(self.classes) > 1:
            self.classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(features, truth)
        return self

    def probabilities(self, features: Floats) -> Floats:
        """Return the probabilities of `RIGHT`, `NO_MATCH` and `OTHER`, shape (n, 3)."""
        result = np.zeros((len(features), 3))
        known = self.classifier.predict_proba(features) if len(self.classes) > 1 else np.ones((len(features), 1))
        result[:, self.classes] = known
        return result

    def answer(self, features: Floats, rankings: Sequence[Ranking]) -> list[Answer]:
        """Answer each name with what is most probably right: its best candidate or "" for no match."""
        answers = []
        for ranking, (right, no_match, _) in zip(rankings, self.probabilities(features), strict=True):
            ranked = [identifier for identifier, _ in ranking]
            if ranking and right >= no_match:
                answers.append(Answer(ranked[0], ranked, float(right)))
            else:
                answers.append(Answer("", ranked, float(no_match)))
        return answers
