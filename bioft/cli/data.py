"""Commands that look at datasets: what is in them, and what needs no language model."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from bioft.cli.options import BuiltFolder, Json, Overwrite, option, output_option, renamed

app = typer.Typer()


@app.command(cls=renamed({"--out": "--output"}))
def inspect(
    dataset: BuiltFolder,
    output: Annotated[
        Path | None, output_option("Folder for `inspection/`.", default="the dataset's own folder")
    ] = None,
    top: Annotated[int, option("How many frequent names, concepts or words to list.", min=1)] = 10,
    namespace: Annotated[
        str | None,
        option(
            "Of gene–disease pairs: an ontology of diseases (a folder of `bioft build namespace`, OBO, OWL, MeSH or "
            "CTD's), to tell which of those that training lacks have a parent, child or sibling there."
        ),
    ] = None,
    full: Annotated[bool, option("Print all of inspection.json, not one page.", "--full")] = False,
    overwrite: Overwrite = False,
) -> None:
    """Show what is in a dataset: counts, overlap of splits, lengths, frequent names and words, labels, audit."""
    from bioft.inspect import inspect as inspection

    report, folder = inspection.inspect_dataset(dataset, output, top=top, namespace=namespace, overwrite=overwrite)
    console = Console(markup=False)
    inspection.print_report(report, console, full)
    for note in report["notes"]:
        console.print(Text(note, style="yellow"), soft_wrap=True)
    console.print(Text(f"Plots and {inspection.REPORT} written to {folder}", style="green"), soft_wrap=True)


@app.command()
def baselines(
    dataset: BuiltFolder,
    task: Annotated[
        str | None, option("Of several that it is for; or a module of yours.", default="the first of them")
    ] = None,
    encoder: Annotated[
        list[str] | None,
        option("Of pairs of texts: evaluate this run, embedded:NAME or Hub id too; repeat for several."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Score what needs no language model (popularity, dictionaries, TF-IDF, …) on the test split of a dataset: of
    gene–disease pairs, entities, relations, labelled texts, or pairs of texts.
    """
    from bioft.metrics import report as metrics_report
    from bioft.tasks.of_dataset import baselines_of

    found = baselines_of(dataset, task, encoder or ())
    if as_json:
        typer.echo(json.dumps(found.metrics, indent=2))
    else:
        console = Console(markup=False)
        console.print(metrics_report.results_table(found.metrics, console, found.shown))
        for table in found.tables:
            metrics_report.show(table, console)
    others = f" With --task also: {', '.join(found.others)}." if task is None and found.others else ""
    typer.echo(f"Task: {found.task.name}.{others}", err=True)
