"""Document datasets: rows, manifest, audit, own corpora, the sample corpus, and loading by name."""

import re
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, DatasetDict
from hypothesis import HealthCheck, given, settings, strategies as st

import bioft
from bioft.datasets.documents import corpus as documents, pubtator, sample
from bioft.datasets.documents.pubtator import Document, Mention, Relation, concepts
from bioft.datasets.load import load_documents, load_or_build
from bioft.datasets.origin import Origin
from bioft.errors import BioftError, LeakageError
from bioft.storage import datasets as storage
from bioft.storage.files import file_sha256


def document(number: int, text: str | None = None) -> Document:
    """A document of its own: "Drug <n> causes disease <n>." """
    title = text or f"Drug{number:03d} causes Illness{number:03d}."
    mentions = [
        Mention(15, 25, title[15:25], "Disease", f"D{number}"),
        Mention(0, 7, title[0:7], "Chemical", f"C{number}"),
    ]
    return Document(str(number), title, "No more is known.", mentions, [Relation("CID", f"C{number}", f"D{number}")])


def build(**splits: list[Document]) -> Any:
    return documents.build(splits, Origin("x", {}, [], {}), split={"strategy": "given"})


def test_rows() -> None:
    found = document(1)
    found.relations.append(found.relations[0])
    assert documents.to_row(found) == {
        "document_id": "1",
        "text": "Drug001 causes Illness001. No more is known.",
        # In the order of the text, not of the file.
        "entities": [
            {"id": "C1", "type": "Chemical", "start": 0, "end": 7, "text": "Drug001"},
            {"id": "D1", "type": "Disease", "start": 15, "end": 25, "text": "Illness001"},
        ],
        "relations": [{"type": "CID", "head": "C1", "tail": "D1"}],  # once
    }


@st.composite
def corpora(draw: st.DrawFn) -> list[Document]:
    found = []
    for number in range(draw(st.integers(1, 4))):
        text = draw(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20))
        cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=6)))
        pairs = list(zip(cuts[::2], cuts[1::2], strict=False))
        mentions = [Mention(a, b, text[a:b], draw(st.sampled_from(["Gene", "X"])), draw(st.text())) for a, b in pairs]
        relations = [Relation(draw(st.text(min_size=1)), "a", "b")] if draw(st.booleans()) else []
        found.append(Document(f"{number}", text, "", mentions, relations))
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(corpora())
def test_nested_columns_are_saved_and_loaded_as_they_are(
    tmp_path_factory: pytest.TempPathFactory, found: list[Document]
) -> None:
    """Also without any entity or relation, where a column holds empty lists only."""
    others = [Document(f"of the {split} split", f"Title of the {split} split.", "") for split in ("other", "last")]
    dataset, manifest = build(train=found, validation=others[:1], test=others[1:])
    directory = storage.save(dataset, manifest, tmp_path_factory.mktemp("x") / "dataset")
    loaded, read = storage.load(directory)
    assert read == manifest
    assert loaded["train"].to_list() == [documents.to_row(each) for each in found]
    assert loaded["train"].features == dataset["train"].features


def test_counts_of_the_manifest() -> None:
    _, manifest = build(train=[document(1), document(2)], test=[Document("3", "Title.", "Text.")])
    assert manifest["rows"] == {
        "train": {"documents": 2, "Chemical": 2, "Disease": 2, "CID": 2},
        "test": {"documents": 1},
    }


# Audit


def test_what_of_a_split_was_seen_in_training() -> None:
    train = [document(1), document(2)]
    test = document(3)
    test.mentions = [
        Mention(0, 7, "DRUG001", "Chemical", "C9"),  # a known name but for its case
        Mention(15, 25, "Illness003", "Disease", "D1|D9"),  # a new name of a known concept
        Mention(26, 28, "No", "Disease", "-1"),
        Mention(30, 34, "Drug001", "Disease", "-1"),  # a known name, of another type
    ]
    test.relations = [Relation("CID", "C1", "D1"), Relation("CID", "C1", "D2"), Relation("other", "C1", "D1")]
    seen = documents.audit(build(train=train, test=[test])[0])["seen_in_train"]["test"]
    assert seen == {
        "Chemical": {"mentions": 1, "name_seen": 1.0, "linked": 1, "concept_seen": 0.0},
        "Disease": {"mentions": 3, "name_seen": 0.0, "linked": 1, "concept_seen": 1.0},
        "all": {"mentions": 4, "name_seen": 0.25, "linked": 2, "concept_seen": 0.5},
        "CID": {"relations": 2, "seen": 0.5},
        "other": {"relations": 1, "seen": 0.0},
    }


def test_leaks_stop_the_build() -> None:
    with pytest.raises(LeakageError, match="1 document ids straddle splits, for example '1' in train and test"):
        build(train=[document(1), document(2)], test=[document(1)])
    same_text = Document("9", "DRUG002 -- causes illness002!", "no more is known")
    with pytest.raises(LeakageError, match=r"1 texts straddle splits.* document 2 in train and 9 in test"):
        build(train=[document(1), document(2)], test=[same_text])


def test_repeated_texts_within_a_split_are_counted() -> None:
    _, manifest = build(train=[document(1), Document("9", "drug001 causes illness001", "No more is known.")])
    assert manifest["audit"]["repeated_texts"] == {"train": 1}


def test_an_empty_split() -> None:
    with pytest.raises(BioftError, match="No documents for split 'test'"):
        build(train=[document(1)], test=[])


# Own corpora


def files(folder: Path, *ranges: range) -> list[Path]:
    paths = []
    for part, numbers in enumerate(ranges):
        paths.append(folder / f"{part}.txt")
        pubtator.write(map(document, numbers), paths[-1])
    return paths


def test_three_files_are_the_splits(tmp_path: Path) -> None:
    paths = files(tmp_path, range(5), range(5, 8), range(8, 10))
    dataset, manifest = documents.build_from_pubtator(paths)
    assert {split: rows["document_id"][:] for split, rows in dataset.items()} == {
        "train": ["0", "1", "2", "3", "4"],
        "validation": ["5", "6", "7"],
        "test": ["8", "9"],
    }
    assert [source["sha256"] for source in manifest["sources"]] == [file_sha256(path) for path in paths]
    assert manifest["split"] == {"strategy": "given"}


def test_one_file_is_split_at_random(tmp_path: Path) -> None:
    paths = files(tmp_path, range(20))
    splits = [
        {name: rows["document_id"][:] for name, rows in documents.build_from_pubtator(paths, seed=seed)[0].items()}
        for seed in (0, 0, 1)
    ]
    assert splits[0] == splits[1] != splits[2]
    assert [len(ids) for ids in splits[0].values()] == [14, 2, 4]
    assert sorted(id for ids in splits[0].values() for id in ids) == sorted(map(str, range(20)))


def test_two_files_are_not_enough(tmp_path: Path) -> None:
    with pytest.raises(BioftError, match="2 PubTator files: give three"):
        documents.build_from_pubtator(files(tmp_path, range(3), range(3, 6)))


def test_skipped_documents_are_counted(tmp_path: Path) -> None:
    (path,) = files(tmp_path, range(20))
    path.write_text(path.read_text().replace("7\tCID\tC7\tD7", "7\tCID\tC7\tD8"))
    with pytest.raises(BioftError, match=r"0\.txt, document 7, line .* names the id D8"):
        documents.build_from_pubtator([path])
    dataset, manifest = documents.build_from_pubtator([path], skip_bad=True)
    assert manifest["skipped"]["all"]["documents"] == 1
    assert "names the id D8" in manifest["skipped"]["all"]["first"][0]
    assert sum(map(len, dataset.values())) == 19


# The sample corpus


def test_the_sample_corpus() -> None:
    """What the recipes' defaults need: all types, composite and unlinked mentions, related and unrelated pairs."""
    assert sample.FILE.is_relative_to(Path(bioft.__file__).parent)  # installed with the package
    found = list(pubtator.read(sample.FILE))
    assert len(found) == 120
    mentions = [mention for each in found for mention in each.mentions]
    assert {mention.type for mention in mentions} == {"Chemical", "Disease", "Gene"}
    assert any(mention.individual for mention in mentions)
    assert any(mention.id == "-1" for mention in mentions)
    assert all(re.fullmatch(r"-1|\d+|[CD]\d{6,9}(\|D\d{6})*", mention.id) for mention in mentions)
    candidates = related = 0
    for each in found:
        ids = {
            kind: {c for mention in each.mentions if mention.type == kind for c in concepts(mention.id)}
            for kind in ("Chemical", "Disease")
        }
        candidates += len(ids["Chemical"]) * len(ids["Disease"])
        related += len(each.relations)
        assert {relation.head for relation in each.relations} <= ids["Chemical"]
        assert {relation.tail for relation in each.relations} <= ids["Disease"]
        assert len(re.findall(r"\.(?= |$)", each.abstract)) in range(2, 6)
    assert 0.2 < related / candidates < 0.5


def test_a_concept_of_the_sample_has_one_type_and_a_name_one_concept() -> None:
    types: dict[str, set[str]] = {}
    ids: dict[str, set[str]] = {}
    for each in pubtator.read(sample.FILE):
        for mention in each.mentions:
            ids.setdefault(mention.text.lower(), set()).add(mention.id)
            for concept in concepts(mention.id):
                types.setdefault(concept, set()).add(mention.type)
    assert [concept for concept, found in types.items() if len(found) > 1] == []
    assert [name for name, found in ids.items() if len(found) > 1] == []


def test_every_name_of_the_sample_is_annotated_wherever_it_stands() -> None:
    found = list(pubtator.read(sample.FILE))
    names = {mention.text.lower() for each in found for mention in each.mentions}
    pattern = re.compile(rf"(?<!\w)({'|'.join(map(re.escape, sorted(names, key=len, reverse=True)))})(?!\w)")
    for each in found:
        inside = {place for mention in each.mentions for place in range(mention.start, mention.end)}
        missed = [match[0] for match in pattern.finditer(each.text.lower()) if match.start() not in inside]
        assert (each.document_id, missed) == (each.document_id, [])


# By name


def test_load_documents(tmp_path: Path) -> None:
    dataset, manifest = load_documents("sample")
    assert sum(map(len, dataset.values())) == 120
    assert manifest["builder"] == "sample"
    directory = storage.save(dataset, manifest, tmp_path / "x")
    loaded, again = load_documents(str(directory))
    assert again == manifest
    assert loaded["test"].to_list() == dataset["test"].to_list()
    assert load_documents("sample", seed=1)[1]["fingerprints"] != manifest["fingerprints"]


@pytest.mark.parametrize("name", ["bc5cdr", "chemdisgene"])
def test_a_corpus_needs_its_path(shared_data: Path, name: str) -> None:
    with pytest.raises(BioftError, match=f"needs --dataset_path PATH.*bioft download {name}"):
        load_documents(name)
    path = {"bc5cdr": "bc5cdr", "chemdisgene": "chemdisgene/test.anno_all.json.gz"}[name]
    assert load_documents(name, dataset_path=str(shared_data / path))[1]["builder"] == name


def test_what_is_no_document_dataset(tmp_path: Path) -> None:
    with pytest.raises(BioftError, match="No dataset 'bc5': give sample, bc5cdr"):
        load_documents("bc5")
    with pytest.raises(BioftError, match="no manifest"):
        load_documents(str(tmp_path))
    rows = Dataset.from_dict({"gene": ["BRCA1"], "label": [1]})
    prints = dict.fromkeys(storage.SPLITS, storage.fingerprint(rows))
    manifest = {"schema_version": storage.SCHEMA_VERSION, "fingerprints": prints}
    pairs = storage.save(DatasetDict(dict.fromkeys(storage.SPLITS, rows)), manifest, tmp_path / "pairs")
    with pytest.raises(
        BioftError, match="is no dataset of documents: split train has the columns gene, label; needed"
    ):
        load_documents(str(pairs))
    three = build(train=[document(1)], validation=[document(2)], test=[document(3)])
    corpus = storage.save(*three, tmp_path / "corpus")
    with pytest.raises(
        BioftError, match="is no dataset of gene–disease pairs: split train has the columns document_id"
    ):
        load_or_build(str(corpus))


NESTED = "".join(
    f"{n}|t|JC virus infection {n}\n{n}|a|Text number{n}.\n{n}\t0\t18\tJC virus infection\tDisease[/b]\tD1\n"
    f"{n}\t0\t8\tJC virus\tSpecies\t7\n{n}\tBy\t7\tD1\tNovel\n\n"
    for n in range(10)
)


def test_nested_mentions_are_kept_or_the_longest_or_refused(tmp_path: Path) -> None:
    (tmp_path / "x.pubtator").write_text(NESTED)
    dataset, manifest = documents.build_from_pubtator([tmp_path / "x.pubtator"])
    assert all(len(row["entities"]) == 2 for split in dataset.values() for row in split)
    assert dataset["test"][0]["relations"] == [{"type": "By", "head": "7", "tail": "D1"}]
    assert "left_out" not in manifest
    dataset, manifest = documents.build_from_pubtator([tmp_path / "x.pubtator"], overlapping="longest")
    assert [e["text"] for split in dataset.values() for row in split for e in row["entities"]] == [
        "JC virus infection"
    ] * 10
    assert manifest["left_out"] == {"overlapping mentions": 10, "relations of overlapping mentions": 10}
    with pytest.raises(BioftError, match=r"Document 0: the mentions 'JC virus' .* overlap.*--overlapping longest"):
        documents.build_from_pubtator([tmp_path / "x.pubtator"], overlapping="refuse")
