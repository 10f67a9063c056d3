"""A run on relations, as `bioft merge` and `bioft export` take it."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from bioft.errors import BioftError
from bioft.models import base as models
from bioft.tasks.exported import MAX_TOKENS, ForMerge, ForOnnx, Outputs, evenly, saver
from bioft.tasks.relations import candidates as relations, predict as relation_prediction
from bioft.tasks.relations.prompted import prompts
from bioft.tasks.relations.prompted.prompts import Prompt


def for_merge(directory: Path, record: dict[str, Any], dtype: Any) -> ForMerge:
    """The adapter on its base; a classifier reads texts, a language model a text with a question."""
    if relation_prediction.is_prompted(record):
        return _for_merge_prompted(directory, record, dtype)
    model, tokenizer, _ = relation_prediction.load(directory, torch.float32, whole=True)
    return ForMerge.of_encoder(model, tokenizer)


def _for_merge_prompted(directory: Path, record: dict[str, Any], dtype: Any) -> ForMerge:
    """The adapter on its base, dequantised: it reads the end of a text and the first question about it."""
    base, tokenizer = models.load_recorded_causal_lm(record["base_model"], dtype, "merge")
    if record["base_model"]["quantization"] == "nf4":
        base = base.dequantize(dtype)
    prompt = Prompt(**record["relations"]["prompt"])
    arguments = relation_prediction.recorded_arguments(record)

    def tokens(rows: Any) -> list[list[int]]:
        found = relations.candidates(rows, arguments)
        asked = prompts.encode(prompt, tokenizer, rows["text"][:], found, arguments)
        return [(its.text + its.questions[0])[-MAX_TOKENS:] for its in asked]

    return ForMerge(models.load_adapter(base, directory), tokens, saver(tokenizer))


def for_onnx(directory: Path, record: dict[str, Any], rows: Any) -> ForOnnx:
    """The model with marked texts of some pairs, which predicts relations by type. BioftError: a language model."""
    if relation_prediction.is_prompted(record):
        raise BioftError("A run of a language model can't be exported to ONNX: `bioft merge` makes one model of it.")
    model, tokenizer, _ = relation_prediction.load(directory, torch.float32, whole=True)
    kept, arguments = record["relations"], relation_prediction.recorded_arguments(record)
    found = relations.candidates(rows, arguments)
    found = [found[index] for index in evenly(len(found))]
    labels = relation_prediction.labels_of(model)

    def predictions(outputs: Outputs) -> np.ndarray:
        return relations.type_scores(np.stack(outputs), found, arguments, labels) >= kept["threshold"]

    markers = relation_prediction.Markers(**kept["markers"])
    inputs, _ = relation_prediction.encode(markers, tokenizer, rows["text"][:], found)
    usage = (
        f"It reads a text for each pair of concepts, at most {markers.max_length} tokens long, in which "
        "`bioft.tasks.relations.marking.mark` has marked the two as in the training. `logits` has the shape "
        f"(texts, labels); the labels are in `config.json`. A relation is found from "
        f"a score of {kept['threshold']:.4f} on."
    )
    return ForOnnx(model, tokenizer, inputs, predictions, usage)
