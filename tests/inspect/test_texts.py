"""What `bioft inspect` counts in pairs of texts and in labelled texts."""

import io
import json
import tracemalloc
from pathlib import Path

import pandas as pd
import pytest
from datasets import Dataset, DatasetDict
from rich.console import Console

from bioft.datasets.formats import labels
from bioft.datasets.texts import stop_reasons
from bioft.errors import BioftError
from bioft.inspect import inspect as inspection, texts as text_inspection
from bioft.storage import datasets as storage


def pairs(*rows: tuple[str, str, float, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["sentence1", "sentence2", "score", "group"])


def test_pairs_are_counted_by_hand() -> None:
    report = text_inspection.inspect_pairs(
        {
            "train": pairs(("short stature", "small stature", 1, "a"), ("short stature", "red hair", 0, "a")),
            "test": pairs(("Red hair", "copper hair", 1, "b"), ("ataxia", "unsteady gait", 1, "c")),
        },
        top=2,
    )
    assert report["rows"] == {
        "train": {"pairs": 2, "related": 1, "unrelated": 1, "groups": 1, "texts": 3},
        "test": {"pairs": 2, "related": 2, "unrelated": 0, "groups": 2, "texts": 4},
    }
    # "Red hair" is in both, but for its capital.
    assert report["shared"] == [{"splits": ["train", "test"], "texts": 1, "of_texts": 4, "groups": 0, "of_groups": 2}]
    related = report["words_in_common"]["related"]
    assert (related["n"], related["min"], related["max"]) == (3, 0, pytest.approx(1 / 3))
    assert report["words_in_common"]["unrelated"]["max"] == 0
    assert report["lengths"]["words"]["test"]["max"] == 2 and report["lengths"]["characters"]["test"]["min"] == 6
    assert report["most_frequent_words"] == [{"word": "hair", "texts": 3}, {"word": "red", "texts": 2}]
    assert report["most_frequent_texts"][0] == {"text": "short stature", "pairs": 2}
    assert report["pairs_per_group"]["train"]["max"] == 2
    json.dumps(report, allow_nan=False)


def test_labels_and_their_words() -> None:
    train = pd.DataFrame(
        {
            "text": ["slow enrollment", "enrollment was slow", "funding ended", "no funding"],
            "labels": [["Enrollment"], ["Enrollment"], ["Money"], ["Money", "Enrollment"]],
        }
    )
    test = pd.DataFrame({"text": ["Funding ended"], "labels": [[]]})
    report = text_inspection.inspect_texts({"train": train, "test": test}, top=1)
    assert report["labels"] == {"train": {"Enrollment": 3, "Money": 2}, "test": {}}
    assert report["labels_per_text"]["train"]["max"] == 2 and report["labels_per_text"]["test"]["max"] == 0
    assert report["shared"] == [{"splits": ["train", "test"], "texts": 1, "of_texts": 1}]
    assert report["most_frequent_words"] == [{"word": "funding", "texts": 3}]
    # In all five texts "funding" is in 60 %, in those of Money in all: not twice as often; "enrollment" is in 40 %.
    assert report["words_of_labels"] == {"Enrollment": [], "Money": []}


def test_texts_without_labels() -> None:
    report = text_inspection.inspect_texts({"train": pd.DataFrame({"id": ["1"], "text": ["A word"]})})
    assert report["labels"] == {} and report["rows"] == {"train": {"texts": 1}}
    printed(report | {"audit": {}})


def test_what_training_or_validation_nearly_has_is_told(tmp_path: Path) -> None:
    """Short texts of test in another spelling, and a longer one that is nearly one of validation."""
    long = "The trial was stopped early because fewer patients than planned were enrolled."
    rows = {"train": ["slow accrual", "sponsor decision"], "validation": [long, "no funding"]}
    rows["test"] = ["accruals, slow", long.replace("patients", "women")]
    lines = [
        {"text": text, "label": f"{number}", "split": split}
        for split, its in rows.items()
        for number, text in enumerate(its)
    ]
    (tmp_path / "own.jsonl").write_text("\n".join(map(json.dumps, lines)))
    storage.save(*labels.build_labels([tmp_path / "own.jsonl"], split_column="split"), tmp_path / "data")
    report, _ = inspection.inspect_dataset(tmp_path / "data")
    text = " ".join(printed(report).split())
    assert "1 of the 1 short texts of test that train lacks" in text and "accruals, slow (slow accrual)" in text
    assert "Nearly a validation text: 1 of 2 texts of test, first “The trial" in text


def printed(report: dict) -> str:
    console = Console(file=io.StringIO(), width=120)
    inspection.print_report(report, console, full=True)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_a_dataset_of_labelled_texts_is_inspected(tmp_path: Path) -> None:
    dataset, manifest = stop_reasons.build_sample()
    storage.save(dataset, manifest, tmp_path / "data")
    report, folder = inspection.inspect_dataset(tmp_path / "data")
    counted = {
        label: sum(label in its for rows in dataset.values() for its in rows["labels"]) for label in manifest["labels"]
    }
    total = {label: sum(found.get(label, 0) for found in report["labels"].values()) for label in counted}
    assert total == counted and sum(report["rows"][split]["texts"] for split in dataset) == sum(
        map(len, dataset.values())
    )
    assert sorted(path.name for path in folder.glob("*.png")) == ["labels.png", "text_lengths.png"]
    text = printed(report)
    assert "Insufficient_Enrollment" in text and "No leakage found" in text and "Labels of a text" in text


def test_a_dataset_of_pairs_is_inspected(tmp_path: Path) -> None:
    rows = {"anchor": ["a name"], "positive": ["one name"], "group": ["x"]}
    other = {"anchor": ["a sign"], "positive": ["one sign"], "group": ["y"]}
    third = {"anchor": ["a mark"], "positive": ["one mark"], "group": ["z"]}
    dataset = DatasetDict(
        train=Dataset.from_dict(rows), validation=Dataset.from_dict(third), test=Dataset.from_dict(other)
    )
    manifest = {
        "schema_version": storage.SCHEMA_VERSION,
        "fingerprints": {split: storage.fingerprint(part) for split, part in dataset.items()},
        "audit": {},
    }
    storage.save(dataset, manifest, tmp_path / "data")
    report, folder = inspection.inspect_dataset(tmp_path / "data")
    assert report["rows"]["train"] == {"pairs": 1, "related": 1, "unrelated": 0, "groups": 1, "texts": 2}
    assert [path.name for path in folder.glob("*.png")] == ["text_lengths.png"]
    assert "Share of their words that two texts have in common" in printed(report)


def test_other_rows_are_refused(tmp_path: Path) -> None:
    dataset = DatasetDict(dict.fromkeys(storage.SPLITS, Dataset.from_dict({"colour": ["red"]})))
    manifest = {
        "schema_version": storage.SCHEMA_VERSION,
        "fingerprints": {split: storage.fingerprint(rows) for split, rows in dataset.items()},
    }
    storage.save(dataset, manifest, tmp_path / "data")
    with pytest.raises(BioftError, match="holds rows of colour"):
        inspection.inspect_dataset(tmp_path / "data")


def test_memory_of_an_inspection_is_little_more_than_that_of_its_texts() -> None:
    """So that a million texts need less than a gigabyte: nothing but what the report counts is kept of a text."""
    peaks = []
    for n in (100, 2_000, 8_000):  # the first also imports
        texts = [f"text {number} says words {number % 50} of some length" for number in range(n)]
        frames = {split: pd.DataFrame({"text": texts, "label": ["a", "b"] * (n // 2)}) for split in ("train", "test")}
        tracemalloc.start()
        text_inspection.inspect_texts(frames)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # 201 bytes for each text of two splits more; with all normalised texts at once they were 373.
    assert (peaks[2] - peaks[1]) / 12_000 < 280
