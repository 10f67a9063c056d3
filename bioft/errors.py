"""Errors that are meant for the user: the command line prints their message and no traceback."""


class BioftError(Exception):
    """Bad input or a missing resource: says what was wrong, where, and what to do."""


class ChangedFilesError(BioftError):
    """The files of a run are not those that its record was written with."""


class LeakageError(BioftError):
    """A dataset build was stopped because its splits share information that they must not share."""
