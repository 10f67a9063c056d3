"""Texts to be labelled come in from every kind of file with their ids; others are refused with a reason."""

from pathlib import Path

import pytest

from bioft.errors import BioftError
from bioft.tasks.asked import Asked
from bioft.tasks.entities.files import InputDocument
from bioft.tasks.text_labels import ask, predict


def read(path: Path, *, skip_bad: bool = False) -> list[InputDocument]:
    return predict.read_input("tests/golden/runs/text_labels", path, (), [], skip_bad=skip_bad)


def write(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("in.csv", "id,text\n0,Slow\n,Unsafe\n"),
        ("in.csv", "id;text\n0;Slow\n;Unsafe\n"),
        ("in.tsv", "id\ttext\n0\tSlow\n\tUnsafe\n"),
        ("in.jsonl", '{"id": 0, "text": "Slow"}\n{"id": NaN, "text": "Unsafe"}\n'),
        ("in.txt", "id\ttext\n0\tSlow\n\tUnsafe\n"),
    ],
)
def test_rows_keep_their_ids_also_0(tmp_path: Path, name: str, content: str) -> None:
    found = read(write(tmp_path / name, content))
    line = 2 if name.endswith("jsonl") else 3
    assert found == [InputDocument("0", "Slow"), InputDocument(f"line-{line}", "Unsafe")]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("in.csv", "text,text\na,b\n", "two columns of one name, 'text'"),
        ("in.csv", "Text\na\n", "no column text.*Did you mean 'Text'"),
        ("in.csv", 'id,text\n1,"a\n2,b\n', "line 2: not a row of a table"),
        ("in.jsonl", '{"id": 1}\n', "line 1: there is no text.*found: id"),
        ("in.jsonl", '{"text": 5}\n', "line 1: its text is of type int"),
        ("in.jsonl", '{"text": "a", "text": "b"}\n', "the key 'text' comes twice"),
        ("in.jsonl", '{"text": ' + "[" * 20_000, "nested too deeply"),
        ("in.json", '[{"text": "a"}]', "no trial record.*reads .txt"),
        ("in.txt", "\n \n", "is blank"),
        ("in.txt", "\nPMID- 31\nTI  - A title\n", "a list of references"),
    ],
)
def test_files_that_would_lose_something_are_refused(tmp_path: Path, name: str, content: str, problem: str) -> None:
    with pytest.raises(BioftError, match=problem):
        read(write(tmp_path / name, content))


def test_bytes_of_a_command_line_that_are_not_utf_8_are_no_half_characters() -> None:
    asked = Asked(text="caf\udce9", gene="TP53", skip_bad=True)
    assert (asked.text, asked.gene) == ("caf\ufffd", "TP53")
    assert asked.given() == ["--text", "--gene", "--skip-bad"]


def test_wrong_rows_are_left_out_on_request_and_counted(tmp_path: Path) -> None:
    path, left_out = write(tmp_path / "in.csv", "id,text\n1,a\n2\n3,\n4,d\n"), list[str]()
    found = predict.read_input("tests/golden/runs/text_labels", path, (), left_out, skip_bad=True)
    assert [each.document_id for each in found] == ["1", "4"]
    assert len(left_out) == 2


def test_pubtator_in_a_text_file_is_no_text_a_line(tmp_path: Path) -> None:
    found = read(write(tmp_path / "in.txt", "7|t|A title\n7|a|Words.\n"))
    assert [(each.document_id, each.text) for each in found] == [("7", "A title Words.")]


def test_columns_that_an_answer_has_are_refused_before_a_model_reads(tmp_path: Path) -> None:
    texts = [InputDocument("1", "a", fields={"labels": "x", "score_A": "y"})]
    for name, labels in (("out.csv", ["A"]), ("out.jsonl", [])):
        with pytest.raises(BioftError, match="has a column labels already"):
            predict.check_columns(tmp_path / name, texts, labels)
    predict.check_columns(tmp_path / "out.csv", [InputDocument("1", "a", fields={"year": 1})], ["A"])


def test_a_score_beside_its_threshold_has_the_digits_that_tell_them_apart() -> None:
    assert ask._beside(0.4, 0.5) == "0.400 < 0.500"
    assert ask._beside(0.51312, 0.51338) == "0.5131 < 0.5134"
    assert ask._beside(0.5, 0.5) == "0.500 ≥ 0.500"
