"""What a finished run answered in each test example, read from its stored predictions by its task's own reader."""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]

from bioft.errors import BioftError, command_word, in_words
from bioft.hub import pull
from bioft.hub.pull import task_of
from bioft.metrics import report
from bioft.metrics.estimation import estimates
from bioft.metrics.estimation.estimates import difference
from bioft.metrics.estimation.groups import Groups
from bioft.storage import runs
from bioft.storage.runs import AS_IT_WAS, PREDICTIONS
from bioft.task import BASE, FINE_TUNED, function, part
from bioft.tasks.answers import Answers, Outcomes, read_table, wrong_in
from bioft.verify import checks
from bioft.verify.card import check_card
from bioft.verify.findings import Verification, equal, number_text

TELLING = 20
"""Different numbers among the answers of a run, from which on another one that has the same is the same model."""
ROUNDED = 1e-6
"""How far these numbers may be apart: weights that are scaled against each other compute the same but for rounding."""
DECIMAL = re.compile(r"\d\.\d{2,}")
_SEE = "See with bioft verify {} what else is not so."


def run_of(name: str) -> Path:
    """The folder of a run: a directory, or `user/name` or `user/name@revision` on the Hub, where it is pulled to."""
    path, _, revision = name.partition("@")
    return pull.run_directory(name) if Path(name).is_dir() else pull.run_directory(path, revision=revision or None)


def finished_run(name: str) -> tuple[Path, dict[str, Any]]:
    """The folder and the record of a run; BioftError: no finished and tested one, or files that were changed."""
    directory = run_of(name)
    record = runs.read(directory)
    runs.check_tested(directory, record)
    runs.check_files(directory, record)
    return directory, record


class Model(NamedTuple):
    """What tells one model from others: the checksums of its tensors, and its answers as texts and numbers.

    There are none of `numbers` where other models might answer just so.
    """

    tensors: frozenset[str]
    texts: int
    """Their hash: leaderboards compare many runs."""
    numbers: np.ndarray

    @classmethod
    def of(cls, directory: Path) -> "Model":
        """The model of a finished run."""
        table = read_table(directory, {})
        ours = [name for name in map(str, table) if not name.startswith("base")]
        is_number = {name: _is_numeric(table[name]) for name in ours}
        # Leaderboards have hundreds of runs: what holds one number a row is not looked at cell by cell.
        numbers = np.column_stack([np.zeros((len(table), 0)), *(_numbers(table[n]) for n in ours if is_number[n])])
        texts = [*zip(*(table[name].map(str) for name in ours if not is_number[name]), strict=True)]
        texts = texts or [()] * len(table)
        decimals = set(np.round(numbers[numbers % 1 != 0], 6).tolist())
        if len(decimals) < TELLING:
            decimals.update(*(map(float, DECIMAL.findall(cell)) for row in texts for cell in row))
        # Rows may be in another order.
        if len(set(texts)) == len(texts):
            order = sorted(range(len(texts)), key=texts.__getitem__)
        else:
            order = sorted(range(len(texts)), key=lambda row: (texts[row], numbers[row].tolist()))
        told = numbers[order] if len(decimals) >= TELLING else numbers[:0]
        return cls(runs.tensors(directory), hash(tuple(texts[row] for row in order)), told)

    def shares(self, other: "Model") -> list[str]:
        """What it has in common with another, of which one is enough to be the same."""
        found = ["weights"] if self.tensors and self.tensors == other.tensors else []
        if len(self.numbers) and self.numbers.shape == other.numbers.shape and self.texts == other.texts:
            found += ["answers"] if bool((np.abs(self.numbers - other.numbers) <= ROUNDED).all()) else []
        return found


def _is_numeric(column: pd.Series) -> bool:
    """Whether its cells are numbers, or as many numbers each."""
    if pd.api.types.is_numeric_dtype(column) or isinstance(column.iloc[0], str):
        return not isinstance(column.iloc[0], str)
    cells = column.map(np.asarray)
    return all(np.issubdtype(cell.dtype, np.number) for cell in cells) and len(set(cells.map(np.shape))) == 1


def _numbers(column: pd.Series) -> np.ndarray:
    """The numbers of a column, a row for each cell."""
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(np.float64)[:, np.newaxis]
    return np.stack(list(map(np.ravel, column)))


def check_distinct(names: Sequence[str]) -> None:
    """Raise BioftError for a run that is given twice, also by two names of its folder."""
    places = [Path(name).resolve() if Path(name).is_dir() else name for name in names]
    if doubled := sorted({name for name, place in zip(names, places, strict=True) if places.count(place) > 1}):
        raise BioftError(f"{', '.join(doubled)} is given twice.")


def outcomes(directory: Path, record: dict[str, Any]) -> dict[str, Outcomes]:
    """Read what each system of a finished run got right in each test example: the fine-tuned model, then the others.

    BioftError: a task that this bioft does not know, or predictions that can't be read.
    """
    answers = part(task_of(directory, record), "answers")
    asked: dict[str, tuple[Any, ...]] = {"outcomes": ()}
    asked |= {"systems": (record,)} if hasattr(answers, "systems") else {}
    ours, *others = _read(directory, record, "can be compared", asked)
    if len(set(ours.ids)) != len(ours.ids):
        raise BioftError(f"{directory / PREDICTIONS} has more than one row for the same test example.")
    if answers is None or not others:
        return {FINE_TUNED: ours}
    outcomes = answers.outcomes
    measure = getattr(answers, "measured", lambda table, record: outcomes(table))
    systems = others[0] | (answers.with_model(others[0], record) if hasattr(answers, "with_model") else {})
    measured = {name: measure(table, record) for name, table in systems.items() if name != FINE_TUNED}
    return {FINE_TUNED: ours} | measured


def check_figures(directory: Path, record: dict[str, Any]) -> None:
    """Refuse a run whose record states figures that its stored predictions do not give, or lacks systems: BioftError.

    No model is asked, and no data are read: of a task whose figures need these, the metrics of its `outcomes` and its
    comparison are compared, else all that follows from predictions.
    """
    run = checks.Run(directory, record, task_of(directory, record), Verification(str(directory)))
    found = outcomes(directory, record)
    for metric, of_model in found[FINE_TUNED].metrics.items():
        stated = run.recorded[FINE_TUNED].get(metric, {}).get("value")
        if stated is not None and math.isnan(of_model.estimate().value):
            raise BioftError(
                f"{directory}: the test examples in {PREDICTIONS} are all of one class, so that there is no {metric}, "
                f"and {runs.RECORD} states {number_text(stated)}. {_SEE.format(command_word(directory))}"
            )
    if run.full:
        checks.check_systems(run)
    if run.task.self_contained:
        with estimates.of_schema(int(record["schema_version"])):
            checks.check_stored(run, None, {})
    else:
        _check_comparison(run, found)
        for name, its in found.items():
            for metric, figure in run.recorded.get(name, {}).items():
                value = its.metrics[metric].estimate().value if metric in its.metrics else None
                if value is not None and figure["value"] is not None and not equal(figure["value"], value):
                    run.found.reasons.append(
                        f"{runs.RECORD} states figures that do not follow from {PREDICTIONS}: {name}: {metric} "
                        f"{number_text(figure['value'])}, not {number_text(value)}."
                    )
    if run.found.reasons:
        raise BioftError(f"{directory}: {' '.join(run.found.reasons)} {_SEE.format(command_word(directory))}")


def _check_comparison(run: checks.Run, found: Mapping[str, Outcomes]) -> None:
    """Compare the comparison on record with that of stored answers, where the best baseline's are stored."""
    stated, ours = run.record.get("comparison") or {}, found[FINE_TUNED]
    metric, baseline = stated.get("metric"), stated.get("baseline")
    stored = [name for name, its in found.items() if name not in (FINE_TUNED, BASE) and metric in its.metrics]
    elsewhere = baseline not in stored and baseline in run.recorded
    if not run.full or metric not in ours.metrics or not stored or elsewhere:
        return
    groups, model = Groups(len(ours.ids), ours.groups), ours.metrics[metric].estimate()
    apart = {name: difference(metric, model, found[name].metrics[metric].estimate(), groups) for name in stored}
    # Of equal baselines it is the one on record.
    name = max(stored, key=lambda name: (round(apart[name].second, 12), name == baseline))
    best = report.describe_difference(name, apart[name], metric)
    parts = [key for key in best if key != "sentence"]
    if not all(equal(best[key], stated.get(key)) for key in parts) or _said(best) != _said(stated):
        run.found.reasons.append(
            f"{runs.RECORD} compares with the best baseline in another way than {PREDICTIONS} gives: "
            f"“{best['sentence']}”"
        )


def _said(comparison: Mapping[str, Any]) -> str:
    """The sentence of a comparison without the words of its metric and of what test examples share."""
    sentence = str(comparison.get("sentence")).partition(" (paired")[0]
    return re.sub(r"difference in .*?(?= [+-]\d*\.\d+, )", "difference", sentence)


def check_publishable(directory: Path) -> None:
    """Refuse to publish a run whose record or card states results that its stored predictions do not give.

    BioftError says which: nothing that the run's own files refute is published. Lines that its owner has added to the
    card beside the results are not looked at, and a task of one's own that has no `answers` is not read.
    """
    record = runs.read_trained(directory, whole=True)
    with runs.reading([str(directory)]):
        if hasattr(part(task_of(directory, record), "answers"), "outcomes"):
            check_figures(directory, record)
        found = Verification(str(directory))
        check_card(directory, record, found, results_only=True)
    if found.reasons:
        raise BioftError(f"{directory}: {' '.join(found.reasons)} Nothing was sent.")


def read_answers(directory: Path, record: Mapping[str, Any]) -> Answers:
    """What all systems of a finished run answered; BioftError: an unknown task, or predictions that can't be read."""
    return _read(directory, record, "can be analysed", {"answers": (record,)})[0]


def _read(directory: Path, record: Mapping[str, Any], what: str, asked: Mapping[str, tuple[Any, ...]]) -> list[Any]:
    """What readers of a task give of the stored predictions, by name with their further arguments."""
    task, path = task_of(directory, record), directory / PREDICTIONS
    readers = [function(task, "answers", name, what) for name in asked]
    columns = getattr(part(task, "answers"), "COLUMNS", {})
    # What is read here may need fewer columns than `bioft verify`; those that are there must hold what they should.
    table = read_table(
        directory, {name if name.endswith(("?", "_")) else f"{name}?": columns[name] for name in columns}
    )
    if why := wrong_in(table, record):
        raise BioftError(f"{path} holds no predictions on {task.name}: {why}. {AS_IT_WAS}")
    try:
        return [
            read(table.copy(deep=False), *arguments) for read, arguments in zip(readers, asked.values(), strict=True)
        ]
    except (OSError, ValueError, IndexError, KeyError, TypeError, AttributeError, pa.ArrowException) as error:
        runs.check_whole(directory, record, task.recorded)
        raise BioftError(
            f"{path} can't be read as predictions on {task.name}: {in_words(error)}. {AS_IT_WAS}"
        ) from error
