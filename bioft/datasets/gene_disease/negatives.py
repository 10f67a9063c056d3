"""Negative gene–disease pairs, drawn inside one split, vectorised over integer codes.

A pair (gene g, disease d) is handled as the integer key g * n_diseases + d. Both samplers give distinct
pairs, none of them forbidden.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow

from bioft.errors import BioftError

Codes = npt.NDArray[np.int64]
Describe = Callable[[str, int], str]
"""(side, code) → how to name that entity in a message; side is "gene" or "disease"."""

MAX_FLOW_CELLS = 5_000_000
"""Largest genes × diseases table for which the exact solver is used (about 0.5 GB)."""
STALLED_ROUNDS = 50
"""After so many rounds of swaps without progress every pair may move once, to open ways out of a dead end."""
GIVE_UP_ROUNDS = 300
"""Rounds of swaps without progress before the search gives up."""


def contains(sorted_keys: Codes, keys: Codes) -> npt.NDArray[np.bool_]:
    """For each of `keys`, whether it is among `sorted_keys`."""
    if not len(sorted_keys):
        return np.zeros(len(keys), bool)
    positions = np.searchsorted(sorted_keys, keys)
    positions[positions == len(sorted_keys)] = 0
    return sorted_keys[positions] == keys


def distinct(*parts: Codes) -> Codes:
    """The different numbers, sorted; `np.unique` alone would hash them, which takes fifty times as long."""
    return np.unique(np.concatenate(parts), return_counts=True)[0]


def uniform(
    n: int,
    genes: Codes,
    diseases: Codes,
    *,
    n_diseases: int,
    forbidden: Codes,
    rng: np.random.Generator,
) -> tuple[Codes, Codes]:
    """Draw `n` distinct pairs uniformly from `genes` × `diseases`, none of whose keys is in `forbidden` (sorted).

    What most of the literature does. Frequent entities of the positives are rare among such negatives, so a model can
    score well by knowing nothing but how often a name occurs. Returns the codes of the genes and of the diseases,
    shape (n,). BioftError: there are fewer than `n` such pairs.
    """
    in_genes = np.isin(forbidden // n_diseases, genes)
    n_forbidden = int(np.isin(forbidden[in_genes] % n_diseases, diseases).sum())
    available = len(genes) * len(diseases) - n_forbidden
    if n > available:
        raise BioftError(
            f"{n:,} negatives were asked for, but {len(genes):,} genes and {len(diseases):,} diseases have "
            f"only {available:,} pairs that are not known positives. Lower negatives_per_positive or choose "
            "another split."
        )
    if 2 * (n + n_forbidden) > len(genes) * len(diseases):  # dense: rejection would be slow, listing is cheap
        keys = (genes[:, None] * n_diseases + diseases).ravel()
        keys = rng.choice(keys[~contains(forbidden, keys)], n, replace=False)
        return keys // n_diseases, keys % n_diseases
    drawn = np.empty(0, np.int64)
    while len(drawn) < n:
        size = int(1.2 * (n - len(drawn))) + 16
        keys = rng.choice(genes, size) * n_diseases + rng.choice(diseases, size)
        keys = np.concatenate([drawn, keys[~contains(forbidden, keys)]])
        _, first = np.unique(keys, return_index=True)
        drawn = keys[np.sort(first)][:n]  # in the order drawn: cutting sorted keys would favour some genes
    return drawn // n_diseases, drawn % n_diseases


def degree_matched(
    genes: Codes,
    diseases: Codes,
    *,
    n_diseases: int,
    forbidden: Codes,
    rng: np.random.Generator,
    per_positive: int = 1,
    describe: Describe = "{} {}".format,
) -> tuple[Codes, Codes]:
    """Rewire one split's positives until no pair is forbidden: a bipartite configuration model, exact.

    The diseases of the positives (codes of shape (n,)) are permuted among their genes; then conflicting pairs (in
    `forbidden`, sorted keys with the positives among them, or drawn twice) swap diseases with random partners. Every
    gene and every disease so occurs exactly `per_positive` times as often among the negatives as among the positives,
    and how often a name occurs says nothing about the label (Zietz et al., GigaScience 2024, on the degree shortcut;
    Maslov and Sneppen, Science 2002, on degree-preserving swaps). Where swaps alone get stuck, a maximum flow finds
    the negatives or proves that there are none. Returns the codes of genes and diseases, shape (n * per_positive,).
    BioftError: names the gene or disease that has too few partners left.
    """
    genes = np.repeat(genes, per_positive)
    pool = np.unique(diseases)
    diseases = np.repeat(diseases, per_positive)
    _check_partners(genes, diseases, n_diseases, forbidden, describe)

    rewiring = _Rewiring(genes, rng.permutation(diseases), n_diseases, forbidden)
    bad = rewiring.conflicts()
    stalled = 0
    while len(bad) and stalled < GIVE_UP_ROUNDS:
        if stalled % STALLED_ROUNDS == STALLED_ROUNDS - 1:
            rewiring.refresh()
            candidates = np.arange(len(genes))
        else:
            candidates = distinct(bad, rng.integers(len(genes), size=len(bad) + 1))
        moved = rewiring.swap(rng.permutation(candidates))
        left = np.setdiff1d(bad, moved, assume_unique=True)
        stalled = 0 if len(left) < len(bad) else stalled + 1
        bad = left
    if len(bad):
        if len(np.unique(genes)) * len(pool) > MAX_FLOW_CELLS:
            worst = describe("gene", int(np.bincount(genes[bad]).argmax()))
            raise _infeasible(worst, f"{len(bad):,} of {len(genes):,} rewired pairs remain known positives")
        genes, diseases = _maximum_flow(genes, diseases, n_diseases, forbidden, describe)
        rewiring = _Rewiring(genes, diseases, n_diseases, forbidden)
        for _ in range(20):  # the solver's answer is arbitrary: shuffle it
            rewiring.swap(rng.permutation(len(genes)))
    return rewiring.genes, rewiring.diseases


class _Rewiring:
    """Pairs whose diseases are swapped until none is forbidden or drawn twice."""

    def __init__(self, genes: Codes, diseases: Codes, n_diseases: int, forbidden: Codes) -> None:
        self.genes, self.diseases = genes, diseases.copy()
        self.n_diseases, self.forbidden = n_diseases, forbidden
        self.refresh()

    def refresh(self) -> None:
        """Sort the keys that are taken: at each round that would cost most of the time.

        New keys wait in `recent`, and keys that were swapped away stay in `taken`, which only rules out more than
        needed.
        """
        self.taken = np.sort(self.keys())
        self.recent = np.empty(0, np.int64)

    def keys(self) -> Codes:
        return self.genes * self.n_diseases + self.diseases

    def conflicts(self) -> Codes:
        """Indices of the pairs that are forbidden, or repeat an earlier one."""
        keys = self.keys()
        _, first = np.unique(keys, return_index=True)
        bad = np.ones(len(keys), bool)
        bad[first] = contains(self.forbidden, keys[first])
        return np.flatnonzero(bad)

    def swap(self, indices: Codes) -> Codes:
        """Swap diseases between the two halves of `indices` wherever both new pairs are allowed; returns those that
        changed.
        """
        half = len(indices) // 2
        left, right = indices[:half], indices[half : 2 * half]
        new = np.concatenate(
            [
                self.genes[left] * self.n_diseases + self.diseases[right],
                self.genes[right] * self.n_diseases + self.diseases[left],
            ]
        )
        allowed = ~(contains(self.forbidden, new) | contains(self.taken, new) | contains(self.recent, new))
        _, inverse, counts = np.unique(new, return_inverse=True, return_counts=True)
        allowed &= counts[inverse] == 1
        both = allowed[:half] & allowed[half:]
        left, right = left[both], right[both]
        self.diseases[left], self.diseases[right] = self.diseases[right], self.diseases[left]
        self.recent = distinct(self.recent, new[np.concatenate([both, both])])
        if len(self.recent) > len(self.taken) // 20:
            self.refresh()
        return np.concatenate([left, right])


def _infeasible(entity: str, reason: str) -> BioftError:
    return BioftError(
        f"No degree-matched negatives: {reason}; the tightest is {entity}. Use negatives 'uniform', a lower "
        "negatives_per_positive, or a split with more pairs (larger validation_size, test_size)."
    )


def _check_partners(genes: Codes, diseases: Codes, n_diseases: int, forbidden: Codes, describe: Describe) -> None:
    """Fail early, and by name, when an entity has fewer partners left than it needs negatives."""
    forbidden_genes, forbidden_diseases = forbidden // n_diseases, forbidden % n_diseases
    n_genes = int(max(genes.max(initial=0), forbidden_genes.max(initial=0))) + 1
    gene_needs = np.bincount(genes, minlength=n_genes)
    disease_needs = np.bincount(diseases, minlength=n_diseases)
    inside = (gene_needs[forbidden_genes] > 0) & (disease_needs[forbidden_diseases] > 0)
    sides = (
        ("gene", "diseases", gene_needs, forbidden_genes[inside], int((disease_needs > 0).sum())),
        ("disease", "genes", disease_needs, forbidden_diseases[inside], int((gene_needs > 0).sum())),
    )
    for side, partners, needs, blocked, pool in sides:
        left = pool - np.bincount(blocked, minlength=len(needs))
        short = np.where(needs > 0, needs - left, 0)
        if short.max(initial=0) > 0:
            worst = int(short.argmax())
            raise _infeasible(
                describe(side, worst),
                f"a {side} needs {needs[worst]} negatives in this split, but only {left[worst]} of the "
                f"split's {pool} {partners} are no known positives of it",
            )


def _maximum_flow(
    genes: Codes, diseases: Codes, n_diseases: int, forbidden: Codes, describe: Describe
) -> tuple[Codes, Codes]:
    """Pairs with exactly these degrees and none forbidden, by maximum flow; BioftError if there are none."""
    gene_codes, gene_needs = np.unique(genes, return_counts=True)
    disease_codes, disease_needs = np.unique(diseases, return_counts=True)
    keys = gene_codes[:, None] * n_diseases + disease_codes
    rows, columns = np.nonzero(~contains(forbidden, keys.ravel()).reshape(keys.shape))
    # Nodes: source, genes, diseases, sink.
    first_disease = 1 + len(gene_codes)
    sink = first_disease + len(disease_codes)
    tails = np.concatenate([np.zeros_like(gene_codes), rows + 1, first_disease + np.arange(len(disease_codes))])
    heads = np.concatenate(
        [1 + np.arange(len(gene_codes)), columns + first_disease, np.full(len(disease_codes), sink)]
    )
    capacities = np.concatenate([gene_needs, np.ones_like(rows), disease_needs]).astype(np.int32)
    graph = csr_array((capacities, (tails, heads)), shape=(sink + 1, sink + 1))
    result = maximum_flow(graph, 0, sink)
    flow = result.flow.tocoo()
    if result.flow_value < len(genes):
        sent = np.zeros(sink + 1, np.int64)
        from_source = flow.row == 0
        sent[flow.col[from_source]] = flow.data[from_source]
        worst = int((gene_needs - sent[1:first_disease]).argmax())
        raise _infeasible(
            describe("gene", int(gene_codes[worst])),
            f"no choice of pairs avoids the known positives ({len(genes) - result.flow_value} of "
            f"{len(genes)} can't be placed)",
        )
    used = (flow.data > 0) & (flow.row > 0) & (flow.row < first_disease) & (flow.col < sink)
    return gene_codes[flow.row[used] - 1], disease_codes[flow.col[used] - first_disease]
