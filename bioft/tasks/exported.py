"""What a task's `export` module gives of a finished run, for `bioft merge` and `bioft export`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

EXAMPLES = 100
MAX_TOKENS = 128
"""Tokens of an example that are read to compare a merged model."""

Outputs = list[np.ndarray]


@dataclass(frozen=True)
class ForMerge:
    """Adapter and base; `tokens` reads rows of a split, `save` writes the merged model to a folder."""

    model: Any
    tokens: Callable[[Any], list[list[int]]]
    save: Callable[[Any, Path], None]

    @classmethod
    def of_encoder(cls, model: Any, tokenizer: Any) -> "ForMerge":
        """A model that reads texts, which are the column `text`."""
        return cls(model, lambda rows: first_tokens(tokenizer, rows["text"][:]), saver(tokenizer))


@dataclass(frozen=True)
class ForOnnx:
    """A run's model with what it reads and what it decides.

    `inputs` are vocabulary ids of test examples; `pool` makes what is compared (logits or an embedding) of the output
    for one of them, `predictions` what the run would answer from all. `usage` says so in the card.
    """

    model: Any
    tokenizer: Any
    inputs: list[list[int]]
    predictions: Callable[[Outputs], np.ndarray]
    usage: str
    pool: Callable[[np.ndarray], np.ndarray] = np.asarray


def first_tokens(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    """The vocabulary ids of each text, of its beginning where it is long."""
    return tokenizer(texts, truncation=True, max_length=min(MAX_TOKENS, tokenizer.model_max_length))["input_ids"]


def saver(tokenizer: Any) -> Callable[[Any, Path], None]:
    """What writes a model of Transformers and its tokenizer to a folder."""

    def save(whole: Any, folder: Path) -> None:
        whole.save_pretrained(folder)
        tokenizer.save_pretrained(folder)

    return save


def evenly(n: int) -> list[int]:
    """Up to 100 of n indices, at equal distances."""
    return np.unique(np.linspace(0, n - 1, EXAMPLES).round().astype(int)).tolist()[:n]
