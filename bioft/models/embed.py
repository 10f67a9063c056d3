"""Embeddings of many texts: sorted by length, in batches of like lengths that hold about as many tokens each."""

import copy
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bioft.models import onnx as onnx_models, precision
from bioft.models.batches import batches_by_length, evaluating
from bioft.models.progress import Work

CPU_BATCH_TOKENS, GPU_BATCH_TOKENS = 1024, 32768
"""Padded tokens in one forward pass. On a processor 8192 took 1.5 times as long as 1024."""
TEXTS_AT_ONCE = 8192
"""Texts that are sorted by length together: what is held in memory as tokens."""
PYTORCH, ONNX_INT8 = BACKENDS = ("pytorch", "onnx-int8")

Forward = Callable[[list[list[int]]], NDArray[np.float32]]
"""The embeddings, shape (texts, dimensions), of texts given as vocabulary ids with special tokens."""


@torch.inference_mode()
def encode_texts(
    model: Any, texts: Sequence[str], progress: str | None = None, forward: Forward | None = None
) -> NDArray[np.float32]:
    """Return what `model.encode(texts)` returns, sooner: shape (texts, dimensions), in the order given.

    The model is a `SentenceTransformer` of one encoder and mean pooling, as `bioft.tasks.retrieval.encoder` loads it;
    `forward` computes the embeddings of a batch instead of it, such as `int8_forward(model)`.
    """
    on_gpu = forward is None and model.device.type != "cpu"
    forward = forward or pytorch_forward(model)
    embeddings = np.empty((len(texts), model.get_embedding_dimension()), np.float32)
    with evaluating(model), Work(progress, len(texts)) as work:
        for first in range(0, len(texts), TEXTS_AT_ONCE):
            part = list(texts[first : first + TEXTS_AT_ONCE])
            ids = model.tokenizer(part, truncation=True, max_length=model.max_seq_length)["input_ids"]
            for batch in batches_by_length(list(map(len, ids)), GPU_BATCH_TOKENS if on_gpu else CPU_BATCH_TOKENS):
                embeddings[[first + index for index in batch]] = forward([ids[index] for index in batch])
                work.advance(len(batch))
    return embeddings


def pytorch_forward(model: Any) -> Forward:
    """The model itself, on its device."""

    def forward(rows: list[list[int]]) -> NDArray[np.float32]:
        padded = model.tokenizer.pad({"input_ids": rows}, padding_side="right", return_tensors="pt").to(model.device)
        return precision.checked(model(dict(padded))["sentence_embedding"].float().cpu().numpy(), model)

    return forward


def int8_forward(model: Any) -> Forward:
    """The model with weights in int8, in ONNX Runtime on the processor; the model stays as it is.

    BioftError: as `onnx_models.write`.
    """
    from peft import PeftModel

    encoder = copy.deepcopy(model[0].model).cpu().float()
    if isinstance(encoder, PeftModel):
        encoder = encoder.merge_and_unload()
    with tempfile.TemporaryDirectory() as folder:
        onnx_models.write(encoder, model.tokenizer.pad_token_id, Path(folder), int8=True)
        session = onnx_models.open_session(Path(folder))

    def forward(rows: list[list[int]]) -> NDArray[np.float32]:
        states, mask = onnx_models.run(session, model.tokenizer, rows)
        weights = mask[..., None].astype(np.float32)
        return (states * weights).sum(axis=1) / weights.sum(axis=1)

    return forward
