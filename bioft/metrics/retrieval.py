"""The metric of ranked documents: how early the relevant ones come, with 95 % intervals over the queries.

Load it with ``bioft.metrics.load("retrieval")`` or with ``evaluate.load("path/to/bioft/metrics/retrieval.py")``.
"""

# `evaluate.load` reads the imports line by line: one import a line here, not parenthesised.
from collections.abc import Mapping, Sequence
from typing import ClassVar

import datasets
import numpy as np
from numpy.typing import ArrayLike

from bioft.errors import BioftError
from bioft.metrics import module
from bioft.metrics.estimation import estimates
from bioft.metrics.estimation.estimates import Measured, PairedDifference
from bioft.metrics.estimation.groups import Floats

METRICS = ("ndcg_at_10", "mrr_at_10", "recall_at_10", "recall_at_100", "map")
"""The metrics, in the order in which they are reported."""
Ids = Sequence[Sequence[str]] | Sequence[Sequence[int]] | Sequence[Mapping[str, int]]


class Retrieval(module.MetricWithIntervals):
    """nDCG@10, MRR@10, recall@10, recall@100 and MAP of rankings, with intervals over the queries."""

    FEATURES: ClassVar = [
        datasets.Features(dict.fromkeys(("predictions", "references"), datasets.List(datasets.Value(kind))))
        for kind in ("string", "int64")
    ]

    def measure(self, predictions: Ids, references: Ids) -> Measured:
        """Return the metrics of rankings."""
        return measured(predictions, references)


def measured(predictions: Ids, references: Ids, groups: Sequence[ArrayLike] = ()) -> Measured:
    """Return the metrics as estimates over queries, of which those of a group belong together."""
    columns = zip(METRICS, values_per_query(predictions, references).T, strict=True)
    return Measured({name: estimates.mean(column) for name, column in columns}, len(references), tuple(groups))


def values_per_query(predictions: Ids, references: Ids) -> Floats:
    """Return the metrics of each query, shape (queries, `METRICS`), each in [0, 1].

    Arguments are those of the metric; a reference may be the grades of its documents, which nDCG counts. BioftError:
    no queries, not as many rankings as references, a query without a relevant document (its recall is undefined), a
    document that is ranked twice.
    """
    import ir_measures

    if len(predictions) != len(references):
        raise BioftError(
            f"There are {len(predictions):,} rankings for {len(references):,} queries: give one for each."
        )
    if not references:
        raise BioftError("There are no queries to measure on.")
    for query, (ranked, relevant) in enumerate(zip(predictions, references, strict=True)):
        if not relevant:
            raise BioftError(f"Query {query} has no relevant document, so nothing can be found: leave it out.")
        if len(set(ranked)) < len(ranked):
            raise BioftError(f"The ranking of query {query} has a document twice: rank each document once.")
    # In the order of `METRICS`.
    measures = [ir_measures.nDCG @ 10, ir_measures.RR @ 10, ir_measures.R @ 10, ir_measures.R @ 100, ir_measures.AP]
    graded = [its if isinstance(its, Mapping) else dict.fromkeys(its, 1) for its in references]
    relevance = {str(query): {str(each): grade for each, grade in its.items()} for query, its in enumerate(graded)}
    # Scores that fall with the rank: trec_eval orders by score, whatever the order of the entries.
    scores = {
        str(query): {str(each): float(-rank) for rank, each in enumerate(ranked)}
        for query, ranked in enumerate(predictions)
    }
    values = np.zeros((len(references), len(METRICS)))
    for found in ir_measures.iter_calc(measures, relevance, scores):
        values[int(found.query_id), measures.index(found.measure)] = found.value
    return values


def paired_retrieval(
    references: Ids,
    first: Ids,
    second: Ids,
    *,
    metric: str = "ndcg_at_10",
    groups: Sequence[ArrayLike] = (),
) -> PairedDifference:
    """Compare two systems' rankings for the same queries: see `estimates.paired`; errors also `values_per_query`."""
    return estimates.paired(metric, *(measured(predictions, references, groups) for predictions in (first, second)))
