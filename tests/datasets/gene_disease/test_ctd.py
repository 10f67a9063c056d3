"""The CTD reader and builder: real file, every layout, and everything that can be wrong with a file."""

import csv
import gc
import gzip
import io
import tracemalloc
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings, strategies as st

from bioft.datasets.gene_disease import ctd
from bioft.datasets.gene_disease.excel_dates import is_date
from bioft.errors import BioftError
from bioft.storage.files import file_sha256

pytestmark = pytest.mark.usefixtures("leaks_alone")

CURATED = "GeneSymbol,GeneID,DiseaseName,DiseaseID,DirectEvidence,OmimIDs,PubMedIDs"
FULL = "GeneSymbol,GeneID,DiseaseName,DiseaseID,DirectEvidence,InferenceChemicalName,InferenceScore,OmimIDs,PubMedIDs"
HEADER = "# The Comparative Toxicogenomics Database (CTD)\n#\n# Report created: Wed Aug 27 14:25:10 EDT 2025\n#\n"


def report(path: Path, rows: Iterable[str], fields: str = CURATED) -> Path:
    path.write_text(f"{HEADER}# Fields:\n# {fields}\n#\n" + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def grid(genes: int = 30, diseases: int = 20) -> list[str]:
    """Curated rows: a third of all pairs."""
    return [
        f'G{g},{g},"Disease {d}, type I",MESH:D{d},{("marker/mechanism", "therapeutic")[(g + d) % 2]},,{g}|{d}'
        for g in range(genes)
        for d in range(diseases)
        if (g * 7 + d * 5) % 3 == 0
    ]


@pytest.fixture(scope="module")
def real(shared_data: Path) -> Path:
    return shared_data / "ctd" / "CTD_curated_genes_diseases.csv.gz"


def test_real_file(real: Path) -> None:
    rows = list(ctd.read(real))
    assert len(rows) == 34_222
    assert len({row["gene_id"] for row in rows}) == 9_111
    assert len({row["disease_id"] for row in rows}) == 5_858
    assert Counter(row["evidence"] for row in rows) == {
        "marker/mechanism": 31_986,
        "therapeutic": 1_928,
        "marker/mechanism|therapeutic": 308,
    }
    assert sum("," in row["disease"] for row in rows) == 9_703
    assert sum(not row["pmids"] for row in rows) == 4_408
    assert rows[2] == {
        "gene": "A",
        "gene_id": "50518",
        "disease": "Diabetes Mellitus, Type 2",
        "disease_id": "MESH:D003924",
        "evidence": "marker/mechanism",
        "pmids": "8146154",
    }


def test_real_file_by_evidence(real: Path) -> None:
    assert sum(1 for _ in ctd.read(real, "therapeutic")) == 1_928 + 308
    assert sum(1 for _ in ctd.read(real, ["marker/mechanism"])) == 31_986 + 308
    assert sum(1 for _ in ctd.read(real, "inferred")) == 0


NAME = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0\t"), min_size=1).filter(
    lambda s: s.strip() and not s.startswith("#") and s.splitlines() == [s]
)
ROW = st.fixed_dictionaries(
    {
        "gene": NAME,
        "gene_id": st.integers(1, 10**9).map(str),
        "disease": NAME,
        "disease_id": st.sampled_from(["MESH:D000001", "OMIM:125850"]),
        "evidence": st.sampled_from(["marker/mechanism", "therapeutic", "marker/mechanism|therapeutic", "inferred"]),
        "pmids": st.lists(st.integers(1, 10**8).map(str)).map("|".join),
    }
)
QUIET = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)


@QUIET
@given(st.lists(ROW, min_size=1), st.booleans(), st.booleans(), st.sampled_from(["\n", "\r\n"]))
def test_rows_written_as_ctd_writes_them_come_back(
    tmp_path: Path, rows: list[dict[str, str]], full: bool, packed: bool, line_break: str
) -> None:
    rows = [row for row in rows if full or row["evidence"] != "inferred"]
    assume(rows)
    text = io.StringIO()
    fields = (FULL if full else CURATED).split(",")
    text.write(HEADER + "# Fields:\n# " + ",".join(fields) + "\n#\n")
    writer = csv.DictWriter(text, fields, restval="", lineterminator=line_break)
    for row in rows:
        writer.writerow(
            {
                "GeneSymbol": row["gene"],
                "GeneID": row["gene_id"],
                "DiseaseName": row["disease"],
                "DiseaseID": row["disease_id"],
                "DirectEvidence": row["evidence"].replace("inferred", ""),
                "PubMedIDs": row["pmids"],
            }
        )
    content = text.getvalue().encode()
    path = tmp_path / "report"
    path.write_bytes(gzip.compress(content) if packed else content)
    assert list(ctd.read(path, ctd.EVIDENCE)) == rows
    assert list(ctd.read(path)) == [row for row in rows if row["evidence"] != "inferred"]


def test_tab_separated_layout_has_no_quoting(tmp_path: Path) -> None:
    fields = CURATED.replace(",", "\t")
    row = 'A"B\t1\t"Quoted" disease, and more\tMESH:D1\ttherapeutic\t\t7'
    (found,) = ctd.read(report(tmp_path / "x.tsv", [row], fields))
    assert (found["gene"], found["disease"]) == ('A"B', '"Quoted" disease, and more')


def test_a_header_row_instead_of_the_comment(tmp_path: Path) -> None:
    """As pandas writes the file again; with a byte order mark, as spreadsheet programs do."""
    path = tmp_path / "x.csv"
    path.write_text(f"{CURATED}\nA,1,D,MESH:1,therapeutic,,\n", encoding="utf-8-sig")
    assert [row["gene"] for row in ctd.read(path)] == ["A"]


def inferred_lines(n: int) -> Iterator[str]:
    for i in range(n):
        yield f'G{i % 97},{i % 97},"Disease {i % 31}, x",MESH:D{i % 31},,Chemical {i % 1009},3.{i},,{i}|{i + 1}'


def test_full_report_gives_the_same_dataset_as_the_curated_one(tmp_path: Path) -> None:
    """Inferred rows change nothing unless they are asked for."""
    curated = grid()
    columns = (row.rsplit(",", 2) for row in curated)
    mixed = [line for row in columns for line in (f"{row[0]},,,{row[1]},{row[2]}", *inferred_lines(3))]
    _, expected = ctd.build(report(tmp_path / "curated.csv", curated))
    _, found = ctd.build(report(tmp_path / "full.csv", mixed, FULL))
    assert found["fingerprints"] == expected["fingerprints"]
    assert found["pairs"] == expected["pairs"]


def peak(action: Any) -> int:
    """Bytes that one call allocates at most: the least of two calls, since other threads are counted with them."""
    found = []
    for _ in range(2):
        gc.collect()
        tracemalloc.start()
        try:
            action()
            found.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    return min(found)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    # The same curated rows between 10,000 inferred ones, each of some hundred bytes.
    curated = [",".join([*row.rsplit(",", 2)[:1], "", "", *row.rsplit(",", 2)[1:]]) for row in grid()]
    small = report(tmp_path / "small.csv", [*curated, *inferred_lines(100)], FULL)
    large = report(tmp_path / "large.csv", [*inferred_lines(5_000), *curated, *inferred_lines(5_000)], FULL)
    assert large.stat().st_size > 500_000

    def read(path: Path, evidence: Any) -> None:
        for _ in ctd.read(path, evidence):
            pass

    read(small, None)
    for evidence in (None, ctd.EVIDENCE):
        assert peak(lambda: read(large, evidence)) < peak(lambda: read(small, evidence)) + 100_000  # noqa: B023
    ctd.build(small)
    assert peak(lambda: ctd.build(large)) < peak(lambda: ctd.build(small)) + 200_000


def test_repeated_rows_are_united(tmp_path: Path) -> None:
    chemicals = [
        'G0,0,"Disease 1, x",MESH:X1,,Chemical 1,3.1,,5|6',
        'G0,0,"Disease 1, x",MESH:X1,,Chemical 2,3.2,,6|7',
        'G0,0,"Disease 1, x",MESH:X1,therapeutic,,,,9',
    ]
    rows = [f"{row.rsplit(',', 2)[0]},,,,{row.rsplit(',', 1)[1]}" for row in grid()]
    dataset, manifest = ctd.build(
        report(tmp_path / "x.csv", rows + chemicals, FULL), evidence=ctd.EVIDENCE, negatives="uniform"
    )
    assert manifest["pairs"]["repeated_rows"] == 2
    every = [row for split in dataset.values() for row in split if row["disease_id"] == "MESH:X1" and row["label"]]
    assert [(row["evidence"], row["pmids"]) for row in every] == [("inferred|therapeutic", "5|6|7|9")]


def test_evidence_filter_leaves_out_positives_and_never_makes_them_negatives(tmp_path: Path) -> None:
    path = report(tmp_path / "x.csv", grid())
    dataset, manifest = ctd.build(path, evidence="therapeutic", negatives_per_positive=1)
    known = {(row["gene_id"], row["disease_id"]) for row in ctd.read(path)}
    for split in dataset.values():
        for row in split:
            assert (row["evidence"] == "therapeutic") == (row["label"] == 1)
            assert ((row["gene_id"], row["disease_id"]) in known) == (row["label"] == 1)
    assert manifest["pairs"]["known"] == len(known)
    assert manifest["pairs"]["positive"] == sum(1 for _ in ctd.read(path, "therapeutic"))


def test_manifest(real: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its audit, which takes longer than to build the data: that is tested in `test_splits.py`."""
    monkeypatch.setattr("bioft.datasets.gene_disease.audit.audit", lambda *splits, **about: {})
    _, manifest = ctd.build(real, seed=4)
    (source,) = manifest["sources"]
    assert source["name"] == real.name
    assert source["sha256"] == file_sha256(real)
    assert source["bytes"] == 568_438
    assert source["version"] == "Wed Aug 27 14:25:10 EDT 2025"
    assert "must cite CTD" in source["terms"]
    assert "Nucleic Acids Res" in source["citation"]
    assert manifest["arguments"]["evidence"] == ["marker/mechanism", "therapeutic"]
    assert manifest["seed"] == 4
    # One disease stands in the file under two ids with the same name but for its case.
    assert manifest["pairs"]["positive"] == 34_221
    assert manifest["pairs"]["diseases_with_several_ids"] == 1
    assert manifest["rows"]["test"] == {"positive": 6_844, "negative": 6_844}
    assert "/" not in str(manifest["arguments"]).replace("marker/mechanism", "")


# Bad input


def failure(path: Path, **arguments: Any) -> str:
    with pytest.raises(BioftError) as caught:
        ctd.build(path, **arguments)
    return str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    message = failure(tmp_path / "no.csv.gz")
    assert "no.csv.gz does not exist" in message
    assert "bioft download ctd" in message


def test_directory(tmp_path: Path) -> None:
    assert "is a directory" in failure(tmp_path)


@pytest.mark.parametrize("content", [b"", gzip.compress(b"", mtime=0)])
def test_empty_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.csv.gz").write_bytes(content)
    assert "is empty" in failure(tmp_path / "x.csv.gz")


def test_header_without_rows(tmp_path: Path) -> None:
    assert "holds no row" in failure(report(tmp_path / "x.csv", []))


@pytest.mark.parametrize("part", [0.03, 0.5, 0.999])
def test_truncated_gzip(real: Path, tmp_path: Path, part: float) -> None:
    content = real.read_bytes()
    content = content[: int(len(content) * part)]
    (tmp_path / "x.csv.gz").write_bytes(content)
    whole_lines = zlib.decompressobj(wbits=31).decompress(content).count(b"\n")
    assert f"is a truncated gzip file: it breaks off after line {whole_lines}." in failure(tmp_path / "x.csv.gz")


def test_corrupt_gzip(real: Path, tmp_path: Path) -> None:
    content = bytearray(real.read_bytes())
    content[300_000:300_100] = bytes(100)
    (tmp_path / "x.csv.gz").write_bytes(content)
    message = failure(tmp_path / "x.csv.gz")
    assert "line" in message
    assert "x.csv.gz" in message


def test_not_ctd_says_which_columns_were_found(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("gene,score\nA,1\n")
    message = failure(tmp_path / "x.csv")
    assert "not a gene–disease report of CTD" in message
    assert "Columns found in line 1: gene, score." in message
    assert "Missing: GeneSymbol" in message


def test_another_report_of_ctd(tmp_path: Path) -> None:
    fields = "ChemicalName,ChemicalID,CasRN,DiseaseName,DiseaseID,DirectEvidence,PubMedIDs"
    message = failure(report(tmp_path / "x.csv", ["a,b,c,d,e,therapeutic,1"], fields))
    assert "ChemicalName" in message
    assert "Missing: GeneSymbol, GeneID." in message


def test_web_page(tmp_path: Path) -> None:
    (tmp_path / "x.csv.gz").write_text("<!DOCTYPE html>\n<title>Are you human?</title>\n")
    assert "web page" in failure(tmp_path / "x.csv.gz")


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("A,1,D,MESH:1,therapeutic,", "6 fields where the header has 7"),
        ("A,1,D, with a comma,MESH:1,therapeutic,,", "8 fields where the header has 7"),
        ("A,1,D,MESH:1,marker,,", "unknown DirectEvidence 'marker'"),
        ("A,1,D,MESH:1,,,", "DirectEvidence is empty in a report without inferred rows"),
        (",1,D,MESH:1,therapeutic,,", "GeneSymbol is empty"),
        ("A,1, ,MESH:1,therapeutic,,", "DiseaseName is empty"),
        ('A,1,"D,MESH:1,therapeutic,,', "not a row of a table"),
        ('A,1,"D"x,MESH:1,therapeutic,,', "not a row of a table"),
    ],
)
@pytest.mark.parametrize("last", [True, False])
def test_a_bad_row_is_named_by_its_line(tmp_path: Path, row: str, problem: str, last: bool) -> None:
    rows = [*grid()[:10], "", "# a comment", row, *([] if last else grid()[10:])]
    path = report(tmp_path / "x.csv", rows)
    line = path.read_text().splitlines().index(row) + 1
    with pytest.raises(BioftError, match=rf"x\.csv, line {line}: ({problem})"):
        ctd.build(path)


def test_byte_that_is_not_utf8(tmp_path: Path) -> None:
    path = report(tmp_path / "x.csv", grid())
    content = path.read_bytes()
    offset = content.index(b"Disease 5, type I") + 3
    path.write_bytes(content[:offset] + b"\xe9" + content[offset + 1 :])
    line = content[:offset].count(b"\n") + 1
    message = failure(path)
    assert f"line {line}: byte 0xe9" in message
    assert f"(byte {offset} of the unpacked file) is not UTF-8" in message


def test_evidence_that_does_not_exist(tmp_path: Path) -> None:
    path = report(tmp_path / "x.csv", grid())
    assert "Did you mean 'therapeutic'?" in failure(path, evidence="therapeutics")
    assert "empty" in failure(path, evidence=[])
    assert "No pair of the ctd source has the evidence asked for" in failure(path, evidence="inferred")


def test_a_gene_with_every_disease(tmp_path: Path) -> None:
    rows = [*grid(), *(f'HUB,999,"Disease {d}, type I",MESH:D{d},therapeutic,,' for d in range(20))]
    path = report(tmp_path / "x.csv", rows)
    message = failure(path)
    assert "gene 'HUB' (20 known associations" in message
    assert "uniform" in message
    ctd.build(path, negatives="uniform")


def test_a_report_that_a_spreadsheet_saved_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Empty fields behind comments, blank rows of commas, another delimiter, and genes that became dates."""
    rows = [
        '"A, B",1,"Disease 1, type I",MESH:D1,therapeutic,,1',
        "2-Sep,2,Disease 2,MESH:D2,therapeutic,,2",
        ",,,,,,",
    ]
    content = (
        report(tmp_path / "x.csv", rows)
        .read_text()
        .replace("# Fields:", "# Fields:,,,,,,")
        .replace("#\n", "#,,,,,,\n")
    )
    (tmp_path / "x.csv").write_text('"# One, two",,,,,,\n' + content)
    found = list(ctd.read(tmp_path / "x.csv"))
    assert [row["disease_id"] for row in found] == ["MESH:D1", "MESH:D2"]
    assert "1 gene is a date" in caplog.text and "2-Sep" in caplog.text
    assert ctd.read_header(tmp_path / "x.csv").created == "Wed Aug 27 14:25:10 EDT 2025"
    quoted = [",".join(f'"{cell}"' for cell in line.split(",")) for line in content.splitlines() if '"' not in line]
    (tmp_path / "x.csv").write_text("\n".join(quoted))  # as LibreOffice does with all text
    assert [row["disease_id"] for row in ctd.read(tmp_path / "x.csv")] == ["MESH:D2"]
    semicolons = content.replace('"A, B",1,"Disease 1, type I",', "A,1,Disease 1,").replace(",", ";")
    (tmp_path / "x.csv").write_text(semicolons)
    assert [row["disease_id"] for row in ctd.read(tmp_path / "x.csv")] == ["MESH:D1", "MESH:D2"]


def test_dates_that_were_genes() -> None:
    dates = (
        "2-Sep",
        "Sep-02",
        "1-Mar",
        "01-Dec",
        "2001-03-01",
        "3/1/2001",
        "01.03.2001",
        "1. Mrz",
        "1-Mar-20",
        "1.Okt",
        "3月1日",
    )
    assert all(map(is_date, dates))
    assert not any(
        map(is_date, ("SEPT2", "MARCH1", "DEC1", "NKX2-5", "HLA-A", "OCT4", "H1-2", "MIR-17", "A.1", "1-AGPAT"))
    )
