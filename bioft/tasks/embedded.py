"""Embeddings of test examples by the base model and by the fine-tuned one, as analyses take them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioft.errors import BioftError
from bioft.tasks.answers import Answers

FEWEST = 20
"""Examples without which nothing is measured."""
BATCH_TOKENS = 2048
Floats = np.ndarray


@dataclass
class Embedded:
    """A sample of test examples: what they are, and by model the embeddings, shape (n, dimensions)."""

    what: str
    labels: np.ndarray
    groups: np.ndarray
    """Examples of the same group are kept in one fold, and drawn together."""
    vectors: dict[str, Floats]
    pairs: np.ndarray | None = None
    """For texts without classes: indices of two texts and whether they belong together (0 or 1), shape (pairs, 3)."""


@dataclass(frozen=True)
class Sampled:
    """A run of which a sample of test examples is to be embedded.

    `splits` are those that it was trained and evaluated on; None where the predictions hold all that is needed.
    """

    directory: Path
    record: dict[str, Any]
    answers: Answers
    table: pd.DataFrame
    """The stored predictions."""
    splits: Any
    sample: int
    rng: np.random.Generator

    def drawn(self) -> np.ndarray:
        """The rows of `answers` in the sample, in ascending order; BioftError if there are too few."""
        n = len(self.answers.ids)
        rows = np.sort(self.rng.choice(n, min(self.sample, n), replace=False))
        if len(rows) < FEWEST:
            raise BioftError(f"There are {len(rows)} examples; at least {FEWEST} are needed.")
        return rows

    def test(self) -> Any:
        """The test split; BioftError where it could not be had."""
        if self.splits is None:
            raise BioftError("The texts are not among the predictions, and the dataset could not be had.")
        return self.splits["test"]


def base_encoder(record: Mapping[str, Any], mlm_run: str | None) -> tuple[Any, Any]:
    """The base model of a run without a head, and its tokenizer."""
    from transformers import AutoModel

    from bioft.models import base as models
    from bioft.tasks.masked_lm import models as masked_models

    adapted = masked_models.load_adapted_encoder(mlm_run) if mlm_run is not None else None
    base = adapted or models.resolve_recorded(record["base_model"])
    model, tokenizer = models.load_encoder(base, AutoModel)
    return model.to(models.local_device()).eval(), tokenizer


def encoder_of(model: Any) -> Any:
    """The encoder below a head, adapters included."""
    whole = model.get_base_model() if hasattr(model, "get_base_model") else model
    return whole.base_model.eval()


def last_states(encoder: Any, tokenizer: Any, inputs: Sequence[list[int]]) -> list[Floats]:
    """The last hidden states of each input, shape (tokens, dimensions), float32."""
    from bioft.models.batches import batches_by_length

    states: list[Floats] = [np.empty(0)] * len(inputs)
    for batch in batches_by_length(list(map(len, inputs)), BATCH_TOKENS):
        rows = {"input_ids": [inputs[index] for index in batch]}
        padded = tokenizer.pad(rows, padding_side="right", return_tensors="pt").to(encoder.device)
        found = encoder(**padded).last_hidden_state.float().cpu().numpy()
        for index, values in zip(batch, found, strict=True):
            states[index] = values[: len(inputs[index])]
    return states
