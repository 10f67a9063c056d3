"""With `validation_only` nothing of the test split is left in what a recipe gets."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bioft.datasets import load
from bioft.errors import BioftError
from bioft.storage import datasets as storage
from bioft.tasks.entities import evaluate as entity_evaluation
from bioft.tasks.relations import evaluate as relation_evaluation
from tests.tiny import write_ctd


def check(loader: Callable[..., Any], name: str, **options: Any) -> None:
    """The same training and validation splits, and the latter as the test split, also in the manifest."""
    dataset, manifest, *_ = loader(name, **options)
    hidden, its, *_ = loader(name, **options, validation_only=True)
    for split, of in {"train": "train", "validation": "validation", "test": "validation"}.items():
        assert storage.fingerprint(hidden[split]) == storage.fingerprint(dataset[of])
        assert its["fingerprints"][split] == manifest["fingerprints"][of]
        assert its["rows"][split] == manifest["rows"][of]
    assert its["evaluated_on"] == "validation" and "evaluated_on" not in manifest
    assert manifest["fingerprints"]["test"] not in str(its)


@pytest.mark.usefixtures("part_of_hpo")
def test_every_kind_of_data_can_do_without_its_test_split(tmp_path: Path) -> None:
    check(load.load_labelled_texts, "sample")
    check(load.load_documents, "sample")
    check(load.load_or_build, "ctd", dataset_path=str(write_ctd(tmp_path / "ctd.csv")))
    check(load.load_texts, "hpo_definitions")
    check(load.load_pairs, "hpo_synonyms")


def test_the_counts_that_recipes_check_are_those_of_validation() -> None:
    dataset, manifest = load.load_documents("sample", validation_only=True)
    entity_evaluation.check_supports(dataset["test"], manifest)
    relation_evaluation.check_supports(dataset["test"], manifest)


def test_the_file_of_the_test_split_is_not_opened(tmp_path: Path) -> None:
    storage.save(*load.load_documents("sample"), tmp_path / "data")
    (tmp_path / "data" / "test.parquet").unlink()
    with pytest.raises(BioftError, match="split 'test'"):
        load.load_documents(str(tmp_path / "data"))
    dataset, _ = load.load_documents(str(tmp_path / "data"), validation_only=True)
    assert storage.fingerprint(dataset["test"]) == storage.fingerprint(dataset["validation"])


def test_a_validation_split_that_teaches_is_not_evaluated_on() -> None:
    with pytest.raises(BioftError, match="can't be trained on"):
        load.load_documents("sample", train_on="train+validation", validation_only=True)
    with pytest.raises(BioftError, match="Metabolite names"):
        load.load_pairs("metabolites", validation_only=True)
