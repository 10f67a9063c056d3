"""How often `bioft verify --sample 20` finds scores that were moved towards their labels, and honest ones guilty.

    python tests/benchmarks/bench_verify.py --repeats 200

Scores of 3,000 pairs are simulated, and moved just so far that AUROC rises by .02. What is made again differs from
what an honest publisher would have stored by noise, as it does on another machine: sd .01 is that of 16 bits in
four-bit models, 1e-6 that of float32. No model is asked; sampling, tolerance and tests are those of `bioft.verify`.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy import stats

from bioft.metrics.estimation.ranking import auroc
from bioft.tasks.answers import Outcomes, Ranking
from bioft.verify import drift

PAIRS, SAMPLE = 3_000, 20
Floats = np.ndarray
Move = Callable[[Floats, Floats, float, np.random.Generator], Floats]


def fixed(scores: Floats, sign: Floats, size: float, rng: np.random.Generator) -> Floats:
    """Every score by the same."""
    return np.full(len(scores), size)


def random(scores: Floats, sign: Floats, size: float, rng: np.random.Generator) -> Floats:
    """Every score by a random part."""
    return 2 * size * rng.random(len(scores))


def noisy(scores: Floats, sign: Floats, size: float, rng: np.random.Generator) -> Floats:
    """Hidden in noise that is twice as large."""
    return size * (1 + 2 * rng.normal(size=len(scores)))


def positives(scores: Floats, sign: Floats, size: float, rng: np.random.Generator) -> Floats:
    """Positives only."""
    return 2 * size * (sign > 0)


def middle(scores: Floats, sign: Floats, size: float, rng: np.random.Generator) -> Floats:
    """The 30 % that are nearest to the middle, where a move gains most."""
    off = np.abs(scores - np.median(scores))
    return 3 * size * (off < np.quantile(off, 0.3))


def few(scores: Floats, sign: Floats, size: float, rng: np.random.Generator) -> Floats:
    """A few, by .08: within what 16 bits may round, and 80 times what float32 may."""
    return 0.08 * (rng.random(len(scores)) < size / 0.08)


def area(labels: Floats, scores: Floats) -> float:
    """The area under the ROC curve."""
    return auroc(labels, scores).value


def outcomes(labels: Floats, scores: Floats) -> Outcomes:
    """What verify compares."""
    return Outcomes(list(map(str, range(len(labels)))), {"auroc": Ranking(labels, scores)})


@dataclass
class World:
    """Simulated pairs; `noise` (its standard deviation) is what scores that are made again differ by."""

    labels: Floats
    scores: Floats
    noise: float
    tolerance: float
    rng: np.random.Generator

    @property
    def sign(self) -> Floats:
        """1 for positives, -1 for negatives."""
        return np.where(self.labels == 1, 1.0, -1.0)

    def is_found(self, stored: Floats) -> tuple[bool, int]:
        """Whether a sample finds the stored scores false, and how many rows it took."""
        labels, made = self.labels, self.scores + self.rng.normal(0, self.noise, PAIRS)
        whole, order = outcomes(labels, stored), self.rng.permutation(PAIRS)
        least = max(SAMPLE, drift.rows_for_replaced(whole), drift.rows_for_tolerance(whole, self.tolerance))
        drawn, wanted = 0, least
        while drawn < (wanted := min(wanted, PAIRS)):
            rows, drawn = order[:wanted], wanted
            gains = drift.gains(outcomes(labels[rows], made[rows]), outcomes(labels[rows], stored[rows]), whole)
            wanted = drift.rows_for_power(gains, drawn)
        off = not bool((np.abs(made[rows] - stored[rows]) <= self.tolerance).all())
        return off or any(each.found for each in drift.drifts(gains)), drawn

    def size_of(self, move: Move) -> float | None:
        """The size of a move that raises AUROC by .02; None if none does."""
        low, high = 0.0, 0.5
        for _ in range(25):
            size = (low + high) / 2
            moved = self.scores + self.sign * move(self.scores, self.sign, size, np.random.default_rng(0))
            gained = area(self.labels, moved) - area(self.labels, self.scores)
            low, high = (size, high) if gained < drift.EFFECT else (low, size)
        return None if high > 0.49 else high

    def share(self, repeats: int, move: Move | None = None) -> str:
        """How often it is found, and the median of the rows that it takes; without a move, of honest scores."""
        size = 0.0 if move is None else self.size_of(move)
        if size is None:
            return "–"
        results = []
        for _ in range(repeats):
            stored = self.scores + self.rng.normal(0, self.noise, PAIRS)
            stored += 0.0 if move is None else self.sign * move(self.scores, self.sign, size, self.rng)
            results.append(self.is_found(stored))
        found, rows = zip(*results, strict=True)
        return f"{np.mean(found):.3g} ({np.median(rows):.0f})"


def main() -> None:
    """Print a row of the table of docs/verify.md for each kind of scores."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=200)
    repeats, rng = parser.parse_args().repeats, np.random.default_rng(0)
    moves = (fixed, random, noisy, positives, middle, few)
    print("| noise (sd) | AUROC | sd of scores | honest found | " + " | ".join(move.__name__ for move in moves) + " |")
    for noise, tolerance in ((0.01, 0.1), (0.003, 0.1), (1e-6, 0.001)):
        for auc, spread in product((0.55, 0.9), (0.05, 0.2)):
            labels = (rng.random(PAIRS) < 0.5).astype(int)
            apart = np.sqrt(2) * stats.norm.ppf(auc) * (labels - 0.5)
            world = World(
                labels, np.clip(0.5 + spread * (rng.normal(size=PAIRS) + apart), 0, 1), noise, tolerance, rng
            )
            cells = [world.share(5 * repeats), *(world.share(repeats, move) for move in moves)]
            print(f"| {noise:g} | {auc} | {spread} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
