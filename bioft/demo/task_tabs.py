"""Which tab a finished run gets; a run that has none is refused with what it is good for."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bioft import task as tasks
from bioft.errors import BioftError
from bioft.hub.pull import task_of
from bioft.storage import runs


def add_all(directories: Sequence[Path]) -> None:
    """Load the runs and add a tab for each to the page that is being built.

    Raises:
        BioftError: a folder without a finished run, or a run on a task that has no tab; as the loading of a run.
    """
    records = [runs.read(directory) for directory in directories]
    added = [task_of(directory, record) for directory, record in zip(directories, records, strict=True)]
    for directory, task in zip(directories, added, strict=True):
        if tasks.part(task, "demo") is None:
            instead = task.not_in_demo or f"{task.module} has no `demo`"
            raise BioftError(f"The demo has no tab for {directory}, a run on {task.name}: {instead}.")
    kinds = Counter(task.name for task in added)
    for directory, record, task in zip(directories, records, added, strict=True):
        add, title = (tasks.function(task, "demo", name, "can be shown in the demo") for name in ("add", "TAB"))
        add(directory, title if kinds[task.name] == 1 else f"{title}: {record['name']}")
