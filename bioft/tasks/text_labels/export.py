"""A classifier of texts, as `bioft merge` and `bioft export` take it."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from bioft.tasks.exported import ForMerge, ForOnnx, Outputs
from bioft.tasks.text_labels import classifier as text_classification, models as text_models


def for_merge(directory: Path, record: dict[str, Any], dtype: Any) -> ForMerge:
    """The adapter on its base; it reads texts."""
    model, tokenizer, _ = text_models.load_run(directory, torch.float32, whole=True)
    text_classification.keep_thresholds(model, record["labels"], record["classifier"]["thresholds"])
    return ForMerge.of_encoder(model, tokenizer)


def for_onnx(directory: Path, record: dict[str, Any], rows: Any) -> ForOnnx:
    """The model with the texts of some test examples; a prediction is the labels of a text."""
    model, tokenizer, _ = text_models.load_run(directory, torch.float32, whole=True)
    kept = record["classifier"]
    inputs, _ = text_classification.encode(tokenizer, rows["text"][:], kept["max_length"])

    def predictions(outputs: Outputs) -> np.ndarray:
        scores = text_classification.probabilities(np.stack(outputs), kept["multi_label"])
        decided = text_classification.decide(scores, record["labels"], kept["thresholds"])
        return np.array([[label in its for label in record["labels"]] for its in decided])

    answer = (
        "a text has those labels whose sigmoid reaches the threshold of the run"
        if kept["multi_label"]
        else "the label with the highest logit is the answer"
    )
    usage = (
        f"It reads texts of at most {kept['max_length']} tokens. `logits` has the shape (texts, labels); the labels "
        f"are in `config.json`, and {answer}."
    )
    return ForOnnx(model, tokenizer, inputs, predictions, usage)
