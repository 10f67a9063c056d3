"""Pairs of PubMed articles for contrastive training, and articles to be found: related by citations or by topic.

Articles are split first, and paired inside their split. Pairs of related articles are positives: one cites the other,
they are cited together, they share references, or they share rare MeSH headings. Negatives are articles that none of
this relates to the anchor: drawn at random, or those whose words are most like the anchor's (BM25).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
from datasets import Dataset, DatasetDict
from numpy.typing import NDArray

from bioft.datasets import options, pair_audit, sources
from bioft.datasets.origin import Origin
from bioft.datasets.pubmed import relations as pubmed_relations
from bioft.datasets.pubmed.articles import LICENSE
from bioft.datasets.pubmed.collection import Collection, read_collection
from bioft.datasets.pubmed.relations import Matrix
from bioft.datasets.rank import random_order, rank_bm25
from bioft.datasets.splits import SPLITS, check_columns
from bioft.errors import BioftError, LeakageError, suggestion
from bioft.storage.text_lines import normalise

KINDS = ("citation", "co-citation", "coupling", "mesh")
"""What makes a positive: one article cites the other; articles of the collection cite both; both cite the same; both
have the same rare MeSH headings."""
PAIR_COLUMNS = (
    "anchor", "positive", "negative", "group", "kind", "negative_kind", "anchor_pmid", "positive_pmid",
    "negative_pmid",
)  # fmt: skip
_ARTICLE_COLUMNS = sources("pubmed_articles")[0].columns
LISTS = _ARTICLE_COLUMNS[-4:]
"""The columns that say which articles are to be found."""
_TYPES = {"year": pa.int64(), **dict.fromkeys(("mesh", *LISTS), pa.list_(pa.string()))}
ARTICLE_SCHEMA = pa.schema([(name, _TYPES.get(name, pa.string())) for name in _ARTICLE_COLUMNS])
CHECKS = ("articles_across_splits", "groups_across_splits", "normalised_texts_across_splits")
"""What an audit counts."""
BM25_NEIGHBOURS = 50
"""Most similar articles that are looked at for hard negatives."""


@dataclass(frozen=True)
class _Related:
    """How the articles of one split are related; the rows of the matrices are positions in `rows`."""

    rows: NDArray[np.int64]
    """Their positions in the collection."""
    relations: dict[str, Matrix]
    """Kind → strength, symmetric: 0 where the kind doesn't relate two articles."""
    cites: Matrix
    coupled: Matrix
    """References shared, one too, which is not enough for a pair."""


def build(
    paths: options.Articles,
    *,
    kinds: Annotated[
        Iterable[str],
        options.Option("citation, co-citation, coupling or mesh; repeat for several.", default="all kinds"),
    ] = KINDS,
    split: options.ArticleSplit = "component",
    pairs_per_article: Annotated[int, options.Option("Pairs of an article in training, at most.", low=1)] = 4,
    hard_share: Annotated[
        float, options.Option("Fraction of the negatives that are alike in words.", low=0.0, high=1.0)
    ] = 0.5,
    least_similarity: options.LeastSimilarity = 0.2,
    least_shared_references: options.LeastSharedReferences = 2,
    max_heading_share: options.MaxHeadingShare = 0.05,
    validation_size: options.ValidationSize = 0.1,
    test_size: options.TestSize = 0.2,
    seed: options.Seed = 0,
    skip_bad: options.SkipBad = False,
) -> tuple[DatasetDict, dict[str, Any]]:
    """Build pairs of related articles, each with an unrelated one; returns the splits and the manifest.

    The columns are `PAIR_COLUMNS`; `kind` joins all kinds that relate a pair by "|"; `group` is the anchor's, and no
    article of its group is in another split. A negative is in another group, not related by any kind or a shared
    reference, has MeSH headings, and none in common with the anchor or the positive but check tags such as "Humans".
    Of the pairs of an article in training the strongest of each kind in turns are kept; validation and test have all
    pairs, in both directions, so that their anchors' positives are all that is to be found for them.

    BioftError: as `read_collection`; an unknown kind, an argument out of its range, or a split without pairs.
    LeakageError: an article, a group or a text in two splits.
    """
    collection = read_collection(paths, split, validation_size, test_size, max_heading_share, skip_bad, seed)
    kinds = tuple(kinds)
    _check(kinds, pairs_per_article, hard_share, least_similarity, least_shared_references)
    dataset = DatasetDict()
    left_out = dict(collection.told["left_out"])
    rng = np.random.default_rng([seed, 1])
    for index, name in enumerate(SPLITS):
        related = _relate(collection, index, least_similarity, least_shared_references)
        positives = _positives(related, kinds, pairs_per_article if name == "train" else None)
        rows = _with_negatives(collection, related, positives, hard_share, rng)
        left_out[f"pairs of {name} without a negative"] = len(positives) - len(rows)
        if not rows:
            raise BioftError(
                f"No pairs for split '{name}': {len(related.rows):,} articles make {len(positives):,} related pairs, "
                "of which none has an article that is unrelated to it. Use more articles, other sizes, more kinds or "
                "a lower least_similarity."
            )
        columns = dict(zip(PAIR_COLUMNS, map(list, zip(*rows, strict=True)), strict=True))
        dataset[name] = Dataset(pa.table(columns, pa.schema([(column, pa.string()) for column in PAIR_COLUMNS])))
    arguments = {
        "kinds": list(kinds),
        "pairs_per_article": pairs_per_article,
        "hard_share": hard_share,
        "least_similarity": least_similarity,
        "least_shared_references": least_shared_references,
    }
    checked = {"audit": audit(dataset), "rows": {name: _count(rows) for name, rows in dataset.items()}}
    return dataset, manifest_of(collection, "pubmed", arguments, dataset) | checked | {"left_out": left_out}


def build_article_lists(
    paths: options.Articles,
    *,
    least_similarity: options.LeastSimilarity = 0.2,
    least_shared_references: options.LeastSharedReferences = 2,
    split: options.ArticleSplit = "component",
    max_heading_share: options.MaxHeadingShare = 0.05,
    validation_size: options.ValidationSize = 0.1,
    test_size: options.TestSize = 0.2,
    seed: options.Seed = 0,
    skip_bad: options.SkipBad = False,
) -> tuple[DatasetDict, dict[str, Any]]:
    """Build the articles of each split with those of the same split that are to be found for them; and the manifest.

    The columns are those of `ARTICLE_SCHEMA`, of which the last four are lists of PMIDs. All articles of a split are
    there, related to others or not: they are what a search looks through. Arguments and errors are those of `build`.
    """
    collection = read_collection(paths, split, validation_size, test_size, max_heading_share, skip_bad, seed)
    _check(KINDS, 1, 0, least_similarity, least_shared_references)
    dataset = DatasetDict()
    for index, name in enumerate(SPLITS):
        related = _relate(collection, index, least_similarity, least_shared_references)
        pmids = [collection.articles[row].pmid for row in related.rows]
        kinds = {"cited_with": "co-citation", "coupled": "coupling", "same_topic": "mesh"}
        lists = {"cites": related.cites} | {column: related.relations[kind] for column, kind in kinds.items()}
        rows = []
        for position, row in enumerate(related.rows):
            article = collection.articles[row]
            found = {
                column: [pmids[other] for other in _neighbours(matrix, position)] for column, matrix in lists.items()
            }
            own = {name: getattr(article, name) for name in ("pmid", "title", "text", "journal", "year")}
            rows.append(own | {"group": collection.groups[row], "mesh": list(article.mesh)} | found)
        dataset[name] = Dataset(pa.Table.from_pylist(rows, schema=ARTICLE_SCHEMA))
    audited = audit_articles(dataset)
    arguments = {"least_similarity": least_similarity, "least_shared_references": least_shared_references}
    counts = {
        name: {"articles": len(rows)} | {f"with {column}": sum(map(bool, rows[column][:])) for column in LISTS}
        for name, rows in dataset.items()
    }
    checked = {"audit": audited, "rows": counts}
    return dataset, manifest_of(collection, "pubmed_articles", arguments, dataset) | checked


def audit_articles(dataset: Mapping[str, Dataset]) -> dict[str, Any]:
    """Check lists of articles for leaks: LeakageError as `audit`; returns `checks`, what was counted, all 0."""
    check_columns(dataset, "articles", "pmid")
    check_columns(dataset, "groups of articles", "group")
    check_columns(dataset, "texts", "text", key=normalise)
    return {"checks": dict.fromkeys(CHECKS, 0)}


def lacking_articles(dataset: Mapping[str, Dataset]) -> str:
    """In words which list of articles names what is no other article of its split, or one twice."""
    for split, rows in dataset.items():
        pmids = rows["pmid"][:]
        known, listed = set(pmids), {column: rows[column][:] for column in LISTS}
        for column, its in listed.items():
            for pmid, others in zip(pmids, its, strict=True):
                if len({*others} & (known - {pmid})) < len(others):
                    return f"{column} of the article {pmid} of its {split} split names what is no other article of it"
        if split == "test" and not any(map(any, listed.values())):
            return "nothing is to be found for any article of its test split"
    return ""


def audit(dataset: Mapping[str, Dataset]) -> dict[str, Any]:
    """Check pairs for leaks; returns `checks` (what was counted, all 0) and `pair_audit.audit`.

    LeakageError: an article, a group or a text (but for case and punctuation) is in two splits, a pair is there twice,
    or a negative of an article is a positive of it.
    """
    roles = ("anchor", "positive", "negative")
    check_columns(dataset, "groups of articles", "group")
    check_columns(dataset, "articles", *(f"{role}_pmid" for role in roles))
    check_columns(dataset, "texts", *roles, key=normalise)
    for name, rows in dataset.items():
        anchors, positives, negatives = (rows[f"{role}_pmid"][:] for role in roles)
        pairs = set(zip(anchors, positives, strict=True))
        if len(pairs) < len(rows):
            raise LeakageError(f"Split '{name}' has {len(rows) - len(pairs):,} repeated pairs.")
        related = pairs | {(second, first) for first, second in pairs}
        if wrong := related.intersection(zip(anchors, negatives, strict=True)):
            raise LeakageError(f"{len(wrong):,} negatives of split '{name}' are positives, such as {min(wrong)}.")
    return {
        "checks": dict.fromkeys((*CHECKS, "repeated_pairs", "positives_as_negatives"), 0),
        **pair_audit.audit(dataset),
    }


def _check(
    kinds: tuple[str, ...], pairs_per_article: int, hard_share: float, similarity: float, references: int
) -> None:
    for kind in kinds:
        if kind not in KINDS:
            raise BioftError(f"Unknown kind of pairs '{kind}'. {suggestion(kind, KINDS)}")
    if not kinds or pairs_per_article < 1 or references < 1:
        raise BioftError("kinds, pairs_per_article and least_shared_references must be at least one.")
    if not 0 <= hard_share <= 1:
        raise BioftError(f"hard_share is {hard_share}; it is a fraction from 0 to 1.")
    if not 0 < similarity <= 1:
        raise BioftError(f"least_similarity is {similarity}; it is above 0 and at most 1, such as 0.2.")


def _relate(collection: Collection, index: int, least_similarity: float, least_shared_references: int) -> _Related:
    """Relate the articles of one split to each other."""
    rows = np.flatnonzero(collection.split == index)
    articles = [collection.articles[row] for row in rows]
    cites = pubmed_relations.citations(articles)
    coupled = pubmed_relations.bibliographic_coupling(articles)
    relations = {
        "citation": (cites + cites.T).tocsr(),
        "co-citation": pubmed_relations.cocitations(cites),
        "coupling": coupled.multiply(coupled >= least_shared_references).tocsr(),
        "mesh": collection.topics.similarity(rows, least_similarity),
    }
    return _Related(rows, relations, cites, coupled)


def _neighbours(matrix: Matrix, row: int) -> list[int]:
    """The columns of a row's values above 0, the largest first, of equal ones the first."""
    start, end = matrix.indptr[row], matrix.indptr[row + 1]
    columns, values = matrix.indices[start:end], matrix.data[start:end]
    order = np.lexsort((columns, -values))
    return columns[order][values[order] > 0].tolist()


def _positives(related: _Related, kinds: Sequence[str], limit: int | None) -> dict[tuple[int, int], str]:
    """Return (anchor, positive) → kinds; with a limit each pair once, else all pairs in both directions."""
    kinds_of: dict[tuple[int, int], list[str]] = {}
    for kind in kinds:
        found = related.relations[kind].tocoo()
        for pair in zip(found.row[found.data > 0].tolist(), found.col[found.data > 0].tolist(), strict=True):
            kinds_of.setdefault(pair, []).append(kind)
    joined = {pair: "|".join(each) for pair, each in sorted(kinds_of.items())}
    if limit is None:
        return joined
    chosen: dict[tuple[int, int], str] = {}
    for anchor in range(len(related.rows)):
        # The strongest of each kind, then the second of each.
        ranked = [_neighbours(related.relations[kind], anchor) for kind in kinds]
        turns = (each[turn] for turn in range(max(map(len, ranked))) for each in ranked if turn < len(each))
        new = dict.fromkeys(other for other in turns if (other, anchor) not in chosen)
        chosen.update({(anchor, other): joined[anchor, other] for other in islice(new, limit)})
    return chosen


def _with_negatives(
    collection: Collection,
    related: _Related,
    positives: Mapping[tuple[int, int], str],
    hard_share: float,
    rng: np.random.Generator,
) -> list[tuple[str, ...]]:
    """Give each pair a negative, and make rows of them; a pair for which there is none is left out."""
    articles = [collection.articles[row] for row in related.rows]
    groups = [collection.groups[row] for row in related.rows]
    texts = [article.text for article in articles]
    topical = [collection.topics.topical[row] for row in related.rows]
    anchors = sorted({anchor for anchor, _ in positives})
    neighbours = rank_bm25([texts[anchor] for anchor in anchors], texts, BM25_NEIGHBOURS) if anchors else []
    similar = dict(zip(anchors, neighbours, strict=True))
    joined: Matrix = sum(related.relations.values(), start=related.coupled)
    rows = []
    used: Counter[tuple[int, int]] = Counter()
    for (anchor, positive), kind in positives.items():
        near = set(_neighbours(joined, anchor))
        topic = topical[anchor] | topical[positive]

        def unrelated(other: int, group: str = groups[anchor], near: set[int] = near, topic: set[str] = topic) -> bool:
            same = groups[other] == group or other in near
            return bool(topical[other]) and not same and topic.isdisjoint(topical[other])

        # Without headings of its own nothing says that an article with the same words has another topic.
        hard = topic and rng.random() < hard_share
        # One that the anchor does not have yet, where there is one.
        alike = [other for other in similar[anchor] if unrelated(other)] if hard else []
        negative = min(alike, key=lambda other: used[anchor, other], default=None)
        negative_kind = "hard" if negative is not None else "random"
        if negative is None:
            negative = next((other for other in random_order(len(articles), rng) if unrelated(other)), None)
        if negative is None:
            continue
        used[anchor, negative] += 1
        chosen = (anchor, positive, negative)
        pmids = [articles[each].pmid for each in chosen]
        rows.append((*(texts[each] for each in chosen), groups[anchor], kind, negative_kind, *pmids))
    return rows


def _count(rows: Dataset) -> dict[str, int]:
    """Pairs; of each kind (a pair may be of several); hard negatives; articles."""
    kinds = Counter(kind for joined in rows["kind"][:] for kind in joined.split("|"))
    articles = {pmid for role in ("anchor", "positive", "negative") for pmid in rows[f"{role}_pmid"][:]}
    hard = sum(kind == "hard" for kind in rows["negative_kind"][:])
    return {"pairs": len(rows), **dict(sorted(kinds.items())), "hard negatives": hard, "articles": len(articles)}


def manifest_of(
    collection: Collection, builder: str, arguments: dict[str, Any], dataset: DatasetDict
) -> dict[str, Any]:
    """What a manifest says of the collection and the splits made of it; rows and audit are the builder's."""
    origin = Origin(builder, {}, collection.sources, LICENSE)
    return origin.manifest(dataset, collection.arguments | arguments, **collection.told)
