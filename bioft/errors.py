"""Errors that are meant for the user: the command line prints their message and no traceback."""

import io
import os
import shlex
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path


class BioftError(Exception):
    """Bad input or a missing resource: says what was wrong, where, and what to do."""


class ChangedFilesError(BioftError):
    """The files of a run are not those that its record was written with."""


class LeakageError(BioftError):
    """A dataset build was stopped because its splits share information that they must not share."""


@contextmanager
def extra(name: str, what: str) -> Iterator[None]:
    """Import an optional package; where it is missing, a `BioftError` says that `what` needs the extra `name`."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or name).partition(".")[0]
        raise BioftError(f"{what} needs {package}, which is not installed: pip install 'bioft[{name}]'") from None


@contextmanager
def any_output() -> Iterator[None]:
    """Write also to a terminal that lacks letters, which become "?", and to a pipe that nobody reads any more."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        yield
    except BrokenPipeError:
        raise SystemExit(1) from None
    finally:
        try:
            sys.stdout.flush()
        except BrokenPipeError:  # else the interpreter tries again at its end, and complains
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def in_words(error: BaseException) -> str:
    """What an error of a library or of Python says, in one line that can end a sentence."""
    if isinstance(error, KeyError):
        return f"there is no {error.args[0] if error.args else 'such part'}".removesuffix(" not in index")
    return " ".join(str(error).split()).rstrip(".")[:300] or type(error).__name__


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, then what it came of, and so on."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        yield error
        seen.append(error)
        error = error.__cause__ or error.__context__


@contextmanager
def leaving_out(messages: list[str] | None) -> Iterator[None]:
    """Where there is a list, give it the message of what is wrong inside, which is left out; else raise as ever."""
    try:
        yield
    except BioftError as error:
        if messages is None:
            raise
        messages.append(str(error))


def nearest(wrong: str, known: Iterable[str], n: int = 1) -> str:
    """The question whether one of the known names was meant that are most like a wrong one; "" if none is like it."""
    from difflib import get_close_matches

    # The default cutoff of 0.6 misses short names with one wrong ending ("llama" for "llama3_8b").
    near = get_close_matches(str(wrong), list(known), n=n, cutoff=0.5)
    return f"Did you mean {' or '.join(map(repr, near))}?" if near else ""


def near_file(path: str | os.PathLike[str]) -> str:
    """Of a file that is not there: the question whether one beside it was meant, or that its folder is not there."""
    folder, name = os.path.split(os.fspath(path))
    try:
        with os.scandir(folder or ".") as found:
            return nearest(name, [each.name for each in islice(found, 1000)])
    except OSError:
        return f"There is no folder {folder}."


def no_folder(path: str | os.PathLike[str]) -> str:
    """What to say of a path that is no folder: it is a file, or not there, and the nearest that is."""
    folder = Path(path)
    if folder.exists():
        return f"{folder} is a file: name a folder."
    near = near_file(folder) if folder.parent.is_dir() else ""
    return f"There is no folder {folder}. {near}".rstrip()


def command_word(path: str | os.PathLike[str]) -> str:
    """A path as a shell takes it, in commands that messages suggest."""
    return shlex.quote(os.fspath(path))


def suggestion(wrong: str, known: Iterable[str]) -> str:
    """The end of an error message about an unknown name: the nearest known one and the whole list."""
    names = list(known)
    return f"{nearest(wrong, names)} Known: {', '.join(names)}.".lstrip()
