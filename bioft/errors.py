"""Errors that are meant for the user: the command line prints their message and no traceback."""

from collections.abc import Iterable


class BioftError(Exception):
    """Bad input or a missing resource: says what was wrong, where, and what to do."""


class ChangedFilesError(BioftError):
    """The files of a run are not those that its record was written with."""


class LeakageError(BioftError):
    """A dataset build was stopped because its splits share information that they must not share."""


def suggestion(wrong: str, known: Iterable[str]) -> str:
    """The end of an error message about an unknown name: the nearest known one and the whole list."""
    from difflib import get_close_matches

    names = list(known)
    near = get_close_matches(str(wrong), names, n=1)
    return (f"Did you mean '{near[0]}'? " if near else "") + f"Known: {', '.join(names)}."
