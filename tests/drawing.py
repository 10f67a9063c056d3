"""Figures are made, but drawn only in tests marked `draws`: drawing is half of the time of a run on a tiny model.

And those that have been made once in a process are not made of the same figures again, as at the end of a training and
then in each verification of its run.
"""

import inspect
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from pathlib import Path
from typing import Any
from unittest import mock

from bioft.metrics import plots
from bioft.tasks.gene_disease import pair_plots

MADE: set[str] = set()
"""The calls that made a figure, with what it is of."""


def leave_out(figure: object, path: Path) -> None:
    """Write files in the place of a figure, others for each name."""
    for suffix in {Path(path).suffix, *plots.BESIDE}:
        Path(path).with_suffix(suffix).write_bytes(b"\x89PNG of no figure: " + Path(path).name.encode())


def once(function: Callable[..., None]) -> Callable[..., None]:
    """A function that makes a figure for `path` of the same arguments once only."""
    parameters = inspect.signature(function)

    @wraps(function)
    def make(*args: Any, **options: Any) -> None:
        given = parameters.bind(*args, **options).arguments
        path = Path(given.pop("path"))
        call = json.dumps([function.__qualname__, given], default=lambda its: its.tolist())
        if call not in MADE:
            with mock.patch.object(plots, "save_figure", wraps=leave_out) as saved:
                function(*args, **options)
            MADE.update([call] if saved.called else [])
        else:
            leave_out(None, path)

    return make


ONCE = {
    (module, function.__name__): once(function)
    for module, function in (
        (plots, plots.metrics),
        (pair_plots, pair_plots.roc_pr),
        (pair_plots, pair_plots.calibration),
        (pair_plots, pair_plots.score_distribution),
    )
}
"""In the place of the functions whose figures take longest to make."""


@contextmanager
def without_drawing() -> Iterator[None]:
    """Nothing is drawn meanwhile."""
    with ExitStack() as patches:
        patches.enter_context(mock.patch.object(plots, "save_figure", leave_out))
        for (module, name), function in ONCE.items():
            patches.enter_context(mock.patch.object(module, name, function))
        yield


def is_left_out() -> bool:
    """Whether nothing is drawn now."""
    return plots.save_figure is leave_out
