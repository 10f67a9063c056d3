"""Documents come in from text, JSONL and PubTator files and go out with their entities; nothing is lost or mended."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from bioft.datasets.documents import pubtator
from bioft.errors import BioftError
from bioft.tasks.entities import files as document_files
from bioft.tasks.entities.files import Found, InputDocument
from bioft.tasks.entities.tagging import Entity

TEXT = "Heparin and bleeding.\nHeparin caused bleeding\tin two patients."
ENTITIES = [Entity(0, 7, "Chemical", 0.98766), Entity(12, 20, "Disease", 0.5), Entity(22, 29, "Chemical", 1.0)]


def test_a_text_file_is_one_document_with_its_own_offsets(tmp_path: Path) -> None:
    """A byte order mark is no character of the text; line breaks are, both of a CRLF."""
    path = tmp_path / "my notes.txt"
    path.write_bytes("\ufeffOne µg\r\nof heparin\r\n".encode())
    assert document_files.read(path) == [InputDocument("my_notes", "One µg\r\nof heparin\r\n")]
    (tmp_path / "notes.txt.gz").write_bytes(gzip.compress(b"zipped"))
    assert document_files.read(tmp_path / "notes.txt.gz") == [InputDocument("notes", "zipped")]


def test_rows_of_jsonl_keep_their_keys(tmp_path: Path) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    rows = [{"year": 2001, "text": TEXT, "id": 5}, {"text": "No name.", "document_id": "b"}, {"text": "µ"}]
    source.write_text("".join(json.dumps(row) + "\n\n" for row in rows))
    documents = document_files.read(source)
    assert [document.document_id for document in documents] == ["5", "b", "line-5"]
    document_files.write(target, documents, [Found(ENTITIES), Found([]), Found([])])
    found = [json.loads(line) for line in target.read_text().splitlines()]
    assert [{key: row[key] for key in source_row} for row, source_row in zip(found, rows, strict=True)] == rows
    first = {"start": 0, "end": 7, "type": "Chemical", "text": "Heparin", "score": 0.9877}
    assert found[0]["entities"][0] == first and len(found[0]["entities"]) == 3
    assert found[2] == {"text": "µ", "document_id": "line-5", "entities": []}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('{"title": "a"}', r"in\.jsonl, line 2: there is no text.*found: title"),
        ('{"text": "  "}', "line 2: its text is empty"),
        ('{"text": 3}', "line 2: its text is of type int"),
        ('["text"]', "line 2: a list where a JSON object should be"),
        ('{"text": "a"', "line 2: not valid JSON"),
        ('{"text": "a", "entities": []}', "line 2: the row has the key entities already"),
    ],
)
def test_a_bad_row_is_named_or_left_out_and_counted(tmp_path: Path, row: str, message: str) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text(f'{{"text": "good"}}\n{row}\n{{"text": "good too"}}\n')
    with pytest.raises(BioftError, match=message):
        document_files.read(path)
    skipped: list[str] = []
    assert [document.text for document in document_files.read(path, skipped)] == ["good", "good too"]
    assert len(skipped) == 1 and "line 2" in skipped[0]


def test_pubtator_files_need_a_blank_line_between_documents(tmp_path: Path) -> None:
    """The strict reader of the corpora reads them here too."""
    path = tmp_path / "in.PubTator.txt"
    path.write_text("1|t|One\n1|a|first\n2|t|Two\n2|a|second\n\n3|t|Three\n3|a|third\n")
    with pytest.raises(BioftError, match="line 3"):
        document_files.read(path)
    skipped: list[str] = []
    assert [document.text for document in document_files.read(path, skipped)] == ["One first", "Three third"]
    assert len(skipped) == 1


@pytest.mark.parametrize("name", ["in.pubtator", "in.txt", "in.jsonl"])
def test_pubtator_output_reads_back_at_the_same_offsets(tmp_path: Path, name: str) -> None:
    source, target = tmp_path / name, tmp_path / "out.pubtator"
    flat = TEXT.replace("\t", " ")
    title, abstract = flat.split("\n")
    content = {
        "in.pubtator": f"in|t|{title}\nin|a|{abstract}\nin\tCID\tD1\tD2\n",  # whose ends no mention bears
        "in.txt": TEXT,
        "in.jsonl": json.dumps({"id": "in", "text": TEXT}) + "\n",
    }
    source.write_text(content[name])
    documents = document_files.read(source)
    document_files.write(target, documents, [Found(ENTITIES)])
    (document,) = pubtator.read(target)
    assert (document.document_id, document.title, document.abstract) == ("in", title, abstract)
    assert [(m.start, m.end, m.type, m.text, m.id) for m in document.mentions] == [
        (e.start, e.end, e.type, documents[0].text[e.start : e.end], "-1") for e in ENTITIES
    ]


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_any_text_goes_into_pubtator(text: str) -> None:
    """Line breaks and tabs become spaces, and every character keeps its place."""
    if not text.translate(document_files.BLANKS).strip():
        return
    document = document_files._to_pubtator(InputDocument("a", text), Found([]))
    flat = text.translate(document_files.BLANKS)
    assert document.text in (flat, f"{flat} ")
    lines = "".join(pubtator._written([document]))
    assert lines.startswith("a|t|") and lines.count("\n") == 3


def test_what_cannot_be_read_or_written(tmp_path: Path) -> None:
    for name in ("in.docx", "in"):
        with pytest.raises(BioftError, match="is none of these"):
            document_files.read(tmp_path / name)
    with pytest.raises(BioftError, match=r"absent\.jsonl does not exist"):
        document_files.read(tmp_path / "absent.jsonl")
    (tmp_path / "blank.txt").write_text(" \n")
    with pytest.raises(BioftError, match="blank"):
        document_files.read(tmp_path / "blank.txt")
    (tmp_path / "blank.jsonl").write_text("\n\n")
    with pytest.raises(BioftError, match="all its lines are blank"):
        document_files.read(tmp_path / "blank.jsonl")
    with pytest.raises(BioftError, match=r"neither \.jsonl nor \.pubtator"):
        document_files.write(tmp_path / "out.txt", [], [])


def test_a_cut_off_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("mine")

    def broken():
        yield "half"
        raise OSError(28, "No space left on device")

    with pytest.raises(BioftError, match="No space"):
        document_files.write_whole(path, broken())
    assert path.read_text() == "mine" and list(tmp_path.iterdir()) == [path]


def test_pubtator_is_told_by_its_content(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nested mentions too: a model for entities reads the text alone."""
    path = tmp_path / "notes.txt"
    path.write_text("1|t|JC virus infection\n1|a|Text.\n1\t0\t18\tJC virus infection\tD\t1\n1\t0\t8\tJC virus\tS\t2\n")
    (found,) = document_files.read(path)
    assert (found.document_id, found.text, len(found.mentions)) == ("1", "JC virus infection Text.", 2)
    assert "notes.txt looks like PubTator" in caplog.text


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("id\ttext\r\n0\tPain\r\n", ".tsv"),  # "Text (Tab delimited)" of Excel
        ("id,text,\n0,Pain,\n", ".csv"),
        ('{"id": 0.0, "text": "Pain"}\n', ".jsonl"),
    ],
)
def test_rows_in_a_text_file_are_no_prose(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: str, name: str
) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content.encode("utf-8-sig"))
    (found,) = document_files.read(path)
    assert (found.document_id, found.text) == ("0", "Pain")
    assert f"name it {name}" in caplog.text
    path.write_text('<?xml version="1.0"?>\n<PubmedArticleSet/>\n')
    with pytest.raises(BioftError, match="is XML, no text"):
        document_files.read(path)
    path.write_text("Text, and more of it.\n")
    assert len(document_files.read(path)) == 1


def test_tables_and_half_characters_are_read(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text('id;text;year\n0;"Pain; fever";2001\n')
    assert document_files.read(tmp_path / "in.csv") == [
        InputDocument("0", "Pain; fever", fields={"id": "0", "year": "2001"})
    ]
    (tmp_path / "in.jsonl").write_text('{"id": 0, "text": "A \\ud83d b"}\n')
    (found,) = document_files.read(tmp_path / "in.jsonl")
    assert (found.document_id, found.text) == ("0", "A \ufffd b")


def test_what_can_not_be_written_is_told_before_a_model_reads_it(tmp_path: Path) -> None:
    twice = [InputDocument("1", "Pain."), InputDocument("1", "Fever.")]
    with pytest.raises(BioftError, match="the id was used before"):
        document_files.check_writable(tmp_path / "out.pubtator", twice)
    document_files.check_writable(tmp_path / "out.jsonl", twice)
    with pytest.raises(BioftError, match=r"neither \.jsonl nor \.pubtator"):
        document_files.check_writable(tmp_path / "out.jsonl.gz", twice)


@pytest.mark.parametrize("name", ["in.xml", "in.json", "in.docx"])
def test_other_files_are_refused_with_what_is_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("x")
    with pytest.raises(BioftError, match=r"reads \.txt \(one document\), \.jsonl, \.csv and \.tsv"):
        document_files.read(tmp_path / name)
