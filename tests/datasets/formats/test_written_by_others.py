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


MARKED = [f"[[ gene{n % 3} ]] and << drug{n} >> but gene{n % 3 + 3}" for n in range(RECORDS)]


def test_texts_that_differ_in_marks_around_entities_are_rows_of_their_own_in_one_split(tmp_path: Path) -> None:
    """As ChemProt in SciBERT's repository has them: 2,510 of its 4,169 rows were merged into others."""
    other = [text.replace("[[ ", "").replace(" ]]", "").replace("but ", "but [[ ") + " ]]" for text in MARKED]
    rows = [*zip(MARKED, LABELS, strict=True), *((text, "other") for text in other), (MARKED[0] + ".", LABELS[0])]
    lines = "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows)
    dataset, manifest = build_labels([save(tmp_path, "own.jsonl", lines)])
    found = {row["text"]: row["label"] for its in dataset.values() for row in its}
    assert found == dict(rows[:-1])
    assert manifest["notes"] == ["1 rows have the text of one before, and are one row with it"]
    for its in dataset.values():
        drugs = [text.split("drug")[1].split()[0] for text in its["text"]]
        assert sorted(drugs) == sorted([*set(drugs)] * 2)


def test_labels_of_fasttext_spacy_and_prodigy(tmp_path: Path) -> None:
    expected = {*zip(TEXTS, LABELS, strict=True)}
    fasttext = "".join(f"__label__{label} {text}\n" for text, label in zip(TEXTS, LABELS, strict=True))
    answers = {"yes": "accept", "no": "reject"}
    prodigy = lines_of(lambda n: {"text": TEXTS[n], "label": "A", "answer": answers[LABELS[n]], "_task_hash": n})
    dataset, _ = build_labels([save(tmp_path, "own.txt", fasttext)])
    assert {(row["text"], row["label"]) for its in dataset.values() for row in its} == expected
    path = save(tmp_path, "own.jsonl", prodigy)
    dataset, _ = build_labels([path], label_column=["answer"])
    found = {(row["text"], row["label"]) for its in dataset.values() for row in its}
    assert found == {(text, answers[label]) for text, label in expected}
    with pytest.raises(BioftError, match=r"one label only, 'A'. Others were rejected: --label-column answer"):
        build_labels([path])
    several = fasttext.replace("__label__yes", "__label__yes __label__sure", 1)
    dataset, _ = build_labels([save(tmp_path, "own.txt", several)])
    assert sum(len(row["labels"]) for its in dataset.values() for row in its) == RECORDS + 1
    with pytest.raises(BioftError, match=r"line 21: 'no label' does not begin with __label__"):
        build_labels([save(tmp_path, "own.txt", f"{fasttext}no label\n")])
    spacy = lines_of(lambda n: {"text": TEXTS[n], "cats": {"yes": n % 2, "no": 1 - n % 2}})
    dataset, _ = build_labels([save(tmp_path, "own.jsonl", spacy)])
    assert {(row["text"], *row["labels"]) for its in dataset.values() for row in its} == expected


def test_the_name_of_the_first_column_after_a_comment_sign_and_numbers_for_names(tmp_path: Path) -> None:
    """As DG-Miner has it: names stood in the place of ids, and no word of it."""
    rows = "".join(f"{n % 7 + 1}\tG{n % 7}\tDisease {'abcde'[n % 5]}\t{n % 2}\n" for n in range(35))
    path = save(tmp_path, "own.tsv", f"# GeneID\tAssociatedGenes\tDiseaseName\tlabel\n{rows}")
    dataset, manifest = build_gene_disease([path])
    assert {row["gene"]: row["gene_id"] for its in dataset.values() for row in its}["G3"] == "4"
    assert not any("numbers" in note for note in manifest["notes"])
    _, manifest = build_gene_disease([path], gene_column="GeneID")
    assert any("the names of all genes are numbers" in note for note in manifest["notes"])


def test_conll_that_begins_with_a_bracket_and_ids_that_come_again(tmp_path: Path) -> None:
    """As AnEM and the test file of JNLPBA."""
    tokens = "".join(f"{'[{'[n % 2]}\t0\t1\tO\nword{n}\t2\t7\tB-A\n\n" for n in range(RECORDS))
    found = rows_of(build_entities([save(tmp_path, "own.conll", tokens)])[0])
    assert {row["text"] for row in found.values()} == {f"{'[{'[n % 2]} word{n}" for n in range(RECORDS)}
    named = "".join(f"###MEDLINE:{n // 2}\n\nword{n}\tB-A\n\n" for n in range(RECORDS))
    dataset, manifest = build_entities([save(tmp_path, "own.iob2", named)])
    assert {"0", "0-2", "9", "9-2"} <= rows_of(dataset).keys() and len(rows_of(dataset)) == RECORDS
    assert manifest["read"]["documents whose id came before, which have a number behind it"] == RECORDS / 2


def test_pubtator_with_a_space_that_offsets_do_not_count_and_relations_of_nothing(tmp_path: Path) -> None:
    """As PubTator's own files, and the samples of BC5CDR."""
    blocks = (
        f"{n}|t|Druga{n:02d} \n{n}|a|and {sentence(n)}\n{n}\t0\t7\tDruga{n:02d}\tChemical\tD1\n"
        f"{n}\t8\t11\tand\tDisease\tD2\n{n}\tCID\tD1\tD{2 + n % 2}\n\n"
        for n in range(RECORDS)
    )
    dataset, manifest = build_relations([save(tmp_path, "own.pubtator", "".join(blocks))])
    assert {row["entities"][1]["text"] for row in rows_of(dataset).values()} == {"and"}
    assert sum(len(row["relations"]) for row in rows_of(dataset).values()) == RECORDS / 2
    assert manifest["read"]["relations whose ends no annotation bears"] == RECORDS / 2
    full = save(tmp_path, "full.txt", "1|title|A title\n1|abstract|A text\n")
    with pytest.raises(BioftError, match=r"PubTator of a full text\. Write it as BioC"):
        build_entities([full])


def test_a_text_that_was_mended_does_not_make_its_split_count_anew(tmp_path: Path) -> None:
    """Else documents that two splits share would have another id in each, and go into both without a word."""

    def split(name: str, numbers: range, mended: int) -> Path:
        texts = (
            f"{n}|t|Drug{n:02d} helped{'.' * (n == mended)}\n{n}|a|\n{n}\t0\t6\tDrug{n:02d}\tChemical\t\n"
            for n in numbers
        )
        return save(tmp_path, name, "\n".join(texts))

    files = [split("train.txt", range(RECORDS), -1), split("test.txt", range(4), 3)]
    with pytest.raises(BioftError, match="The id '0' is in train and in test"):
        build_entities(files)


@pytest.mark.parametrize("end", ["after", "last"])
def test_sentences_of_ddi_2011_and_of_pgr(tmp_path: Path, end: str) -> None:
    """Ends that name the character after a mention, words in other letters, ids that begin again in the test split."""
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        for n in range(RECORDS):
            text = f"{split.upper()}{n:02d} and pain{n:02d}, so"
            spans = [(0, len(split) + 2), (len(split) + 7, len(split) + 13)]
            entities = "".join(
                f'<entity id="e{i}" charOffset="{a}-{b - (end == "last")}" type="T" text="{text[a:b].lower()}"/>'
                for i, (a, b) in enumerate(spans)
            )
            pair = f'<pair e1="e0" e2="e1" relation="{str(n % 2 > 0).lower()}"/>'
            whole = f'<document id="d{n}"><sentence id="d{n}.s0" text="{text}">{entities}{pair}</sentence></document>'
            save(tmp_path / split, f"{n}.xml", whole)
    dataset, manifest = build_relations([tmp_path])
    found = rows_of(dataset)
    assert {"train-d0.s0", "test-d0.s0"} <= found.keys() and any("begin again" in note for note in manifest["notes"])
    assert [its["text"] for its in found["test-d3.s0"]["entities"]] == ["TEST03", "pain03"]
    assert sum(len(row["relations"]) for row in found.values()) == RECORDS


def test_relations_of_events_and_beside_a1(tmp_path: Path) -> None:
    """An event stands where its trigger does; the shared task of 2011 has relations in .rel."""
    for n in range(RECORDS):
        save(tmp_path, f"{n}.txt", f"druga{n:02d} and paina")
        save(tmp_path, f"{n}.a1", f"T1\tDrug 0 7\tdruga{n:02d}\n")
        save(tmp_path, f"{n}.rel", "T2\tPain 12 17\tpaina\nE1\tPain:T2 Of:T1\nR1\tCauses Arg1:T1 Arg2:E1\n")
    dataset, manifest = build_relations([tmp_path])
    for row in rows_of(dataset).values():
        drug, pain = row["entities"]
        assert [drug["type"], pain["type"]] == ["Drug", "Pain"]
        assert row["relations"] == [{"type": "Causes", "head": drug["id"], "tail": pain["id"]}]
    assert manifest["read"]["events that are not read"] == RECORDS


def test_doccano_with_data_and_pubannotation_without_ids(tmp_path: Path) -> None:
    doccano = lines_of(lambda n: {"id": n, "data": sentence(n), "label": [[*its] for its in spans(n)]})
    annotated = lines_of(lambda n: {"text": sentence(n), "sourceid": n, "denotations": [
        {"span": {"begin": a, "end": b}, "obj": kind} for a, b, kind in spans(n)
    ]})  # fmt: skip
    expected = {kind for n in range(RECORDS) for *_, kind in spans(n)}
    for written in (doccano, annotated):
        found = rows_of(build_entities([save(tmp_path, "own.jsonl", written)])[0])
        assert {its["type"] for row in found.values() for its in row["entities"]} == expected
