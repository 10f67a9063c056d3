"""Files and folders: written whole or not at all, their checksums, bioft's cache, and what to say of a full disk."""

import errno
import fcntl
import hashlib
import json
import lzma
import mmap
import os
import re
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from weakref import WeakSet

from bioft.errors import BioftError, causes, near_file

ZIP_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(RuntimeError, EOFError, OSError, ValueError),
)
"""What `zipfile` raises for a damaged file; an encrypted member is a RuntimeError, as an unknown compression."""
_FULL = (errno.ENOSPC, errno.EDQUOT)
_NO_PERMISSION = (errno.EACCES, errno.EPERM, errno.EROFS)
_ALIGNED = 64
"""Bytes at multiples of which Arrow wants its buffers to begin."""
_MAPS: WeakSet[mmap.mmap] = WeakSet()
# Libraries that write from compiled code tell a full disk in words of their own.
_DISK_WORDS = re.compile(r"No space left|Disk quota|File too large|iostream error|PytorchStreamWriter failed")


def cache_directory() -> Path:
    """Where bioft keeps what it can make or fetch again: `$BIOFT_CACHE`, else `~/.cache/bioft`."""
    return Path(os.environ.get("BIOFT_CACHE", Path.home() / ".cache" / "bioft"))


def file_sha256(*paths: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's bytes, or of those of several files after each other, as hexadecimal digits."""
    digest = hashlib.sha256()
    for path in paths:
        with Path(path).open("rb") as stream:
            hashlib.file_digest(stream, lambda: digest)
    return digest.hexdigest()


def source(
    file: Path,
    *,
    version: str | None = None,
    url: str | None = None,
    terms: str = "not stated",
    redistribution: str = "ask",
    citation: str | None = None,
) -> dict[str, Any]:
    """What a manifest says about a source file; `redistribution` is "free" where anyone may pass the data on.

    Raises BioftError where there is no such file.
    """
    if not file.is_file():
        missing = f"{file} does not exist. {near_file(file)}".strip()
        raise BioftError(f"{file} is a folder, not a file." if file.is_dir() else missing)
    return {
        "name": file.name,
        "sha256": file_sha256(file),
        "bytes": file.stat().st_size,
        "version": version,
        "url": url,
        "terms": terms,
        "redistribution": redistribution,
        "citation": citation,
    }


def check_new(output: Path) -> None:
    """Raise BioftError where `output` exists and is not an empty folder."""
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise BioftError(f"{output} exists and is not empty. Name another folder.")


def check_new_file(output: Path, source: Path | None, overwrite: bool) -> None:
    """Raise BioftError where a file may not be written: it is there, is the input, or its folder takes no file."""
    if output.exists() and (not overwrite or not output.is_file()):
        raise BioftError(f"{output} exists already. Name another file, or replace it with --overwrite.")
    if output.exists() and source is not None and output.samefile(source):
        raise BioftError(f"{output} is the input itself. Name another file.")
    if not output.parent.is_dir():
        raise BioftError(f"The folder {output.parent} does not exist. Create it first.")
    if not os.access(output.parent, os.W_OK):
        raise BioftError(f"Nothing may be written to the folder {output.parent}. Name a file in another.")


@contextmanager
def new_folder(output: Path, *, existing: Literal["refuse", "replace", "keep"] = "refuse") -> Iterator[Path]:
    """A folder to write to, which becomes `output` at the end; if anything goes wrong all is as it was before.

    Args:
        output: the folder, whose parents are made.
        existing: what to do with a folder that holds something: refuse it, replace it at the end, or keep it and drop
            what was written (for a cache, where another process may have made the same meanwhile).

    Raises:
        BioftError: `output` holds something and is refused, or the disk is full.
    """
    if existing == "refuse":
        check_new(output)
    with _beside(output) as place:
        partial = place / output.name
        partial.mkdir()
        yield partial
        open_to_all(partial)
        replaced = existing == "replace" and output.exists()
        old = output.rename(place / f"old-{output.name}") if replaced else None
        try:
            partial.rename(output)  # an empty folder may be replaced
        except OSError:
            if old is not None:
                old.rename(output)
            if existing != "keep" or not output.is_dir():
                raise


def open_to_all(folder: Path) -> None:
    """Give the files of a folder the rights of any new file: libraries write weights that nobody else may read."""
    umask = os.umask(0)
    os.umask(umask)
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o666 & ~umask))


@contextmanager
def new_file(output: Path) -> Iterator[Path]:
    """A file of the same name to write to, which takes the place of `output` at the end.

    BioftError: the disk is full. `output` is then as it was before.
    """
    with _beside(output) as place:
        yield place / output.name
        (place / output.name).replace(output)


@contextmanager
def _beside(output: Path) -> Iterator[Path]:
    with disk_errors(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        place = tempfile.mkdtemp(prefix=f".{output.name}.", suffix=".partial", dir=output.parent)
        try:
            yield Path(place)
        finally:
            shutil.rmtree(place, ignore_errors=True)


class UnnamedFile:
    """Bytes that are written one after the other, then read as if they were in memory; it goes with its last reader.

    BioftError: the disk takes no more.
    """

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile()  # noqa: SIM115
        self.size = 0
        self.map: Any = b""

    def write(self, data: Any) -> None:
        """Write what has a buffer."""
        with disk_errors(Path(tempfile.gettempdir())):
            self.size += self.file.write(memoryview(data).cast("B"))

    def align(self) -> int:
        """Go on to where numbers may begin, and return the place."""
        self.write(bytes(-self.size % _ALIGNED))
        return self.size

    def read(self, start: int, size: int) -> memoryview:
        """What was written there; pages of the file are in memory once they are looked at."""
        if len(self.map) < start + size:  # a file without bytes can't be mapped
            with disk_errors(Path(tempfile.gettempdir())):
                self.file.flush()
            self.map = mmap.mmap(self.file.fileno(), 0, access=mmap.ACCESS_READ)
            _MAPS.add(self.map)
        return memoryview(self.map)[start : start + size]


def forget() -> None:
    """Give back the memory of what was read of all unnamed files; it is read from them again."""
    for each in list(_MAPS) if hasattr(mmap, "MADV_DONTNEED") else ():
        each.madvise(mmap.MADV_DONTNEED)


def lock(directory: Path) -> int | None:
    """Keep other processes from a folder: the descriptor that does so until it is closed or the process ends.

    None where another process keeps the folder. A disk that knows no locks keeps nobody away.
    """
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    except OSError:
        pass
    return handle


def remove(paths: Iterable[Path]) -> None:
    """Remove files, and folders with all that is in them."""
    for path in list(paths):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def write_text(path: Path, text: str) -> None:
    """Write a text file (UTF-8) in one step: it is there whole, or as it was before."""
    with new_file(path) as partial:
        # Names of files that Python could not decode, as under LC_ALL=C, are written as they are on the disk.
        partial.write_text(text, encoding="utf-8", errors="surrogateescape")


def write_json(path: Path, content: Any, *, allow_nan: bool = True) -> None:
    """Write JSON for people to read, in one step; see `write_text`. Without `allow_nan` a NaN raises ValueError."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=allow_nan) + "\n")


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn a disk that is full or can't be written to into a message about `path`; other errors pass."""
    try:
        yield
    except Exception as error:
        if (explained := disk_error(error, path)) is None:
            raise
        raise explained from error


def disk_error(error: BaseException, path: Path | None = None) -> BioftError | None:
    """What to tell a user whose disk is full or not writable; None for an error that is not the disk's.

    Libraries wrap the error of a full disk, so that the causes of `error` are looked through. `path` is what was being
    written, by default the file that the error names.
    """
    for cause in causes(error):
        if isinstance(cause, BioftError):
            break
        if isinstance(cause, OSError) and (cause.errno in _FULL or (cause is error and _is_of_disk(cause, path))):
            return _message(cause, cause.strerror or str(cause), path)
        if _DISK_WORDS.search(str(cause)):
            return _message(cause, f"the disk takes no more ({' '.join(str(cause).split())[:200]})", path)
    return None


def _is_of_disk(error: OSError, path: Path | None) -> bool:
    if path is None:
        return error.errno in _NO_PERMISSION
    return (error.errno or 0) > 0 and not isinstance(error, ConnectionError | TimeoutError)


def _message(error: BaseException, reason: str, path: Path | None) -> BioftError:
    name = getattr(error, "filename", None)
    named = Path(os.fsdecode(name)).absolute() if isinstance(name, str | bytes) else None
    path = (path or named or Path()).absolute()
    # The file that was being written may be on another disk, as a cache is.
    if named is not None and path.parent not in named.parents:
        path = named
    elsewhere = "point BIOFT_CACHE to another disk" if cache_directory() in path.parents else "choose another place"
    if isinstance(error, OSError) and error.errno in _NO_PERMISSION:
        return BioftError(f"No permission for {path}: {reason}. Change its permissions, or {elsewhere}.")
    place = next(folder for folder in (path, *path.parents) if folder.exists())
    free = shutil.disk_usage(place).free // 10**6
    return BioftError(
        f"Can't write to {path}: {reason} ({free:,} MB free there). Make space or {elsewhere}, and run the same "
        "command again: a training or a download goes on where it stopped."
    )
