"""One set of rows as Spark, pandas, `datasets`, spreadsheets and annotation tools write it: the rows come back."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from datasets import ClassLabel, Dataset, DatasetDict

from bioft.datasets.formats.documents import build_entities, build_relations
from bioft.datasets.formats.gene_disease import build_gene_disease
from bioft.datasets.formats.labels import build_labels, build_texts
from bioft.datasets.formats.pairs import build_pairs
from bioft.errors import BioftError
from tests.datasets.formats.test_corpora import ANNOTATED, rows_of as lines_of, save
from tests.datasets.formats.test_damaged_own import RECORDS, sentence, spans
from tests.datasets.formats.test_documents import bioc_document, documents, rows_of, write_brat

TEXTS = [sentence(n) for n in range(RECORDS)]
LABELS = ["yes" if n % 2 else "no" for n in range(RECORDS)]
PLAIN = "".join(f"{text},{label}\n" for text, label in zip(TEXTS, LABELS, strict=True))


def parquet(columns: dict[str, Any]) -> bytes:
    pq.write_table(pa.table(columns), stream := io.BytesIO())
    return stream.getvalue()


def pandas(frame: pd.DataFrame) -> bytes:
    frame.to_parquet(stream := io.BytesIO())
    return stream.getvalue()


WHOLE = pd.DataFrame({"text": TEXTS, "label": LABELS})
TABLES: dict[str, bytes] = {
    "categories of pandas": pandas(WHOLE.astype({"label": "category"})),
    "bytes of Spark": parquet({"text": [t.encode() for t in TEXTS], "label": [each.encode() for each in LABELS]}),
    "a column of maps": parquet({
        "text": TEXTS, "label": LABELS, "more": pa.array([[("a", 1)]] * RECORDS, pa.map_(pa.string(), pa.int64()))
    }),
    "periods of pandas": pandas(WHOLE.assign(month=pd.period_range("2020-01", periods=RECORDS, freq="M"))),
    "columns of JSON": json.dumps({"text": TEXTS, "label": LABELS}).encode(),
    "a title above": f"Table S1: reasons,\n,\ntext,label\n{PLAIN}".encode(),
    "two byte order marks": f"\ufeff\ufefftext,label\n{PLAIN}".encode(),
    "doubled returns": f"text,label\n{PLAIN}".replace("\n", "\r\r\n").encode(),
}  # fmt: skip


@pytest.mark.parametrize("kind", TABLES)
def test_tables(tmp_path: Path, kind: str) -> None:
    (path := tmp_path / "own").write_bytes(TABLES[kind])
    dataset, manifest = build_labels([path])
    found = {(row["text"], row["label"]) for rows in dataset.values() for row in rows}
    assert found == {*zip(TEXTS, LABELS, strict=True)}
    unread = [note for note in manifest["notes"] if "not read" in note]
    assert len(unread) == (kind in ("a column of maps", "periods of pandas", "a title above"))


@pytest.mark.parametrize("splits", [False, True])
def test_folders_of_save_to_disk(tmp_path: Path, splits: bool) -> None:
    rows = Dataset.from_dict({"text": TEXTS, "label": [n % 2 for n in range(RECORDS)]})
    rows = rows.cast_column("label", ClassLabel(names=["no", "yes"]))
    given = DatasetDict(train=rows.select(range(14)), test=rows.select(range(14, RECORDS)))
    (given if splits else rows).save_to_disk(str(tmp_path / "own"))
    dataset, manifest = build_labels([tmp_path / "own"])
    assert {(row["text"], row["label"]) for its in dataset.values() for row in its} == {
        *zip(TEXTS, LABELS, strict=True)
    }
    assert manifest["split"]["strategy"] == ("given" if splits else "normalised_text")
    before = [each["sha256"] for each in manifest["sources"]]
    (given if splits else rows).sort("text", reverse=True).save_to_disk(str(tmp_path / "other"))
    assert [each["sha256"] for each in build_labels([tmp_path / "other"])[1]["sources"]] != before


@pytest.mark.parametrize("header", ["text\n", '"text"\n', ""])
def test_one_column_in_quotation_marks(tmp_path: Path, header: str) -> None:
    """Line breaks too, where a header says that it is a table; a plain list keeps its marks."""
    between = "\n" if header else " "
    written = "".join(f'"{text},{between}""so"""\n' if n % 3 else f"{text}\n" for n, text in enumerate(TEXTS))
    dataset, manifest = build_texts([save(tmp_path, "own.csv", header + written)])
    found = {text for rows in dataset.values() for text in rows["text"]}
    assert found == {f'{text},{between}"so"' if n % 3 else text for n, text in enumerate(TEXTS)}
    assert manifest["read"]["rows"] == RECORDS
    plain = save(tmp_path, "own.txt", "".join(f'"{text}" said {n}, so\n' for n, text in enumerate(TEXTS)))
    dataset, _ = build_texts([plain])
    assert {text[0] for rows in dataset.values() for text in rows["text"]} == {'"'}


def test_texts_that_are_none_are_refused_or_left_out_without_the_folder_s_name(tmp_path: Path) -> None:
    """What is left out is in the manifest, which is published."""
    own = save(tmp_path, "own.csv", f"text,label\n{PLAIN}NA,yes\n")
    with pytest.raises(BioftError, match=r"line 22: the text is NA, which programs write where there is none"):
        build_labels([own])
    skipped = build_labels([own], skip_bad=True)[1]["skipped"]["all"]
    assert skipped["documents"] == 1 and skipped["first"][0].startswith("own.csv, line 22: ")
    broken = ANNOTATED["doccano, the first without a mention"] + '{"text": ""}\n'
    skipped = build_entities([save(tmp_path, "own.jsonl", broken)], skip_bad=True)[1]["skipped"]["all"]
    assert skipped["documents"] == 1 and str(tmp_path) not in skipped["first"][0]


def test_genes_and_scores_as_pandas_and_r_write_them(tmp_path: Path) -> None:
    """Ids and labels with a point, and NA: the genes without an id are not one gene."""
    rows = [(f"G{n % 7}", "NA" if n % 7 < 3 else f"{n % 7}.0", f"Disease {'abcde'[n % 5]}", n) for n in range(35)]
    written = "".join(f"{gene},{its},{disease},{float(n % 3 > 0)}\n" for gene, its, disease, n in rows)
    dataset, _ = build_gene_disease([save(tmp_path, "own.csv", f"gene,gene_id,disease,label\n{written}")])
    found = {row["gene"]: row["gene_id"] for its in dataset.values() for row in its}
    assert found == {"G0": "G0", "G1": "G1", "G2": "G2", "G3": "3", "G4": "4", "G5": "5", "G6": "6"}
    pairs = "".join(f"{text},{text[::-1]},{n % 2 > 0}\n" for n, text in enumerate(TEXTS))
    dataset, _ = build_pairs([save(tmp_path, "pairs.csv", f"text1,text2,label\n{pairs}")])
    assert sum(sum(rows["score"]) for rows in dataset.values()) == RECORDS / 2
    with pytest.raises(BioftError, match=r"the score '1_0' is no number"):
        build_pairs([save(tmp_path, "pairs.csv", f"text1,text2,score\n{pairs.replace('True', '1_0')}")])


CHANGES: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "returns that offsets do not count": (".txt", lambda content: content.replace(b"\n", b"\r\n")),
    "a mark before the text": (".txt", lambda content: b"\xef\xbb\xbf" + content),
    "both": (".txt", lambda content: b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n")),
    "a mark before the annotations": (".ann", lambda content: b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n")),
    "UTF-16": (".ann", lambda content: content.decode().encode("utf-16")),
}


@pytest.mark.parametrize("change", CHANGES)
def test_brat_folders_that_windows_or_git_changed(tmp_path: Path, change: str) -> None:
    written = documents()
    for each in written:
        each.title, each.abstract = each.title.replace("and ", "and\n"), each.abstract.replace("It ", "It\n")
    folder = write_brat(written, tmp_path)
    suffix, changed = CHANGES[change]
    for file in folder.glob(f"*{suffix}"):
        file.write_bytes(changed(file.read_bytes()))
    found = rows_of(build_relations([folder])[0])
    assert {name: row["text"] for name, row in found.items()} == {each.document_id: each.text for each in written}
    assert [its["text"] for its in found["doca"]["entities"]] == ["druga", "paina"]


def test_bioc_as_pubmed_central_gives_it_and_the_id_0(tmp_path: Path) -> None:
    found = [bioc_document(each) | {"id": n} for n, each in enumerate(documents())]
    whole = [{"bioctype": "BioCCollection", "source": "PMC", "infons": {}, "documents": found}]
    apart = [{"source": "PMC", "documents": [each]} for each in found]
    for collections in (whole, apart):
        dataset, _ = build_relations([save(tmp_path, "own.json", json.dumps(collections))])
        assert rows_of(dataset).keys() == {str(n) for n in range(len(found))}


def test_offsets_beyond_the_text_and_of_programs_that_count_half_characters(tmp_path: Path) -> None:
    beyond = lines_of(lambda n: {"text": sentence(n), "spans": [{"start": 0, "end": 999, "label": "A"}]})
    with pytest.raises(BioftError, match=r"is said to stand at 0 to 999"):
        build_entities([save(tmp_path, "own.jsonl", beyond)])

    def document(n: int) -> dict[str, Any]:
        value = {"start": 3, "end": 3 + len(f"number{n:02d}"), "labels": ["A"], "text": f"number{n:02d}"}
        result = [{"id": "r", "type": "labels", "value": value}]
        return {"id": n, "data": {"text": f"\U0001d6fc {sentence(n)}"}, "annotations": [{"result": result}]}

    found = rows_of(build_entities([save(tmp_path, "own.json", json.dumps([document(n) for n in range(RECORDS)]))])[0])
    assert {(its["start"], its["end"]) for row in found.values() for its in row["entities"]} == {(2, 10)}
    bioc = [bioc_document(each) for each in documents()]
    for each in (annotation for its in bioc for passage in its["passages"] for annotation in passage["annotations"]):
        each["locations"][0]["offset"] += each["infons"]["type"] == "Chemical"  # behind the character of four bytes
    dataset, _ = build_relations([save(tmp_path, "own.json", json.dumps({"documents": bioc}))])
    assert {row["entities"][0]["start"] for row in rows_of(dataset).values()} == {11}


def test_ids_of_articles_and_further_labels_of_label_studio(tmp_path: Path) -> None:
    rows = lines_of(lambda n: {"text": sentence(n), "spans": [
        {"start": a, "end": b, "label": kind} for a, b, kind in spans(n)
    ], "pmid": 100 + n // 2})  # fmt: skip
    found = rows_of(build_entities([save(tmp_path, "own.jsonl", rows)])[0])
    assert {"100", "109"} < found.keys() and len(found) == RECORDS
    two = ANNOTATED["Label Studio"].replace('"Letter"', '"Letter", "Sign"')
    _, manifest = build_entities([save(tmp_path, "own.json", two)])
    assert manifest["read"]["further labels of a mention, of which the first is read"] == RECORDS
