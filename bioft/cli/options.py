"""Options that several commands share, names that options had before, and help on narrow terminals."""

import re
import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import typer
from typer.core import TyperCommand, TyperGroup


def option(help: str, *names: str, default: bool | str = True, **more: Any) -> Any:
    """An option; where its default says nothing, the help shows `default` in its place."""
    return typer.Option(*names, help=help, show_default=default, **more)


def output_option(help: str, **more: Any) -> Any:
    """The option that says where a command writes to."""
    return option(help, "--output", "-o", **more)


def argument(help: str, *, default: bool | str = False) -> Any:
    """An argument; where it may be left out, the help shows `default`."""
    return typer.Argument(help=help, show_default=default)


Overwrite = Annotated[bool, option("Replace what is there already.", "--overwrite")]
Revision = Annotated[str | None, option("Branch, tag or commit on the Hub.", default="main")]
SkipBad = Annotated[bool, option("Leave out documents in which something is wrong, and count them.", "--skip-bad")]
Json = Annotated[bool, option("Print JSON instead of a table.", "--json")]
RunName = Annotated[str, argument("Run directory, or user/name on the Hub.")]
RunNames = Annotated[list[str], argument("Run directories, or user/name (or user/name@revision) on the Hub.")]
BuiltFolder = Annotated[Path, argument("Folder that `bioft build` wrote.")]
Data = Annotated[Path | None, option("The data, if elsewhere now: their source file, or a folder of `bioft build`.")]


def _prefer(context: typer.Context, value: str | None) -> None:
    if value is not None:
        from bioft.models import precision

        precision.prefer(value)
        context.call_on_close(lambda: precision.prefer(None))


Dtype = Annotated[
    Literal["auto", "bfloat16", "float32"] | None,
    option(
        "Type that an encoder computes in; auto is bfloat16 where the hardware multiplies it, else float32.",
        default="that of the run's figures; auto for an index",
        callback=_prefer,
    ),
]
"""It holds for all that a command loads, and so is an argument of nothing."""


def _needless(value: int | None) -> None:
    if value is not None:
        typer.echo("Intervals are no longer drawn at random: --resamples and --seed change nothing.", err=True)


Needless = Annotated[int | None, typer.Option(hidden=True, callback=_needless)]
"""An option of earlier versions, when intervals were resampled."""


OF_PATHS = re.compile(r"(?i)\s<?(list\[)?path\b")
"""In the help of an option: its values are files or folders."""
OTHERS = 20
"""Columns of a table of options, beside its three wide ones, for borders and short names."""


class _Whole:
    """A command whose help shows every option by its whole name: on a narrow terminal each text stands below its."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help: as Typer does, unless it would cut a name."""
        command: Any = self
        width = shutil.get_terminal_size().columns
        records = [each.get_help_record(ctx) for each in command.get_params(ctx) if not each.hidden]
        # Typer's table takes from its widest columns first: names are cut where text and type are no wider than they.
        longest = max((len(name) for term, _ in records for name in re.findall(r"--[\w-]+", term)), default=0)
        if width >= 3 * longest + OTHERS:
            super().format_help(ctx, formatter)  # type: ignore[misc]
            return
        if isinstance(command, TyperGroup):
            made: list[Any] = [command.get_command(ctx, name) for name in command.list_commands(ctx)]
            records += [(each.name, each.get_short_help_str(1000)) for each in made if not each.hidden]
        lines = [*textwrap.wrap(command.get_usage(ctx), width), ""]
        for paragraph in (command.help or "").split("\n\n"):
            lines += [*textwrap.wrap(paragraph, width), ""]
        for name, text in records:
            lines += textwrap.wrap(name, width, subsequent_indent="  ", break_on_hyphens=False)
            lines += textwrap.wrap(text, width, initial_indent="    ", subsequent_indent="    ")
        formatter.write("\n".join(lines) + "\n")


class Command(_Whole, TyperCommand):
    """A command that says of a word too many by which options it takes files and folders."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read a command line."""
        allowed, ctx.allow_extra_args = ctx.allow_extra_args, True
        rest = super().parse_args(ctx, args)
        ctx.allow_extra_args = allowed
        if rest and not allowed:
            terms = [found[0] for each in self.params if (found := each.get_help_record(ctx))]
            files = [name for term in terms if OF_PATHS.search(term) for name in re.findall(r"--[\w-]+", term)]
            given = f" Other files and folders are given by {', '.join(files)}." if files else ""
            ctx.fail(f"Got unexpected extra argument ({' '.join(rest)}).{given}")
        return rest


class Group(_Whole, TyperGroup):
    """A group of commands."""


class _Renamed(Command):
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
