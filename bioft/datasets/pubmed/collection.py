"""Articles with their citations and headings, read once for all pairs."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from bioft.datasets.documents.corpus import source as source_of
from bioft.datasets.pubmed import articles as pubmed_articles, relations as pubmed_relations
from bioft.datasets.pubmed.articles import CITATION, TERMS, URL, Article
from bioft.datasets.pubmed.relations import Topics
from bioft.datasets.splits import check_not_empty, check_sizes, grouped_split
from bioft.errors import BioftError, suggestion


@dataclass(frozen=True)
class Collection:
    """Articles with title and abstract, how they are split, and how they are related."""

    articles: list[Article]
    groups: list[str]
    split: NDArray[np.int64]
    """Per article an index into `SPLITS`."""
    topics: Topics
    arguments: dict[str, Any]
    told: dict[str, Any]
    """What a manifest says of the articles that were read and kept, and why records are not among them."""
    sources: list[dict[str, Any]]


def read_collection(
    paths: Iterable[str | os.PathLike[str]],
    split: str = "component",
    validation_size: float = 0.1,
    test_size: float = 0.2,
    max_heading_share: float = 0.05,
    skip_bad: bool = False,
    seed: int = 0,
) -> Collection:
    """Read PubMed XML (files and folders) and decide which split each article is in.

    By "component" articles that citations connect are in one split. In a large collection most are connected;
    "article" then splits them one by one, and citations between splits make no pairs. By "time" the articles that came
    last are the test split, those before them validation. Articles without title or abstract and retracted ones are
    left out, and counted, with `skip_bad` also broken records.

    BioftError: what `pubmed_articles.read` finds wrong, an unknown split, or sizes that leave a split empty.
    """
    if split not in STRATEGIES:
        raise BioftError(f"Unknown split '{split}'. {suggestion(split, STRATEGIES)}")
    files = pubmed_articles.files(paths)
    found, report = pubmed_articles.read(files, skip_bad=skip_bad)
    articles = [each for each in found if each.title and each.abstract and not each.retracted]
    if not articles:
        raise BioftError(
            f"None of the {len(found):,} articles has an abstract and is not retracted: nothing can be paired."
        )
    cites = pubmed_relations.citations(articles) if split == "component" else None
    groups = pubmed_relations.components(articles, cites)
    if split == "time":
        codes = split_by_time(articles, groups, validation_size, test_size)
    else:
        codes = grouped_split(groups, validation_size, test_size, np.random.default_rng(seed))
    sizes = {"validation_size": validation_size, "test_size": test_size}
    about = {"max_heading_share": max_heading_share, "skip_bad": skip_bad, "seed": seed}
    return Collection(
        articles=articles,
        groups=groups,
        split=codes,
        topics=Topics(articles, max_heading_share),
        arguments={"split": split, **sizes, **about},
        told={
            "split": {"strategy": split},
            "read": {"articles": len(found), "kept": len(articles), "largest_group": max(Counter(groups).values())},
            "left_out": {
                "books": report.books,
                "further records of an article": report.duplicates,
                "deleted articles": len(report.deleted),
                "retracted articles": sum(each.retracted for each in found),
                "articles without title or abstract": sum(not (each.title and each.abstract) for each in found),
            },
            "skipped": {"all": {"documents": len(report.bad), "first": report.bad[:3]}},
        },
        sources=[source_of(file, url=URL, terms=TERMS, citation=CITATION) for file in files],
    )


STRATEGIES = ("component", "article", "time")
"""What a split keeps together: articles that citations connect, nothing but articles with the same text, or those of
the same time."""


def split_by_time(
    articles: Sequence[Article], groups: Sequence[str], validation_size: float, test_size: float
) -> NDArray[np.int64]:
    """Split articles by when PubMed got them, which the order of their PMIDs is; an index into `SPLITS` per article.

    The articles of a group stay together, where the first of them is. BioftError: a split without any.
    """
    check_sizes(validation_size, test_size)
    first: dict[str, int] = {}
    for article, group in zip(articles, groups, strict=True):
        first[group] = min(first.get(group, int(article.pmid)), int(article.pmid))
    order = rankdata([first[group] for group in groups], method="average") / len(groups)
    codes = np.searchsorted([1 - validation_size - test_size, 1 - test_size], order, side="left").astype(np.int64)
    check_not_empty(codes, f"{len(articles):,} articles by time")
    return codes
