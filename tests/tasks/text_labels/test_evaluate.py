"""Figures of labels: of two that exclude each other F1 of the second first, and figures beside near neighbours."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from datasets import Dataset, DatasetDict
from sklearn.metrics import f1_score

from bioft.task import FINE_TUNED
from bioft.tasks import neighbours
from bioft.tasks.text_labels import answers, evaluate

TWO: dict[str, Any] = {"labels": ["no", "yes"], "classifier": {"multi_label": False}}


def table(truth: list[str], answered: list[str]) -> pd.DataFrame:
    cells = {"label": [[each] for each in truth], "prediction": [[each] for each in answered]}
    return pd.DataFrame({"id": [f"t{row}" for row in range(len(truth))], **cells})


@pytest.fixture
def answered() -> tuple[list[str], list[str], list[str]]:
    """What is so, and what a better and a worse system say of 90 texts."""
    rng = np.random.default_rng(0)
    truth = np.where(rng.random(90) < 0.3, "yes", "no")
    other = np.where(truth == "yes", "no", "yes")
    ours, theirs = (np.where(rng.random(90) < share, other, truth).tolist() for share in (0.1, 0.3))
    return truth.tolist(), ours, theirs


def test_of_two_labels_the_main_metric_is_f1_of_the_second(answered: tuple[list[str], ...]) -> None:
    """In the table of a recipe, in its comparison and in those between runs: that of scikit-learn, and no accuracy."""
    truth, ours, theirs = answered
    expected = f1_score(truth, ours, pos_label="yes")
    made, worse = table(truth, ours), table(truth, theirs)
    assert list(evaluate.shown(TWO))[:2] == ["yes_f1", "f1"]
    assert evaluate.figures(made, None, TWO)["yes_f1"]["value"] == pytest.approx(expected)
    compared = evaluate.comparisons(made, {"worse": worse}, None, TWO)["comparison"]
    assert compared["metric"] == "yes_f1" and "F1, yes" in compared["sentence"]
    difference = expected - f1_score(truth, theirs, pos_label="yes")
    assert compared["difference"] == pytest.approx(difference)
    metrics = answers.outcomes(made).metrics
    assert next(iter(metrics)) == "yes_f1" and metrics["yes_f1"].estimate().value == pytest.approx(expected)


def test_of_other_labels_it_is_micro_f1(answered: tuple[list[str], ...]) -> None:
    truth, ours, _ = answered
    made = table([*truth, "perhaps"], [*ours, "no"])
    record = TWO | {"labels": ["no", "perhaps", "yes"]}
    assert next(iter(evaluate.shown(record))) == next(iter(answers.outcomes(made).metrics)) == "f1"
    several = made.assign(label=[["no", "yes"], *made["label"][1:]])
    assert next(iter(answers.outcomes(several).metrics)) == "f1"


def texts(prefix: str, n: int, words: str) -> Dataset:
    """The first half says what the others of its number do, the second half something else."""
    shared = [f"shared{row} alike{row} same{row} equal{row} {words}" for row in range(n // 2)]
    own = [f"{prefix}{row} new{prefix}{row} apart{prefix}{row}" for row in range(n // 2, n)]
    return Dataset.from_dict({"id": [f"{prefix}{row}" for row in range(n)], "text": [*shared, *own]})


def test_texts_with_a_near_neighbour_are_measured_apart(answered: tuple[list[str], ...]) -> None:
    truth, ours, theirs = answered
    dataset = DatasetDict(train=texts("train", 90, ""), test=texts("test", 90, "too"))
    near = neighbours.nearest(dataset["train"]["text"], dataset["test"]["text"]) >= neighbours.NEAR
    assert near.tolist() == [True] * 45 + [False] * 45
    systems = {"worse": table(truth, theirs)}
    found = evaluate.comparisons(table(truth, ours), systems, dataset, TWO)["by_neighbour"]
    for name, rows in {"near": slice(0, 45), "rest": slice(45, 90)}.items():
        assert found[name]["n"] == 45
        for system, its in {FINE_TUNED: ours, "worse": theirs}.items():
            assert found[name][system]["value"] == pytest.approx(f1_score(truth[rows], its[rows], pos_label="yes"))
    assert found["sentence"].startswith(
        "45 of 90 test texts have a near neighbour in training (cosine of 0.8 or more):"
    )
    assert f"{found['near']['worse']['value']:.3f} and {found['rest']['worse']['value']:.3f}" in found["sentence"]


def test_texts_without_a_word_are_near_nothing() -> None:
    assert neighbours.nearest(["...", "–"], ["a word", "..."]).tolist() == [0.0, 0.0]
    assert neighbours.nearest(["a word of ours"], ["...", "a word of ours"]).tolist() == [0.0, 1.0]


def test_few_texts_on_either_side_have_no_figures(answered: tuple[list[str], ...]) -> None:
    truth, ours, theirs = answered
    dataset = DatasetDict(train=texts("train", 8, ""), test=texts("test", 90, "too"))
    systems = {"worse": table(truth, theirs)}
    found = evaluate.comparisons(table(truth, ours), systems, dataset, TWO)["by_neighbour"]
    assert found["near"] == {"n": 4} and found["rest"]["n"] == 86
    assert found["sentence"] == "4 of 90 test texts have a near neighbour in training (cosine of 0.8 or more)."
