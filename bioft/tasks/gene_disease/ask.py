"""What `bioft predict` asks a run on gene–disease pairs: the score of a pair, or of all pairs of a CSV file."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from bioft.datasets.gene_disease.excel_dates import warn_of_dates
from bioft.errors import BioftError
from bioft.storage.files import new_file
from bioft.storage.tables import Table
from bioft.tasks import asked as questions
from bioft.tasks.asked import Asked, QuestionError

ANSWERS = ("score", "threshold", "prediction")
OPTIONS = ("--gene", "--disease", "--input", "--output", "--combined", "--skip-bad", "--batch-size", "--overwrite")


@dataclass
class Row(questions.Row):
    """A pair: the symbol of a gene and the name of a disease."""

    gene: str
    disease: str


def load(run: Path) -> Callable[[Sequence[Row]], list[dict[str, Any]]]:
    """What answers rows: for each gene, disease, score and prediction, as `predict.predict_pairs`."""
    from bioft.tasks.gene_disease.predict import answer_pairs, load_run

    model = load_run(run)
    return lambda rows: answer_pairs(model, [astuple(row) for row in rows])


def answer(run: Path, asked: Asked) -> None:
    """Score a pair and show it, or the pairs of a file and write them beside their scores."""
    names, files = (asked.gene, asked.disease), (asked.input, asked.output)
    columns: tuple[str, ...] = ANSWERS
    if asked.combined:
        from bioft.tasks.gene_disease import rank

        columns = (*ANSWERS, *rank.COMBINED)
    if asked.input is not None and asked.output is not None and names == (None, None):
        if asked.output.suffix.lower() != ".csv":
            raise BioftError(f"{asked.output} is no .csv: scores of pairs are written as one.")
        rows = _read_pairs(asked.input, columns)
        asked.check_output(asked.output)
    elif asked.gene is not None and asked.disease is not None and files == (None, None):
        rows = [{"gene": asked.gene, "disease": asked.disease}]
        if not asked.gene.strip() or not asked.disease.strip():
            raise QuestionError("--gene and --disease must not be empty.")
    else:
        raise QuestionError("give --gene and --disease, or --input and --output.")

    pairs = [(row["gene"], row["disease"]) for row in rows]
    if asked.combined:
        predictions, notes = rank.combined(run, pairs, asked.batch_size)
        for note in notes:
            questions.tell(note)
    else:
        from bioft.tasks.gene_disease.predict import predict_pairs

        predictions = predict_pairs(run, pairs, asked.batch_size)
    if asked.output is None:
        found = predictions[0]
        words = "associated" if found["prediction"] else "not associated"
        places = questions.places_apart(found["score"], found["threshold"], 4)
        words += f" (threshold {found['threshold']:.{places}f})"
        if asked.combined:
            words += f"; the model alone {found['model']:.4f}, all baselines together {found['all_together']:.4f}"
        print(f"{found['gene']} – {found['disease']}: score {found['score']:.{places}f}, {words}")
        return
    for row, found in zip(rows, predictions, strict=True):
        row.update({key: found[key] for key in columns})
    with new_file(asked.output) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"{len(rows):,} pairs scored, written to {asked.output}")


def _read_pairs(path: Path, answers: Sequence[str]) -> list[dict[str, Any]]:
    """Read the rows of a table that has the columns gene and disease, all filled."""
    table = Table(path, ("gene", "disease"), hint="The first line must name gene and disease.")
    if taken := [column for column in answers if column in table.columns]:
        raise BioftError(f"{path} has a column {taken[0]} already. Rename it: nothing of the input may get lost.")
    rows = [(table.line, row) for row in table]
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
    warn_of_dates(path, (row["gene"] for _, row in rows))
    return [row for _, row in rows]
