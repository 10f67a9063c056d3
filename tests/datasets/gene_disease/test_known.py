"""Known associations united while they are read: as if all were joined at once, in the memory that pairs need."""

import sys
import tracemalloc
from typing import Any

import numpy as np
import psutil
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from datasets import Dataset, DatasetDict
from hypothesis import given, settings, strategies as st

from bioft.datasets.gene_disease import audit, baselines, known, on_disk, pairs
from bioft.errors import BioftError
from bioft.storage.files import forget

pytestmark = pytest.mark.usefixtures("leaks_alone")

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
        patch.setattr(known, "PARTS", 3)
        found = known.collect(rows)
    texts = (its.take(found.pairs.places).to_pylist() for its in (found.pairs.evidence, found.pairs.pmids))
    numbers = zip(*map(list, found.numbers()), *texts, strict=True)
    read = [(*found.genes[gene], *found.diseases[disease], *rest) for gene, disease, *rest in numbers]
    assert read == expected(rows)
    assert found.n_repeated == len(rows) - len(read)


def peak(action: Any) -> int:
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_is_that_of_the_numbers_and_not_of_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 1,000 pairs in 8,000 rows whose articles have 4 MB, by what Python, numpy and Arrow allocate."""
    for module, name, value in ((known, "BATCH", 100), (known, "LEAST", 500), (on_disk, "PIECE", 50)):
        monkeypatch.setattr(module, name, value)
    rows = [
        row(n // 20 % 50, n % 20, pmids="|".join(str(10**8 * n + each) for each in range(40))) for n in range(8_000)
    ]
    default, pool = pa.default_memory_pool(), pa.proxy_memory_pool(pa.default_memory_pool())
    made: list[Dataset] = []

    def make() -> None:
        found = known.collect(rows)
        genes, diseases = (pairs.Entities.of(its) for its in (found.genes, found.diseases))
        codes, none = found.numbers(), np.zeros(0, np.int64)
        its = found.pairs.by(codes[0] * 20 + codes[1])
        made.append(pairs._rows(its, codes, (none, none), genes, diseases, np.random.default_rng(0)))

    pa.set_memory_pool(pool)
    try:
        assert peak(make) + pool.max_memory() < 2_000_000
    finally:
        pa.set_memory_pool(default)
    told = dict(zip(zip(made[0]["gene"], made[0]["disease"], strict=True), made[0]["pmids"], strict=True))
    assert told == {each[0::2][:2]: each[-1] for each in expected(rows)}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what of a file is in memory")
def test_the_memory_of_files_that_were_read_is_given_back() -> None:
    texts = on_disk.stored({"pmids": (pa.array([f"{n:0999}" for n in range(1_000)]) for _ in range(40))})["pmids"]

    def held() -> int:
        return int(psutil.Process().memory_info().shared)

    before = held()
    assert len(set(texts.to_pylist())) == 1_000
    assert held() > before + 35e6
    forget()
    assert held() < before + 5e6
    assert texts[39_999].as_py() == f"{999:0999}"


def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """By rows that wait and by texts of pairs: a file may have 50 KB at most."""
    resource = pytest.importorskip("resource")
    _, hard = limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    rows = [row(n, n, pmids="1" * 100) for n in range(1_000)]
    for least in (100, 10_000):
        monkeypatch.setattr(known, "LEAST", least)
        monkeypatch.setattr(known, "PARTS", 1)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
        try:
            with pytest.raises(BioftError, match="Can't write to"):
                known.collect(rows)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_spelling_is_scored_some_rows_at_a_time() -> None:
    """Of 40,000 rows, each with some hundred numbers, at once it would be 250 MB."""
    names = [f"Syndrome {chr(65 + n % 26)}{n}, familial" for n in range(200)]
    columns = {name: names * 200 for name in ("gene", "gene_id", "disease", "disease_id")}
    rows = Dataset.from_dict(columns | {"label": [0, 1] * 20_000})
    fitted = baselines.TfIdf().fit(rows.select(range(200)))
    assert peak(lambda: fitted.predict(rows)) < 120e6


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
