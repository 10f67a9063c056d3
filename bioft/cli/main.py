"""The `bioft` command. Each command calls one function of the package and prints what it returns.

Nothing heavy may be imported at the top of this module: `bioft --help` must answer at once.
"""

import gc
import re
import warnings
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.control import _CONTROL_STRIP_TRANSLATE
from rich.text import Text
from typer.core import TyperCommand

from bioft import __version__
from bioft.cli import build, compare, data, download, hub, recipes, search, train
from bioft.cli.options import Command, Group, Json, option, renamed
from bioft.cli.predict import predict, rank, serve
from bioft.errors import BioftError, any_output
from bioft.storage.files import disk_error

PANELS = {
    "Data": ("download", "build"),
    "Train": ("doctor", "train", "recipes", "sweep", "reproduce"),
    "Look": ("inspect", "baselines", "analyze"),
    "Compare": ("compare", "seeds", "leaderboard", "mteb"),
    "Publish": ("push-adapter", "push-dataset", "pull-adapter", "pull-dataset", "verify", "merge", "export"),
    "Use": ("predict", "rank", "demo", "serve", "align", "index", "search", "topics"),
}
"""The commands in the order of the help, by what they are for."""
# Rich strips some control characters of what it prints; of names in others' data those of the terminal must go, too.
_CONTROL_STRIP_TRANSLATE.update(dict.fromkeys((*range(0x0E, 0x20), *range(0x7F, 0xA0))))
OPTION = re.compile(r"^--\w[\w-]*(?==|$)")


class ErrorGroup(Group):
    """A group whose commands end with one clear message on stderr and exit code 1 for what users can mend."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The commands in the order of `PANELS`."""
        names = super().list_commands(ctx)
        return sorted(names, key=[name for panel in PANELS.values() for name in panel].index)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """One command, with the panel that it stands in."""
        found: Any = super().get_command(ctx, cmd_name)
        if found is not None:
            found.rich_help_panel = next(panel for panel, names in PANELS.items() if found.name in names)
        return found

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Every option can be written with underscores too; those of recipes stay as they are."""
        command: Any = super().get_command(ctx, next((each for each in args if not each.startswith("-")), ""))
        ours = None
        if command is not None and command.context_settings.get("ignore_unknown_options"):
            ours = {name for parameter in command.params for name in parameter.opts}

        def with_hyphens(word: str) -> str:
            option = OPTION.sub(lambda name: name[0].replace("_", "-"), word)
            return option if ours is None or option.partition("=")[0] in ours else word

        return super().parse_args(ctx, [with_hyphens(each) for each in args])

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except BioftError as error:
            message = str(error)
        except KeyboardInterrupt:
            Console(stderr=True, markup=False).print(
                "Interrupted. What was finished is kept, nothing is half-written."
            )
            raise typer.Exit(130) from None
        except Exception as error:
            if (explained := disk_error(error)) is None:
                raise
            message = str(explained)
        Console(stderr=True, markup=False, soft_wrap=True).print(Text(f"Error: {message}", style="red"))
        raise typer.Exit(1)


app = typer.Typer(
    cls=ErrorGroup,
    no_args_is_help=True,
    # The values of local variables may hold a token.
    pretty_exceptions_show_locals=False,
    help="Task recipes for biomedical language models, honest by construction.",
)
for name, group in (("build", build), ("download", download), ("recipes", recipes)):
    app.add_typer(group.app, name=name)
for module in (data, hub, compare, train, search):
    app.add_typer(module.app)
app.command()(predict)
app.command()(rank)
app.command()(serve)
app.command(cls=renamed({"--export-space": "--output"}))(search.demo)


def main() -> None:
    """Run the command line (the entry point `bioft`)."""
    # What the libraries plan to change in themselves is nothing that a user can mend.
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers|trl|peft")
    # The libraries make half a million objects when they are imported. Looking for garbage among them each time that
    # 700 have come took a seventh of the time of a short answer.
    gc.set_threshold(50_000, 20, 100)
    with any_output():
        app()


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"bioft {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, option("Show the version and exit.", "--version", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check hardware, packages, the Hub, and which weights are here; says how to mend what is missing."""
    from bioft.cli import doctor as checks

    found = checks.check_all()
    if as_json:
        typer.echo(checks.to_json(found))
    else:
        checks.print_report(found, Console(markup=False))
    if any(check.status == "missing" for check in found):
        raise typer.Exit(1)


for each in (app, recipes.app, *(module.app for module in (data, hub, compare, train, search))):
    for registered in each.registered_commands:
        if registered.cls in (None, TyperCommand):
            registered.cls = Command
