"""Long documents in overlapping windows that a model reads."""

import logging
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np

from bioft.errors import BioftError
from bioft.tasks.entities.tagging import IGNORED, Tokens, align

if TYPE_CHECKING:
    from datasets import Dataset

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Window:
    """The tokens `start:end` of a document; of them it decides on `own_start:own_end`, where its context is best."""

    document: int
    start: int
    end: int
    own_start: int
    own_end: int


def split_into_windows(lengths: Sequence[int], size: int, overlap: int) -> list[Window]:
    """Cover each document with as few windows of up to `size` tokens as overlap by `overlap` tokens.

    A token belongs to the window in which it is farthest from an edge inside the document. A document that fits into
    one window has one, an empty document none.
    """
    windows: list[Window] = []
    for document, length in enumerate(lengths):
        if not length:
            continue
        number = max(1, math.ceil((length - overlap) / (size - overlap)))
        # All of one document are equally long: full ones and a rest would read some tokens twice for nothing.
        shared = (number - 1) * overlap
        starts = [index * (length + shared) // number - index * overlap for index in range(number)]
        ends = [*(start + overlap for start in starts[1:]), length]
        borders = [0, *(start + overlap // 2 for start in starts[1:]), length]
        windows += map(Window, repeat(document), starts, ends, borders, borders[1:])
    return windows


def window_inputs(tokenizer: Any, documents: Sequence[Tokens], windows: Sequence[Window]) -> list[list[int]]:
    """The vocabulary ids of each window, with the special tokens that the model expects at its ends."""
    before, after = special_tokens(tokenizer)
    return [[*before, *documents[w.document].ids[w.start : w.end], *after] for w in windows]


def window_labels(tokenizer: Any, tags: Sequence[np.ndarray], windows: Sequence[Window]) -> list[list[int]]:
    """The labels of each window's tokens: those that another window decides on, and special ones, are `IGNORED`."""
    before, after = special_tokens(tokenizer)
    rows = []
    for w in windows:
        row = np.full(len(before) + w.end - w.start + len(after), IGNORED)
        shift = len(before) - w.start
        row[w.own_start + shift : w.own_end + shift] = tags[w.document][w.own_start : w.own_end]
        rows.append(row.tolist())
    return rows


def window_dataset(
    tokenizer: Any, documents: "Dataset", labels: Sequence[str], size: int, overlap: int
) -> tuple["Dataset", int]:
    """The windows of annotated documents as a trainer takes them, and how many documents were cut (see `align`).

    Columns: `input_ids`, `attention_mask`, `labels` and `length`. `labels` are in the order of the model, `size` and
    `overlap` counted in tokens of text.
    """
    from datasets import Dataset

    from bioft.metrics import entity_f1

    tokens, tags, cut = align(tokenizer, list(documents["text"]), entity_f1.spans(documents), labels)
    windows = split_into_windows([len(found.ids) for found in tokens], size, overlap)
    inputs = window_inputs(tokenizer, tokens, windows)
    columns = {
        "input_ids": inputs,
        "attention_mask": [[1] * len(ids) for ids in inputs],
        "labels": window_labels(tokenizer, tags, windows),
        "length": [len(ids) for ids in inputs],
    }
    return Dataset.from_dict(columns), cut


def merge(
    windows: Sequence[Window], scores: Sequence[np.ndarray], lengths: Sequence[int], n_labels: int
) -> list[np.ndarray]:
    """Put the scores of windows together to those of whole documents, for each an array of shape (tokens, labels).

    The windows come in any order; `scores` are of their tokens without the special ones.
    """
    merged = [np.zeros((length, n_labels), dtype=np.float32) for length in lengths]
    for w, values in zip(windows, scores, strict=True):
        merged[w.document][w.own_start : w.own_end] = values[w.own_start - w.start : w.own_end - w.start]
    return merged


def longest_input(tokenizer: Any, model: Any) -> int:
    """How many tokens, special ones counted, a model reads at once; very many where it knows no limit."""
    limit = min(tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", None) or sys.maxsize)
    if "roberta" in model.config.model_type:
        limit = min(limit, model.config.max_position_embeddings - 2)  # positions are counted from 2 there
    return limit


def input_length(tokenizer: Any, model: Any, wanted: int, name: str) -> int:
    """How many tokens of a text are read: those that are wanted or, which is said, what the model reads at most."""
    if (longest := longest_input(tokenizer, model)) < wanted:
        logger.warning("%s reads %d tokens of a text at most, not %d.", name, longest, wanted)
    return min(longest, wanted)


def window_size(tokenizer: Any, model: Any, window_length: int, window_overlap: int) -> int:
    """How many tokens of text a window holds; BioftError: too long for the model, or no longer than its overlap."""
    size = window_length - sum(map(len, special_tokens(tokenizer)))
    limit = longest_input(tokenizer, model)
    if window_length > limit:
        raise BioftError(f"window_length is {window_length}; this model reads at most {limit} tokens at once.")
    if not 0 <= window_overlap < size:
        raise BioftError(
            f"window_overlap is {window_overlap}; it must be 0 or more, and less than the {size} tokens of text that "
            f"a window of {window_length} holds."
        )
    return size


def special_tokens(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The ids of the special tokens that stand before and after a single text."""
    encoded = tokenizer("a", return_special_tokens_mask=True)
    ids, special = encoded["input_ids"], encoded["special_tokens_mask"]
    return ids[: special.index(0)], ids[len(ids) - special[::-1].index(0) :]
