"""Figures are made, but drawn only in tests marked `draws`: drawing is half of the time of a run on a tiny model."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from bioft.metrics import plots


def leave_out(figure: object, path: Path) -> None:
    """Write files in the place of a figure, others for each name."""
    for suffix in {Path(path).suffix, *plots.BESIDE}:
        Path(path).with_suffix(suffix).write_bytes(b"\x89PNG of no figure: " + Path(path).name.encode())


@contextmanager
def without_drawing() -> Iterator[None]:
    """Nothing is drawn meanwhile."""
    with mock.patch.object(plots, "save_figure", leave_out):
        yield


def is_left_out() -> bool:
    """Whether nothing is drawn now."""
    return plots.save_figure is leave_out
