"""Texts packed into blocks of tokens for an encoder: nothing is cut off, and next to nothing is padding.

A text longer than a block is cut between words into pieces; pieces are put together by best fit (Ding et al., "Fewer
truncations improve language modeling", ICML 2024). Blocks are written to bioft's cache in parts, which a killed run
finds again; one part is held in memory at a time.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
from datasets import Dataset, concatenate_datasets
from rich.progress import track

from bioft.datasets.texts.corpus import write_arrow
from bioft.errors import BioftError
from bioft.storage.cache import cache_directory
from bioft.storage.datasets import fingerprint
from bioft.tasks.entities.windows import special_tokens

TEXTS_PER_PART = 2000
"""More texts in a part fit together better, and need more memory."""
SCHEMA = pa.schema(
    [
        ("input_ids", pa.list_(pa.int32())),
        ("lengths", pa.list_(pa.int32())),
        ("word_starts", pa.list_(pa.bool_())),
        ("length", pa.int32()),
    ]
)
"""A block: its tokens, the number of tokens of each piece in it, which tokens begin a word, and their number."""


def pack_texts(texts: Dataset, tokenizer: Any, block_length: int, progress: str = "Packing") -> Dataset:
    """The texts as blocks (columns of `SCHEMA`) of at most `block_length` tokens, on disk.

    Args:
        texts: with the column `text`.
        tokenizer: a fast tokenizer.
        block_length: tokens of a block, special ones counted.
        progress: words of the progress bar.

    Raises:
        BioftError: a block length that leaves no room for a word, or a full disk.
    """
    if block_length < 8:
        raise BioftError(f"block_length is {block_length}; a block needs 8 tokens or more.")
    known = [fingerprint(texts), _tokenizer_sha256(tokenizer), block_length, TEXTS_PER_PART, SCHEMA.to_string()]
    folder = cache_directory() / "packed" / hashlib.sha256(json.dumps(known).encode()).hexdigest()[:24]
    folder.mkdir(parents=True, exist_ok=True)
    parts = []
    for start in track(range(0, len(texts), TEXTS_PER_PART), progress, transient=True):
        path = folder / f"{start // TEXTS_PER_PART:05d}.arrow"
        if not path.is_file():
            chosen = texts[start : start + TEXTS_PER_PART]["text"]
            write_arrow(path, SCHEMA, _blocks(chosen, tokenizer, block_length))
        parts.append(Dataset.from_file(str(path)))
    return concatenate_datasets(parts)


def pieces(texts: Sequence[str], tokenizer: Any, max_length: int) -> list[tuple[int, list[int], list[bool]]]:
    """Cut texts into pieces of at most `max_length` tokens, special ones at both ends counted, between words.

    Returns for each piece the number of its text, its token ids and which of them begin a word. A single word that is
    longer than a piece is cut. A text of no token has no piece.
    """
    left, right = special_tokens(tokenizer)
    room = max_length - len(left) - len(right)
    found = []
    encoded = tokenizer(list(texts), add_special_tokens=False, return_attention_mask=False, verbose=False)
    for number, ids in enumerate(encoded["input_ids"]):
        words = encoded.word_ids(number)
        starts = [word != before for word, before in zip(words, [None, *words], strict=False)]
        begin = 0
        while begin < len(ids):
            end = min(begin + room, len(ids))
            if end < len(ids):
                # The last place between words; within a word where there is none.
                end = next((place for place in range(end, begin, -1) if starts[place]), end)
            inner = [True, *starts[begin + 1 : end]]
            found.append((number, left + ids[begin:end] + right, [True] * len(left) + inner + [True] * len(right)))
            begin = end
    return found


def best_fit(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Put items together, the longest first, each where the least room remains (best-fit decreasing).

    Returns the numbers of the items in each bin; the lengths of a bin sum to at most `capacity`.
    """
    bins: list[list[int]] = []
    with_room: dict[int, list[int]] = {}  # by room that is left: the bins
    rooms = 0  # bit r is set where a bin has room r
    for item in sorted(range(len(lengths)), key=lambda number: -lengths[number]):
        length = lengths[item]
        if fitting := rooms >> length:
            room = length + (fitting & -fitting).bit_length() - 1
            chosen = with_room[room].pop()
            if not with_room[room]:
                rooms &= ~(1 << room)
        else:
            room, chosen = capacity, len(bins)
            bins.append([])
        bins[chosen].append(item)
        with_room.setdefault(room - length, []).append(chosen)
        rooms |= 1 << (room - length)
    return bins


def padding_share(blocks: Dataset, block_length: int) -> float:
    """The share of the tokens of packed blocks that is padding, when each is filled up to `block_length`."""
    return 1 - sum(blocks["length"]) / (len(blocks) * block_length)


def _blocks(texts: Sequence[str], tokenizer: Any, block_length: int) -> Iterator[pa.RecordBatch]:
    """The blocks of one part of the texts, the fullest first."""
    found = pieces(texts, tokenizer, block_length)
    rows = []
    for members in best_fit([len(ids) for _, ids, _ in found], block_length):
        ids = [token for member in members for token in found[member][1]]
        starts = [start for member in members for start in found[member][2]]
        lengths = [len(found[member][1]) for member in members]
        rows.append({"input_ids": ids, "lengths": lengths, "word_starts": starts, "length": len(ids)})
    yield pa.RecordBatch.from_pylist(rows, schema=SCHEMA)


def _tokenizer_sha256(tokenizer: Any) -> str:
    return hashlib.sha256(tokenizer.backend_tokenizer.to_str().encode()).hexdigest()
