"""Texts packed into blocks of tokens for an encoder: nothing is cut off, and next to nothing is padding.

A text longer than a block is cut between words into pieces; TRL puts pieces together by best fit (Ding et al., "Fewer
truncations improve language modeling", ICML 2024). Both are kept in bioft's cache.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import pyarrow.compute as pc  # type: ignore[import-untyped]
from datasets import Dataset, Features, List, Value
from trl import pack_dataset

from bioft.errors import BioftError
from bioft.storage.datasets import fingerprint
from bioft.storage.files import cache_directory, disk_errors
from bioft.tasks.entities.windows import special_tokens

PIECES_TOGETHER = 10_000
"""Pieces that are put into blocks at once: more fit together better, and need more memory."""
FEATURES = Features({"input_ids": List(Value("int32")), "word_starts": List(Value("bool"))})


def pack_texts(texts: Dataset, tokenizer: Any, block_length: int) -> Dataset:
    """The texts (column `text`) as blocks of at most `block_length` tokens, special ones counted, on disk.

    Columns: `input_ids`; `word_starts`, which of them begin a word; `lengths`, how many tokens each piece in the block
    has; `length`, how many all have. BioftError: a block with no room for a word, or a full disk.
    """
    if block_length < 8:
        raise BioftError(f"block_length is {block_length}; a block needs 8 tokens or more.")

    def cut(rows: dict[str, list[str]]) -> dict[str, list[Any]]:
        found = pieces(rows["text"], tokenizer, block_length)
        return {"input_ids": [ids for _, ids, _ in found], "word_starts": [starts for *_, starts in found]}

    # How a tokenizer pads and truncates is set anew at each call.
    described = json.loads(tokenizer.backend_tokenizer.to_str()) | {"padding": None, "truncation": None}
    known = [fingerprint(texts), described, block_length, PIECES_TOGETHER]
    key = hashlib.sha256(json.dumps(known).encode()).hexdigest()[:24]
    folder = cache_directory() / "packed" / key
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        options = {"load_from_cache_file": True, "desc": "Packing"}
        found = texts.map(
            cut,
            batched=True,
            remove_columns=texts.column_names,
            features=FEATURES,
            cache_file_name=str(folder / "pieces.arrow"),
            new_fingerprint=f"{key}-pieces",
            **options,
        )
        options |= {"cache_file_name": str(folder / "blocks.arrow"), "new_fingerprint": f"{key}-blocks"}
        blocks = pack_dataset(found, block_length, "bfd", {"batch_size": PIECES_TOGETHER, **options})
    blocks = blocks.rename_column("seq_lengths", "lengths")
    return blocks.add_column("length", pc.list_value_length(blocks.data["input_ids"]).to_numpy())


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


def padding_share(blocks: Dataset, block_length: int) -> float:
    """The share of the tokens of packed blocks that is padding, when each is filled up to `block_length`."""
    return 1 - sum(blocks["length"]) / (len(blocks) * block_length)
