"""Packing: no token is lost or changed, blocks are full, pieces end between words, a killed packing goes on."""

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from datasets import Dataset
from hypothesis import given, strategies as st

from bioft.datasets.documents import sample
from bioft.errors import BioftError
from bioft.tasks.entities.windows import special_tokens
from bioft.tasks.masked_lm import packing
from tests.tiny import encoder_tokenizer

TOKENIZERS = {name: encoder_tokenizer(name) for name in ("bert", "roberta")}


@pytest.mark.parametrize("name", TOKENIZERS)
@given(st.lists(st.text("abc xyz-éü(5%)\n", max_size=120), min_size=1, max_size=5), st.integers(8, 30))
def test_pieces_hold_every_token_of_a_text_in_order(name: str, texts: list[str], length: int) -> None:
    tokenizer = TOKENIZERS[name]
    left, right = special_tokens(tokenizer)
    joined: dict[int, list[int]] = {number: [] for number in range(len(texts))}
    for number, ids, starts in packing.pieces(texts, tokenizer, length):
        assert len(ids) == len(starts) <= length
        assert (ids[: len(left)], ids[-len(right) :]) == (left, right)
        joined[number] += ids[len(left) : -len(right)]
    assert list(joined.values()) == tokenizer(texts, add_special_tokens=False)["input_ids"]


def test_pieces_are_cut_between_words_and_know_where_words_begin() -> None:
    tokenizer = TOKENIZERS["bert"]
    (_, first, starts), (_, second, _) = packing.pieces(["aa bzqb aa bzqb"], tokenizer, 9)
    words = (
        tokenizer.decode(first, skip_special_tokens=True).split()
        + tokenizer.decode(second, skip_special_tokens=True).split()
    )
    assert words == ["aa", "bzqb", "aa", "bzqb"]
    tokens = tokenizer.convert_ids_to_tokens(first)
    assert starts == [not token.startswith("##") for token in tokens]


def texts_of(count: int) -> Dataset:
    documents = [document["text"] for split in sample.build()[0].values() for document in split]
    texts = [documents[number % len(documents)][: 30 + 37 * number % 900] for number in range(count)]
    return Dataset.from_dict({"id": list(map(str, range(count))), "text": texts})


def test_blocks_hold_all_tokens_and_next_to_no_padding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIOFT_CACHE", str(tmp_path))
    tokenizer, texts = TOKENIZERS["bert"], texts_of(400)
    blocks = packing.pack_texts(texts, tokenizer, 64)
    assert packing.padding_share(blocks, 64) < 0.02
    found = packing.pieces(texts["text"], tokenizer, 64)
    assert sum(blocks["length"]) == sum(len(ids) for _, ids, _ in found) == sum(map(sum, blocks["lengths"]))
    assert all(len(row["input_ids"]) == row["length"] == len(row["word_starts"]) <= 64 for row in blocks)
    packed = []
    for row in blocks:
        ends = np.cumsum(row["lengths"])[:-1]
        its = zip(np.split(row["input_ids"], ends), np.split(row["word_starts"], ends), strict=True)
        packed += [(ids.tolist(), starts.tolist()) for ids, starts in its]
    assert sorted(packed) == sorted((ids, starts) for _, ids, starts in found), "each piece is whole in one block"


def test_the_smallest_blocks_do_not_fit_into_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIOFT_CACHE", str(tmp_path))
    loads = sorted(packing.pack_texts(texts_of(150), TOKENIZERS["bert"], 64)["length"])
    assert loads[0] + loads[1] > 64


def test_a_packing_that_was_killed_keeps_what_was_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed while texts are cut, nothing half-made is taken; killed while pieces are put together, they are kept."""
    monkeypatch.setenv("BIOFT_CACHE", str(tmp_path))
    tokenizer, texts = TOKENIZERS["bert"], texts_of(2200)
    made: list[int] = []
    usual, usual_packing = packing.pieces, packing.pack_dataset

    def pieces(chosen: list[str], *rest: Any) -> Any:
        made.append(len(chosen))
        if len(made) == 2:
            raise KeyboardInterrupt
        return usual(chosen, *rest)

    monkeypatch.setattr(packing, "pieces", pieces)
    with pytest.raises(KeyboardInterrupt):
        packing.pack_texts(texts, tokenizer, 64)
    monkeypatch.setattr(packing, "pack_dataset", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        packing.pack_texts(texts, tokenizer, 64)
    monkeypatch.setattr(packing, "pack_dataset", usual_packing)
    resumed = packing.pack_texts(texts, tokenizer, 64)
    assert made == [1000, 1000, 1000, 1000, 200]  # two before the first kill, all before the second, none after it
    assert resumed.to_dict() == packing.pack_texts(texts, tokenizer, 64).to_dict() and len(made) == 5
    monkeypatch.setenv("BIOFT_CACHE", str(tmp_path / "other"))
    assert resumed.to_dict() == packing.pack_texts(texts, tokenizer, 64).to_dict()
    # Another block length or other texts are packed anew.
    assert packing.pack_texts(texts, tokenizer, 32)["length"] != resumed["length"]


def test_a_block_must_have_room() -> None:
    with pytest.raises(BioftError, match="block_length is 4"):
        packing.pack_texts(texts_of(2), TOKENIZERS["bert"], 4)
