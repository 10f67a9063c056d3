"""The tasks that a dataset can be used for, and what their baselines get on it without any run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.table import Table

from bioft.datasets.load import audit_again, check_manifest, check_usable
from bioft.errors import BioftError, suggestion
from bioft.storage import datasets as storage
from bioft.task import Task, named, part, registered


class Baselines(NamedTuple):
    """The metrics of each baseline on the test split, which of them are shown, and what they are metrics of."""

    task: Task
    others: list[str]
    """The names of the other tasks whose baselines the dataset is for."""
    metrics: dict[str, dict[str, Any]]
    shown: dict[str, str]
    tables: Sequence[Table] = ()
    """For the terminal: what else there is of encoders."""


def tasks_of(manifest: Mapping[str, Any], columns: set[str]) -> list[Task]:
    """The tasks that a dataset is for: those that have its source, then others that take its columns."""
    every = [task for task in registered().values() if not task.lacks(columns)]
    builder = manifest.get("builder")
    return sorted(every, key=lambda task: builder not in {source.name for source in task.sources})


def baselines_of(directory: Path, wanted: str | None = None, encoders: Sequence[str] = ()) -> Baselines:
    """Fit the baselines of a task on a folder that `bioft build` wrote and evaluate them on its test split.

    `wanted` is the task's name, or a module of one's own; by default the first whose baselines need nothing but the
    dataset. `encoders` (run folders, embedded models, or ids on the Hub) are evaluated beside them. BioftError: no
    dataset there, none whose baselines can be had without a run, another task than those, or one for which an encoder
    alone is nothing.
    """
    splits, manifest = storage.load(directory)
    check_manifest(directory, splits, manifest)
    columns = set(splits["test"].column_names)
    tasks = tasks_of(manifest, columns)
    if wanted is not None and (own := named(wanted)) is not None and not own.lacks(columns) and own not in tasks:
        tasks, wanted = [own], own.name
    found = {task.name: part(task, "evaluate") for task in tasks}
    able = {each.name: each for each in tasks if not each.baselines_need and hasattr(found[each.name], "baselines")}
    if wanted is not None and wanted not in able:
        others = suggestion(wanted, able) if able else ""
        raise BioftError(f"{directory} has no baselines of the task {wanted!r}. {others}".strip())
    if not able:
        why = "; ".join(f"those of {task.name} need {task.baselines_need}" for task in tasks if task.baselines_need)
        raise BioftError(f"{directory} has no baselines that need a dataset alone{why and f': {why}'}.")
    task = able[wanted or next(iter(able))]
    evaluate: Any = found[task.name]
    audit_again(task, splits, manifest)
    check_usable(directory, task, splits, manifest)
    record = {"task": task.name, "train_on": "train", "labels": manifest.get("labels"), "dataset": manifest}
    of_encoder = getattr(evaluate, "of_encoder", None)
    if encoders and of_encoder is None:
        raise BioftError(f"{directory} is for {task.name}: an encoder has to be trained for it. Leave out --encoder.")
    answers = evaluate.baselines(splits, record, progress=True)
    metrics = {name: evaluate.figures(table, splits, record) for name, table in answers.items()}
    for name in encoders:
        metrics[name] = of_encoder(name, splits, record)  # type: ignore[misc]
    tables = evaluate.tables({"pair_similarity": {name: metrics[name] for name in encoders}}) if encoders else []
    words = evaluate.shown(record) if record["labels"] else evaluate.SHOWN
    shown = {name: its for name, its in words.items() if all(name in found for found in metrics.values())}
    return Baselines(task, [name for name in able if name != task.name], metrics, shown, tables)
