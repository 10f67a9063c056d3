"""The one reader of tables: what spreadsheets write is read, and no row is lost or glued to another without a word."""

import csv
import gzip
import io
import logging
import random
import tracemalloc
from pathlib import Path

import pytest

from bioft.errors import BioftError
from bioft.storage import json_text, tables
from bioft.storage.tables import Table
from bioft.storage.text_lines import LONGEST_LINE, TextLines

PLAIN = "id,text\n0,Pain\n1,Fever\n"
ROWS = [{"id": "0", "text": "Pain"}, {"id": "1", "text": "Fever"}]


def write(path: Path, content: str | bytes | bytearray) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        PLAIN.rstrip("\n"),
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", "|"),
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        PLAIN.replace("\n", "\n\n") + " \n",
        PLAIN.replace("\n", ",,\n"),
        "#" + PLAIN,
        "sep=;\n" + PLAIN.replace(",", ";"),
        'id, text\n0, "Pain"\n1, Fever\n',
        'id,"text"\n"0","Pain"\n1,Fever\n',
        'id\ttext\n0\t"Pain"\n1\tFever\n',
        PLAIN.encode("utf-8-sig"),
        PLAIN.encode("utf-16"),
        PLAIN.replace(",", "\t").encode("utf-16-le"),
        PLAIN.encode("utf-16-be"),
        gzip.compress(PLAIN.encode(), mtime=0),
    ],
)
def test_what_spreadsheets_make_of_a_table_is_read(tmp_path: Path, content: str | bytes) -> None:
    table = Table(write(tmp_path / "x.csv", content), ["id", "text"])
    assert list(table) == ROWS
    assert table.columns == ["id", "text"]


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ('["a", "b"]', ["a", "b"]),
        ("['a', 'b']", ["a", "b"]),
        ("('a', 'b')", ["a", "b"]),
        ("['a' 'b, c'\n 'd']", ["a", "b, c", "d"]),  # NumPy, whose texts would be one to Python
        ("[1 0 1.5]", [1, 0, 1.5]),
        ('c("a", "b")', ["a", "b"]),  # R
        ('{"choices": ["a", "b"]}', {"choices": ["a", "b"]}),
        ("[]", []),
        ("(see below)", None),
        ("['a' or 'b']", None),
        ("c(arbon)", None),
        ("a, b", None),
        ("", None),
    ],
)
def test_lists_that_programs_write_into_cells(cell: str, found: object) -> None:
    assert json_text.container(cell) == found


def test_quoted_fields_hold_delimiters_line_breaks_and_marks(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", 'id,text\n1,"a, ""b""\nc"\n\n2,d "e"\n')
    table = Table(path)
    assert [(table.line, row["text"]) for row in table] == [(2, 'a, "b"\nc'), (5, 'd "e"')]


def test_a_mark_in_a_name_of_a_tab_separated_table_is_only_that(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tsv", 'id\tname\n1\t"a" and "b"\n2\t5"-ATP\n3\t"a ""b"""\n')
    assert [row["name"] for row in Table(path)] == ['"a" and "b"', '5"-ATP', 'a "b"']


def test_fields_of_any_length(tmp_path: Path) -> None:
    long = "word " * 100_000
    for content in (f"id,text\n1,{long}\n2,b\n", f'id,text\n1,"{long}"\n2,b\n', f"id\ttext\n1\t{long}\n2\tb\n"):
        assert [len(row["text"]) for row in Table(write(tmp_path / "x", content))] == [500_000, 1]


def test_one_line_without_an_end_takes_bounded_memory(tmp_path: Path) -> None:
    for start, problem in ((b"id,text\n1,", "line 2: more than 32 MiB"), (b'id,text\n1,"a\n', "field")):
        with (tmp_path / "x.csv").open("wb") as file:
            file.write(start)
            for _ in range(LONGEST_LINE // 1_000_000 + 3):
                file.write((b"abcdefg " * 124_999 + (b"\n" if problem == "field" else b"")) + b"abcdefg ")
        tracemalloc.start()
        with pytest.raises(BioftError, match=problem):
            list(Table(tmp_path / "x.csv"))
        assert tracemalloc.get_traced_memory()[1] < 400e6
        tracemalloc.stop()


def test_a_header_of_names_given_here(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tsv", "A sentence, or two.\t1\nAnother.\t0\n")
    table = Table(path, header=["text", "label"])
    assert [(table.line, row["label"]) for row in table] == [(1, "1"), (2, "0")]
    assert [row["label"] for row in Table(write(path, "A;1\nB;0\n"), header=["text", "label"])] == ["1", "0"]


def test_the_column_of_row_numbers_and_empty_columns(tmp_path: Path) -> None:
    assert list(Table(write(tmp_path / "x.csv", ",text,,\n0,a,,\n"))) == [{"": "0", "text": "a"}]
    with pytest.raises(BioftError, match="line 2: a value stands in a column without a name"):
        list(Table(write(tmp_path / "x.csv", ",text,,\n0,a,b,\n")))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('id,text\n1,"a\n2,b\n', "line 2: not a row of a table"),
        ('id,text\n1,a\n2,"b,c\n3,"d",e\n', "line 3: not a row of a table"),
        ("id,text\n1,a,b\n", "line 2: 3 fields where the header has 2 columns"),
        ("id,text\n\n1\n", "line 3: 1 fields"),
        ("id\ttext\n1\ta\tb\n", "line 2: 3 fields"),
        ("id,text\n1,a\rb,c\n", "line 2: not a row"),
        ("id,text\n1,a\nid,text\n2,b\n", "line 3: the header comes again"),
        ("text,text\na,b\n", "two columns of one name, 'text'"),
        ('"id,text\n1,a\n', "names of the columns can't be read"),
        ("Id,Texts\n1,a\n", "no column id and no column text. .*separated by commas: Id, Texts. Did you mean 'Id'"),
        ("<!DOCTYPE html><html><body>Just a moment...</body></html>", "is a web page"),
        (b"PK\x03\x04rest", "a zip file or an Excel workbook"),
        (b"PAR1rest", "a Parquet file"),
        ("%%MatrixMarket matrix coordinate real general\n2 2 1\n1 1 1.0\n", "a matrix .Matrix Market., which has no"),
        (b"7z\xbc\xaf\x27\x1c\0\4", "packed by 7-Zip"),
        (b"ARROW1\0\0rest", "an Arrow or Feather file"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 12\n", "a pointer of Git LFS, not the file"),
        ("404: Not Found\n", r"the refusal of a server \(404: Not Found\)"),
        ("\ufeff\nPMID- 1\nTI  - A title\n", r"a list of references \(MEDLINE"),
        ("TY  - JOUR\nTI  - A title\n", "a list of references"),
        ("@article{smith20,\n title={A}}\n", "a list of references"),
        ("1.\nTY  - JOUR\nTI  - A title\n", "a list of references"),
        ("\nPMC - PMC31\nPMID- 31\n", "a list of references"),
        ("FN Clarivate Analytics Web of Science\nVR 1.0\n", "a list of references"),
        ("Record #1 of 2\nProvider: Provider\n", "a list of references"),
        ("%0 Journal Article\n%T A title\n", "a list of references"),
        ("  \n\n", "all its lines are blank"),
        ("", "is empty"),
        ("id,text\n1,caf\xe9\n".encode("latin1"), "line 2: byte 0xe9"),
        (PLAIN.encode("utf-16")[:-1], "not utf-16"),
    ],
)
def test_what_would_lose_rows_is_refused_with_its_line(tmp_path: Path, content: str | bytes, problem: str) -> None:
    with pytest.raises(BioftError, match=problem):
        list(Table(write(tmp_path / "x.csv", content), ["id", "text"]))


def test_rows_of_another_length_are_left_out_on_request_and_counted(tmp_path: Path) -> None:
    skipped: list[str] = []
    path = write(tmp_path / "x.csv", "id,text\n1,a\n2\n3,b,c\nid,text\n4,d\n")
    assert [row["id"] for row in Table(path, skipped=skipped)] == ["1", "4"]
    assert [message.partition(": ")[0].rpartition(" ")[2] for message in skipped] == ["3", "4", "5"]


def test_rows_inside_a_quoted_field_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Two marks that are not closed make one field that no rule forbids; a text with line breaks is no such thing."""
    with caplog.at_level(logging.WARNING):
        assert len(list(Table(write(tmp_path / "x.csv", 'id,text\n1,"a\n2,b\n3,c"\n')))) == 1
    assert "line 2: a quoted field goes on to line 4" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert len(list(Table(write(tmp_path / "x.csv", 'id,text\n1,"a\nb, and c\nd"\n')))) == 1
    assert not caplog.text


def test_a_million_rows_in_bounded_memory(tmp_path: Path) -> None:
    """A part of them, by the memory that is held while reading."""
    with (tmp_path / "x.csv").open("w", encoding="utf-8") as file:
        file.write("id,text\n")
        file.writelines(f"{n},Text number {n} of many\n" for n in range(100_000))
    tracemalloc.start()
    assert sum(1 for _ in Table(tmp_path / "x.csv")) == 100_000
    assert tracemalloc.get_traced_memory()[1] < 3e6
    tracemalloc.stop()


def test_damaged_tables_give_the_right_rows_or_a_message(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Bytes changed at random: a row that is whole comes out or is counted, or there is one error of ours."""
    chance = random.Random(0)
    stream = io.StringIO()
    rows = [("id", "text", "label"), *((str(n), f"Text, {n} é", "ab"[n % 2]) for n in range(8))]
    csv.writer(stream, lineterminator="\n").writerows(rows)
    lines = stream.getvalue().encode().splitlines()
    read = refused = 0
    for _ in range(600):
        content = bytearray(stream.getvalue().encode())
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(len(content))
            piece = chance.choice([b"", b'"', b",", b"\n", b"\r", b"\t", b";", b"\0", b"\xff", b"a", content[:9]])
            content[place : place + chance.randint(0, 2)] = piece
        skipped: list[str] = []
        caplog.clear()
        try:
            found = {next(iter(row.values())) for row in Table(write(tmp_path / "x.csv", content), skipped=skipped)}
        except BioftError:
            refused += 1
            continue
        read += 1
        lost = {str(n) for n, line in enumerate(lines[1:]) if line in content.split(b"\n")[1:]} - found
        assert len(lost) <= len(skipped) or "a quoted field goes on" in caplog.text, bytes(content)
    assert read > 100
    assert refused > 50


def test_json_of_users(tmp_path: Path) -> None:
    assert json_text.parse(r'{"a": "\ud83d b \ud83d\ude00 \\ud83d \udc00"}', "x")["a"] == "� b 😀 \\ud83d �"
    for text, problem in (
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ('{"a": 1, "a": 2}', "the key 'a' comes twice"),
        ("{", "not valid JSON"),
    ):
        with pytest.raises(BioftError, match=f"^here: .*{problem}"):
            json_text.parse(text, "here")
    path = write(tmp_path / "x.jsonl", '{"a": 1}\n\n[]\n{"a": 2}\n')
    skipped: list[str] = []
    assert [row["a"] for row in json_text.rows(TextLines(path), skipped)] == [1, 2]
    assert skipped == [f"{path}, line 3: a list where a JSON object should be."]
    with pytest.raises(BioftError, match="line 3: a list"):
        list(json_text.rows(TextLines(path)))


def test_the_limit_of_the_csv_module_is_that_of_lines() -> None:
    assert csv.field_size_limit() >= LONGEST_LINE
    assert tables.DELIMITERS[0] == ","
