"""Negative sampling: exact properties on random graphs, and feasibility against brute force."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from bioft.datasets.gene_disease import negatives
from bioft.datasets.gene_disease.negatives import Codes, degree_matched, uniform
from bioft.errors import BioftError

N_DISEASES = 9
CELLS = st.tuples(st.integers(0, 7), st.integers(0, N_DISEASES - 1))


def keys_of(cells: set[tuple[int, int]]) -> Codes:
    return np.array(sorted(gene * N_DISEASES + disease for gene, disease in cells), dtype=np.int64)


def feasible(genes: Codes, diseases: Codes, forbidden: Codes, per_positive: int) -> bool:
    """Whether a simple graph with these degrees avoids the forbidden pairs, by exhaustive search."""
    need_genes = {int(g): int((genes == g).sum()) * per_positive for g in np.unique(genes)}
    need_diseases = {int(d): int((diseases == d).sum()) * per_positive for d in np.unique(diseases)}
    banned = set(forbidden.tolist())
    cells = [c for c in product(need_genes, need_diseases) if c[0] * N_DISEASES + c[1] not in banned]

    # Augmenting paths one unit at a time: slow and plain, unlike the code under test.
    used: set[tuple[int, int]] = set()

    def augment(gene: int, seen: set[int]) -> bool:
        for g, d in cells:
            if g != gene or (g, d) in used or d in seen:
                continue
            seen.add(d)
            if sum(u[1] == d for u in used) < need_diseases[d]:
                used.add((g, d))
                return True
            for other in [u for u in used if u[1] == d and u[0] != g]:
                used.remove(other)
                used.add((g, d))
                if augment(other[0], seen):
                    return True
                used.remove((g, d))
                used.add(other)
        return False

    return all(augment(gene, set()) for gene, need in need_genes.items() for _ in range(need))


@settings(deadline=None, max_examples=300)
@given(st.sets(CELLS, min_size=1, max_size=30), st.sets(CELLS), st.integers(1, 3), st.integers(0, 9))
def test_degree_matched_is_exact_or_impossible(
    positives: set[tuple[int, int]], other: set[tuple[int, int]], per_positive: int, seed: int
) -> None:
    known = keys_of(positives)
    genes, diseases = known // N_DISEASES, known % N_DISEASES
    forbidden = keys_of(positives | other)
    try:
        new_genes, new_diseases = degree_matched(
            genes,
            diseases,
            n_diseases=N_DISEASES,
            forbidden=forbidden,
            rng=np.random.default_rng(seed),
            per_positive=per_positive,
        )
    except BioftError:
        assert not feasible(genes, diseases, forbidden, per_positive)
        return
    assert (np.bincount(new_genes, minlength=8) == per_positive * np.bincount(genes, minlength=8)).all()
    assert (np.bincount(new_diseases, minlength=9) == per_positive * np.bincount(diseases, minlength=9)).all()
    keys = new_genes * N_DISEASES + new_diseases
    assert len(np.unique(keys)) == len(keys)
    assert not np.isin(keys, forbidden).any()


@settings(deadline=None)
@given(st.sets(CELLS), st.integers(1, 72), st.integers(0, 9))
def test_uniform(known: set[tuple[int, int]], n: int, seed: int) -> None:
    forbidden = keys_of(known)
    pool = (np.array([0, 2, 3, 5, 7]), np.array([1, 2, 4, 8]))
    available = {(g, d) for g, d in product(*(side.tolist() for side in pool))} - known
    rng = np.random.default_rng(seed)
    if n > len(available):
        with pytest.raises(BioftError, match=f"only {len(available)} pairs"):
            uniform(n, *pool, n_diseases=N_DISEASES, forbidden=forbidden, rng=rng)
        return
    genes, diseases = uniform(n, *pool, n_diseases=N_DISEASES, forbidden=forbidden, rng=rng)
    drawn = set(zip(genes.tolist(), diseases.tolist(), strict=True))
    assert len(drawn) == n
    assert drawn <= available


@pytest.mark.parametrize("n", [5, 30])
def test_uniform_is_uniform(n: int) -> None:
    """Every allowed pair is drawn equally often, both by rejection (5) and by listing (30)."""
    forbidden = np.arange(0, 100, 7)
    counts = np.zeros(100)
    for seed in range(2000):
        rng = np.random.default_rng(seed)
        genes, diseases = uniform(n, np.arange(10), np.arange(10), n_diseases=10, forbidden=forbidden, rng=rng)
        counts[genes * 10 + diseases] += 1
    allowed = np.setdiff1d(np.arange(100), forbidden)
    expected = 2000 * n / len(allowed)
    assert counts[forbidden].sum() == 0
    assert abs(counts[allowed] - expected).max() < 5 * expected**0.5


def test_rewiring_reaches_every_graph_with_the_same_degrees_equally_often() -> None:
    """A perfect matching of 4 genes whose negatives are the 9 derangements."""
    known = np.arange(4) * 5
    seen: dict[tuple[int, ...], int] = {}
    for seed in range(1800):
        genes, diseases = degree_matched(
            np.arange(4), np.arange(4), n_diseases=4, forbidden=known, rng=np.random.default_rng(seed)
        )
        permutation = tuple(diseases[np.argsort(genes)].tolist())
        seen[permutation] = seen.get(permutation, 0) + 1
    assert len(seen) == 9
    assert min(seen.values()) > 100  # 200 expected


def skewed_graph(n: int, n_genes: int, n_diseases: int) -> Codes:
    rng = np.random.default_rng(0)
    genes, diseases = (rng.lognormal(0, 1.2, size) for size in (n_genes, n_diseases))
    keys = rng.choice(n_genes, 3 * n, p=genes / genes.sum()) * n_diseases
    keys += rng.choice(n_diseases, 3 * n, p=diseases / diseases.sum())
    return np.sort(rng.permutation(np.unique(keys))[:n])


def test_a_large_graph_with_hubs() -> None:
    known = skewed_graph(200_000, 9_000, 6_000)
    genes, diseases = known // 6_000, known % 6_000
    assert np.bincount(diseases).max() > 1_000
    results = [
        degree_matched(genes, diseases, n_diseases=6_000, forbidden=known, rng=np.random.default_rng(seed))
        for seed in (1, 1, 2)
    ]
    for new_genes, new_diseases in results:
        assert (np.bincount(new_genes) == np.bincount(genes)).all()
        assert (np.bincount(new_diseases) == np.bincount(diseases)).all()
        keys = new_genes * 6_000 + new_diseases
        assert len(np.unique(keys)) == len(known)
        assert not np.isin(keys, known).any()
    same, again, other = (set((g * 6_000 + d).tolist()) for g, d in results)
    assert same == again
    assert len(same & other) < 0.1 * len(same)


def test_the_exact_solver_finds_what_swaps_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """A crown: gene g has every disease but two, so that few graphs are left."""
    n = 40
    every = np.arange(n * n)
    gap = (every % n - every // n) % n
    known = every[gap > 1]
    rng = np.random.default_rng(0)
    monkeypatch.setattr(negatives, "GIVE_UP_ROUNDS", 0)
    genes, diseases = degree_matched(np.arange(n), np.arange(n), n_diseases=n, forbidden=known, rng=rng)
    assert sorted(diseases.tolist()) == list(range(n))
    assert set(((diseases - genes) % n).tolist()) <= {0, 1}


def test_where_the_exact_solver_is_too_large_the_search_still_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every gene and disease has partners left, but not all of them together."""
    monkeypatch.setattr(negatives, "MAX_FLOW_CELLS", 0)
    genes, diseases = np.array([0, 1, 2, 3]), np.array([0, 1, 2, 3])
    # Genes 0, 1 and 2 may only have diseases 2 and 3.
    allowed = [(0, 2), (0, 3), (1, 2), (1, 3), (2, 3), (2, 2), (3, 0), (3, 1), (3, 2)]
    forbidden = np.setdiff1d(np.arange(16), [g * 4 + d for g, d in allowed])
    with pytest.raises(BioftError, match=r"tightest is gene \d"):
        degree_matched(genes, diseases, n_diseases=4, forbidden=forbidden, rng=np.random.default_rng(0))


def test_the_message_names_the_hub_and_what_to_do() -> None:
    genes = np.array([0, 0, 0, 1, 2])
    diseases = np.array([0, 1, 2, 0, 1])
    with pytest.raises(BioftError) as caught:
        degree_matched(
            genes,
            diseases,
            n_diseases=3,
            forbidden=np.sort(genes * 3 + diseases),
            rng=np.random.default_rng(0),
            describe=lambda side, code: f"{side} '{'TNF' if code == 0 and side == 'gene' else code}'",
        )
    message = str(caught.value)
    assert "needs 3 negatives in this split, but only 0 of the split's 3 diseases" in message
    assert "gene 'TNF'" in message
    assert "'uniform'" in message
