"""One protocol for models and baselines: threshold from validation, metrics with intervals on test, comparison."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset, DatasetDict
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bioft import metrics
from bioft.datasets.gene_disease.baselines import GENE_DISEASE
from bioft.errors import LeakageError
from bioft.metrics import intervals
from bioft.storage import runs
from bioft.tasks.entities import errors as error_analysis
from bioft.tasks.gene_disease.prompts import PairPrompts

COMPARED = "auroc"
SIGNIFICANCE_LEVEL = 0.05
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
    threshold = intervals.best_threshold(labels_of(dataset["validation"]), scores["validation"])
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


def describe_difference(baseline: str, result: intervals.PairedDifference, words: str) -> dict[str, Any]:
    """The comparison of a model with its best baseline as `run.json` holds it, with the conclusion in one sentence.

    `words` name the metric. Different is what has an interval without 0 and p < .05: at the edge the two may differ.
    """
    if result.low > 0 and result.p_value < SIGNIFICANCE_LEVEL:
        verdict = "is significantly better than"
    elif result.high < 0 and result.p_value < SIGNIFICANCE_LEVEL:
        verdict = "is significantly worse than"
    else:
        verdict = "does not differ significantly from"
    sentence = (
        f"The fine-tuned model {verdict} the best baseline ({baseline.replace('_', ' ')}): difference in {words} "
        f"{result.difference:+.3f}, 95% interval {result.low:+.3f} to {result.high:+.3f}, "
        f"p {'<' if result.p_value < 0.002 else '='} {max(result.p_value, 0.002):.3f} "
        f"(paired bootstrap, n = {result.n})."
    )
    return {
        "baseline": baseline,
        "metric": result.metric,
        "difference": result.difference,
        "low": result.low,
        "high": result.high,
        "p_value": result.p_value,
        "sentence": sentence,
    }


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


def print_results(record: Mapping[str, Any], console: Console | None = None, shown: Mapping[str, str] = SHOWN) -> None:
    """Print the one table of a run record: baselines, the base model, the fine-tuned model, with intervals."""
    console = console or Console()
    rows = result_rows(record)
    split = "Test" if runs.is_tested(record) else "Validation"
    console.print(results_table(rows, console.width, shown, split))
    console.print(record["comparison"]["sentence"], soft_wrap=True, highlight=False)
    for table in error_analysis.tables(record["error_analysis"]) if "error_analysis" in record else ():
        console.print(table)


def result_rows(record: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The metrics of the baselines, the base model and the fine-tuned model, in this order."""
    return {**record["baselines"], "base, zero-shot": record["base_model_metrics"], "fine-tuned": record["metrics"]}


def results_table(
    rows: Mapping[str, Mapping[str, Any]], width: int = 80, shown: Mapping[str, str] = SHOWN, split: str = "Test"
) -> Table:
    """A table of metrics with intervals, a row for each name; the last row is set apart if there is a base model.

    `shown` are the metrics and their words, the most important first: a narrow terminal gets those that fit on it;
    `run.json` and the card have all of them.
    """
    columns = list(shown)[: max(1, (width - 22) // 19)]
    n = next(iter(rows.values()))[columns[0]]["n"]
    table = Table(title=f"{split} split, n = {n:,}, with 95 % intervals", box=box.SIMPLE_HEAD)
    table.add_column("Model", no_wrap=True)
    for metric in columns:
        table.add_column(shown[metric], justify="right", no_wrap=True)
    for name, values in rows.items():
        if name == "fine-tuned":
            table.add_section()
        cells = [interval_text(values.get(metric, {"value": None})) for metric in columns]
        table.add_row(name.replace("_", " "), *cells, style="bold" if name == "fine-tuned" else None)
    return table


def interval_text(figure: Mapping[str, Any]) -> str:
    """`.812 [.790–.833]`, or a dash for a metric that is not defined."""
    if figure["value"] is None:
        return "–"
    value, low, high = (f"{figure[key]:.3f}".replace("0.", ".", 1) for key in ("value", "low", "high"))
    return f"{value} [{low}–{high}]"


def labels_of(rows: Dataset) -> np.ndarray:
    """The labels of a split, shape `(n,)`, 0 or 1."""
    return np.asarray(rows["label"][:])
