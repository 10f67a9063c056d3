"""What a joint model finds in documents: entities, and relations between them or between those that are annotated."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from datasets import Dataset
from transformers import AutoModel, set_seed

from bioft.metrics import entity_f1, relation_f1
from bioft.models import base as models, precision
from bioft.models.batches import batches_by_length, computed, evaluating
from bioft.storage import runs
from bioft.tasks.entities import predictions, tagging, windows as entities_windows
from bioft.tasks.entities.files import Found, InputDocument
from bioft.tasks.entities.predict import entity_types
from bioft.tasks.entities.predictions import Record
from bioft.tasks.entities.tagging import Entity, Tokens
from bioft.tasks.entities.windows import Window
from bioft.tasks.joint import TASK
from bioft.tasks.joint.inputs import pad, relation_inputs
from bioft.tasks.joint.model import JointModel, arguments_of, labels_of
from bioft.tasks.relations import candidates as relations, marking
from bioft.tasks.relations.candidates import Candidate
from bioft.tasks.relations.linking import ConceptDictionary
from bioft.tasks.relations.predict import RelationScores
from bioft.tasks.relations.words import candidate_words

__all__ = ["entity_types"]  # as for entities alone
BATCH_TOKENS = 8192
"""Padded tokens that are encoded at once."""
BATCH_MENTION_PAIRS = 20_000
"""Pairs of mentions that are compared at once."""


@dataclass
class JointPrediction:
    """What the model finds in some documents.

    `linked` are the entities as in document rows, with ids where the dictionary knows them; `end_to_end` the pairs of
    these; `annotated` those of the entities that were given.
    """

    entities: list[list[Entity]]
    linked: list[list[dict[str, Any]]]
    end_to_end: RelationScores
    annotated: RelationScores


@torch.inference_mode()
def find_in_texts(
    model: Any,
    tokenizer: Any,
    texts: Sequence[str],
    dictionary: ConceptDictionary,
    *,
    window_length: int,
    window_overlap: int,
    annotated: Sequence[Sequence[dict[str, Any]]] | None = None,
    name_unlinked: bool = False,
    progress: str | None = None,
) -> JointPrediction:
    """Find the entities of documents of any length and the relations between them; each document is encoded once.

    Relations are looked for between the concept ids that the dictionary gives to entities, with `name_unlinked` also
    between concepts that it does not know, by their names; those between the `annotated` entities of each document are
    scored too. Without `progress`, the text of a progress bar, none is shown.
    """
    arguments = arguments_of(model.config)
    documents = tagging.tokenize(tokenizer, texts)
    size = entities_windows.window_size(tokenizer, model.encoder, window_length, window_overlap)
    entities: list[list[Entity]] = [[] for _ in texts]
    linked: list[list[dict[str, Any]]] = [[] for _ in texts]
    given = annotated or [[] for _ in texts]
    pieces: dict[str, list[tuple[int, Candidate, np.ndarray]]] = {"linked": [], "annotated": []}
    with evaluating(model):
        filled = [index for index, tokens in enumerate(documents) if tokens.ids]
        numbers = batches_by_length([len(documents[index].ids) for index in filled], BATCH_TOKENS)
        batches = [[filled[number] for number in its] for its in numbers]
        parts = [[(documents[index], given[index]) for index in batch] for batch in batches]
        find = partial(_find_in_batch, model, tokenizer, dictionary, size, window_overlap, name_unlinked)
        for batch, (found, its_linked, scored) in zip(batches, computed(find, parts, progress), strict=True):
            for index, its_entities, concepts in zip(batch, found, its_linked, strict=True):
                entities[index], linked[index] = its_entities, concepts
            for kind, pairs in scored.items():
                pieces[kind] += [(batch[pair.document], pair, row) for pair, row in pairs]
    return JointPrediction(entities, linked, *(_in_order(its, arguments) for its in pieces.values()))


def _find_in_batch(
    model: Any,
    tokenizer: Any,
    dictionary: ConceptDictionary,
    size: int,
    overlap: int,
    name_unlinked: bool,
    batch: Sequence[tuple[Tokens, Sequence[dict[str, Any]]]],
) -> tuple[list[list[Entity]], list[list[dict[str, Any]]], dict[str, list[tuple[Candidate, np.ndarray]]]]:
    """The entities of some documents, these linked, and the scored pairs of the linked and of the annotated ones."""
    chosen, given = map(list, zip(*batch, strict=True))
    labels, lengths = labels_of(model.config), [len(tokens.ids) for tokens in chosen]
    before, _ = entities_windows.special_tokens(tokenizer)
    windows = entities_windows.split_into_windows(lengths, size, overlap)
    inputs = pad(entities_windows.window_inputs(tokenizer, chosen, windows), tokenizer.pad_token_id)
    hidden, states = _encode(model, inputs)
    logits = precision.checked(model.entity_classifier(hidden).float().cpu().numpy(), model)
    scores = [values[len(before) : len(before) + w.end - w.start] for values, w in zip(logits, windows, strict=True)]
    entities = tagging.decode(chosen, entities_windows.merge(windows, scores, lengths, len(labels)), labels)
    linked = [
        dictionary.link(tokens.text, [entity.span for entity in found], name_unlinked=name_unlinked)
        for tokens, found in zip(chosen, entities, strict=True)
    ]
    read = inputs["attention_mask"].sum(1).to(model.device)
    scored = {}
    for kind, source in (("linked", linked), ("annotated", given)):
        rows = [{"text": tokens.text, "entities": its} for tokens, its in zip(chosen, source, strict=True)]
        scored[kind] = list(_score_pairs(model, rows, chosen, windows, states, read, len(before)))
    return entities, linked, scored


def _score_pairs(
    model: Any,
    rows: Sequence[Mapping[str, Any]],
    documents: Sequence[Tokens],
    windows: Sequence[Window],
    states: torch.Tensor,
    lengths: torch.Tensor,
    tokens_before: int,
) -> Iterator[tuple[Candidate, np.ndarray]]:
    """Yield the candidates of documents, whose windows have been encoded, with the probability of each type."""
    arguments = arguments_of(model.config)
    pairs = relations.candidates(rows, arguments)
    words = candidate_words(rows, pairs) if model.config.relation_words else []
    features = marking.pair_features([row["text"] for row in rows], pairs)
    for part in _parts(pairs):
        arrays = relation_inputs(documents, windows, pairs[part], features[part], words[part], tokens_before)
        tensors = {key: torch.from_numpy(value).to(model.device) for key, value in arrays.items()}
        logits = model.relation_classifier(states, lengths, *tensors.values()).float().cpu().numpy()
        yield from zip(pairs[part], relations.type_scores(logits, pairs[part], arguments), strict=True)


def _encode(model: Any, inputs: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """What `JointModel.encode` gives for many windows; those of a very long document are read in parts."""
    rows = max(BATCH_TOKENS // inputs["input_ids"].shape[1], 1)
    parts = [
        model.encode(**{key: value[first : first + rows].to(model.device) for key, value in inputs.items()})
        for first in range(0, len(inputs["input_ids"]), rows)
    ]
    hidden, states = zip(*parts, strict=True)
    return torch.cat(hidden), torch.cat(states)


def _parts(found: Sequence[Candidate]) -> Iterator[slice]:
    """Slices of candidates that have no more pairs of mentions than fit at once, or hold one candidate."""
    first = size = 0
    for index, candidate in enumerate(found):
        pairs = len(candidate.head.places) * len(candidate.tail.places)
        if index > first and size + pairs > BATCH_MENTION_PAIRS:
            yield slice(first, index)
            first, size = index, 0
        size += pairs
    if first < len(found):
        yield slice(first, len(found))


def _in_order(pieces: list[tuple[int, Candidate, np.ndarray]], arguments: relations.Arguments) -> RelationScores:
    pieces = sorted(pieces, key=lambda piece: piece[0])
    scores = np.array([row for *_, row in pieces]).reshape(-1, len(arguments))
    return RelationScores([pair._replace(document=index) for index, pair, _ in pieces], scores, arguments)


def load(
    directory: str | Path, dtype: torch.dtype | None = None
) -> tuple[Any, Any, ConceptDictionary, dict[str, Any]]:
    """As `entities.predict.load` of a finished run on both, with its dictionary of concepts before its record."""
    record = runs.read_trained(directory, TASK.name)
    labels = dict(enumerate(record["labels"]))
    model, tokenizer = models.load_encoder(models.saved_by(Path(directory)), JointModel, id2label=labels)
    model = model.to(models.local_device(), dtype or precision.of_run(record)).eval()
    return model, tokenizer, ConceptDictionary.load(Path(directory)), record


def with_linker(model: Sequence[Any], linker: Any) -> tuple[Any, ...]:
    """What `load` gives with another linker of entities in the place of the dictionary of concepts."""
    return tuple(linker if isinstance(each, ConceptDictionary) else each for each in model)


def heads_of(record: Record) -> tuple[str, ...]:
    """Which of "entities" and "relations" are learnt, here (their loss has a weight) or in the run begun from."""
    kept = record["joint"]
    learnt = kept["entity_loss_weight"] or kept.get("start_from"), kept["relation_loss_weight"]
    return tuple(head for head, whether in zip(("entities", "relations"), learnt, strict=True) if whether)


def predict_split(model: Sequence[Any], rows: Dataset, record: Record, progress: str | None = None) -> JointPrediction:
    """What is found in a split, also the relations between the entities that are annotated there; see `predict`."""
    network, tokenizer, dictionary, *_ = model
    options: dict[str, Any] = {**record["windows"], "annotated": list(rows["entities"]), "progress": progress}
    return find_in_texts(network, tokenizer, list(rows["text"]), dictionary, **options)


def predict(model: Sequence[Any], rows: Dataset, record: Record, progress: str | None = None) -> pd.DataFrame:
    """The predictions table of documents, with columns for what the trained heads find: see `table_of`.

    `model` is the model, its tokenizer and its dictionary, such as `load` gives; of the record of the run `joint`,
    `relations` and `windows` are read.
    """
    found = predict_split(model, rows, record, progress)
    return table_of(rows, found, record["relations"]["threshold"], heads_of(record))


def predict_base(model: Sequence[Any], dataset: Any, record: Record, progress: str | None = None) -> pd.DataFrame:
    """What the base model finds in the test split with the new heads that the recorded seed gives."""
    set_seed(record["seed"])
    encoder, tokenizer = models.load_encoder(models.resolve_recorded(record["base_model"]), AutoModel)
    untrained = JointModel(model[0].config)
    untrained.encoder = encoder
    base = untrained.to(models.local_device(), precision.of_run(record)), tokenizer, model[2]
    found = predict_split(base, dataset["test"], record, progress)
    return table_of(dataset["test"], found, 0.5, heads_of(record))


def table_of(rows: Dataset, prediction: JointPrediction, threshold: float, heads: Sequence[str]) -> pd.DataFrame:
    """The predictions table of documents: a row for each, with JSON lists of what the trained heads found.

    Columns: id; `label`, `prediction` (start, end, type; of predictions also the score) of entities;
    `relation_label`, `relation_prediction` (type, head, tail, score; between annotated entities) and
    `end_to_end_prediction`.
    """
    columns: dict[str, Any] = {}
    if "entities" in heads:
        columns |= {"label": entity_f1.spans(rows), "prediction": prediction.entities}
    if "relations" in heads:
        found = prediction.annotated.found(len(rows), threshold)
        columns |= {"relation_label": relation_f1.relations(rows), "relation_prediction": found}
    if len(heads) == 2:
        columns["end_to_end_prediction"] = prediction.end_to_end.found(len(rows), threshold)
    lists = {name: predictions.to_json(items) for name, items in columns.items()}
    return pd.DataFrame({"id": list(rows["document_id"]), **lists})


def find(
    model: Sequence[Any], documents: Sequence[InputDocument], record: Record, progress: str | None = None
) -> list[Found]:
    """The entities of documents and the relations between them, also of those that the dictionary does not know."""
    network, tokenizer, dictionary, *_ = model
    texts = [document.text for document in documents]
    found = find_in_texts(
        network, tokenizer, texts, dictionary, name_unlinked=True, progress=progress, **record["windows"]
    )
    ids = [[entity["id"] for entity in entities] for entities in found.linked]
    return list(map(Found, found.entities, ids, found.end_to_end.found(len(texts), record["relations"]["threshold"])))
