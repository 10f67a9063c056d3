"""What `bioft predict` asks a run on gene–disease pairs: the score of a pair, or of all pairs of a CSV file."""

import csv
from pathlib import Path
from typing import Any

from bioft.errors import BioftError
from bioft.storage.files import new_file
from bioft.tasks.asked import Asked, QuestionError

OPTIONS = ("--gene", "--disease", "--input", "--output", "--skip-bad", "--batch-size", "--overwrite")


def answer(run: Path, asked: Asked) -> None:
    """Score a pair and show it, or the pairs of a file and write them beside their scores."""
    names, files = (asked.gene, asked.disease), (asked.input, asked.output)
    if asked.input is not None and asked.output is not None and names == (None, None):
        rows = _read_pairs(asked.input)
        asked.check_output(asked.output)
    elif asked.gene is not None and asked.disease is not None and files == (None, None):
        rows = [{"gene": asked.gene, "disease": asked.disease}]
        if not asked.gene.strip() or not asked.disease.strip():
            raise QuestionError("--gene and --disease must not be empty.")
    else:
        raise QuestionError("give --gene and --disease, or --input and --output.")

    from bioft.tasks.gene_disease.predict import predict_pairs

    predictions = predict_pairs(run, [(row["gene"], row["disease"]) for row in rows], asked.batch_size)
    if asked.output is None:
        found = predictions[0]
        words = "associated" if found["prediction"] else "not associated"
        print(f"{found['gene']} – {found['disease']}: score {found['score']:.4f}, {words}")
        return
    for row, found in zip(rows, predictions, strict=True):
        row.update(score=found["score"], prediction=found["prediction"])
    with new_file(asked.output) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"{len(rows):,} pairs scored, written to {asked.output}")


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
