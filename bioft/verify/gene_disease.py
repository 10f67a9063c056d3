"""Whether the figures of a gene–disease run (recipe sft_gda) hold: its pairs are scored again."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bioft.datasets.recorded import recorded_dataset
from bioft.errors import BioftError
from bioft.metrics.thresholds import most_accurate_threshold
from bioft.storage import runs
from bioft.storage.runs import PREDICTIONS
from bioft.task import BASE, FINE_TUNED
from bioft.verify.findings import (
    EQUAL,
    SHOWN_ROWS,
    Figure,
    PredictionCheck,
    Request,
    Verification,
    check_base_model,
    equal,
    figure_of,
    interval_text,
    number_text,
    read_predictions,
    recorded_dtype,
    score_tolerance,
)

WITHOUT_THRESHOLD = ("auroc", "auprc", "ece")
DOWNLOADS = {"ctd": "CTD_curated_genes_diseases.csv.gz", "hpo": None}
"""What `bioft download` writes for each builder of gene–disease data; None for one that needs no file."""


def check_gene_disease(request: Request) -> None:
    """Compare the predictions of pairs, and the figures that follow from them."""
    record, found = request.record, request.found
    table = read_predictions(request.directory, ["gene", "gene_id", "disease", "disease_id", "label", "score"])
    models = _scored_models(record)
    stored = _check_stored_pairs(table, models, record, found)
    check_base_model(request.directory, record, found)

    from bioft.tasks.gene_disease import evaluate as evaluation

    dataset = _gene_disease_dataset(request)
    evaluation.check_not_trained_on(dataset)
    test = dataset["test"].to_pandas()
    columns = ["gene", "gene_id", "disease", "disease_id", "label"]
    if len(test) != len(table) or not test[columns].equals(table[columns].astype(test[columns].dtypes)):
        found.reasons.append(f"The rows of {PREDICTIONS} are not those of the test split.")
        return

    from bioft.tasks.gene_disease import predict as prediction

    dtype = recorded_dtype(record)
    model, prompts, _ = prediction.load_run(request.directory, dtype)

    def score(split: str, rows: np.ndarray | None = None) -> np.ndarray:
        pairs = dataset[split] if rows is None else dataset[split].select(rows)
        return prediction.score_pairs(model, prompts, pairs, progress=split if request.progress else None)

    if request.sample is not None and request.sample < len(table):
        rows = np.sort(np.random.default_rng(request.seed).choice(len(table), request.sample, replace=False))
        _compare_scores(score("test", rows), table, rows, record, found)
        found.figures = stored
        # The rule of three: how many others could be false if none of the drawn ones is.
        found.notes.append(
            f"A sample: {len(rows):,} of {len(table):,} predictions were made again (seed {request.seed}); had "
            f"{min(1.0, 3 / len(rows)):.1%} of them been false, one would have been found with a probability of 95 %. "
            "The figures were computed from the stored predictions; base model and baselines were not evaluated again."
        )
        return
    scores = {FINE_TUNED: {split: score(split) for split in ("validation", "test")}}
    _compare_scores(scores[FINE_TUNED]["test"], table, np.arange(len(table)), record, found)
    with model.disable_adapter():
        scores[BASE] = {split: score(split) for split in ("validation", "test")}
    scores |= _baseline_scores(dataset, [name for name in models if name not in scores], found)
    for name, (_, figures, threshold) in models.items():
        if name in scores:
            _compare_figures(name, figures, threshold, dataset, scores[name], found, score_tolerance(record))


def _scored_models(record: dict[str, Any]) -> dict[str, tuple[str, dict[str, Any], float | None]]:
    """For the fine-tuned model, its base and each baseline: column of scores, recorded figures, threshold."""
    scoring = record["scoring"]
    thresholds = scoring.get("baseline_thresholds", {})
    return {
        FINE_TUNED: ("score", record["metrics"], scoring["threshold"]),
        BASE: ("base_score", record["base_model_metrics"], scoring.get("base_model_threshold")),
        **{name: (f"baseline_{name}", figures, thresholds.get(name)) for name, figures in record["baselines"].items()},
    }


def _check_stored_pairs(
    table: pd.DataFrame,
    models: Mapping[str, tuple[str, dict[str, Any], float | None]],
    record: dict[str, Any],
    found: Verification,
) -> list[Figure]:
    """Compute the record's figures, intervals and comparison from the stored predictions; returns the figures."""
    from bioft import metrics
    from bioft.metrics import intervals
    from bioft.tasks.gene_disease import evaluate as evaluation

    if not record["metrics"]:
        raise BioftError(f"{runs.RECORD} states no figures.")
    wrong, stored = [], []
    for name, (column, figures, threshold) in models.items():
        if column not in table:
            raise BioftError(f"{PREDICTIONS} has no column {column!r}.")
        # Without its threshold on record, only what needs none can be computed.
        known = [metric for metric in figures if threshold is not None or metric in WITHOUT_THRESHOLD]
        flat = metrics.load("gda").compute(
            predictions=table[column], references=table["label"], threshold=0.5 if threshold is None else threshold
        )
        computed = intervals.nest(flat)
        for metric in known:
            ours, theirs = computed.get(metric), figures[metric]
            stored.append(figure_of(name, metric, theirs, ours["value"] if ours else None))
            if ours is None or any(not equal(ours[key], theirs[key]) for key in ("value", "low", "high", "n")):
                wrong.append(f"{name}: {metric} {interval_text(theirs)}, not {interval_text(ours)}")
    if wrong:
        found.reasons.append(f"{runs.RECORD} states figures that {PREDICTIONS} does not give: {'; '.join(wrong)}.")
    threshold = record["scoring"]["threshold"]
    labels = (table["score"] >= threshold).astype(int)
    if "prediction" not in table or (labels != table["prediction"]).any():
        found.reasons.append(f"The labels in {PREDICTIONS} do not follow from its scores and the threshold.")
    evaluations = {
        name: evaluation.Evaluation(table[column].to_numpy(), 0.5, figures)
        for name, (column, figures, _) in models.items()
    }
    baselines = {name: evaluations[name] for name in record["baselines"]}
    computed = evaluation.compare_with_best_baseline({"test": table}, evaluations[FINE_TUNED], baselines)
    stated = record["comparison"]
    if any(not equal(value, stated.get(key)) for key, value in computed.items()):
        found.reasons.append(
            f"{runs.RECORD} compares with the best baseline in another way than {PREDICTIONS} gives: "
            f"“{computed['sentence']}”"
        )
    return stored


def _gene_disease_dataset(request: Request) -> Any:
    """The splits of the record; splits or an audit that are not the recorded ones are a reason."""
    from bioft.datasets.load import load_or_build

    recorded = request.record["dataset"]
    options = dict(recorded["arguments"])
    options |= {"split_seed": options.pop("seed"), "max_train_pairs": recorded.get("max_train_pairs")}
    reasons = len(request.found.reasons)
    dataset, manifest = recorded_dataset(request, load_or_build, options, DOWNLOADS)
    audits = manifest["audit"], request.record["audit"]
    if len(request.found.reasons) == reasons and any(
        audits[0].get(part) != audits[1].get(part) for part in ("checks", "entity_overlap")
    ):
        request.found.reasons.append("The record states another audit than that of its dataset.")
    return dataset


def _baseline_scores(dataset: Any, names: Sequence[str], found: Verification) -> dict[str, dict[str, np.ndarray]]:
    """Fit the baselines again."""
    from bioft.datasets.gene_disease.baselines import GENE_DISEASE

    scores = {}
    for name in names:
        if name not in GENE_DISEASE:
            found.notes.append(f"This bioft knows no baseline {name!r}: its figures were not measured again.")
            continue
        baseline = GENE_DISEASE[name]().fit(dataset["train"])
        scores[name] = {split: baseline.predict(dataset[split]) for split in ("validation", "test")}
    return scores


def _compare_scores(
    scores: np.ndarray, table: pd.DataFrame, rows: np.ndarray, record: dict[str, Any], found: Verification
) -> None:
    """Compare new scores with the stored ones of the same rows."""
    stored = table["score"].to_numpy()[rows]
    threshold, tolerance = record["scoring"]["threshold"], score_tolerance(record)
    difference = np.abs(scores - stored)
    agrees = difference <= tolerance
    found.predictions = PredictionCheck(
        compared=len(rows),
        total=len(table),
        agreeing=int(agrees.sum()),
        label_flips=int(((scores >= threshold) != (stored >= threshold)).sum()),
        max_difference=float(difference.max()),
        tolerance=tolerance,
    )
    if not agrees.all():
        worst = np.argsort(-difference)[: min(SHOWN_ROWS, int((~agrees).sum()))]
        examples = "; ".join(
            f"{table['gene'].iloc[rows[index]]} – {table['disease'].iloc[rows[index]]}: stored {stored[index]:.4f}, "
            f"now {scores[index]:.4f}"
            for index in worst
        )
        found.reasons.append(
            f"{int((~agrees).sum()):,} of {len(rows):,} predictions are not what the model gives ({examples})."
        )


def _compare_figures(
    name: str,
    figures: Mapping[str, Any],
    threshold: float | None,
    dataset: Any,
    scores: Mapping[str, np.ndarray],
    found: Verification,
    tolerance: float,
) -> None:
    """Compare a model's recorded figures with those of new scores, and its threshold with validation's."""
    from bioft.metrics import intervals
    from bioft.tasks.gene_disease.evaluate import labels_of

    labels = labels_of(dataset["validation"])
    best = most_accurate_threshold(labels, scores["validation"])
    if threshold is None:
        threshold = best
    else:
        accuracy, highest = (
            intervals.metric_values(labels, scores["validation"], threshold=t)["accuracy"] for t in (threshold, best)
        )
        # Scores this near to a threshold may fall on its other side when they are computed again.
        near = sum(float(np.mean(np.abs(scores["validation"] - t) <= tolerance)) for t in (threshold, best))
        if highest - accuracy > near + EQUAL:
            found.reasons.append(
                f"{name}: validation does not give the recorded threshold {threshold:.4f} (accuracy {accuracy:.3f}) "
                f"but {best:.4f} (accuracy {highest:.3f})."
            )
    measured = intervals.metric_values(labels_of(dataset["test"]), scores["test"], threshold=threshold)
    compared = [
        figure_of(name, metric, recorded, None if np.isnan(measured[metric]) else measured[metric])
        for metric, recorded in figures.items()
    ]
    found.figures += compared
    if outside := [figure for figure in compared if not figure.holds]:
        words = (f"{figure.metric} {number_text(figure.measured)}" for figure in outside)
        found.reasons.append(f"{name}: outside the recorded intervals: {', '.join(words)}.")
