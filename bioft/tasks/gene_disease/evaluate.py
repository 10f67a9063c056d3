"""One protocol for models and baselines: threshold from validation, metrics with intervals on test, comparison."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset, DatasetDict
from rich.progress import track

from bioft import metrics
from bioft.datasets.gene_disease.baselines import GENE_DISEASE
from bioft.errors import LeakageError
from bioft.metrics import intervals, pair_plots, thresholds
from bioft.metrics.report import describe_difference
from bioft.tasks.gene_disease.prompts import PairPrompts

COMPARED = "auroc"
SHOWN = {"auroc": "AUROC", "accuracy": "Accuracy", "f1": "F1", "auprc": "AUPRC", "ece": "ECE", "mcc": "MCC"}


@dataclass(frozen=True)
class Evaluation:
    """Scores of one model on the test split, with the metrics at the threshold that validation chose."""

    test_scores: np.ndarray
    threshold: float
    metrics: dict[str, dict[str, float | int | None]]


def evaluate(
    dataset: DatasetDict, scores: Mapping[str, np.ndarray], *, n_resamples: int = 1000, seed: int = 0
) -> Evaluation:
    """Choose the threshold on `scores["validation"]`, then measure `scores["test"]`.

    Returns metrics of `bioft.metrics.gda`, each with value, low, high (95 % bootstrap interval) and n.
    """
    threshold = thresholds.most_accurate_threshold(labels_of(dataset["validation"]), scores["validation"])
    flat = metrics.load("gda").compute(
        predictions=scores["test"],
        references=labels_of(dataset["test"]),
        threshold=threshold,
        n_resamples=n_resamples,
        seed=seed,
    )
    return Evaluation(np.asarray(scores["test"]), threshold, intervals.nest(flat))


def evaluate_baselines(
    dataset: DatasetDict, *, n_resamples: int = 1000, seed: int = 0, progress: bool = True
) -> dict[str, Evaluation]:
    """Fit every baseline on the training split and evaluate it like a model, in the order of `GENE_DISEASE`."""
    results = {}
    for name in track(GENE_DISEASE, "Baselines", transient=True, disable=not progress):
        baseline = GENE_DISEASE[name]().fit(dataset["train"])
        scores = {split: baseline.predict(dataset[split]) for split in ("validation", "test")}
        results[name] = evaluate(dataset, scores, n_resamples=n_resamples, seed=seed)
    return results


def check_not_trained_on(dataset: DatasetDict) -> None:
    """Stop before a pair is scored that the model was trained on.

    Raises:
        LeakageError: names the first such pair and how many there are.
    """
    trained = set(zip(dataset["train"]["gene"], dataset["train"]["disease"], strict=True))
    for split in ("validation", "test"):
        pairs = list(zip(dataset[split]["gene"], dataset[split]["disease"], strict=True))
        if both := [pair for pair in pairs if pair in trained]:
            raise LeakageError(
                f"{len(both)} of {len(pairs)} pairs of the {split} split are in the training split, first "
                f"{both[0][0]} – {both[0][1]}. A score on them says nothing: build the dataset again."
            )


def compare_with_best_baseline(
    dataset: DatasetDict, model: Evaluation, baselines: Mapping[str, Evaluation], *, n_resamples: int = 1000
) -> dict[str, Any]:
    """Paired bootstrap of the model's AUROC against the best baseline's, with the conclusion in one sentence.

    The best baseline is the one with the highest AUROC on this same test split, which favours the baselines.
    """
    best = max(baselines, key=lambda name: baselines[name].metrics[COMPARED]["value"] or 0.0)
    result = intervals.paired_bootstrap(
        labels_of(dataset["test"]),
        model.test_scores,
        baselines[best].test_scores,
        metric=COMPARED,
        n_resamples=n_resamples,
    )
    return describe_difference(best, result, SHOWN[COMPARED])


def describe_scoring(
    prompts: PairPrompts, model: Evaluation, base: Evaluation, baselines: Mapping[str, Evaluation]
) -> dict[str, Any]:
    """How scores came about and became labels: all that is needed to compute the figures from the predictions."""
    return {
        "prompt_style": prompts.name,
        "positive": prompts.style.positive,
        "negative": prompts.style.negative,
        "threshold": model.threshold,
        "base_model_threshold": base.threshold,
        "baseline_thresholds": {name: baseline.threshold for name, baseline in baselines.items()},
        "threshold_chosen_on": "validation",
    }


def write_predictions(
    test: Dataset, model: Evaluation, base: Evaluation, baselines: Mapping[str, Evaluation], directory: Path
) -> None:
    """Write `predictions.parquet`: a row for each test pair with the scores of model, base and baselines."""
    table = test.select_columns(["gene", "gene_id", "disease", "disease_id", "label"]).to_pandas()
    table.insert(0, "id", [f"test-{index}" for index in range(len(table))])
    table["score"] = model.test_scores
    table["prediction"] = (model.test_scores >= model.threshold).astype(int)
    table["base_score"] = base.test_scores
    for name, baseline in baselines.items():
        table[f"baseline_{name}"] = baseline.test_scores
    table.to_parquet(directory / "predictions.parquet", index=False)


def labels_of(rows: Dataset) -> np.ndarray:
    """The labels of a split, shape `(n,)`, 0 or 1."""
    return np.asarray(rows["label"][:])


def plot(directory: Path, record: Mapping[str, Any]) -> None:
    """Draw curves, calibration and scores of a run into `plots/`; its training is drawn for every task."""
    pair_plots.plot_run(directory, {**record, "log_history": []})
