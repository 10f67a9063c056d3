"""The metric of relations between concepts of a document: a set of (type, head, tail) against that of the reference.

Load it with ``bioft.metrics.load("relation_f1")`` or with ``evaluate.load("path/to/bioft/metrics/relation_f1.py")``.
"""

# `evaluate.load` reads the imports line by line: one import a line here, not parenthesised.
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import datasets

from bioft.errors import BioftError
from bioft.metrics import counts, module
from bioft.metrics.bootstrap import Measured, PairedDifference

_DESCRIPTION = """\
Precision, recall and F1 of relations at the level of documents. As in the relation evaluation of BioCreative V
(CDR task), a prediction is right when the reference has the same document, type, head and tail, where head and tail
are concept ids; each such relation counts once for a document, whatever mentions express it. The metric is the same
with gold entities and end to end: with gold entities the predictions are pairs of annotated concepts. Micro, by type
and macro, each with a bootstrap interval over documents.
"""

_CITATION = """\
@article{wei2016cdr,
  title = {Assessing the state of the art in biomedical relation extraction: overview of the {BioCreative V}
    chemical-disease relation ({CDR}) task},
  author = {Wei, Chih-Hsuan and Peng, Yifan and Leaman, Robert and Davis, Allan Peter and Mattingly, Carolyn J. and
    Li, Jiao and Wiegers, Thomas C. and Lu, Zhiyong},
  journal = {Database},
  volume = {2016},
  pages = {baw032},
  year = {2016}
}
"""

_INPUTS = """
Args:
    predictions: for each document a list of relations (type, head, tail); head and tail are concept ids. An id that
        joins several by "|" or ";", as composite mentions have, stands for each of them: (CID, D1, D2|D3) is
        (CID, D1, D2) and (CID, D1, D3).
    references: the same, as annotated.

Returns:
    dict of floats: f1, precision, recall (micro), macro_f1, <type>_f1, <type>_precision, <type>_recall, each also
    as <name>_low and <name>_high; support and <type>_support, the number of reference relations; n, the number of
    documents. Types are in lower case.

Examples:
    >>> relation_f1 = bioft.metrics.load("relation_f1")
    >>> predictions = [[("CID", "D003000", "D006973"), ("CID", "D003000", "D003866")]]
    >>> result = relation_f1.compute(predictions=predictions, references=[[("CID", "D003000", "D006973")]])
    >>> result["precision"]
    0.5
"""

Relation = tuple[str, str, str]
"""Type, concept id of the head, concept id of the tail; the direction counts."""
Documents = Sequence[Iterable[Sequence[str]]]

_JOINED = re.compile(r"[|;]")


class RelationF1(module.BootstrappedMetric):
    """Precision, recall and F1 of the relations of documents, micro, macro and by type, with intervals."""

    ABOUT: ClassVar = {
        "description": _DESCRIPTION,
        "citation": _CITATION,
        "inputs_description": _INPUTS,
        "features": datasets.Features({side: [[datasets.Value("string")]] for side in ("predictions", "references")}),
        "reference_urls": ["https://doi.org/10.1093/database/baw032"],
    }

    def measure(self, predictions: Documents, references: Documents) -> Measured:
        """Return the metrics of relations."""
        return counts.measured(_count(predictions, references, "predictions"))


def relations(rows: Iterable[Mapping[str, Any]]) -> list[list[Relation]]:
    """Return the relations of each document row (column `relations`) as the metric takes them."""
    return [[(each["type"], each["head"], each["tail"]) for each in row["relations"]] for row in rows]


def supports(references: Sequence[Iterable[Sequence[str]]]) -> dict[str, int]:
    """Return the number of relations of each type, to be compared by `counts.assert_supports`."""
    return counts.supports(_taken_apart(references, "references"), type_index=0)


def paired_f1_bootstrap(
    references: Documents, first: Documents, second: Documents, *, metric: str = "f1", **options: Any
) -> PairedDifference:
    """Compare the relations that two systems predict for the same documents: see `counts.paired_difference`.

    ``metric`` is any that the metric returns, such as ``recall`` or ``cid_f1``.

    Raises:
        BioftError: as `counts.paired_difference`, or not one list for each document.
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
            single |= {(type_, h, t) for h in _JOINED.split(head) for t in _JOINED.split(tail)}
        result.append(single)
    return result
