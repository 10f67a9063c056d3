import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from bioft.datasets.gene_disease import ctd
from bioft.errors import BioftError
from bioft.inspect import inspect as inspection, pairs as pair_inspection, tables
from bioft.inspect.spellings import spelling
from bioft.storage import datasets as storage


def frame(*rows: tuple[str, str, int, str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "gene": gene,
                "gene_id": f"id-{gene}",
                "disease": disease,
                "disease_id": f"id-{disease}",
                "label": label,
                "evidence": evidence,
                "pmids": pmids,
            }
            for gene, disease, label, evidence, pmids in rows
        ]
    )


@pytest.fixture
def frames() -> dict[str, pd.DataFrame]:
    """Few enough rows to count by hand."""
    return {
        "train": frame(
            ("TP53", "Breast cancer", 1, "marker/mechanism", "1|2|3"),
            ("TP53", "Glioma", 1, "marker/mechanism|therapeutic", "2"),
            ("BRCA1", "Glioma", 0, "", ""),
        ),
        "test": frame(
            ("TP53", "Gout", 1, "therapeutic", ""),
            ("KRAS", "Glioma", 0, "", ""),
            ("TP53", "Glioma", 0, "", ""),
            ("KRAS", "Gout", 0, "", ""),
        ),
    }


def test_counts_are_those_of_the_rows(frames: dict[str, pd.DataFrame]) -> None:
    report = pair_inspection.inspect_frames(frames, top=2)
    assert report["rows"] == {
        "train": {"positive": 2, "negative": 1},
        "test": {"positive": 1, "negative": 3},
    }
    assert report["entities"] == {
        "train": {"genes": 2, "diseases": 2},
        "test": {"genes": 2, "diseases": 2},
        "all": {"genes": 3, "diseases": 3},
    }
    assert report["overlap"] == [
        {
            "splits": ["train", "test"],
            "genes": {"shared": 1, "of": 2},
            "diseases": {"shared": 1, "of": 2},
            # Of the four test rows two have a gene of train, two a disease, one both.
            "rows": {"gene": 0.5, "disease": 0.5, "both": 0.25},
        }
    ]
    assert report["evidence"] == {"marker/mechanism": 2, "therapeutic": 2}
    assert report["pmids"]["articles"] == 3
    assert report["pmids"]["positives_without"] == 1
    assert report["pmids"]["per_positive"]["max"] == 3


def test_degrees_count_positives_only(frames: dict[str, pd.DataFrame]) -> None:
    degrees = pair_inspection.inspect_frames(frames)["degrees"]
    assert degrees["gene"]["all"]["n"] == 1
    assert degrees["gene"]["all"]["max"] == 3  # TP53
    assert degrees["disease"]["all"] == {"n": 3, "mean": 1.0, **dict.fromkeys(tables.QUANTILES, 1.0)}
    assert degrees["gene"]["test"]["max"] == 1


def test_most_frequent_and_name_lengths(frames: dict[str, pd.DataFrame]) -> None:
    report = pair_inspection.inspect_frames(frames, top=2)
    assert report["most_frequent"]["gene"] == [
        {"name": "TP53", "id": "id-TP53", "positive": 3, "negative": 1},
        {"name": "BRCA1", "id": "id-BRCA1", "positive": 0, "negative": 1},
    ]
    assert [entity["name"] for entity in report["most_frequent"]["disease"]] == ["Breast cancer", "Glioma"]
    lengths = report["name_lengths"]["disease"]
    assert (lengths["characters"]["n"], lengths["characters"]["max"]) == (3, len("Breast cancer"))
    assert lengths["words"]["max"] == 2


def test_a_split_without_rows_or_positives_is_no_crash(frames: dict[str, pd.DataFrame]) -> None:
    negatives = frames["test"][frames["test"]["label"] == 0]
    report = pair_inspection.inspect_frames({"train": negatives, "test": frames["test"].head(0)})
    assert report["degrees"]["gene"]["train"]["n"] == 0
    assert report["overlap"][0]["rows"] == {"gene": 0.0, "disease": 0.0, "both": 0.0}
    json.dumps(report, allow_nan=False)


@pytest.mark.parametrize(
    ("name", "other", "same"),
    [
        ("Anemia, Fanconi", "Fanconi anemia", True),
        ("Alzheimer's disease, type II", "Alzheimer disease type 2", True),
        ("haemolytic anaemias", "Hemolytic Anemia", True),
        ("deficiency of β-galactosidase", "beta galactosidase deficiency", True),
        ("IL-6", "IL6", True),
        ("spinocerebellar ataxia 1", "spinocerebellar ataxia 2", False),
        ("complex II deficiency, type 3", "complex III deficiency, type 2", False),
        ("ATP2A1", "ATP1A2", False),
        ("MOGS", "MOG", False),
        ("CAPNS1", "CAPN1", False),
    ],
)
def test_names_are_the_same_in_another_spelling(
    frames: dict[str, pd.DataFrame], name: str, other: str, same: bool
) -> None:
    assert (spelling(name) == spelling(other)) == same
    frames["train"].loc[0, "disease"], frames["test"].loc[0, "disease"] = name, other
    report = pair_inspection.inspect_frames(frames)
    found = {"unseen": 2, "variant_in_train": int(same), "first": [[other, name]] * same}  # the other is gout
    assert report["variants"]["disease"] == {"test": found}
    printed = [str(part) for part in pair_inspection.parts(report, False)]
    assert any(f"first {other} ({name})" in part for part in printed) == same


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inspection")
    lines = ["# Fields:", "# GeneSymbol,GeneID,DiseaseName,DiseaseID,DirectEvidence,OmimIDs,PubMedIDs"]
    lines += [
        f"GENE{gene},{gene},Disease [{disease}],MESH:D{disease},marker/mechanism,,{gene}|{disease}"
        for gene in range(1, 31)
        for disease in range(1, 31)
        if (gene * disease) % 5 == 1
    ]
    (folder / "CTD_small.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    dataset, manifest = ctd.build(folder / "CTD_small.csv")
    return storage.save(dataset, manifest, folder / "dataset")


@pytest.mark.draws
def test_writes_report_and_plots(built: Path, tmp_path: Path) -> None:
    report, folder = inspection.inspect_dataset(built, tmp_path / "out")
    assert folder == tmp_path / "out" / "inspection"
    assert json.loads((folder / "inspection.json").read_text()) == report
    plots = sorted(folder.glob("*.png"))
    assert [plot.name for plot in plots] == ["degrees.png"]
    assert all(plot.read_bytes().startswith(b"\x89PNG") for plot in plots)
    manifest = storage.load_manifest(built)
    assert report["rows"] == manifest["rows"]
    assert report["audit"] == manifest["audit"]
    # Again: the earlier inspection is replaced, and nothing temporary stays.
    inspection.inspect_dataset(built, tmp_path / "out", top=1)
    assert len(json.loads((folder / "inspection.json").read_text())["most_frequent"]["gene"]) == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["inspection"]


def test_the_overlap_agrees_with_the_audit(built: Path, tmp_path: Path) -> None:
    report, _ = inspection.inspect_dataset(built, tmp_path)
    pair = next(pair for pair in report["overlap"] if pair["splits"] == ["train", "test"])
    for side in pair_inspection.SIDES:
        audited = report["audit"]["entity_overlap"][side]["test"]
        assert pair[f"{side}s"] == {"shared": audited["in_train"], "of": audited["entities"]}
        assert pair["rows"][side] == audited["rows_in_train_fraction"]


def test_default_place_is_the_dataset_and_it_still_loads(built: Path) -> None:
    _, folder = inspection.inspect_dataset(built)
    assert folder == built / "inspection"
    storage.load(built)


def test_never_replaces_what_is_no_inspection(built: Path, tmp_path: Path) -> None:
    (tmp_path / "inspection").mkdir()
    notes = tmp_path / "inspection" / "notes.txt"
    notes.write_text("mine")
    with pytest.raises(BioftError, match="something else"):
        inspection.inspect_dataset(built, tmp_path)
    assert notes.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["inspection"]
    inspection.inspect_dataset(built, tmp_path, overwrite=True)
    assert not notes.exists()


def test_not_a_dataset(tmp_path: Path) -> None:
    with pytest.raises(BioftError, match="bioft build"):
        inspection.inspect_dataset(tmp_path)
    with pytest.raises(BioftError, match=str(tmp_path / "absent")):
        inspection.inspect_dataset(tmp_path / "absent")
    assert list(tmp_path.iterdir()) == []


def test_the_printed_report_holds_the_figures(built: Path, tmp_path: Path) -> None:
    report, _ = inspection.inspect_dataset(built, tmp_path)
    text = printed(report)
    total = sum(sum(counts.values()) for counts in report["rows"].values())
    assert f"{total:,}" in text
    top = report["most_frequent"]["disease"][0]
    assert top["name"] in text  # with its brackets: no markup is read from data
    assert "marker/mechanism" in text
    assert "No leakage found" in text


def test_flagged_shortcuts_are_told_in_words(built: Path, tmp_path: Path) -> None:
    report, _ = inspection.inspect_dataset(built, tmp_path)
    report["audit"]["shortcuts"][0] |= {"auroc": 0.9, "low": 0.8, "high": 0.95, "flag": "shortcut"}
    report["audit"]["shortcuts"][1] |= {"auroc": 0.3, "low": 0.2, "high": 0.4, "flag": "inverted shortcut"}
    text = printed(report)
    assert "alone reaches AUROC 0.900 [0.800, 0.950]" in text
    assert "Inverted shortcut" in text
    report["audit"] = {}
    assert "holds no audit" in printed(report)


def test_what_is_printed_is_one_page_and_full_has_the_rest(built: Path, tmp_path: Path) -> None:
    report, _ = inspection.inspect_dataset(built, tmp_path)
    page = printed(report, width=80)
    assert len(page.splitlines()) <= 40 < len(printed(report, width=80, full=True).splitlines())
    assert "Positives per entity" not in page and "(it was not made again)" in page
    report["pmids"] |= {"articles": 0}
    assert "articles" not in printed(report) and "articles" in page


@pytest.mark.parametrize("width", [40, 80])
@pytest.mark.parametrize("full", [False, True])
def test_no_word_is_broken_on_a_narrow_terminal(built: Path, tmp_path: Path, width: int, full: bool) -> None:
    report, _ = inspection.inspect_dataset(built, tmp_path)
    narrow, wide = (set(printed(report, width=each, full=full).split()) for each in (width, 400))
    rules = {word for word in narrow if set(word) == {"─"}}
    assert narrow - rules <= wide, "each word is one of those of a terminal that has room for all"


def printed(report: dict[str, Any], width: int = 200, full: bool = False) -> str:
    console = Console(file=io.StringIO(), width=width)
    inspection.print_report(report, console, full)
    return console.file.getvalue()  # type: ignore[attr-defined]
