"""The protocol: threshold from validation, no trained row is scored, the conclusion follows from the interval."""

import numpy as np
import pandas as pd
import pytest
from datasets import Dataset, DatasetDict
from rich.console import Console

from bioft.errors import LeakageError
from bioft.metrics import intervals, report
from bioft.tasks.gene_disease import evaluate as evaluation


def pairs(prefix: str, labels: list[int]) -> Dataset:
    names = [f"{prefix}{index}" for index in range(len(labels))]
    return Dataset.from_dict({"gene": names, "gene_id": names, "disease": names, "disease_id": names, "label": labels})


@pytest.fixture
def dataset() -> DatasetDict:
    labels = [1, 0] * 100
    return DatasetDict({split: pairs(split, labels) for split in ("train", "validation", "test")})


def noisy(labels: np.ndarray, strength: float, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=len(labels))
    return 1 / (1 + np.exp(-(strength * (labels - 0.5) + noise)))


def test_the_threshold_comes_from_validation_and_not_from_test(dataset: DatasetDict) -> None:
    labels = np.array([1, 0] * 100)
    # Validation is perfect at 0.8; test would be perfect at 0.2, and is half right at 0.8.
    validation, test = np.where(labels, 0.9, 0.7), np.where(labels, 0.3, 0.1)
    threshold = evaluation.choose_threshold(dataset, {"validation": validation, "test": test}, "validation")
    assert threshold == pytest.approx(0.8)
    found = evaluation.figures(evaluation.predictions(dataset["test"], test, threshold), dataset, {})
    assert found["accuracy"]["value"] == 0.5
    assert found["auroc"]["value"] == 1.0


def test_a_validation_split_that_is_too_small_chooses_no_threshold(dataset: DatasetDict) -> None:
    """Of 199 rows the perfect threshold .8 is not taken, and the record says why."""
    assert evaluation.threshold_chosen_on(dataset) == "validation"
    dataset["validation"] = dataset["validation"].select(range(199))
    on = evaluation.threshold_chosen_on(dataset)
    assert on == "default .5: validation has 199 rows, fewer than 200"
    scores = {"validation": np.where(dataset["validation"]["label"], 0.9, 0.7)}
    assert evaluation.choose_threshold(dataset, scores, on) == 0.5
    dataset["validation"] = pairs("validation", [1] * 9 + [0] * 300)
    assert evaluation.threshold_chosen_on(dataset) == "default .5: validation has 9 positives, fewer than 10"


def test_figures_of_scores_without_a_threshold_are_those_that_need_none(dataset: DatasetDict) -> None:
    scores = noisy(np.array([1, 0] * 100), 1.0, 0)
    tables = [evaluation.predictions(dataset["test"], scores, threshold) for threshold in (None, 0.5, 2.0)]
    without, usual, none = (evaluation.figures(table, dataset, {}) for table in tables)
    assert set(without) == {"auroc", "auprc", "ece"} and set(without) < set(usual)
    assert all(without[name] == usual[name] for name in without)
    assert none["recall"]["value"] == 0 and none["accuracy"]["value"] == 0.5, "no pair reaches the threshold"


def test_families_are_names_that_differ_by_a_number(dataset: DatasetDict) -> None:
    """Of the entities that training lacks; one that stands alone in its family there is none, nor is another name."""
    train, test = dataset["train"].to_list(), dataset["test"].to_list()
    names = ("ataxia type 1", "glycogen disease ii", "hla b", "gout")
    for row, name in enumerate(names):
        train[row] |= {"disease": name, "disease_id": f"t{row}"}
    for row, name in enumerate(("ataxia type 2", "glycogen disease iv", "hla c", "Gout 3", "anaemia")):
        test[row] |= {"disease": name, "disease_id": f"x{row}"}
    dataset["train"], dataset["test"] = Dataset.from_list(train), Dataset.from_list(test)
    found = evaluation.audit(dataset, {"dataset": {}})["families"]
    # The others are test5, test6, …, whose family is not that of train5.
    assert found["disease"]["test"] == {"unseen": 200, "family_in_train": 3}
    assert found["gene"]["test"] == {"unseen": 200, "family_in_train": 0}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"gene": "TRAIN3", "gene_id": "n1", "disease_id": "n2"},
        {"disease": "Tráin3", "gene_id": "n1", "disease_id": "n2"},
        {"gene": "tr\u00adain3", "gene_id": "n1", "disease_id": "n2"},
        {"gene": "other", "disease": "another"},
    ],
    ids=["as it is", "capitals", "an accent", "a soft hyphen", "other names of the same ids"],
)
def test_a_pair_that_was_trained_on_stops_the_evaluation(dataset: DatasetDict, change: dict[str, str]) -> None:
    record = {"dataset": {"arguments": {"split": "pair"}}}
    evaluation.audit(dataset, record)
    dataset["test"] = Dataset.from_list([*dataset["test"], dataset["train"][3] | change])
    with pytest.raises(LeakageError, match="straddle splits"):
        evaluation.audit(dataset, record)


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"),
    [
        (3.0, 0.5, "is significantly better than"),
        (0.5, 3.0, "is significantly worse than"),
        (1.0, 1.0, "does not differ significantly from"),
    ],
)
def test_the_sentence_says_what_the_interval_says(dataset, ours: float, theirs: float, verdict: str) -> None:
    labels = np.array([1, 0] * 100)

    def scored(strength: float, seed: int) -> pd.DataFrame:
        return evaluation.predictions(dataset["test"], noisy(labels, strength, seed), 0.5)

    weak = evaluation.predictions(dataset["test"], np.full(200, 0.5), 0.5)
    baselines = {"majority": weak, "popular": scored(theirs, 2)}
    found = evaluation.comparisons(scored(ours, 1), baselines, dataset, {})["comparison"]
    assert found["baseline"] == "popular"
    assert verdict in found["sentence"]
    assert found["low"] <= found["difference"] <= found["high"]


@pytest.mark.parametrize(
    ("low", "high", "p_value", "verdict"),
    [
        (0.001, 0.08, 0.052, "does not differ significantly from"),
        (0.001, 0.08, 0.048, "is significantly better than"),
        (-0.08, -0.001, 0.048, "is significantly worse than"),
        (-0.08, -0.001, 0.052, "does not differ significantly from"),
        (0.001, 0.08, float("nan"), "does not differ significantly from"),
    ],
)
def test_interval_and_p_value_must_both_say_it(low: float, high: float, p_value: float, verdict: str) -> None:
    found = intervals.PairedDifference("f1", 0.72, 0.68, 0.04, low, high, p_value, 4015)
    assert verdict in report.describe_difference("tfidf", found, "F1")["sentence"]


def test_the_table_fits_a_terminal_of_80_columns(dataset: DatasetDict) -> None:
    labels = np.array([1, 0] * 100)
    scores = noisy(labels, 1.0, 0)
    table = evaluation.predictions(dataset["test"], scores, 0.5)
    metrics = evaluation.figures(table, dataset, {})
    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    names = ("majority", "popularity_logistic", "fine-tuned")
    console.print(report.results_table(dict.fromkeys(names, metrics), console, evaluation.SHOWN))
    text = console.export_text()
    assert "…" not in text and {"popularity,", "logistic"} <= set(text.split())
    assert report.interval_text(metrics["auroc"]) in text


def test_an_undefined_metric_is_a_dash() -> None:
    assert report.interval_text({"value": None, "low": None, "high": None}) == "–"
    assert report.interval_text({"value": 0.8121, "low": 0.79, "high": 1.0}) == ".812 [.790–1.000]"
    assert report.interval_text({"value": -0.05, "low": -0.2, "high": 0.1}) == "-.050 [-.200–.100]"
