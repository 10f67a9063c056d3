"""The command `bioft predict`: asks a trained run about pairs, texts, documents or trials."""

from pathlib import Path
from typing import Annotated

import typer

from bioft.cli.options import Overwrite, SkipBad, argument, option, output_option
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
            "score and prediction."
        ),
    ] = None,
    html: Annotated[Path | None, option("Web page to write, with the entities highlighted.")] = None,
    skip_bad: SkipBad = False,
    batch_size: Annotated[int | None, option("Pairs scored at once.", default="as many as fit", min=1)] = None,
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
        known = ", ".join(ask.OPTIONS)
        raise typer.BadParameter(f"{others[0]} is no question for a run on {task.name}. It takes {known}.")
    try:
        ask.answer(run, asked)
    except QuestionError as error:
        raise typer.BadParameter(str(error)) from None
