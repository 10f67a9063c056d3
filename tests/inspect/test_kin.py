"""Families of diseases: what training has of those that it lacks, by an ontology's parents."""

from pathlib import Path

import pytest
from datasets import Dataset
from rich.console import Console

from bioft.datasets.namespaces import read
from bioft.errors import BioftError
from bioft.inspect import kin
from bioft.inspect.tables import print_parts

ONTOLOGY = """format-version: 1.2

[Term]
id: MONDO:1
name: cardiac disease

[Term]
id: MONDO:2
name: cardiomyopathy
is_a: MONDO:1

[Term]
id: MONDO:3
name: arrhythmia
is_a: MONDO:1

[Term]
id: MONDO:4
name: dilated cardiomyopathy
synonym: "congestive cardiomyopathy" EXACT []
is_a: MONDO:2

[Term]
id: MONDO:5
name: gout
"""
TEST = {
    "cardiac disease": ("MONDO:1", "child"),
    "arrhythmia": ("MONDO:3", "sibling"),
    "congestive cardiomyopathy": ("X:1", "itself"),  # under another name and id
    "gout": ("MONDO:5", "none"),
    "measles": ("X:2", None),  # not in the ontology
    "asthma": ("X:3", None),  # in training
}


def rows(diseases: dict[str, str]) -> Dataset:
    pairs = [(f"GENE{gene}", name, identifier) for gene in range(6) for name, identifier in diseases.items()]
    genes, names, ids = zip(*pairs, strict=True)
    labels = [place // len(diseases) % 2 for place in range(len(pairs))]
    return Dataset.from_dict({"gene": genes, "gene_id": genes, "disease": names, "disease_id": ids, "label": labels})


@pytest.fixture
def dataset() -> dict[str, Dataset]:
    return {
        "train": rows({"cardiomyopathy": "MONDO:2", "dilated cardiomyopathy": "MONDO:4", "asthma": "X:3"}),
        "test": rows({name: identifier for name, (identifier, _) in TEST.items()}),
    }


def test_kin_of_unseen_diseases_are_those_of_the_ontology(dataset: dict[str, Dataset], tmp_path: Path) -> None:
    (tmp_path / "own.obo").write_text(ONTOLOGY)
    report = kin.kin(dataset, read.read([tmp_path / "own.obo"]))
    expected = {what: sum(found == what for _, found in TEST.values()) for what in ("itself", "child")}
    # Arrhythmia's sibling is cardiomyopathy; its parent is not in training. The cardiomyopathy that has another name
    # has its parent there too.
    assert report["splits"] == {
        "test": {"unseen": 5, "in_namespace": 4, **expected, "parent": 1, "sibling": 1, "any": 3, "none": 1}
    }
    assert [each["baseline"] for each in report["baselines"]] == list(kin.BASELINES)
    assert [(each["kin"]["n"], each["none"]["n"]) for each in report["baselines"]] == [(18, 6)] * 2
    console = Console(record=True, width=200)
    print_parts(kin.parts(report), console)
    assert "of 18 rows with kin in training" in console.export_text()


def test_a_namespace_that_tells_nothing_is_refused(dataset: dict[str, Dataset], tmp_path: Path) -> None:
    (tmp_path / "flat.obo").write_text("\n".join(each for each in ONTOLOGY.split("\n") if not each.startswith("is_a")))
    with pytest.raises(BioftError, match="has no parents"):
        kin.kin(dataset, read.read([tmp_path / "flat.obo"]))
    (tmp_path / "other.obo").write_text(ONTOLOGY.replace("cardi", "neuro").replace("MONDO", "OTHER"))
    with pytest.raises(BioftError, match="has none of the diseases"):
        kin.kin(dataset, read.read([tmp_path / "other.obo"]))
