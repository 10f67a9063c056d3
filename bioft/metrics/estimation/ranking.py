"""Areas under curves of scores: AUROC and AUPRC, with the influence of each example."""

import math

import numpy as np
from numpy.typing import ArrayLike

from bioft.metrics.estimation.estimates import Estimate
from bioft.metrics.estimation.groups import Floats, Integers


def falling(scores: Floats) -> tuple[Integers, Integers]:
    """Return the order of falling scores, and the place of the last of each run of equal ones in it."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    return order, np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))


def auroc(labels: ArrayLike, scores: ArrayLike) -> Estimate:
    """The area under the ROC curve for labels 0 and 1, each of shape (n,); NaN with one class only.

    It is the share of pairs of a positive and a negative example in which the positive one scores higher, ties as half
    (Mann and Whitney 1947). Influences are the structural components of DeLong et al. (1988).
    """
    from scipy.stats import rankdata  # a second of imports, which asking a model needs not

    positive, scores = np.asarray(np.equal(labels, 1)), np.asarray(scores, np.float64)
    positives, negatives = int(positive.sum()), int((~positive).sum())
    influence = np.zeros(len(scores))
    if not (positives and negatives):
        return Estimate(math.nan, influence)
    ranks = rankdata(scores)
    # For each example: the share of the other class that it is ranked right against.
    influence[positive] = (ranks[positive] - rankdata(scores[positive])) / negatives
    influence[~positive] = 1 - (ranks[~positive] - rankdata(scores[~positive])) / positives
    area = float(influence[positive].mean())
    influence -= area
    for its, size in ((positive, positives), (~positive, negatives)):
        # Each class has a mean of its own, as in DeLong's variance.
        influence[its] *= math.sqrt(size / max(size - 1, 1)) / size
    return Estimate(area, influence, (positive, ~positive))


def auprc(labels: ArrayLike, scores: ArrayLike) -> Estimate:
    """Average precision for labels 0 and 1, each of shape (n,), as in scikit-learn; NaN without positives."""
    positive, scores = np.asarray(np.equal(labels, 1)), np.asarray(scores, np.float64)
    positives = int(positive.sum())
    if not positives:
        return Estimate(math.nan, np.zeros(len(scores)))
    # Tied examples enter the curve together; everything below is by runs of equal scores.
    order, ends = falling(scores)
    run = np.searchsorted(ends, np.arange(len(order)))
    found = np.cumsum(positive[order])[ends].astype(np.float64)
    taken = (ends + 1).astype(np.float64)
    precision, gained = found / taken, np.diff(found, prepend=0).astype(np.float64)
    area = float((gained * precision).sum()) / positives
    # An example is taken at its own score and at all lower ones, where it changes the precision.
    raised = np.cumsum((gained / taken)[::-1])[::-1][run]
    lowered = np.cumsum((gained * precision / taken)[::-1])[::-1][run]
    influence = np.empty(len(scores))
    influence[order] = (positive[order] * (precision[run] - area + raised) - lowered) / positives
    # As if each had been left out of what it is compared with (jackknife): a positive lifts its own precision.
    influence *= positives / max(positives - 1, 1)
    return Estimate(area, influence, (positive,), bias=_bias(area, gained, found, taken, len(scores)))


def _bias(area: float, gained: Floats, found: Floats, taken: Floats, n: int) -> float:
    """The bias of average precision by the jackknife (Quenouille 1949): of few positives each lifts its own precision.

    Arrays are by runs of equal scores: positives in it, positives and examples down to it. 0 of a single positive.
    """
    positives, precision = found[-1], found / taken
    if positives < 2:
        return 0.0
    fewer, wrong = np.maximum(taken - 1, 1), taken - found
    # The sums of the areas without one positive, and without one negative.
    without = gained @ ((found - 1) ** 2 / fewer + (positives - found) * precision) / (positives - 1)
    without += gained @ (wrong * found / fewer + (n - positives - wrong) * precision) / positives
    return float((n - 1) * (without / n - area))
