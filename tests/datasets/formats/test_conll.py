"""CoNLL/IOB files: every scheme gives the same mentions, counted by seqeval too; broken ones are one message."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st
from seqeval.metrics.sequence_labeling import get_entities

from bioft.datasets.formats import conll
from bioft.errors import BioftError

Span = tuple[str, int, int]
WORDS = st.sampled_from(["aspirin", "of", "ß-blocker", "(", "NF-κB", '"', "5%", "B-cell", "O"])
SCHEMES = ("IOB1", "IOB2", "IOBES")


@st.composite
def sentences(draw: st.DrawFn) -> tuple[list[str], list[Span]]:
    """Words, and mentions (type, first word, one after the last) that do not overlap."""
    words = draw(st.lists(WORDS, min_size=1, max_size=12))
    spans, place = [], 0
    while place < len(words):
        place += draw(st.integers(0, 3))
        end = min(len(words), place + draw(st.integers(1, 3)))
        if place < end:
            spans.append((draw(st.sampled_from(["Disease", "Cell_line", "A-B"])), place, end))
        place = end
    return words, spans


def tags(n: int, spans: list[Span], scheme: str) -> list[str]:
    """The tags of a sentence, written independently of the reader."""
    found = ["O"] * n
    last: tuple[str, int] | None = None
    for kind, start, end in spans:
        letters = ["B"] + ["I"] * (end - start - 1)
        if scheme == "IOB1" and last != (kind, start):
            letters[0] = "I"
        if scheme == "IOBES":
            letters = ["S"] if end - start == 1 else [*letters[:-1], "E"]
        found[start:end] = [f"{letter}-{kind}" for letter in letters]
        last = (kind, end)
    return found


def write(path: Path, found: list[tuple[list[str], list[Span]]], scheme: str, separator: str = "\t") -> Path:
    lines = []
    for words, spans in found:
        lines += [separator.join(pair) for pair in zip(words, tags(len(words), spans, scheme), strict=True)] + [""]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@settings(max_examples=60, derandomize=True)
@given(st.lists(sentences(), min_size=1, max_size=4), st.sampled_from(SCHEMES), st.sampled_from("\t "))
def test_every_scheme_gives_the_mentions_that_were_written(
    tmp_path_factory: pytest.TempPathFactory, found: list[tuple[list[str], list[Span]]], scheme: str, separator: str
) -> None:
    path = write(tmp_path_factory.mktemp("conll") / "own.txt", found, scheme, separator)
    documents = list(conll.read(path, "own"))
    assert [each.text for each in documents] == [" ".join(words) for words, _ in found]
    for document, (words, spans) in zip(documents, found, strict=True):
        expected = [(kind, " ".join(words[start:end])) for kind, start, end in spans]
        assert [(each.type, each.text) for each in document.mentions] == expected
        assert all(document.text[each.start : each.end] == each.text for each in document.mentions)
        of_seqeval = get_entities(tags(len(words), spans, "IOB2"))
        assert [(kind, start, end + 1) for kind, start, end in of_seqeval] == spans


def test_documents_begin_at_docstart_or_a_line_with_their_id(tmp_path: Path) -> None:
    path = tmp_path / "own.conll"
    path.write_text(
        "-DOCSTART- -X- O O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\nBonn NNP B-NP I-LOC\n\n"
        "-DOCSTART- (7) O\n\nParis NNP B-NP B-LOC\n"
    )
    counted: Counter[str] = Counter()
    first, second = conll.read(path, "own", counted=counted)
    assert (first.document_id, first.text) == ("own-1", "EU rejects\nBonn")
    assert [(each.text, each.start, each.type) for each in first.mentions] == [("EU", 0, "ORG"), ("Bonn", 11, "LOC")]
    assert second.document_id == "7"
    assert counted["sentences"] == 3 and counted["tokens"] == 4
    assert counted[conll.BROKEN] == 1  # Bonn is I after nothing
    path.write_text("# doc_id = PMC1\na O\n\n# text = b\nb B-X\n\n# doc_id = PMC2\nc O\n")
    assert [(each.document_id, each.text) for each in conll.read(path, "own")] == [("PMC1", "a\nb"), ("PMC2", "c")]


def test_an_inside_after_another_type_or_after_an_end_begins_a_mention(tmp_path: Path) -> None:
    path = tmp_path / "own.conll"
    path.write_text("a B-X\nb I-Y\nc E-Y\nd I-Y\ne S-X\nf S-X\ng B-X\nh B-X\n")
    (document,) = conll.read(path, "own")
    assert [each.text for each in document.mentions] == ["a", "b c", "d", "e", "f", "g", "h"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("aspirin\tB-Drug\nlonely\n", "line 2: 'lonely' is no token with a tag"),
        ("aspirin\tB-Drug\nis\tQ-Drug\n", "line 2: 'Q-Drug' is no tag"),
        ("aspirin\tB\nis\tO\n", "the tag B names no type. Say which with --types"),
    ],
)
def test_what_is_wrong_is_one_message_with_its_line(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "own.conll"
    path.write_text(content)
    with pytest.raises(BioftError, match=said):
        list(conll.read(path, "own"))


def test_a_broken_sentence_is_left_out_and_told(tmp_path: Path) -> None:
    path = tmp_path / "own.conll"
    path.write_text("a B-X\n\nb\n\nc O\n")
    skipped: list[str] = []
    assert [each.text for each in conll.read(path, "own", skipped=skipped)] == ["a", "c"]
    assert len(skipped) == 1 and "line 3" in skipped[0]


def test_tags_without_a_type_get_the_one_that_is_named(tmp_path: Path) -> None:
    path = tmp_path / "own.tsv"
    path.write_text("APC\tB\ngene\tI\nis\tO\n")
    (document,) = conll.read(path, "own", only_type="Gene")
    assert [(each.text, each.type) for each in document.mentions] == [("APC gene", "Gene")]
