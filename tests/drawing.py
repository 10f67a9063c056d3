"""Runs without drawing: figures are made, nothing is drawn in their files.

Drawing takes half of the time of a run on a tiny model. `tests/test_contract.py` draws the figures of all tasks.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from bioft.metrics import plots


@contextmanager
def without_drawing() -> Iterator[None]:
    """The files of figures are written, and are empty."""

    def write_empty(figure: object, path: Path) -> None:
        path.write_bytes(b"")

    with mock.patch.object(plots, "save_figure", write_empty):
        yield
