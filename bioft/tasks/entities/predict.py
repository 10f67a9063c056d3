"""Entities in texts: the windows of all of them, sorted by length, in full batches; also with the model of a run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from bioft.errors import BioftError
from bioft.models import base as models, precision
from bioft.models.batches import logits_of
from bioft.models.own import bert
from bioft.storage import runs
from bioft.tasks.entities import TASK, predictions, tagging, windows
from bioft.tasks.entities.files import Found, InputDocument
from bioft.tasks.entities.predictions import Record
from bioft.tasks.entities.tagging import Entity, Span

if TYPE_CHECKING:
    import pandas as pd
    from datasets import Dataset

TEXTS_AT_ONCE = 1024
"""Texts whose windows are sorted by length together: what is held in memory."""


def find_entities(
    model: Sequence[Any], texts: Sequence[str], record: Record, progress: str | None = None
) -> list[list[Entity]]:
    """Find the entities of each text, in order; they do not overlap.

    `model` is a token classification model, with or without a PEFT adapter, and its fast tokenizer, as from `load`; of
    the record its `labels`, in the model's order, and `windows` are read. `progress` is the text of a progress bar.
    BioftError: a window that does not suit the model (`windows.window_size`).
    """
    encoder, tokenizer, *_ = model
    labels, kept = record["labels"], record["windows"]
    overlap = kept["window_overlap"]
    size = windows.window_size(tokenizer, encoder, kept["window_length"], overlap)
    before, after = map(len, windows.special_tokens(tokenizer))
    found: list[list[Entity]] = []
    for first in range(0, len(texts), TEXTS_AT_ONCE):
        documents = tagging.tokenize(tokenizer, texts[first : first + TEXTS_AT_ONCE])
        lengths = [len(tokens.ids) for tokens in documents]
        pieces = windows.split_into_windows(lengths, size, overlap)
        logits = logits_of(encoder, tokenizer, windows.window_inputs(tokenizer, documents, pieces), progress)
        scores = [values[before : len(values) - after] for values in logits]
        found += tagging.decode(documents, windows.merge(pieces, scores, lengths, len(labels)), labels)
    return found


def spans_of(documents: Sequence[Sequence[Entity]]) -> list[list[Span]]:
    """The entities of each document without their scores, as the metrics take them."""
    return [[entity.span for entity in entities] for entities in documents]


def load(
    directory: str | Path,
    dtype: torch.dtype | None = None,
    *,
    task: str = TASK.name,
    head: str = "ForTokenClassification",
    whole: bool = False,
) -> tuple[Any, Any, dict[str, Any]]:
    """The model of a finished run on a task, on this process's device, its tokenizer and its record.

    Its weights are in `dtype`, by default in that of the run (`precision.of_run`). It is a model of Transformers, or
    where that need not be `whole` and answers the same a `bert.Bert`; `head` is what follows "AutoModel" in the name
    of its class. BioftError: no finished run, one on another task, files changed since, or another base model.
    """
    record = runs.read_trained(directory, task)
    if (loaded := None if whole else bert.load(directory, head, record["labels"])) is None:
        import transformers

        kind, labels = getattr(transformers, f"AutoModel{head}"), dict(enumerate(record["labels"]))
        loaded = models.load_trained_encoder(Path(directory), record["base_model"], kind, id2label=labels)
    model, tokenizer = loaded
    return model.to(models.local_device(), dtype or precision.of_run(record)).eval(), tokenizer, record


def read_tested_on(run: str | Path, manifest: Mapping[str, Any]) -> Record:
    """The record of a run that was tested on the test split of a dataset: others may be trained on its documents.

    BioftError: no such run, or one of another test split, on another task, or whose record or files are damaged.
    """
    record = runs.read_trained(run, TASK.name, whole=True)
    if record["dataset"]["fingerprints"]["test"] != manifest["fingerprints"]["test"]:
        raise BioftError(
            f"The run in {run} has another test split: it may have been trained on these test documents. Give a run "
            "of token_classification on the same dataset."
        )
    return record


def predict(model: Sequence[Any], rows: "Dataset", record: Record, progress: str | None = None) -> "pd.DataFrame":
    """The predictions table of documents: `id`, and as JSON lists `label` and `prediction`, with scores."""
    found = find_entities(model, list(rows["text"]), record, progress)
    return table_of(rows, [[(*entity.span, entity.score) for entity in entities] for entities in found])


def predict_base(model: Any, dataset: Any, record: Record, progress: str | None = None) -> "pd.DataFrame":
    """What the base model finds in the test split with the new head that the recorded seed gives."""
    from transformers import AutoModelForTokenClassification, set_seed

    set_seed(record["seed"])
    base = models.resolve_recorded(record["base_model"])
    labels = dict(enumerate(record["labels"]))
    encoder, tokenizer = models.load_encoder(base, AutoModelForTokenClassification, id2label=labels)
    encoder.to(models.local_device(), precision.of_run(record))
    return predict((encoder, tokenizer), dataset["test"], record, progress)


def table_of(rows: "Dataset", found: Sequence[Sequence[Sequence[Any]]] | None = None) -> "pd.DataFrame":
    """The predictions table of documents in which some mentions were found, with or without scores."""
    import pandas as pd

    from bioft.metrics import entity_f1

    columns = {"id": list(rows["document_id"]), "label": predictions.to_json(entity_f1.spans(rows))}
    return pd.DataFrame({**columns, "prediction": predictions.to_json(found or [[]] * len(rows))})


def find(
    model: Sequence[Any], documents: Sequence[InputDocument], record: Record, progress: str | None = None
) -> list[Found]:
    """The entities of documents, found with what `load` gives."""
    return list(map(Found, find_entities(model, [each.text for each in documents], record, progress)))


def entity_types(record: Record, found: Sequence[Found]) -> list[str]:
    """The entity types that a run may find, in alphabetical order."""
    return tagging.types_of(record["labels"])


def predict_with_run(
    directory: str | Path, texts: Sequence[str], *, progress: str | None = "Entities"
) -> list[list[Entity]]:
    """The entities of each text, found with a finished run; BioftError as `load`."""
    *model, record = load(directory)
    return find_entities(model, texts, record, progress)
