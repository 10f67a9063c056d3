"""One small corpus written as BioC XML and JSON, brat, PubTator and JSONL: each is read as what was written."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings, strategies as st

from bioft.datasets.documents import pubtator
from bioft.datasets.documents.pubtator import Document, Mention, Relation
from bioft.datasets.formats import inputs
from bioft.datasets.formats.documents import build_entities, build_relations
from bioft.errors import BioftError

LETTERS = "abcdefghijklmnopqrst"


def documents(n: int = 20) -> list[Document]:
    """Titles and abstracts, with a character of two bytes and one of four before the mentions."""
    found = []
    for letter in LETTERS[:n]:
        title, abstract = f"Über 𝛽 and drug{letter}.", f"It causes pain{letter} & more, says {letter * 5}."
        start, place = title.index("drug"), len(title) + 1 + abstract.index("pain")
        mentions = [
            Mention(start, start + 5, f"drug{letter}", "Chemical", f"D{letter}"),
            Mention(place, place + 5, f"pain{letter}", "SpecificDisease", f"M{letter}"),
        ]
        found.append(
            Document(f"doc{letter}", title, abstract, mentions, [Relation("CID", f"D{letter}", f"M{letter}")])
        )
    return found


def bioc_document(document: Document) -> dict[str, Any]:
    passages = [
        {"offset": 0, "text": document.title, "annotations": []},
        {"offset": len(document.title) + 1, "text": document.abstract, "annotations": []},
    ]
    for number, each in enumerate(document.mentions):
        annotation = {
            "id": str(number),
            "infons": {"type": each.type, "identifier": each.id},
            "text": each.text,
            "locations": [{"offset": each.start, "length": each.end - each.start}],
        }
        passages[each.start >= len(document.title)]["annotations"].append(annotation)  # type: ignore[attr-defined]
    relations = [
        {
            "id": "R0",
            "infons": {"type": each.type},
            "nodes": [{"refid": "0", "role": "a"}, {"refid": "1", "role": "b"}],
        }
        for each in document.relations
    ]
    return {"id": document.document_id, "infons": {}, "passages": passages, "relations": relations}


def write_bioc_json(found: list[Document], folder: Path) -> Path:
    path = folder / "own.json"
    path.write_text(json.dumps({"source": "own", "documents": [bioc_document(each) for each in found]}))
    return path


def write_bioc_lines(found: list[Document], folder: Path) -> Path:
    path = folder / "own.biocjson"
    path.write_text("".join(json.dumps(bioc_document(each)) + "\n" for each in found))
    return path


def write_bioc_xml(found: list[Document], folder: Path) -> Path:
    parts = ["<?xml version='1.0' encoding='UTF-8'?><!DOCTYPE collection SYSTEM 'BioC.dtd'><collection>"]
    for raw in map(bioc_document, found):
        parts.append(f"<document><id>{raw['id']}</id>")
        for passage in raw["passages"]:
            parts.append(f"<passage><offset>{passage['offset']}</offset><text>{escape(passage['text'])}</text>")
            for each in passage["annotations"]:
                infons = "".join(f'<infon key="{key}">{value}</infon>' for key, value in each["infons"].items())
                at = "".join(f' {key}="{value}"' for key, value in each["locations"][0].items())
                parts.append(
                    f'<annotation id="{each["id"]}">{infons}<location{at}/>'
                    f"<text>{escape(each['text'])}</text></annotation>"
                )
            parts.append("</passage>")
        for each in raw["relations"]:
            nodes = "".join(f'<node refid="{node["refid"]}" role="{node["role"]}"/>' for node in each["nodes"])
            parts.append(f'<relation id="R0"><infon key="type">{each["infons"]["type"]}</infon>{nodes}</relation>')
        parts.append("</document>")
    path = folder / "own.xml"
    path.write_text("".join([*parts, "</collection>"]), encoding="utf-8")
    return path


def write_brat(found: list[Document], folder: Path) -> Path:
    target = folder / "brat"
    target.mkdir()
    for document in found:
        (target / f"{document.document_id}.txt").write_text(document.text, encoding="utf-8")
        lines = []
        for number, each in enumerate(document.mentions, 1):
            lines.append(f"T{number}\t{each.type} {each.start} {each.end}\t{each.text}")
            lines.append(f"N{number}\tReference T{number} {each.id}\t{each.text}")
        lines += [f"R1\t{each.type} Arg1:T1 Arg2:T2" for each in document.relations]
        (target / f"{document.document_id}.ann").write_text("\n".join([*lines, "#1\tNote T1\tsure"]) + "\n")
    return target


def write_pubtator(found: list[Document], folder: Path) -> Path:
    path = folder / "own.txt"  # what it is stands in it, not in its ending
    pubtator.write(found, path)
    return path


def write_lines(found: list[Document], folder: Path) -> Path:
    path = folder / "own.data"
    rows = [
        {
            "document_id": each.document_id,
            "text": each.text,
            "entities": [
                {"id": m.id, "type": m.type, "start": m.start, "end": m.end, "text": m.text} for m in each.mentions
            ],
            "relations": [{"type": r.type, "head": r.head, "tail": r.tail} for r in each.relations],
        }
        for each in found
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


WRITERS: list[Callable[[list[Document], Path], Path]] = [
    write_bioc_json, write_bioc_lines, write_bioc_xml, write_brat, write_pubtator, write_lines
]  # fmt: skip


def rows_of(dataset: Any) -> dict[str, dict[str, Any]]:
    return {row["document_id"]: row for rows in dataset.values() for row in rows.to_list()}


@pytest.mark.parametrize("write", WRITERS)
def test_every_format_gives_the_same_documents(tmp_path: Path, write: Callable[[list[Document], Path], Path]) -> None:
    written = documents()
    dataset, manifest = build_relations([write(written, tmp_path)], map_type=["SpecificDisease=Disease"])
    found = rows_of(dataset)
    assert len(found) == manifest["read"]["documents"] == len(written)
    for document in written:
        row = found[document.document_id]
        assert row["text"] == document.text
        assert [(its["start"], its["text"], its["id"]) for its in row["entities"]] == [
            (its.start, its.text, its.id) for its in document.mentions
        ]
        assert [its["type"] for its in row["entities"]] == ["Chemical", "Disease"]
        assert row["relations"] == [{"type": "CID", "head": document.mentions[0].id, "tail": document.mentions[1].id}]


@settings(max_examples=150, derandomize=True)
@given(st.sampled_from(WRITERS), st.data())
def test_damaged_files_are_read_or_refused_in_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, write: Callable[[list[Document], Path], Path], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    path = write(documents(5), folder)
    file = path if path.is_file() else data.draw(st.sampled_from(sorted(path.iterdir())))
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(content) - 1))
        cut = data.draw(st.integers(0, 6))
        content[place : place + cut] = data.draw(
            st.sampled_from([b"", b"\n", b"9", b"\xff", b'"', b"<", b"\t", b"{", b"-"])
        )
    file.write_bytes(content)
    try:
        dataset, manifest = build_entities(
            [path], skip_bad=True, overlapping="longest", validation_size=0.3, test_size=0.3
        )
    except BioftError as error:
        assert str(error).strip()
        return
    kept = sum(map(len, dataset.values()))
    assert kept + manifest["skipped"]["all"]["documents"] == manifest["read"]["documents"]
    for rows in dataset.values():
        for row in rows.to_list():
            assert all(row["text"][each["start"] : each["end"]] == each["text"] for each in row["entities"])


def test_a_title_without_an_abstract_is_a_document(tmp_path: Path) -> None:
    found = [
        Document(f"d{letter}", f"On {letter * 4}", "", [Mention(3, 7, letter * 4, "Drug", "-1")])
        for letter in "abcdef"
    ]
    dataset, manifest = build_entities([write_pubtator(found, tmp_path)], validation_size=0.3, test_size=0.3)
    assert sum(map(len, dataset.values())) == manifest["read"]["documents"] == 6


def test_types_are_kept_dropped_and_merged(tmp_path: Path) -> None:
    path = write_lines(documents(), tmp_path)
    dataset, manifest = build_relations([path], types="Disease,Chemical", map_type=["SpecificDisease=Disease"])
    assert manifest["rows"]["train"]["Disease"] == manifest["rows"]["train"]["documents"]
    dataset, manifest = build_entities([path], types="Chemical")
    assert {its["type"] for row in rows_of(dataset).values() for its in row["entities"]} == {"Chemical"}
    assert manifest["left_out"] == {"mentions of other types": 20, "relations whose ends were left out": 20}
    with pytest.raises(BioftError, match=r"--types names 'Chemica', which nothing is of\. Did you mean 'Chemical'"):
        build_entities([path], types="Chemica")
    with pytest.raises(BioftError, match=r"--map-type names 'Diseases', which nothing is of"):
        build_entities([path], map_type=["Diseases=Disease"])


def test_of_nested_mentions_the_longest_stays_if_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    text = "renal cell carcinoma of {}"
    spans = [(0, 20, "Disease"), (0, 5, "Organ"), (6, 20, "Disease")]
    rows = [
        {
            "document_id": letter,
            "text": text.format(letter * 3),
            "entities": [{"start": a, "end": b, "type": c} for a, b, c in spans],
        }
        for letter in LETTERS
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(BioftError, match=r"overlap\. Keep one, or take the longest with --overlapping longest"):
        build_entities([path])
    dataset, manifest = build_entities([path], overlapping="longest")
    assert all(
        [its["text"] for its in row["entities"]] == ["renal cell carcinoma"] for row in rows_of(dataset).values()
    )
    assert manifest["left_out"] == {"overlapping mentions": 40}


def test_types_of_the_test_split_that_training_has_not_are_told(tmp_path: Path) -> None:
    train, test = documents(15), documents()[15:]
    files = []
    for name, its in (("train", train), ("test", test)):
        folder = tmp_path / name
        folder.mkdir()
        files.append(write_pubtator(its, folder))
    text = files[1].read_text().replace("SpecificDisease", "Modifier", 1)
    files[1].write_text(text)
    dataset, manifest = build_entities(train=[files[0]], test=[files[1]])
    assert manifest["audit"]["not_in_training"] == ["Modifier"]
    assert dataset["test"]["document_id"][:] == [each.document_id for each in test]


def test_pieces_of_a_mention_are_taken_from_first_to_last_and_counted(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    for letter in LETTERS[:6]:
        (folder / f"{letter}.txt").write_text(f"breast and ovarian cancer {letter * 4}")
        (folder / f"{letter}.ann").write_text("T1\tDisease 0 6;19 25\tbreast cancer\nA1\tNegated T1\n")
    dataset, manifest = build_entities([folder], validation_size=0.2)
    entities = [its for row in rows_of(dataset).values() for its in row["entities"]]
    assert {its["text"] for its in entities} == {"breast and ovarian cancer"}
    assert manifest["read"]["mentions in several pieces, taken from first to last"] == 6
    assert manifest["read"]["attributes that are not read"] == 6


def test_json_with_a_column_of_all_sentences_is_read_as_rows(tmp_path: Path) -> None:
    path = tmp_path / "columns.json"
    tokens = [[f"drug{letter}", "heals"] for letter in LETTERS]
    path.write_text(json.dumps({"tokens": tokens, "ner_tags": [["B-C", "O"]] * 20}))
    dataset, _ = build_entities([path])
    assert sorted(row["text"] for row in rows_of(dataset).values()) == [" ".join(each) for each in tokens]
    path.write_text(json.dumps({key: {"0": ["drug"], "1": ["heals"]} for key in ("tokens", "ner_tags")}))
    with pytest.raises(BioftError, match="has its columns one after another, as pandas writes them"):
        build_entities([path])


def test_tokens_with_tags_that_are_numbers_need_their_names(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    rows = [{"id": str(n), "tokens": ["drug", "x" * (n + 1), "heals"], "ner_tags": [1, 2, 0]} for n in range(20)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(BioftError, match=r"line 1: the tag 1 is a number\. Name all tags in their order: --tag-names"):
        build_entities([path])
    dataset, _ = build_entities([path], tag_names="O,B-Drug,I-Drug")
    assert {its["text"] for row in rows_of(dataset).values() for its in row["entities"]} == {
        f"drug {'x' * (n + 1)}" for n in range(20)
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<!DOCTYPE html><html><body>404</body></html>", "is a web page, not data"),
        (b"PK\x03\x04rest", "is a zip file or an Excel workbook: unpack it, or save the sheet as CSV"),
        (b"\x28\xb5\x2f\xfdrest", "is packed by zstd: unpack it"),
        (b"text,label\na,b\nc,\0d\n", "has a NUL character in line 3"),
        (gzip.compress(b"text,label\na,b\n" * 99, mtime=0)[:40], "is a truncated gzip file"),
        (b"text,label\na,b\n", "is CSV or TSV: that holds no documents with entities.*bioft build labels"),
        (b"<PubmedArticleSet><PubmedArticle/></PubmedArticleSet>", "is XML that is no BioC.*bioft build pubmed"),
        (b"", "is empty"),
    ],
)
def test_a_refusal_says_what_would_do(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "own.pubtator"
    path.write_bytes(content)
    with pytest.raises(BioftError, match=said):
        build_entities([path])


def test_the_format_is_told_by_the_content(tmp_path: Path) -> None:
    kinds = ["bioc", "bioc", "bioc", "brat", "pubtator", "documents"]
    for write, kind in zip(WRITERS, kinds, strict=True):
        folder = tmp_path / write.__name__
        folder.mkdir()
        assert inputs.tell(write(documents(3), folder)) == kind
