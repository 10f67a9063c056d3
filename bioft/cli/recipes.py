"""`bioft recipes`: lists, shows and copies the presets of the recipes."""

from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from bioft.cli.options import Group, Overwrite, argument, output_option, say_new_name

app = typer.Typer(
    cls=Group, invoke_without_command=True, help="List, show and copy the presets of the recipes (alone: list)."
)


@app.callback()
def _recipes(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        recipes_list()


@app.command("list")
def recipes_list() -> None:
    """List the presets of every recipe."""
    from bioft.metrics.report import show
    from bioft.training import presets

    typer.echo(f"Presets in {presets.recipes_directory() / 'configs'}")
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for recipe, its in groupby(presets.list_presets(), key=lambda preset: preset.recipe):
        table.add_row(Text(f"\n{recipe}", style="bold"))
        for preset in its:
            table.add_row(Text(preset.name), Text(preset.description))
    show(table)


Recipe = Annotated[str, argument("For example sft_gda.")]
Preset = Annotated[str, argument("For example llama3_8b.", default=True)]


@app.command("show")
def recipes_show(recipe: Recipe, preset: Preset = "default") -> None:
    """Print a preset's YAML."""
    from bioft.training import presets

    typer.echo(presets.resolve_config(recipe, preset).read_text(encoding="utf-8"), nl=False)


@app.command("copy")
def recipes_copy(
    recipe: Recipe,
    preset: Preset = "default",
    destination: Annotated[Path | None, typer.Argument(hidden=True)] = None,
    output: Annotated[Path, output_option("File, or existing folder, to copy to.", default="this folder")] = Path(),
    overwrite: Overwrite = False,
) -> None:
    """Copy a preset's YAML, to change it."""
    from bioft.training import presets

    if destination is not None:
        say_new_name(f"recipes copy … {destination}", f"--output {destination}")
    path = presets.copy_preset(recipe, preset, destination or output, overwrite=overwrite)
    typer.echo(f"Copied to {path}")
