"""Damaged files of one's own through every builder: one error of ours, or each row is a row or counted as left out."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from datasets import DatasetDict

from bioft.datasets.documents import pubtator
from bioft.datasets.formats.documents import build_entities, build_relations
from bioft.datasets.formats.gene_disease import build_gene_disease
from bioft.datasets.formats.labels import build_labels, build_texts
from bioft.datasets.formats.pairs import build_pairs
from bioft.errors import BioftError
from tests.datasets.formats.test_documents import (
    LETTERS,
    bioc_document,
    documents,
    write_bioc_xml,
    write_brat,
    write_lines,
)
from tests.datasets.test_damaged_files import INPUTS, at_most, damaged

RECORDS = 20
WORDS = ("alpha", "beta", "gamma", "delta", "epsilon")
Built = tuple[DatasetDict, dict[str, Any]]


class Own(NamedTuple):
    """A file of one's own: its records, what builds of it, and what stands between the records."""

    name: str
    records: list[str]
    build: Callable[..., Built]
    options: tuple[tuple[str, Any], ...] = ()
    head: str = ""
    between: str = ""
    tail: str = ""
    mark: Callable[[int], str] = "number{:02d}".format
    """What stands in record n only."""

    def content(self) -> bytes:
        return (self.head + self.between.join(self.records) + self.tail).encode()

    def lost(self, content: bytes, dataset: DatasetDict) -> int:
        """How many records stand whole in a file and are no rows."""
        if not content.startswith(self.head.encode()) or self.between:
            return 0
        found = " ".join(str(row) for rows in dataset.values() for row in rows.to_list())
        places = [b"\n" + each.encode() in b"\n" + content for each in self.records]
        return sum(whole and self.mark(n) not in found for n, whole in enumerate(places))


def sentence(n: int) -> str:
    return f"number{n:02d} {WORDS[n % 5]} of {WORDS[n // 5 % 5]}{n} in {chr(97 + n) * 4}"


def table(separator: str, *columns: Callable[[int], str]) -> list[str]:
    return [separator.join(column(n) for column in columns) + "\n" for n in range(RECORDS)]


def quoted(make: Callable[[int], str]) -> Callable[[int], str]:
    return lambda n: f'"{make(n)}, so"'


def label(n: int) -> str:
    return "no" if n % 2 else "yes"


def with_objects(**columns: Callable[[int], Any]) -> list[str]:
    return [json.dumps({name: make(n) for name, make in columns.items()}) + "\n" for n in range(RECORDS)]


def of_pubtator() -> list[str]:
    return [each + "\n\n" for each in "".join(pubtator._written(documents(RECORDS))).strip().split("\n\n")]


def of_conll(separator: str) -> list[str]:
    return [
        f"# doc_id = d{n}\n" + "".join(f"{word}{separator}{tag}\n" for word, tag in zip(
            [*sentence(n).split(), "."], ["O", "B-Drug", "I-Drug", "O", "O", "B-Gene", "O"], strict=False)
        ) + "\n" for n in range(RECORDS)
    ]  # fmt: skip


def of_tokens(n: int) -> list[str]:
    return sentence(n).split()


def tags(n: int) -> list[str]:
    return ["O", "B-Drug", "I-Drug", "O", "O", "B-Gene"][: len(of_tokens(n))]


def spans(n: int) -> list[list[Any]]:
    """A mention of the first word and one of the second."""
    first, second, *_ = of_tokens(n)
    return [[0, len(first), "Number"], [len(first) + 1, len(first) + 1 + len(second), "Letter"]]


def of_label_studio(n: int) -> dict[str, Any]:
    values = [dict(zip(("start", "end", "labels"), (a, b, [kind]), strict=True)) for a, b, kind in spans(n)]
    results: list[dict[str, Any]] = [{"id": f"r{k}", "type": "labels", "value": each} for k, each in enumerate(values)]
    results.append({"type": "relation", "from_id": "r0", "to_id": "r1", "labels": ["next"]})
    return {"id": n, "data": {"text": sentence(n)}, "annotations": [{"was_cancelled": False, "result": results}]}


def ddi_sentence(n: int) -> str:
    words = sentence(n)
    entities = [
        f'<entity id="d{n}.s0.e{k}" charOffset="{a}-{b - 1}" type="{kind}" text="{words[a:b]}"/>'
        for k, (a, b, kind) in enumerate(spans(n))
    ]
    pair = f'<pair id="p" e1="d{n}.s0.e0" e2="d{n}.s0.e1" ddi="true" type="effect"/>'
    return (
        f'<document id="d{n}"><sentence id="d{n}.s0" text="{words}">{"".join(entities)}{pair}</sentence></document>\n'
    )


def write_own_brat(folder: Path) -> Path:
    return write_brat(documents(RECORDS), folder.parent)


def write_ddi(folder: Path) -> Path:
    """A folder of XML as the DDI corpus has it, a file for each document."""
    (folder / "DrugBank").mkdir(parents=True)
    for n in range(RECORDS):
        (folder / "DrugBank" / f"d{n}.xml").write_text(f'<?xml version="1.0" encoding="UTF-8"?>\n{ddi_sentence(n)}')
    return folder


def write_shared_task(folder: Path) -> Path:
    """A folder as BioNLP's shared tasks have it: given entities in .a1, what is to be found in .a2."""
    folder.mkdir(parents=True)
    for n in range(RECORDS):
        lines = [f"T{k}\t{kind} {a} {b}\t{sentence(n)[a:b]}\n" for k, (a, b, kind) in enumerate(spans(n), 1)]
        (folder / f"PMID-{n}.txt").write_text(sentence(n))
        (folder / f"PMID-{n}.a1").write_text(lines[0])
        (folder / f"PMID-{n}.a2").write_text(f"{lines[1]}E1\tLetter:T2 Theme:T1\nR1\tNear Arg1:T1 Arg2:T2\n")
    return folder


def write_chemprot(folder: Path) -> Path:
    """The three tables of ChemProt."""
    folder.mkdir(parents=True)
    rows = {
        "abstracts": [f"{n}\t{sentence(n)}\tAbstract of {n}.\n" for n in range(RECORDS)],
        "entities": [
            f"{n}\tT{k}\t{kind}\t{a}\t{b}\t{sentence(n)[a:b]}\n"
            for n in range(RECORDS)
            for k, (a, b, kind) in enumerate(spans(n), 1)
        ],
        "relations": [f"{n}\tCPR:{n % 2}\tY \tNEAR\tArg1:T1\tArg2:T2\n" for n in range(RECORDS)],
    }
    for name, lines in rows.items():
        (folder / f"own_{name}.tsv").write_text("".join(lines))
    return folder


def own_files(folder: Path) -> list[Own]:
    """A file for each builder and format, but those in folders and columns."""
    bioc_xml = write_bioc_xml(documents(RECORDS), folder).read_text().replace("</document>", "</document>\n")
    head, *parts = bioc_xml.partition("<document>")
    bioc_records = [each + "</document>\n" for each in "".join(parts).split("</document>\n")[:-1]]
    numbered = write_lines(documents(RECORDS), folder).read_text().splitlines(keepends=True)
    gene, disease = lambda n: f"GENE{n % 7}", lambda n: f"disease number{n:02d}"
    of_document = lambda n: f"drug{LETTERS[n]}"  # noqa: E731
    return [
        Own("entities.pubtator", of_pubtator(), build_entities, mark=of_document),
        Own("relations.pubtator", of_pubtator(), build_relations, mark=of_document),
        Own("entities.conll", of_conll("\t"), build_entities),
        Own("entities.iob", of_conll(" "), build_entities),
        Own("relations.bioc.xml", bioc_records, build_relations, head=head, tail="</collection>\n", mark=of_document),
        Own("relations.bioc.json", [json.dumps(bioc_document(each)) for each in documents(RECORDS)], build_relations,
            head='{"source": "own", "documents": [', between=",\n", tail="]}\n", mark=of_document),
        Own("relations.bioc.jsonl", [json.dumps(bioc_document(each)) + "\n" for each in documents(RECORDS)],
            build_relations, mark=of_document),
        Own("relations.jsonl", numbered, build_relations, mark=of_document),
        Own("entities.jsonl", numbered, build_entities, mark=of_document),
        Own("entities.tokens.jsonl", with_objects(id=str, tokens=of_tokens, ner_tags=tags), build_entities),
        Own("labels.csv", table(",", quoted(sentence), label), build_labels, head="text,label\n"),
        Own("labels.tsv", table("\t", str, sentence, label), build_labels, head="id\ttext\tlabel\n"),
        Own("labels.headless.tsv", table("\t", sentence, label), build_labels),
        Own("labels.jsonl", with_objects(id=int, text=sentence, labels=lambda n: [label(n)]), build_labels),
        Own("labels.json", [each.strip() for each in with_objects(text=sentence, label=label)], build_labels,
            head="[", between=",\n", tail="]\n"),
        Own("labels.several.csv", table(";", sentence, lambda n: "a|b" if n % 3 else "a", str), build_labels,
            (("label_separator", "|"), ("group_column", "patient")), head="text;label;patient\n"),
        Own("texts.txt", table("", sentence), build_texts),
        Own("texts.csv", table(",", str, quoted(sentence)), build_texts, head="id,text\n"),
        Own("texts.jsonl", with_objects(text=sentence), build_texts),
        Own("pairs.tsv", table("\t", sentence, lambda n: f"like {sentence(n)}", lambda n: f"{n % 11 / 10}"),
            build_pairs, head="sentence1\tsentence2\tscore\n"),
        Own("pairs.csv", table(",", quoted(sentence), lambda n: f"answer {n}"), build_pairs, head="anchor,positive\n"),
        Own("pairs.jsonl", with_objects(anchor=sentence, positive=lambda n: f"answer {n}"), build_pairs),
        Own("genes.csv", table(",", gene, disease, lambda n: str(n % 2)), build_gene_disease,
            head="gene,disease,label\n"),
        Own("genes.drawn.tsv", table("\t", gene, disease), build_gene_disease, (("negatives", "uniform"),),
            head="gene\tdisease\n"),
        Own("entities.doccano.jsonl", with_objects(id=int, text=sentence, label=spans), build_entities),
        Own("entities.prodigy.jsonl", with_objects(text=sentence, spans=lambda n: [
            dict(zip(("start", "end", "label"), each, strict=True)) for each in spans(n)
        ], answer=lambda n: "accept"), build_entities),
        Own("entities.spacy.json", [json.dumps([sentence(n), {"entities": spans(n)}]) for n in range(RECORDS)],
            build_entities, head="[", between=",\n", tail="]\n"),
        Own("relations.studio.json", [json.dumps(of_label_studio(n)) for n in range(RECORDS)], build_relations,
            head="[", between=",\n", tail="]\n"),
        Own("entities.words.csv", ["".join(f"{n},{word},{tag}\n" for word, tag in zip(
            of_tokens(n), tags(n), strict=False)) for n in range(RECORDS)], build_entities,
            head="sentence_id,token,tag\n"),
        Own("labels.object.json", [json.dumps({str(n): {"text": sentence(n), "label": label(n)}})[1:-1]
            for n in range(RECORDS)], build_labels, head="{\n", between=",\n", tail="\n}\n"),
        Own("labels.comments.tsv", table("\t", sentence, label), build_labels,
            head="# made\n# by hand\n#text\tlabel\n"),
        Own("labels.lists.csv", table(",", quoted(sentence), lambda n: f"\"['{label(n)}', 'all']\""), build_labels,
            head="text,labels\n"),
    ]  # fmt: skip


def columns() -> dict[str, pa.Table]:
    """The same as columns of Parquet."""
    texts, labels = [sentence(n) for n in range(RECORDS)], [label(n) for n in range(RECORDS)]
    return {
        "labels.parquet": pa.table({"text": texts, "label": labels}),
        "entities.parquet": pa.table(
            {"tokens": [of_tokens(n) for n in range(RECORDS)], "ner_tags": [tags(n) for n in range(RECORDS)]}
        ),
    }


def left_out(manifest: dict[str, Any]) -> int:
    """How many rows or documents a manifest says were left out, merged into others or drawn apart."""
    of_rows = {key: n for key, n in manifest.get("left_out", {}).items() if "mentions" not in key}
    n = sum(each["documents"] for each in manifest.get("skipped", {}).values())
    n += sum(n for key, n in of_rows.items() if not key.startswith("relations ")) + manifest.get("merged", 0)
    if "pairs" in manifest:
        pairs = manifest["pairs"]
        n += pairs["repeated_rows"] + pairs["united_by_name_or_id"] + manifest["split"]["dropped"]
    return n


def come_out(dataset: DatasetDict, manifest: dict[str, Any]) -> int:
    """How many rows of the source are rows of the dataset."""
    return manifest["pairs"]["positive"] if "pairs" in manifest else sum(map(len, dataset.values()))


def check(build: Callable[[], Built], lost: Callable[[DatasetDict], int], said: Callable[[], str]) -> bool:
    """Build; whether it could be built. All that was read is a row or counted, and so is each record that is whole."""
    try:
        with at_most(20):
            dataset, manifest = build()
    except BioftError as error:
        assert 0 < len(str(error)) < 2_000, str(error)[:3_000]
        return False
    n_read = manifest["read"].get("rows", manifest["read"].get("documents"))
    told = {key: manifest.get(key) for key in ("read", "skipped", "left_out", "merged", "pairs", "rows")}
    assert n_read == come_out(dataset, manifest) + left_out(manifest), told
    assert lost(dataset) <= left_out(manifest) or said(), told
    return True


@pytest.mark.parametrize("place", range(32))
def test_every_row_of_a_damaged_file_is_a_row_or_counted(
    place: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = own_files(tmp_path)[place]
    path = tmp_path / own.name
    chance = random.Random(own.name)
    n_built = 0
    for number in range(INPUTS // 5 + 1):
        content = damaged(own.content(), chance) if number else own.content()
        path.write_bytes(content)
        caplog.clear()
        built = check(
            lambda: own.build([path], skip_bad=True, **dict(own.options)),
            lambda dataset, content=content: own.lost(content, dataset),
            lambda: caplog.text,
        )
        assert built or number
        n_built += built
    assert n_built > 1 or own.tail, "nothing could be built: the changes are too many"


@pytest.mark.parametrize("name", ["labels.parquet", "entities.parquet"])
def test_damaged_columns_are_one_error_or_whole(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    pq.write_table(columns()[name], path)
    content, chance = path.read_bytes(), random.Random(name)
    build = build_labels if name.startswith("labels") else build_entities
    for number in range(INPUTS // 5 + 1):
        path.write_bytes(damaged(content, chance) if number else content)
        assert check(lambda: build([path], skip_bad=True), lambda dataset: 0, str) or number


@pytest.mark.parametrize(
    ("write", "named"),
    [
        (write_own_brat, "."),
        (write_shared_task, "."),
        (write_ddi, "."),
        (write_chemprot, "own_abstracts.tsv"),
    ],
    ids=["brat", "shared_task", "ddi", "chemprot"],
)
def test_damaged_folders_are_one_error_or_every_document_is_counted(
    tmp_path: Path, write: Callable[[Path], Path], named: str
) -> None:
    folder = write(tmp_path / "own")
    files, chance = sorted(file for file in folder.rglob("*") if file.is_file()), random.Random("brat")
    for number in range(INPUTS // 5 + 1):
        file = chance.choice(files)
        content = file.read_bytes()
        if number:
            file.write_bytes(damaged(content, chance))
        assert check(lambda: build_relations([folder / named], skip_bad=True), lambda dataset: 0, str) or (
            number and named != "."
        )
        file.write_bytes(content)
