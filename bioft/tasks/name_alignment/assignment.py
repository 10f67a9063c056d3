"""One-to-one assignment: no id of the namespace for two names."""

from collections.abc import Sequence

from scipy.sparse import csr_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from bioft.tasks.name_alignment.scorer import Candidate

_LEAST = 1e-6
"""Values of 0 would be missing edges."""


def assign(
    every: Sequence[Sequence[Candidate]], probabilities: Sequence[tuple[float, float]]
) -> list[list[Candidate]]:
    """Give each id to one name at most, so that as many answers as can be expected are right.

    Args:
        every: the candidates of each name, best first.
        probabilities: for each name that its best candidate is right, and that it has none.

    Returns:
        The candidates of each name without those that went to another one, best first; the id that went to the name
        itself leads.
    """
    columns: dict[str, int] = {}
    rows, cols, values = [], [], []
    for index, (ranked, (right, _)) in enumerate(zip(every, probabilities, strict=True)):
        for candidate in ranked:
            rows.append(index)
            cols.append(columns.setdefault(candidate.id, len(columns)))
            # How probable the others are tells the pairs, in proportion to the best.
            values.append(max(_LEAST, right * candidate.probability / max(ranked[0].probability, _LEAST)))
    ids = list(columns)
    for index, (_, no_match) in enumerate(probabilities):  # each name has a column of its own for "no match"
        rows.append(index)
        cols.append(len(ids) + index)
        values.append(max(_LEAST, no_match))
    shape = (len(every), len(ids) + len(every))
    if not len(every):
        return []
    # Sparse, and of the same result as `scipy.optimize.linear_sum_assignment`, whose matrix would be 2,000 x 20,000.
    graph = csr_array((values, (rows, cols)), shape=shape)
    assigned = dict(zip(*min_weight_full_bipartite_matching(graph, maximize=True), strict=True))
    owner = {ids[column]: int(index) for index, column in assigned.items() if column < len(ids)}
    left = []
    for index, ranked in enumerate(every):
        own = [candidate for candidate in ranked if owner.get(candidate.id) == index]
        left.append([*own, *(candidate for candidate in ranked if candidate.id not in owner)])
    return left
