"""A dataset by name: what the sources of a task say decides which names, options and files there are."""

from pathlib import Path

import pytest

from bioft.datasets import load
from bioft.errors import BioftError
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
