"""The threshold from which on something is predicted: chosen on validation, or .5 where that is too small."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from bioft.metrics.estimation.groups import Floats, Integers
from bioft.metrics.intervals import check_labels_and_scores

NOT_FROM_DATA = ("given", "not chosen")
"""What records say of thresholds that no split chooses: nothing is noted of these."""
DEFAULT: Final = 0.5
VALIDATION: Final = "validation"
"""What `chosen_on` says where validation chooses."""
LEAST_ROWS, LEAST_POSITIVES = 200, 10
"""What validation needs to choose a threshold.

With few rows many thresholds are equally good there, and which of them is taken moves the figures on test. With few
positives the best F1 there is chance: of TF-IDF on predicted stop reasons (11 labels, 20 draws each) a threshold that
1 to 3 positives chose is worse on other texts than .5 by .004 to .030 on average, one that 10 chose better by .067.
"""


def chosen_on(truth: ArrayLike) -> str:
    """Say what chooses a threshold: `VALIDATION`, or why it is `DEFAULT` ("default .5: validation has 12 rows, …").

    `truth` are the labels of validation, 0 or 1, shape (rows,) or (rows, types).
    """
    few = too_few(len(np.asarray(truth)), int(np.sum(truth)))
    return f"default .5: {few}" if few else VALIDATION


def too_few(rows: int, positives: int = LEAST_POSITIVES) -> str | None:
    """What validation has too little of to choose a threshold, in words; None if it has enough."""
    for n, least, what in ((rows, LEAST_ROWS, "rows"), (positives, LEAST_POSITIVES, "positives")):
        if n < least:
            return f"validation has {n:,} {what}, fewer than {least}"
    return None


def note(chosen: Mapping[str, str]) -> str | None:
    """Which thresholds (`chosen_on` by the names of what they decide) are `DEFAULT`, and why; None if none is."""
    default: dict[str, list[str]] = {}
    for name, why in chosen.items():
        if why != VALIDATION:
            default.setdefault(why, []).append(name)
    of = {why: f" of {', '.join(names)}" if len(names) < len(chosen) else "" for why, names in default.items()}
    return " ".join(f"The threshold{its} is the {why}." for why, its in of.items()) or None


def choose_highest_f1(truth: np.ndarray, scores: np.ndarray, on: str, missed: int = 0) -> float:
    """Return what `best_threshold` finds on VALIDATION, or `DEFAULT`, as `chosen_on` says (`on`)."""
    return best_threshold(truth, scores, missed)[0] if on == VALIDATION else DEFAULT


def most_accurate_threshold(labels: ArrayLike, scores: ArrayLike) -> float:
    """Return the threshold that maximises accuracy, for ``score >= threshold``.

    Of several equally accurate ones it is the nearest to 0.5, then the lower; predicting nothing is one of them (above
    1 when a score is 1). BioftError: labels other than 0 and 1, scores that are NaN or outside [0, 1], lengths that
    differ, no examples.
    """
    labels, scores = check_labels_and_scores(labels, scores)
    candidates, predicted, found = _cuts(labels, scores)
    correct = 2 * found - predicted
    best = candidates[correct == correct.max()]
    return float(best[np.argmin(np.abs(best - 0.5))])


def best_threshold(truth: np.ndarray, scores: np.ndarray, missed: int = 0) -> tuple[float, float]:
    """The threshold with the highest F1, the highest of several, and that F1; it finds none of `missed` positives."""
    truth, scores = np.ravel(truth).astype(bool), np.ravel(scores)
    total = int(truth.sum()) + missed
    if not len(scores) or not total:
        return DEFAULT, 0.0
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
