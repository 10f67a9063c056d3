"""The pairs of concepts of a document that a relation may hold between.

A relation holds between two concepts of a document, each of which may be mentioned many times. Every pair of concepts
whose types a relation type takes as its arguments is a candidate; candidates that the corpus does not relate are the
negatives, all of them.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, product
from typing import Any, NamedTuple

from bioft.datasets.documents.pubtator import concepts
from bioft.errors import BioftError

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
    """The entity types between which each relation type holds, in alphabetical order; BioftError without any."""
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
