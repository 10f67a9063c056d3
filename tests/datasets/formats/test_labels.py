"""Tables of labelled texts: with and without header, given and made splits, several labels; no row is lost."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bioft.datasets.formats.labels import build_labels, build_texts
from bioft.errors import BioftError
from bioft.storage.text_lines import normalise

WORDS = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"]


def texts(n: int, of: str) -> list[str]:
    return [f"{of}: @GENE$ and {WORDS[i % 10]} {WORDS[i // 10 % 10]} in @DISEASE$" for i in range(n)]


def write(path: Path, rows: list[tuple[Any, ...]], header: tuple[str, ...] = (), separator: str = "\t") -> Path:
    lines = [separator.join(map(str, row)) for row in ([header] if header else []) + rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def given_files(tmp_path: Path) -> tuple[Path, Path]:
    """Sentences with 0 and 1: training without a header, test with one and its rows numbered, as such sets come."""
    train = write(tmp_path / "train.tsv", [(text, n % 2) for n, text in enumerate(texts(60, "train"))])
    rows = [(n, text, n % 2) for n, text in enumerate(texts(20, "test"))]
    rows += [(20, rows[0][1], 0), (21, texts(60, "train")[3].upper(), 1)]
    return train, write(tmp_path / "test.tsv", rows, ("index", "sentence", "label"))


def test_a_given_test_file_is_kept_row_by_row(given_files: tuple[Path, Path]) -> None:
    train, test = given_files
    dataset, manifest = build_labels(train=[train], test=[test])
    expected = pd.read_csv(test, sep="\t", dtype=str)
    assert dataset["test"]["text"][:] == expected["sentence"].tolist()
    assert dataset["test"]["label"][:] == expected["label"].tolist()
    # The text that is in both files is not trained on; the repeated one of the test file is there twice, and told.
    assert len(dataset["train"]) + len(dataset["validation"]) == 59
    assert manifest["left_out"] == {"texts of train that test has too": 1}
    assert manifest["audit"]["repeated_texts"] == {"train": 0, "validation": 0, "test": 1}
    assert manifest["read"] == {"rows": 82}
    assert any("no validation split was given: 6 of the 59" in note for note in manifest["notes"])


def test_files_are_the_splits_that_their_names_say(given_files: tuple[Path, Path]) -> None:
    by_name, _ = build_labels([each for each in given_files])
    by_folder, _ = build_labels([given_files[0].parent])
    given, _ = build_labels(train=[given_files[0]], test=[given_files[1]])
    for split in ("train", "validation", "test"):
        assert by_name[split].to_list() == given[split].to_list() == by_folder[split].to_list()


@pytest.mark.parametrize("kind", ["csv", "line breaks", "semicolon", "jsonl", "json", "parquet", "utf-16"])
def test_every_kind_of_table_gives_the_same_rows(tmp_path: Path, kind: str) -> None:
    frame = pd.DataFrame({"label": ["a", "b", 'c "x"'] * 20, "text": [f"{text}, or so" for text in texts(60, "x")]})
    path = tmp_path / "own.dat"
    if kind == "line breaks":
        frame["text"] = frame["text"].str.replace(" ", "\n")
    {
        "line breaks": lambda: frame.to_csv(path, index=False),
        "csv": lambda: frame.to_csv(path, index=False),
        "semicolon": lambda: frame.to_csv(path, index=False, sep=";"),
        "jsonl": lambda: frame.to_json(path, orient="records", lines=True),
        "json": lambda: frame.to_json(path, orient="records"),
        "parquet": lambda: frame.to_parquet(path),
        "utf-16": lambda: frame.to_csv(path, index=False, encoding="utf-16"),
    }[kind]()
    dataset, _ = build_labels([path])
    found = pd.concat([rows.to_pandas() for rows in dataset.values()])
    assert set(zip(found["text"], found["label"], strict=True)) == set(zip(frame["text"], frame["label"], strict=True))
    assert len(found) == 60


def test_several_labels_parted_in_a_column_each_or_as_lists(tmp_path: Path) -> None:
    labels = [["x"], ["x", "y"], [], ["y"]] * 15
    rows = texts(60, "z")
    parted = write(
        tmp_path / "a.tsv", [(t, ";".join(its)) for t, its in zip(rows, labels, strict=True)], ("text", "label")
    )
    each = write(
        tmp_path / "b.tsv",
        [(t, int("x" in its), int("y" in its)) for t, its in zip(rows, labels, strict=True)],
        ("text", "x", "y"),
    )
    lists = tmp_path / "c.jsonl"
    lists.write_text("".join(json.dumps({"text": t, "label": i}) + "\n" for t, i in zip(rows, labels, strict=True)))
    found = [
        build_labels([parted], label_separator=";")[0],
        build_labels([each], label_column=["x", "y"])[0],
        build_labels([lists])[0],
    ]
    assert found[0]["train"].to_list() == found[1]["train"].to_list() == found[2]["train"].to_list()
    expected = dict(zip(rows, labels, strict=True))
    assert all(row["labels"] == expected[row["text"]] for rows in found[0].values() for row in rows)


def test_a_group_is_in_one_split(tmp_path: Path) -> None:
    rows = [(text, n % 2, f"patient {n // 5}") for n, text in enumerate(texts(100, "note"))]
    path = write(tmp_path / "own.tsv", rows, ("text", "label", "patient"))
    dataset, manifest = build_labels([path], group_column="patient")
    patients = {text: patient for text, _, patient in rows}
    of_split = [{patients[text] for text in rows["text"]} for rows in dataset.values()]
    assert sum(map(len, of_split)) == len(set.union(*of_split)) == 20
    assert manifest["split"]["strategy"] == "group"


def test_a_column_says_the_split(tmp_path: Path) -> None:
    words = ["train"] * 6 + ["dev"] * 2 + ["Test"] * 2
    rows = [(text, n % 2, words[n % 10]) for n, text in enumerate(texts(50, "s"))]
    path = write(tmp_path / "own.tsv", rows, ("text", "label", "fold"))
    dataset, _ = build_labels([path], split_column="fold")
    assert {name: len(rows) for name, rows in dataset.items()} == {"train": 30, "validation": 10, "test": 10}
    write(path, [*rows, ("another text", 1, "holdout")], ("text", "label", "fold"))
    with pytest.raises(BioftError, match=r"'holdout', which is no split\. .*Known: train, validation, test"):
        build_labels([path], split_column="fold")


def test_labels_of_the_test_split_that_training_has_not_are_told(given_files: tuple[Path, Path]) -> None:
    train, test = given_files
    with test.open("a") as file:
        file.write("22\tsomething else\t2\n")
    _, manifest = build_labels(train=[train], test=[test])
    assert manifest["audit"]["not_in_training"] == ["2"]


@pytest.mark.parametrize(
    ("rows", "header", "options", "said"),
    [
        ([("a", 1), ("b", 0)], ("text", "label"), {"text_column": "txt"}, r"no column 'txt' .*Did you mean 'text'"),
        ([("a", 1, 2), ("b", 0, 2)] * 3, (), {}, r"no column for --label-column: name it.*called by number"),
        ([(f"text {n}", f"l{n}") for n in range(5000)], ("text", "label"), {}, "5,000 different values in 5,000 rows"),
        ([("a", 1), ("", 0)], ("text", "label"), {}, "line 3: the text is empty"),
        ([("a", 1), ("b", "")], ("text", "label"), {}, "line 3: the text has no label"),
        ([("a", 1), ("b",)], ("text", "label"), {}, "line 3: 1 fields"),
        ([("a", 1, 7), ("b", 0, 7)], ("text", "label", "id"), {}, "line 3: the id '7' comes again"),
        ([("a", 1), ("b", 1)], ("text", "label"), {}, "one label only, '1'"),
    ],
)
def test_what_is_wrong_is_one_message(
    tmp_path: Path, rows: list[tuple[Any, ...]], header: tuple[str, ...], options: dict[str, Any], said: str
) -> None:
    path = write(tmp_path / "own.tsv", rows, header)
    with pytest.raises(BioftError, match=said):
        build_labels([path], **options)


def test_an_id_in_two_given_splits_is_refused(tmp_path: Path) -> None:
    train = write(tmp_path / "a.tsv", [("a", 1, "t1"), ("b", 0, "t2")], ("text", "label", "id"))
    test = write(tmp_path / "b.tsv", [("c", 1, "t1")], ("text", "label", "id"))
    with pytest.raises(BioftError, match="The id 't1' is in train and in test"):
        build_labels([train], test=[test])


def test_rows_in_are_rows_out_and_rows_left_out(tmp_path: Path) -> None:
    rows: list[tuple[Any, ...]] = [(text, n % 2) for n, text in enumerate(texts(60, "s"))]
    path = write(tmp_path / "own.tsv", [*rows, ("", 1), (rows[0][0].upper(), 0), ("x", ""), ("y",)], ("text", "label"))
    dataset, manifest = build_labels([path], skip_bad=True)
    kept = sum(map(len, dataset.values()))
    assert kept == len({normalise(text) for text, _ in rows})
    assert (kept, manifest["merged"], manifest["skipped"]["all"]["documents"]) == (60, 1, 3)


def test_lines_are_texts_and_a_table_without_labels_is_too(tmp_path: Path) -> None:
    lines = write(tmp_path / "own.txt", [(f"{text}, and more; so",) for text in texts(40, "line")])
    dataset, manifest = build_texts([lines])
    assert {text for rows in dataset.values() for text in rows["text"]} == set(lines.read_text().splitlines())
    assert manifest["rows"]["train"]["texts"] == len(dataset["train"])
    table = write(
        tmp_path / "own.csv", [(n, text) for n, text in enumerate(texts(40, "row"))], ("id", "abstract"), ","
    )
    dataset, _ = build_texts([table])
    assert sorted(int(i) for rows in dataset.values() for i in rows["id"]) == list(range(40))
