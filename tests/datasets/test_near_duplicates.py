"""Near duplicates: each kind of edit is found, and other abstracts, names and phrases are not."""

import re
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from datasets import Dataset
from hypothesis import given, strategies as st

from bioft.datasets.documents import bc5cdr, sample
from bioft.datasets.near_duplicates import COMMON, LEAST_WORDS, Texts, near_duplicates, near_duplicates_in
from bioft.storage.text_lines import normalise

Edit = Callable[[str, Random, str], str]


def another_word(text: str, rng: Random, other: str) -> str:
    words = text.split()
    words[rng.randrange(len(words))] = "elephant"
    return " ".join(words)


def shuffled(text: str, rng: Random, other: str) -> str:
    sentences = re.split(r"(?<=[.!?])\s+", text)
    rng.shuffle(sentences)
    return " ".join(sentences)


def in_turns(text: str, rng: Random, other: str) -> str:
    """Ten words of each, without an end of a sentence."""
    both = [re.sub(r"[^\w\s]", "", its).split() for its in (text, other)]
    return " ".join(word for start in range(0, 1000, 10) for words in both for word in words[start : start + 10])


EDITS: dict[str, Edit] = {
    "a space without width": lambda text, rng, other: text[:7] + "\u200b" + text[7:],
    "soft hyphens": lambda text, rng, other: re.sub(r"(\w{4})(\w{3})", "\\1\u00ad\\2", text, count=5),
    "Cyrillic letters": lambda text, rng, other: text.replace("a", "а"),
    "accents": lambda text, rng, other: text.replace("e", "é", 4).replace("o", "ö", 3),
    "another word": another_word,
    "other numbers": lambda text, rng, other: re.sub(r"\d+", lambda its: str(rng.randrange(1000)), text),
    "shuffled sentences": shuffled,
    "the end cut off": lambda text, rng, other: text[: len(text) * 6 // 10],
    "the second of two": lambda text, rng, other: f"{other} {text}",
    "the first of two": lambda text, rng, other: f"{text} {other}",
    "Greek letters": lambda text, rng, other: text.replace("o", "ο").replace("v", "ν"),
    "strokes over letters": lambda text, rng, other: re.sub("([aeiou])", "\\1\u20d2", text),
    "mark-up": lambda text, rng, other: re.sub(r"\b(\w{5,})\b", r"<i>\1</i>", text),
    "characters by number": lambda text, rng, other: re.sub("[aeiou]", lambda its: f"&#{ord(its[0])};", text),
    "words parted at ends of lines": lambda text, rng, other: re.sub(r"\b(\w{3})(\w{4,})\b", "\\1-\n\\2", text),
    "in turns with another": in_turns,
}
OF_LONG = ("in turns with another",)
"""Edits that leave no sentence, and of short texts too little."""


@pytest.fixture(scope="module")
def abstracts(shared_data: Path) -> tuple[list[str], list[str], Texts]:
    """Those of training, of test, and those of training to be looked up."""
    splits = bc5cdr.build(path=shared_data / "bc5cdr")[0]
    return splits["train"]["text"][:], splits["test"]["text"][:], Texts(splits["train"]["text"])


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_abstract_is_found(edit: str, abstracts: tuple[list[str], list[str], Texts]) -> None:
    """500 abstracts of BC5CDR: of each kind 95 % at least, and each as near the one that it was made of."""
    train, test, texts = abstracts
    rng = Random(0)
    edited = [EDITS[edit](text, rng, test[row]) for row, text in enumerate(train)]
    found = texts.find(edited)
    assert len(found) >= 0.95 * len(train)
    assert sum(row == of for row, of, _ in found) >= 0.99 * len(found)


def test_other_abstracts_are_none(abstracts: tuple[list[str], list[str], Texts]) -> None:
    _, test, texts = abstracts
    assert len(texts.find(test)) <= 0.005 * len(test)


@pytest.mark.parametrize("edit", [edit for edit in EDITS if edit not in OF_LONG])
def test_an_edited_text_of_the_sample_is_found(edit: str) -> None:
    splits = sample.build()[0]
    train, other = splits["train"]["text"][:], splits["test"]["text"][:]
    rng = Random(0)
    edited = [EDITS[edit](text, rng, other[row % len(other)]) for row, text in enumerate(train)]
    assert len(Texts(train).find(edited)) >= 0.95 * len(train)
    assert not Texts(train).find(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Spinocerebellar ataxia type 1", "Spinocerebellar ataxia type 2"),
        ("slow accrual of patients", "slow recruitment of patients"),
        ("Patients with fever were seen. They recovered.", "Rats were given a drug. They recovered."),
        ("Of all patients with fever they recovered after one year.", "all patients with fever they recovered after"),
        ("all patients with fever they recovered after", "Of all patients with fever they recovered after one year."),
        ("Patients with fever were seen. They recovered after a long year.", "They recovered after a long year."),
        ("They recovered after a long year.", "Patients with fever were seen. They recovered after a long year."),
    ],
)
def test_short_texts_are_near_only_if_they_are_the_same(one: str, other: str) -> None:
    assert not Texts([one]).find([other])
    assert Texts([one]).find([one.upper().replace(" ", "  ")]) == [(0, 0, "folded")]


@pytest.mark.parametrize(("shared", "others"), [("a b c d e f g h", 4), ("They recovered after a long year.", 12)])
def test_texts_that_share_less_than_half_are_not_near(shared: str, others: int) -> None:
    """Though their hashes, or a sentence, make them candidates."""
    one, other = (f"{shared} {' '.join(f'{end}{chr(97 + n)}' for n in range(others))}" for end in "xy")
    assert not Texts([one]).find([other])


def test_what_many_texts_say_makes_none_near() -> None:
    """Though it is most of each of them."""
    phrase = "The study was conducted in accordance with the Declaration of Helsinki."
    texts = [f"{' '.join(each + chr(97 + n) for each in 'abcdefgh')}. {phrase}" for n in range(COMMON + 2)]
    assert not Texts(texts[:-1]).find(texts[-1:])
    assert [why for *_, why in Texts(texts[:-2]).find(texts[-1:])] == ["sentences"]


def test_what_was_found_is_told_with_ids() -> None:
    text = "Hepatitis was seen in 3 of 40 patients who had taken isoniazid for a year."
    train = Dataset.from_dict({"id": ["t1", "t2"], "text": ["Something else altogether.", text]})
    test = Dataset.from_dict({"id": ["a", "b"], "text": [text.replace("40", "41"), "Nothing of the kind."]})
    found = near_duplicates({"train": train, "test": test})
    first = [{"id": "a", "of": "t2", "because": "numbers"}]
    assert found == {"test": {"texts": 2, "among": 2, "near": 1, "first": first}}


def test_texts_of_several_columns_are_looked_up_once() -> None:
    text = "Hepatitis was seen in 3 of 40 patients who had taken isoniazid for a year."
    train = Dataset.from_dict({"one": [text, text], "other": ["Something else.", "Nothing."]})
    test = Dataset.from_dict({"one": ["A word.", "A word."], "other": [text.replace("40", "41")] * 2})
    found = near_duplicates_in({"train": train, "test": test}, "one", "other")["test"]
    assert (found["texts"], found["among"], found["near"], found["first"][0]["of"]) == (2, 3, 1, text[:60])


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=60), min_size=1, max_size=6))
def test_every_text_is_near_itself(texts: list[str]) -> None:
    """Whatever it is made of, and as the first of those that are the same."""
    found = Texts(texts).find(texts)
    assert [row for row, _, _ in found] == list(range(len(texts)))
    assert all(
        normalise(texts[of]).split() == normalise(texts[row]).split() or why != "folded" for row, of, why in found
    )


def test_least_words() -> None:
    text = " ".join(f"word{chr(97 + i)}" for i in range(LEAST_WORDS))
    assert Texts([text]).find([text.replace("wordc", "other")]) == [(0, 0, "words")]
