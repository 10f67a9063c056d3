"""Predictions made again, by the model, its base and the baselines, beside the stored ones."""

import inspect
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

from bioft.datasets.recorded import RecordedData
from bioft.errors import BioftError
from bioft.hub import checks as hub_checks
from bioft.metrics.combination import FEW_SHOT
from bioft.storage import environment
from bioft.storage.runs import PREDICTIONS, RECORD
from bioft.task import BASE, FINE_TUNED, Task
from bioft.tasks import read_by_others
from bioft.verify import checks, drift, files, findings, word
from bioft.verify.checks import OTHER_ROWS, Run, Tables, plain
from bioft.verify.findings import SHOWN_ROWS, figure_of

FITTED_TOLERANCE, SAME_TOLERANCE = 0.02, 0.001
FITTED: dict[str, Any] = {"allowed_differing": 0.05, "allowed_changed": 0.01}
SAME: dict[str, Any] = {"allowed_differing": 0.005, "allowed_changed": 0.01}
"""How far scores of a baseline fitted again may be off, which share by more, and which share of answers be others; by
other versions of what fits it, and by the same."""
FITTED_BY = ("scikit-learn", "numpy")
MEASURED = 100
"""Rows of the test split, if there are more, on which it is measured how far a type alone moves answers."""
ROOM = 2.0
"""How many times as far they may be moved: another processor rounds other sums."""
NEW_HEAD, NEW_HEAD_IN_16_BITS = 0.1, 0.5
"""Parts of an interval by which a figure of a base model with a new head may be another."""
MOST_MOVED, MOST_CHANGED = 0.1, 0.05
"""How far a score may be moved, and which share of answers be others, at most: weights could be made that a type moves
more. What is left is for `drift` to find: no sum of these moves may be to the good of the run."""
MODELS_OWN = 0.002
"""How far a figure of the model that no stored prediction gives may be from what is measured: ranks further down."""
SUSPICIOUS = 3.0
"""From how many standard errors on a test figure that is better than that of validation is said to be suspicious."""


def verify_run(run: Run, data: RecordedData | BioftError) -> None:
    """Compare everything that a run states with its stored predictions, its data, its baselines and its model.

    `data` are those of the record, or why they could not be had.

    Raises:
        BioftError: what could not be had.
        LeakageError: rows of the test split were trained on.
    """
    if run.full:
        checks.check_systems(run)
    else:
        run.in_part(checks.EARLIER)
    if isinstance(data, BioftError):
        if run.task.self_contained:
            checks.check_stored(run, None, {})
        raise data
    if run.sample is not None and run.sample >= len(data.splits["test"]):
        run.sample = None
    if (of_rows := run.optional("answers", "of_rows")) is not None:
        run.table = of_rows(run.table, data.splits["test"])
    same_rows = checks.check_data(run, data)
    fitted = checks.fit_baselines(run, data.splits) if same_rows or not run.task.self_contained else {}
    if same_rows:
        checks.check_results(run, data.splits)
    if same_rows or run.task.self_contained:
        checks.check_stored(run, data.splits, fitted)
    run.found.reasons += findings.check_base_model(run.directory, run.record)
    word.check_base_model(run)
    word.check_training(run)
    word.name_what_is_not_checked(run)
    if same_rows:
        check_predictions(run, data.splits, fitted)


def check_predictions(run: Run, dataset: Any, fitted: Tables) -> None:
    """Make the predictions again and compare them, and the figures that follow, with the stored ones."""
    model = _load(run)
    tolerance = _tolerance(run, model, dataset["test"])
    run.in_float32 = tolerance == run.task.score_tolerance.get("float32")
    rows = np.arange(len(run.table))
    if run.sample is None:
        made = _predict(run, model, dataset["test"])
    else:
        made, rows = _sample(run, model, dataset["test"], tolerance)
    differences = _compare_rows(run, made, rows, tolerance)
    if differences is None:
        return
    head, test = run.task.auto_class if run.task.new_head else None, dataset["test"]
    if head is not None and isinstance(model, tuple) and "text" in test.features:
        texts = [test["text"][int(row)] for row in np.random.default_rng(run.seed).permutation(len(test))]
        run.found.reasons += read_by_others.other_model(run.directory, head, model[:2], texts)
    if run.sample is not None:
        # The rule of three: how many others could be false if none of the drawn ones is.
        drawn = len(rows)
        more = f" (more than the {run.sample:,} asked for: so many find a gain of .02)" if drawn != run.sample else ""
        run.found.notes.append(
            f"A sample: {drawn:,} of {len(run.table):,} predictions were made again{more} (seed {run.seed}); had "
            f"{min(1.0, 3 / drawn):.1%} of them been false, one would have been found with a probability of 95 %. The "
            "figures were computed from the stored predictions; base model, baselines, thresholds and all else that "
            "is measured were not made again."
        )
        _name_what_a_sample_leaves(run, made)
        return
    noise = float(np.sqrt(np.mean(differences["difference"] ** 2)))
    _check_all(run, model, made, dataset, fitted, tolerance)
    if (check_fitted := run.optional("evaluate", "check_fitted")) is not None:
        run.found.reasons += check_fitted(run.directory, dataset, run.record)
    if (plot_data := run.optional("evaluate", "plot_data")) is not None:
        files.check_plots_of_data(run, lambda place: plot_data(place, model, dataset, run.record))
    if (check_choices := run.optional("evaluate", "check_choices")) is not None:
        reasons, notes = check_choices(model, dataset, run.record, noise if math.isfinite(noise) else 0.0)
        run.found.reasons += reasons
        run.found.notes += notes
    _compare_with_validation(run, model, dataset)


def _name_what_a_sample_leaves(run: Run, made: pd.DataFrame) -> None:
    """Say what is stated or stored that the rows of a sample, made again, and the other stored ones don't show."""
    known = {figure.metric for figure in run.found.figures}
    for name, stated in run.recorded.items():
        if without := sorted(stated.keys() - known):
            run.found.reasons.append(f"{RECORD} states figures of {name} without predictions: {', '.join(without)}.")
    if not_made := sorted(set(map(str, run.systems[FINE_TUNED])) - set(map(str, made))):
        run.in_part(f"Stored in {PREDICTIONS}, or beside it, but not made again: {', '.join(not_made)}.")


def _load(run: Run, *dtype: Any) -> Any:
    """The model of a run, in this type; BioftError whatever is wrong with its files, which are somebody else's."""
    try:
        return run.of_task("predict", "load")(run.directory, *dtype)
    except (BioftError, OSError):
        raise
    except Exception as error:
        why = " ".join(str(error).split())[:200] or type(error).__name__
        raise BioftError(f"The model of the run can't be loaded: {why}") from error


def _tolerance(run: Run, model: Any, test: Any) -> float:
    """How far a score may be from the stored one, by the type that the model computes in here or did then.

    A task says it of float32, and of what it has measured itself. Else it is measured here, by answering some rows in
    both types, never read from the record; so is the share of answers that may be others, which the run's task gets.
    """
    from bioft.models import base, precision

    network = model[0] if isinstance(model, tuple | list) else model
    here, recorded = base.computed_in(network), precision.evaluated_in(run.record)
    stated, loaded = run.record["base_model"]["quantization"], base.quantization_of(network)
    if stated != loaded:
        run.found.reasons.append(f"The record says of the base model's quantization {stated}; it is {loaded}.")
    if recorded != here and not (recorded == "bfloat16" and here == "float32"):
        run.found.reasons.append(f"The record says that the model computes in {recorded}; it does so in {here}.")
    elif recorded != here:
        run.found.notes.append(f"The run was evaluated in {recorded}; its answers were made again in {here}.")
    labels, config = run.record.get("labels"), run.directory / "config.json"
    # As others load it: bioft gives it the labels of the record.
    stated_labels = hub_checks.read_json(config) if labels and config.is_file() else {}
    known, places = stated_labels.get("id2label"), stated_labels.get("label2id")
    if known and places and {str(place): label for label, place in places.items()} != dict(known):
        run.found.reasons.append(f"{config.name} names other labels by their numbers than numbers by their labels.")
    if labels and known and list(labels) != (theirs := [known[place] for place in sorted(known, key=int)]):
        run.found.reasons.append(
            f"The record names the labels {', '.join(labels)}; the model has {', '.join(theirs)}."
        )
    coarse = here if here != "float32" else recorded
    if coarse in run.task.score_tolerance:
        return run.task.score_tolerance[coarse]
    if "dtype" not in inspect.signature(run.of_task("predict", "load")).parameters:
        return MOST_MOVED
    import torch

    rows = np.arange(len(test))
    if run.task.sampled and len(test) > MEASURED:
        rows = np.sort(np.random.default_rng(run.seed).permutation(len(test))[:MEASURED])
    other = _load(run, torch.float32 if here != "float32" else torch.bfloat16)
    both = (_predict(run, each, test.select(rows)) for each in (model, other))
    compared = run.of_task("answers", "differences")(*both, run.record)
    if run.task.allowed_changed is not None:
        answers = compared["answers"].sum() if "answers" in compared else len(compared)
        changed = ROOM * compared["changed"].sum() / max(answers, 1)
        run.task = replace(run.task, allowed_changed=max(run.task.allowed_changed, min(changed, MOST_CHANGED)))
    moved = ROOM * float(np.nan_to_num(compared["difference"].max(), nan=0.0))
    tolerance = max(run.task.score_tolerance["float32"], min(moved, MOST_MOVED))
    run.found.notes.append(f"{coarse} moves a score of this model by up to {moved / ROOM:.2g} here.")
    return tolerance


def _predict(run: Run, model: Any, rows: Any) -> pd.DataFrame:
    return run.of_task("predict", "predict")(model, rows, run.record, run.words("Test"))


def _sample(run: Run, model: Any, test: Any, tolerance: float) -> tuple[pd.DataFrame, np.ndarray]:
    """Draw rows of the test split and predict them again: so many that a gain of .02 would be found.

    At least as many as asked for; more where a few replaced rows gain that, where rounding is coarse, or where what is
    drawn differs much from what is stored.
    """
    order = np.random.default_rng(run.seed).permutation(len(test))
    whole = run.outcomes(run.table)
    least = max(run.sample or 1, drift.rows_for_replaced(whole), drift.rows_for_tolerance(whole, tolerance))
    wanted, drawn, parts = least, 0, []
    while drawn < (wanted := min(wanted, len(test))):
        parts.append(_predict(run, model, test.select(order[drawn:wanted])))
        drawn, made = wanted, pd.concat(parts, ignore_index=True)
        stored = run.table.iloc[order[:drawn]].reset_index(drop=True)
        compared = run.of_task("answers", "differences")(made, stored, run.record)
        if _same_rows(made, stored) and not _are_others(run.task, compared, tolerance):
            wanted = drift.rows_for_power(drift.gains(run.outcomes(made), run.outcomes(stored), whole), drawn)
    places = np.argsort(order[:drawn])
    return made.iloc[places].reset_index(drop=True), order[:drawn][places]


def _same_rows(made: pd.DataFrame, stored: pd.DataFrame) -> bool:
    shared = [column for column in ("id", "label") if column in made and column in stored]
    return len(made) == len(stored) and plain(made[shared]) == plain(stored[shared])


def _compare_rows(run: Run, made: pd.DataFrame, rows: np.ndarray, tolerance: float) -> pd.DataFrame | None:
    """Compare predictions made again with those stored in `rows`, and return how far they are from one another.

    None if these are not about the same examples.
    """
    stored = run.table.iloc[rows].reset_index(drop=True)
    if not _same_rows(made, stored):
        run.found.reasons.append(OTHER_ROWS)
        return None
    compared = run.of_task("answers", "differences")(made, stored, run.record)
    off, changed = _off(compared, tolerance), compared["changed"].to_numpy()
    differing = off if run.task.allowed_changed is None else off | (changed > 0)
    run.found.predictions = findings.PredictionCheck(
        compared=len(rows),
        total=len(run.table),
        agreeing=int((~differing).sum()),
        label_flips=int(changed.sum()),
        max_difference=float(compared["difference"].max()),
        tolerance=tolerance,
    )
    if _are_others(run.task, compared, tolerance):
        worst = compared[differing].sort_values("difference", ascending=False, kind="stable")["words"]
        words = "; ".join(worst[:SHOWN_ROWS])
        run.found.reasons.append(
            f"{int(differing.sum()):,} of {len(rows):,} predictions are not what the model gives ({words})."
        )
    run.found.reasons += _drifted(run, FINE_TUNED, made, stored, run.table)
    return compared


def _off(compared: pd.DataFrame, tolerance: float) -> np.ndarray:
    """Whether each row's scores are others; what is no number is."""
    return ~(compared["difference"] <= tolerance).to_numpy()


def _are_others(task: Task, compared: pd.DataFrame, tolerance: float, least: int = 0) -> bool:
    """Whether more scores or answers are others than may be; of answers `least` may be in any case."""
    off, changed = _off(compared, tolerance).sum(), compared["changed"].sum()
    answers = compared["answers"].sum() if "answers" in compared else len(compared)
    allowed = task.allowed_changed
    return bool(
        off > task.allowed_differing * len(compared)
        or (allowed is not None and changed > max(least, allowed * answers))
    )


def _compare_others(run: Run, name: str, made: pd.DataFrame, tolerance: float, task: Task) -> list[str]:
    """Compare the stored answers of the base model or a baseline, where there are any, with those made again.

    Returns why they are others.
    """
    if (stored := run.systems.get(name)) is None:
        return []
    compared, reasons = run.of_task("answers", "differences")(made, stored, run.record), []
    if _are_others(task, compared, tolerance, least=1):
        differing = int((_off(compared, tolerance) | (compared["changed"] > 0)).sum())
        words = f"{differing:,} of {len(compared):,} stored answers are not those made again"
        reasons = [f"{name}: {words}."]
    return reasons + _drifted(run, name, made, stored, stored)


def _drifted(run: Run, name: str, made: pd.DataFrame, stored: pd.DataFrame, whole: pd.DataFrame) -> list[str]:
    """Why the stored answers of the model gain, or those of what it is compared with lose, by more than chance."""
    gains = drift.gains(run.outcomes(made), run.outcomes(stored), run.outcomes(whole))
    found = drift.drifts(gains, 1 if name == FINE_TUNED else -1)
    exact = run.in_float32 and len(stored) == len(whole) and name in (FINE_TUNED, BASE)
    moved = "; ".join(drift.words(each) for each in found if each.found or (exact and each.is_large))
    if not moved:
        return []
    way = "better" if name == FINE_TUNED else "worse"
    return [f"{name}: the stored answers are {way} than those made again, by more than rounding: {moved}."]


def _check_all(run: Run, model: Any, made: pd.DataFrame, dataset: Any, fitted: Tables, tolerance: float) -> None:
    """Compare figures and comparisons with those of all answers made again: of model, base model and baselines."""
    found = run.found
    found.reasons += _check_figures(run, FINE_TUNED, made, dataset)
    base = _check_base(run, model, dataset, tolerance) if BASE in run.recorded else None
    if (few_shot := run.optional("predict", "predict_few_shot")) is not None and FEW_SHOT in run.recorded:
        fitted = {**fitted, FEW_SHOT: few_shot(model, dataset, run.record, run.words("Few-shot"))}
    for name, table in fitted.items():
        found.reasons += _check_figures(run, name, table, dataset)
        if name == FEW_SHOT:
            found.reasons += _compare_others(run, name, table, tolerance, run.task)
        elif others := _compare_others(run, name, table, SAME_TOLERANCE, replace(run.task, **SAME)):
            # By other packages, or another processor, a fit may be another one: trees grow apart by the last digit.
            same = all(run.record["packages"].get(each) == version(each) for each in FITTED_BY)
            same = same and (run.record.get("hardware") or {}).get("cpu") == environment.cpu_model()
            of_any = (
                others if same else _compare_others(run, name, table, FITTED_TOLERANCE, replace(run.task, **FITTED))
            )
            found.reasons += of_any
            for each in () if of_any else others:
                run.in_part(f"By other versions of {', '.join(FITTED_BY)}, or another processor: {each}")
    if run.full:
        _check_details(run, {FINE_TUNED: made, **({} if base is None else {BASE: base}), **fitted}, dataset)
        table = run.table.assign(**{str(column): made[column].to_numpy() for column in made})
        checks.check_comparisons(run, table, fitted, dataset, "what was made again", exactly=False)
    for name, stated in run.recorded.items():
        its = {figure.metric: figure for figure in found.figures if figure.model == name}
        if without := sorted(stated.keys() - its.keys()):
            words = f"{RECORD} states figures of {name} without predictions: {', '.join(without)}."
            (found.reasons if name == FINE_TUNED or run.full else found.notes).append(words)
        unmeasured = [metric for metric, figure in its.items() if not figure.now]
        if unmeasured and name == FINE_TUNED:
            run.in_part(f"Not measured again, but computed from {PREDICTIONS}: {', '.join(sorted(unmeasured))}.")


def _check_details(run: Run, made: Tables, dataset: Any) -> None:
    """Compare the details on record of every system with those of what it answers now: a few answers may differ."""
    if (analyses := run.optional("evaluate", "analyses")) is None or "details" not in run.record:
        return
    again = json.loads(json.dumps(analyses(made, dataset, run.record).get("details", {})))
    if wrong := list(_unlike(again, run.record["details"], "details")):
        run.found.reasons.append(f"{RECORD} states other details than what was made again: {', '.join(wrong)}.")


def _unlike(ours: Any, stated: Any, path: str) -> Iterator[str]:
    """Where numbers differ by more than a few answers explain: shares by .05, counts by 2 %, at least 1."""
    if isinstance(ours, Mapping) and isinstance(stated, Mapping):
        for key in ours.keys() & stated.keys():
            yield from _unlike(ours[key], stated[key], f"{path}.{key}")
    elif isinstance(ours, int | float) and isinstance(stated, int | float):
        room = 0.05 if isinstance(ours, float) else max(1.0, 0.02 * ours)
        if not findings.near(ours, stated, room):
            yield f"{path} {stated}, not {ours}"
    elif ours != stated:
        yield f"{path} {stated}, not {ours}"


def _check_base(run: Run, model: Any, dataset: Any, tolerance: float) -> pd.DataFrame | None:
    """Compare the base model's figures, and its answers if stored, with those made again, which are returned."""
    if (predict_base := run.optional("predict", "predict_base")) is None:
        if BASE not in run.systems:
            run.found.notes.append("The base model's figures were not measured again.")
        return None
    table = predict_base(model, dataset, run.record, run.words("Base"))
    reasons = _check_figures(run, BASE, table, dataset)
    others = (name for name in ("torch", "transformers") if run.record["packages"].get(name) != version(name))
    if BASE not in run.systems and any(others) and _has_new_head(run):
        # Of other versions the same seed may draw another head: then nothing is said about this one.
        for each in reasons:
            run.in_part(f"With a new head, which other versions of packages may draw: {each}")
    else:
        run.found.reasons += reasons
    run.found.reasons += _compare_others(run, BASE, table, tolerance, run.task)
    return table


def _check_figures(run: Run, name: str, table: pd.DataFrame, dataset: Any) -> list[str]:
    """Compare recorded figures with those of answers made again, which may lie elsewhere in their intervals.

    Returns why they do not hold.
    """
    from bioft.models import precision

    measured = run.of_task("evaluate", "figures")(table, dataset, run.record)
    stated = run.recorded[name]
    compared = [
        figure_of(name, metric, figure, measured[metric]["value"])
        for metric, figure in stated.items()
        if metric in measured
    ]
    run.found.take(compared)
    reasons = []
    if outside := [figure for figure in compared if not figure.holds]:
        words = (f"{figure.metric} {findings.number_text(figure.measured)}" for figure in outside)
        reasons.append(f"{name}: outside the recorded intervals: {', '.join(words)}.")
    # What follows from no stored predictions must be what is measured, but for rounding: of the scores of a new head,
    # which are all but equal, rounding decides some answers, and more of them in 16 bits.
    part, near = 0.0, MODELS_OWN if name == FINE_TUNED else checks.NEAR
    if name == BASE and name not in run.systems:
        in_float32 = precision.evaluated_in(run.record) == "float32"
        part = NEW_HEAD_IN_16_BITS if not in_float32 else NEW_HEAD if _has_new_head(run) else 0.0
    follow = {figure.metric for figure in run.found.figures if figure.model == name and figure.stored}
    if others := [
        f"{metric} {findings.interval_text(figure)}, not {findings.interval_text(measured[metric])}"
        for metric, figure in stated.items()
        if run.full and metric in measured and metric not in follow
        if not _is_near(figure, measured[metric], near, part)
    ]:
        reasons.append(f"{name}: not what is measured: {'; '.join(others)}.")
    if run.full and (missing := [metric for metric in measured if metric not in stated]):
        reasons.append(f"{RECORD} leaves out figures of {name}: {', '.join(missing)}.")
    return reasons


def _has_new_head(run: Run) -> bool:
    """Whether the base model has a head that is drawn; a record may say that it has none, and no more."""
    return run.task.new_head and bool(run.record.get("new_head", True))


def _is_near(stated: Mapping[str, Any], measured: Mapping[str, Any], near: float, part: float) -> bool:
    """Whether a figure and its interval are those measured, nearly or but for this part of the interval's width."""
    ends = [measured[end] for end in ("low", "high")]
    room = near if None in ends else max(near, (ends[1] - ends[0]) * part)
    return stated["n"] == measured["n"] and all(
        findings.near(measured[key], stated[key], room) for key in ("value", "low", "high")
    )


def _compare_with_validation(run: Run, model: Any, dataset: Any) -> None:
    """Say so if the test split is answered much better than the validation split, as by a model trained on it."""
    metric, validation = run.task.main_metric, dataset.get("validation")
    if validation is None or list(validation.features) != list(dataset["test"].features):
        return
    asked = type(dataset)({**dataset, "test": validation})
    figures = run.of_task("evaluate", "figures")(_predict(run, model, validation), asked, run.record)
    sides = [its.get(metric) or {} for its in (run.record["metrics"], figures)]
    if any(figure.get(part) is None for figure in sides for part in ("value", "low", "high")):
        return
    test, other = (figure["value"] for figure in sides)
    errors = ((figure["high"] - figure["low"]) / 3.92 for figure in sides)
    if test - other > SUSPICIOUS * math.hypot(*errors):
        run.found.notes.append(
            f"Suspicious: {metric} is {test:.3f} on the test split and {other:.3f} on the validation split, more "
            "than chance explains. A model that was trained on the test split looks like this."
        )
