"""Whether a threshold is the one that the rule gives on validation, up to the noise of scores that are made again."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from bioft.metrics.estimation.groups import Floats
from bioft.metrics.thresholds import VALIDATION

FIRST = 3
"""The schema of records from which on validation must have enough rows to choose."""
DRAWS = 300
ROUNDING = 1e-5
"""How far a threshold may be moved by scores that are the same but for rounding in float32."""
Checked = tuple[list[str], list[str]]
"""Why thresholds are not as they should be, and what else is to know of them."""


def is_other_rule(stated: str, rule: str, record: Mapping[str, Any]) -> bool:
    """Whether a record says that something else chose a threshold than what does by the size of validation."""
    return stated != rule and not (stated == VALIDATION and int(record["schema_version"]) < FIRST)


def not_given(
    recorded: Sequence[float], choose: Callable[[Floats], Sequence[float]], scores: Floats, noise: float
) -> list[int]:
    """The places of those of the recorded thresholds that the rule `choose` does not give on validation.

    On a plateau of thresholds that are equally good a forger may take the one that suits the test split. So it must be
    what the rule gives on the validation `scores`, or on scores that differ from them by the `noise` (its standard
    deviation) with which scores are made again.
    """
    rng, wanted = np.random.default_rng(0), np.asarray(recorded, dtype=float)
    given = [choose(scores)]
    for _ in range(DRAWS if noise > ROUNDING else 0):
        given.append(choose(np.clip(scores + rng.normal(0, noise, scores.shape), 0, 1)))
    nearest = np.abs(np.array(given, dtype=float) - wanted).min(axis=0)
    return np.flatnonzero(~(nearest <= 3 * noise + ROUNDING)).tolist()
