"""Entities in texts: the windows of all of them, sorted by length, in full batches; also with the model of a run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from datasets import Dataset
from transformers import AutoModelForTokenClassification

from bioft.errors import BioftError
from bioft.metrics import entity_f1
from bioft.models import base as models
from bioft.models.batches import logits_of
from bioft.storage import runs
from bioft.tasks.entities import predictions, tagging, windows
from bioft.tasks.entities.files import InputDocument
from bioft.tasks.entities.found import Found
from bioft.tasks.entities.tagging import Entity, Span

TEXTS_AT_ONCE = 1024
"""Texts whose windows are sorted by length together: what is held in memory."""


def predict_entities(
    model: Any,
    tokenizer: Any,
    texts: Sequence[str],
    labels: Sequence[str],
    *,
    window_length: int,
    window_overlap: int,
    progress: str | None = None,
) -> list[list[Entity]]:
    """Find the entities of each text, in order; they do not overlap.

    Args:
        model: a token classification model, with or without a PEFT adapter.
        tokenizer: its fast tokenizer.
        texts: of any length.
        labels: the model's labels, in its order.
        window_length: tokens that the model reads at once.
        window_overlap: tokens that neighbouring windows share.
        progress: text of a progress bar; None shows none.

    Raises:
        BioftError: a window that does not suit the model (`windows.window_size`).
    """
    size = windows.window_size(tokenizer, model, window_length, window_overlap)
    found: list[list[Entity]] = []
    parts = [texts[first : first + TEXTS_AT_ONCE] for first in range(0, len(texts), TEXTS_AT_ONCE)]
    for part in parts:
        documents = tagging.tokenize(tokenizer, part)
        lengths = [len(tokens.ids) for tokens in documents]
        pieces = windows.split_into_windows(lengths, size, window_overlap)
        inputs = windows.window_inputs(tokenizer, documents, pieces)
        before, after = map(len, windows.special_tokens(tokenizer))
        scores = [values[before : len(values) - after] for values in logits_of(model, tokenizer, inputs, progress)]
        merged = windows.merge(pieces, scores, lengths, len(labels))
        found += tagging.decode(documents, merged, labels)
    return found


def spans_of(documents: Sequence[Sequence[Entity]]) -> list[list[Span]]:
    """The entities of each document without their scores, as the metrics take them."""
    return [[entity.span for entity in entities] for entities in documents]


def load(directory: str | Path) -> tuple[Any, Any, dict[str, Any]]:
    """The model of a finished run of `token_classification`, on this process's device, its tokenizer and its record.

    Raises:
        BioftError: no finished run, one of another recipe, files changed since, or another base model.
    """
    record = runs.read_trained(directory, "token_classification")
    model, tokenizer = models.load_trained_encoder(
        Path(directory),
        record["base_model"],
        AutoModelForTokenClassification,
        id2label=dict(enumerate(record["labels"])),
    )
    return model.to(models.local_device()).eval(), tokenizer, record


def check_not_trained_on(run: str | Path, manifest: Mapping[str, Any]) -> None:
    """Stop unless a run was tested on the test split of a dataset: else it may have been trained on its documents.

    Raises:
        BioftError: another test split, or no finished run.
    """
    if runs.read(run)["dataset"]["fingerprints"].get("test") != manifest["fingerprints"]["test"]:
        raise BioftError(
            f"The run in {run} has another test split: it may have been trained on these test documents. Give a run "
            "of token_classification on the same dataset."
        )


def find_as_recorded(
    model: Any, tokenizer: Any, record: Mapping[str, Any], texts: Sequence[str], progress: str | None = None
) -> list[list[Entity]]:
    """The entities of each text, found with what `load` returned, in windows as in its training."""
    window = {name: record["windows"][name] for name in ("window_length", "window_overlap")}
    return predict_entities(model, tokenizer, texts, record["labels"], **window, progress=progress)


def predict(
    model: Sequence[Any], rows: Dataset, record: Mapping[str, Any], progress: str | None = None
) -> pd.DataFrame:
    """The predictions table of documents: `id`, and as JSON lists `label` and `prediction`, with scores.

    Args:
        model: the model and its tokenizer, such as `load` gives.
        rows: documents.
        record: that of the run, of which `labels` and `windows` are read.
        progress: text of a progress bar; None shows none.
    """
    found = find_as_recorded(model[0], model[1], record, list(rows["text"]), progress)
    return table_of(rows, [[(*entity.span, entity.score) for entity in entities] for entities in found])


def table_of(rows: Dataset, found: Sequence[Sequence[Sequence[Any]]] | None = None) -> pd.DataFrame:
    """The predictions table of documents in which some mentions were found, with or without scores."""
    columns = {"id": list(rows["document_id"]), "label": predictions.to_json(entity_f1.spans(rows))}
    return pd.DataFrame({**columns, "prediction": predictions.to_json(found or [[]] * len(rows))})


def find(
    model: Sequence[Any], documents: Sequence[InputDocument], record: Mapping[str, Any], progress: str | None = None
) -> list[Found]:
    """The entities of documents, found with what `load` gives."""
    found = find_as_recorded(model[0], model[1], record, [each.text for each in documents], progress)
    return list(map(Found, found))


def entity_types(record: Mapping[str, Any], found: Sequence[Found]) -> list[str]:
    """The entity types that a run may find, in alphabetical order."""
    return tagging.types_of(record["labels"])


def predict_with_run(
    directory: str | Path, texts: Sequence[str], *, progress: str | None = "Entities"
) -> list[list[Entity]]:
    """The entities of each text, found with a finished run.

    Raises:
        BioftError: as `load`.
    """
    return find_as_recorded(*load(directory), texts, progress)
