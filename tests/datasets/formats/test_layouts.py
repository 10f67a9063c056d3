"""Layouts in which well-known corpora and databases are handed out, by their kinds, a few rows of each."""

import io
import re
import tarfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bioft.datasets import splits
from bioft.datasets.formats.documents import build_entities, build_relations
from bioft.datasets.formats.gene_disease import build_gene_disease
from bioft.datasets.formats.labels import build_labels
from bioft.datasets.formats.pairs import build_pairs
from bioft.errors import BioftError
from tests.datasets.formats.test_corpora import mentions, relations, rows_of, save, tagged, written
from tests.datasets.formats.test_damaged_own import (
    RECORDS,
    label,
    of_pubtator,
    of_tokens,
    sentence,
    spans,
    tags,
    write_chemprot,
    write_ddi,
)

SPLITS = {"train": range(12), "dev": range(12, 16), "test": range(16, RECORDS)}
SIZES = {"train": 12, "validation": 4, "test": 4}


def sizes(dataset: Any) -> dict[str, int]:
    return {name: len(rows) for name, rows in dataset.items()}


def iob(n: int) -> str:
    return "".join(f"{word}\t{tag}\n" for word, tag in zip(of_tokens(n), tags(n), strict=False)) + "\n"


def lines(make: Callable[[int], str]) -> str:
    return "".join(make(n) for n in range(RECORDS))


def annotated(n: int, relation: bool = True) -> str:
    found = "".join(f"T{k}\t{kind} {a} {b}\t{sentence(n)[a:b]}\n" for k, (a, b, kind) in enumerate(spans(n), 1))
    return found + "R1\tNear Arg1:T1 Arg2:T2\n" * relation


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("NCBItrainset_corpus.txt", ["train"]),
        ("NCBIdevelopset_corpus.txt", ["validation"]),
        ("CDR_TestSet.PubTator.txt", ["test"]),
        ("eng.testa", ["validation"]),
        ("train_dev.tsv", ["train", "validation"]),
        ("BC7-LitCovid-Dev.csv", ["validation"]),
        ("latest_dataset.csv", []),
        ("strains.csv", []),
    ],
)
def test_names_of_files_say_their_splits(name: str, said: list[str]) -> None:
    assert splits.splits_in(name) == said


def test_a_folder_of_given_splits_is_read_as_these(tmp_path: Path) -> None:
    """Without what puts two of them together again (as BC2GM's train_dev.tsv), whose rows would count twice."""
    names = {"train": "BC_TrainingSet.tsv", "dev": "BC_DevSet.tsv", "test": "BC_TestSet.tsv"}
    for split, numbers in SPLITS.items():
        save(tmp_path, names[split], "".join(map(iob, numbers)))
    save(tmp_path, "BC_train_dev.tsv", "".join(map(iob, range(16))))
    dataset, manifest = build_entities([tmp_path])
    assert sizes(dataset) == SIZES and mentions(dataset) == tagged()
    assert manifest["notes"] == ["BC_train_dev.tsv is not read: it has the splits together that other files have"]


def test_files_that_say_no_split_are_told_to_be_split_here(tmp_path: Path) -> None:
    files = [save(tmp_path, f"part{k}.tsv", "".join(map(iob, range(k, RECORDS, 2)))) for k in range(2)]
    _, manifest = build_entities(files)
    assert "2 files are put together and split here" in manifest["notes"][0]


def write_folders(folder: Path) -> None:
    for n in range(RECORDS):
        (folder / f"{n % 2}").mkdir(exist_ok=True)
        save(folder / f"{n % 2}", f"{n}.txt", sentence(n))
        save(folder / f"{n % 2}", f"{n}.ann", annotated(n))


def write_apart(folder: Path) -> None:
    """Texts in one folder, what is annotated in another, as CADEC has them."""
    for n, name in ((n, name) for n in range(RECORDS) for name in ("text", "original")):
        (folder / name).mkdir(exist_ok=True)
        save(
            folder / name, f"{n}.{'txt' if name == 'text' else 'ann'}", sentence(n) if name == "text" else annotated(n)
        )


def write_conll_files(folder: Path) -> None:
    for n in range(RECORDS):
        save(folder, f"PMID-{n}.conll", iob(n))


def write_pubtator_files(folder: Path) -> None:
    for n, each in enumerate(of_pubtator()):
        save(folder, f"{n}.txt", each)


def write_species(folder: Path) -> None:
    """Species-800: a table without header, whose ends are the last characters, and a folder of abstracts."""
    (folder / "abstracts").mkdir()
    for n in range(RECORDS):
        save(folder / "abstracts", f"s{n}.txt", sentence(n))
    rows = ((n, a, b) for n in range(RECORDS) for a, b, _ in spans(n))
    save(folder, "S800.tsv", "".join(f"9606\ts{n}:{n + 99}\t{a}\t{b - 1}\t{sentence(n)[a:b]}\n" for n, a, b in rows))


def write_spanish(folder: Path) -> None:
    """DisTEMIST: a table in one folder, its texts in that beside it; of the last text nothing is annotated."""
    for name in ("subtrack1_entities", "text_files"):
        (folder / name).mkdir()
    for n in range(RECORDS + 1):
        save(folder / "text_files", f"es-{n}.txt", sentence(n))
    rows = ((n, k, *each) for n in range(RECORDS) for k, each in enumerate(spans(n)))
    cells = (f"es-{n}\tT{k}\t{kind}\t{a}\t{b}\t{sentence(n)[a:b]}\n" for n, k, a, b, kind in rows)
    save(folder / "subtrack1_entities", "mentions.tsv", "filename\tmark\tlabel\toff0\toff1\tspan\n" + "".join(cells))


def write_rows_with_texts(folder: Path) -> None:
    rows = (f"{n},{sentence(n)},{a},{b},{kind}\n" for n in range(RECORDS) for a, b, kind in spans(n))
    save(folder, "own.csv", "doc_id,text,start,end,label\n" + "".join(rows))


@pytest.mark.parametrize(
    ("write", "named", "options", "documents"),
    [
        (write_folders, ".", {}, RECORDS),
        (write_apart, ".", {}, RECORDS),
        (write_conll_files, ".", {}, RECORDS),
        (write_pubtator_files, ".", {}, RECORDS),
        (write_species, "S800.tsv", {"types": "Species"}, RECORDS),
        (write_species, ".", {"types": "Species"}, RECORDS),
        (write_spanish, "subtrack1_entities/mentions.tsv", {}, RECORDS + 1),
        (write_rows_with_texts, "own.csv", {}, RECORDS),
    ],
)
def test_documents_in_several_files(
    tmp_path: Path, write: Callable[[Path], None], named: str, options: dict[str, Any], documents: int
) -> None:
    write(tmp_path)
    dataset, manifest = build_entities([tmp_path / named], **options)
    assert sum(sizes(dataset).values()) == documents
    if write is write_pubtator_files:
        return
    expected = tagged() if write is write_conll_files else written()
    if options:
        expected = Counter((text, "Species") for text, _ in expected.elements())
    assert mentions(dataset) == expected
    changed = max((file for file in tmp_path.rglob("*") if file.suffix in (".txt", ".conll", ".csv")), key=str)
    changed.write_text(changed.read_text() + "\n")
    again = build_entities([tmp_path / named], **options)[1]["sources"]
    assert [each["sha256"] for each in again] != [each["sha256"] for each in manifest["sources"]]


def test_one_text_by_two_annotators_is_no_two_documents(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        save(tmp_path / name, "1.txt", sentence(1))
        save(tmp_path / name, "1.ann", annotated(1))
    with pytest.raises(BioftError, match=r"first/1.ann and .*second/1.ann annotate one text. Name the folder of one"):
        build_entities([tmp_path])


def test_normalisations_of_the_shared_tasks(tmp_path: Path) -> None:
    for n in range(RECORDS):
        save(tmp_path, f"{n}.txt", sentence(n))
        save(tmp_path, f"{n}.a1", annotated(n, relation=False))
        save(tmp_path, f"{n}.a2", f"N1\tOntoBiotope Annotation:T1 Referent:OBT:{n}\n")
    dataset, _ = build_entities([tmp_path])
    ids = {each["id"] for rows in dataset.values() for row in rows for each in row["entities"]}
    assert ids == {"-1", *(f"OBT:{n}" for n in range(RECORDS))}


def of_spert(n: int) -> dict[str, Any]:
    entities = [{"type": kind, "start": k, "end": k + 1} for k, (_, _, kind) in enumerate(spans(n))]
    return {"tokens": of_tokens(n), "entities": entities, "relations": [{"type": "Near", "head": 0, "tail": 1}]}


def of_dygie(n: int) -> dict[str, Any]:
    """Spans count the tokens of both sentences."""
    start = len(of_tokens(n - 1)) if n else 0
    places = [[start + k, start + k, kind] for k, (_, _, kind) in enumerate(spans(n))]
    near = [[*places[0][:2], *places[1][:2], "Near"]]
    before = [of_tokens(n - 1)] if n else []
    return {
        "doc_key": f"d{n}", "sentences": [*before, of_tokens(n)], "ner": [[], places], "relations": [[], near]
    }  # fmt: skip


def of_pubannotation(n: int) -> dict[str, Any]:
    marked = [
        {"id": f"T{k}", "span": {"begin": a, "end": b}, "obj": kind} for k, (a, b, kind) in enumerate(spans(n), 1)
    ]
    near = [{"id": "R1", "pred": "Near", "subj": "T1", "obj": "T2"}]
    return {"sourcedb": "PubMed", "sourceid": str(n), "text": sentence(n), "denotations": marked, "relations": near}


@pytest.mark.parametrize("make", [of_spert, of_dygie, of_pubannotation])
def test_spans_of_tokens_and_denotations(tmp_path: Path, make: Callable[[int], dict[str, Any]]) -> None:
    dataset, _ = build_relations([save(tmp_path, "own.json", rows_of(make))])
    assert mentions(dataset) == written() and relations(dataset) == {"Near": RECORDS}


def test_tables_of_chemprot_in_a_folder_for_each_split(tmp_path: Path) -> None:
    for name in ("training", "development", "test_gs"):
        folder = write_chemprot(tmp_path / name)
        for file in [*folder.iterdir()]:
            rows = file.read_text().splitlines(keepends=True)
            kept = [
                row
                for row in rows
                if int(row.split("\t")[0]) % 3 == ("training", "development", "test_gs").index(name)
            ]
            file.write_text("".join(kept))
        save(folder, "own_gold_standard.tsv", "1\tCPR:3\tArg1:T1\tArg2:T2\n")
    for given in ([tmp_path], []):
        train, dev, test = ([tmp_path / name] for name in ("training", "development", "test_gs"))
        dataset, _ = build_relations(given, **({} if given else {"train": train, "validation": dev, "test": test}))
        assert sizes(dataset) == {"train": 7, "validation": 7, "test": 6}
        assert sum(relations(dataset).values()) == RECORDS


def test_documents_without_relations_have_pairs_of_mentions_too(tmp_path: Path) -> None:
    """Else no model could be wrong about them, and every precision would be too high."""
    for n in range(RECORDS):
        save(tmp_path, f"{n}.txt", sentence(n))
        save(tmp_path, f"{n}.ann", annotated(n, relation=n % 4 == 0))
    dataset, _ = build_relations([tmp_path])
    rows = [row for its in dataset.values() for row in its]
    assert sum(bool(row["relations"]) for row in rows) == RECORDS // 4
    assert all(len({each["id"] for each in row["entities"]} - {"-1"}) == 2 for row in rows)


def test_sentences_of_ddi_are_documents_for_relations_and_stay_together(tmp_path: Path) -> None:
    """What is in two sentences is nowhere annotated: such pairs are no negatives."""
    folder = write_ddi(tmp_path)
    for n, file in enumerate(sorted((folder / "DrugBank").iterdir())):
        text = file.read_text()
        again = text[text.index("<sentence") : text.index("</document>")].replace("number", f"other{n} number", 1)
        shifted = again.replace(".s0", ".s1")
        for a, b, _ in spans(int(file.stem[1:])):
            shift = len(f"other{n} ")
            shifted = shifted.replace(f'charOffset="{a}-{b - 1}"', f'charOffset="{a + shift}-{b - 1 + shift}"')
        file.write_text(text.replace("</document>", f"{shifted}</document>"))
    dataset, _ = build_relations([tmp_path])
    assert sum(sizes(dataset).values()) == 2 * RECORDS and relations(dataset) == {"effect": 2 * RECORDS}
    home: dict[str, str] = {}
    for split, rows in dataset.items():
        for row in rows:
            assert home.setdefault(row["document_id"].rpartition(".s")[0], split) == split
    assert sum(sizes(build_entities([tmp_path])[0]).values()) == RECORDS


def text_of(n: int) -> str:
    return f"{sentence(n)}, so"


TABLES: dict[str, tuple[str, dict[str, Any], Callable[[int], str]]] = {
    "R, tabs": ('"text"\t"label"\n' + lines(lambda n: f'"{n + 1}"\t"{text_of(n)}"\t"{label(n)}"\n'), {}, text_of),
    "R, spaces": ('"text" "label"\n' + lines(lambda n: f'"{n + 1}" "{text_of(n)}" "{label(n)}"\n'), {}, text_of),
    "Excel's first line": ("sep=;\nid;text;label\n" + lines(lambda n: f"{n};{text_of(n)};{label(n)}\n"), {}, text_of),
    "lines above the header": (
        '"A REPORT","",""\n"+++","+++","+++"\n"No","Some Text","CLASS NAME"\n'
        + lines(lambda n: f'"{n}","{text_of(n)}","{label(n)}"\n'),
        {"text_column": ["Some Text"], "label_column": ["CLASS NAME"]},
        text_of,
    ),
    "comments above and below": (
        "# by hand\n# Some, text\tlabel\n" + lines(lambda n: f"{text_of(n)}\t{label(n)}\n") + "# the end, so\n# 1\n",
        {"text_column": ["Some, text"]},
        text_of,
    ),
    "abstracts of PubMed RCT": (lines(lambda n: f"###{n}\n{label(n)}\t{text_of(n)}\n\n"), {}, text_of),
    "line breaks in a tab-separated table": (
        "id\ttext\tlabel\n" + lines(lambda n: f'{n}\t"{sentence(n)}\n\n""and"" so"\t{label(n)}\n'),
        {},
        lambda n: f'{sentence(n)}\n\n"and" so',
    ),
    "marks in a tab-separated table": (
        "label\ttext\n" + lines(lambda n: f'{label(n)}\t"{sentence(n)}\n'), {}, lambda n: f'"{sentence(n)}',
    ),
    "labels that are called as columns": (
        lines(lambda n: f"{sentence(n)}\t{('title', 'abstract')[n % 2]}\n"), {}, sentence,
    ),
}  # fmt: skip


@pytest.mark.parametrize("layout", TABLES)
def test_layouts_of_tables(tmp_path: Path, layout: str) -> None:
    content, options, text = TABLES[layout]
    dataset, manifest = build_labels([save(tmp_path, "own.txt", content)], **options)
    assert {each for rows in dataset.values() for each in rows["text"]} == {text(n) for n in range(RECORDS)}
    assert len(manifest["labels"]) == 2
    said = {
        "lines above the header": "2 lines above the names",
        "comments above and below": "2 lines of comments (#) among",
        "abstracts of PubMed RCT": "the column document",
    }
    assert said.get(layout, "") in " ".join(manifest["notes"])


def test_ids_that_begin_again_in_each_split(tmp_path: Path) -> None:
    def split(name: str, numbers: range) -> Path:
        rows = (f"{place}\t{sentence(n)}\t{label(n)}\n" for place, n in enumerate(numbers))
        return save(tmp_path, name, "id\ttext\tlabel\n" + "".join(rows))

    files = [split(f"{name}.tsv", numbers) for name, numbers in SPLITS.items()]
    dataset, manifest = build_labels(files)
    assert sizes(dataset) == SIZES and set(dataset["test"]["id"]) == {f"test-{n}" for n in range(4)}
    assert "begin again" in manifest["notes"][0]
    with pytest.raises(BioftError, match=r"The id '\d' is in train and in"):
        build_labels(files, id_column="id")


@pytest.mark.parametrize("asked", [{}, {"group_column": "PatientID"}], ids=["not asked", "asked"])
@pytest.mark.parametrize(("patients", "noted"), [(10, True), (40, False)])
def test_a_column_of_groups_that_is_not_read_is_named(
    tmp_path: Path, patients: int, noted: bool, asked: dict[str, str]
) -> None:
    rows = "".join(f"{n},P{n % patients},a text of number{n},{n % 2}\n" for n in range(40))
    _, manifest = build_labels([save(tmp_path, "own.csv", "id,PatientID,text,label\n" + rows)], **asked)
    words = "the column PatientID is not read, and its 10 values come again in 40 rows"
    assert any(words in note for note in manifest["notes"]) == (noted and not asked)


def of_genes(n: int) -> list[str]:
    return [f"GENE{n % 7}", f"disease number{n % 9}"]


@pytest.mark.parametrize(
    ("header", "cells", "note"),
    [
        ("gene,disease,score\n", lambda n: [*of_genes(n), str(n % 2)], "taken as associated. Not read: score"),
        ("gene;disease\n", lambda n: [f"{of_genes(n)[0]}, X{n}", of_genes(n)[1]], "20 of the 20 genes hold ', '"),
        ("gene,hpo name,disease_id\n", lambda n: [*of_genes(n), f"OMIM:{n}"],
         "9 of the 9 names of diseases have several ids, such as .* --disease-id-column"),
        ("gene,disease,disease_id\n", lambda n: [*of_genes(n), f"{('MESH:', 'mesh:', '')[n % 3]}D{n // 3}"],
         "7 ids of diseases are written in two ways, and count as two, such as D0 and MESH:D0 and mesh:D0: write"),
    ],
)  # fmt: skip
def test_genes_and_diseases_that_may_mean_something_else(
    tmp_path: Path, header: str, cells: Callable[[int], list[str]], note: str
) -> None:
    separator = ";" if ";" in header else ","
    own = save(tmp_path, "own.csv", header + lines(lambda n: separator.join(cells(n)) + "\n"))
    column = "hpo name" if "hpo" in header else None
    _, manifest = build_gene_disease([own], negatives="uniform", disease_column=column)
    assert any(re.search(note, each) for each in manifest["notes"])


@pytest.mark.parametrize(
    ("build", "content", "said"),
    [
        (build_pairs, rows_of(lambda n: {"query": sentence(n), "pos": ["a", "b"]}), "2 values where one text should"),
        (build_gene_disease, "gene,disease,label\n+++,+++,1\n", "line 2: .* has no letter or digit"),
        (build_entities, lines(lambda n: "".join(f"{tag}\t0\t1\t{word}\tB-NP\n" for word, tag in zip(
            of_tokens(n), tags(n), strict=False)) + "\n"), "tokens whose tags come first. Write the token as first"),
        (build_labels, "text,label\n" + lines(lambda n: f"so, {sentence(n)},{label(n)}\n"),
         "line 2: 3 fields where the header has 2 columns. A text with the delimiter in it needs quotation marks"),
    ],
)  # fmt: skip
def test_what_can_not_be_meant_is_refused(tmp_path: Path, build: Callable[..., Any], content: str, said: str) -> None:
    with pytest.raises(BioftError, match=said):
        build([save(tmp_path, "own.txt", content)])


def test_archives_and_folds_are_named(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "own.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("own.csv"), io.BytesIO())
    with pytest.raises(BioftError, match="is a tar archive: unpack it"):
        build_labels([tmp_path / "own.tar.gz"])
    (tmp_path / "GAD" / "1").mkdir(parents=True)
    save(tmp_path / "GAD" / "1", "train.tsv", f"{sentence(0)}\t1\n")
    with pytest.raises(BioftError, match=r"Name one of its folders, such as \S+/GAD/1"):
        build_labels([tmp_path / "GAD"])
