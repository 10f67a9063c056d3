"""Pairs of a heading and an article: which there are, that nothing leaks, and how the task looks through articles."""

import numpy as np
import pytest
from datasets import DatasetDict
from hypothesis import given, settings, strategies as st
from typer.testing import CliRunner

from bioft.cli import main as cli
from bioft.datasets.load import load_pairs
from bioft.datasets.pubmed import collection as pubmed_collection, headings as pubmed_headings
from bioft.datasets.pubmed.articles import Article, Passage
from bioft.datasets.pubmed.collection import Collection
from bioft.datasets.pubmed.relations import Topics
from bioft.datasets.splits import SPLITS
from bioft.errors import BioftError, LeakageError
from bioft.storage import datasets as storage
from bioft.tasks.retrieval.predict import Queries


def article(pmid: int, *terms: str) -> Article:
    abstract = (Passage("", f"Words {pmid}."),)
    return Article(str(pmid), 1, "", f"Title {pmid}", abstract, "J", 2000, terms, (), False)


def collection(articles: list[Article], split: list[int], share: float = 1.0) -> Collection:
    groups = [each.pmid for each in articles]
    arguments = {"split": "article", "seed": 0}
    return Collection(articles, groups, np.array(split), Topics(articles, share), arguments, {"left_out": {}}, [])


def test_a_heading_is_in_the_split_that_is_tested_on() -> None:
    """Train has A to C, validation B and D, test C and D: "Humans" is nowhere, and neither is what most have."""
    articles = [
        article(1, "A", "B", "C", "Humans", "Everywhere"),
        article(2, "B", "D", "Everywhere"),
        article(3, "C", "D", "Everywhere"),
        article(4, "c", "Everywhere"),
        article(5),
    ]
    dataset, manifest = pubmed_headings.build_pairs(collection(articles, [0, 1, 2, 0, 2], share=0.5))
    found = {name: list(zip(rows["anchor"], rows["group"], strict=True)) for name, rows in dataset.items()}
    assert found == {"train": [("A", "1")], "validation": [("B", "2")], "test": [("C", "3"), ("D", "3")]}
    assert dataset["test"]["positive"][0] == "Title 3 Words 3."
    assert manifest["left_out"] == {
        "pairs of test with a heading of another split": 0,
        "pairs of validation with a heading of another split": 1,
        "pairs of train with a heading of another split": 3,
    }
    assert manifest["rows"]["test"] == {"pairs": 2, "headings": 2, "articles": 1}


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sets(st.sampled_from([f"H{i}" for i in range(12)]), max_size=5), min_size=3, max_size=20),
    st.randoms(use_true_random=False),
)
def test_nothing_is_in_two_splits_and_no_pair_of_the_test_is_lost(terms: list[set[str]], rng: object) -> None:
    split = [0, 1, 2, *(rng.randrange(3) for _ in terms[3:])]  # type: ignore[attr-defined]
    articles = [article(i, *sorted(each), f"own {i}") for i, each in enumerate(terms)]
    dataset, _ = pubmed_headings.build_pairs(collection(articles, split))
    headings = {name: set(rows["anchor"]) for name, rows in dataset.items()}
    assert not headings["train"] & (headings["validation"] | headings["test"])
    assert not headings["validation"] & headings["test"]
    pairs = set(zip(dataset["test"]["anchor"], dataset["test"]["group"], strict=True))
    assert pairs == {
        (term, each.pmid)
        for each, code in zip(articles, split, strict=True)
        if SPLITS[code] == "test"
        for term in each.mesh
    }


def test_leaks_and_empty_splits_are_found() -> None:
    articles = [article(i, f"own {i}") for i in range(3)]
    dataset, _ = pubmed_headings.build_pairs(collection(articles, [0, 1, 2]))
    leaks = (("anchor", "OWN-0"), ("positive", dataset["train"]["positive"][0]), ("group", "0"))
    for column, value in leaks:
        rows = dataset["test"].to_dict() | {column: [value]}
        with pytest.raises(LeakageError):
            pubmed_headings.audit(DatasetDict({**dataset, "test": dataset["test"].from_dict(rows)}))
    with pytest.raises(BioftError, match="No pairs for split 'train': 1 pairs of a heading"):
        pubmed_headings.build_pairs(collection([article(1, "A"), article(2, "B"), article(3, "A")], [0, 1, 2]))


def test_real_articles(shared_data, tmp_path) -> None:
    """Each pair is one of the record's own headings; headings are looked for among articles, not among each other."""
    command = ["build", "pubmed-headings", str(shared_data / "pubmed"), "--test-size", "0.3"]
    result = CliRunner().invoke(cli.app, [*command, "--output", str(tmp_path / "headings")])
    assert result.exit_code == 0, result.output
    dataset, manifest = storage.load(tmp_path / "headings")
    by_pmid = {each.pmid: each for each in pubmed_collection.read_collection([shared_data / "pubmed"]).articles}
    for rows in dataset.values():
        for row in rows:
            each = by_pmid[row["group"]]
            assert row["positive"] == each.text and row["anchor"] in each.mesh
    assert not {"Humans", "Female"} & {row["anchor"] for rows in dataset.values() for row in rows}
    assert manifest["rows"]["test"] == {"pairs": 1245, "headings": 812, "articles": 150}
    found = load_pairs(str(tmp_path / "headings"))
    asked = Queries.of(found.dataset["test"], found.manifest["candidates"])
    assert (len(asked.queries), len(asked.texts)) == (812, 150)
    assert set(asked.texts) == set(dataset["test"]["positive"])
    assert sum(map(len, asked.relevant)) == 1245
