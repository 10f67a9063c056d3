"""What a model adds to all baselines: the combination, a run's record of it, and forgeries of that record."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.metrics import roc_auc_score

from bioft.cards import model as cards
from bioft.metrics import combination as together
from bioft.storage import runs
from bioft.task import BASE, FINE_TUNED
from bioft.tasks.gene_disease import answers, evaluate
from bioft.verify import verify as verification


def systems(n: int, adds: float) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Labels, and scores of two baselines and of a model that sees `adds` of what they don't."""
    rng = np.random.default_rng(1)
    labels = rng.integers(2, size=n)
    noisy = {"one": 1.0, "two": 0.8, FINE_TUNED: adds}
    scores = {name: 1 / (1 + np.exp(-(its * (2 * labels - 1) + rng.normal(size=n)))) for name, its in noisy.items()}
    return labels, scores


def test_a_combination_is_better_than_each_of_its_systems() -> None:
    labels, scores = systems(4000, adds=1.0)
    combination = together.fit(labels[:2000], {name: its[:2000] for name, its in scores.items()})
    test = {name: its[2000:] for name, its in scores.items()}
    best = max(roc_auc_score(labels[2000:], its) for name, its in test.items())
    assert roc_auc_score(labels[2000:], together.score(combination, test)) > best + 0.02


def test_a_system_that_knows_nothing_or_says_always_the_same_hardly_counts() -> None:
    labels, scores = systems(4000, adds=0.0)
    scores["constant"] = np.full(len(labels), 0.3)
    weights = together.fit(labels, scores)["weights"]
    assert weights["constant"] == pytest.approx(0)
    assert abs(weights[FINE_TUNED]) < 0.1 < 0.5 < weights["two"]


def test_other_weights_than_those_of_validation_are_told() -> None:
    labels, scores = systems(500, adds=1.0)
    combination = together.with_model(labels, scores)
    assert not together.differs(combination, labels, scores)
    more = combination["weights"] | {FINE_TUNED: combination["weights"][FINE_TUNED] * 1.5}
    assert together.differs(combination | {"weights": more}, labels, scores)
    assert together.differs({"intercept": 0.0, "weights": {}}, labels, scores)
    assert together.differs(combination | {"fitted_on": "10,000 pairs"}, labels, scores)


def test_weights_of_scores_that_were_rounded_otherwise_are_the_same_and_others_are_not() -> None:
    """As on another processor in bfloat16, whose scores are off by about .013."""
    labels, scores = systems(400, adds=1.0)
    odds = logit(scores[FINE_TUNED])
    found = []
    for seed in range(20):
        moved = expit(odds + np.random.default_rng(seed).normal(0, 0.08, len(odds)))
        noise = float(np.sqrt(np.mean((moved - scores[FINE_TUNED]) ** 2)))
        recorded = together.with_model(labels, {**scores, FINE_TUNED: moved})
        assert not together.differs(recorded, labels, scores, noise)
        found.append(together.differs(recorded, labels, scores))
        for factor in (0.5, 1.5):
            other = recorded["weights"] | {FINE_TUNED: recorded["weights"][FINE_TUNED] * factor}
            # Neither is what is stored far off a way to be less exact.
            assert all(together.differs(recorded | {"weights": other}, labels, scores, its) for its in (noise, 0.1))
    assert any(found), "else rounding alone changes nothing, and this proves nothing"


def test_a_run_says_what_its_model_adds(combined: Path) -> None:
    record, table = runs.read(combined), pd.read_parquet(combined / "predictions.parquet")
    added, combination = record["added"], record["scoring"]["combination"]
    assert added["second"] == pytest.approx(roc_auc_score(table.label, table.baseline_all_together))
    assert record["baselines"][together.TOGETHER]["auroc"]["value"] == pytest.approx(added["second"])
    scores = {name: table[f"baseline_{name}"] for name in combination["weights"] if name != FINE_TUNED}
    made = together.score(combination, {FINE_TUNED: table.score, **scores})
    assert added["first"] == added["metrics"]["auroc"]["value"] == pytest.approx(roc_auc_score(table.label, made))
    card = (combined / runs.CARD).read_text(encoding="utf-8")
    assert added["sentence"] in card
    assert "all baselines with this model" in card


def test_what_it_adds_is_verified(combined: Path) -> None:
    found = verification.verify(combined)
    assert found.status.startswith("verified"), found.reasons


def test_weights_that_the_test_split_gives_are_found(combined: Path, tmp_path: Path) -> None:
    """Fitted on it, with figures and conclusion that follow from them."""
    copy = shutil.copytree(combined, tmp_path / "forged")
    record, table = runs.read(copy), pd.read_parquet(copy / runs.PREDICTIONS)
    stored = {name: table[f"baseline_{name}"].to_numpy() for name in record["baselines"] if name != together.TOGETHER}
    stored = {name: its for name, its in stored.items() if name != together.FEW_SHOT}
    record["scoring"]["combination"] = together.with_model(
        table["label"].to_numpy(), {FINE_TUNED: table["score"].to_numpy(), **stored}
    )
    systems = answers.systems(table, record)
    baselines = {name: its for name, its in systems.items() if name not in (FINE_TUNED, BASE)}
    record |= evaluate.comparisons(systems[FINE_TUNED], baselines, None, record)
    assert record["added"]["first"] > runs.read(combined)["added"]["first"] + 0.02
    record["files"] = runs.checksums(copy)
    (copy / runs.RECORD).write_text(json.dumps(record))
    (copy / runs.CARD).write_text(cards.model_card(record), encoding="utf-8")
    found = verification.verify(copy)
    assert found.status == "not reproduced"
    assert any("Validation does not give the recorded weights" in each for each in found.reasons), found.reasons


def without_it(record: dict[str, Any]) -> None:
    del record["added"], record["scoring"]["combination"]


def more_than_it_is(record: dict[str, Any]) -> None:
    record["added"]["first"] += 0.05
    record["added"]["metrics"]["auroc"]["value"] += 0.05


def weights_that_suit_the_test(record: dict[str, Any]) -> None:
    record["scoring"]["combination"]["weights"][FINE_TUNED] += 5


def a_threshold_that_suits_the_test(record: dict[str, Any]) -> None:
    record["scoring"]["combination"]["threshold"] += 0.004


@pytest.mark.parametrize(
    ("forge", "reason"),
    [
        (without_it, "does not say what the model adds"),
        (more_than_it_is, "(added)"),
        (weights_that_suit_the_test, "Validation does not give the recorded weights"),
        (a_threshold_that_suits_the_test, "Validation does not give the recorded threshold of the model beside"),
    ],
)
def test_forgeries_of_it_are_found(
    forge: Callable[[dict[str, Any]], None], reason: str, combined: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "forged"
    shutil.copytree(combined, copy)
    record = runs.read(copy)
    forge(record)
    record["files"] = runs.checksums(copy)
    (copy / runs.RECORD).write_text(json.dumps(record))
    (copy / runs.CARD).write_text(cards.model_card(record), encoding="utf-8")
    found = verification.verify(copy)
    assert found.status == "not reproduced"
    assert any(reason in each for each in found.reasons), found.reasons
