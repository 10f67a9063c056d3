"""What became of each relation of the test documents."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any

from bioft.datasets.documents.concept_pairs import Place, concepts_in
from bioft.errors import BioftError
from bioft.metrics.relation_f1 import Relation
from bioft.tasks.entities.errors import Aligned, context, summarise
from bioft.tasks.relations.marking import SentenceNumbers

DISTANCES = ("same sentence", "different sentences", "not mentioned")
"""Groups of relations by the nearest mentions of their concepts."""


def analyse_relations(
    rows: Sequence[Mapping[str, Any]], predictions: Sequence[Iterable[Relation]], *, n_examples: int = 5, seed: int = 0
) -> dict[str, Any]:
    """Say what became of the relations (type, head, tail) of each document.

    ``rows`` are those of a document dataset (columns `document_id`, `text`, `entities`, `relations`), as annotated.
    Returns ``outcomes``, for each type how many relations are ``correct``, ``missed`` and ``spurious``;
    ``by_distance``, as ``by_length`` of `analyse`, for relations whose concepts are mentioned in the same sentence, in
    different sentences only, and of which one is ``not mentioned`` according to the annotation; and ``examples``, for
    missed and for spurious ones up to ``n_examples`` drawn at random: ``document``, ``type``, ``head`` and ``tail`` as
    ``{"id", "text"}`` (the first mention, or None), and ``context``, the text around their nearest mentions, which are
    in square brackets; None if one is not mentioned. BioftError: not one list of predictions for each row.
    """
    if len(rows) != len(predictions):
        raise BioftError(f"There are {len(rows):,} documents and predictions for {len(predictions):,} of them.")
    places: list[dict[str, list[Place]]] = [defaultdict(list) for _ in rows]
    for document, row in enumerate(rows):
        for concept in concepts_in(row["entities"]):
            places[document][concept.id] += concept.places
    sentences = SentenceNumbers(row["text"] for row in rows)

    def nearest(document: int, relation: Relation) -> tuple[Place, Place] | None:
        """Return the mentions of head and tail with the fewest characters between them."""
        _, head, tail = relation
        pairs = product(places[document].get(head, ()), places[document].get(tail, ()))
        return min(pairs, key=lambda pair: max(pair[0][0], pair[1][0]) - min(pair[0][1], pair[1][1]), default=None)

    def distance(document: int, relation: Relation) -> str:
        of_head, of_tail = (
            {sentences.of(document, place) for place in places[document].get(concept, ())} for concept in relation[1:]
        )
        if not of_head or not of_tail:
            return "not mentioned"
        return "different sentences" if of_head.isdisjoint(of_tail) else "same sentence"

    def described(document: int, concept: str) -> dict[str, Any]:
        start, end = min(places[document].get(concept, ()), default=(0, 0))
        return {"id": concept, "text": rows[document]["text"][start:end] or None}

    def example(document: int, reference: Relation | None, prediction: Relation | None) -> dict[str, Any]:
        type_, head, tail = relation = reference or prediction  # type: ignore[misc]
        mentions = nearest(document, relation)  # type: ignore[arg-type]
        return {
            "document": rows[document]["document_id"],
            "type": type_,
            "head": described(document, head),
            "tail": described(document, tail),
            "context": context(rows[document]["text"], mentions) if mentions else None,
        }

    aligned: list[Aligned] = []
    for document, (row, predicted) in enumerate(zip(rows, predictions, strict=True)):
        expected = {(each["type"], each["head"], each["tail"]) for each in row["relations"]}
        found = set(predicted)
        for relation in sorted(expected | found):
            reference = relation if relation in expected else None
            aligned.append((document, reference, relation if relation in found else None))
    by = ("by_distance", DISTANCES, distance)
    return summarise(aligned, ("correct", "missed", "spurious"), by, 0, example, n_examples, seed)
