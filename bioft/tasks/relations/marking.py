"""The two concepts of a candidate marked in their text, as a classifier reads it."""

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from bioft.datasets.documents.concept_pairs import Arguments, Candidate, Place, smallest_gap
from bioft.errors import BioftError
from bioft.tasks.entities import tagging, windows

SIGNS = {"head": "@", "tail": "#"}
"""Around the mentions of a concept, one token each in every common vocabulary (Zhou and Chen 2022, AACL)."""
MARKER_STYLES = ("entity", "typed", "masked")
RANKS = ("main", "second", "minor")
TIMES = ("apart", "together once", "together twice", "together often")


class MarkedText(NamedTuple):
    """A text for a classifier; `left_out` mentions of the two concepts did not fit into it."""

    text: str
    left_out: int


@dataclass(frozen=True)
class Markers:
    """How the two concepts of a candidate are marked, in texts of at most `max_length` tokens, special ones counted.

    The style is "entity" (`@ aspirin @ … # asthma #`), "typed" (`@ chemical: aspirin @`) or "masked" (`@ chemical`).
    With `added_tokens` the markers are tokens that the tokenizer must have. A `summary` begins the text (`summarise`).
    """

    style: str
    added_tokens: bool
    summary: bool
    max_length: int

    def around(self, role: str, kind: str) -> tuple[str, str]:
        """What stands before and after a mention of an entity type in a role ("head", "tail")."""
        name = f"{role}:{kind.lower()}" if self.style != "entity" else role
        if self.added_tokens:
            return (f"<{name}>", "") if self.style == "masked" else (f"<{name}> ", f" </{name}>")
        sign = SIGNS[role]
        if self.style == "masked":
            return f"{sign} {kind.lower()}", ""
        return (f"{sign} {kind.lower()}: " if self.style == "typed" else f"{sign} "), f" {sign}"

    def tokens(self, arguments: Arguments) -> list[str]:
        """Those to add to a vocabulary when markers shall be tokens of their own."""
        roles = {end for pairs in arguments.values() for pair in pairs for end in zip(SIGNS, pair, strict=True)}
        return sorted({word.strip() for end in roles for word in self.around(*end) if word})


def mark(texts: Sequence[str], found: Sequence[Candidate], tokenizer: Any, markers: Markers) -> list[MarkedText]:
    """Write for each candidate a text in which its two concepts are marked.

    Only sentences that mention one of the two concepts are kept, in their order. Where they do not all fit, those that
    mention both come first, then those nearest to one that mentions the other concept; a sentence that is too long for
    itself is cut around a mention. At least one mention of each concept is kept, in the same sentence where there is
    one. BioftError: an unknown style, or a `max_length` that has no room for two mentions.
    """
    if markers.style not in MARKER_STYLES:
        raise BioftError(f"marker_style is {markers.style!r}; it must be one of {', '.join(MARKER_STYLES)}.")
    length = markers.max_length
    room = length - sum(map(len, windows.special_tokens(tokenizer)))
    if room < 16:
        raise BioftError(f"max_length is {length}: too short for two marked mentions and words between them.")
    places: defaultdict[int, set[Place]] = defaultdict(set)
    for document, head, tail, _ in found:
        places[document].update(head.places, tail.places)
    tokens = tagging.tokenize(tokenizer, [texts[index] for index in places])
    documents = {
        index: _Document(texts[index], its_tokens.offsets[its_tokens.visible], its_places)
        for (index, its_places), its_tokens in zip(places.items(), tokens, strict=True)
    }
    openings = summarise(texts, found) if markers.summary else [""] * len(found)
    marked = _Markers(tokenizer, markers)
    lengths = dict(zip(openings, (len(each.ids) for each in tagging.tokenize(tokenizer, openings)), strict=True))
    return [
        _marked_text(documents[candidate.document], candidate, marked, opening, room - lengths[opening])
        for candidate, opening in zip(found, openings, strict=True)
    ]


def summarise(texts: Sequence[str], found: Sequence[Candidate]) -> list[str]:
    """Where the document of each candidate mentions the two concepts: "chemical main, in title; disease second;
    together once. ".

    Whether other chemicals (diseases) are mentioned more often, whether the title mentions it, and in how many
    sentences both stand. A classifier that sees a few sentences of a document does not know that.
    """
    openings = []
    for candidate, values in zip(found, _pair_counts(texts, found).tolist(), strict=True):
        counts = dict(zip(PAIR_FEATURES, values, strict=True))
        parts = []
        for role, concept in (("head", candidate.head), ("tail", candidate.tail)):
            rank = RANKS[min(counts[f"{role}s mentioned more often"], len(RANKS) - 1)]
            parts.append(f"{concept.type.lower()} {rank}{', in title' if counts[f'{role} in title'] else ''}")
        together = TIMES[min(counts["sentences with both"], len(TIMES) - 1)]
        openings.append(f"{'; '.join(parts)}; {together}. ")
    return openings


class _Document:
    """A text as tokens: their `starts` and `ends` in characters, and ranges, `sentences`, that cut no mention."""

    def __init__(self, text: str, offsets: np.ndarray, places: Iterable[Place]) -> None:
        self.text = text
        self.starts, self.ends = offsets[:, 0].tolist(), offsets[:, 1].tolist()
        borders = {0, *(bisect_left(self.starts, start) for start, _ in sentences(text))}
        for first, end in map(self.token_range, places):
            borders.difference_update(range(first + 1, end))
        self.sentences = [(a, b) for a, b in pairwise([*sorted(borders), len(self.starts)]) if a < b]

    def token_range(self, place: Place) -> tuple[int, int]:
        """The tokens of a mention: the index of the first and the one after the last."""
        return bisect_right(self.ends, place[0]), bisect_left(self.starts, place[1])

    def sentence_of(self, place: Place) -> int:
        """The sentence in which a mention begins."""
        return max(bisect_right(self.sentences, (self.token_range(place)[0], len(self.starts))) - 1, 0)


class _Markers:
    """What stands around (or in place of) the mentions of head and tail, and how many tokens that takes."""

    def __init__(self, tokenizer: Any, markers: Markers) -> None:
        self.masks, self.around = markers.style == "masked", markers.around
        self.length: Callable[[str, str], int] = cache(
            lambda role, kind: len(tokenizer("".join(self.around(role, kind)), add_special_tokens=False)["input_ids"])
        )


class _Mention(NamedTuple):
    place: Place
    tokens: tuple[int, int]
    role: str
    kind: str


def _marked_text(document: _Document, candidate: Candidate, markers: _Markers, opening: str, room: int) -> MarkedText:
    mentions: defaultdict[int, list[_Mention]] = defaultdict(list)  # of each sentence; none reaches into the next
    for role, concept in (("head", candidate.head), ("tail", candidate.tail)):
        for place in concept.places:
            mention = _Mention(place, document.token_range(place), role, concept.type)
            mentions[document.sentence_of(place)].append(mention)
    anchors, order = _nearest_and_order(document, candidate)
    if len(anchors) == 1 and _cost(_hull(anchors[0][1]), mentions[anchors[0][0]], markers) > room:
        # So far apart in one sentence that the words between them must be left out.
        anchors = [(anchors[0][0], [tokens]) for tokens in anchors[0][1]]
    # Each sentence that must be kept gets its part of the room, or what it needs if that is less.
    kept: list[tuple[tuple[int, int], list[_Mention]]] = []
    used = 0
    for number, (sentence, anchor) in enumerate(anchors):
        share = (room - used) // (len(anchors) - number)
        its_mentions = mentions[sentence]
        piece = _cut(document, document.sentences[sentence], _hull(anchor), its_mentions, markers, share)
        kept.append((piece, its_mentions))
        used += _cost(piece, its_mentions, markers)
    for sentence in order:
        piece, its_mentions = document.sentences[sentence], mentions[sentence]
        cost = _cost(piece, its_mentions, markers)
        if used + cost <= room:
            kept.append((piece, its_mentions))
            used += cost
    kept.sort()
    written = [_write(document, piece, its_mentions, markers) for piece, its_mentions in kept]
    shown = sum(len(_inside(piece, its_mentions)) for piece, its_mentions in kept)
    return MarkedText(opening + " ".join(written), sum(map(len, mentions.values())) - shown)


def _nearest_and_order(
    document: _Document, candidate: Candidate
) -> tuple[list[tuple[int, list[tuple[int, int]]]], list[int]]:
    """The one or two sentences with the nearest mentions, and these; then the other sentences, best first."""
    head, tail = (
        {document.sentence_of(place): document.token_range(place) for place in reversed(concept.places)}
        for concept in (candidate.head, candidate.tail)
    )
    both, of_head, of_tail = (sorted(numbers) for numbers in (head.keys() & tail.keys(), head, tail))
    if both:
        anchors = [(both[0], [head[both[0]], tail[both[0]]])]
    else:
        pairs = ((h, t) for h in head for t in _neighbours(of_tail, h))
        near = min(pairs, key=lambda pair: (abs(pair[0] - pair[1]), pair))
        anchors = [(near[0], [head[near[0]]]), (near[1], [tail[near[1]]])]

    def rank(sentence: int) -> tuple[bool, int, int]:
        alone = sentence not in head or sentence not in tail
        others = of_tail if sentence in head else of_head
        return alone, min(abs(sentence - other) for other in _neighbours(others, sentence)), sentence

    rest = (head.keys() | tail.keys()) - {sentence for sentence, _ in anchors}
    return anchors, sorted(rest, key=rank)


def _neighbours(ordered: Sequence[int], number: int) -> Sequence[int]:
    """The numbers of an ordered list on either side of a number: the nearest is one of them."""
    place = bisect_left(ordered, number)
    return ordered[max(place - 1, 0) : place + 1]


def _hull(ranges: Sequence[tuple[int, int]]) -> tuple[int, int]:
    return min(start for start, _ in ranges), max(end for _, end in ranges)


def _inside(piece: tuple[int, int], mentions: Sequence[_Mention]) -> list[_Mention]:
    return [m for m in mentions if piece[0] <= m.tokens[0] and m.tokens[1] <= piece[1]]


def _cost(piece: tuple[int, int], mentions: Sequence[_Mention], markers: _Markers) -> int:
    inside = _inside(piece, mentions)
    cost = piece[1] - piece[0] + sum(markers.length(m.role, m.kind) for m in inside)
    return cost - sum(m.tokens[1] - m.tokens[0] for m in inside) if markers.masks else cost


def _cut(
    document: _Document, piece: Place, anchor: Place, mentions: Sequence[_Mention], markers: _Markers, room: int
) -> Place:
    """Shorten a piece evenly on both sides of its anchor until it fits; no word is cut in two."""
    start, end = piece
    if _cost(piece, mentions, markers) <= room:
        return piece
    # What is further away cannot stay: each token costs at least one, a masked mention one for all of its tokens.
    longest = max((last - first for _, (first, last), *_ in mentions), default=1) if markers.masks else 1
    reach = max(room, 0) * max(longest, 1)
    start, end = max(start, anchor[0] - reach), min(end, anchor[1] + reach)
    mentions = _inside((start, end), mentions)
    while _cost((start, end), mentions, markers) > room and (start < anchor[0] or anchor[1] < end):
        if anchor[0] - start >= end - anchor[1]:
            start += 1
        else:
            end -= 1
    while start < anchor[0] and document.starts[start] == document.ends[start - 1]:
        start += 1
    while anchor[1] < end < len(document.starts) and document.starts[end] == document.ends[end - 1]:
        end -= 1
    return start, end


def _write(document: _Document, piece: tuple[int, int], mentions: Sequence[_Mention], markers: _Markers) -> str:
    place, last = document.starts[piece[0]], document.ends[piece[1] - 1]
    at: dict[Place, _Mention] = {}  # of several at one place, of a concept that is mentioned twice there, the first
    for mention in sorted(_inside(piece, mentions), key=lambda mention: mention.place):
        at.setdefault(mention.place, mention)
    # What is written at which character: ends before starts, the inner of nested mentions inside the outer one.
    marks: list[tuple[int, int, int, str]] = []
    for (start, end), mention in at.items():
        before, after = markers.around(mention.role, mention.kind)
        if markers.masks:
            marks.append((start, end, -end, before + after))
        else:
            marks += [(end, end, -start, after), (start, start, len(document.text) - end, before)]
    parts = []
    for start, end, _, shown in sorted(marks, key=lambda mark: (mark[0], mark[2])):
        parts += [document.text[place:start] if place <= start else " ", shown]
        place = max(place, end)
    return "".join([*parts, document.text[place:last]])


PAIR_FEATURES = (
    "sentences with both", "gap", "head in title", "tail in title", "head mentions", "tail mentions",
    "heads mentioned more often", "tails mentioned more often",
)  # fmt: skip


def sentences(text: str) -> list[Place]:
    """First and last place of each sentence; together they cover the text.

    A sentence ends at a full stop, question or exclamation mark, white space, and then what a sentence may begin with:
    a capital, a digit or an opening bracket. That splits after some abbreviations too, and never in a word.
    """
    starts = [0, *(match.end() for match in _SENTENCE_END.finditer(text)), len(text)]
    return [(start, end) for start, end in pairwise(starts) if start < end]


_SENTENCE_END = re.compile(r"(?<=[.?!])[\"')\]]*\s+(?=[\"'(\[]*[A-Z0-9])")


class SentenceNumbers:
    """Tells in which sentence of its document, from 0, a mention begins."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.ends = [[end for _, end in sentences(text)] for text in texts]

    def of(self, document: int, place: Place) -> int:
        """The sentence of a mention in the document with this index."""
        return bisect_right(self.ends[document], place[0])


def pair_features(texts: Sequence[str], found: Sequence[Candidate]) -> np.ndarray:
    """What a document shows of each candidate without being understood, shape `(candidates, 8)`: `PAIR_FEATURES`.

    Counts and the gap (the characters between the nearest two mentions) are logarithms of one more. The title is the
    first sentence. Concepts are compared with the others that have the same role and entity type in the document.
    """
    values = _pair_counts(texts, found)
    flags = [PAIR_FEATURES.index(f"{role} in title") for role in SIGNS]
    return np.where(np.isin(np.arange(len(PAIR_FEATURES)), flags), values, np.log1p(values))


def _pair_counts(texts: Sequence[str], found: Sequence[Candidate]) -> np.ndarray:
    """The same as whole numbers."""
    mentions: defaultdict[tuple[int, str, str], dict[str, int]] = defaultdict(dict)
    for document, head, tail, _ in found:
        mentions[document, "head", head.type][head.id] = len(head.places)
        mentions[document, "tail", tail.type][tail.id] = len(tail.places)
    numbers = SentenceNumbers(texts)
    rows = []
    for document, head, tail, _ in found:
        in_sentences = [{numbers.of(document, place) for place in concept.places} for concept in (head, tail)]
        more = [
            sum(n > len(concept.places) for n in mentions[document, role, concept.type].values())
            for role, concept in (("head", head), ("tail", tail))
        ]
        in_title = [0 in its for its in in_sentences]
        shared = len(in_sentences[0] & in_sentences[1])
        gap = smallest_gap(head.places, tail.places)
        rows.append([shared, gap, *in_title, len(head.places), len(tail.places), *more])
    return np.array(rows, dtype=np.int64).reshape(-1, len(PAIR_FEATURES))
