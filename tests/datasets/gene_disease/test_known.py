"""Known associations united while they are read: as if all were joined at once, in the memory that pairs need."""

import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from datasets import Dataset, DatasetDict
from hypothesis import given, settings, strategies as st

from bioft.datasets.gene_disease import audit, known

Row = dict[str, str]


def row(gene: int, disease: int, evidence: str = "inferred", pmids: str = "") -> Row:
    sides = {"gene": f"G{gene}", "gene_id": str(gene), "disease": f"Disease {disease}", "disease_id": f"D{disease}"}
    return sides | {"evidence": evidence, "pmids": pmids}


PARTS = st.lists(st.sampled_from(["1", "2", "3", "10"]), max_size=3).map("|".join)
ROWS = st.lists(st.builds(row, st.integers(0, 3), st.integers(0, 3), st.sampled_from(["b", "a", "b|a"]), PARTS))


def expected(rows: list[Row]) -> list[tuple[str, ...]]:
    """The same by Python's own objects, each row joined to what there was before."""
    united: dict[tuple[str, ...], tuple[str, str]] = {}
    for each in rows:
        key, value = tuple(list(each.values())[:4]), (each["evidence"], each["pmids"])
        if (before := united.setdefault(key, value)) != value:
            both = zip(before, value, strict=True)
            evidence, pmids = (dict.fromkeys(part for one in its for part in one.split("|") if part) for its in both)
            united[key] = "|".join(sorted(evidence)), "|".join(pmids)
    return [(*key, *value) for key, value in united.items()]


@settings(deadline=None)
@given(ROWS, st.integers(1, 5), st.integers(1, 9))
def test_rows_are_united_as_if_all_were_held(rows: list[Row], batch: int, least: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(known, "BATCH", batch)
        patch.setattr(known, "LEAST", least)
        found = known.collect(rows)
    columns = (found.pairs["evidence"].to_pylist(), found.pairs["pmids"].to_pylist())
    numbers = zip(*map(list, found.numbers()), *columns, strict=True)
    read = [(*found.genes[gene], *found.diseases[disease], *rest) for gene, disease, *rest in numbers]
    assert read == expected(rows)
    assert found.n_repeated == len(rows) - len(read)


def many(genes: int, times: int) -> Iterator[Row]:
    """Each of a gene's 100 pairs so many times, by other articles that are told in long."""
    for time in range(times):
        for number in range(genes * 100):
            yield row(number // 100, number % 100, pmids=str(10**9 + number % 50 + time % 2))


def peak(action: Any) -> int:
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_is_that_of_the_pairs_and_not_of_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Python and numpy allocate; Arrow's own memory is beside it, some 40 bytes a pair."""
    monkeypatch.setattr(known, "BATCH", 500)
    monkeypatch.setattr(known, "LEAST", 1_000)
    once = peak(lambda: known.collect(many(20, 1)))
    assert peak(lambda: known.collect(many(20, 10))) < 1.5 * once


def test_the_audit_holds_numbers_and_not_a_text_for_each_row() -> None:
    """Of a million pairs the texts and their joined pairs would be more than half a gigabyte."""
    genes, diseases = np.divmod(np.random.default_rng(0).permutation(30_000), 200)
    columns = {"gene": genes, "gene_id": genes + 10**6, "disease": diseases, "disease_id": diseases + 10**6}
    texts = {name: [f"{name} {value}" for value in its.tolist()] for name, its in columns.items()}
    rows = Dataset.from_dict(texts | {"label": [1, 0] * 15_000})
    splits = DatasetDict(train=rows.select(range(20_000)), test=rows.select(range(20_000, 30_000)))
    known_names = texts["gene"][:20_000:2], texts["disease"][:20_000:2]

    def check() -> None:
        audit._check_pairs(audit._Columns(splits), {"train": known_names})

    check()  # what is imported and kept once
    assert peak(check) < 150 * len(rows)
