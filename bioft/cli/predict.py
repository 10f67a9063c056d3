"""The commands that ask trained runs about pairs, texts, documents or trials: `predict`, `rank` and `serve`."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from bioft.cli.options import Dtype, Overwrite, SkipBad, argument, option, output_option
from bioft.errors import BioftError


def predict(
    run: Annotated[Path, argument("Run directory.")],
    text: Annotated[str | None, option("Text to find entities or labels in.")] = None,
    nct_id: Annotated[
        list[str] | None,
        option(
            "Trial to label; repeat for several. Looked up in the records of --input, or on ClinicalTrials.gov.",
            "--nct-id",
        ),
    ] = None,
    gene: Annotated[str | None, option("Name of the gene, as in BRCA1.")] = None,
    disease: Annotated[str | None, option('Name of the disease, as in "Breast Neoplasms".')] = None,
    input_file: Annotated[
        Path | None,
        option(
            "Texts as .txt (one document; for labels a text a line), .jsonl, .csv or .tsv (rows with text) or "
            ".pubtator; trial records; pairs as CSV with the columns gene and disease.",
            "--input",
            "-i",
        ),
    ] = None,
    output_file: Annotated[
        Path | None,
        output_option(
            "File to write: .jsonl or .pubtator with the entities; .jsonl or .csv with the labels; for pairs CSV with "
            "score, threshold and prediction."
        ),
    ] = None,
    html: Annotated[Path | None, option("Web page to write, with the entities highlighted.")] = None,
    combined: Annotated[
        bool, option("Score pairs by all baselines and the model together, as validation weighed them.", "--combined")
    ] = False,
    link: Annotated[
        list[str] | None,
        option(
            "Give entities the ids of a namespace: hpo, a folder of `bioft build namespace`, or TYPE=NAMESPACE for "
            "the entities of one type; repeat for several."
        ),
    ] = None,
    skip_bad: SkipBad = False,
    batch_size: Annotated[int | None, option("Pairs scored at once.", default="as many as fit", min=1)] = None,
    processes: Annotated[int, option("Processes that compute, and share the processor's threads.", min=1)] = 1,
    overwrite: Overwrite = False,
    dtype: Dtype = None,
) -> None:
    """Ask a finished run: for entities and relations in texts, for labels of texts, or to score gene–disease pairs."""
    from bioft.hub.pull import task_of
    from bioft.models import quiet
    from bioft.storage import runs
    from bioft.task import part
    from bioft.tasks.asked import Asked

    task = task_of(run, runs.read(run))
    if (ask := part(task, "ask")) is None:
        raise BioftError(f"`bioft predict` asks no run on {task.name}: {task.not_asked or 'it has no `ask`'}.")
    quiet.quieten()
    asked = Asked(
        text=text,
        gene=gene,
        disease=disease,
        nct_id=nct_id or (),
        link=link or None,
        input=input_file,
        output=output_file,
        html=html,
        combined=combined,
        skip_bad=skip_bad,
        batch_size=batch_size,
        overwrite=overwrite,
        processes=processes,
    )
    if others := [option for option in asked.given() if option not in ask.OPTIONS]:
        known = ", ".join(ask.OPTIONS)
        raise typer.BadParameter(f"{others[0]} is no question for a run on {task.name}. It takes {known}.")
    if link:
        from bioft.tasks.name_alignment.linking import open_linker

        asked = replace(asked, link=open_linker(link))
    with _asking(processes):
        ask.answer(run, asked)


@contextmanager
def _asking(processes: int) -> Iterator[None]:
    """Compute in so many processes; what is no question is a wrong option."""
    from bioft.tasks.asked import QuestionError

    try:
        if processes == 1:
            yield
        else:
            from bioft.models.batches import in_processes

            with in_processes(processes):
                yield
    except QuestionError as error:
        raise typer.BadParameter(str(error)) from None


def rank(
    run: Annotated[Path, argument("Run directory.")],
    disease: Annotated[str | None, option("Disease, by name or id, to rank genes for.")] = None,
    gene: Annotated[str | None, option("Gene, by name or id, to rank diseases for.")] = None,
    candidates: Annotated[
        Path | None, option("CSV or TSV with a column gene, or disease: what to rank.", default="all of the data")
    ] = None,
    top: Annotated[int, option("How many of the first the model reads, as the baselines rank them.", min=1)] = 1000,
    output_file: Annotated[Path | None, output_option("CSV to write, a row for each candidate.")] = None,
    test_queries: Annotated[
        int | None,
        option("Instead: how far up known ones of the test split stand, for so many diseases.", min=1),
    ] = None,
    of_genes: Annotated[
        bool, option("With --test-queries: for so many genes, whose diseases are ranked.", "--of-genes")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Rank all genes for a disease, or all diseases for a gene, by a run and its baselines together."""
    from rich.console import Console

    from bioft.hub.pull import task_of
    from bioft.metrics import report
    from bioft.models import quiet
    from bioft.storage import runs
    from bioft.storage.files import check_new_file, new_file
    from bioft.task import part

    task = task_of(run, runs.read(run))
    if (ranking := part(task, "rank")) is None:
        raise BioftError(f"`bioft rank` serves runs that score pairs; this one is on {task.name}.")
    if (disease is None) + (gene is None) + (test_queries is None) != 2:
        raise typer.BadParameter("give one of --disease, --gene and --test-queries.")
    quiet.quieten()
    console = Console(markup=False)
    if test_queries is not None:
        figures, notes = ranking.test(run, "gene" if of_genes else "disease", test_queries, top)
        console.print(report.results_table(figures, console, ranking.SHOWN))
    else:
        if output_file is not None:
            check_new_file(output_file, candidates, overwrite)
            if output_file.suffix.lower() != ".csv":
                raise BioftError(f"{output_file} is no .csv: candidates are written as one.")
        side, name = ("gene", str(gene)) if disease is None else ("disease", disease)
        ranked, notes = ranking.rank(run, side, name, candidates, top, output_file)
        report.show(ranking.first_rows(ranked, side), console)
        if output_file is not None:
            with new_file(output_file) as partial:
                ranked.to_csv(partial, index=False)
            ranking.kept_beside(output_file).unlink(missing_ok=True)
            notes.append(f"{len(ranked):,} candidates ranked, written to {output_file}")
    for note in notes:
        report.say(note, console)


def serve(
    run: Annotated[
        list[str],
        argument(
            "Run directories, or user/name (or user/name@revision) on the Hub, and folders of `bioft index`; NAME=RUN "
            "serves one as NAME."
        ),
    ],
    host: Annotated[str, option("Address to serve at; 0.0.0.0 for all. Other than loopback it needs a token.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, option("Port to serve at; 0 for any that is free.", min=0, max=65535)] = 8000,
    token: Annotated[
        str | None,
        option(
            "What requests must bear. Best given as BIOFT_TOKEN: others on this machine can read a command line.",
            default="none on loopback, else a new one",
            envvar="BIOFT_TOKEN",
        ),
    ] = None,
    max_rows: Annotated[int, option("Rows of a request, and of requests that are answered together.", min=1)] = 256,
    max_bytes: Annotated[int, option("Bytes of a request.", min=1)] = 4_000_000,
    dtype: Dtype = None,
) -> None:
    """Answer questions to finished runs and search indexes over HTTP, as on the command line; see docs/serve.md."""
    from bioft.serve import check_installed

    check_installed()
    from bioft.models import quiet
    from bioft.serve import app

    quiet.quieten()
    if token is None and host not in app.LOOPBACK:
        token = secrets.token_urlsafe(32)
        typer.echo(f"The token, which is shown only now: {token}")
    elif token is not None and not token.strip():
        raise typer.BadParameter("--token must not be empty.")
    searched, runs = app.open_indexes(run)
    app.serve(app.open_runs(runs), host, port, token, max_rows, max_bytes, searched)
