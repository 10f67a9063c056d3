"""Folders and files that are written whole or not at all, and never over what is there."""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bioft.errors import BioftError


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
    with disk_errors(output):
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
    with disk_errors(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{output.name}.", suffix=".partial", dir=output.parent) as folder:
            partial = Path(folder) / output.name
            yield partial
            partial.rename(output)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal text."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write a text file in one step: it is there whole, or as it was before."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise disk_error(path, error) from error
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def disk_errors(directory: Path) -> Iterator[None]:
    """Turn a full or read-only disk into a message; checkpoints written before stay usable."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise disk_error(directory, error) from error


def disk_error(path: Path, error: OSError) -> BioftError:
    """What to tell a user whose disk is full or not writable."""
    folder = next(parent for parent in [path, *path.parents] if parent.exists())
    free = shutil.disk_usage(folder).free // 2**20
    return BioftError(
        f"Could not write to {path}: {error.strerror or error} ({free} MiB free there). Make space, or choose "
        "another --output_dir; the same command continues from the last checkpoint."
    )
