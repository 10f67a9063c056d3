"""The inspection of document datasets, counted by hand, and what it prints and draws."""

import io
import json
from pathlib import Path
from typing import Any

import matplotlib.image
import pytest
from rich.console import Console

from bioft.datasets.documents import sample
from bioft.inspect import documents as document_inspection, inspect as inspection
from bioft.storage import datasets as storage


def entity(text: str, kind: str, identifier: str) -> dict[str, Any]:
    return {"id": identifier, "type": kind, "start": 0, "end": len(text), "text": text}


def relation(head: str, tail: str) -> dict[str, str]:
    return {"type": "CID", "head": head, "tail": tail}


@pytest.fixture
def splits() -> dict[str, list[dict[str, Any]]]:
    """Few enough documents to count by hand."""
    return {
        "train": [
            {
                "document_id": "1",
                "text": "a few words",
                "entities": [
                    entity("lithium", "Chemical", "C1"),
                    entity("Li", "Chemical", "C1"),
                    entity("lithium", "Chemical", "C1"),
                    entity("renal or hepatic failure", "Disease", "D1|D2"),
                ],
                "relations": [relation("C1", "D2")],
            },
            {"document_id": "2", "text": "no", "entities": [], "relations": []},
        ],
        "test": [
            {
                "document_id": "3",
                "text": "two words",
                "entities": [
                    entity("gold", "Chemical", "C2"),
                    entity("Zn", "Chemical", "-1"),
                    entity("gout", "Disease", "D3"),
                ],
                "relations": [relation("C2", "D3")],
            }
        ],
    }


def test_counts_are_those_of_the_documents(splits: dict[str, list[dict[str, Any]]]) -> None:
    report = document_inspection.inspect_rows(splits, top=1)
    assert report["rows"] == {
        "train": {"documents": 2, "Chemical": 3, "Disease": 1, "CID": 1},
        "test": {"documents": 1, "Chemical": 2, "Disease": 1, "CID": 1},
    }
    assert report["texts"]["all"]["words"]["n"] == 3
    assert (report["texts"]["train"]["words"]["min"], report["texts"]["train"]["words"]["max"]) == (1, 3)
    chemicals = report["entities"]["Chemical"]
    assert (chemicals["mentions"], chemicals["without_id"], chemicals["several_ids"]) == (5, 1, 0)
    assert (chemicals["distinct_names"], chemicals["distinct_concepts"]) == (4, 2)
    assert (chemicals["per_document"]["n"], chemicals["per_document"]["max"]) == (3, 3)
    assert (report["entities"]["Disease"]["several_ids"], report["entities"]["Disease"]["words"]["max"]) == (1, 4)
    assert report["most_frequent"]["Chemical"] == [{"id": "C1", "name": "lithium", "mentions": 3, "documents": 1}]
    assert report["relations"] == {
        # Of the three pairs (C1–D1, C1–D2, C2–D3) two are related.
        "CID": {"relations": 2, "between": "Chemical and Disease", "candidate_pairs": 3, "related_fraction": 0.6667}
    }


@pytest.mark.draws
def test_the_sample_dataset_is_inspected_from_disk(tmp_path: Path) -> None:
    dataset, manifest = sample.build()
    directory = storage.save(dataset, manifest, tmp_path / "dataset")
    report, folder = inspection.inspect_dataset(directory, top=3)
    assert json.loads((folder / "inspection.json").read_text()) == report
    assert report["rows"] == manifest["rows"]
    assert report["audit"] == manifest["audit"]
    assert len(report["most_frequent"]["Gene"]) == 3
    assert matplotlib.image.imread(folder / "mentions.png").std() > 0.05
    stream = io.StringIO()
    inspection.print_report(report, Console(file=stream, width=160), full=True)
    printed = stream.getvalue()
    for heading in ("Rows", "Length of the texts", "Entities", "Most frequent Disease concepts", "Relations", "Audit"):
        assert heading in printed
    assert "what predicts without biology" not in printed  # that table is about pairs
    assert f"{sum(counts['CID'] for counts in manifest['rows'].values())} " in printed


@pytest.mark.draws
def test_documents_without_anything_annotated(tmp_path: Path) -> None:
    rows = {"train": [{"document_id": "1", "text": "x", "entities": [], "relations": []}]}
    report = document_inspection.inspect_rows(rows)
    assert report["entities"] == report["relations"] == {}
    document_inspection.draw(rows, tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size > 0


def test_what_else_one_must_know_is_said() -> None:
    manifest = {
        "split": {"strategy": "document", "note": "not the usual split"},
        "skipped": {"train": {"documents": 2, "first": ["x.txt, line 3: wrong", "…"]}, "test": {"documents": 0}},
    }
    assert inspection.notes(manifest) == [
        "Note: not the usual split",
        "Note: train: 2 documents left out. First: x.txt, line 3: wrong",
    ]
    assert inspection.notes({"split": {"strategy": "pair"}}) == []


def test_types_with_brackets_are_shown_as_written(
    splits: dict[str, list[dict[str, Any]]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Words of data are no mark-up of rich, which takes [/b] for an end without a start."""
    for row in (row for rows in splits.values() for row in rows):
        for each in (*row["entities"], *row["relations"]):
            each["type"] += "[/b]"
    report = document_inspection.inspect_rows(splits) | {"audit": {}}
    inspection.print_report(report, Console(markup=False), full=True)
    shown = capsys.readouterr().out
    assert "Chemical[/b]" in shown and "Most frequent Disease[/b] concepts" in shown
