"""Options that several commands share, and names that options had before."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

import typer
from typer.core import TyperCommand

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there already.")]
Revision = Annotated[str | None, typer.Option(help="Branch, tag or commit on the Hub.", show_default="main")]
SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Leave out documents in which something is wrong, and count them.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
RunName = Annotated[str, typer.Argument(help="Run directory, or user/name on the Hub.", show_default=False)]
RunNames = Annotated[
    list[str],
    typer.Argument(help="Run directories, or user/name (or user/name@revision) on the Hub.", show_default=False),
]
BuiltFolder = Annotated[Path, typer.Argument(help="Folder that `bioft build` wrote.", show_default=False)]
Data = Annotated[
    Path | None,
    typer.Option(help="The data, if elsewhere now: their source file, or a folder of `bioft build`."),
]
Resamples = Annotated[int, typer.Option(min=100, help="Resamples of the paired bootstrap.")]
BootstrapSeed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of the bootstrap.")]


class _Renamed(TyperCommand):
    """A command that takes options by the names that they had before too, and says the new ones."""

    old: ClassVar[Mapping[str, str]] = {}

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read a command line."""
        return super().parse_args(ctx, list(_new_words(args, self.old)))


def renamed(old: Mapping[str, str]) -> type[TyperCommand]:
    """A class of commands for which an old option stands for a new one ("--out" for "--output").

    An option whose new name has no dashes is the file that followed it, alone.
    """
    return type("Renamed", (_Renamed,), {"old": old})


def say_new_name(old: str, new: str) -> None:
    """Tell on standard error that something is written in another way now."""
    typer.echo(f"{old} is now written {new}.", err=True)


def _new_words(words: Sequence[str], old: Mapping[str, str]) -> Iterator[str]:
    told: set[str] = set()
    for index, word in enumerate(words):
        if word == "--":
            yield from words[index:]
            return
        name, equals, value = word.partition("=")
        if name not in old:
            yield word
            continue
        new = old[name]
        if name not in told:
            say_new_name(name if new.startswith("-") else f"{name} {new}", new)
            told.add(name)
        if new.startswith("-"):
            yield f"{new}{equals}{value}"
        elif equals:
            yield value
