"""All baselines as one, and with the model: does a model add to what needs none?

A logistic regression on the log-odds of the systems' scores, fitted on the validation split, which none was fitted on.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from bioft.metrics import thresholds as choosing
from bioft.task import BASE, FINE_TUNED

TOGETHER = "all_together"
"""The name of the baseline that all others make together."""
FEW_SHOT = "few_shot"
"""The name of the base model that reads examples, which no combination has."""
LEAST = 1e-4
"""Scores nearer to 0 or 1 count as this near."""
NEAR = 0.005
"""How far scores of a combination that is fitted again may be from those by the recorded weights."""
DRAWN, ROOM, MOST_NOISE = 20, 2.0, 0.02
"""How often noise of the model's scores is drawn, how many times as far as the farthest the combination may be, and
the largest noise that counts: rounding to 16 bits moves scores by about .013, more of it may be somebody's hand."""


def fit(labels: np.ndarray, scores: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The weights of systems, by their scores on the validation split: `{"intercept", "weights": {name: weight}}`.

    `labels` and each of `scores` have shape `(n,)`; a system whose scores are all the same gets 0.
    """
    odds = _log_odds(scores)
    scaler = StandardScaler().fit(odds)
    model = LogisticRegression().fit(scaler.transform(odds), labels)
    weights = model.coef_[0] / scaler.scale_
    intercept = float(model.intercept_[0] - weights @ scaler.mean_)
    return {"intercept": intercept, "weights": dict(zip(scores, map(float, weights), strict=True))}


def score(combination: Mapping[str, Any], scores: Mapping[str, np.ndarray]) -> np.ndarray:
    """The probability that a combination gives, shape `(n,)`, from the scores of each of its systems."""
    weights = combination["weights"]
    odds = _log_odds({name: scores[name] for name in weights}) @ np.array(list(weights.values()))
    return 1 / (1 + np.exp(-(odds + combination["intercept"])))


def with_model(labels: np.ndarray, scores: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The combination of the model and all baselines, with its threshold, as `run.json` holds it.

    `labels` and `scores` are of the validation split; the scores may hold other systems too.
    """
    others = {name: its for name, its in scores.items() if name not in (TOGETHER, FINE_TUNED, BASE, FEW_SHOT)}
    combination = fit(labels, {FINE_TUNED: scores[FINE_TUNED], **others})
    made = score(combination, scores)
    return combination | {"threshold": choosing.most_accurate_threshold(labels, made)}


def table(combination: Mapping[str, Any], model: pd.DataFrame, baselines: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The predictions table of model and baselines together, from theirs."""
    scores = {name: its["score"].to_numpy() for name, its in baselines.items()}
    made = score(combination, {FINE_TUNED: model["score"].to_numpy(), **scores})
    return model.assign(score=made, prediction=(made >= combination["threshold"]).astype(int))


def differs(
    recorded: Mapping[str, Any], labels: np.ndarray, scores: Mapping[str, np.ndarray], noise: float = 0.0
) -> bool:
    """Whether the recorded weights of the model and all baselines are not those that validation gives.

    `noise` is that of the model's scores: what as much of it changes of the combination is no difference.
    """
    again = with_model(labels, scores)
    if recorded.keys() - again.keys() or recorded.get("weights", {}).keys() != again["weights"].keys():
        return True
    made, odds = score(again, scores), _log_odds({FINE_TUNED: scores[FINE_TUNED]})[:, 0]
    model = 1 / (1 + np.exp(-odds))
    # As noise of the log-odds: near 0 and 1 scores are moved less.
    spread = min(noise, MOST_NOISE) / np.sqrt(np.mean((model * (1 - model)) ** 2))
    rng, near = np.random.default_rng(0), NEAR
    for _ in range(DRAWN if noise else 0):
        moved = 1 / (1 + np.exp(-(odds + rng.normal(0, spread, len(odds)))))
        drawn = with_model(labels, {**scores, FINE_TUNED: moved})
        near = max(near, ROOM * float(np.abs(score(drawn, scores) - made).max()))
    return not np.abs(score(recorded, scores) - made).max() <= near


def _log_odds(scores: Mapping[str, np.ndarray]) -> np.ndarray:
    clipped = np.clip(np.stack(list(scores.values()), axis=1), LEAST, 1 - LEAST)
    return np.log(clipped / (1 - clipped))
