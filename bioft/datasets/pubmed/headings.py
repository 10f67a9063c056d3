"""Pairs of a MeSH heading and a PubMed article: a topic in a few words, and the articles that indexers gave it to.

Headings are split too: those of the articles that are tested on are in no pair that is trained on.
"""

from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
from datasets import Dataset, DatasetDict

from bioft.datasets import pair_audit
from bioft.datasets.options import Articles, ArticleSplit, MaxHeadingShare, Seed, SkipBad, TestSize, ValidationSize
from bioft.datasets.pubmed import pairs as pubmed
from bioft.datasets.pubmed.collection import Collection, read_collection
from bioft.datasets.pubmed.relations import CHECK_TAGS
from bioft.datasets.splits import SPLITS, check_columns
from bioft.errors import BioftError
from bioft.storage.text_lines import normalise

COLUMNS = ("anchor", "positive", "group")
CANDIDATES = ("positive",)
"""Columns whose texts are looked through: a heading is no answer to another one."""


def build(
    paths: Articles,
    *,
    split: ArticleSplit = "component",
    max_heading_share: MaxHeadingShare = 0.05,
    validation_size: ValidationSize = 0.1,
    test_size: TestSize = 0.2,
    seed: Seed = 0,
    skip_bad: SkipBad = False,
) -> tuple[DatasetDict, dict[str, Any]]:
    """Build pairs: `read_collection` with these arguments, then `build_pairs`."""
    collection = read_collection(paths, split, validation_size, test_size, max_heading_share, skip_bad, seed)
    return build_pairs(collection)


def build_pairs(collection: Collection) -> tuple[DatasetDict, dict[str, Any]]:
    """Build all pairs of a heading and an article of the same split that has it; returns the splits and the manifest.

    Headings that say who was studied (`CHECK_TAGS`) make no pair, nor do those that more articles have than the
    collection's `max_heading_share`. A heading that articles of several splits have is in the test split, else in the
    validation split: the others' pairs with it are left out, and counted. The columns are anchor (the heading),
    positive (title and abstract) and group (the article's PMID). Articles without such a heading are in no split:
    nobody knows what they are about.

    BioftError: a split without pairs. LeakageError: an article, a text or a heading in two splits.
    """
    rows: dict[str, list[dict[str, str]]] = {name: [] for name in SPLITS}
    for article, split, terms in zip(
        collection.articles, collection.split.tolist(), collection.topics.specific, strict=True
    ):
        rows[SPLITS[split]] += [
            {"anchor": term, "positive": article.text, "group": article.pmid} for term in sorted(terms - CHECK_TAGS)
        ]
    dataset = DatasetDict()
    left_out = dict(collection.told["left_out"])
    taken: set[str] = set()
    for name in reversed(SPLITS):
        kept = [row for row in rows[name] if normalise(row["anchor"]) not in taken]
        left_out[f"pairs of {name} with a heading of another split"] = len(rows[name]) - len(kept)
        if not kept:
            raise BioftError(
                f"No pairs for split '{name}': {len(rows[name]):,} pairs of a heading and an article, all with "
                "headings of the splits after it. Use more articles or other sizes."
            )
        taken |= {normalise(row["anchor"]) for row in kept}
        dataset[name] = Dataset(pa.Table.from_pylist(kept, pa.schema([(column, pa.string()) for column in COLUMNS])))
    dataset = DatasetDict({name: dataset[name] for name in SPLITS})
    manifest = pubmed.manifest_of(collection, "pubmed_headings", {}, dataset) | {"audit": audit(dataset)}
    manifest["candidates"] = list(CANDIDATES)
    manifest["rows"] = {
        name: {"pairs": len(kept), "headings": len(set(kept["anchor"])), "articles": len(set(kept["group"]))}
        for name, kept in dataset.items()
    }
    manifest["left_out"] = left_out
    return dataset, manifest


def audit(dataset: DatasetDict) -> dict[str, Any]:
    """Check pairs for leaks: returns `checks` (what was counted, all 0) and `pair_audit.audit`.

    LeakageError: an article, a text or a heading (but for case and punctuation) is in two splits.
    """
    check_columns(dataset, "articles", "group")
    check_columns(dataset, "texts", "positive", key=normalise)
    check_columns(dataset, "headings", "anchor", key=normalise)
    checks = ("articles_across_splits", "normalised_texts_across_splits", "headings_across_splits")
    return {"checks": dict.fromkeys(checks, 0), **pair_audit.audit(dataset)}
