"""Packing: no token is lost or changed, blocks are full, pieces end between words, a killed packing goes on."""

from pathlib import Path

import pytest
from datasets import Dataset
from hypothesis import given, strategies as st

from bioft.datasets.documents import sample
from bioft.errors import BioftError
from bioft.tasks.entities.windows import special_tokens
from bioft.tasks.masked_lm import packing
from tests.tiny import encoder_tokenizer

TOKENIZERS = {name: encoder_tokenizer(name) for name in ("bert", "roberta")}


@given(st.lists(st.integers(1, 40), max_size=200))
def test_best_fit_puts_every_item_in_one_bin_that_holds_it(lengths: list[int]) -> None:
    bins = packing.best_fit(lengths, 40)
    assert sorted(item for members in bins for item in members) == list(range(len(lengths)))
    assert all(sum(lengths[item] for item in members) <= 40 for members in bins)
    # No two bins could be one.
    loads = sorted(sum(lengths[item] for item in members) for members in bins)
    assert len(loads) < 2 or loads[0] + loads[1] > 40


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
    expected = sum(len(ids) for _, ids, _ in packing.pieces(texts["text"], tokenizer, 64))
    assert sum(blocks["length"]) == expected == sum(map(sum, blocks["lengths"]))
    assert all(len(row["input_ids"]) == row["length"] == len(row["word_starts"]) for row in blocks)


def test_a_packing_that_was_killed_keeps_its_finished_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIOFT_CACHE", str(tmp_path))
    monkeypatch.setattr(packing, "TEXTS_PER_PART", 50)
    tokenizer, texts = TOKENIZERS["bert"], texts_of(200)
    made: list[int] = []
    usual = packing._blocks

    def blocks(chosen: list[str], *rest: object) -> object:
        made.append(len(chosen))
        if len(made) == 3:
            raise KeyboardInterrupt
        return usual(chosen, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(packing, "_blocks", blocks)
    with pytest.raises(KeyboardInterrupt):
        packing.pack_texts(texts, tokenizer, 64)
    resumed = packing.pack_texts(texts, tokenizer, 64)
    assert made == [50, 50, 50, 50, 50]  # two before the kill, one cut off, two after it
    monkeypatch.setenv("BIOFT_CACHE", str(tmp_path / "other"))
    assert resumed.to_dict() == packing.pack_texts(texts, tokenizer, 64).to_dict()
    # Another block length or other texts are packed anew.
    assert packing.pack_texts(texts, tokenizer, 32)["length"] != resumed["length"]


def test_a_block_must_have_room() -> None:
    with pytest.raises(BioftError, match="block_length is 4"):
        packing.pack_texts(texts_of(2), TOKENIZERS["bert"], 4)
