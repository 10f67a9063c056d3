"""The command `bioft predict`: asks a trained run about pairs, texts, documents or trials."""

import csv
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from bioft.cli.options import Overwrite, SkipBad, check_output
from bioft.errors import BioftError
from bioft.storage.files import new_file


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
    if nct_id or _recipe_of(run) == "text_classification":
        if gene or disease or html or (text is not None and (input_file is not None or nct_id)):
            raise typer.BadParameter("give --text, --input or --nct-id (this one also with --input).")
        _predict_labels(run, text, input_file, nct_id or [], output_file, skip_bad, overwrite)
        return
    if text is not None or html is not None or (input_file is not None and _holds_documents(input_file)):
        if (text is None) == (input_file is None) or gene is not None or disease is not None:
            raise typer.BadParameter("give either --text or --input with a file of texts.")
        _predict_in_documents(run, text, input_file, output_file, html, skip_bad, overwrite)
        return
    if input_file is not None and output_file is not None and gene is None and disease is None:
        rows = _read_pairs(input_file)
        check_output(output_file, input_file, overwrite)
    elif gene is not None and disease is not None and input_file is None and output_file is None:
        rows = [{"gene": gene, "disease": disease}]
        if not gene.strip() or not disease.strip():
            raise typer.BadParameter("--gene and --disease must not be empty.")
    else:
        raise typer.BadParameter("give --text, or --gene and --disease, or --input (pairs need --output too).")

    from bioft.tasks.gene_disease.predict import predict_pairs

    predictions = predict_pairs(run, [(row["gene"], row["disease"]) for row in rows], batch_size)
    if output_file is None:
        found = predictions[0]
        answer = "associated" if found["prediction"] else "not associated"
        typer.echo(f"{found['gene']} – {found['disease']}: score {found['score']:.4f}, {answer}")
        return
    for row, found in zip(rows, predictions, strict=True):
        row.update(score=found["score"], prediction=found["prediction"])
    _write_csv(rows, output_file)
    typer.echo(f"{len(rows):,} pairs scored, written to {output_file}")


def _holds_documents(path: Path) -> bool:
    from bioft.tasks.entities import files as document_files

    return document_files.format_of(path) is not None


def _recipe_of(run: Path) -> str | None:
    from bioft.storage import runs

    return str(runs.read(run)["recipe"]) if (run / runs.RECORD).is_file() else None


def _predict_labels(
    run: Path,
    text: str | None,
    source: Path | None,
    nct_ids: list[str],
    output: Path | None,
    skip_bad: bool,
    overwrite: bool,
) -> None:
    """Label a text, a file of texts or trials; show the labels where no file is written."""
    from bioft.tasks.text_labels import predict as text_prediction

    left_out: list[str] = []
    if text is not None:
        if not text.strip():
            raise typer.BadParameter("--text must not be empty.")
        texts = [text_prediction.InputText("text", text)]
    elif source is None and not nct_ids:
        raise typer.BadParameter("give --text, --input or --nct-id.")
    else:
        texts = text_prediction.read_input(run, source, nct_ids, left_out, skip_bad=skip_bad)
    if output is not None:
        if output.suffix not in text_prediction.OUTPUTS:
            raise BioftError(f"{output} is neither .csv nor .jsonl: labels can be written as one of these.")
        check_output(output, source, overwrite)
    progress = "Texts" if output is not None else None  # the answers alone are what goes to standard output
    answers = text_prediction.predict_with_run(run, [each.text for each in texts], progress=progress)
    if output is None:
        for each, answer in zip(texts, answers, strict=True):
            likely = sorted(answer.scores.items(), key=lambda item: -item[1])[:3]
            scores = ", ".join(f"{label} {score:.3f}" for label, score in likely)
            typer.echo(f"{each.id}: {', '.join(answer.labels) or 'no label'} ({scores})")
    else:
        text_prediction.write(output, texts, answers)
        typer.echo(f"{len(texts):,} texts labelled, written to {output}", err=True)
    for message in left_out:
        Console(stderr=True).print(Text(f"Left out: {message}", style="yellow"), soft_wrap=True)


def _predict_in_documents(
    run: Path,
    text: str | None,
    source: Path | None,
    output: Path | None,
    html: Path | None,
    skip_bad: bool,
    overwrite: bool,
) -> None:
    """Find entities and relations in a text or a file of texts; show them where no file is written."""
    from bioft.tasks.entities import files as document_files

    skipped: list[str] = []
    if source is not None:
        documents = document_files.read(source, skipped if skip_bad else None)
    elif text is None or not text.strip():
        raise typer.BadParameter("--text must not be empty.")
    else:
        documents = [document_files.InputDocument("text", text)]
    for path in (output, html):
        if path is not None:
            check_output(path, source, overwrite)
    if output is not None and document_files.format_of(output) not in ("jsonl", "pubtator"):
        raise BioftError(f"{output} is neither .jsonl nor .pubtator: what is found can be written as one of these.")

    from bioft import task as tasks
    from bioft.storage import runs
    from bioft.tasks.entities import highlight as highlighting

    record = runs.read(run)
    task = tasks.find(record, pulled=False)
    load, find, entity_types = (
        tasks.function(task, "predict", name, "can be asked") for name in ("load", "find", "entity_types")
    )
    found = find(load(run), documents, record)
    types = entity_types(record, found)
    shown = [
        highlighting.Highlighted(document.document_id, document.text, each.entities, each.statements(document.text))
        for document, each in zip(documents, found, strict=True)
    ]
    console = Console()
    if output is not None:
        document_files.write(output, documents, found, overwrite=overwrite)
    if html is not None:
        title = f"Entities found by {record['name']}"
        document_files.write_whole(html, [highlighting.to_html(shown, types, title)])
    if output is None and html is None:
        for document in shown:
            if source is not None:
                console.print(Text(document.document_id, style="bold"))
            console.print(highlighting.to_terminal(document, types), soft_wrap=True)
    if source is not None:
        n = sum(len(each.entities) for each in found)
        related = sum(len(each.relations or ()) for each in found)
        what = f"{n:,} entities and {related:,} relations" if related else f"{n:,} entities"
        typer.echo(f"{what} in {len(documents):,} documents", err=True)
    for path in (output, html):
        if path is not None:
            typer.echo(f"Written to {path}", err=True)
    for message in skipped:
        Console(stderr=True).print(Text(f"Left out: {message}", style="yellow"), soft_wrap=True)


def _read_pairs(path: Path) -> list[dict[str, Any]]:
    """Read the rows of a CSV file that has the columns gene and disease, all filled."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            columns = list(reader.fieldnames or ())
            _check_columns(path, columns)
            rows = []
            for row in reader:
                if None in row or None in row.values():
                    raise BioftError(
                        f"{path}, line {reader.line_num}: not {len(columns)} fields as in the header. Names "
                        "with a comma need quotes around them."
                    )
                rows.append((reader.line_num, row))
    except FileNotFoundError:
        raise BioftError(f"{path} does not exist.") from None
    except IsADirectoryError:
        raise BioftError(f"{path} is a folder, not a CSV file.") from None
    except UnicodeDecodeError as error:
        raise BioftError(f"{path} is not UTF-8 ({error.reason}). Save it as UTF-8.") from None
    except csv.Error as error:
        raise BioftError(f"{path}, line {reader.line_num}: not valid CSV ({error}).") from None
    if not rows:
        raise BioftError(f"{path} has a header and no rows.")
    for column in ("gene", "disease"):
        empty = [str(line) for line, row in rows if not row[column].strip()]
        if empty:
            more = f" and {len(empty) - 10} more" if len(empty) > 10 else ""
            raise BioftError(
                f"{path}: column {column} is empty in line {', '.join(empty[:10])}{more}. Fill the cells, or "
                "remove the rows."
            )
    return [row for _, row in rows]


def _check_columns(path: Path, columns: list[str]) -> None:
    missing = [column for column in ("gene", "disease") if column not in columns]
    if missing:
        raise BioftError(
            f"{path} has no column {' and no column '.join(missing)}. Columns found: "
            f"{', '.join(columns) or 'none (the file is empty)'}. The first line must name gene and disease, "
            "separated by commas."
        )
    taken = [column for column in ("score", "prediction") if column in columns]
    if taken or len(set(columns)) < len(columns):
        problem = f"has a column {taken[0]} already" if taken else "has two columns of one name"
        raise BioftError(f"{path} {problem}. Rename it: nothing of the input may get lost.")


def _write_csv(rows: list[dict[str, Any]], path: Path) -> None:
    with new_file(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
