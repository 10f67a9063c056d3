"""Precision, recall and F1 of typed items that are looked for in documents, with intervals over the documents.

An item is a tuple that is right or wrong as a whole: a mention (start, end, type) or a relation (type, head,
tail). Everything follows from three counts for each document and type: true positives, false positives and false
negatives.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bioft.errors import BioftError
from bioft.metrics.estimation import estimates
from bioft.metrics.estimation.estimates import F1, Average, Estimate, Measured, PairedDifference, ratio

Item = tuple[Any, ...]


class Counts(NamedTuple):
    """What was found in each document: ``types`` in alphabetical order, counts of shape (documents, types)."""

    types: list[str]
    true_positives: NDArray[np.int64]
    false_positives: NDArray[np.int64]
    false_negatives: NDArray[np.int64]


def count(
    predictions: Sequence[Collection[Item]], references: Sequence[Collection[Item]], *, type_index: int
) -> Counts:
    """Compare predicted and reference items of each document; ``item[type_index]`` is the type.

    An item that is listed twice counts once. Types are those that occur in either. BioftError: no documents, or not as
    many predictions as references.
    """
    if len(predictions) != len(references):
        raise BioftError(
            f"There are predictions for {len(predictions):,} documents and references for {len(references):,}: "
            "give one list for each document, an empty one where there is nothing."
        )
    if not references:
        raise BioftError("There are no documents to measure on.")
    types = sorted({item[type_index] for side in (predictions, references) for items in side for item in items})
    column = {name: i for i, name in enumerate(types)}
    # Of true positives, false positives and false negatives.
    counts = np.zeros((3, len(references), len(types)), np.int64)
    for document, (predicted, expected) in enumerate(zip(predictions, references, strict=True)):
        found, there = set(predicted), set(expected)
        for kind, items in enumerate((found & there, found - there, there - found)):
            for item in items:
                counts[kind, document, column[item[type_index]]] += 1
    return Counts(types, *counts)


def metrics(counts: Counts, **options: Any) -> dict[str, float]:
    """Return precision, recall and F1 as a flat dict of floats; options are those of `estimates.figures`.

    Keys, each after ``prefix``: ``f1``, ``precision``, ``recall`` over all types (micro), ``macro_f1`` (the mean
    F1 of the types) and ``<type>_f1``, ``<type>_precision``, ``<type>_recall`` with the type in lower case; each
    also with ``_low`` and ``_high``, unless ``confidence`` is None. ``support`` and ``<type>_support`` are numbers of
    reference items.

    A ratio without a denominator is 0, as in scikit-learn and seqeval, but everything is NaN where there is neither a
    reference item nor a predicted one. Intervals are over documents, whose items are not independent of each other.
    BioftError: a confidence outside (0, 1), or two types with the same key.
    """
    return estimates.figures(measured(counts), **options)


def measured(counts: Counts) -> Measured:
    """Return each metric of `metrics` as an estimate over documents."""
    names = lower_names(counts.types)
    there = counts.true_positives + counts.false_negatives
    supports = {"support": int(there.sum())}
    supports |= {f"{name}_support": n for name, n in zip(names, there.sum(axis=0).tolist(), strict=True)}
    # Nothing is defined where there is nothing in either.
    undefined = 0.0 if any(kind.any() for kind in counts[1:]) else math.nan
    by_type = [_ratios([kind[:, column] for kind in counts[1:]], undefined) for column in range(len(names))]
    found = _ratios([kind.sum(axis=1) for kind in counts[1:]], undefined)
    found["macro_f1"] = Average.of([its["f1"] for its in by_type], len(there))
    for name, its in zip(names, by_type, strict=True):
        found |= {f"{name}_{kind}": estimate for kind, estimate in its.items()}
    return Measured(found, len(there), others=supports)


def paired_difference(first: Counts, second: Counts, *, metric: str = "f1", **options: Any) -> PairedDifference:
    """Compare two systems on the same documents: the difference of a metric, the first minus the second.

    ``metric`` is any of `metrics` (without a prefix); options and result are those of `estimates.paired`. BioftError:
    counts of different numbers of documents, or as `estimates.paired`.
    """
    if len(first.true_positives) != len(second.true_positives):
        raise BioftError(
            f"The first system has predictions for {len(first.true_positives):,} documents, the second for "
            f"{len(second.true_positives):,}: only the same documents can be compared."
        )
    systems = []
    for its in map(measured, (first, second)):
        # Who predicts nothing where there is nothing has found nothing, too.
        nothing = {name: replace(each, value=0.0) for name, each in its.estimates.items() if math.isnan(each.value)}
        systems.append(replace(its, estimates={**its.estimates, **nothing}))
    return estimates.paired(metric, *systems, **options)


def supports(documents: Iterable[Iterable[Item]], *, type_index: int) -> dict[str, int]:
    """Return how many items of each type there are in all documents, types in alphabetical order."""
    return dict(sorted(Counter(item[type_index] for items in documents for item in set(items)).items()))


def assert_supports(found: Mapping[str, int], expected: Mapping[str, int]) -> None:
    """Stop when the numbers of reference items are not those of the corpus: a score would be of another test set.

    It finds references that were cut off with a long text or lost between tokens, and a label such as "O" that was
    taken for a type. BioftError: names every type whose number differs.
    """
    wrong = [
        f"{found.get(name, 0):,} of type {name} instead of {expected.get(name, 0):,}"
        for name in sorted({*found, *expected})
        if found.get(name, 0) != expected.get(name, 0)
    ]
    if wrong:
        raise BioftError(
            f"The references are not those of the test set: {'; '.join(wrong)}. Look for texts that were cut off and "
            "for labels that are no type; a score on these references can't be compared with any other."
        )


def lower_names(types: Sequence[str], what: str = "types") -> list[str]:
    """Return the name of each type in the keys of a result; BioftError for two with the same."""
    names = [name.lower() for name in types]
    if doubled := [name for name, n in Counter(names).items() if n > 1]:
        same = [name for name in types if name.lower() == doubled[0]]
        raise BioftError(f"The {what} {' and '.join(map(repr, same))} differ in case only: write them alike.")
    return names


def _ratios(of_documents: Sequence[NDArray[np.int64]], undefined: float) -> dict[str, Estimate]:
    """F1, precision and recall of what is right, wrong and missed in documents, each of shape (documents,)."""
    right, wrong, missed = of_documents
    return {
        "f1": ratio(2 * right, 2 * right + wrong + missed, F1, undefined),
        "precision": ratio(right, right + wrong, otherwise=undefined),
        "recall": ratio(right, right + missed, otherwise=undefined),
    }
