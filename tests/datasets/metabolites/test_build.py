"""Pairs and queries of metabolite names: what they are made of, that nothing leaks, and the real data."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from datasets import Dataset, DatasetDict
from hypothesis import given, settings, strategies as st

from bioft.datasets.metabolites import build as metabolites, pairs as metabolite_pairs, queries as metabolite_queries
from bioft.datasets.metabolites.baselines import NAMES as BASELINES
from bioft.datasets.metabolites.names import agreement, normalise, plain_text, read_chemistry
from bioft.datasets.metabolites.perturbations import (
    DELIMITERS,
    remove_functional_group,
    rewrite_notation,
    substitute_delimiters,
)
from bioft.datasets.metabolites.tables import group_compounds, one_to_one
from bioft.errors import BioftError, LeakageError
from bioft.storage import datasets as storage
from tests.metabolite_samples import PUBLISHED_CASES

CHAINS = {4: "but", 6: "hex", 8: "oct", 10: "dec", 12: "dodec", 14: "tetradec", 16: "hexadec", 18: "octadec"}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


NAMES = st.text(alphabet="abcD 1,2-_()+'", max_size=40)


@given(NAMES, st.integers(0, 50))
def test_delimiters_are_all_that_changes(name: str, seed: int) -> None:
    """Letters, digits and signs of rotation stay in place; at least one delimiter is another."""
    changed = substitute_delimiters(name, rng(seed))
    signs = {
        i
        for sign in ("(+)", "(-)")
        for start in range(len(name))
        if name.startswith(sign, start)
        for i in range(start, start + 3)
    }
    free = [i for i, character in enumerate(name) if character in DELIMITERS and i not in signs]
    if not free:
        assert changed == ""
        return
    assert changed != name and len(changed) == len(name)
    assert [c for i, c in enumerate(changed) if i not in free] == [c for i, c in enumerate(name) if i not in free]
    assert all(changed[i] in DELIMITERS for i in free)


def test_normalisation_undoes_delimiters() -> None:
    names = ["2,3-Dihydroxy-3-methylbutanoate", "D-Glucose 6-phosphate", "N-Acetyl-(+)-limonene"]
    for seed in range(200):
        for name in names:
            assert normalise(substitute_delimiters(name, rng(seed))) == normalise(name)


@pytest.mark.parametrize(
    ("name", "possible"),
    [
        ("2-Deoxyribose", {"2-ribose"}),
        ("3-methylglutaryl-CoA", {"3-glutaryl-CoA"}),
        ("3-hydroxy-3-methylglutarate", {"3-3-methylglutarate", "3-hydroxy-3-glutarate"}),
        ("dihydroxyacetone", {"diacetone"}),
        ("glycerol", {""}),
        ("pyruvate carboxylate", {""}),
        ("methyl", {""}),
    ],
)
def test_a_functional_group_less(name: str, possible: set[str]) -> None:
    found = {normalise(remove_functional_group(name, rng(seed))) for seed in range(40)}
    assert found == {normalise(text) for text in possible}


@pytest.mark.parametrize(
    ("name", "possible"),
    [
        ("alpha-lactose", {"α-lactose", "&alpha;-lactose"}),
        ("lactate", {"lactic acid"}),
        ("lactic acid", {"lactate"}),
        ("phosphate", {""}),
        ("acetyl-CoA", {"acetyl-coenzyme A"}),
        ("malonyl-ACP", {"malonyl-[acyl-carrier protein]"}),
        ("D-ribose", {"ribose, D-"}),
        ("3'-thing", {"3′-thing"}),
        ("H2O", {"H<sub>2</sub>O"}),
        ("water", {""}),
    ],
)
def test_other_notations(name: str, possible: set[str]) -> None:
    assert {rewrite_notation(name, rng(seed)) for seed in range(60)} == possible


@settings(deadline=None)
@given(st.text(max_size=60), st.integers(0, 10))
def test_perturbations_take_any_text(name: str, seed: int) -> None:
    for perturb in (substitute_delimiters, rewrite_notation, remove_functional_group):
        changed = perturb(name, rng(seed))
        assert changed != name or name == ""
        assert changed == perturb(name, rng(seed))


def test_groups_follow_ids_links_and_names() -> None:
    table = pd.DataFrame(
        [
            ("glc", "D-Glucose"),
            ("cpd1", "dextrose"),
            ("cpd1", "Traubenzucker"),
            ("glc2", "d glucose"),
            ("lac", "Lactate"),
            ("cpd2", "TRAUBENZUCKER"),
            ("no1", ""),
            ("no2", ""),
        ],
        columns=["id", "name"],
    )
    groups = group_compounds(table, {"cpd1": ["glc"], "unknown": ["lac"], "cpd2": ["unknown"]})
    assert groups == ["glc"] * 4 + ["lac", "glc", "no1", "no2"]


@given(
    st.lists(st.tuples(st.integers(0, 12), st.sampled_from("abcdefgh")), min_size=1, max_size=30),
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=5),
)
def test_groups_are_the_connected_components(rows: list[tuple[int, str]], pairs: list[tuple[int, int]]) -> None:
    """Against a plain union of sets."""
    table = pd.DataFrame([(str(i), name) for i, name in rows], columns=["id", "name"])
    links: dict[str, list[str]] = {}
    for a, b in pairs:
        links.setdefault(str(a), []).append(str(b))
    present = set(table["id"])
    sets = [{f"id {i}", f"name {name}"} for i, name in zip(table["id"], table["name"], strict=True)]
    sets += [{f"id {a}", f"id {b}"} for a, others in links.items() for b in others if {a, b} <= present]
    merged: list[set[str]] = []
    for each in sets:
        joined = each.union(*(other for other in merged if other & each))
        merged = [other for other in merged if not other & each] + [joined]
    expected = [next(i for i, other in enumerate(merged) if f"id {identifier}" in other) for identifier in table["id"]]
    groups = group_compounds(table, links)
    assert len(set(zip(groups, expected, strict=True))) == len(set(groups)) == len(set(expected))


def test_links_that_are_one_to_one() -> None:
    assert one_to_one({"a": ["1"], "b": ["2", "2"], "c": ["3", "4"], "d": ["5"], "e": ["5"]}) == {"a": "1", "b": "2"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A made-up namespace of acyl compounds, synonyms in the layout of ModelSEED, and a model to hold out."""
    folder = tmp_path_factory.mktemp("metabolites")
    heads = {"coa": "{}anoyl-CoA", "acp": "{}anoyl-[acyl-carrier protein]", "a": "{}anoate", "oh": "3-hydroxy{}anoate",
             "p": "3-hydroxy{}anoyl phosphate", "o": "2-oxo{}anoate", "m": "2-methyl-4-oxo{}anoate"}  # fmt: skip
    rows = [(f"{key}{n}", head.format(stem)) for key, head in heads.items() for n, stem in CHAINS.items()]
    (folder / "own.tsv").write_text("id\tname\n" + "".join(f"{i}\t{name}\n" for i, name in rows))
    header = "ModelSEED ID\tExternal ID\tSource\n"
    synonyms = [
        (f"cpd{i:05}", text)
        for i, (_, name) in enumerate(rows)
        for text in (
            name.upper(),
            f"fatty thing {i % 3 + 2} of {name[::-1]}",
            f"compound {i} of the {chr(97 + i % 26)} list",
        )
    ]
    names = folder / "Unique_ModelSEED_Compound_Names.txt"
    names.write_text(header + "".join(f"{i}\t{text}\tname\n" for i, text in synonyms))
    aliases = folder / "Unique_ModelSEED_Compound_Aliases.txt"
    aliases.write_text(header + "".join(f"cpd{i:05}\t{identifier}\tBiGG\n" for i, (identifier, _) in enumerate(rows)))
    held_out = folder / "held_out.tsv"
    chosen = [row for i, row in enumerate(rows) if i % 2]
    held_out.write_text(
        "id\tname\tformula\tcharge\tcompartment\n"
        + "".join(f"{i}\t_{name.capitalize()}\tC2H3\t-1\tc\n" for i, name in chosen)
        + "mystery\tA mystery-compound\t\t\tc\n"
    )
    return {"namespace": folder / "own.tsv", "modelseed": folder, "held_out": held_out}


@pytest.fixture(scope="module")
def compounds(files: dict[str, Path]) -> metabolites.Compounds:
    return metabolites.read_compounds(
        namespace=files["namespace"], modelseed=files["modelseed"], held_out_models=[files["held_out"]]
    )


def test_what_is_held_out_is_in_no_training_group(compounds: metabolites.Compounds) -> None:
    held_out = set(compounds.held_out["id"]) - {""}
    names = compounds.names
    assert len(held_out) == 28
    assert set(names.loc[names["id"].isin(held_out), "split"]) == {"validation", "test"}
    assert names.groupby("group")["split"].nunique().max() == 1
    # Their synonyms went with them.
    linked = [i for i, others in compounds.links.items() if others[0] in held_out]
    assert set(names.loc[names["id"].isin(linked), "split"]) == {"validation", "test"}
    assert (names["split"] == "train").sum() == 28 * 4
    assert compounds.held_out["id"].tolist().count("") == 1


@pytest.fixture(scope="module")
def pairs(compounds: metabolites.Compounds) -> tuple[DatasetDict, dict[str, Any]]:
    return metabolites.build_pairs(compounds)


def test_pairs_are_what_they_say(compounds: metabolites.Compounds, pairs: tuple[DatasetDict, dict[str, Any]]) -> None:
    """Positives share a compound, or differ in notation only; negatives differ as their kind says."""
    by_name = compounds.names.groupby("name")["compound"].agg(set).to_dict()
    group_of = dict(zip(compounds.names["name"], compounds.names["group"], strict=True))
    seen = Counter()
    for rows in pairs[0].values():
        for row in rows.to_list():
            first, second, kind = row["sentence1"], row["sentence2"], row["kind"]
            assert row["score"] == (kind in metabolite_pairs.POSITIVES)
            assert row["group"] == group_of[first]
            seen[kind] += 1
            if kind == "synonym":
                assert by_name[first] & by_name[second]
            elif kind == "delimiter":
                assert normalise(second) == normalise(first) and second != first
            elif kind == "functional group":
                assert len(second) < len(plain_text(first)) and second not in by_name
            elif kind not in metabolite_pairs.POSITIVES:
                assert group_of[second] != row["group"]
                compared = agreement(read_chemistry(first), read_chemistry(second))
                differing = {aspect for aspect, value in compared.items() if value < 0}
                if kind != "n-grams":
                    assert [
                        {"chains": "chain length", "locants": "locant", "phosphates": "phosphate"}[a]
                        for a in differing
                    ] == [kind]
    assert set(seen) >= {"synonym", "delimiter", "notation", "functional group", "chain length", "locant", "n-grams"}


def test_names_and_groups_stay_in_their_split(
    compounds: metabolites.Compounds, pairs: tuple[DatasetDict, dict[str, Any]]
) -> None:
    dataset, manifest = pairs
    split_of = dict(zip(compounds.names["group"], compounds.names["split"], strict=True))
    for split, rows in dataset.items():
        assert {split_of[group] for group in rows["group"]} == {split}
    assert manifest["audit"]["checks"] == {"groups_across_splits": 0, "names_across_splits": 0}
    assert manifest["audit"]["repeated_pairs"] == {"train": 0, "validation": 0, "test": 0}
    assert manifest["audit"]["name_surface"]["inputs"]["n"] == len(dataset["test"])
    with pytest.raises(LeakageError, match="groups of compounds straddle"):
        metabolites.audit(DatasetDict(train=dataset["train"], test=dataset["train"]))
    moved = dataset["test"].select(range(1))
    renamed = moved.remove_columns("group").add_column("group", ["another"])
    with pytest.raises(LeakageError, match="names straddle"):
        metabolites.audit(
            DatasetDict(train=dataset["test"], test=renamed.select_columns(dataset["test"].column_names))
        )


def test_manifest_and_files(
    tmp_path: Path, compounds: metabolites.Compounds, pairs: tuple[DatasetDict, dict[str, Any]]
) -> None:
    dataset, manifest = pairs
    for split, rows in dataset.items():
        counts = dict(manifest["rows"][split])
        assert counts.pop("pairs") == len(rows) == sum(counts.values())
        assert rows.column_names == ["sentence1", "sentence2", "score", "group", "kind"]
    assert [source["name"] for source in manifest["sources"]] == [
        "own.tsv",
        "held_out.tsv",
        "Unique_ModelSEED_Compound_Names.txt",
        "Unique_ModelSEED_Compound_Aliases.txt",
    ]
    assert manifest["arguments"]["kinds"] == list(metabolite_pairs.KINDS)
    storage.save(dataset, manifest, tmp_path / "pairs")
    loaded, again = storage.load(tmp_path / "pairs")
    assert again["fingerprints"] == metabolites.build_pairs(compounds)[1]["fingerprints"]
    assert loaded["test"].to_list() == dataset["test"].to_list()
    other = metabolites.build_pairs(compounds, seed=1)[1]["fingerprints"]
    assert other["train"] != manifest["fingerprints"]["train"]


def test_the_kinds_asked_for(compounds: metabolites.Compounds) -> None:
    dataset, _ = metabolites.build_pairs(compounds, kinds=("delimiter", "functional group"), pairs_per_compound=1)
    for rows in dataset.values():
        kinds = Counter(rows["kind"])
        assert set(kinds) == {"delimiter", "functional group"}
        assert kinds["delimiter"] >= kinds["functional group"]
    few, manifest = metabolites.build_pairs(compounds, max_compounds=5)
    assert len(set(few["train"]["sentence1"])) == 5
    assert manifest["arguments"]["max_compounds"] == 5


def test_triplets_have_both_partners_of_an_anchor(pairs: tuple[DatasetDict, dict[str, Any]]) -> None:
    rows = pairs[0]["train"]
    scores = {(row["sentence1"], row["sentence2"]): row["score"] for row in rows.to_list()}
    found = metabolite_pairs.triplets(rows).to_list()
    assert len(found) > 20
    for row in found:
        assert scores[row["anchor"], row["positive"]] == 1
        assert scores[row["anchor"], row["negative"]] == 0
    assert len({tuple(row.values()) for row in found}) == len(found)


def test_queries_have_the_right_gold(compounds: metabolites.Compounds) -> None:
    dataset, namespace, manifest = metabolites.build_queries(compounds, absent_fraction=0.3)
    group_of = dict(zip(compounds.names["id"], compounds.names["group"], strict=True))
    left = set(namespace["id"])
    for split, rows in dataset.items():
        table = rows.to_pandas()
        assert list(table.columns) == list(metabolite_queries.COLUMNS)
        assert table["group"].is_unique
        for row in table.itertuples():
            if row.gold:
                assert {group_of[identifier] for identifier in row.gold.split("|")} == {row.group}
                assert set(row.gold.split("|")) <= left
            else:
                assert not left & {identifier for identifier, group in group_of.items() if group == row.group}
        assert manifest["rows"][split]["no match"] == (table["gold"] == "").sum()
    absent = manifest["namespace"]["taken_out"]
    assert absent == len(compounds.namespace) - len(namespace) > 0
    kinds = Counter(dataset["test"]["kind"])
    assert {"modelseed alias", "as in model", "delimiter"} <= set(kinds) <= set(metabolite_queries.KINDS)
    assert set(dataset["test"]["formula"]) <= {"C2H3", ""}
    training = compounds.names.loc[compounds.names["split"] == "train", "name"].map(normalise)
    assert not set(training) & {normalise(name) for rows in dataset.values() for name in rows["name"]}


def test_which_compounds_are_absent_does_not_depend_on_the_split(compounds: metabolites.Compounds) -> None:
    dataset, _, manifest = metabolites.build_queries(compounds, absent_fraction=0.5, seed=compounds.arguments["seed"])
    for split in dataset:
        assert 0 < manifest["rows"][split]["no match"] < len(dataset[split])


def test_names_that_several_compounds_have_are_not_asked() -> None:
    namespace = pd.DataFrame([("a", "Same"), ("b", "same"), ("c", "Other"), ("d", "Third")], columns=["id", "name"])
    assert metabolite_queries.right_ids(namespace) == {"a": "a|b", "b": "a|b", "c": "c", "d": "d"}
    models = pd.DataFrame(
        [("a", "_Same"), ("c", "Third-"), ("d", "d"), ("", "Unknown thing"), ("b", "")], columns=["id", "name"]
    ).assign(group=list("gcdug"), formula="", charge=np.nan)
    claimed = {"same": {"a", "b"}, "third": {"d"}}
    found = metabolite_queries.make_queries(models, namespace, {"a": ["Same"]}, {}, claimed, rng())
    # "Third-" is a name of d, and d has only its id for a name.
    assert found["gold"].tolist() == ["a|b", ""]
    assert found["name"][0] == "_Same" and normalise(found["name"][1]) == "unknownthing"


def test_bad_arguments(compounds: metabolites.Compounds) -> None:
    with pytest.raises(BioftError, match=r"Unknown kind of pairs 'synonim'. Did you mean 'synonym'"):
        metabolites.build_pairs(compounds, kinds=("synonim",))
    with pytest.raises(BioftError, match="No pairs for split 'test'"):
        metabolites.build_pairs(compounds, kinds=("stereo",))
    with pytest.raises(BioftError, match="absent_fraction is 1"):
        metabolites.build_queries(compounds, absent_fraction=1)


def test_the_embedded_default() -> None:
    """Names of a model in the cobra wheel, split at random: pairs of every kind but synonyms."""
    compounds = metabolites.read_compounds()
    assert len(compounds.namespace) == 1_549
    assert compounds.sources[0]["name"].startswith("salmonella.xml.gz (iYS1720, in cobra")
    assert (compounds.namespace["formula"] != "").sum() > 1_500
    dataset, manifest = metabolites.build_pairs(compounds)
    assert {kind for rows in dataset.values() for kind in rows["kind"]} == set(metabolite_pairs.KINDS) - {"synonym"}
    assert manifest["split"]["strategy"] == "compound"
    queries, namespace, _ = metabolites.build_queries(compounds)
    assert len(queries["test"]) > 200
    assert set(queries["test"]["kind"]) == {"delimiter", "notation"}  # the model's names are those of the namespace
    assert len(namespace) < 1_549


def test_real_data(shared_data: Path) -> None:
    """Several hundred test names in no training group; delimiters alone are no task, and the rest is one."""
    folder = shared_data / "metabolites"
    compounds = metabolites.read_compounds(
        namespace=folder / "bigg.metabolite.tsv.gz",
        modelseed=folder,
        held_out_models=[folder / "iYS854.json", folder / "iSB619.xml.gz"],
    )
    queries, namespace, manifest = metabolites.build_queries(compounds)
    test = queries["test"].to_pandas()
    assert len(test) == 761
    assert manifest["rows"]["test"]["modelseed alias"] == 222
    assert manifest["rows"]["test"]["no match"] == 158
    training = set(compounds.names.loc[compounds.names["split"] == "train", "group"])
    assert not training & set(test["group"])
    normalised = set(compounds.names.loc[compounds.names["split"] == "train", "name"].map(normalise))
    assert not normalised & set(test["name"].map(normalise))
    present = test[test["gold"] != ""]
    found = {}
    for baseline in ("exact", "normalised"):
        rankings = BASELINES[baseline]().fit(namespace).predict(present["name"].tolist())
        right = [bool(r) and r[0][0] in gold.split("|") for r, gold in zip(rankings, present["gold"], strict=True)]
        found[baseline] = pd.Series(right).groupby(present["kind"].to_numpy()).mean()
    assert found["exact"]["delimiter"] < 0.01
    assert found["normalised"]["delimiter"] > 0.99
    assert found["normalised"]["modelseed alias"] < 0.05
    for query, taken_for in PUBLISHED_CASES:
        assert normalise(query) not in set(compounds.namespace["name"].map(normalise))
        assert taken_for in set(compounds.namespace["name"])
        assert agreement(read_chemistry(query), read_chemistry(taken_for))["chains"] == -1


def test_pairs_of_no_rows_make_no_triplets() -> None:
    empty = Dataset.from_dict({"sentence1": ["a"], "sentence2": ["b"], "score": [1], "group": ["g"], "kind": ["x"]})
    assert len(metabolite_pairs.triplets(empty)) == 0
