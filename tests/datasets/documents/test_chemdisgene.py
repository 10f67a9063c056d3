"""ChemDisGene: the authors' counts, both layouts, the training corpus beside it, and what can be wrong."""

import copy as copying
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from bioft.datasets.documents import chemdisgene, pubtator
from bioft.errors import BioftError, LeakageError


@pytest.fixture(scope="module")
def real(shared_data: Path) -> Path:
    return shared_data / "chemdisgene" / "test.anno_all.json.gz"


@pytest.fixture(scope="module")
def content(real: Path) -> list[dict[str, Any]]:
    with gzip.open(real) as file:
        return json.load(file)


# One made-up document of the training corpus, and one for validation.
MADE_UP = (
    "{id}|t|Zenozine and ABC1 in {disease}.\n"
    "{id}|a|Zenozine raised ABC1.\n"
    "{id}\t0\t8\tZenozine\tChemical\tMESH:D1\n"
    "{id}\t13\t17\tABC1\tGene\t19|20\n"
    "{id}\t21\t27\tasthma\tDisease\t-\n\n"
)
RELATIONS = "{id}\tchem_gene:increases^expression\tMESH:D1\t20\n"


def training_folder(folder: Path, relations: str = RELATIONS) -> Path:
    folder.mkdir()
    for part, identifier in (("train", "900001"), ("dev", "900002")):
        text = MADE_UP.format(id=identifier, disease="asthma" if part == "train" else "asthma, again")
        (folder / f"{part}_abstracts.txt.gz").write_bytes(gzip.compress(text.encode()))
        (folder / f"{part}_relationships.tsv.gz").write_bytes(gzip.compress(relations.format(id=identifier).encode()))
    return folder


def totals(manifest: dict[str, Any]) -> dict[str, int]:
    found: dict[str, int] = {}
    for counts in manifest["rows"].values():
        for what, count in counts.items():
            found[what] = found.get(what, 0) + count
    return found


def test_counts_of_the_authors(real: Path) -> None:
    dataset, manifest = chemdisgene.build(real, relation_types="all")
    found = totals(manifest)
    assert (found["documents"], found["Chemical"], found["Disease"], found["Gene"]) == (523, 5739, 2931, 5578)
    relations = {what: count for what, count in found.items() if ":" in what}
    assert set(relations) == set(chemdisgene.RELATION_TYPES)
    assert sum(relations.values()) == 3911
    assert relations["chem_disease:marker/mechanism"] == 648
    assert relations["chem_gene:affects^transport"] == 9
    texts = [text for rows in dataset.values() for text in rows["text"]]
    assert any("&gt;" in text for text in texts)  # offsets count HTML entities: they stay


def test_the_benchmark_keeps_14_types(real: Path) -> None:
    _, manifest = chemdisgene.build(real)
    relations = {what: count for what, count in totals(manifest).items() if ":" in what}
    assert set(relations) == set(chemdisgene.BENCHMARK_TYPES)
    assert len(chemdisgene.BENCHMARK_TYPES) == 14
    assert sum(relations.values()) == 3911 - 32 - 20 - 17 - 9
    assert "Did you mean 'benchmark'" in failure(real, relation_types="benchmarks")


def test_without_training_corpus_it_is_split_by_document_and_says_so(real: Path) -> None:
    dataset, manifest = chemdisgene.build(real, seed=3)
    ids = [set(rows["document_id"]) for rows in dataset.values()]
    assert len(set.union(*ids)) == sum(map(len, ids)) == 523
    assert [len(found) for found in ids] == [366, 52, 105]
    assert "not comparable" in manifest["split"]["note"]
    assert manifest["split"]["strategy"] == "document"
    assert manifest["seed"] == 3
    again, other = (chemdisgene.build(real, seed=seed)[1]["fingerprints"] for seed in (3, 4))
    assert again == manifest["fingerprints"]
    assert other != again


def authors_folder(folder: Path, content: list[dict[str, Any]]) -> Path:
    """The curated corpus as the authors publish it: PubTator, and relations in two TSV files."""
    folder.mkdir()
    documents = []
    relations: list[list[str]] = [[], []]
    for item in content:
        mentions = [pubtator.Mention(e["start"], e["end"], e["mention"], e["type"], e["id"]) for e in item["entity"]]
        documents.append(pubtator.Document(item["docid"], item["title"], item["abstract"], mentions))
        for index, relation in enumerate(item["relation"]):
            fields = (item["docid"], relation["type"], relation["subj"], relation["obj"])
            relations[index % 2].append("\t".join(fields) + "\n")
    pubtator.write(documents, folder / "abstracts.txt")
    for name, lines in zip(chemdisgene.CURATED[1:], relations, strict=True):
        (folder / name).write_bytes(gzip.compress("".join(lines).encode()))
    return folder


def test_the_layout_of_the_authors_gives_the_same_documents(
    real: Path, content: list[dict[str, Any]], tmp_path: Path
) -> None:
    folder = authors_folder(tmp_path / "curated", content)
    expected, _ = chemdisgene.build(real)
    found, manifest = chemdisgene.build(folder)
    for split, rows in found.items():
        for row, other in zip(rows, expected[split], strict=True):
            assert (row["text"], row["entities"]) == (other["text"], other["entities"])
            assert sorted(map(str, row["relations"])) == sorted(map(str, other["relations"]))
    assert [source["name"] for source in manifest["sources"]] == ["abstracts.txt", *chemdisgene.CURATED[1:]]


def test_with_the_training_corpus_the_curated_one_is_the_test_split(real: Path, tmp_path: Path) -> None:
    dataset, manifest = chemdisgene.build(real, train_path=training_folder(tmp_path / "ctd_derived"))
    assert {split: len(rows) for split, rows in dataset.items()} == {"train": 1, "validation": 1, "test": 523}
    assert dataset["train"][0]["relations"] == [
        {"type": "chem_gene:increases^expression", "head": "MESH:D1", "tail": "20"}
    ]
    assert [entity["id"] for entity in dataset["train"][0]["entities"]] == ["MESH:D1", "19|20", "-"]
    assert manifest["split"]["strategy"] == "official"
    assert "distant supervision" in manifest["split"]["note"]
    assert len(manifest["sources"]) == 5


def test_training_corpus_as_json(real: Path, content: list[dict[str, Any]], tmp_path: Path) -> None:
    for position, name in enumerate(("train.json", "valid.json")):
        item = {**content[position], "docid": f"9{position}", "title": f"Another title {position}."}
        item |= {"entity": [], "relation": []}
        (tmp_path / name).write_text(json.dumps([item]))
    dataset, _ = chemdisgene.build(real, train_path=tmp_path)
    assert [dataset[split]["document_id"][:] for split in ("train", "validation")] == [["90"], ["91"]]


# Bad input


def failure(path: Path, **arguments: Any) -> str:
    with pytest.raises(BioftError) as caught:
        chemdisgene.build(path, **arguments)
    return str(caught.value)


def changed(tmp_path: Path, content: list[dict[str, Any]], change: Any) -> Path:
    new = copying.deepcopy(content)
    change(new)
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(new), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            lambda c: c[1]["entity"][2].update(start=c[1]["entity"][2]["start"] + 1),
            "item 2, document .*, mention 3: .*",
        ),
        (lambda c: c[0].update(docid=7), "item 1 is no document of ChemDisGene .*7 where a text should be"),
        (lambda c: c[0]["entity"][0].update(id=["D1"]), "item 1 is no document of ChemDisGene"),
        (lambda c: c[0]["relation"][0].update(obj="MESH:X9"), "item 1, .*, relation 1: .* names the id MESH:X9"),
        (
            lambda c: c[0]["relation"][0].update(type="chem_gene:binding"),
            "item 1, .*, relation 1: unknown relation type",
        ),
        (lambda c: c[4].pop("abstract"), r"item 5 is no document of ChemDisGene \(KeyError: 'abstract'\)"),
        (lambda c: c[4].update(entity=None), "item 5 is no document of ChemDisGene"),
        (lambda c: c[4].update(abstract=""), "item 5, document .*, abstract: the abstract is empty"),
        (lambda c: c.insert(7, c[6]), "item 8: document .* comes twice"),
    ],
)
def test_a_wrong_document_is_named_or_skipped_and_counted(
    content: list[dict[str, Any]], tmp_path: Path, change: Any, problem: str
) -> None:
    path = changed(tmp_path, content[:20], change)
    with pytest.raises(BioftError, match=rf"changed\.json, {problem}"):
        chemdisgene.build(path)
    _, manifest = chemdisgene.build(path, skip_bad=True)
    assert manifest["skipped"]["curated"]["documents"] == 1
    assert totals(manifest)["documents"] == (20 if "twice" in problem else 19)


def test_another_version_of_the_corpus(content: list[dict[str, Any]], tmp_path: Path) -> None:
    path = changed(tmp_path, content, lambda c: c[0]["relation"].pop())
    assert "it has 3,910 relations (authors: 3,911)" in failure(path)


@pytest.mark.parametrize(
    ("text", "problem"), [("{", "not valid JSON"), ("{}", "is no list of documents"), ("[]", "it has 0 documents")]
)
def test_what_is_no_such_file(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "x.json").write_text(text)
    assert problem in failure(tmp_path / "x.json")
    missing = failure(tmp_path / "no.json")
    assert "does not exist." in missing and "Get the corpus with `bioft download chemdisgene`" in missing
    assert "does not exist" in failure(tmp_path)  # a folder without abstracts.txt.gz


@pytest.mark.parametrize(
    ("relations", "problem"),
    [
        ("{id}\tchem_gene:increases^expression\tMESH:D1\n", "line 1: not four tab-separated fields"),
        ("\n{id}\tchem_gene:increases^expression\tMESH:D1\t7\n", "line 1: not four"),
        ("{id}\tchem_gene:increases^expression\tMESH:D1\t7\n", "line 1, document 900001: .* id 7, which no mention"),
        ("{id}\tchem_gene:increases\tMESH:D1\t20\n", "line 1, document 900001: unknown relation type"),
        (
            RELATIONS + "5\tchem_gene:increases^expression\tMESH:D1\t20\n",
            "line 2: a relation of document 5, which is not",
        ),
    ],
)
def test_wrong_relations_of_the_training_corpus(real: Path, tmp_path: Path, relations: str, problem: str) -> None:
    folder = training_folder(tmp_path / "ctd_derived", relations)
    with pytest.raises(BioftError, match=rf"train_relationships\.tsv\.gz, {problem}"):
        chemdisgene.build(real, train_path=folder)


def test_a_test_document_in_the_training_corpus_is_a_leak(
    real: Path, content: list[dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "train.json").write_text(json.dumps([content[3]]))
    (tmp_path / "valid.json").write_text(
        json.dumps([{**content[4], "docid": "1", "title": "Other."} | {"entity": [], "relation": []}])
    )
    with pytest.raises(LeakageError, match="1 document ids straddle splits"):
        chemdisgene.build(real, train_path=tmp_path)
