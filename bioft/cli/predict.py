"""The command `bioft predict`: asks a trained run about pairs, texts, documents or trials."""

from pathlib import Path
from typing import Annotated

import typer

from bioft.cli.options import Overwrite, SkipBad
from bioft.errors import BioftError


def predict(
    run: Annotated[Path, typer.Argument(help="Run directory.", show_default=False)],
    text: Annotated[str | None, typer.Option(help="Text to find entities or labels in.", show_default=False)] = None,
    nct_id: Annotated[
        list[str] | None,
        typer.Option(
            "--nct-id",
            help="Trial to label; repeat for several. Looked up in the records of --input, or on ClinicalTrials.gov.",
            show_default=False,
        ),
    ] = None,
    gene: Annotated[str | None, typer.Option(help="Name of the gene, as in BRCA1.", show_default=False)] = None,
    disease: Annotated[
        str | None, typer.Option(help='Name of the disease, as in "Breast Neoplasms".', show_default=False)
    ] = None,
    input_file: Annotated[
        Path | None,
        typer.Option(
            "--input",
            "-i",
            help="Texts as .txt (one document; for labels a text a line), .jsonl or .csv (rows with text) or "
            ".pubtator; trial records; pairs as CSV with the columns gene and disease.",
            show_default=False,
        ),
    ] = None,
    output_file: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="File to write: .jsonl or .pubtator with the entities; .jsonl or .csv with the labels; for pairs CSV "
            "with score and prediction.",
            show_default=False,
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Web page to write, with the entities highlighted.", show_default=False)
    ] = None,
    skip_bad: SkipBad = False,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Pairs scored at once.", show_default="as many as fit")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Ask a finished run: for entities and relations in texts, for labels of texts, or to score gene–disease pairs."""
    from bioft.hub.pull import task_of
    from bioft.storage import runs
    from bioft.task import part
    from bioft.tasks.asked import Asked, QuestionError

    task = task_of(run, runs.read(run))
    if (ask := part(task, "ask")) is None:
        mend = task.not_asked or f"{task.module} has no `ask`"
        raise BioftError(f"`bioft predict` asks no run on {task.name}: {mend}.")
    asked = Asked(
        text=text,
        gene=gene,
        disease=disease,
        nct_id=nct_id or (),
        input=input_file,
        output=output_file,
        html=html,
        skip_bad=skip_bad,
        batch_size=batch_size,
        overwrite=overwrite,
    )
    if others := [option for option in asked.given() if option not in ask.OPTIONS]:
        raise typer.BadParameter(f"{others[0]} is no question for a run on {task.name}: {', '.join(ask.OPTIONS)}.")
    try:
        ask.answer(run, asked)
    except QuestionError as error:
        raise typer.BadParameter(str(error)) from None
