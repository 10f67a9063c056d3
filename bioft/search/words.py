"""The words of an index, on disk; and those of a query in what was found: the sentence that has most, and where."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import bm25s
from bm25s.stopwords import STOPWORDS_EN_PLUS

from bioft.datasets.rank import bm25_index

FILES = {
    **{f"{part}_name": f"words-{{}}.{part}.npy" for part in ("data", "indices", "indptr")},
    **{f"{part}_name": f"words-{{}}.{part}.json" for part in ("vocab", "params")},
}
"""Of `bm25s`, by its names; an index in which no article has a word has none."""
LONGEST = 300
"""Characters of a sentence that is shown whole."""
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[^\sa-z])")
_WORD = re.compile(r"\w+")
_UNMARKED = frozenset(STOPWORDS_EN_PLUS)


def save(directory: Path, generation: int, texts: Sequence[str]) -> None:
    """Write the words of articles to a folder."""
    if (index := bm25_index(texts)) is not None:
        names = {part: name.format(generation) for part, name in FILES.items()}
        index.save(directory, **names, show_progress=False)


def load(directory: Path, manifest: Mapping[str, Any]) -> Any:
    """The `bm25s.BM25` of an index, mapped into memory; None where no article has a word."""
    names = {part: name.format(manifest["generation"]) for part, name in FILES.items()}
    return bm25s.BM25.load(directory, mmap=True, **names) if names["data_name"] in manifest["files"] else None


def words_of(query: str) -> set[str]:
    """The words of a query that are marked in what was found, in the singular: not those that are in every text."""
    return {_singular(word) for word in _WORD.findall(query.casefold()) if len(word) > 1 and word not in _UNMARKED}


def pieces(text: str, words: Collection[str]) -> Iterator[tuple[str, bool]]:
    """Yield a text in pieces, and whether each is one of these words."""
    for piece in re.split(r"(\w+)", text):
        if piece:
            yield piece, _singular(piece.casefold()) in words


def snippet(title: str, text: str, words: Collection[str]) -> str:
    """Return the first of the sentences of a text, after its title, that have most of the words; "" for a title alone.

    Of what is longer than `LONGEST` the part from shortly before the first of the words.
    """
    rest = text.removeprefix(title or "\0").lstrip(": ")
    sentences = _SENTENCE_END.split(rest)
    best = max(
        sentences,
        key=lambda sentence: len({_singular(w) for w in _WORD.findall(sentence.casefold())}.intersection(words)),
    )
    if len(best) <= LONGEST:
        return best
    before = 0
    for piece, marked in pieces(best, words):
        if marked:
            break
        before += len(piece)
    else:
        before = 0
    start = best.rfind(" ", 0, max(before - 60, 0)) + 1
    end = best.rfind(" ", start + 1, start + LONGEST)
    end = end if end > start else start + LONGEST
    return f"{'…' if start else ''}{best[start:end]}{'…' if end < len(best) else ''}"


def _singular(word: str) -> str:
    return word.removesuffix("s")
