"""Datasets of gene–disease pairs as a whole, on random associations."""

from typing import Any

import pandas as pd
import pytest
from hypothesis import assume, given, settings, strategies as st

from bioft.datasets.gene_disease.pairs import COLUMNS, NEGATIVES, Entities, build_pairs
from bioft.datasets.origin import Origin
from bioft.datasets.splits import SPLITS, STRATEGIES
from bioft.errors import BioftError
from bioft.storage.text_lines import normalise

pytestmark = pytest.mark.usefixtures("leaks_alone")


def row(gene: str, disease: str, **values: str) -> dict[str, str]:
    base = {"gene": gene, "gene_id": f"g:{gene}", "disease": disease, "disease_id": f"d:{disease}"}
    return base | {"evidence": "curated", "pmids": ""} | values


def build(rows: list[dict[str, str]], **arguments: Any) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    dataset, manifest = build_pairs(rows, Origin("test", {}, [], {}), **arguments)
    return {name: split.to_pandas() for name, split in dataset.items()}, manifest


def associations(pairs: set[tuple[int, int]]) -> list[dict[str, str]]:
    return [row(f"G{g}", f"Disease {d}") for g, d in sorted(pairs)]


PAIRS = st.sets(st.tuples(st.integers(0, 39), st.integers(0, 39)), min_size=80, max_size=250)


@settings(deadline=None, max_examples=12)
@given(PAIRS, st.sampled_from(STRATEGIES), st.sampled_from(NEGATIVES), st.integers(1, 2), st.integers(0, 99))
def test_every_promise_of_a_dataset(
    pairs: set[tuple[int, int]], split: str, negatives: str, per_positive: int, seed: int
) -> None:
    rows = associations(pairs)
    arguments: dict[str, Any] = {
        "split": split,
        "negatives": negatives,
        "negatives_per_positive": per_positive,
        "validation_size": 0.2,
        "test_size": 0.3,
        "seed": seed,
    }
    try:
        frames, manifest = build(rows, **arguments)
    except BioftError as error:
        # Small random graphs may leave a split empty or without negatives; nothing else may go wrong.
        assume("No degree-matched negatives" not in str(error) and "negatives were asked" not in str(error))
        assume("No rows left" not in str(error))
        raise
    known = {(r["gene"], r["disease"]) for r in rows}
    seen: set[tuple[str, str]] = set()
    n_positive = 0
    assert list(frames) == list(SPLITS)
    for name, frame in frames.items():
        assert tuple(frame.columns) == COLUMNS
        positives, negative = frame[frame["label"] == 1], frame[frame["label"] == 0]
        assert manifest["rows"][name] == {"positive": len(positives), "negative": len(negative)}
        assert len(negative) == per_positive * len(positives) > 0
        drawn = set(zip(frame["gene"], frame["disease"], strict=True))
        assert len(drawn) == len(frame)
        assert not drawn & seen
        seen |= drawn
        assert set(zip(positives["gene"], positives["disease"], strict=True)) <= known
        assert not set(zip(negative["gene"], negative["disease"], strict=True)) & known
        assert set(positives["evidence"]) == {"curated"}
        assert set(negative["evidence"]) == {""}
        assert (frame["gene_id"] == "g:" + frame["gene"]).all()
        assert (frame["disease_id"] == "d:" + frame["disease"]).all()
        n_positive += len(positives)
        if negatives == "degree_matched":
            for side in ("gene", "disease"):
                expected = positives[side].value_counts() * per_positive
                assert negative[side].value_counts().to_dict() == expected.to_dict()
    assert n_positive + manifest["split"]["dropped"] == len(known)
    for side in ("gene", "disease"):
        if split in (f"{side}_held_out", "both_held_out"):
            entities = [set(frame[side]) for frame in frames.values()]
            assert sum(map(len, entities)) == len(set.union(*entities))
    assert build(rows, **arguments)[1] == manifest


def full(n: int = 30) -> list[dict[str, str]]:
    return associations({(g, d) for g in range(n) for d in range(n) if (g * 7 + d * 3) % 4 == 0})


def test_the_seed_decides() -> None:
    assert build(full(), seed=1)[1]["fingerprints"] != build(full(), seed=2)[1]["fingerprints"]


def test_rows_are_shuffled() -> None:
    labels = build(full())[0]["train"]["label"].tolist()
    assert labels != sorted(labels)
    assert labels != sorted(labels, reverse=True)


def test_two_ids_with_the_same_name_are_one_disease() -> None:
    rows = full()
    twins = [row(f"G{g}", "DISEASE 5.", disease_id="other", pmids="77", evidence="new") for g in range(30)]
    frames, manifest = build(rows + twins, split="disease_held_out", negatives="uniform")
    everything = pd.concat(frames.values())
    five = everything[everything["disease"].map(normalise) == "disease 5"]
    assert set(five["disease"]) == {"Disease 5"}
    assert set(five["disease_id"]) == {"d:Disease 5|other"}
    assert len(set(five["gene"])) == len(five)
    assert sum("Disease 5" in set(frame["disease"]) for frame in frames.values()) == 1
    before = {r["gene"] for r in rows if r["disease"] == "Disease 5"}
    positive = five[five["label"] == 1].set_index("gene")
    assert set(positive.index) == {f"G{g}" for g in range(30)}
    for gene, found in positive.iterrows():
        assert found["evidence"] == ("curated|new" if gene in before else "new")
        assert found["pmids"] == "77"
    assert manifest["pairs"]["diseases_with_several_ids"] == 1
    assert manifest["pairs"]["united_by_name_or_id"] == len(before)


def test_two_names_of_one_id_are_one_gene() -> None:
    entities = Entities(pd.Series(["P53", "TP53", "BRCA1", "p53"]), pd.Series(["1", "1", "2", "3"]))
    assert entities.codes[0] == entities.codes[1] == entities.codes[3] != entities.codes[2]
    assert entities.names.tolist() == ["P53", "BRCA1"]
    assert entities.ids.tolist() == ["1|3", "2"]
    assert entities.n_merged == 1


def test_repeated_rows_unite_their_articles() -> None:
    rows = full()
    again = [r | {"pmids": "2|3", "evidence": "b"} for r in rows] + [r | {"pmids": "3|1"} for r in rows]
    frames, manifest = build([r | {"pmids": "2"} for r in rows] + again)
    positive = frames["train"][frames["train"]["label"] == 1]
    assert set(positive["pmids"]) == {"2|3|1"}
    assert set(positive["evidence"]) == {"b|curated"}
    assert manifest["pairs"]["repeated_rows"] == 2 * len(rows)
    assert manifest["pairs"]["positive"] == len(rows)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "genes_held_out"}, "Did you mean 'gene_held_out'"),
        ({"negatives": "degree-matched"}, "Did you mean 'degree_matched'"),
        ({"negatives_per_positive": 0}, "whole number from 1"),
        ({"negatives_per_positive": 1.5}, "whole number from 1"),
        ({"test_size": 0.0}, "test_size is 0.0"),
    ],
)
def test_arguments_that_make_no_sense(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(BioftError, match=message):
        build(full(), **arguments)


def test_no_rows() -> None:
    with pytest.raises(BioftError, match="no gene–disease pair"):
        build([])


def test_too_few_rows() -> None:
    with pytest.raises(BioftError, match="No rows left for split"):
        build(full()[:2])


def test_a_gene_with_every_disease_is_named_with_its_split() -> None:
    rows = full() + [row("HUB", f"Disease {d}") for d in range(30)]
    with pytest.raises(BioftError, match=r"Split 'train' \(pair\): .*gene 'HUB' \(30 known associations"):
        build(rows)
    frames, _ = build(rows, negatives="uniform")
    for frame in frames.values():
        assert set(frame.loc[frame["gene"] == "HUB", "label"]) <= {1}
