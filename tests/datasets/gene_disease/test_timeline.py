"""The split by time, and the validation split of `both_held_out`, on random associations."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bioft.datasets.gene_disease.pairs import NEGATIVES, build_pairs
from bioft.datasets.hpo import gene_disease as hpo
from bioft.datasets.origin import Origin
from bioft.datasets.recorded import _built_again
from bioft.datasets.splits import SPLITS
from bioft.errors import BioftError
from bioft.tasks.gene_disease import TASK

pytestmark = pytest.mark.usefixtures("leaks_alone")


def associations(n: int = 1500, seed: int = 0, undated: float = 0.1) -> list[dict[str, str]]:
    """Some are cited by several articles, and some by none."""
    rng = np.random.default_rng(seed)
    pairs = rng.choice(120 * 100, n, replace=False)
    rows = []
    for key in pairs.tolist():
        pmids = sorted(map(str, rng.integers(1_000, 9_000_000, rng.integers(1, 4))))
        gene, disease = f"G{key // 100}", f"Disease {key % 100}"
        dated = "" if rng.random() < undated else "|".join(pmids)
        ids = {"gene_id": f"g:{gene}", "disease_id": f"d:{disease}"}
        rows.append({"gene": gene, "disease": disease, "evidence": "curated", "pmids": dated, **ids})
    return rows


def build(rows: list[dict[str, str]], **arguments: Any) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    dataset, manifest = build_pairs(rows, Origin("test", {}, [], {}), **{"split": "time", **arguments})
    return {name: split.to_pandas() for name, split in dataset.items()}, manifest


def first(pmids: str) -> int:
    return min(map(int, pmids.split("|"))) if pmids else 0


def pairs_of(frame: pd.DataFrame) -> set[tuple[str, str]]:
    return set(zip(frame["gene"], frame["disease"], strict=True))


@pytest.mark.parametrize("negatives", NEGATIVES)
@pytest.mark.parametrize("seed", range(3))
def test_what_is_tested_became_known_after_what_is_trained_on(negatives: str, seed: int) -> None:
    rows = associations(seed=seed)
    frames, manifest = build(rows, negatives=negatives, seed=seed)
    became = {(row["gene"], row["disease"]): first(row["pmids"]) for row in rows}
    until = manifest["split"]["train_until_pmid"], manifest["split"]["validation_until_pmid"], max(became.values())
    after = 0
    seen: set[tuple[str, str]] = set()
    for (name, frame), last in zip(frames.items(), until, strict=True):
        positive, negative = (frame[frame["label"] == label] for label in (1, 0))
        times = [became[pair] for pair in pairs_of(positive)]
        assert after < min(times) and max(times) <= last, "of undated ones there are none"
        for side in ("gene", "disease"):
            assert set(frame[side]) <= set(frames["train"][side]), "nothing that training does not know"
        drawn = pairs_of(negative)
        assert len(drawn) == len(positive) and not (drawn | pairs_of(positive)) & seen
        later = {pair for pair in drawn if pair in became}
        assert all(became[pair] > last for pair in later), "nobody knew them at the end of the split"
        stated = manifest["negatives"]["became_positive"][name]
        assert (stated["negatives"], stated["became_positive"]) == (len(drawn), len(later))
        seen |= drawn | pairs_of(positive)
        after = last
    assert manifest["negatives"]["became_positive"]["train"]["became_positive"] > 0, "the future is not looked at"
    n_positive = sum(counts["positive"] for counts in manifest["rows"].values())
    assert n_positive + sum(manifest["left_out"].values()) == len(rows)
    assert manifest["left_out"]["without a PubMed id"] == sum(not row["pmids"] for row in rows)
    assert f"{manifest['negatives']['became_positive']['train']['share']:.2%}" in manifest["split"]["note"]


def test_the_day_is_a_pubmed_id_or_a_share() -> None:
    rows = associations()
    times = sorted(first(row["pmids"]) for row in rows if row["pmids"])
    by_share = build(rows, known_until=0.6)[1]
    assert by_share["split"]["train_until_pmid"] == times[int(0.6 * len(times)) - 1]
    by_id = build(rows, known_until=by_share["split"]["train_until_pmid"])[1]
    assert by_id["fingerprints"] == by_share["fingerprints"]
    assert by_id["arguments"]["known_until"] == by_share["split"]["train_until_pmid"]
    assert "known_until" not in build(rows)[1]["arguments"]


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        ({}, {"known_until": 1.0}, "known_until is 1: 0 of"),
        ({}, {"known_until": 1e9}, "Their PubMed ids go from"),
        ({}, {"known_until": -1.0}, "give a PubMed id, or a share"),
        ({}, {"known_until": 0.5, "split": "pair"}, "known_until is for the split 'time'"),
        ({"pmids": ""}, {}, "No association of this source names a PubMed id"),
        ({"pmids": "PMC12"}, {}, "needs PubMed ids, which are whole numbers"),
    ],
)
def test_a_time_that_divides_nothing(change: dict[str, str], arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(BioftError, match=message):
        build([row | change for row in associations(300)], **arguments)


def test_a_small_validation_of_both_held_out_gets_more_genes_and_diseases() -> None:
    """With the sizes alone it has 1 % of 1 % of the pairs; the test split stays as it is."""
    arguments: dict[str, Any] = {"split": "both_held_out", "negatives": "uniform", "test_size": 0.4}
    arguments["validation_size"] = 0.05
    rows = associations(2900)
    frames, manifest = build(rows, **arguments)
    before, _ = build(rows, **arguments, least_validation_rows=0)
    assert len(before["validation"]) < 100
    assert 200 <= len(frames["validation"]) < 260 and len(frames["train"]) < len(before["train"])
    pd.testing.assert_frame_equal(
        frames["test"].query("label == 1").sort_values(["gene", "disease"], ignore_index=True),
        before["test"].query("label == 1").sort_values(["gene", "disease"], ignore_index=True),
    )
    assert manifest["arguments"]["least_validation_rows"] == 200
    for side in ("gene", "disease"):
        entities = [set(frames[name][side]) for name in SPLITS]
        assert sum(map(len, entities)) == len(set.union(*entities))


def test_validation_is_not_made_larger_than_test() -> None:
    arguments: dict[str, Any] = {"split": "both_held_out", "negatives": "uniform", "validation_size": 0.2}
    before, after = (build(associations(), **arguments, least_validation_rows=n)[1] for n in (0, 2_000))
    assert before["fingerprints"] == after["fingerprints"]


def test_data_of_before_the_least_validation_size_are_built_as_then(
    part_of_hpo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their records do not name the option, whose default is another one now."""
    monkeypatch.setattr("bioft.datasets.gene_disease.audit.audit", lambda *_, **__: {})
    sizes = {"validation_size": 0.1, "test_size": 0.45}
    asked: dict[str, Any] = {"split": "both_held_out", "negatives": "uniform", **sizes}
    now, before = hpo.build(**asked)[1], hpo.build(**asked, least_validation_rows=0)[1]
    assert now["rows"]["validation"] != before["rows"]["validation"]
    assert before["arguments"].pop("least_validation_rows") == 0
    for manifest in (now, before):
        assert _built_again(TASK, manifest, None)[1]["fingerprints"] == manifest["fingerprints"]
