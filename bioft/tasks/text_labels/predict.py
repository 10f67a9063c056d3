"""Labels for new texts from a finished run of text_classification: texts from files, or of trial records by NCT id."""

import csv
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioft.errors import BioftError
from bioft.storage import runs
from bioft.storage.files import new_file
from bioft.storage.text_lines import TextLines
from bioft.tasks.entities.files import InputDocument

OUTPUTS = (".csv", ".jsonl")


@dataclass(frozen=True)
class LabelledAnswer:
    """The labels that were predicted for a text, and the score (0 to 1) of each label that there is."""

    labels: list[str]
    scores: dict[str, float]


def load(directory: str | Path) -> tuple[Any, Any, dict[str, Any]]:
    """The model of a finished run on this process's device, its tokenizer and its record: `models.load_run`."""
    from bioft.tasks.text_labels import models

    return models.load_run(directory)


def scores_of(model: Any, texts: Sequence[str], record: Mapping[str, Any], progress: str | None = None) -> np.ndarray:
    """The probability of each label for each text, shape (texts, labels), by the model that `load` gives."""
    from bioft.tasks.text_labels.classifier import score_texts

    kept = record["classifier"]
    return score_texts(model[0], model[1], texts, kept["max_length"], kept["multi_label"], progress)


def predict(model: Any, rows: Any, record: Mapping[str, Any], progress: str | None = None) -> pd.DataFrame:
    """The predictions table of labelled texts, by the model that `load` gives."""
    from bioft.tasks.text_labels.evaluate import predictions

    scores = scores_of(model, rows["text"][:], record, progress)
    return predictions(rows, record["labels"], scores, record["classifier"]["thresholds"])


def predict_with_run(run: str | Path, texts: Sequence[str], *, progress: str | None = "Texts") -> list[LabelledAnswer]:
    """Ask a finished run of text_classification for the labels of texts; BioftError as `models.load_run`."""
    from bioft.tasks.text_labels.classifier import decide

    _, _, record = model = load(run)
    scores = scores_of(model, texts, record, progress)
    return [
        LabelledAnswer(labels, dict(zip(record["labels"], row, strict=True)))
        for labels, row in zip(
            decide(scores, record["labels"], record["classifier"]["thresholds"]), scores.tolist(), strict=True
        )
    ]


def read_input(
    run: str | Path, path: Path | None, nct_ids: Sequence[str], left_out: list[str], *, skip_bad: bool = False
) -> list[InputDocument]:
    """Read the texts that a run is asked about.

    A .txt file has a text on each line; .csv and .jsonl rows have `text` (and may have `id`). Other files, and these
    without `text`, are trial records: the run's own kind of text is taken from each, such as why the trial stopped.
    With `nct_ids` these trials only, in this order; without a `path` they are fetched from ClinicalTrials.gov.
    `left_out` takes a message for each trial without such a text, or with `skip_bad` each row. BioftError: a file that
    can't be read, a row without a text, an NCT id that is none or is not found.
    """
    if path is not None and not nct_ids:
        if path.name.lower().removesuffix(".gz").endswith(".txt"):
            return _lines(path)
        if (rows := _rows(path)) is not None:
            return list(_checked(rows, path, left_out, skip_bad))
    trial_field = runs.read(run)["dataset"].get("trial_field")
    if trial_field is None:
        raise BioftError(f"The run in {run} was not trained on texts of trial records: give it texts, not trials.")
    return _texts_of_trials(path, nct_ids, trial_field, left_out, skip_bad)


def write(path: Path, texts: Sequence[InputDocument], answers: Sequence[LabelledAnswer]) -> None:
    """Write a row for each text as .csv or .jsonl, in one step: what was read, then the labels and their scores.

    In CSV several labels are joined by "|", and each label has a column `score_<label>`. BioftError: another kind of
    file, or an input column that the answer would take the name of.
    """
    if path.suffix not in OUTPUTS:
        raise BioftError(f"{path} is neither .csv nor .jsonl: labels can be written as one of these.")
    taken = {key for text in texts for key in text.fields}
    rows: list[dict[str, Any]] = []
    for text, answer in zip(texts, answers, strict=True):
        added: dict[str, Any] = {"labels": answer.labels, "scores": answer.scores}
        if path.suffix == ".csv":
            scores = {f"score_{label}": f"{score:.4f}" for label, score in answer.scores.items()}
            added = {"labels": "|".join(answer.labels), **scores}
        if clash := sorted(taken & added.keys()):
            raise BioftError(
                f"The input has a column {clash[0]} already. Rename it: nothing of the input may get lost."
            )
        rows.append({"id": text.document_id, "text": text.text, **text.fields, **added})
    with new_file(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        if path.suffix == ".jsonl":
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            return
        writer = csv.DictWriter(file, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _lines(path: Path) -> list[InputDocument]:
    lines = TextLines(path, "Give the path of a text file.")
    texts = [InputDocument(f"line-{lines.number}", line.strip()) for line in lines if line.strip()]
    if not texts:
        raise BioftError(f"{path} is blank: there is nothing to read in it.")
    return texts


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]] | None:
    """The number and the content of each row of a .csv or .jsonl file with texts; None for trial records."""
    name = path.name.lower().removesuffix(".gz")
    lines = TextLines(path, "Give the path of a file with texts.")
    if name.endswith(".csv"):
        reader = csv.DictReader(lines, strict=True)
        return _csv_rows(path, reader) if "text" in (reader.fieldnames or ()) else None
    if name.endswith(".jsonl"):
        rows = ((number, _json(path, number, line)) for number, line in enumerate(lines, 1) if line.strip())
        number, first = next(rows, (1, {}))
        return chain([(number, first)], rows) if "text" in first else None
    return None


def _csv_rows(path: Path, reader: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        for row in reader:
            if None in row or None in row.values():
                raise BioftError(f"{path}, line {reader.line_num}: not as many fields as the header has.")
            yield reader.line_num, row
    except csv.Error as error:
        raise BioftError(f"{path}, line {reader.line_num}: not valid CSV ({error}).") from None


def _json(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise BioftError(f"{path}, line {number}: not valid JSON ({error}).") from None
    if not isinstance(row, dict):
        raise BioftError(f"{path}, line {number}: a {type(row).__name__} where a JSON object should be.")
    return row


def _checked(
    rows: Iterable[tuple[int, dict[str, Any]]], path: Path, left_out: list[str], skip_bad: bool
) -> Iterator[InputDocument]:
    found = False
    for number, row in rows:
        text = row.get("text")
        if not isinstance(text, str) or not text.strip():
            if not skip_bad:
                raise BioftError(f"{path}, line {number}: no text. Fill it in, remove the row, or give --skip-bad.")
            left_out.append(f"{path}, line {number}: no text.")
            continue
        found = True
        others = {key: value for key, value in row.items() if key not in ("id", "text")}
        yield InputDocument(str(row.get("id") or f"line-{number}"), text, fields=others)
    if not found:
        raise BioftError(f"{path} has no row with a text.")


def _texts_of_trials(
    path: Path | None, nct_ids: Sequence[str], trial_field: str, left_out: list[str], skip_bad: bool
) -> list[InputDocument]:
    from bioft.datasets.trials.download import download_trials
    from bioft.datasets.trials.records import NCT_ID, read_trials, trial_text

    wanted = list(dict.fromkeys(each.strip().upper() for each in nct_ids))
    if wrong := [each for each in wanted if not NCT_ID.fullmatch(each)]:
        raise BioftError(f"'{wrong[0][:40]}' is no NCT id (NCT and eight digits).")
    if path is not None:
        found = {t.nct_id: t for t in read_trials(path, skip_bad) if not wanted or t.nct_id in wanted}
    else:
        with tempfile.TemporaryDirectory() as folder:
            query = f"AREA[NCTId]({' OR '.join(wanted)})"
            found = {t.nct_id: t for t in read_trials(download_trials(folder, query)) if t.nct_id in wanted}
    if missing := [each for each in wanted if each not in found]:
        where = path if path is not None else "ClinicalTrials.gov"
        raise BioftError(f"{len(missing):,} of {len(wanted):,} trials are not in {where}, first {missing[0]}.")
    texts = []
    for nct_id in wanted or found:
        trial = found[nct_id]
        text = trial.why_stopped if trial_field == "why_stopped" else trial_text(trial)
        if text.strip():
            texts.append(InputDocument(nct_id, text))
        else:
            left_out.append(f"{nct_id} has no {'reason why it stopped' if trial_field == 'why_stopped' else 'text'}.")
    if not texts:
        raise BioftError(f"There is nothing to read: {left_out[0]}")
    return texts
