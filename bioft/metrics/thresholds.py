"""The threshold that validation chooses."""

import numpy as np


def best_threshold(truth: np.ndarray, scores: np.ndarray, missed: int = 0) -> tuple[float, float]:
    """The score from which on a relation is predicted, such that F1 is highest, and that F1. Choose on VALIDATION.

    Args:
        truth: 0 or 1, any shape.
        scores: of the same shape.
        missed: relations beside those in `truth`, which no threshold finds.
    """
    truth, scores = np.ravel(truth).astype(bool), np.ravel(scores)
    total = int(truth.sum()) + missed
    if not len(scores) or not total:
        return 0.5, 0.0
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    f1 = 2 * np.cumsum(truth[order]) / (np.arange(1, len(order) + 1) + total)
    # Equal scores are predicted together.
    f1[:-1][ranked[:-1] == ranked[1:]] = -1.0
    best = int(f1.argmax())
    below = ranked[best + 1] if best + 1 < len(ranked) else 0.0
    return float((ranked[best] + below) / 2), float(f1[best])
