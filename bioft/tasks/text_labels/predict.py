"""Labels for new texts from a finished run of text_classification: texts from files, or of trial records by NCT id."""

import csv
import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bioft.errors import BioftError, ChangedFilesError
from bioft.storage import json_text, runs
from bioft.storage.files import new_file
from bioft.storage.tables import Table
from bioft.storage.text_lines import TextLines
from bioft.tasks.entities import files
from bioft.tasks.entities.files import InputDocument

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from bioft.models.embedded import BaseModel

OUTPUTS = (".csv", ".jsonl")
OF_TRIALS, OF_TRIALS_JSON = "NCT Number", "protocolSection"
"""The column and the key that records of ClinicalTrials.gov have."""
_HINT = (
    "A run on labelled texts reads .txt (a text on each line), .csv, .tsv and .jsonl (rows with `text`), and one that "
    "was trained on trials their records too (JSON, XML, CSV)."
)


@dataclass(frozen=True)
class LabelledAnswer:
    """The labels that were predicted for a text, and the score (0 to 1) of each label that there is."""

    labels: list[str]
    scores: dict[str, float]


def load(directory: str | Path, dtype: "torch.dtype | None" = None) -> tuple[Any, Any, dict[str, Any]]:
    """The model of a finished run on this process's device, its tokenizer and its record: `models.load_run`."""
    from bioft.tasks.text_labels import models

    return models.load_run(directory, dtype)


def scores_of(model: Any, texts: Sequence[str], record: Mapping[str, Any], progress: str | None = None) -> np.ndarray:
    """The probability of each label for each text, shape (texts, labels), by the model that `load` gives."""
    from bioft.tasks.text_labels.classifier import score_texts

    kept = record["classifier"]
    return score_texts(model[0], model[1], texts, kept["max_length"], kept["multi_label"], progress)


def predict(model: Any, rows: Any, record: Mapping[str, Any], progress: str | None = None) -> "pd.DataFrame":
    """The predictions table of labelled texts, by the model that `load` gives."""
    from bioft.tasks.text_labels.evaluate import predictions

    scores = scores_of(model, rows["text"][:], record, progress)
    return predictions(rows, record["labels"], scores, record["classifier"]["thresholds"])


def base_of(record: Mapping[str, Any]) -> "BaseModel":
    """The base model of a run, adapted by a run of mlm where it began from one; BioftError: it can't be had again."""
    from bioft.tasks.text_labels import models

    return models.base_of(dict(record))


def predict_base(model: Any, dataset: Any, record: Mapping[str, Any], progress: str | None = None) -> "pd.DataFrame":
    """The predictions table of the test split by the base model, with the new head that the recorded seed gives.

    Of a run that went on from another it is that one. ChangedFilesError: not the one that its training names.
    """
    from transformers import set_seed

    from bioft.datasets.splits import SPLITS
    from bioft.models import base as encoders, precision
    from bioft.tasks.text_labels import models
    from bioft.tasks.text_labels.arguments import ClassifierArguments
    from bioft.tasks.text_labels.evaluate import choose, predictions

    kept = record["classifier"]
    start = models.find_start(ClassifierArguments(start_from=kept.get("start_from")), models.base_of(dict(record)))
    named = {key: its for key, its in record["training"].items() if key.startswith("start_from")}
    if named != (found := runs.describe_start(kept.get("start_from"), start.earlier_run)):
        raise ChangedFilesError(
            f"The training on record went on from {named or 'no run'}, its classifier from {found}."
        )
    set_seed(record["seed"])
    base, tokenizer = models.load_start(start, record["dataset"]["labels"], kept["multi_label"], kept["head"])
    asked = (base.to(encoders.local_device(), precision.of_run(record)), tokenizer)
    validation, test = (scores_of(asked, dataset[name]["text"][:], record, progress) for name in SPLITS[1:])
    return predictions(dataset["test"], record["labels"], test, choose(dataset, record, validation))


def predict_with_run(run: str | Path, texts: Sequence[str], *, progress: str | None = "Texts") -> list[LabelledAnswer]:
    """Ask a finished run of text_classification for the labels of texts; BioftError as `models.load_run`."""
    return answer_texts(load(run), texts, progress)


def answer_texts(model: Any, texts: Sequence[str], progress: str | None = None) -> list[LabelledAnswer]:
    """The labels of texts by the model that `load` gives."""
    from bioft.tasks.text_labels.classifier import decide

    *_, record = model
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
    """Read the texts that a run is asked about; other files than those of `_HINT` are trial records.

    Of a trial it is the run's own kind of text, such as why it stopped. With `nct_ids` these trials only, in this
    order; without a `path` they are fetched from ClinicalTrials.gov. `left_out` takes a message for each trial without
    such a text, or with `skip_bad` each row. BioftError: a file that can't be read, a row without a text, an NCT id
    that is none or is not found.
    """
    if path is not None and not nct_ids:
        kind = files.kind_of(path)
        if kind == "text":
            return _lines(path)
        if not _holds_trials(path, kind):
            if not (found := files.read(path, left_out if skip_bad else None, taken=(), kind=kind)):
                raise BioftError(f"{path} has no row with a text.")
            others = ({key: value for key, value in each.fields.items() if key != "id"} for each in found)
            return [replace(each, fields=fields) for each, fields in zip(found, others, strict=True)]
    trial_field = runs.read(run)["dataset"].get("trial_field")
    if trial_field is None:
        raise BioftError(
            f"The run in {run} was not trained on texts of trial records: give it texts, not trials. {_HINT}"
        )
    return _texts_of_trials(path, nct_ids, trial_field, left_out, skip_bad)


def write(path: Path, texts: Sequence[InputDocument], answers: Sequence[LabelledAnswer]) -> None:
    """Write a row for each text as .csv or .jsonl, in one step: what was read, then the labels and their scores.

    In CSV several labels are joined by "|", and each label has a column `score_<label>`. `check_columns` goes before.
    """
    rows: list[dict[str, Any]] = []
    for text, answer in zip(texts, answers, strict=True):
        added: dict[str, Any] = {"labels": answer.labels, "scores": answer.scores}
        if path.suffix == ".csv":
            scores = {f"score_{label}": f"{score:.4f}" for label, score in answer.scores.items()}
            added = {"labels": "|".join(answer.labels), **scores}
        rows.append({"id": text.document_id, "text": text.text, **text.fields, **added})
    with new_file(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        if path.suffix == ".jsonl":
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            return
        writer = csv.DictWriter(file, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def check_columns(path: Path, texts: Iterable[InputDocument], labels: Sequence[str]) -> None:
    """Raise BioftError for what `write` can't write: another kind of file, an input column that an answer has."""
    if path.suffix not in OUTPUTS:
        raise BioftError(f"{path} is neither .csv nor .jsonl: labels can be written as one of these.")
    added = {"labels", *(f"score_{label}" for label in labels)} if path.suffix == ".csv" else {"labels", "scores"}
    if clash := sorted({key for text in texts for key in text.fields} & added):
        raise BioftError(f"The input has a column {clash[0]} already. Rename it: nothing of the input may get lost.")


def _lines(path: Path) -> list[InputDocument]:
    lines = TextLines(path, "Give the path of a text file.")
    texts = [InputDocument(f"line-{lines.number}", line.strip()) for line in lines if line.strip()]
    if not texts:
        raise BioftError(f"{path} is blank: there is nothing to read in it.")
    return texts


def _holds_trials(path: Path, kind: str | None) -> bool:
    """Whether a file, of a kind as `files.kind_of` tells, holds records of ClinicalTrials.gov, not one's own texts."""
    if kind == "table":
        return OF_TRIALS in Table(path, hint=_HINT).columns
    if kind == "jsonl":
        return OF_TRIALS_JSON in next(json_text.rows(TextLines(path, _HINT), []), {})
    return kind is None


def _texts_of_trials(
    path: Path | None, nct_ids: Sequence[str], trial_field: str, left_out: list[str], skip_bad: bool
) -> list[InputDocument]:
    from bioft.datasets.trials.download import download_trials
    from bioft.datasets.trials.records import NCT_ID, read_trials, trial_text

    wanted = list(dict.fromkeys(each.strip().upper() for each in nct_ids))
    if wrong := [each for each in wanted if not NCT_ID.fullmatch(each)]:
        raise BioftError(f"'{wrong[0][:40]}' is no NCT id (NCT and eight digits).")
    if path is not None:
        try:
            found = {t.nct_id: t for t in read_trials(path, skip_bad) if not wanted or t.nct_id in wanted}
        except BioftError as error:
            raise BioftError(f"{error} {_HINT}") from None
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
