"""Options that several commands share, and the check of a file to be written."""

from pathlib import Path
from typing import Annotated

import typer

from bioft.errors import BioftError

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there already.")]
Revision = Annotated[str | None, typer.Option(help="Branch, tag or commit on the Hub.", show_default="main")]
SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Leave out documents in which something is wrong, and count them.")
]


def check_output(output: Path, source: Path | None, overwrite: bool) -> None:
    """Raise BioftError where a file may not be written: it is there, is the input, or its folder is missing."""
    if output.exists() and (not overwrite or not output.is_file()):
        raise BioftError(f"{output} exists already. Name another file, or replace it with --overwrite.")
    if output.exists() and source is not None and output.samefile(source):
        raise BioftError(f"{output} is the input itself. Name another file.")
    if not output.parent.is_dir():
        raise BioftError(f"The folder {output.parent} does not exist. Create it first.")
