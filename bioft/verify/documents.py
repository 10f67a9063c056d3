"""Whether the figures of a run on documents hold: entities and relations are looked for again in the test documents.

For the recipes token_classification, sequence_classification and joint_ner_re.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from bioft import task as tasks
from bioft.datasets.recorded import recorded_dataset
from bioft.errors import BioftError
from bioft.storage import runs
from bioft.storage.runs import PREDICTIONS
from bioft.task import FINE_TUNED
from bioft.tasks.entities.predictions import of_rows
from bioft.verify.findings import (
    SHOWN_ROWS,
    PredictionCheck,
    Request,
    check_base_model,
    equal,
    figure_of,
    interval_text,
    number_text,
    score_tolerance,
)

DOWNLOADS = {"sample": None, "bc5cdr": "CDR_Data.zip", "chemdisgene": "curated"}
"""What `bioft download` writes for each builder of documents; None for one that needs no file."""


def check_documents(request: Request) -> None:
    """Compare the predictions of documents, and the figures that follow from them."""
    from bioft.datasets.load import load_documents

    record, found = request.record, request.found
    if not record["metrics"]:
        raise BioftError(f"{runs.RECORD} states no figures.")
    task = tasks.find(record, pulled=False)
    answers, evaluate, predict = (tasks.part(task, name) for name in ("answers", "evaluate", "predict"))
    assert answers and evaluate and predict
    dataset, _ = recorded_dataset(request, load_documents, record["dataset"]["arguments"], DOWNLOADS)
    test = dataset["test"]
    found.reasons += evaluate.check_data(dataset, record)
    stored = of_rows(answers.read(request.directory, record), test)
    expected = evaluate.test_rows(dataset)
    if any(list(stored[column]) != list(expected[column]) for column in expected if column in stored):
        found.reasons.append(f"{PREDICTIONS} has as labels what is not annotated in the test documents.")
        return
    baselines = evaluate.baselines(dataset, record)
    for name, table in {FINE_TUNED: stored, **baselines}.items():
        if name == FINE_TUNED or name in record["baselines"]:
            _compare_figures(name, evaluate.figures(table, dataset, record), request)
    if missing := record["metrics"].keys() - {each.metric for each in found.figures if each.model == FINE_TUNED}:
        found.reasons.append(f"{runs.RECORD} states figures without predictions: {', '.join(sorted(missing))}.")
    for key, comparison in evaluate.comparisons(stored, baselines, dataset, record).items():
        if any(not equal(value, record[key].get(part)) for part, value in comparison.items()):
            found.reasons.append(f"{runs.RECORD} compares otherwise than {PREDICTIONS}: “{comparison['sentence']}”")
    check_base_model(request.directory, record, found)

    model = predict.load(request.directory)
    rows = np.arange(len(test))
    if sampled := request.sample is not None and request.sample < len(test):
        rows = np.sort(np.random.default_rng(request.seed).choice(len(test), request.sample, replace=False))
    made = predict.predict(model, test.select(rows), record, "Test documents" if request.progress else None)
    _compare_predictions(answers.differences(made, stored.iloc[rows], record), len(test), request)
    if sampled:
        found.notes.append(
            f"A sample: {len(rows):,} of {len(test):,} documents were read again (seed {request.seed}); had "
            f"{min(1.0, 3 / len(rows)):.1%} of them been false, one would have been found with a probability of 95 %. "
            "The figures were computed from the stored predictions."
        )
        return
    measured = evaluate.figures(made, dataset, record)
    found.figures = [
        figure_of(FINE_TUNED, name, stated, measured[name]["value"])
        for name, stated in record["metrics"].items()
        if name in measured
    ] + [figure for figure in found.figures if figure.model != FINE_TUNED]
    if outside := [figure for figure in found.figures if figure.model == FINE_TUNED and not figure.holds]:
        words = (f"{figure.metric} {number_text(figure.measured)}" for figure in outside)
        found.reasons.append(f"Outside the recorded intervals: {', '.join(words)}.")
    if unmeasured := [name for name in record["metrics"] if name not in measured]:
        found.notes.append(
            f"Not measured again, because the run that found the entities is not part of this one: "
            f"{', '.join(unmeasured)}."
        )
    found.notes.append("The base model's figures, of heads drawn at random, were not measured again.")
    if check := getattr(evaluate, "check_choices", None):
        found.reasons += check(model, dataset, record)


def _compare_figures(model: str, computed: Mapping[str, Any], request: Request) -> None:
    """Compare recorded figures and intervals with those that follow from the same predictions."""
    record = request.record
    recorded = record["metrics"] if model == FINE_TUNED else record["baselines"][model]
    wrong = [
        f"{name} {interval_text(stated)}, not {interval_text(computed[name])}"
        for name, stated in recorded.items()
        if name in computed
        and any(not equal(computed[name][key], stated[key]) for key in ("value", "low", "high", "n"))
    ]
    if wrong:
        request.found.reasons.append(f"{model}: the record states figures that do not follow: {'; '.join(wrong)}.")
    request.found.figures += [
        figure_of(model, name, stated, computed[name]["value"])
        for name, stated in recorded.items()
        if name in computed
    ]


def _compare_predictions(compared: pd.DataFrame, total: int, request: Request) -> None:
    """Compare what was found again with what is stored, document by document."""
    task, tolerance = tasks.find(request.record, pulled=False), score_tolerance(request.record)
    differing = compared[compared["changed"] | (compared["difference"] > tolerance)]
    n, found = len(compared), request.found
    flips, largest = int(compared["changed"].sum()), float(compared["difference"].max())
    found.predictions = PredictionCheck(n, total, n - len(differing), flips, largest, tolerance)
    if len(differing) > task.allowed_differing * n:
        shown = "; ".join(differing["words"][:SHOWN_ROWS])
        found.reasons.append(f"In {len(differing):,} of {n:,} documents the model finds something else ({shown}).")
