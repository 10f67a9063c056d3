"""Batches of inputs of like lengths, so that little of a batch is padding."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from bioft.models.progress import track

CPU_BATCH_TOKENS, GPU_BATCH_TOKENS = 2048, 32768
"""Padded tokens in one forward pass. More fill a GPU; a processor is full already."""


def batches_by_length(lengths: Sequence[int], batch_tokens: int) -> list[list[int]]:
    """Indices in batches of like lengths, of at most `batch_tokens` padded tokens or of one input.

    The longest come first, so that memory runs out at once or never.
    """
    order = np.argsort([-length for length in lengths], kind="stable").tolist()
    batches: list[list[int]] = []
    for index in order:
        if not batches or (len(batches[-1]) + 1) * lengths[batches[-1][0]] > batch_tokens:
            batches.append([])
        batches[-1].append(index)
    return batches


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """Switch what is random in training off, such as dropout, for as long as it is needed."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


@torch.inference_mode()
def logits_of(
    model: Any, tokenizer: Any, inputs: Sequence[list[int]], progress: str | None = None
) -> list[np.ndarray]:
    """The logits of each input in float32, in their order: of a tagger (tokens, labels), of a classifier (labels,).

    Inputs are vocabulary ids with special tokens; `progress` is the text of a progress bar.
    """
    on_gpu = model.device.type != "cpu"
    batches = batches_by_length([len(ids) for ids in inputs], GPU_BATCH_TOKENS if on_gpu else CPU_BATCH_TOKENS)
    logits: list[np.ndarray] = [np.empty(0)] * len(inputs)
    with evaluating(model):
        for batch in track(batches, progress):
            rows = {"input_ids": [inputs[index] for index in batch]}
            # On the right, whatever the tokenizer says: encoders count positions from the left.
            padded = tokenizer.pad(rows, padding_side="right", return_tensors="pt")
            values = model(**padded.to(model.device)).logits.float().cpu().numpy()
            for index, row in zip(batch, values, strict=True):
                logits[index] = row[: len(inputs[index])] if row.ndim == 2 else row
    return logits
