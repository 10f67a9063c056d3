"""Whether the figures of a text encoder hold: its texts are looked for, or its names matched, again."""

from collections.abc import Mapping
from typing import Any, cast

import pandas as pd

from bioft.datasets.recorded import recorded_dataset
from bioft.errors import BioftError
from bioft.storage import runs
from bioft.storage.runs import PREDICTIONS
from bioft.task import BASE, FINE_TUNED, find, part
from bioft.verify.findings import (
    SHOWN_ROWS,
    PredictionCheck,
    Request,
    check_base_model,
    equal,
    figure_of,
    interval_text,
    number_text,
)

DOWNLOADS = {"hpo_synonyms": None}
"""Builders of pairs that need no file; metabolite names may, see `_metabolites`."""
# Two candidates of all but the same score may change places on another processor.
ALLOWED_DIFFERING = 0.01


def check_contrastive(request: Request) -> None:
    """Compare what is found for each query or name, and the figures that follow from it."""
    record, found = request.record, request.found
    if request.sample is not None:
        raise BioftError("Texts are looked for among all others, which is the work: verify this run without --sample.")
    task, dataset = find(record, pulled=False), _dataset(request)
    answers, evaluate, predict = (cast(Any, part(task, name)) for name in ("answers", "evaluate", "predict"))
    table = answers.read(request.directory, record)
    check_base_model(request.directory, record, found)

    made = predict.predict(predict.load(request.directory), dataset["test"], record)
    baselines = evaluate.baselines(dataset, record)
    _compare_predictions(answers, made, table, request)
    _compare_figures(FINE_TUNED, evaluate.figures(made, dataset, record), record["metrics"], request)
    for name, figures in record["baselines"].items():
        if name in baselines:
            _compare_figures(name, evaluate.figures(baselines[name], dataset, record), figures, request)
        else:
            found.notes.append(f"This bioft knows no baseline {name!r}: its figures were not measured again.")
    comparison = evaluate.comparisons(made, baselines, dataset, record)["comparison"]
    if comparison["baseline"] != record["comparison"]["baseline"]:
        found.reasons.append(f"The best baseline is {comparison['baseline']}, not {record['comparison']['baseline']}.")
    found.notes.append(f"The figures of {BASE} were not measured again.")


def _dataset(request: Request) -> Any:
    """What the run was evaluated on; other data than the recorded ones are a reason or an error."""
    from bioft.datasets.load import load_pairs
    from bioft.tasks.name_alignment import evaluate

    recorded = request.record["dataset"]
    if request.record["task"] == "name-alignment":
        dataset, _ = evaluate.recorded(request.record, request.dataset_path)
        request.found.reasons += evaluate.check_data(dataset, request.record)
        return dataset

    def load(name: str, *, dataset_path: str | None = None, **options: Any) -> Any:
        return load_pairs(name, **options)[:2]

    seed = {"split_seed": recorded["arguments"].get("seed", 0)} if recorded["builder"] in DOWNLOADS else {}
    return recorded_dataset(request, load, seed, DOWNLOADS)[0]


def _compare_predictions(answers: Any, made: pd.DataFrame, table: pd.DataFrame, request: Request) -> None:
    """Compare the stored answers with new ones."""
    if not made[["id", "label"]].equals(table[["id", "label"]]):
        request.found.reasons.append(f"The rows of {PREDICTIONS} are not those of the test split.")
        return
    differing = answers.differences(made, table, request.record)["changed"].to_numpy()
    n = len(table)
    request.found.predictions = PredictionCheck(n, n, int(n - differing.sum()), int(differing.sum()), 0.0, 0.0)
    if differing.sum() > ALLOWED_DIFFERING * n:
        shown = "; ".join(str(each) for each in table["id"][differing][:SHOWN_ROWS])
        request.found.reasons.append(f"For {int(differing.sum()):,} of {n:,} rows the model finds another ({shown}).")


def _compare_figures(model: str, measured: Mapping[str, Any], recorded: Mapping[str, Any], request: Request) -> None:
    """Compare recorded figures with those measured again; of baselines, which are exact, also the intervals."""
    compared = [figure_of(model, name, stated, measured[name]["value"]) for name, stated in recorded.items()]
    request.found.figures += compared
    if outside := [figure for figure in compared if not figure.holds]:
        words = ", ".join(f"{figure.metric} {number_text(figure.measured)}" for figure in outside)
        request.found.reasons.append(f"{model}: outside the recorded intervals: {words}.")
    wrong = [
        f"{name} {interval_text(stated)}, not {interval_text(measured[name])}"
        for name, stated in recorded.items()
        if model != FINE_TUNED and any(not equal(measured[name][key], stated[key]) for key in ("value", "low", "high"))
    ]
    if wrong:
        request.found.reasons.append(f"{model}: {runs.RECORD} states figures that do not follow: {'; '.join(wrong)}.")
