"""The metric of named entities: a mention counts when its span and its type are exactly those of a reference.

Load it with ``bioft.metrics.load("entity_f1")`` or with ``evaluate.load("path/to/bioft/metrics/entity_f1.py")``.
"""

# `evaluate.load` reads the imports line by line: one import a line here, not parenthesised.
from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import index
from typing import Any, ClassVar

import datasets

from bioft.errors import BioftError
from bioft.metrics import counts, module
from bioft.metrics.estimation.estimates import Measured, PairedDifference
from bioft.storage.text_lines import normalise

Span = tuple[int, int, str]
"""A mention: offset of its first character and of the one after its last, and its type."""
Document = Iterable[Span]
Documents = Iterable[Document]
Structs = Sequence[Sequence[Mapping[str, Any]]]


_SPAN = {"start": datasets.Value("int64"), "end": datasets.Value("int64"), "type": datasets.Value("string")}


class EntityF1(module.MetricWithIntervals):
    """Precision, recall and F1 of mentions, micro, macro and by type, with intervals."""

    # Arrow has no list that mixes numbers and text: `add_batch` makes a struct of each span.
    FEATURES: ClassVar = datasets.Features({side: [_SPAN] for side in ("predictions", "references")})

    def add_batch(self, *, predictions: Documents, references: Documents) -> None:
        """Add the mentions of some documents, as `compute` takes them."""
        structs = (_structs(predictions, "predictions"), _structs(references, "references"))
        super().add_batch(predictions=structs[0], references=structs[1])

    def add(self, *, prediction: Document, reference: Document) -> None:
        """Add the mentions of one document."""
        self.add_batch(predictions=[prediction], references=[reference])

    def measure(self, predictions: Structs, references: Structs) -> Measured:
        """Return the metrics of mentions."""
        return counts.measured(counts.count(*map(_spans, (predictions, references)), type_index=2))

    def _compute(
        self,
        predictions: Structs,
        references: Structs,
        texts: Sequence[str] | None = None,
        seen: Collection[tuple[str, str]] | None = None,
        **options: Any,
    ) -> dict[str, float]:
        result = super()._compute(predictions, references, **options)
        if seen is not None:
            unseen = [_unseen(_spans(side), texts, seen) for side in (predictions, references)]
            measured = counts.measured(counts.count(*unseen, type_index=2))
            result |= self.figures(measured, prefix="unseen_", **options)
        return result


def spans(rows: Iterable[Mapping[str, Any]]) -> list[list[Span]]:
    """Return the mentions of each document row (column `entities`) as the metric takes them."""
    return [[_span(entity) for entity in row["entities"]] for row in rows]


def seen_in_training(rows: Iterable[Mapping[str, Any]]) -> set[tuple[str, str]]:
    """Return the (name, type) of every mention in document rows; names without case and punctuation."""
    return {(normalise(entity["text"]), entity["type"]) for row in rows for entity in row["entities"]}


def supports(references: Sequence[Iterable[Span]]) -> dict[str, int]:
    """Return the number of mentions of each type, to be compared by `counts.assert_supports`."""
    return counts.supports(references, type_index=2)


def paired_f1(
    references: Sequence[Collection[Span]],
    first: Sequence[Collection[Span]],
    second: Sequence[Collection[Span]],
    *,
    metric: str = "f1",
    **options: Any,
) -> PairedDifference:
    """Compare the mentions that two systems predict for the same documents: see `counts.paired_difference`.

    ``metric`` is any that the metric returns, such as ``chemical_f1``, but those on unseen mentions. BioftError: as
    `counts.paired_difference`, or not one list for each document.
    """
    compared = [counts.count(side, references, type_index=2) for side in (first, second)]
    return counts.paired_difference(*compared, metric=metric, **options)


def _spans(documents: Structs) -> list[list[Span]]:
    return [[_span(each) for each in document] for document in documents]


def _span(entity: Mapping[str, Any]) -> Span:
    return entity["start"], entity["end"], entity["type"]


def _structs(documents: Documents, name: str) -> list[list[dict[str, Any]]]:
    result = []
    for i, document in enumerate(documents):
        structs = []
        for span in document:
            try:
                start, end, type_ = span
                valid = 0 <= index(start) < index(end) and isinstance(type_, str) and type_ != ""
            except (TypeError, ValueError):
                valid = False
            if not valid:
                raise BioftError(
                    "Each mention must be (start, end, type) with whole numbers 0 <= start < end; "
                    f"document {i} of the {name} has {span!r}."
                )
            structs.append({"start": index(start), "end": index(end), "type": type_})
        result.append(structs)
    return result


def _unseen(
    documents: Sequence[Iterable[Span]], texts: Sequence[str] | None, seen: Collection[tuple[str, str]]
) -> list[list[Span]]:
    if texts is None or len(texts) != len(documents):
        found = "none" if texts is None else f"{len(texts):,}"
        raise BioftError(f"Unseen mentions need the texts of all {len(documents):,} documents; there are {found}.")
    return [
        [span for span in spans if (normalise(text[span[0] : span[1]]), span[2]) not in seen]
        for text, spans in zip(texts, documents, strict=True)
    ]
