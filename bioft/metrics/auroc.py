"""The area under the ROC curve: of many resamples at once, and with DeLong's interval."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from bioft.metrics.bootstrap import Floats, ratio


def auroc(labels: ArrayLike, scores: ArrayLike, weights: NDArray[np.floating]) -> Floats:
    """Return AUROC in each resample, shape (resamples,), for weights of shape (resamples, n); NaN with one class only.

    The share of pairs of a positive and a negative example in which the positive one scores higher, ties as half (Mann
    and Whitney 1947). Weights are whole numbers, so all sums are exact; weights in float32 whose columns are
    contiguous (``order="F"``) are not copied.
    """
    labels, scores = np.asarray(labels), np.asarray(scores)
    drawn = np.ascontiguousarray(weights.T, dtype=np.float32)
    positives, negatives = (np.flatnonzero(labels == label) for label in (1, 0))
    negatives = negatives[np.argsort(scores[negatives], kind="stable")]
    below, up_to = (np.searchsorted(scores[negatives], scores[positives], side=side) for side in ("left", "right"))
    there, sums = drawn[positives], _running_sums(drawn[negatives])
    wins = sums[below]
    if (below != up_to).any():
        wins = (wins + sums[up_to]) * np.float32(0.5)
    total = there.sum(axis=0, dtype=np.float64) * sums[-1]
    return ratio(np.einsum("ij,ij->j", there, wins, dtype=np.float64), total)


def _running_sums(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The sum of the first 0, 1, … rows, shape (n + 1 or more, columns).

    In blocks, whose rows are added side by side, which is faster than numpy's cumsum along the first axis.
    """
    n, columns = rows.shape
    size = max(1, int(np.sqrt(n)))
    blocks = np.zeros((-(-(n + 1) // size), size, columns), rows.dtype)
    blocks.reshape(-1, columns)[1 : n + 1] = rows
    for place in range(1, size):
        blocks[:, place] += blocks[:, place - 1]
    for place in range(1, len(blocks)):
        blocks[place] += blocks[place - 1, -1]
    return blocks.reshape(-1, columns)


def delong_interval(labels: ArrayLike, scores: ArrayLike) -> tuple[float, float, float]:
    """AUROC and its 95 % interval by DeLong's variance (fast form: Sun and Xu, IEEE SPL 2014)."""
    labels, scores = np.asarray(labels), np.asarray(scores)
    positive, negative = scores[labels == 1], scores[labels == 0]
    n_positive, n_negative = len(positive), len(negative)
    ranks = stats.rankdata(np.concatenate([positive, negative]))
    # For each example: the fraction of the other class that it is ranked right against.
    of_positive = (ranks[:n_positive] - stats.rankdata(positive)) / n_negative
    of_negative = 1 - (ranks[n_positive:] - stats.rankdata(negative)) / n_positive
    area = float(of_positive.mean())
    variance = sum(float(part.var(ddof=1)) / len(part) for part in (of_positive, of_negative) if len(part) > 1)
    margin = 1.959963984540054 * variance**0.5
    return area, max(0.0, area - margin), min(1.0, area + margin)
