"""Whether the figures of a classifier of texts hold: from the stored predictions, and from ones made again."""

from typing import Any

import numpy as np

from bioft.datasets.recorded import recorded_dataset
from bioft.errors import BioftError
from bioft.storage import runs
from bioft.storage.runs import PREDICTIONS
from bioft.task import FINE_TUNED
from bioft.verify.findings import (
    PredictionCheck,
    Request,
    check_base_model,
    equal,
    figure_of,
    interval_text,
    read_predictions,
    score_tolerance,
)

DOWNLOADS = {
    "stop_reasons_sample": None,
    "stop_reasons": None,
    "stop_reasons_weak": "stop_reasons",
    "gender": "trials",
}
"""Where the source of each builder lies below `data/`; None for one that needs no file."""


def check_texts(request: Request) -> None:
    """Compare the figures with those that the stored predictions give, and these with predictions made again."""
    from bioft.datasets.texts.labelled import labels_of
    from bioft.tasks.text_labels import (
        classifier as text_classification,
        evaluate as text_evaluation,
        models as text_models,
    )
    from bioft.tasks.text_labels.evaluate import Predicted

    record, found = request.record, request.found
    labels, kept = record["labels"], record["classifier"]
    dataset, _ = recorded_dataset(request, _load, record["dataset"]["arguments"], DOWNLOADS)
    test, trained_on = dataset["test"], text_evaluation.read_trained_on(request.directory)
    if not text_evaluation.checksums_of(dataset["train"]["text"]) <= trained_on:
        found.reasons.append(f"{text_evaluation.TRAINED_ON} lacks texts of the training split.")
    table = read_predictions(request.directory, ["id", "label", "prediction", "scores"])
    stored = Predicted(
        np.stack(table["scores"].tolist()), [list(its) for its in table["prediction"]], kept["thresholds"]
    )
    if table["id"].tolist() != test["id"][:] or [list(its) for its in table["label"]] != labels_of(test):
        raise BioftError(f"The texts or labels of {PREDICTIONS} are not those of the test split.")
    if text_classification.decide(stored.scores, labels, kept["thresholds"]) != stored.labels:
        found.reasons.append(f"Labels of {PREDICTIONS} do not follow from its scores and the recorded thresholds.")

    measured = text_evaluation.evaluate(test, stored, labels, trained_on)
    for name, figure in measured.items():
        recorded = record["metrics"].get(name)
        if recorded is None or any(not equal(value, recorded[key]) for key, value in figure.items()):
            found.reasons.append(
                f"{FINE_TUNED}: {runs.RECORD} states {name} {interval_text(recorded)}; {PREDICTIONS} gives "
                f"{interval_text(figure)}."
            )
    if kept["mlm_run"] is None:  # else `load_run` compares the adapted encoder with the recorded one
        check_base_model(request.directory, record, found)

    model, tokenizer, _ = text_models.load_run(request.directory)
    drawn = np.arange(len(test))
    if request.sample is not None and request.sample < len(test):
        drawn = np.sort(np.random.default_rng(request.seed).choice(len(test), request.sample, replace=False))
    scores = text_classification.score_texts(
        model,
        tokenizer,
        test.select(drawn)["text"][:],
        max_length=kept["max_length"],
        multi_label=kept["multi_label"],
        progress="Verify" if request.progress else None,
    )
    off = np.abs(scores - stored.scores[drawn]).max(axis=1)
    again = text_classification.decide(scores, labels, kept["thresholds"])
    flips = sum(one != stored.labels[index] for one, index in zip(again, drawn.tolist(), strict=True))
    tolerance = score_tolerance(record)
    agreeing = int((off <= tolerance).sum())
    found.predictions = PredictionCheck(len(drawn), len(test), agreeing, flips, float(off.max()), tolerance)
    if agreeing < len(drawn):
        found.reasons.append(
            f"{len(drawn) - agreeing:,} of {len(drawn):,} texts have other scores than {PREDICTIONS} states."
        )
    if len(drawn) < len(test):
        found.notes.append("The figures were computed from the stored predictions, the baselines' were not.")
        found.figures = [_figure(FINE_TUNED, name, record["metrics"], measured) for name in measured]
        return
    evaluated: dict[str, Any] = {
        FINE_TUNED: (record["metrics"], Predicted(scores, again, kept["thresholds"])),
        **{
            name: (record["baselines"].get(name, {}), its)
            for name, its in text_evaluation.predict_baselines(dataset, labels).items()
        },
    }
    for model_name, (recorded, its) in evaluated.items():
        now = text_evaluation.evaluate(test, its, labels, trained_on)
        found.figures += [_figure(model_name, name, recorded, now) for name in now if name in recorded]
    if outside := [figure for figure in found.figures if not figure.holds]:
        found.reasons.append(f"{len(outside):,} figures are outside their intervals, first {outside[0].metric}.")
    found.notes.append("The base model, whose new head was random, was not evaluated again.")


def _figure(model: str, name: str, recorded: Any, measured: Any) -> Any:
    return figure_of(model, name, recorded[name], measured[name]["value"])


def _load(name: str, *, dataset_path: str | None = None, seed: int = 0, **options: Any) -> Any:
    from bioft.datasets.load import load_labelled_texts

    name = "sample" if name == "stop_reasons_sample" else name
    return load_labelled_texts(name, dataset_path=dataset_path, split_seed=seed, **options)
