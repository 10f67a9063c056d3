"""A tagger of entities, as `bioft merge` and `bioft export` take it."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from bioft.tasks.entities import predict as entity_prediction, tagging, windows as entity_windows
from bioft.tasks.exported import ForMerge, ForOnnx, evenly


def for_merge(directory: Path, record: dict[str, Any], dtype: Any) -> ForMerge:
    """The adapter on its base; it reads texts."""
    model, tokenizer, _ = entity_prediction.load(directory, torch.float32, whole=True)
    return ForMerge.of_encoder(model, tokenizer)


def for_onnx(directory: Path, record: dict[str, Any], rows: Any) -> ForOnnx:
    """The model with windows of some documents; a prediction is the label of a token."""
    model, tokenizer, _ = entity_prediction.load(directory, torch.float32, whole=True)
    length, overlap = (record["windows"][name] for name in ("window_length", "window_overlap"))
    documents = tagging.tokenize(tokenizer, rows["text"][:])
    size = entity_windows.window_size(tokenizer, model, length, overlap)
    windows = entity_windows.split_into_windows([len(tokens.ids) for tokens in documents], size, overlap)
    chosen = [windows[index] for index in evenly(len(windows))]
    return ForOnnx(
        model,
        tokenizer,
        entity_windows.window_inputs(tokenizer, documents, chosen),
        lambda outputs: np.concatenate([values.argmax(axis=1) for values in outputs]),
        f"It reads windows of {length} tokens, of which neighbouring ones share {overlap}. `logits` has the shape "
        "(windows, tokens, labels); the labels are in `config.json`.",
    )
