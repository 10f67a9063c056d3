"""A dataset by name: what the sources of a task say decides which names, options and files there are."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, concatenate_datasets

from bioft.datasets import load
from bioft.datasets.documents import sample
from bioft.datasets.hpo import gene_disease as hpo
from bioft.datasets.texts import stop_reasons
from bioft.errors import BioftError, LeakageError
from bioft.storage import datasets as storage
from bioft.task import registered


def pairs_file(folder: Path) -> Path:
    rows = "".join(f"a{i},b{i},1\na{i},b{(i + 1) % 40},0\n" for i in range(40))
    (folder / "pairs.csv").write_text(f"text1,text2,label\n{rows}")
    return folder / "pairs.csv"


def test_every_source_that_recipes_take_is_found_by_both_of_its_names() -> None:
    for task in registered().values():
        for source in task.sources:
            if source.dataset_name() is None:
                assert load.named(task.sources, source.name) is None
            else:
                assert load.named(task.sources, source.name) is source
                assert load.named(task.sources, source.dataset_name() or "") is source


def test_a_source_is_built_by_its_name_from_its_file(tmp_path: Path) -> None:
    found = load.load_pairs("pubmed_pairs", dataset_path=str(pairs_file(tmp_path)), split_seed=3, namespace="cobra")
    assert found.manifest["builder"] == "pubmed_pairs" and found.manifest["seed"] == 3
    with pytest.raises(BioftError, match="needs --dataset_path PATH. CSV files with text1"):  # noqa: RUF043
        load.load_pairs("pubmed_pairs")


def test_what_no_recipe_trains_on_has_no_name() -> None:
    with pytest.raises(BioftError, match="No dataset 'pubmed_articles': give hpo_synonyms, pubmed, pubmed_headings"):
        load.load_pairs("pubmed_articles")


def test_options_are_those_of_the_builders() -> None:
    sources = {source.name: source for task in registered().values() for source in task.sources}
    assert load.builder_options([sources["bc5cdr"]]) == {"dataset_path", "skip_bad"}
    assert "split_seed" in load.builder_options([sources["hpo"]])
    assert "revision" not in load.builder_options([sources["stop_reasons"]])


@pytest.mark.usefixtures("part_of_hpo")
@pytest.mark.parametrize(
    ("build", "get", "key", "text"),
    [
        (hpo.build, load.load_or_build, "evidence", "disease"),
        (sample.build, load.load_documents, "document_id", "text"),
        (stop_reasons.build_sample, load.load_labelled_texts, "id", "text"),
    ],
)
def test_a_folder_is_audited_again_when_it_is_loaded(
    build: Callable[[], Any], get: Callable[[str], Any], key: str, text: str, tmp_path: Path
) -> None:
    """Test rows that somebody has put into training in another spelling, with fingerprints that fit."""
    splits, manifest = build()
    storage.save(splits, manifest, tmp_path / "honest")
    assert get(str(tmp_path / "honest"))[1]["audit"] == manifest["audit"]
    test = splits["test"].to_list()[:3]
    added = [row | {key: f"another {n}", text: row[text].upper() + "\u200b"} for n, row in enumerate(test)]
    for mention in (each for row in added for each in row.get("entities", ())):
        mention["text"] = mention["text"].upper()
    splits["train"] = concatenate_datasets(
        [splits["train"], Dataset.from_list(added, features=splits["train"].features)]
    )
    # Nor does it help to leave out what the audit said.
    del manifest["audit"]
    manifest["fingerprints"]["train"] = storage.fingerprint(splits["train"])
    storage.save(splits, manifest, tmp_path / "leaking")
    with pytest.raises(LeakageError, match="straddle splits"):
        get(str(tmp_path / "leaking"))
