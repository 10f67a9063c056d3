"""The threshold that validation chooses: from which score on something is predicted."""

import numpy as np
from numpy.typing import ArrayLike

from bioft.metrics.bootstrap import Floats, Integers
from bioft.metrics.intervals import check_labels_and_scores


def most_accurate_threshold(labels: ArrayLike, scores: ArrayLike) -> float:
    """Return the threshold that maximises accuracy, for ``score >= threshold``. Choose it on VALIDATION only.

    Of several equally accurate ones it is the nearest to 0.5, then the lower; predicting nothing is one of them (above
    1 when a score is 1).

    Raises:
        BioftError: labels other than 0 and 1, scores that are NaN or outside [0, 1], lengths that differ, no examples.
    """
    labels, scores = check_labels_and_scores(labels, scores)
    candidates, predicted, found = _cuts(labels, scores)
    correct = 2 * found - predicted
    best = candidates[correct == correct.max()]
    return float(best[np.argmin(np.abs(best - 0.5))])


def best_threshold(truth: np.ndarray, scores: np.ndarray, missed: int = 0) -> tuple[float, float]:
    """Return the threshold that maximises F1, the highest of several, and that F1. Choose it on VALIDATION only.

    Args:
        truth: 0 or 1, any shape.
        scores: of the same shape.
        missed: positives beside those in `truth`, which no threshold finds.
    """
    truth, scores = np.ravel(truth).astype(bool), np.ravel(scores)
    total = int(truth.sum()) + missed
    if not len(scores) or not total:
        return 0.5, 0.0
    # Predicting nothing is no choice here: its F1 is 0.
    candidates, predicted, found = (each[:-1][::-1] for each in _cuts(truth, scores))
    f1 = 2 * found / (predicted + total)
    best = int(f1.argmax())
    return float(candidates[best]), float(f1[best])


def _cuts(labels: np.ndarray, scores: Floats) -> tuple[Floats, Integers, Integers]:
    """Return all thresholds that differ, in rising order, and how many examples and how many positives each predicts.

    They are the midpoints between neighbouring scores, and one outside them at each end.
    """
    order = np.argsort(scores, kind="stable")
    values, starts = np.unique(scores[order], return_index=True)
    middle = (values[:-1] + values[1:]) / 2
    # Between adjacent floats the midpoint rounds to one of them: it must not take the lower one in.
    middle = np.where(middle <= values[:-1], values[1:], middle)
    above = (values[-1] + 1) / 2
    above = above if above > values[-1] else np.nextafter(values[-1], 2)
    below = np.append(starts, len(labels))
    positives_below = np.concatenate([[0], np.cumsum(labels[order])])[below]
    candidates = np.concatenate([[values[0] / 2], middle, [above]])
    return candidates, len(labels) - below, positives_below[-1] - positives_below
