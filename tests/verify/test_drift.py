"""How many rows a sample takes, so that no few of them gain much unseen."""

import numpy as np
import pytest

from bioft.tasks.answers import Outcomes, Ranking, mean_of
from bioft.verify import drift


@pytest.mark.parametrize(("positives", "rows"), [(0.5, 300), (0.1, 1_500), (0.9, 1_500)])
def test_few_replaced_rows_that_gain_much_are_drawn(positives: float, rows: int) -> None:
    """The cheapest attack on an area: rows of the rarer label, each from the worst place to the best."""
    labels = (np.arange(10_000) < 10_000 * positives).astype(int)
    rarer, sign = (1, 1.0) if positives < 0.6 else (0, -1.0)
    honest = np.where(labels == 1, 0.6, 0.4) + np.random.default_rng(0).normal(0, 0.2, 10_000)
    replaced = np.flatnonzero(labels == rarer)
    replaced = replaced[np.argsort(sign * honest[replaced])][: int(0.02 * len(replaced)) + 5]
    stored = honest.copy()
    stored[replaced] = sign * 9.0
    ids = [str(row) for row in range(10_000)]
    whole = Outcomes(ids, {"auroc": Ranking(labels, stored), "accuracy": mean_of((stored > 0.5) == labels)})
    gain = whole.metrics["auroc"].estimate().value - Ranking(labels, honest).estimate().value
    assert gain == pytest.approx(drift.EFFECT, abs=0.003)
    assert drift.rows_for_replaced(whole) == rows
    draws = [np.random.default_rng(seed).permutation(10_000)[:rows] for seed in range(200)]
    assert np.mean([np.isin(replaced, drawn).any() for drawn in draws]) >= 0.94


def test_answers_without_scores_are_right_or_wrong() -> None:
    """Of a share of right ones .02 are 2 % of the rows."""
    assert drift.rows_for_replaced(Outcomes(["a", "b"], {"accuracy": mean_of(np.array([True, False]))})) == 150
