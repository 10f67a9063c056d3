"""Pairs of PubMed articles: how they are related, what each split may hold, negatives, and real articles."""

import math
from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from datasets import DatasetDict
from hypothesis import given, strategies as st

from bioft.datasets.pubmed import collection as pubmed_collection, pairs as pubmed, relations as pubmed_relations
from bioft.datasets.pubmed.articles import Article, Passage
from bioft.datasets.pubmed.relations import CHECK_TAGS, Topics
from bioft.errors import BioftError, LeakageError
from bioft.storage import datasets as storage

WORDS = [f"word{i}" for i in range(60)]


def article(pmid, mesh=(), references=(), text=None):
    return Article(
        pmid=str(pmid),
        version=1,
        revised="",
        title=f"Title {pmid}",
        abstract=(Passage("", text or f"Abstract of {pmid}."),),
        journal="J",
        year=2000,
        mesh=tuple(mesh),
        references=tuple(map(str, references)),
        retracted=False,
    )


def to_xml(each, extra=""):
    mesh = "".join(f"<MeshHeading><DescriptorName>{m}</DescriptorName></MeshHeading>" for m in each.mesh)
    references = "".join(
        f'<CommentsCorrections RefType="Cites"><PMID>{r}</PMID></CommentsCorrections>' for r in each.references
    )
    return (
        f"<PubmedArticle><MedlineCitation><PMID>{each.pmid}</PMID><Article><ArticleTitle>{each.title}</ArticleTitle>"
        f"<Abstract><AbstractText>{each.abstract_text}</AbstractText></Abstract>{extra}</Article>"
        f"<CommentsCorrectionsList>{references}</CommentsCorrectionsList><MeshHeadingList>{mesh}</MeshHeadingList>"
        "</MedlineCitation></PubmedArticle>"
    )


@pytest.fixture
def write(tmp_path):
    def write(articles, name="articles.xml"):
        path = tmp_path / name
        records = [each if isinstance(each, str) else to_xml(each) for each in articles]
        path.write_text("<PubmedArticleSet>" + "\n".join(records) + "</PubmedArticleSet>", encoding="utf-8")
        return path

    return write


def made_up(seed, n=70):
    """Articles of 8 topics that cite earlier ones of their topic and a few of any; half say "Humans"."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(n):
        topic = int(rng.integers(8))
        mesh = [f"Topic {topic} {rng.integers(3)}", f"Topic {topic} x", *(["Humans"] if rng.random() < 0.5 else [])]
        earlier = [each.pmid for each in found if each.mesh and each.mesh[0].startswith(f"Topic {topic}")]
        references = [str(r) for r in rng.permutation(earlier)[: rng.integers(3)]] + [str(1000 + rng.integers(12))]
        text = " ".join(rng.choice(WORDS[topic * 7 : topic * 7 + 14], 12))
        found.append(article(i + 1, mesh if rng.random() < 0.9 else (), references, f"{text} {i}"))
    return found


def test_citations_and_what_follows_from_them():
    """1 and 2 are cited by 3 and 4; 3 cites itself and one that isn't there; 4 and 5 share two references."""
    articles = [
        article(1),
        article(2),
        article(3, (), (1, 2, 3, 99)),
        article(4, (), (1, 2, 98, 97)),
        article(5, (), (98, 97)),
    ]
    cites = pubmed_relations.citations(articles)
    assert sorted(zip(*cites.nonzero(), strict=True)) == [(2, 0), (2, 1), (3, 0), (3, 1)]
    together = pubmed_relations.cocitations(cites).toarray()
    assert together[0, 1] == together[1, 0] == 2
    assert together.sum() == 4
    coupled = pubmed_relations.bibliographic_coupling(articles).toarray()
    assert (coupled[2, 3], coupled[3, 4], coupled[2, 4]) == (2, 2, 0)
    assert not coupled.diagonal().any()
    assert pubmed_relations.components(articles, cites) == ["1", "1", "1", "1", "5"]
    assert pubmed_relations.components(articles, None) == ["1", "2", "3", "4", "5"]


def test_the_same_text_is_one_group():
    same = [article(1, text="Same  text!"), article(2), article(3, text="same text")._replace(title="title 1")]
    assert pubmed_relations.components(same, None) == ["1", "2", "1"]


def test_topics_weigh_headings_by_how_rare_they_are():
    """Of 40 articles: "Humans" is everywhere, "Lung" in two, "Heart" in two of those with "Kidney"."""
    articles = [article(i, ["Humans"]) for i in range(35)]
    articles += [article(50, ["Humans", "Lung"]), article(51, ["Humans", "Lung"])]
    articles += [article(52, ["Heart", "Kidney"]), article(53, ["Heart", "Liver"]), article(54)]
    topics = Topics(articles, max_share=0.05)
    found = topics.similarity(np.arange(40), 0.01).toarray()
    assert not found[:35].any()
    humans, pair, single = (math.log(39 / n) for n in (37, 2, 1))
    assert found[35, 36] == pytest.approx(pair**2 / (pair**2 + humans**2))
    assert found[37, 38] == pytest.approx(pair**2 / (pair**2 + single**2))
    assert np.count_nonzero(found) == 4
    assert topics.topical[35] == {"Lung"}
    # Only among the rows that are given, and in their order.
    assert topics.similarity(np.array([38, 36, 35]), 0.01).nonzero()[0].tolist() == [1, 2]


def test_humans_alone_makes_no_pair(write):
    """However small the collection: all have "Humans", nothing else is common."""
    path = write([article(i, ["Humans", f"Topic {i}"]) for i in range(30)])
    with pytest.raises(BioftError, match="No pairs for split 'train'"):
        pubmed.build([path], split="article")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("split", pubmed_collection.STRATEGIES)
def test_positives_are_related_and_negatives_are_not(write, seed, split):
    """By the definitions, worked out pair by pair; validation and test have every pair, in both directions."""
    articles = made_up(seed)
    by_pmid = {each.pmid: each for each in articles}
    dataset, manifest = pubmed.build([write(articles)], split=split, validation_size=0.25, test_size=0.3, seed=seed)
    terms = {pmid: set(each.mesh) for pmid, each in by_pmid.items()}
    counts = Counter(term for each in terms.values() for term in each)
    indexed = sum(map(bool, terms.values()))
    weight = {term: math.log(indexed / n) for term, n in counts.items()}
    members = {
        name: {pmid for role in ("anchor", "positive", "negative") for pmid in rows[f"{role}_pmid"][:]}
        for name, rows in dataset.items()
    }

    def kinds(one, other, split_members):
        a, b = by_pmid[one], by_pmid[other]
        shared = {t for t in terms[one] & terms[other] if counts[t] <= max(2, 0.05 * indexed)}
        lengths = [sum(weight[t] ** 2 for t in terms[p]) ** 0.5 or 1 for p in (one, other)]
        cosine = sum(weight[t] ** 2 for t in shared) / math.prod(lengths)
        found = {
            "citation": one in b.references or other in a.references,
            "co-citation": any({one, other} <= set(by_pmid[p].references) for p in split_members - {one, other}),
            "coupling": len({*a.references} & {*b.references}) >= 2,
            "mesh": cosine >= 0.2,
        }
        return {kind for kind, holds in found.items() if holds}

    collection = pubmed_collection.read_collection(
        [write(articles)], split=split, validation_size=0.25, test_size=0.3, seed=seed
    )
    for index, (name, rows) in enumerate(dataset.items()):
        everyone = {
            each.pmid for each, code in zip(collection.articles, collection.split, strict=True) if code == index
        }
        assert members[name] <= everyone
        for row in rows:
            one, other, negative = row["anchor_pmid"], row["positive_pmid"], row["negative_pmid"]
            assert set(row["kind"].split("|")) == kinds(one, other, everyone)
            assert not kinds(one, negative, everyone)
            assert terms[negative] - CHECK_TAGS
            assert not (terms[one] | terms[other]) & terms[negative] - CHECK_TAGS
            assert row["anchor"] == by_pmid[one].text
        pairs = set(zip(rows["anchor_pmid"], rows["positive_pmid"], strict=True))
        expected = {pair for pair in combinations(sorted(everyone, key=int), 2) if kinds(*pair, everyone)}
        left_out = manifest["left_out"][f"pairs of {name} without a negative"]
        if name == "train":
            assert not pairs & {(other, one) for one, other in pairs}
            assert max(Counter(one for one, _ in pairs).values()) <= 4
            assert {tuple(sorted(pair, key=int)) for pair in pairs} <= expected
        else:
            both = expected | {(other, one) for one, other in expected}
            assert pairs <= both
            assert len(pairs) + left_out == len(both)
    assert set(dataset["train"]["negative_kind"]) == {"hard", "random"}


@given(
    st.lists(
        st.tuples(st.integers(1, 10**8), st.integers(0, 9)), min_size=10, max_size=60, unique_by=lambda its: its[0]
    )
)
def test_the_newest_articles_are_the_test_split_of_time(found):
    """Every article of training came before every one of validation, and these before those of test; groups stay."""
    articles = [article(pmid) for pmid, _ in found]
    groups = [str(group) if group < 3 else f"own {pmid}" for pmid, group in found]
    try:
        codes = pubmed_collection.split_by_time(articles, groups, 0.2, 0.3)
    except BioftError as error:
        assert "No rows left" in str(error)
        return
    first = {
        group: min(pmid for (pmid, _), its in zip(found, groups, strict=True) if its == group) for group in groups
    }
    by_code = [
        [first[group] for group, code in zip(groups, codes, strict=True) if code == index] for index in range(3)
    ]
    assert max(by_code[0]) < min(by_code[1]) and max(by_code[1]) < min(by_code[2])
    assert len({(group, code) for group, code in zip(groups, codes.tolist(), strict=True)}) == len(set(groups))
    if len(set(groups)) == len(groups):
        assert len(by_code[2]) == pytest.approx(0.3 * len(groups), abs=1)


def test_hard_negatives_are_nearer_in_words_than_random_ones(write):
    articles = made_up(1, n=200)
    path = write(articles)

    def overlap(share):
        rows = pubmed.build([path], split="article", hard_share=share)[0]["train"]
        kept = [row for row in rows if share == 0 or row["negative_kind"] == "hard"]
        assert len(kept) > 30
        return np.mean([len({*row["anchor"].split()} & {*row["negative"].split()}) for row in kept])

    assert overlap(1.0) > 1.5 * overlap(0.0)


def test_same_arguments_same_rows(write):
    path = write(made_up(2))
    prints = [pubmed.build([path], split="article", seed=seed)[1]["fingerprints"] for seed in (5, 5, 6)]
    assert prints[0] == prints[1] != prints[2]


def test_what_can_not_be_paired_is_left_out_and_counted(write):
    retracted = "<PublicationTypeList><PublicationType>Retracted Publication</PublicationType></PublicationTypeList>"
    articles = made_up(3)
    path = write([*articles, to_xml(article(501), retracted), to_xml(article(502)).replace("Abstract of 502.", "")])
    collection = pubmed_collection.read_collection([path], split="article")
    assert {each.pmid for each in collection.articles} == {each.pmid for each in articles}
    assert collection.told["left_out"]["retracted articles"] == 1
    assert collection.told["left_out"]["articles without title or abstract"] == 1
    assert (collection.told["read"]["articles"], collection.told["read"]["kept"]) == (72, 70)
    with pytest.raises(BioftError, match="None of the 1 articles has an abstract"):
        pubmed_collection.read_collection([write([to_xml(article(1), retracted)], "retracted.xml")])


def test_audit_finds_what_it_is_for(write):
    dataset, _ = pubmed.build([write(made_up(4))], split="article", validation_size=0.25, test_size=0.3)

    def changed(split, row, **values):
        rows = dataset[split].to_list()
        rows[row] |= values
        return DatasetDict(dataset) | {split: dataset[split].from_list(rows)}

    train = dataset["train"][0]
    with pytest.raises(LeakageError, match="groups of articles straddle"):
        pubmed.audit(changed("test", 0, group=train["group"]))
    with pytest.raises(LeakageError, match="articles straddle"):
        pubmed.audit(changed("test", 0, negative_pmid=train["anchor_pmid"]))
    with pytest.raises(LeakageError, match="texts straddle"):
        pubmed.audit(changed("test", 0, positive=train["positive"].upper()))
    with pytest.raises(LeakageError, match="1 repeated pairs"):
        pubmed.audit(changed("train", 1, anchor_pmid=train["anchor_pmid"], positive_pmid=train["positive_pmid"]))
    with pytest.raises(LeakageError, match="negatives of split 'train' are positives"):
        pubmed.audit(changed("train", 0, negative_pmid=train["positive_pmid"]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "random"}, "Unknown split 'random'"),
        ({"kinds": ["cites"]}, "Unknown kind of pairs 'cites'"),
        ({"hard_share": 2}, "hard_share is 2"),
        ({"least_similarity": 0}, "least_similarity is 0"),
        ({"pairs_per_article": 0}, "must be at least one"),
    ],
)
def test_wrong_arguments(write, arguments, message):
    with pytest.raises(BioftError, match=message):
        pubmed.build([write(made_up(5))], **arguments)


def test_articles_to_be_found(write):
    """The same splits as the pairs; the lists are what the definitions say, within the split."""
    path = write(made_up(6))
    options = {"split": "article", "validation_size": 0.25, "test_size": 0.3}
    collection = pubmed_collection.read_collection([path], **options)
    dataset, manifest = pubmed.build_article_lists([path], **options)
    pairs, _ = pubmed.build([path], **options)
    assert sum(map(len, dataset.values())) == 70
    assert manifest["rows"]["test"]["articles"] == len(dataset["test"])
    for name, rows in dataset.items():
        inside = set(rows["pmid"])
        cites = {(row["pmid"], other) for row in rows for other in row["cites"]}
        by_pmid = {each.pmid: each for each in collection.articles}
        assert cites == {(p, r) for p in inside for r in by_pmid[p].references if r in inside}
        of_kind = {
            kind: {(row["anchor_pmid"], row["positive_pmid"]) for row in pairs[name] if kind in row["kind"].split("|")}
            for kind in pubmed.KINDS
        }
        columns = {"co-citation": "cited_with", "coupling": "coupled", "mesh": "same_topic"}
        for kind, column in columns.items():
            assert of_kind[kind] <= {(row["pmid"], other) for row in rows for other in row[column]}
        assert not any(row["pmid"] in row["same_topic"] for row in rows)


def test_real_articles(shared_data, tmp_path):
    """Saved and loaded; pairs of every kind in every split; no citation crosses splits."""
    collection = pubmed_collection.read_collection([shared_data / "pubmed"])
    assert collection.told["read"]["kept"] == 580
    dataset, manifest = pubmed.build([shared_data / "pubmed"])
    for name, rows in dataset.items():
        assert set("|".join(rows["kind"]).split("|")) == set(pubmed.KINDS)
        assert manifest["rows"][name]["pairs"] == len(rows) > 50
        assert manifest["left_out"][f"pairs of {name} without a negative"] == 0
    split_of = {each.pmid: code for each, code in zip(collection.articles, collection.split, strict=True)}
    citations = [
        (split_of[each.pmid], split_of[other])
        for each in collection.articles
        for other in each.references
        if other in split_of
    ]
    assert len(citations) > 100
    assert all(one == other for one, other in citations)
    storage.save(dataset, manifest, tmp_path / "pairs")
    loaded, _ = storage.load(tmp_path / "pairs")
    assert loaded["test"][0] == dataset["test"][0]
    # A pair that is related by its topic alone has a heading in common that says more than who was studied.
    headings = {each.pmid: set(each.mesh) for each in collection.articles}
    for row in dataset["train"]:
        if row["kind"] == "mesh":
            assert headings[row["anchor_pmid"]] & headings[row["positive_pmid"]] - CHECK_TAGS
