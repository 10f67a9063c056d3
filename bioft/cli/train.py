"""Commands that train, and that make other models of a run: `train`, `sweep`, `reproduce`, `merge`, `export`."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bioft.cli.options import Data, Revision, RunName, argument, option, output_option
from bioft.errors import BioftError

app = typer.Typer()
OF_RECIPES = {"allow_extra_args": True, "ignore_unknown_options": True}


@app.command(context_settings={**OF_RECIPES, "help_option_names": []})
def train(
    context: typer.Context,
    recipe: Annotated[
        str | None,
        typer.Argument(
            metavar="RECIPE [PRESET] [--key value …]",
            help="A recipe of bioft or a script of your own, and a preset of it or a YAML file. Alone: list them.",
            show_default=False,
        ),
    ] = None,
    processes: Annotated[int | None, option("How many: one on each GPU.", default="1", min=1)] = None,
    accelerate: Annotated[
        str | None,
        option("Configuration of `accelerate launch`: a file, or a name such as fsdp_qlora.", default="none"),
    ] = None,
) -> None:
    """Train a recipe. All other options are its own: see `bioft train RECIPE --help`.

    The same command continues a training that was interrupted.
    """
    from bioft.training import help_page, launch, presets

    if recipe is None:
        _print_recipes()
    elif recipe in ("--help", "-h"):
        text = context.get_help()  # nothing where it has been printed already
        typer.echo(text, nl=text != "")
    else:
        script, words = presets.script(recipe), list(context.args)
        ours = script in presets.scripts().values()
        if words and not words[0].startswith("-"):
            if any(word.partition("=")[0] == "--config" for word in words):
                raise BioftError(f"Give the preset once: {words[0]}, or --config.")
            words.insert(0, "--config")
            if ours and not presets.is_path(words[1]):
                presets.resolve_config(script.stem, words[1])
        preset = words[1] if words[:1] == ["--config"] else "default"
        if ours and words[-1:] in (["--help"], ["-h"]) and len(words) in (1, 3) and not presets.is_path(preset):
            typer.echo(help_page.kept(script.stem, presets.resolve_config(script.stem, preset)), nl=False)
            return
        config = None if accelerate is None else Path(accelerate)
        if accelerate is not None and not presets.is_path(accelerate):
            config = presets.resolve_config(presets.LAUNCH_CONFIGS, accelerate)
        launch.start(script, words, processes, config)


def _print_recipes() -> None:
    """Print what can be trained, and how to go on."""
    from bioft.metrics.report import show
    from bioft.training import presets

    table = Table("recipe", "what it does", box=None, padding=(0, 2, 0, 0))
    for name, script in presets.scripts().items():
        table.add_row(name, Text(presets.about(script)))
    show(table)
    typer.echo("\nTheir options: bioft train RECIPE --help    Their presets: bioft recipes list")


@app.command(context_settings=OF_RECIPES)
def sweep(
    context: typer.Context,
    recipe: Annotated[str, argument("Name of the recipe, such as text_classification.")],
    output: Annotated[Path, output_option("Folder for the sweep.")],
    grid: Annotated[
        list[str] | None, option("key=value,value: values of one key of the recipe; repeat for others.")
    ] = None,
    ranges: Annotated[list[str] | None, option("key=low,high or key=low,high,log; with --trials.", "--range")] = None,
    trials: Annotated[
        int | None, option("Configurations that Optuna's TPE sampler draws.", default="all of the grid", min=1)
    ] = None,
    metric: Annotated[str | None, option("What to choose by.", default="the main metric of the task")] = None,
    minimize: Annotated[bool, option("Choose the lowest value.", "--minimize")] = False,
    skip_failed: Annotated[
        bool, option("Choose among the others where a configuration failed.", "--skip-failed")
    ] = False,
) -> None:
    """Train a recipe with many configurations, choose one on the validation split, and test only that one.

    All other options are those of the recipe, such as --config and --dataset_path. An interrupted sweep continues with
    the same command.
    """
    from bioft.training import sweep as sweeping

    found = sweeping.sweep(
        recipe,
        context.args,
        output,
        grid=sweeping.parse_values(grid or []),
        ranges=sweeping.parse_values(ranges or []),
        trials=trials,
        metric=metric,
        minimize=minimize,
        skip_failed=skip_failed,
    )
    sweeping.print_sweep(found)
    print(f"Written to {output}")
    raise typer.Exit(0 if found.test is not None and not found.failed else 1)


@app.command()
def reproduce(
    name: RunName,
    output: Annotated[
        Path | None,
        output_option(
            "Folder of the new run.", default="<run>-reproduced; of a run on the Hub runs/<recipe>/<name>-reproduced"
        ),
    ] = None,
    revision: Revision = None,
    dataset_path: Data = None,
) -> None:
    """Train a run again as its record says: reproduced (exit code 0), or how far off its figures are (1)."""
    from bioft.training import reproduce as reproduction

    found = reproduction.reproduce(name, output, revision=revision, dataset_path=dataset_path)
    reproduction.print_reproduction(found)
    raise typer.Exit(0 if found.holds else 1)


@app.command()
def merge(
    run: Annotated[str, argument("Run directory with an adapter, or user/name on the Hub.")],
    output: Annotated[Path, output_option("New folder for the model.")],
    dtype: Annotated[
        Literal["float32", "bfloat16", "float16"] | None,
        option("Type of the weights.", default="that of the base model"),
    ] = None,
    dataset_path: Data = None,
) -> None:
    """Merge the adapter of a run into its base model; both must give the same outputs on test examples."""
    from bioft.export import merge as merging
    from bioft.models import quiet

    quiet.quieten()
    found = merging.merge(run, output, dtype=dtype, dataset_path=dataset_path)
    base = "its base model, dequantised from 4 bits" if found.dequantized else "its base model"
    typer.echo(
        f"Merged into {base}, in {found.dtype}. On the worst of {found.examples} test examples the outputs differ by "
        f"{found.drift:.2g} of their standard deviation ({found.tolerance:g} is allowed)."
    )
    Console(markup=False).print(Text(f"Written to {found.directory}", style="green"), soft_wrap=True)


@app.command()
def export(
    run: RunName,
    output: Annotated[Path, output_option("New folder.")],
    to: Annotated[str, option("The format: onnx.", "--to")] = "onnx",
    quantize: Annotated[Literal["int8"] | None, option("Round the weights to 8 bits.", default="float32")] = None,
    dataset_path: Data = None,
) -> None:
    """Export the encoder of a run for other software; both must give the same predictions on test examples."""
    if to != "onnx":
        raise typer.BadParameter(
            f"bioft writes no {to}. For GGUF merge the run (bioft merge), and convert that with llama.cpp: see "
            "docs/export.md."
        )
    from bioft.export import onnx as export_onnx
    from bioft.models import quiet

    quiet.quieten()
    found = export_onnx.export(run, output, quantize=quantize, dataset_path=dataset_path)
    typer.echo(f"Exported to {found.format}. {found.parity.sentence()}")
    Console(markup=False).print(Text(f"Written to {found.path}", style="green"), soft_wrap=True)
