"""The metric of relations between concepts of a document: a set of (type, head, tail) against that of the reference.

Load it with ``bioft.metrics.load("relation_f1")`` or with ``evaluate.load("path/to/bioft/metrics/relation_f1.py")``.
"""

# `evaluate.load` reads the imports line by line: one import a line here, not parenthesised.
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import datasets

from bioft.errors import BioftError
from bioft.metrics import counts, module
from bioft.metrics.estimation.estimates import Measured, PairedDifference
from bioft.storage.identifiers import parts

Relation = tuple[str, str, str]
"""Type, concept id of the head, concept id of the tail; the direction counts."""
Documents = Sequence[Iterable[Sequence[str]]]


class RelationF1(module.MetricWithIntervals):
    """Precision, recall and F1 of the relations of documents, micro, macro and by type, with intervals."""

    FEATURES: ClassVar = datasets.Features(
        {side: [[datasets.Value("string")]] for side in ("predictions", "references")}
    )

    def measure(self, predictions: Documents, references: Documents) -> Measured:
        """Return the metrics of relations."""
        return counts.measured(_count(predictions, references, "predictions"))


def relations(rows: Iterable[Mapping[str, Any]]) -> list[list[Relation]]:
    """Return the relations of each document row (column `relations`) as the metric takes them."""
    return [[(each["type"], each["head"], each["tail"]) for each in row["relations"]] for row in rows]


def supports(references: Sequence[Iterable[Sequence[str]]]) -> dict[str, int]:
    """Return the number of relations of each type, to be compared by `counts.assert_supports`."""
    return counts.supports(_taken_apart(references, "references"), type_index=0)


def paired_f1(
    references: Documents, first: Documents, second: Documents, *, metric: str = "f1", **options: Any
) -> PairedDifference:
    """Compare the relations that two systems predict for the same documents: see `counts.paired_difference`.

    ``metric`` is any that the metric returns, such as ``recall`` or ``cid_f1``. BioftError: as
    `counts.paired_difference`, or not one list for each document.
    """
    compared = [_count(first, references, "first system"), _count(second, references, "second system")]
    return counts.paired_difference(*compared, metric=metric, **options)


def _count(predictions: Documents, references: Documents, name: str) -> counts.Counts:
    return counts.count(_taken_apart(predictions, name), _taken_apart(references, "references"), type_index=0)


def _taken_apart(documents: Documents, name: str) -> list[set[Relation]]:
    """Return the relations of each document with one concept id at either end."""
    result = []
    for i, document in enumerate(documents):
        single: set[Relation] = set()
        for relation in document:
            if len(relation) != 3 or not all(relation):
                raise BioftError(
                    f"Each relation must be (type, head, tail); document {i} of the {name} has {tuple(relation)}."
                )
            type_, head, tail = relation
            single |= {(type_, h, t) for h in parts(head) for t in parts(tail)}
        result.append(single)
    return result
