"""Commands that send to the Hub and fetch from it: `push-…`, `pull-…`, `verify`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from bioft.cli.options import BuiltFolder, Json, Revision, argument, option

if TYPE_CHECKING:
    from bioft.hub.push import PushResult

app = typer.Typer()


Repository = Annotated[str, argument("user/name on the Hub.")]
Public = Annotated[bool, option("Visible to everyone; without it a new repository is private.", "--public")]
CreatePr = Annotated[bool, option("Open a pull request instead of committing to main.", "--create-pr")]
Branch = Annotated[str | None, option("Branch to commit to, made if missing.", "--revision", default="main")]
Tag = Annotated[str | None, option("Tag for the commit, as in v1.0.")]
AcceptTerms = Annotated[bool, option("You meet the terms of the sources for passing their data on.", "--accept-terms")]
DryRun = Annotated[bool, option("Check, and list what would be sent; send nothing.", "--dry-run")]
PulledTo = Annotated[Path | None, argument("New folder for it.", default="in the cache of bioft, by commit")]


@app.command("push-adapter")
def push_adapter(
    run: Annotated[Path, argument("Run directory.")],
    repository: Repository,
    accept_terms: AcceptTerms = False,
    public: Public = False,
    create_pr: CreatePr = False,
    revision: Branch = None,
    tag: Tag = None,
    dry_run: DryRun = False,
) -> None:
    """Push a finished run to the Hub, in one commit: adapter, record, predictions, card."""
    from bioft.compare import publish
    from bioft.models import quiet

    quiet.quieten()
    options = publish.PushOptions(private=not public, create_pr=create_pr, revision=revision, tag=tag, dry_run=dry_run)
    _print_push(publish.push_adapter(run, repository, accept_terms=accept_terms, **options))


@app.command("push-dataset")
def push_dataset(
    dataset: BuiltFolder,
    repository: Repository,
    accept_terms: AcceptTerms = False,
    public: Public = False,
    create_pr: CreatePr = False,
    revision: Branch = None,
    tag: Tag = None,
    dry_run: DryRun = False,
) -> None:
    """Push a dataset to the Hub, in one commit: Parquet, manifest, card."""
    from bioft.hub import push as hub
    from bioft.inspect.inspect import check_publishable
    from bioft.models import quiet

    quiet.quieten()
    check_publishable(dataset)
    options = hub.PushOptions(private=not public, create_pr=create_pr, revision=revision, tag=tag, dry_run=dry_run)
    _print_push(hub.push_dataset(dataset, repository, accept_terms=accept_terms, **options))


@app.command("pull-adapter")
def pull_adapter(repository: Repository, directory: PulledTo = None, revision: Revision = None) -> None:
    """Fetch a run from the Hub and check it: checksums, base model, no pickles and no code of its own."""
    from bioft.hub import pull as hub_pull

    _print_pulled(hub_pull.pull_adapter(repository, directory, revision=revision))


@app.command("pull-dataset")
def pull_dataset(repository: Repository, directory: PulledTo = None, revision: Revision = None) -> None:
    """Fetch a dataset from the Hub and check that its rows are those of its manifest."""
    from bioft.hub import pull as hub_pull

    _print_pulled(hub_pull.pull_dataset(repository, directory, revision=revision))


@app.command()
def verify(
    name: Annotated[str, argument("user/name on the Hub, or a run directory.")],
    revision: Revision = None,
    sample: Annotated[int | None, option("Make only so many predictions again.", default="all of them", min=1)] = None,
    seed: Annotated[int | None, option("Which ones --sample draws.", default="fresh", min=0, max=2**32 - 1)] = None,
    dataset_path: Annotated[
        Path | None,
        option(
            "The data, if they are neither on the Hub nor where the run was trained on them: their source file, "
            "or a folder of `bioft build`.",
            exists=True,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Evaluate a published run again: verified (exit code 0), not reproduced (1), cannot be checked (2), and why.

    Where all holds, but the data could not be built again from their source: verified on the publisher's data (3); of
    a record of an earlier schema: verified in part (4).
    """

    from bioft.models import quiet
    from bioft.verify import verify as verification

    quiet.quieten()
    found = verification.verify(
        name, revision=revision, sample=sample, seed=seed, dataset_path=dataset_path, progress=not as_json
    )
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=2))
    else:
        verification.print_verification(found)
    raise typer.Exit(verification.EXIT_CODES[found.status])


def _print_push(result: "PushResult") -> None:
    """Print what was sent or, after a dry run, the files and the card that would be."""
    from bioft.metrics.report import show, text_table
    from bioft.storage import runs

    console = Console(markup=False)
    if result.commit is None:
        typer.echo(f"Would be sent to {result.url}:")
        files = [*result.files, ("together", sum(size for _, size in result.files))]
        show(text_table(("file", "bytes"), ((name, f"{size:,}") for name, size in files), ("file",)), console)
        typer.echo(f"\n{runs.CARD}:\n\n{result.card}")
    elif result.changed:
        where = result.pull_request or result.url
        console.print(Text(f"Pushed {len(result.files)} files to {where}", style="green"), soft_wrap=True)
        console.print(f"Commit {result.commit}")
    else:
        where = f"Pull request {result.pull_request}" if result.pull_request else result.url
        there = f"{where} has these files already, at commit {result.commit}"
        console.print(Text(there, style="green"), soft_wrap=True)


def _print_pulled(folder: Path) -> None:
    from bioft.hub import pull as hub_pull

    source = hub_pull.origin(folder)
    assert source is not None
    console = Console(markup=False)
    console.print(Text(f"{source['id']} at {source['revision']}, checked:", style="green"), soft_wrap=True)
    console.print(Text(str(folder)), soft_wrap=True)
