"""Folders and files that are written whole or not at all, and never over what is there."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bioft.errors import BioftError
from bioft.storage import runs


def check_new(output: Path) -> None:
    """Refuse a folder that holds something.

    Raises:
        BioftError: `output` exists and is not an empty folder.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise BioftError(f"{output} exists and is not empty. Name another folder.")


@contextmanager
def new_folder(output: Path) -> Iterator[Path]:
    """A folder to write to, which becomes `output` at the end; if anything goes wrong nothing is left behind.

    Raises:
        BioftError: `output` exists and is not an empty folder, or the disk is full.
    """
    check_new(output)
    with runs.disk_errors(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{output.name}.", suffix=".partial", dir=output.parent))
        try:
            yield partial
            partial.chmod(0o755)
            if output.exists():
                output.rmdir()
            partial.rename(output)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def new_file(output: Path) -> Iterator[Path]:
    """A file to write to, in a folder of its own, which becomes `output` at the end; see `new_folder`."""
    with runs.disk_errors(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{output.name}.", suffix=".partial", dir=output.parent) as folder:
            partial = Path(folder) / output.name
            yield partial
            partial.rename(output)
