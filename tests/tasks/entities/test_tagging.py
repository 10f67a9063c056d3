"""Spans become tags and come back unchanged with every kind of tokenizer; windows lose and change nothing."""

from functools import cache
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st
from transformers import AutoTokenizer

from bioft.errors import BioftError
from bioft.models import base as models
from bioft.tasks.entities import tagging, windows as entities_windows
from tests.tiny import ENCODERS, encoder_tokenizer

LABELS = tagging.bio_labels(["Disease", "Chemical"])
# What tokenizers drop, split, merge or rewrite: white space, accents, ligatures, emoji, marks of their own, no-width.
CHARACTERS = st.sampled_from(
    "abcNaCl12 -.,()#[]\t\n"
    "\u00a0\u2009\u200b\u00e9e\u0301\u0308\ufb01\u00bd\u00b5\u03b2\u4e2d\U0001f9ec\u2581\u0120\x00\ufeff"
) | st.characters(codec="utf-8")
WORDS = st.sampled_from(
    ["clonidine", "N-acetylcysteine", " ", "  ", "TNF-alpha", "QT", "[UNK]", "<s>", "naïve", "x" * 120]
)


@cache
def tokenizer_of(kind: str) -> Any:
    if kind == "minilm":
        return AutoTokenizer.from_pretrained(models.resolve_base_model("embedded:all-minilm-l6-v2").path)
    return encoder_tokenizer(kind)


@st.composite
def texts_with_spans(draw: st.DrawFn) -> tuple[str, list[tagging.Span]]:
    text = "".join(draw(st.lists(WORDS | CHARACTERS, max_size=30)))
    ends = sorted(draw(st.sets(st.integers(0, len(text)), max_size=12)))
    # Neighbouring ends make a span or a gap; spans may touch each other.
    spans = [
        (start, end, draw(st.sampled_from(["Chemical", "Disease"])))
        for start, end in pairwise(ends)
        if draw(st.booleans())
    ]
    return text, spans


@pytest.mark.parametrize("kind", [*ENCODERS, "minilm"])
@settings(max_examples=300, deadline=None)
@given(drawn=texts_with_spans())
@example(drawn=("NaCl", [(0, 2, "Chemical"), (2, 4, "Chemical")]))
@example(drawn=("a\u200bb", [(1, 2, "Disease")]))
@example(drawn=(" pain  and ", [(0, 6, "Disease"), (6, 7, "Disease")]))
def test_spans_survive_tags(kind: str, drawn: tuple[str, list[tagging.Span]]) -> None:
    """Any text, any spans that do not overlap: also within a word, touching each other, of white space alone."""
    text, spans = drawn
    tokenizer = tokenizer_of(kind)
    (tokens,), (tags,), cut = tagging.align(tokenizer, [text], [spans], LABELS)
    assert tagging.to_spans(tokens, tags, LABELS) == spans
    if not cut:
        assert tokens.ids == tokenizer(text, add_special_tokens=False)["input_ids"], "the model's own tokens"


@pytest.mark.parametrize("kind", [*ENCODERS, "minilm"])
def test_ordinary_spans_need_no_cut(kind: str) -> None:
    """Names that begin and end with words are tagged on the tokens that prediction will see."""
    text = "Lithium-induced nephropathy, and severe proteinuria after clonidine (25%)."
    names = {"Lithium": "Chemical", "nephropathy": "Disease", "severe proteinuria": "Disease", "clonidine": "Chemical"}
    spans = [(text.index(name), text.index(name) + len(name), kind_) for name, kind_ in names.items()]
    (tokens,), (tags,), cut = tagging.align(tokenizer_of(kind), [text], [spans], LABELS)
    assert cut == 0
    assert tagging.to_spans(tokens, tags, LABELS) == spans
    marked = [text[start:end] for start, end in tokens.words[tags == LABELS.index("B-Disease")]]
    assert marked == ["nephropathy", "severe"]


@pytest.mark.parametrize(
    ("spans", "message"),
    [
        ([(0, 4, "Chemical"), (2, 6, "Disease")], r"'abcd' \(0–4\) and 'cdef' \(2–6\) overlap"),
        ([(0, 6, "Chemical"), (1, 3, "Chemical")], "overlap"),
        ([(3, 3, "Chemical")], "from 3 to 3"),
        ([(5, 9, "Chemical")], "Text 2 of 2: .*in its 8 characters"),
        ([(0, 2, "Gene")], "'ab' is of type Gene, which is not in O, B-Chemical"),
    ],
)
def test_what_tags_cannot_say_is_refused(spans: list[tagging.Span], message: str) -> None:
    with pytest.raises(BioftError, match=message):
        tagging.align(tokenizer_of("bert"), ["fine", "abcdefgh"], [[], spans], LABELS)


@given(st.lists(st.integers(0, 300), max_size=5), st.integers(2, 60), st.data())
def test_windows_cover_every_token_once(lengths: list[int], size: int, data: st.DataObject) -> None:
    """Each token is decided on in one window, with at least half the overlap as context where there is more text."""
    overlap = data.draw(st.integers(0, size - 1))
    windows = entities_windows.split_into_windows(lengths, size, overlap)
    for document, length in enumerate(lengths):
        own = [w for w in windows if w.document == document]
        assert [place for w in own for place in range(w.own_start, w.own_end)] == list(range(length))
        sizes = [w.end - w.start for w in own]
        assert not sizes or max(sizes) - min(sizes) <= 1, "no window reads again what another has read"
        assert len(own) == max(length > 0, -(-(length - overlap) // (size - overlap)))
        for w in own:
            assert w.start <= w.own_start and w.own_end <= w.end and w.end - w.start <= size
            assert w.start == 0 or w.own_start - w.start >= overlap // 2
            assert w.end == length or w.end - w.own_end >= overlap // 2


@given(st.lists(st.integers(0, 40), min_size=1, max_size=4), st.integers(2, 15), st.data())
def test_merging_windows_restores_the_document(lengths: list[int], size: int, data: st.DataObject) -> None:
    """Where a model gives a token the same scores in every window, the merge is what no window would give."""
    overlap = data.draw(st.integers(0, size - 1))
    windows = entities_windows.split_into_windows(lengths, size, overlap)
    whole = [np.random.default_rng(length).normal(size=(length, 3)).astype(np.float32) for length in lengths]
    parts = [whole[w.document][w.start : w.end] for w in windows]
    order = data.draw(st.permutations(range(len(windows))))
    merged = entities_windows.merge([windows[i] for i in order], [parts[i] for i in order], lengths, 3)
    for expected, found in zip(whole, merged, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_short_text_has_one_window_that_is_the_models_own_input() -> None:
    tokenizer = tokenizer_of("bert")
    texts = ["Naloxone reverses clonidine.", ""]
    documents = tagging.tokenize(tokenizer, texts)
    windows = entities_windows.split_into_windows([len(tokens.ids) for tokens in documents], 100, 20)
    assert entities_windows.window_inputs(tokenizer, documents, windows) == [tokenizer(texts[0])["input_ids"]]


@pytest.mark.parametrize("kind", ENCODERS)
def test_labels_stand_on_their_tokens(kind: str) -> None:
    """Special tokens, and the tokens that another window decides on, carry no loss; every tag carries it once."""
    tokenizer = tokenizer_of(kind)
    text = "clonidine and lithium in rats " * 20
    spans = [(start, start + 9, "Chemical") for start in range(0, len(text), 30)]
    documents, tags, _ = tagging.align(tokenizer, [text], [spans], LABELS)
    windows = entities_windows.split_into_windows([len(documents[0].ids)], 40, 10)
    inputs = entities_windows.window_inputs(tokenizer, documents, windows)
    labels = entities_windows.window_labels(tokenizer, tags, windows)
    assert len(windows) > 2
    found = []
    for ids, row in zip(inputs, labels, strict=True):
        assert len(ids) == len(row) and row[0] == row[-1] == tagging.IGNORED
        found += [(token, label) for token, label in zip(ids, row, strict=True) if label != tagging.IGNORED]
    tagged = documents[0].tagged
    assert tagged.sum() == len(text.split())
    assert found == list(zip(np.array(documents[0].ids)[tagged], tags[0][tagged], strict=True))


def words(n: int) -> tagging.Tokens:
    """Words of one letter, each one token."""
    places = np.array([(2 * i, 2 * i + 1) for i in range(n)])
    return tagging.Tokens(" ".join("abcdefgh"[:n]), list(range(n)), places, places)


def best_valid(values: np.ndarray) -> tuple[int, ...]:
    """The best valid sequence, by trying all of them."""

    def valid(path: tuple[int, ...]) -> bool:
        pairs = zip([0, *path], path, strict=False)
        return all(tagging._may_follow(LABELS[before], LABELS[after]) for before, after in pairs)

    paths = [path for path in product(range(len(LABELS)), repeat=len(values)) if valid(path)]
    return max(paths, key=lambda path: sum(values[place, label] for place, label in enumerate(path)))


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_decoding_finds_the_best_valid_tags(lengths: list[int], seed: int) -> None:
    generator = np.random.default_rng(seed)
    scores = [generator.normal(size=(length, len(LABELS))).astype(np.float32) for length in lengths]
    documents = [words(n) for n in lengths]
    found = tagging.most_probable(documents, scores, LABELS)
    for tokens, values, entities in zip(documents, scores, found, strict=True):
        path = best_valid(values)
        assert [entity.span for entity in entities] == tagging.to_spans(tokens, np.array(path), LABELS)
        assert all(0 < entity.score <= 1 for entity in entities)


def test_the_score_of_an_entity_is_the_mean_probability_of_its_tags() -> None:
    probabilities = np.array([[0.9, 0.1, 0, 0, 0], [0.2, 0.8, 0, 0, 0], [0.4, 0, 0.6, 0, 0]]) + 1e-9
    (entity,) = tagging.decode([words(3)], [np.log(probabilities)], LABELS)[0]
    assert entity.span == (2, 5, "Chemical")
    assert entity.score == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("N-acetylcysteine (NAC) .5", ["N", "-", "acetylcysteine", "(", "NAC", ")", ".", "5"]),
        ("cafe\u0301s \ufb01ne 5\u00b5g", ["cafe\u0301s", "\ufb01ne", "5\u00b5g"]),
        ("\u4e2d\u6587ab", ["\u4e2d", "\u6587", "ab"]),
        (" \t ", []),
    ],
)
@pytest.mark.parametrize("kind", ["bert", "roberta", "minilm"])
def test_words_are_the_same_whatever_the_tokens(kind: str, text: str, expected: list[str]) -> None:
    (tokens,) = tagging.tokenize(tokenizer_of(kind), [text])
    assert [text[start:end] for start, end in tokens.words[tokens.tagged]] == expected


@pytest.mark.parametrize("kind", [*ENCODERS, "minilm"])
@settings(max_examples=100, deadline=None)
@given(drawn=texts_with_spans())
def test_no_word_is_parted(kind: str, drawn: tuple[str, list[tagging.Span]]) -> None:
    """Words lie apart, hold every character of a token, and no border of theirs has letters on both sides."""
    text, _ = drawn
    (tokens,) = tagging.tokenize(tokenizer_of(kind), [text])
    found = tokens.words[tokens.tagged].tolist()
    assert all(first[1] <= second[0] for first, second in pairwise(found))
    held = {place for start, end in found for place in range(start, end)}
    assert held >= {place for start, end in tokens.offsets for place in range(start, end)}
    for (_, end), (start, _) in pairwise(found):
        border = text[end - 1] + text[start]
        assert end < start or not (border.isascii() and border.isalnum())


def found_at(text: str, *places: tuple[int, str, str]) -> list[tagging.Entity]:
    return [tagging.Entity(place, place + len(name), kind, 0.5) for place, name, kind in places]


def test_one_sense_per_discourse_is_a_majority() -> None:
    text = "PD and PD, or PDs; MS, MS. MS failure"
    twice = found_at(text, (0, "PD", "Disease"), (19, "MS", "Disease"))
    # PD was found in one of two places (PDs is another word), MS in one of three.
    assert tagging.one_sense_per_discourse(text, twice) == []
    more = found_at(text, (0, "PD", "Disease"), (7, "PD", "Chemical"), (19, "MS", "Disease"), (23, "MS", "Disease"))
    kept = tagging.one_sense_per_discourse(text, more)
    assert [e.start for e in kept] == [0, 7, 19, 23, 27] and {e.type for e in kept} == {"Disease"}
    # What stands in a longer name is no place of its own.
    longer = [*more, *found_at(text, (27, "MS failure", "Disease"))]
    assert [e.start for e in tagging.one_sense_per_discourse(text, longer)] == [0, 7, 19, 23, 27]
    assert tagging.one_sense_per_discourse(text, longer)[-1].end == len(text)


@given(texts_with_spans())
@settings(max_examples=200, deadline=None)
def test_one_sense_per_discourse_keeps_what_there_is_to_keep(drawn: tuple[str, list[tagging.Span]]) -> None:
    """No overlaps, one type for each name, only names that were found, and names with one place stay."""
    text, spans = drawn
    entities = [tagging.Entity(*span, 0.5) for span in spans]
    kept = tagging.one_sense_per_discourse(text, entities)
    assert all(first.end <= second.start for first, second in pairwise(kept))
    types: dict[str, set[str]] = {}
    for entity in kept:
        types.setdefault(text[entity.start : entity.end], set()).add(entity.type)
    assert all(len(kinds) == 1 for kinds in types.values())
    assert types.keys() <= {text[start:end] for start, end, _ in spans}
    for start, end, kind in spans:
        if text.count(text[start:end]) == 1:
            assert (start, end, kind) in {entity.span for entity in kept}


def test_a_very_long_document_is_tagged_whole() -> None:
    """200,000 characters, far beyond what a model reads at once."""
    tokenizer = tokenizer_of("minilm")
    sentence = "Two patients had nephropathy after lithium. "
    text = sentence * (200_000 // len(sentence))
    spans = [
        (start + sentence.index(name), start + sentence.index(name) + len(name), kind)
        for start in range(0, len(text), len(sentence))
        for name, kind in (("nephropathy", "Disease"), ("lithium", "Chemical"))
    ]
    documents, tags, cut = tagging.align(tokenizer, [text], [spans], LABELS)
    lengths = [len(documents[0].ids)]
    windows = entities_windows.split_into_windows(lengths, 510, 64)
    scores = [np.eye(len(LABELS))[np.maximum(tags[0][w.start : w.end], 0)] * 9 for w in windows]
    merged = entities_windows.merge(windows, scores, lengths, len(LABELS))
    assert [entity.span for entity in tagging.decode(documents, merged, LABELS)[0]] == spans
    assert cut == 0 and len(windows) > 80


def test_real_mentions_survive(shared_data) -> None:
    """The mentions of BC5CDR come back from MiniLM's tokens; in three documents one begins or ends amid a word."""
    from bioft.datasets.load import load_documents

    dataset, _ = load_documents("bc5cdr", dataset_path=str(shared_data / "bc5cdr"))
    rows = list(dataset["test"])
    spans = [[(e["start"], e["end"], e["type"]) for e in row["entities"]] for row in rows]
    documents, tags, cut = tagging.align(tokenizer_of("minilm"), [row["text"] for row in rows], spans, LABELS)
    found = [tagging.to_spans(tokens, found, LABELS) for tokens, found in zip(documents, tags, strict=True)]
    assert found == [sorted(wanted) for wanted in spans]
    assert cut == 3 and sum(map(len, found)) == 9809
