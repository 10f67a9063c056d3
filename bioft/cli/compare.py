"""Commands that set runs side by side: `compare`, `seeds`, `analyze`, `leaderboard`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from bioft.cli.options import Data, Dtype, Needless, RunNames, argument, option, output_option

app = typer.Typer()


@app.command()
def compare(
    names: RunNames,
    metric: Annotated[str | None, option("What to rank by.", default="the main metric of the task")] = None,
    output: Annotated[Path | None, output_option("Write Markdown, CSV, HTML and a plot into this new folder.")] = None,
    resamples: Needless = None,
    seed: Needless = None,
) -> None:
    """Rank runs on the same test examples, with intervals and paired tests corrected for their number.

    Exit code 1 where one that was named is in no ranking; the reason is said.
    """
    from bioft.compare import compare as run_comparison
    from bioft.training import seeds as seed_runs

    found = run_comparison.compare(seed_runs.expand(names), metric=metric)
    run_comparison.print_comparison(found)
    if output is not None:
        run_comparison.write_comparison(found, output)
        print(f"Written to {output}")
    if found.apart:
        raise typer.Exit(1)


@app.command()
def seeds(
    names: Annotated[
        list[str], argument("Runs that differ in their seeds only, or the folder of --seeds or --split_seeds.")
    ],
    output: Annotated[Path | None, output_option("Write seeds.json and seeds.md into this folder.")] = None,
) -> None:
    """Summarise runs that differ in the seeds of training or splits only: how far their figures depend on chance."""
    from bioft.training import seeds as seed_runs

    summary = seed_runs.summarise(seed_runs.expand(names))
    seed_runs.print_summary(summary)
    if output is not None:
        seed_runs.write_summary(summary, output)
        print(f"Written to {output}")


@app.command()
def analyze(
    names: RunNames,
    output: Annotated[Path, output_option("New folder for the page and its files.")],
    embeddings: Annotated[
        bool, option("Also embed test examples with the base model and the fine-tuned one.", "--embeddings")
    ] = False,
    sample: Annotated[int, option("Test examples to embed, at most.", min=20)] = 500,
    seed: Annotated[int, option("Seed of the sample, the map and the probe.", min=0, max=2**32 - 1)] = 0,
    dataset_path: Data = None,
    dtype: Dtype = None,
) -> None:
    """Show why a run is better or worse than its base model: what changed, and which examples are hard."""
    from bioft.compare import analyze as analysis, page as analysis_page
    from bioft.models import quiet

    quiet.quieten()
    options = analysis.Options(embeddings=embeddings, sample=sample, seed=seed, dataset_path=dataset_path)
    analysis_page.print_chapters(analysis.analyse(names, output, options))
    print(f"Written to {output / analysis_page.PAGE}")


@app.command()
def leaderboard(
    names: RunNames,
    output: Annotated[Path, output_option("New folder for the page.")],
    verifications: Annotated[
        Path | None, option("Folder of JSON files, one a run, from `bioft verify RUN --json`.")
    ] = None,
    resamples: Needless = None,
    seed: Needless = None,
) -> None:
    """Write a web page of ranked runs that opens without a network, and its rows as CSV and Parquet."""
    from bioft.compare import leaderboard as board
    from bioft.training import seeds as seed_runs

    found = board.build_leaderboard(seed_runs.expand(names), output, verifications=verifications)
    for name, reason in found.apart.items():
        Console(stderr=True, markup=False).print(Text(f"Not ranked: {name}. {reason}", style="yellow"), soft_wrap=True)
    typer.echo(f"{found.runs:,} run{'s' * (found.runs != 1)}, written to {output / board.PAGE}")
    typer.echo("To publish it: hf repos create USER/leaderboard --type space --sdk static")
    typer.echo(
        f"               hf upload USER/leaderboard {output} . --type space (or --type dataset: the rows alone)"
    )
