"""What a finished run answered in each test example, read from its stored predictions by its task's own reader."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]

from bioft.errors import BioftError, suggestion
from bioft.hub.pull import task_of
from bioft.storage.runs import PREDICTIONS
from bioft.task import function
from bioft.tasks.answers import Answers, Metric, Outcomes


def outcomes(directory: Path, record: dict[str, Any]) -> Outcomes:
    """Read what a finished run got right in each test example.

    Raises:
        BioftError: a task that this bioft does not know, or predictions that can't be read.
    """
    path, read = (
        directory / PREDICTIONS,
        function(task_of(directory, record), "answers", "outcomes", "can be compared"),
    )
    try:
        found: Outcomes = read(pd.read_parquet(path))
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise BioftError(f"{path} can't be read as predictions on {record['task']} ({error!r}).") from error
    if len(set(found.ids)) != len(found.ids):
        raise BioftError(f"{path} has more than one row for the same test example.")
    order = sorted(range(len(found.ids)), key=found.ids.__getitem__)
    return Outcomes(
        [found.ids[index] for index in order],
        {
            name: type(metric)(*(array[order] for array in vars(metric).values()))
            for name, metric in found.metrics.items()
        },
    )


def read_answers(directory: Path, record: Mapping[str, Any]) -> Answers:
    """Read what all systems of a finished run answered.

    Raises:
        BioftError: a task that this bioft does not know, or predictions that can't be read.
    """
    path, read = directory / PREDICTIONS, function(task_of(directory, record), "answers", "answers", "can be analysed")
    try:
        return read(pd.read_parquet(path), record)
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise BioftError(f"{path} can't be read as predictions on {record['task']} ({error!r}).") from error


def choose(found: Outcomes, metric: str | None) -> tuple[str, Metric]:
    """One of the metrics, by default the main one; BioftError if there is none of that name."""
    if metric is None:
        return next(iter(found.metrics.items()))
    if metric not in found.metrics:
        raise BioftError(f"No metric {metric!r} to compare by. {suggestion(metric, found.metrics)}")
    return metric, found.metrics[metric]
