"""A text encoder, as `bioft merge` and `bioft export` take it."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from bioft.tasks.exported import ForMerge, ForOnnx, Outputs, first_tokens
from bioft.tasks.retrieval import encoder as contrastive


def for_merge(directory: Path, record: dict[str, Any], dtype: Any) -> ForMerge:
    """The adapter on its base; what is saved is a `SentenceTransformer`."""
    model, _ = contrastive.load_run(directory, torch.float32)

    def save(whole: Any, folder: Path) -> None:
        model[0].model = whole
        model.save(str(folder), create_model_card=False)

    return ForMerge(model[0].model, lambda rows: first_tokens(model.tokenizer, texts_of(rows)), save)


def for_onnx(directory: Path, record: dict[str, Any], rows: Any) -> ForOnnx:
    """The encoder with some texts; a prediction is which other text is nearest to one."""
    model, _ = contrastive.load_run(directory, torch.float32)
    length = model.max_seq_length

    def nearest(outputs: Outputs) -> np.ndarray:
        """The index of each text's nearest other one."""
        unit = np.stack([values / np.linalg.norm(values) for values in outputs])
        cosines = unit @ unit.T
        np.fill_diagonal(cosines, -np.inf)
        return cosines.argmax(axis=1)

    return ForOnnx(
        model[0].model,
        model.tokenizer,
        model.tokenizer(list(dict.fromkeys(texts_of(rows))), truncation=True, max_length=length)["input_ids"],
        nearest,
        f"It reads texts of at most {length} tokens. `last_hidden_state` has the shape (texts, tokens, dimensions); "
        "its mean over the tokens of a text, without padding, is the embedding. A prediction, in the comparison "
        "below, is which other example is nearest to an example.",
        pool=lambda values: values.mean(axis=0),
    )


def texts_of(rows: Any) -> list[str]:
    """The first text of each row of pairs; of names, the names."""
    column = next(name for name in ("anchor", "sentence1", "text", "name") if name in rows.features)
    return rows[column][:]
