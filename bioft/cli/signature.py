"""Commands made of functions: the signature of each says its options, their choices, bounds, defaults and help.

A command is made when it is asked for, so that the help of a group imports no function.
"""

import inspect
from abc import abstractmethod
from collections.abc import Callable, Iterable
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperCommand
from typer.main import get_command_from_info
from typer.models import CommandInfo

from bioft.cli.options import Group, renamed
from bioft.datasets.options import Option, described
from bioft.errors import suggestion

FILES = ("path", "paths")


class FunctionGroup(Group):
    """A group of commands that `make` makes, each when it is used."""

    _only_names = False

    @abstractmethod
    def helps(self) -> dict[str, str]:
        """One sentence for each command, by its name."""

    @abstractmethod
    def make(self, name: str) -> TyperCommand:
        """The command of that name."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of all commands."""
        return list(self.helps())

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """One command; None if there is none of that name."""
        if (help := self.helps().get(cmd_name)) is None:
            return None
        return TyperCommand(cmd_name, help=help) if self._only_names else self.make(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command of a command line; where there is none of that name, the nearest is named."""
        known = self.helps()
        if args and args[0] not in known and not args[0].startswith("-"):
            ctx.fail(f"No such command {args[0]!r}. {suggestion(args[0], known)}")
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help of the group, for which the names of the commands are enough."""
        self._only_names = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._only_names = False


def command(
    name: str, help: str, run: Callable[..., None], parameters: Iterable[inspect.Parameter], old: dict[str, str]
) -> TyperCommand:
    """A command that calls `run` with the values of `parameters`; `old`: see `bioft.cli.options.renamed`."""

    def callback(**values: Any) -> None:
        run(**values)

    # Typer reads both of a function.
    sorted_parameters = sorted(parameters, key=lambda each: each.name not in FILES)
    callback.__signature__ = inspect.Signature(sorted_parameters)  # type: ignore[attr-defined]
    callback.__annotations__ = {each.name: each.annotation for each in sorted_parameters}
    info = CommandInfo(name, cls=renamed(old), callback=callback, help=help)
    made: Any = get_command_from_info(info, pretty_exceptions_short=True, rich_markup_mode="rich")
    return made


def parameters_of(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Typer's parameters for those of a function that are annotated with a help text."""
    about, hints = described(function), get_type_hints(function)
    parameters = inspect.signature(function).parameters
    return [_parameter(parameters[name], hints[name], each) for name, each in about.items()]


def _parameter(parameter: inspect.Parameter, hint: Any, about: Option) -> inspect.Parameter:
    default = parameter.default
    kind = _type(hint)
    if get_origin(kind) is list and default is not parameter.empty:
        default = None
    shown: bool | str = about.default or default not in (None, "", parameter.empty)
    bounds: dict[str, Any] = {
        name: bound if kind is float else int(bound)
        for name, bound in (("min", about.low), ("max", about.high))
        if bound is not None
    }
    if parameter.name in FILES:
        info: Any = typer.Argument(metavar="FILE", help=about.help, show_default=shown)
    else:
        name = about.name or f"--{parameter.name.replace('_', '-')}"
        names = (name, "-o") if name == "--output" else (name,)
        info = typer.Option(*names, help=about.help, show_default=shown, envvar=about.variable or None, **bounds)
    if default is None:
        kind = kind | None
    return parameter.replace(kind=parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, info])


def _type(hint: Any) -> Any:
    """What Typer makes of a command line for a hint: a path, a list, or the type itself, without None."""
    if get_origin(hint) in (Union, UnionType):
        parts = [each for each in get_args(hint) if each is not NoneType]
        lists = [each for each in parts if _holds_many(each)]
        return _type(lists[0]) if lists else Path if len(parts) > 1 else _type(parts[0])
    if _holds_many(hint):
        return list[_type(get_args(hint)[0])]  # type: ignore[misc]
    return hint


def _holds_many(hint: Any) -> bool:
    origin = get_origin(hint)
    return isinstance(origin, type) and issubclass(origin, Iterable) and origin is not Literal


def given(values: dict[str, Any]) -> dict[str, Any]:
    """The values without lists that nobody gave, for which a function has its own default."""
    return {key: value for key, value in values.items() if value not in (None, [], ())}
