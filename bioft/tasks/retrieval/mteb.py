"""Tuned and untrained text encoder on tasks of MTEB, the Massive Text Embedding Benchmark (Muennighoff et al., 2023).

The tasks, their data and their metrics are those of the package `mteb`.
"""

import json
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
from datasets.exceptions import DatasetNotFoundError
from huggingface_hub.errors import HfHubHTTPError
from rich import box
from rich.table import Column, Table

from bioft.errors import BioftError, extra, nearest
from bioft.storage import files as storage_files
from bioft.tasks.retrieval import encoder as contrastive

if TYPE_CHECKING:
    from mteb import AbsTask

SYSTEMS = ("base", "fine-tuned")
"""In the order in which they are evaluated and shown."""
SUMMARY = "summary.json"
SOURCE = "evaluated_run.json"
"""Which run the results of a folder are of."""


def find_tasks(names: Sequence[str]) -> "list[AbsTask]":
    """The tasks of these names; BioftError without mteb, or with the nearest names where there is no such task."""
    with extra("mteb", "A task of MTEB"):
        import mteb
        from mteb.get_tasks import TASK_LIST
    logging.getLogger("mteb").setLevel(logging.WARNING)
    known = {task.metadata.name.casefold(): task.metadata.name for task in TASK_LIST}
    for name in names:
        if name.casefold() not in known:
            advice = nearest(name, known.values(), n=3) or "Their names: mteb.get_tasks()."
            raise BioftError(f"MTEB has no task {name!r}. {advice}")
    return [mteb.get_task(known[name.casefold()]) for name in names]


def evaluate(
    directory: str | Path, tasks: "Sequence[AbsTask]", out: str | Path, *, batch_size: int = 32
) -> list[dict[str, Any]]:
    """Evaluate the encoder of a finished run of `contrastive`, and its base model, on tasks of MTEB.

    Writes `<out>/<task>/base.json` and `fine-tuned.json` (mteb's own results), and `<out>/summary.json`. A task whose
    files are there is not evaluated again, so that a long list can go on after an interruption.

    Returns what the summary holds, for each task: `task`, `type`, `metric` (its main one), `base` and `fine-tuned`
    (their mean over splits and subsets) and `difference`. BioftError: no finished run of contrastive; data that can't
    be had; a folder with results of another encoder.
    """
    out = Path(out)
    tuned, record = contrastive.load_run(directory)
    identity = {"recipe": record["recipe"], "name": Path(directory).resolve().name, "files": record["files"]}
    _claim(out, identity)
    encoders = dict(zip(SYSTEMS, (contrastive.load_base(record), tuned), strict=True))
    rows = []
    for task in tasks:
        scores = {name: _score(task, name, encoder, out, batch_size) for name, encoder in encoders.items()}
        if task.data_loaded:
            task.unload_data()
        difference = scores["fine-tuned"] - scores["base"]
        about = {"task": task.metadata.name, "type": task.metadata.type, "metric": task.metadata.main_score}
        rows.append({**about, **scores, "difference": difference})
    storage_files.write_json(out / SUMMARY, rows)
    return rows


def table(rows: Sequence[dict[str, Any]]) -> Table:
    """The rows of `evaluate` as a table."""
    numbers = (Column(name, justify="right") for name in ("Base", "Fine-tuned", "Difference"))
    shown = Table("Task", "Metric", *numbers, title="MTEB, mean over splits and subsets", box=box.SIMPLE_HEAD)
    for row in rows:
        figures = f"{row['base']:.4f}", f"{row['fine-tuned']:.4f}", f"{row['difference']:+.4f}"
        shown.add_row(row["task"], row["metric"], *figures)
    return shown


def _claim(out: Path, encoders: dict[str, Any]) -> None:
    """Note which run the results in a folder are of; those of another one are not mixed with it."""
    note = out / SOURCE
    if note.is_file() and json.loads(note.read_text(encoding="utf-8")) != encoders:
        raise BioftError(f"{out} has results of another run. Give another folder with --output.")
    if not note.is_file() and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BioftError(f"{out} exists and is no folder of MTEB results. Give another one with --output.")
    out.mkdir(parents=True, exist_ok=True)
    storage_files.write_json(note, encoders)


def _score(task: "AbsTask", name: str, encoder: Any, out: Path, batch_size: int) -> float:
    """The main score of an encoder on a task, from the folder if it is there."""
    import mteb
    from mteb.results import TaskResult

    path = out / task.metadata.name / f"{name}.json"
    if not path.is_file():
        _load_data(task)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=FutureWarning, module="mteb")
            # Without a cache: what mteb keeps goes by the name of a model, and a run has none there.
            found = mteb.evaluate(encoder, task, cache=None, encode_kwargs={"batch_size": batch_size})
        with storage_files.new_file(path) as partial:
            found.task_results[0].to_disk(partial)
    return float(TaskResult.from_disk(path).get_score())


def _load_data(task: "AbsTask") -> None:
    if task.data_loaded:
        return
    try:
        task.load_data()
    except (OSError, HfHubHTTPError, DatasetNotFoundError, httpx2.HTTPError) as error:
        raise BioftError(
            f"The data of {task.metadata.name} can't be had: {str(error).splitlines()[0]}. They are "
            f"{task.metadata.dataset['path']} on the Hub: this needs a network the first time (and no HF_HUB_OFFLINE)."
        ) from error
