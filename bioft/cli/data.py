"""Commands that look at datasets: what is in them, and what needs no language model."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from bioft.cli.options import BuiltFolder, Json, Overwrite, renamed

app = typer.Typer()


@app.command(cls=renamed({"--out": "--output"}))
def inspect(
    dataset: BuiltFolder,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for `inspection/`.", show_default="the dataset's own folder"),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many frequent names, concepts or words to list.")] = 10,
    overwrite: Overwrite = False,
) -> None:
    """Show what is in a dataset: counts, overlap of splits, lengths, frequent names and words, labels, audit."""
    from bioft.inspect import inspect as inspection

    report, folder = inspection.inspect_dataset(dataset, output, top=top, overwrite=overwrite)
    console = Console()
    inspection.print_report(report, console)
    for note in report["notes"]:
        console.print(Text(note, style="yellow"), soft_wrap=True)
    console.print(Text(f"Plots and {inspection.REPORT} written to {folder}", style="green"), soft_wrap=True)


@app.command()
def baselines(
    dataset: BuiltFolder,
    as_json: Json = False,
) -> None:
    """Score what needs no language model (popularity, names, graph) on the test split of a dataset."""
    from bioft.metrics import report as metrics_report
    from bioft.storage import datasets as storage
    from bioft.tasks.gene_disease import evaluate as evaluation

    splits, _ = storage.load(dataset)
    results = {name: found.metrics for name, found in evaluation.evaluate_baselines(splits).items()}
    if as_json:
        typer.echo(json.dumps(results, indent=2))
    else:
        Console().print(metrics_report.results_table(results, Console().width, evaluation.SHOWN))
