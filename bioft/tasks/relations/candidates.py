"""Relation candidates: the concept pairs of a document, and texts in which the two concepts are marked.

A relation holds between two concepts of a document, each of which may be mentioned many times. Every pair of concepts
whose types a relation type takes as its arguments is a candidate; candidates that the corpus does not relate are the
negatives, all of them.
"""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, product
from typing import Any, NamedTuple

import numpy as np

from bioft.datasets.documents.pubtator import concepts
from bioft.errors import BioftError

NO_RELATION = "no relation"
"""The label of unrelated pairs where there is one relation type, so that a pair has one of two labels."""
MENTION_PAIRS = 10_000
"""Pairs of mentions up to which all pairs of two concepts are looked at; those of an abstract have up to 300."""

Arguments = Mapping[str, Sequence[tuple[str, str]]]
"""The entity types of head and tail that each relation type takes; types in alphabetical order."""
Place = tuple[int, int]
"""First character of a mention and the one after its last."""


class Concept(NamedTuple):
    """A concept of a document with the places of its mentions, in order."""

    id: str
    type: str
    places: list[Place]


class Candidate(NamedTuple):
    """Two concepts of the document with index `document`, and the relation types that it states of them."""

    document: int
    head: Concept
    tail: Concept
    types: frozenset[str]


def concepts_in(entities: Iterable[Mapping[str, Any]]) -> list[Concept]:
    """The concepts that are mentioned, in the order of their first mention; unlinked mentions belong to none.

    A composite mention ("D1|D2") belongs to each of its concepts.
    """
    places: defaultdict[tuple[str, str], list[Place]] = defaultdict(list)
    for entity in sorted(entities, key=lambda entity: entity["start"]):
        for identifier in concepts(entity["id"]):
            places[identifier, entity["type"]].append((entity["start"], entity["end"]))
    return [Concept(identifier, kind, found) for (identifier, kind), found in places.items()]


def argument_types(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[tuple[str, str]]]:
    """The entity types between which each relation type was annotated, both in alphabetical order; BioftError without
    any.
    """
    found: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    for row in rows:
        types: defaultdict[str, set[str]] = defaultdict(set)
        for concept in concepts_in(row["entities"]):
            types[concept.id].add(concept.type)
        for relation in row["relations"]:
            found[relation["type"]] |= {(h, t) for h in types[relation["head"]] for t in types[relation["tail"]]}
    arguments = {name: sorted(pairs) for name, pairs in sorted(found.items()) if pairs}
    if not arguments:
        raise BioftError("The training documents hold no relation between concepts that they mention.")
    return arguments


def candidates(rows: Iterable[Mapping[str, Any]], arguments: Arguments) -> list[Candidate]:
    """All concept pairs of each document that some relation type takes as arguments; relations are optional."""
    taken = {pair for pairs in arguments.values() for pair in pairs}
    found = []
    for index, row in enumerate(rows):
        stated: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        for relation in row.get("relations") or ():
            stated[relation["head"], relation["tail"]].add(relation["type"])
        for head, tail in product(concepts_in(row["entities"]), repeat=2):
            kinds = head.type, tail.type
            if kinds in taken and head.id != tail.id:
                types = frozenset(t for t in stated[head.id, tail.id] if kinds in arguments.get(t, ()))
                found.append(Candidate(index, head, tail, types))
    return found


def mention_pairs(heads: Sequence[Place], tails: Sequence[Place]) -> list[tuple[Place, Place]]:
    """All pairs of a head's and a tail's mentions (in order); of more than `MENTION_PAIRS` the nearby ones."""
    if len(heads) * len(tails) <= MENTION_PAIRS:
        return list(product(heads, tails))
    number = max(MENTION_PAIRS // len(heads), 1)
    pairs = []
    for head in heads:
        place = bisect_left(tails, head)
        around = tails[max(place - number, 0) : place + number]
        nearest = sorted(around, key=lambda tail: abs(tail[0] - head[0]))[:number]
        pairs += [(head, tail) for tail in sorted(nearest)]
    return pairs


def smallest_gap(heads: Sequence[Place], tails: Sequence[Place]) -> int:
    """The characters between the nearest two of a head's and a tail's mentions; 0 where two touch or overlap."""
    gaps = []
    for first, second in ((heads, tails), (tails, heads)):
        starts = [start for start, _ in sorted(first)]
        reach = list(accumulate((end for _, end in sorted(first)), max))
        for start, _ in second:
            # Of those that begin no later than this one, the one that reaches furthest.
            if before := bisect_right(starts, start):
                gaps.append(max(start - reach[before - 1], 0))
    return min(gaps)


def count_missed(rows: Sequence[Mapping[str, Any]], found: Sequence[Candidate]) -> int:
    """How many annotated relations have no candidate, and so cannot be predicted: they count as not found."""
    annotated = sum(len({(r["type"], r["head"], r["tail"]) for r in row["relations"]}) for row in rows)
    return annotated - sum(len(candidate.types) for candidate in found)


def count_labels(found: Sequence[Candidate]) -> dict[str, int]:
    """How many candidates there are, how many of each relation type, and how many of none."""
    types = Counter(kind for candidate in found for kind in candidate.types)
    unrelated = sum(not candidate.types for candidate in found)
    return {"candidates": len(found), **dict(sorted(types.items())), NO_RELATION: unrelated}


def label_names(arguments: Arguments) -> list[str]:
    """The labels of a classifier: one relation type beside "no relation", or several types that do not exclude."""
    return [NO_RELATION, *arguments] if len(arguments) == 1 else list(arguments)


def encode_labels(candidate: Candidate, names: Sequence[str]) -> int | list[float]:
    """The label of a candidate for a classifier: an index in `names`, or a 0 or 1 for each of them."""
    if NO_RELATION in names:
        return list(names).index(next(iter(candidate.types), NO_RELATION))
    return [float(name in candidate.types) for name in names]


def type_scores(
    logits: np.ndarray, found: Sequence[Candidate], arguments: Arguments, names: Sequence[str] | None = None
) -> np.ndarray:
    """Probabilities of each relation type (in the order of `arguments`), shape `(candidates, types)`.

    The logits, shape `(candidates, labels)`, are of a classifier with labels `names`, in any order, by default the
    types. A type that does not take the entity types of a candidate gets probability 0.
    """
    names = list(arguments) if names is None else names
    logits = np.asarray(logits, dtype=np.float64).reshape(-1, len(names))
    columns = [list(names).index(kind) for kind in arguments]
    if NO_RELATION in names:
        logits = logits - logits[:, [list(names).index(NO_RELATION)]]
    possible = [[(c.head.type, c.tail.type) in pairs for pairs in arguments.values()] for c in found]
    scores = 1 / (1 + np.exp(-logits[:, columns]))
    return np.where(np.array(possible, dtype=bool).reshape(scores.shape), scores, 0.0)


def true_labels(found: Sequence[Candidate], arguments: Arguments) -> np.ndarray:
    """Whether each candidate has each relation type, shape `(candidates, types)`."""
    return np.array([[kind in c.types for kind in arguments] for c in found], dtype=bool).reshape(-1, len(arguments))
