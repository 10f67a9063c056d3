"""Relation candidates (`bioft.datasets.documents.concept_pairs`) as a classifier takes them: labels and scores."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from bioft.datasets.documents.concept_pairs import Arguments, Candidate, Concept, Place, argument_types, candidates

__all__ = ["Concept", "argument_types", "candidates"]

NO_RELATION = "no relation"
"""The label of unrelated pairs where there is one relation type, so that a pair has one of two labels."""
MENTION_PAIRS = 10_000
"""Pairs of mentions up to which all pairs of two concepts are looked at; those of an abstract have up to 300."""


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
