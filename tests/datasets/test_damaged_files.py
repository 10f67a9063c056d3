"""Damaged files of every kind: one error of ours or none, and no record that is whole is lost without a word."""

import gzip
import io
import json
import os
import random
import signal
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import cobra
import pytest

from bioft.datasets.documents import chemdisgene, pubtator
from bioft.datasets.gene_disease import ctd
from bioft.datasets.hpo import gene_disease as hpo
from bioft.datasets.metabolites.models import write_model
from bioft.datasets.metabolites.namespaces import read_aliases, read_namespace
from bioft.datasets.pubmed import articles as pubmed, full_text, published_pairs
from bioft.datasets.texts import stop_reasons
from bioft.datasets.trials import records
from bioft.datasets.trials.texts import read_nct_ids
from bioft.errors import BioftError
from bioft.search.articles import read_articles
from bioft.tasks.entities import files as documents
from bioft.tasks.gene_disease.ask import _read_pairs as read_pairs
from bioft.tasks.text_labels.predict import _holds_trials as holds_trials

INPUTS = int(os.environ.get("BIOFT_DAMAGED_INPUTS", 40))
"""Damaged files of each kind; a larger number is tried by hand."""
PIECES = [
    b"", b"", b"\0", b"\xff", b"\n", b"\r", b"\t", b'"', b"'", b",", b";", b"|", b"<", b">", b"</", b"<!--",
    b"<![CDATA[",
    b"&", b"&x;", b"[", b"]", b"{", b"}", b":", b"\\", b"\\ud83d", b"-1", b"0", b"1e999", b"null", b"NaN", b"true",
    b'{"a": [1]}', b"\xef\xbb\xbf", b"\xff\xfe", b"\xe2\x80\xa8", b"9" * 30, b"x" * 300, b"[/b]",
]  # fmt: skip


def damaged(content: bytes, chance: random.Random) -> bytes:
    """The content with one to four changes: pieces put in, taken out, moved, cut off."""
    found = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(found) + 1)
        end = min(len(found), place + chance.choice([0, 1, 1, 2, 5, 40]))
        kind = chance.random()
        if kind < 0.5:
            found[place:end] = chance.choice(PIECES)
        elif kind < 0.7:
            found[place:end] = found[end : end + chance.randint(1, 60)]
        elif kind < 0.85 and found:
            found[chance.randrange(len(found))] = chance.randrange(256)
        elif kind < 0.95:
            other = chance.randrange(len(found) + 1)
            found[other:other] = found[place : place + 200]
        else:
            del found[place:]
    return bytes(found)


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Raise in what hangs."""

    def hangs(*_: object) -> None:
        raise TimeoutError(f"more than {seconds} seconds")

    signal.signal(signal.SIGALRM, hangs)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


class Kind(NamedTuple):
    """A kind of file: how its records are put together, and what reads it to the numbers that its records bear."""

    name: str
    record: Callable[[int], str]
    read: Callable[[Path, list[str]], Iterable[Any]]
    head: str = ""
    tail: str = ""
    pack: Callable[[bytes], bytes] = bytes

    def content(self) -> bytes:
        return (self.head + "".join(self.record(n) for n in range(5)) + self.tail).encode()


def numbers(texts: Iterable[str]) -> Iterator[str]:
    """The number that stands in a record as "number7"."""
    for text in texts:
        yield from (word[0] for word in text.split("number")[1:] if word[:1].isdigit())


def trial_json(n: int) -> str:
    modules = {
        "identificationModule": {"nctId": f"NCT0000000{n}", "briefTitle": f"Trial number{n}"},
        "statusModule": {"whyStopped": "slow", "lastUpdatePostDateStruct": {"date": "2024-01-02"}},
        "eligibilityModule": {"sex": "ALL", "eligibilityCriteria": "Adults \\ud83d"},
    }
    return json.dumps({"protocolSection": modules}) + "\n"


def document_json(n: int) -> dict[str, Any]:
    mention = {"start": 0, "end": 4, "mention": "Pain", "type": "Disease", "id": "D1"}
    return {"docid": str(n), "title": f"Pain number{n}", "abstract": "A.", "entity": [mention], "relation": []}


def zipped(content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jsonl", content)
        archive.writestr("b.jsonl.gz", gzip.compress(b"{}", mtime=0))
    return stream.getvalue()


def of_trials(path: Path, skipped: list[str]) -> Iterator[str]:
    counts: Counter[str] = Counter()
    try:
        yield from (trial.title for trial in records.read_trials(path, True, counts=counts))
    finally:
        skipped += ["bad"] * counts["bad"]


def of_pubmed(path: Path, skipped: list[str]) -> Iterator[str]:
    report = pubmed.ReadReport()
    try:
        yield from (article.title for article in pubmed.iterate(path, report=report, skip_bad=True))
    finally:
        skipped += report.bad + report.deleted + ["book"] * report.books


def of_articles(path: Path, skipped: list[str]) -> list[str]:
    found, counts = read_articles([path], skip_bad=True)
    skipped += ["bad"] * sum(counts[name] for name in ("bad", "duplicates", "without_text"))
    return [article.text for article in found]


def of_labels(path: Path, skipped: list[str]) -> list[str]:
    if holds_trials(path, documents.kind_of(path)):
        return ["trial records"]
    return [each.text for each in documents.read(path, skipped, taken=())]


KINDS = [
    Kind(
        "x.pubtator",
        lambda n: (
            f"{n}|t|Pain number{n}\n{n}|a|A b.\n{n}\t0\t4\tPain\tDisease\tD1|D2\n{n}\t0\t4\tPain\tG\tp|SUB|A|1|G\n"
            f"{n}\tCID\tD1\tD2\tNovel\n\n"
        ),
        lambda path, skipped: (each.title for each in pubtator.read(path, skipped=skipped)),
    ),
    Kind(
        "cdg.json",
        lambda n: json.dumps(document_json(n)) + ", " * (n < 4),
        lambda path, skipped: (each.title for each in chemdisgene._from_json(path, skipped)),
        "[",
        "]",
    ),
    Kind(
        "ctd.csv",
        lambda n: f'G{n},{n},"Disease, number{n}",MESH:D{n},therapeutic,,1\n',
        lambda path, _: (row["disease"] for row in ctd.read(path)),
        "# CTD\n# Fields:\n# GeneSymbol,GeneID,DiseaseName,DiseaseID,DirectEvidence,OmimIDs,PubMedIDs\n#\n",
    ),
    Kind(
        "names.csv",
        lambda n: f'm{n},"Name, number{n}",C6H12O6,0\n',
        lambda path, _: read_namespace(path)["name"],
        "id,name,formula,charge\n",
    ),
    Kind("names.txt", lambda n: f"Name number{n}\n", lambda path, _: read_namespace(path)["name"]),
    Kind(
        "bigg.txt",
        lambda n: f"m{n}_c\tm{n}\tName number{n}\tiX\tKEGG Compound: http://x/kegg.compound/C{n}; \told{n}\n",
        lambda path, _: read_namespace(path)["name"],
        "bigg_id\tuniversal_bigg_id\tname\tmodel_list\tdatabase_links\told_bigg_ids\n",
    ),
    Kind(
        "modelseed.txt",
        lambda n: f"cpd{n}\tName number{n}\tname\n",
        lambda path, _: read_namespace(path)["name"],
        "ModelSEED ID\tExternal ID\tSource\n",
    ),
    Kind(
        "aliases.txt",
        lambda n: f"cpd{n}\tnumber{n}\tBiGG|KEGG\n",
        lambda path, _: (each for found in read_aliases(path).values() for each in found),
        "ModelSEED ID\tExternal ID\tSource\n",
    ),
    Kind("nct.txt", lambda n: f"NCT0000number{n} # a trial\n", lambda path, _: read_nct_ids(path)),
    Kind("trials.json", trial_json, of_trials),
    Kind("trials.json.gz", trial_json, of_trials, pack=gzip.compress),
    Kind("trials.zip", trial_json, of_trials, pack=zipped),
    Kind(
        "trials.csv",
        lambda n: f'NCT0000000{n},"Trial, number{n}",All,2024-01-0{n + 1}\n',
        of_trials,
        "NCT Number,Study Title,Sex,Last Update Posted\n",
    ),
    Kind(
        "trials.xml",
        lambda n: (
            f"<clinical_study><id_info><nct_id>NCT0000000{n}</nct_id></id_info><brief_title>Trial number{n}"
            "</brief_title></clinical_study>\n"
        ),
        of_trials,
        '<?xml version="1.0" encoding="UTF-8"?>\n<studies>\n',
        "</studies>\n",
    ),
    Kind(
        "stop.json",
        lambda n: json.dumps({"text": f"reason number{n}", "label_descriptions": ["Negative"]}) + "\n",
        lambda path, skipped: (each.text for each in stop_reasons.read_gold(path, skip_bad=True, left_out=skipped)),
    ),
    Kind(
        "stop.tsv",
        lambda n: f"reason number{n}\tNCT0000000{n}\tNegative\t\n",
        lambda path, skipped: (each.text for each in stop_reasons.read_weak(path, skip_bad=True, left_out=skipped)),
        "stop_reason\tnct_id\tprediction\t\n",
    ),
    Kind(
        "pubmed.xml",
        lambda n: (
            f"<PubmedArticle><MedlineCitation><PMID>{n + 1}</PMID><Article><ArticleTitle>On number{n}</ArticleTitle>"
            "<Abstract><AbstractText>10<sup>6</sup> &amp; x</AbstractText></Abstract></Article><MeshHeadingList>"
            "<MeshHeading><DescriptorName>A</DescriptorName></MeshHeading></MeshHeadingList></MedlineCitation>"
            "</PubmedArticle>\n"
        ),
        of_pubmed,
        '<?xml version="1.0"?>\n<PubmedArticleSet xmlns:m="urn:m">\n',
        "<DeleteCitation><PMID>99</PMID></DeleteCitation></PubmedArticleSet>\n",
    ),
    Kind(
        "full.nxml",
        lambda n: (
            f"<article><front><article-meta><title-group><article-title>On number{n}</article-title></title-group>"
            "<abstract><p>a</p><sec><title>b</title><p>c</p></sec></abstract></article-meta></front><body><p>d<list>"
            "<list-item><p>e</p></list-item></list></p></body></article>\n"
        ),
        lambda path, skipped: (each.title for each in full_text.iterate(path, skipped=skipped)),
        "<pmc-articleset>\n",
        "</pmc-articleset>\n",
    ),
    Kind(
        "pairs.csv",
        lambda n: f'"a, number{n}",b,{n % 2}\n',
        lambda path, _: (pair.text1 for pair in published_pairs.read(path)),
        "text1,text2,label\n",
    ),
    Kind("index.csv", lambda n: f'{n},"a, number{n}",t\n', of_articles, "id,text,title\n"),
    Kind("index.jsonl", lambda n: json.dumps({"id": n, "text": f"a number{n}", "mesh": ["x"]}) + "\n", of_articles),
    Kind(
        "in.jsonl",
        lambda n: json.dumps({"id": n, "text": f"a number{n}"}) + "\n",
        lambda path, skipped: (each.text for each in documents.read(path, skipped)),
    ),
    Kind(
        "genes_to_phenotype.txt",
        lambda n: f"{n}\tG{n}\tHP:1\tPain number{n}\t-\tOMIM:{n}\n",
        lambda path, _: (row[1] for row in hpo._rows(path, ("ncbi_gene_id", "hpo_name"))),
        "ncbi_gene_id\tgene_symbol\thpo_id\thpo_name\tfrequency\tdisease_id\n",
    ),
    Kind("in.txt", lambda n: f"Sentence number{n}.\n", lambda path, _: (each.text for each in documents.read(path))),
    Kind("labels.csv", lambda n: f'{n},"a, number{n}"\n', of_labels, "id,text\n"),
    Kind(
        "genes.csv",
        lambda n: f'G{n},"a, number{n}"\n',
        lambda p, _: (r["disease"] for r in read_pairs(p, ())),
        "gene,disease\n",
    ),
]


def check(kind: Kind, content: bytes, path: Path, said: Callable[[], str]) -> bool:
    """Read a damaged file; whether it could be read. A record that is whole comes out, or something is said."""
    path.write_bytes(content)
    skipped: list[str] = []
    try:
        with at_most(20):
            found = set(numbers(map(str, kind.read(path, skipped))))
    except BioftError as error:
        assert len(str(error)) < 2_000, str(error)[:3_000]
        return False
    if kind.pack is bytes:
        # What stands before a record may have made it a part of another one.
        before = {n: (kind.head + "".join(map(kind.record, range(n))))[-1:] for n in range(5)}
        at_breaks = b"\n" + content if not kind.head else content
        whole = {str(n) for n in range(5) if ((before[n] or "\n") + kind.record(n)).encode() in at_breaks}
        if not (content.startswith(kind.head.encode()) and kind.tail.encode() in content):
            whole = set()
        assert not whole - found or skipped or said(), (kind.name, whole - found, content)
    return True


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_damaged_files_give_messages_and_lose_no_record_silently(
    kind: Kind, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / kind.name
    assert check(kind, kind.pack(kind.content()), path, str)
    chance = random.Random(kind.name)
    read = 0
    for _ in range(INPUTS):
        caplog.clear()
        read += check(kind, damaged(kind.pack(kind.content()), chance), path, lambda: caplog.text)
    assert kind.pack is not bytes or read > 0, "nothing could be read: the changes are too many"


@pytest.mark.parametrize("suffix", [".json", ".yml", ".xml", ".mat"])
def test_damaged_models_are_one_error_or_a_model(suffix: str, tmp_path: Path) -> None:
    model = cobra.Model("small")
    model.add_metabolites([cobra.Metabolite(f"m{n}_c", f"C{n}H4", f"name {n}", 0, "c") for n in range(5)])
    model.add_reactions([cobra.Reaction("r")])
    model.reactions.r.add_metabolites({model.metabolites[0]: -1, model.metabolites[1]: 1})
    path = tmp_path / f"model{suffix}"
    write_model(model, path)
    content, chance = path.read_bytes(), random.Random(suffix)
    assert len(read_namespace(path)) == 5
    # A MAT file is read by a process of its own, which takes a second to start.
    for _ in range(INPUTS // (20 if suffix == ".mat" else 2)):
        path.write_bytes(damaged(content, chance))
        try:
            with at_most(60 if suffix == ".mat" else 20):
                read_namespace(path)
        except BioftError as error:
            assert len(str(error)) < 2_000
