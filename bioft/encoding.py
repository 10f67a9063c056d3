"""Embeddings of many texts: sorted by length, in batches of like lengths that hold about as many tokens each."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import Progress

from bioft.entity_prediction import batches_by_length

CPU_BATCH_TOKENS, GPU_BATCH_TOKENS = 1024, 32768
"""Padded tokens in one forward pass. On a processor 8192 took 1.5 times as long as 1024."""
TEXTS_AT_ONCE = 8192
"""Texts that are sorted by length together: what is held in memory as tokens."""


@torch.inference_mode()
def encode_texts(model: Any, texts: Sequence[str], progress: str | None = None) -> NDArray[np.float32]:
    """Return what `model.encode(texts)` returns, sooner: shape (texts, dimensions), in the order given.

    Args:
        model: a `SentenceTransformer` of one encoder and pooling, as `bioft.contrastive` loads them.
        texts: of any length; what is longer than the model reads is cut off.
        progress: text of a progress bar; None shows none.
    """
    on_gpu = model.device.type != "cpu"
    embeddings = np.empty((len(texts), model.get_embedding_dimension()), np.float32)
    was_training = model.training
    model.eval()
    try:
        with Progress(transient=True, disable=progress is None) as bar:
            task = bar.add_task(progress or "", total=len(texts))
            for first in range(0, len(texts), TEXTS_AT_ONCE):
                part = list(texts[first : first + TEXTS_AT_ONCE])
                ids = model.tokenizer(part, truncation=True, max_length=model.max_seq_length)["input_ids"]
                for batch in batches_by_length(list(map(len, ids)), GPU_BATCH_TOKENS if on_gpu else CPU_BATCH_TOKENS):
                    rows = {"input_ids": [ids[index] for index in batch]}
                    padded = model.tokenizer.pad(rows, padding_side="right", return_tensors="pt").to(model.device)
                    found = model(dict(padded))["sentence_embedding"]
                    embeddings[[first + index for index in batch]] = found.float().cpu().numpy()
                    bar.advance(task, len(batch))
    finally:
        model.train(was_training)
    return embeddings
