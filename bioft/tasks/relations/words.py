"""The words that stand at, around and between the mentions of two concepts of a document, as features of the pair."""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from bioft.tasks.relations import candidates as relations
from bioft.tasks.relations.candidates import Candidate, Place
from bioft.tasks.relations.marking import SentenceNumbers

BETWEEN, AROUND = 15, 4
"""Words between two mentions that are looked at, at most, and on either side of them."""

Rows = Sequence[Mapping[str, Any]]


def candidate_words(rows: Rows, candidates: Sequence[Candidate]) -> list[list[str]]:
    """The words of each candidate, each with the role it has: "head:lithium", "between:induced", "head-tail:induced".

    The names of both concepts, as a whole and by words; words and word pairs between a head and a tail mention in one
    sentence, with their order, and the words on either side. Other mentions are their entity type there.
    """
    sentences = SentenceNumbers(row["text"] for row in rows)
    tokens = {document: _masked_tokens(rows[document]) for document in {c.document for c in candidates}}
    return [_words(rows[c.document]["text"], tokens[c.document], c, in_one_sentence(sentences, c)) for c in candidates]


def in_one_sentence(sentences: SentenceNumbers, candidate: Candidate) -> Iterator[tuple[Place, Place]]:
    """Yield each mention of the head with each of the tail that begins in the same sentence (see `mention_pairs`)."""
    of_head: defaultdict[int, list[Place]] = defaultdict(list)
    of_tail: defaultdict[int, list[Place]] = defaultdict(list)
    for found, concept in ((of_head, candidate.head), (of_tail, candidate.tail)):
        for place in concept.places:
            found[sentences.of(candidate.document, place)].append(place)
    for sentence in sorted(of_head.keys() & of_tail.keys()):
        yield from relations.mention_pairs(of_head[sentence], of_tail[sentence])


_MaskedToken = tuple[int, int, str]
_TOKEN = re.compile(r"\w+|[^\w\s]")


def _masked_tokens(row: Mapping[str, Any]) -> list[_MaskedToken]:
    """Return (start, end, word) of a text, in lower case; a mention is one token, "<Chemical>"."""
    text, end = row["text"], 0
    tokens: list[_MaskedToken] = []

    def add_words_before(start: int) -> None:
        tokens.extend(
            (match.start(), match.end(), match.group().lower()) for match in _TOKEN.finditer(text, end, start)
        )

    for entity in sorted(row["entities"], key=lambda entity: entity["start"]):
        if entity["start"] >= end:  # predicted mentions might overlap
            add_words_before(entity["start"])
            tokens.append((entity["start"], entity["end"], f"<{entity['type']}>"))
            end = entity["end"]
    add_words_before(len(text))
    return tokens


def _words(
    text: str, tokens: list[_MaskedToken], candidate: Candidate, shared: Iterable[tuple[Place, Place]]
) -> list[str]:
    words = []
    for role, concept in (("head", candidate.head), ("tail", candidate.tail)):
        for name in sorted({text[start:end].lower() for start, end in concept.places}):
            words += [f"{role}={name}", *(f"{role}:{word}" for word in _TOKEN.findall(name))]
    for head, tail in shared:
        (left, right), order = ((head, tail), "head-tail") if head < tail else ((tail, head), "tail-head")
        first, after_left = bisect_left(tokens, left), bisect_left(tokens, (left[1],))
        last, after_right = bisect_left(tokens, right), bisect_left(tokens, (right[1],))
        between = [word for *_, word in tokens[after_left:last]]
        if len(between) <= BETWEEN:
            words += [f"between:{word}" for word in between]
            words += [f"{order}:{word}" for word in between]
            words += [f"{order}:{a} {b}" for a, b in pairwise(["<", *between, ">"])]
        else:
            words.append(f"{order}:far")
        words += [f"{order} before:{word}" for *_, word in tokens[max(0, first - AROUND) : first]]
        words += [f"{order} after:{word}" for *_, word in tokens[after_right : after_right + AROUND]]
    return words
