"""The commands of `bioft download`: each fetches one source from its own site."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

app = typer.Typer(no_args_is_help=True, help="Fetch a source from its own site.")


@app.command("ctd")
def download_ctd(
    directory: Annotated[Path, typer.Option(help="Folder to put the file in.")] = Path("data"),
    inferred: Annotated[
        bool, typer.Option("--inferred", help="The file with the inferred associations too (several GB).")
    ] = False,
) -> None:
    """Fetch CTD's gene–disease file from ctdbase.org and show CTD's terms."""
    from bioft.datasets import download

    path = download.download("ctd-inferred" if inferred else "ctd", directory)
    Console().print(Text(f"CTD file: {path}", style="green"), soft_wrap=True)


@app.command("bc5cdr")
def download_bc5cdr(
    directory: Annotated[Path, typer.Option(help="Folder to put the file in.")] = Path("data"),
) -> None:
    """Fetch the BC5CDR corpus from NCBI and show its terms."""
    from bioft.datasets import download

    path = download.download("bc5cdr", directory)
    Console().print(Text(f"BC5CDR: {path}", style="green"), soft_wrap=True)


@app.command("chemdisgene")
def download_chemdisgene(
    directory: Annotated[Path, typer.Option(help="Folder to put the files in.")] = Path("data/chemdisgene"),
    training: Annotated[
        bool, typer.Option("--training", help="The training corpus too (76,942 abstracts, 58 MB).")
    ] = False,
) -> None:
    """Fetch the ChemDisGene corpus from its authors' repository and show its terms."""
    from bioft.datasets import download

    path = download.chemdisgene(directory, training=training)
    Console().print(Text(f"ChemDisGene: {path}", style="green"), soft_wrap=True)


@app.command("bigg")
def download_bigg(
    directory: Annotated[Path, typer.Option(help="Folder to put the file in.")] = Path("data"),
) -> None:
    """Fetch the ids and names of metabolites from bigg.ucsd.edu and show BiGG's terms."""
    from bioft.datasets import download

    path = download.download("bigg", directory)
    Console().print(Text(f"BiGG metabolites: {path}", style="green"), soft_wrap=True)


@app.command("modelseed")
def download_modelseed(
    directory: Annotated[Path, typer.Option(help="Folder to put the files in.")] = Path("data"),
) -> None:
    """Fetch the names of compounds, and their ids in other databases, from ModelSEED and show its terms."""
    from bioft.datasets import download

    for source in ("modelseed", "modelseed-aliases"):
        path = download.download(source, directory)
        Console().print(Text(f"ModelSEED: {path}", style="green"), soft_wrap=True)


@app.command("trials")
def download_trials(
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder to put the pages of trials in.", show_default=False)
    ],
    query: Annotated[str, typer.Option(help="Words as in the site's search; without them every trial is found.")] = "",
    status: Annotated[
        str | None, typer.Option(help='Such as TERMINATED, or "TERMINATED|WITHDRAWN".', show_default=False)
    ] = None,
    max_trials: Annotated[int | None, typer.Option(min=1, help="End after so many.", show_default=False)] = None,
) -> None:
    """Fetch trial records from the API of clinicaltrials.gov; the same command continues a download that broke off."""
    from bioft.datasets.trials import download as trials_api

    path = trials_api.download_trials(out, query, overall_status=status, max_trials=max_trials)
    Console().print(Text(f"Trials: {path}", style="green"), soft_wrap=True)


@app.command("pubmed")
def download_pubmed(
    query: Annotated[str, typer.Option(help="As in PubMed's search field.", show_default=False)],
    out: Annotated[
        Path, typer.Option("--out", "--output", "-o", help="Folder to put the articles in.", show_default=False)
    ],
    start: Annotated[
        str | None, typer.Option("--from", help="First date of publication: YYYY[-MM[-DD]].", show_default=False)
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="Last date of publication: YYYY[-MM[-DD]].", show_default=False)
    ] = None,
    max_articles: Annotated[int | None, typer.Option(min=1, help="End after so many.", show_default=False)] = None,
    api_key: Annotated[
        str | None,
        typer.Option(
            envvar="NCBI_API_KEY", help="Of an NCBI account: 10 requests a second, not 3.", show_default=False
        ),
    ] = None,
    email: Annotated[
        str | None, typer.Option(envvar="NCBI_EMAIL", help="For NCBI, to reach you.", show_default=False)
    ] = None,
) -> None:
    """Fetch articles from PubMed; the same command continues a download that broke off."""
    from bioft.datasets.pubmed import download as pubmed_download

    path = pubmed_download.collect(
        query, out, start=start, end=end, max_articles=max_articles, api_key=api_key, email=email
    )
    Console().print(Text(f"PubMed articles: {path}", style="green"), soft_wrap=True)
