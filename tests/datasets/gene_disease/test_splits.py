"""Splitting and the audit: partitions on random data, planted leaks, and the shortcuts of real data."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from datasets import Dataset, DatasetDict
from hypothesis import assume, given, settings, strategies as st

from bioft.datasets.gene_disease import ctd
from bioft.datasets.gene_disease.audit import audit
from bioft.datasets.gene_disease.negatives import degree_matched
from bioft.datasets.gene_disease.pairs import Entities
from bioft.datasets.splits import SPLITS, STRATEGIES, assign, check_disjoint, grouped_split, straddling
from bioft.errors import BioftError, LeakageError
from bioft.storage.text_lines import normalise


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Diabetes Mellitus, Type 2", "diabetes  mellitus type 2"),
        ("MATURITY-ONSET DIABETES", "Maturity onset diabetes"),
        ("Sjögren´s", "SJÖGREN´S"),
        ("ﬁbrosis", "fibrosis"),
        ("β-thalassemia", "Β thalassemia"),
        ("a_b", "a b"),
    ],
)
def test_the_same_name(first: str, second: str) -> None:
    assert normalise(first) == normalise(second)


def test_other_names_stay_apart() -> None:
    assert len({normalise(name) for name in ("NKX2-1", "NKX21", "MODY 1", "MODY 2", "+", "-")}) == 6


@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once or not once.isascii()  # full case folding of rare letters may take two steps
    assert normalise(text.upper()).casefold() == normalise(text.upper())


SIZES = st.tuples(st.floats(0.02, 0.45), st.floats(0.02, 0.45))


@settings(deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=200), SIZES, st.integers(0, 99))
def test_grouped_split(groups: list[int], sizes: tuple[float, float], seed: int) -> None:
    try:
        rows = grouped_split(groups, *sizes, np.random.default_rng(seed))
    except BioftError as error:
        assert "No rows left for split" in str(error)
        return
    assert (rows == grouped_split(groups, *sizes, np.random.default_rng(seed))).all()
    of_group: dict[int, set[int]] = {}
    for group, row in zip(groups, rows.tolist(), strict=True):
        of_group.setdefault(group, set()).add(row)
    assert all(len(splits) == 1 for splits in of_group.values())
    # No split is further from its size than half of the largest group on either side.
    largest = max(groups.count(group) for group in groups)
    for name, size in zip(("validation", "test"), sizes, strict=True):
        assert abs((rows == SPLITS.index(name)).sum() - size * len(groups)) <= largest


def test_pair_split_has_the_published_size() -> None:
    rows = grouped_split(np.arange(34_222), 0.1, 0.2, np.random.default_rng(0))
    assert np.bincount(rows).tolist() == [23_955, 3_423, 6_844]


def test_names_as_groups() -> None:
    groups = ["a"] * 50 + ["b"] * 30 + ["c"] * 20
    rows = grouped_split(groups, 0.3, 0.2, np.random.default_rng(0))
    assert {groups[i]: SPLITS[row] for i, row in enumerate(rows)}.keys() == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("sizes", "message"), [((0, 0.2), "validation_size is 0"), ((0.1, 1.2), "test_size"), ((0.5, 0.5), "nothing")]
)
def test_sizes_that_make_no_sense(sizes: tuple[float, float], message: str) -> None:
    with pytest.raises(BioftError, match=message):
        grouped_split(range(100), *sizes, np.random.default_rng(0))


PAIRS = st.sets(st.tuples(st.integers(0, 25), st.integers(0, 25)), min_size=60, max_size=200)


@settings(deadline=None)
@given(PAIRS, st.sampled_from(STRATEGIES), st.integers(0, 9))
def test_held_out_entities_are_in_one_split(pairs: set[tuple[int, int]], strategy: str, seed: int) -> None:
    genes, diseases = np.array(sorted(pairs)).T
    try:
        assignment = assign(strategy, genes, diseases, 0.2, 0.3, np.random.default_rng(seed))
    except BioftError:
        assume(False)
    rows = assignment.rows
    held_out = {"pair": "", "gene_held_out": "g", "disease_held_out": "d", "both_held_out": "gd"}[strategy]
    owners = (assignment.gene_rows, assignment.disease_rows)
    for side, codes, owned in zip("gd", (genes, diseases), owners, strict=True):
        pools = [set(assignment.allowed(index, codes, owned).tolist()) for index in range(3)]
        for index in range(3):
            assert set(codes[rows == index].tolist()) <= pools[index]
        if side in held_out:
            assert sum(map(len, pools)) == len(set(codes.tolist())) == len(set.union(*pools))
        else:
            assert all(pool == set(codes.tolist()) for pool in pools)
    if strategy != "both_held_out":
        assert (rows >= 0).all()
    else:
        dropped = rows < 0
        owner_gene, owner_disease = (
            {code: index for index in range(3) for code in assignment.allowed(index, codes, owned).tolist()}
            for codes, owned in zip((genes, diseases), owners, strict=True)
        )
        crossing = [owner_gene[g] != owner_disease[d] for g, d in zip(genes.tolist(), diseases.tolist(), strict=True)]
        assert dropped.tolist() == crossing


def test_straddling() -> None:
    groups = {"train": ["a", "b", "b"], "validation": ["c"], "test": ["b", "d"]}
    assert straddling(groups) == {"b": ["train", "test"]}
    with pytest.raises(LeakageError, match=r"1 documents straddle splits, for example 'b' in train and test"):
        check_disjoint(groups, "documents")
    check_disjoint({"train": ["a"], "test": ["b"]}, "documents")


# The audit


def rows_of(*pairs: tuple[str, str, int]) -> Dataset:
    columns: dict[str, list[Any]] = {
        "gene": [gene for gene, _, _ in pairs],
        "gene_id": [f"id of {gene}" for gene, _, _ in pairs],
        "disease": [disease for _, disease, _ in pairs],
        "disease_id": [f"id of {disease}" for _, disease, _ in pairs],
        "label": [label for _, _, label in pairs],
    }
    return Dataset.from_dict(columns)


def clean() -> dict[str, list[tuple[str, str, int]]]:
    """Splits in which everything is held out, so that every strategy is kept."""
    return {
        name: [(f"{name}G{g}", f"{name} disease {d}", int((g + d) % 2)) for g in range(4) for d in range(4)]
        for name in SPLITS
    }


def audited(splits: dict[str, list[tuple[str, str, int]]], **arguments: Any) -> dict[str, Any]:
    return audit(DatasetDict({name: rows_of(*rows) for name, rows in splits.items()}), **arguments)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_clean_splits_pass(strategy: str) -> None:
    result = audited(clean(), split=strategy, known_positives={"test": (["trainG0"], ["test disease 1"])})
    assert set(result["checks"].values()) == {0}
    assert json.loads(json.dumps(result)) == result
    assert result["entity_overlap"]["gene"]["test"] == {"entities": 4, "in_train": 0, "rows_in_train_fraction": 0.0}


def same_pair(splits: dict[str, list[tuple[str, str, int]]]) -> None:
    splits["test"].append(splits["train"][0])


def same_text(splits: dict[str, list[tuple[str, str, int]]]) -> None:
    gene, disease, label = splits["train"][0]
    splits["test"].append((gene.lower(), disease.upper() + ",", label))


def known_as_negative(splits: dict[str, list[tuple[str, str, int]]]) -> None:
    gene, disease, _ = next(row for row in splits["train"] if row[2] == 1)
    splits["train"].append((gene.lower(), disease, 0))


def repeated(splits: dict[str, list[tuple[str, str, int]]]) -> None:
    splits["train"].append(splits["train"][0])


@pytest.mark.parametrize(
    ("plant", "message"),
    [
        (same_pair, "straddle splits"),
        (same_text, r"pairs \(normalised names\) straddle splits"),
        (known_as_negative, "are known positives"),
        (repeated, "1 repeated pairs"),
    ],
)
def test_a_planted_leak_is_found(plant: Callable[[Any], None], message: str) -> None:
    splits = clean()
    plant(splits)
    with pytest.raises(LeakageError, match=message):
        audited(splits)


def test_a_known_positive_from_outside_the_dataset() -> None:
    splits = clean()
    gene, disease, _ = next(row for row in splits["test"] if row[2] == 0)
    with pytest.raises(LeakageError, match="split 'test' are known positives"):
        audited(splits, known_positives={"test": ([gene.upper()], [disease])})


def test_ids_straddle_though_the_names_differ() -> None:
    splits = {name: rows_of(*rows) for name, rows in clean().items()}
    columns = splits["test"].to_dict()
    for key in ("gene_id", "disease_id"):
        columns[key][0] = splits["train"][0][key]
    splits["test"] = Dataset.from_dict(columns)
    with pytest.raises(LeakageError, match=r"pairs \(ids\)"):
        audit(splits)


@pytest.mark.parametrize(
    ("side", "fails"),
    [("gene", {"gene_held_out", "both_held_out"}), ("disease", {"disease_held_out", "both_held_out"})],
)
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("by_id", [False, True])
def test_a_shared_entity_fails_where_it_is_held_out(side: str, fails: set[str], strategy: str, by_id: bool) -> None:
    splits = {name: rows_of(*rows) for name, rows in clean().items()}
    columns = splits["test"].to_dict()
    key = f"{side}_id" if by_id else side
    # One of two joined ids is enough.
    columns[key][0] = f"other|{splits['train'][0][key]}" if by_id else splits["train"][0][key].upper()
    splits["test"] = Dataset.from_dict(columns)
    if strategy in fails:
        with pytest.raises(LeakageError, match=f"held-out {side}s"):
            audit(splits, split=strategy)
    else:
        result = audit(splits, split=strategy)
        assert result["entity_overlap"][side]["test"]["in_train"] == (0 if by_id else 1)


def shortcuts(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {shortcut["predictor"]: shortcut for shortcut in result["shortcuts"]}


TRAINING = "degree in the training positives"
OWN_PAIR = "degree in the training positives, own pair counted"
OWN = "degree in the test positives"
SPELLING = "spelling of the names (TF-IDF)"


@pytest.fixture
def real(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """CTD's file; audits leave out the surface, of which other tests are, and which is a third of their time."""
    monkeypatch.setattr("bioft.datasets.gene_disease.audit.surface", lambda *_: {})
    return shared_data / "ctd" / "CTD_curated_genes_diseases.csv.gz"


def test_ctd_uniform_negatives_are_flagged(real: Path) -> None:
    found = shortcuts(ctd.build(real, negatives="uniform")[1]["audit"])
    assert {predictor: shortcut["flag"] for predictor, shortcut in found.items()} == dict.fromkeys(
        (TRAINING, OWN_PAIR, OWN, SPELLING), "shortcut"
    )
    assert found[TRAINING]["auroc"] == pytest.approx(0.93, abs=0.015)
    assert found[SPELLING]["auroc"] == pytest.approx(0.885, abs=0.015)
    assert all(shortcut["n"] == 13_688 for shortcut in found.values())


def test_ctd_degree_matched_negatives_are_clean_but_for_what_pairs_of_rare_names_tell(real: Path) -> None:
    found = shortcuts(ctd.build(real)[1]["audit"])
    for predictor in (OWN, SPELLING):
        assert found[predictor]["flag"] is None
        assert found[predictor]["auroc"] == pytest.approx(0.5, abs=0.01)
    # Matching the degrees of genes and of diseases does not match how they go together.
    assert found[TRAINING]["auroc"] == pytest.approx(0.51, abs=0.015)
    assert found[OWN_PAIR]["auroc"] == pytest.approx(0.56, abs=0.015)
    assert found[OWN_PAIR]["flag"] == "shortcut"


def test_ctd_both_sides_held_out_leaves_no_training_degree(real: Path) -> None:
    found = shortcuts(ctd.build(real, split="both_held_out", negatives="uniform")[1]["audit"])
    for predictor in (TRAINING, OWN_PAIR):
        assert (found[predictor]["auroc"], found[predictor]["flag"]) == (0.5, None)


def test_negatives_matched_once_and_split_afterwards_are_an_inverted_shortcut(real: Path) -> None:
    """The protocol that looks right and is not: an entity's training positives leave negatives for test."""
    rows = list(ctd.read(real))
    table = {key: np.array([row[key] for row in rows], dtype=object) for key in rows[0]}
    genes = Entities(pd.Series(table["gene"]), pd.Series(table["gene_id"]))
    diseases = Entities(pd.Series(table["disease"]), pd.Series(table["disease_id"]))
    n_diseases = len(diseases.names)
    known = np.unique(genes.codes * n_diseases + diseases.codes)
    rng = np.random.default_rng(0)
    negative = degree_matched(known // n_diseases, known % n_diseases, n_diseases=n_diseases, forbidden=known, rng=rng)
    gene = np.concatenate([known // n_diseases, negative[0]])
    disease = np.concatenate([known % n_diseases, negative[1]])
    label = np.repeat([1, 0], len(known))
    split = grouped_split(np.arange(len(label)), 0.1, 0.2, rng)
    dataset = DatasetDict(
        {
            name: Dataset.from_dict(
                {
                    "gene": genes.names[gene[split == index]],
                    "gene_id": genes.ids[gene[split == index]],
                    "disease": diseases.names[disease[split == index]],
                    "disease_id": diseases.ids[disease[split == index]],
                    "label": label[split == index],
                }
            )
            for index, name in enumerate(SPLITS)
        }
    )
    found = shortcuts(audit(dataset))
    assert found[SPELLING]["flag"] == "inverted shortcut"
    assert found[SPELLING]["auroc"] == pytest.approx(0.21, abs=0.02)
