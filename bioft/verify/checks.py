"""Whether what a run states follows from its stored predictions, its data and its model, whatever its task.

What a task's predictions are, which figures follow from them and how they are made, its own modules say
(`bioft.task`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioft import task as tasks
from bioft.datasets.recorded import RecordedData
from bioft.errors import BioftError
from bioft.storage.runs import PREDICTIONS, RECORD
from bioft.task import BASE, FINE_TUNED, Task
from bioft.verify import findings
from bioft.verify.findings import SHOWN_ROWS, Figure, equal, figure_of

Tables = Mapping[str, pd.DataFrame]
PARTS = ("value", "low", "high", "n")
FULL = 3
"""The first schema of records whose intervals, comparisons and set of baselines can be verified."""
EARLIER = (
    "The record was written before intervals of schema 3: its intervals, comparisons and set of baselines cannot be "
    "verified fully."
)
OTHER_ROWS = f"The rows of {PREDICTIONS} are not those of the test split."
BASELINE_DIFFERING = 0.05
"""The share of a baseline's answers that may be others when it is fitted again, with other versions of packages."""


@dataclass
class Run:
    """A run to be evaluated again, with what was found of it so far.

    `sample` rows of the test split are drawn by `seed`, or all are taken (None).
    """

    directory: Path
    record: dict[str, Any]
    task: Task
    found: findings.Verification
    sample: int | None = None
    seed: int = 0
    progress: bool = False

    @property
    def full(self) -> bool:
        """Whether the record is of a schema that can be verified fully."""
        return int(self.record["schema_version"]) >= FULL

    def of_task(self, module: str, name: str) -> Any:
        """A function of the run's task; BioftError names it if it is not there."""
        return tasks.function(self.task, module, name, "can be verified")

    def optional(self, module: str, name: str) -> Any:
        """A function that a task need not have; None without it."""
        return getattr(tasks.part(self.task, module), name, None)

    @cached_property
    def table(self) -> pd.DataFrame:
        """The stored predictions."""
        return self.of_task("answers", "read")(self.directory, self.record)

    @cached_property
    def systems(self) -> Tables:
        """What each system whose answers were stored answered, the fine-tuned model first."""
        return self.of_task("answers", "systems")(self.table, self.record)

    @property
    def recorded(self) -> dict[str, Mapping[str, Any]]:
        """The figures that the record states, by system."""
        base = {BASE: self.record["base_model_metrics"]} if self.record.get("base_model_metrics") else {}
        return {FINE_TUNED: self.record["metrics"], **base, **self.record["baselines"]}

    def words(self, name: str) -> str | None:
        """The words of a progress bar; None without bars."""
        return name if self.progress else None


def check_functions(run: Run) -> None:
    """Refuse a run that cannot be evaluated again: BioftError says why, before anything is loaded."""
    for module, names in {
        "answers": ("read", "systems", "differences"),
        "evaluate": ("figures", "baselines", "comparisons"),
        "predict": ("load", "predict"),
    }.items():
        for name in names:
            run.of_task(module, name)
    if run.sample is not None and not run.task.sampled:
        raise BioftError(
            f"The predictions of a run on {run.task.name} depend on one another: verify this run without --sample."
        )
    if not isinstance(run.record.get("recipe"), str):
        raise BioftError(f"{RECORD} names no recipe.")
    if not run.record["metrics"]:
        raise BioftError(f"{RECORD} states no figures.")


def check_stored(run: Run, dataset: Any, fitted: Tables) -> None:
    """Compare the record's figures, intervals and comparisons with those that its stored predictions give.

    `dataset` is None where the splits could not be had and the figures need none; baselines fitted again stand in the
    place of those that were not stored.
    """
    found, recorded, figures = run.found, run.recorded, run.of_task("evaluate", "figures")
    again = run.of_task("answers", "differences")(run.systems[FINE_TUNED], run.table, run.record)
    if again["changed"].any():
        found.reasons.append(f"Answers in {PREDICTIONS} do not follow from its scores and the recorded thresholds.")
    wrong: list[str] = []
    stored = dict(run.systems)
    for name, table in (stored | {name: its for name, its in fitted.items() if name not in stored}).items():
        computed, stated = figures(table, dataset, run.record), recorded.get(name, {})
        if not stated:
            found.reasons.append(f"{RECORD} states no figures of {name}, whose answers are in {PREDICTIONS}.")
        elif left_out := [metric for metric in computed if metric not in stated]:
            found.notes.append(f"{RECORD} leaves out figures of {name}: {', '.join(left_out)}.")
        known = {metric: figure for metric, figure in stated.items() if metric in computed}
        for metric, figure in known.items():
            ours = computed[metric]
            if any(not equal(ours[part], figure[part]) for part in (PARTS if run.full else ("value", "n"))):
                wrong.append(f"{name}: {metric} {findings.interval_text(figure)}, not {findings.interval_text(ours)}")
        _take(found, [figure_of(name, metric, figure, computed[metric]["value"]) for metric, figure in known.items()])
    if wrong:
        found.reasons.append(f"{RECORD} states figures that do not follow from {PREDICTIONS}: {'; '.join(wrong)}.")
    if not run.full:
        return
    baselines = dict(fitted) | {name: its for name, its in stored.items() if name not in (FINE_TUNED, BASE)}
    compared = run.of_task("evaluate", "comparisons")(run.table, baselines, dataset, run.record)
    for key, comparison in compared.items():
        stated = run.record.get(key) or {}
        if any(not equal(value, stated.get(part)) for part, value in comparison.items()):
            found.reasons.append(
                f"{RECORD} compares with the best baseline in another way ({key}) than {PREDICTIONS} gives: "
                f"“{comparison['sentence']}”"
            )


def fit_baselines(run: Run, dataset: Any) -> Tables:
    """Fit the baselines again; in a sample only where the record has figures of one that was not stored."""
    if run.sample is not None and run.record["baselines"].keys() <= run.systems.keys():
        return {}
    fitted = run.of_task("evaluate", "baselines")(dataset, run.record, run.progress)
    for name in run.record["baselines"].keys() - fitted.keys():
        run.found.notes.append(f"This bioft knows no baseline {name!r}: its figures were not measured again.")
    return {name: table for name, table in fitted.items() if name in run.record["baselines"]}


def check_data(run: Run, data: RecordedData) -> bool:
    """Whether the predictions are about the test split of the data; what is wrong with the data is a reason."""
    run.found.reasons += data.reasons
    if data.not_rebuilt:
        run.found.notes.append(data.not_rebuilt)
        run.found.best = "verified on the publisher's data" if run.full else run.found.best
    if check_files := run.optional("evaluate", "check_files"):
        run.found.reasons += check_files(run.directory, data.splits, run.record)
    if check := run.optional("evaluate", "check_data"):
        run.found.reasons += check(data.splits, run.record)
    if (rows_of := run.optional("evaluate", "test_rows")) is None:
        return True
    expected = rows_of(data.splits)
    # A joint model with one head has no labels for the other: its figures would be missing too.
    there = [column for column in expected if column in run.table]
    if _plain(run.table[there]) == _plain(expected[there]):
        return True
    run.found.reasons.append(OTHER_ROWS)
    return False


def check_predictions(run: Run, dataset: Any, fitted: Tables) -> None:
    """Make the predictions again and compare them, and the figures that follow, with the stored ones."""
    found, record, test = run.found, run.record, dataset["test"]
    rows = np.arange(len(run.table))
    if run.sample is not None:
        rows = np.sort(np.random.default_rng(run.seed).choice(len(test), run.sample, replace=False))
    stored = {figure.metric for figure in found.figures if figure.model == FINE_TUNED}
    model = run.of_task("predict", "load")(run.directory)
    made = run.of_task("predict", "predict")(
        model, test if run.sample is None else test.select(rows), record, run.words("Test")
    )
    if not _compare_rows(run, made, rows):
        return
    if run.sample is not None:
        # The rule of three: how many others could be false if none of the drawn ones is.
        found.notes.append(
            f"A sample: {len(rows):,} of {len(test):,} predictions were made again (seed {run.seed}); had "
            f"{min(1.0, 3 / len(rows)):.1%} of them been false, one would have been found with a probability of 95 %. "
            "The figures were computed from the stored predictions; base model and baselines were not evaluated again."
        )
        return
    again = _check_figures(run, FINE_TUNED, made, dataset)
    if only_stored := stored - again:
        found.notes.append(f"Not measured again, but computed from {PREDICTIONS}: {', '.join(sorted(only_stored))}.")
    if without := record["metrics"].keys() - stored - again:
        found.reasons.append(f"{RECORD} states figures without predictions: {', '.join(sorted(without))}.")
    if BASE in run.recorded and (predict_base := run.optional("predict", "predict_base")) is not None:
        _check_figures(run, BASE, predict_base(model, test, record, run.words("Base")), dataset)
    elif BASE in run.recorded and BASE not in run.systems:
        found.notes.append("The base model's figures were not measured again.")
    for name, table in fitted.items():
        if name in run.systems:
            _check_figures(run, name, table, dataset)
            changed = run.of_task("answers", "differences")(table, run.systems[name], record)["changed"]
            if changed.sum() > BASELINE_DIFFERING * len(table):
                found.reasons.append(
                    f"{name}: fitted again, it answers {int(changed.sum()):,} of {len(table):,} rows in another way."
                )
    if (check_choices := run.optional("evaluate", "check_choices")) is not None:
        found.reasons += check_choices(model, dataset, record)


def verify_run(run: Run, data: RecordedData | BioftError) -> None:
    """Compare everything that a run states with its stored predictions, its data, its baselines and its model.

    `data` are those of the record, or why they could not be had.

    Raises:
        BioftError: what could not be had.
        LeakageError: rows of the test split were trained on.
    """
    if not run.full:
        run.found.best = "verified in part"
        run.found.notes.append(EARLIER)
    if isinstance(data, BioftError):
        if run.task.self_contained:
            check_stored(run, None, {})
        raise data
    if run.sample is not None and run.sample >= len(data.splits["test"]):
        run.sample = None
    if (of_rows := run.optional("answers", "of_rows")) is not None:
        run.table = of_rows(run.table, data.splits["test"])
    same_rows = check_data(run, data)
    fitted = fit_baselines(run, data.splits) if same_rows or not run.task.self_contained else {}
    if same_rows or run.task.self_contained:
        check_stored(run, data.splits, fitted)
    run.found.reasons += findings.check_base_model(run.directory, run.record)
    if same_rows:
        check_predictions(run, data.splits, fitted)


def _compare_rows(run: Run, made: pd.DataFrame, rows: np.ndarray) -> bool:
    """Compare predictions made again with those stored in `rows`; False if these are not about the same examples."""
    task, record = run.task, run.record
    stored = run.table.iloc[rows].reset_index(drop=True)
    shared = [column for column in ("id", "label") if column in made and column in stored]
    if len(made) != len(stored) or _plain(made[shared]) != _plain(stored[shared]):
        run.found.reasons.append(OTHER_ROWS)
        return False
    compared = run.of_task("answers", "differences")(made, stored, record)
    tolerance = task.tolerance(record)
    off = (compared["difference"] > tolerance).to_numpy()
    changed = compared["changed"].to_numpy()
    differing = off if task.allowed_changed is None else off | (changed > 0)
    answers = compared["answers"].sum() if "answers" in compared else len(rows)
    run.found.predictions = findings.PredictionCheck(
        compared=len(rows),
        total=len(run.table),
        agreeing=int((~differing).sum()),
        label_flips=int(changed.sum()),
        max_difference=float(compared["difference"].max()),
        tolerance=tolerance,
    )
    too_many = task.allowed_changed is not None and changed.sum() > task.allowed_changed * answers
    if off.sum() > task.allowed_differing * len(rows) or too_many:
        worst = compared[differing].sort_values("difference", ascending=False, kind="stable")["words"]
        words = "; ".join(worst[:SHOWN_ROWS])
        run.found.reasons.append(
            f"{int(differing.sum()):,} of {len(rows):,} predictions are not what the model gives ({words})."
        )
    return True


def _check_figures(run: Run, name: str, table: pd.DataFrame, dataset: Any) -> set[str]:
    """Compare recorded figures with those of answers made again, which may lie elsewhere in their intervals.

    Returns which metrics were measured.
    """
    measured = run.of_task("evaluate", "figures")(table, dataset, run.record)
    compared = [
        figure_of(name, metric, figure, measured[metric]["value"])
        for metric, figure in run.recorded[name].items()
        if metric in measured
    ]
    _take(run.found, compared)
    if outside := [figure for figure in compared if not figure.holds]:
        words = (f"{figure.metric} {findings.number_text(figure.measured)}" for figure in outside)
        run.found.reasons.append(f"{name}: outside the recorded intervals: {', '.join(words)}.")
    return {figure.metric for figure in compared}


def _take(found: findings.Verification, figures: list[Figure]) -> None:
    """Put figures in the place of those of the same model and metric."""
    new = {(figure.model, figure.metric): figure for figure in figures}
    known = {(figure.model, figure.metric): figure for figure in found.figures}
    found.figures = list((known | new).values())


def _plain(table: pd.DataFrame) -> list[list[Any]]:
    """The columns as lists of plain values: a list of labels is an array in one file and a list in another."""
    return [[list(cell) if isinstance(cell, np.ndarray) else cell for cell in table[name]] for name in table]
