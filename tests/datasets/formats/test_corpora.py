"""Layouts of the field's corpora and annotation tools, a few rows of each as its makers write them."""

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datasets import DatasetDict
from typer.testing import CliRunner

from bioft.cli import main as cli
from bioft.datasets.formats.documents import build_entities, build_relations
from bioft.datasets.formats.labels import build_labels
from bioft.datasets.formats.pairs import build_pairs
from bioft.errors import BioftError
from tests.datasets.formats.test_damaged_own import (
    RECORDS,
    of_label_studio,
    of_tokens,
    sentence,
    spans,
    tags,
    write_chemprot,
    write_ddi,
    write_shared_task,
)

Lines = Callable[[int], str]
TAGS = ("O", "B-Drug", "I-Drug", "B-Gene")


def mentions(dataset: DatasetDict) -> Counter[tuple[str, str]]:
    """Each mention's text, as its offsets give it, with its type."""
    found: Counter[tuple[str, str]] = Counter()
    for rows in dataset.values():
        for row in rows:
            for each in row["entities"]:
                assert row["text"][each["start"] : each["end"]] == each["text"]
                found[each["text"], each["type"]] += 1
    return found


def written() -> Counter[tuple[str, str]]:
    """The mentions of all sentences that `spans` marks."""
    return Counter((sentence(n)[a:b], kind) for n in range(RECORDS) for a, b, kind in spans(n))


def tagged() -> Counter[tuple[str, str]]:
    """The mentions of all sentences as `tags` has them: second and third word, sixth word."""
    words = [of_tokens(n) for n in range(RECORDS)]
    drugs = Counter((" ".join(its[1:3]), "Drug") for its in words)
    return drugs + Counter((its[5], "Gene") for its in words if len(its) > 5)


def relations(dataset: DatasetDict) -> Counter[str]:
    """How many relations there are of each type, both of whose ends are borne by mentions."""
    found: Counter[str] = Counter()
    for rows in dataset.values():
        for row in rows:
            borne = {each["id"] for each in row["entities"]}
            assert all({each["head"], each["tail"]} <= borne for each in row["relations"])
            found.update(each["type"] for each in row["relations"])
    return found


def save(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


def rows_of(make: Callable[[int], Any]) -> str:
    return "".join(json.dumps(make(n)) + "\n" for n in range(RECORDS))


def named(keys: tuple[str, ...], n: int) -> list[dict[str, Any]]:
    return [dict(zip(keys, each, strict=True)) for each in spans(n)]


ANNOTATED = {
    "doccano": rows_of(lambda n: {"id": n, "text": sentence(n), "label": spans(n), "Comments": []}),
    "doccano, the first without a mention": '{"id": 99, "text": "none here", "label": []}\n'
    + rows_of(lambda n: {"id": n, "text": sentence(n), "label": spans(n)}),
    "spaCy": json.dumps([[sentence(n), {"entities": spans(n)}] for n in range(RECORDS)]),
    "spaCy by NER Annotator": json.dumps(
        {"classes": ["A"], "annotations": [[sentence(n), {"entities": spans(n)}] for n in range(RECORDS)]}
    ),
    "Label Studio": json.dumps([of_label_studio(n) for n in range(RECORDS)], indent=1),
    "Label Studio JSON-MIN": json.dumps(
        [
            {"text": sentence(n), "id": n, "label": [
                {"start": a, "end": b, "text": sentence(n)[a:b], "labels": [kind]} for a, b, kind in spans(n)
            ]} for n in range(RECORDS)
        ]
    ),
    "Prodigy": rows_of(
        lambda n: {"text": sentence(n), "tokens": [], "spans": named(("start", "end", "label"), n), "answer": "accept"}
    )
    + json.dumps({"text": "rejected one", "spans": [{"start": 0, "end": 8, "label": "X"}], "answer": "reject"}),
}  # fmt: skip


@pytest.mark.parametrize("tool", ANNOTATED)
def test_what_annotation_tools_export(tmp_path: Path, tool: str) -> None:
    dataset, manifest = build_entities([save(tmp_path, "own.json", ANNOTATED[tool])])
    assert mentions(dataset) == written()
    rejected = manifest["read"].get("texts whose annotation was not accepted, which are left out", 0)
    assert rejected == (tool == "Prodigy")


TOKENS: dict[str, Callable[[int, list[tuple[str, str]]], str]] = {
    "JNLPBA": lambda n, its: f"###MEDLINE:{n}\n\n" + "".join(f"{word}\t{tag}\n" for word, tag in its) + "\n",
    "numbered tokens": lambda n, its: (
        "".join(f"{k}\t{word}\t_\t{tag}\n" for k, (word, tag) in enumerate(its, 1)) + "\n"
    ),
    "one -DOCSTART-": lambda n, its: (
        "-DOCSTART- -X- O\n" * (n == 0) + "".join(f"{word} -X- _ {tag}\n" for word, tag in its) + "\n"
    ),
    "table of words": lambda n, its: (
        "sentence_id,words,labels\n" * (n == 0) + "".join(f"{n},{word},{tag}\n" for word, tag in its)
    ),
    "MultiCoNER": lambda n, its: (
        f"# id {n}-ee7f\tdomain=train\n" + "".join(f"{word} _ _ {tag}\n" for word, tag in its) + "\n"
    ),
    "Kaggle": lambda n, its: (
        "Sentence #,Word,POS,Tag\n" * (n == 0)
        + "".join(f"{'' if k else f'Sentence: {n}'},{word},NN,{tag}\n" for k, (word, tag) in enumerate(its))
    ),
}


@pytest.mark.parametrize("layout", TOKENS)
def test_layouts_of_tokens(tmp_path: Path, layout: str) -> None:
    content = "".join(TOKENS[layout](n, list(zip(of_tokens(n), tags(n), strict=False))) for n in range(RECORDS))
    dataset, manifest = build_entities([save(tmp_path, "own.txt", content)])
    assert mentions(dataset) == tagged()
    assert manifest["read"]["documents"] == RECORDS
    ids = {each for rows in dataset.values() for each in rows["document_id"]}
    assert layout != "JNLPBA" or ids == {str(n) for n in range(RECORDS)}


@pytest.mark.parametrize(
    ("write", "name", "types"),
    [
        (write_ddi, "", {"effect": RECORDS}),
        (write_shared_task, "", {"Near": RECORDS}),
        (write_chemprot, "own_abstracts.tsv", {"CPR:0": RECORDS // 2, "CPR:1": RECORDS // 2}),
    ],
)
def test_corpora_of_several_files(
    tmp_path: Path, write: Callable[[Path], Path], name: str, types: dict[str, int]
) -> None:
    folder = write(tmp_path / "own")
    dataset, manifest = build_relations([folder / name])
    assert mentions(dataset) == written() and relations(dataset) == types
    changed = next(
        file for file in sorted(folder.rglob("*")) if file.suffix in (".a2", ".xml") or "entities" in file.name
    )
    changed.write_text(changed.read_text() + "\n")
    again = build_relations([folder / name])[1]["sources"]
    assert [each["sha256"] for each in again] != [each["sha256"] for each in manifest["sources"]]


def test_relations_of_pubtator3_and_of_label_studio(tmp_path: Path) -> None:
    def document(n: int) -> dict[str, Any]:
        ends = [f"MESH:{n}-{k}" for k in range(2)]
        annotations = [
            {"id": str(k), "infons": {"identifier": ends[k], "type": kind}, "text": sentence(n)[a:b],
             "locations": [{"offset": a, "length": b - a}]} for k, (a, b, kind) in enumerate(spans(n))
        ]  # fmt: skip
        roles = {f"role{k}": {"identifier": end, "type": "Chemical"} for k, end in enumerate(ends, 1)}
        passage = {"offset": 0, "text": sentence(n), "annotations": annotations}
        return {"id": str(n), "passages": [passage], "relations": [{"id": "R1", "infons": roles | {"type": "Bind"}}]}

    own = save(tmp_path, "p.json", json.dumps({"PubTator3": [document(n) for n in range(RECORDS)]}))
    assert relations(build_relations([own])[0]) == {"Bind": RECORDS}
    own = save(tmp_path, "l.json", ANNOTATED["Label Studio"])
    assert relations(build_relations([own])[0]) == {"next": RECORDS}


LABELS = ("growth", "death")


def some(n: int) -> list[str]:
    return [label for k, label in enumerate(LABELS) if n >> k & 1]


def table(header: str, cells: Lines) -> str:
    return header + "".join(f"{sentence(n)}\t{cells(n)}\n" for n in range(RECORDS))


SEVERAL = {
    "JSON in a cell": table("text\tlabels\n", lambda n: json.dumps(some(n))),
    "Python in a cell": table("text\tlabels\n", lambda n: str(some(n))),
    "NumPy in a cell": table("text\tlabels\n", lambda n: str(some(n)).replace(",", "")),
    "R in a cell": table("text\tlabels\n", lambda n: f"c({json.dumps(some(n))[1:-1]})"),
    "Label Studio's choices": rows_of(lambda n: {"text": sentence(n), "labels": {"choices": some(n)}}),
    "columns of JSON": json.dumps({
        "text": [*map(sentence, range(RECORDS))], "labels": [*map(some, range(RECORDS))]
    }),
    "1 and 0 as BLUE has them": table("text\tlabels\n", lambda n: ",".join(f"{k}_{n >> k & 1}" for k in range(3))),
    "an object": rows_of(lambda n: {"text": sentence(n), "labels": {label: label in some(n) for label in LABELS}}),
    "an object of rows": json.dumps({n: {"text": sentence(n), "labels": some(n)} for n in range(RECORDS)}, indent=1),
    "rows in an object": json.dumps({"version": 1, "data": [
        {"text": sentence(n), "labels": some(n)} for n in range(RECORDS)
    ]}),
}  # fmt: skip


@pytest.mark.parametrize("layout", SEVERAL)
def test_several_labels_as_they_are_written(tmp_path: Path, layout: str) -> None:
    dataset, _ = build_labels([save(tmp_path, "own", SEVERAL[layout])])
    names = ("0", "1") if "BLUE" in layout else LABELS
    counts = Counter(label for rows in dataset.values() for its in rows["labels"] for label in its)
    expected = Counter(label for n in range(RECORDS) for label in some(n))
    assert [counts[name] for name in names] == [expected[name] for name in LABELS]


@pytest.mark.parametrize(
    ("header", "cells", "labels", "note"),
    [
        ("text\tlabel\n", lambda n: ["0.0", "1.0", "0", "1"][n % 4], ["0", "1"], ""),
        ("# of 2020\n# by hand\ntext\tlabel\n", lambda n: "ab"[n % 2], ["a", "b"], "begins with 2 lines of comments"),
        ("text\tlabel\n", lambda n: ["a", "b", "a;b"][n % 3] + (";c" if n == 1 else ""), ["a", "a;b", "b", "b;c"],
         "2 of the 4 labels hold ';'.*--label-separator ';'"),
        ("text\tlabel\n", lambda n: ["True", "FALSE", "false"][n % 3], ["FALSE", "True", "false"],
         "'FALSE' and 'false'"),
        ("text\tlabel\n", lambda n: ["a b", "a\u00a0b", "c"][n % 3], ["a b", "a\u00a0b", "c"],
         r"in case or in what is not seen only count as two: 'a b' and 'a\\xa0b'"),
        ("text\tlabel\n", lambda n: ["a", "b", "a#b"][n % 3] + ("#c" if n == 1 else ""), ["a", "a#b", "b", "b#c"],
         "2 of the 4 labels hold '#'.*--label-separator '#'"),
        ("text\tlabel\n", lambda n: ["a", "b", "NA"][n % 3], ["NA", "a", "b"], r"'NA' \(6 texts\): taken as a label"),
        ("abstract\tlabel\ttitle\n", lambda n: f"{'ab'[n % 2]}\tT{n}", ["a", "b"],
         "the text is abstract, without title: --text-column abstract --text-column title"),
    ],
)  # fmt: skip
def test_labels_that_may_mean_something_else(
    tmp_path: Path, header: str, cells: Lines, labels: list[str], note: str
) -> None:
    _, manifest = build_labels([save(tmp_path, "own.tsv", table(header, cells))])
    assert manifest["labels"] == labels
    assert len(manifest["notes"]) == bool(note)
    if note:
        assert re.search(note, manifest["notes"][0])


def test_what_was_rejected_with_prodigy_is_no_label(tmp_path: Path) -> None:
    own = rows_of(
        lambda n: {
            "text": sentence(n),
            "label": "ab"[n % 2],
            "_task_hash": n,
            "answer": "reject" if n == 3 else "accept",
        }
    )
    dataset, manifest = build_labels([save(tmp_path, "own.jsonl", own)])
    assert sentence(3) not in {text for rows in dataset.values() for text in rows["text"]}
    assert manifest["read"] == {"rows": RECORDS - 1}
    assert manifest["notes"] == ["own.jsonl has 1 rows whose annotation was not accepted, which are left out"]


def test_columns_put_together_are_one_text(tmp_path: Path) -> None:
    own = save(tmp_path, "own.tsv", table("abstract\tlabel\ttitle\n", lambda n: f"{n % 2}\tTitle {n}"))
    dataset, manifest = build_labels([own], text_column=["title", "abstract"])
    texts = {text for rows in dataset.values() for text in rows["text"]}
    assert texts == {f"Title {n}\n{sentence(n)}" for n in range(RECORDS)}
    assert manifest["arguments"]["text_column"] == ["title", "abstract"]


SCORES = "sentence1\tsentence2\tscore\n"


@pytest.mark.parametrize(
    ("build", "content", "said"),
    [
        (build_pairs, table("premise\thypothesis\tgold_label\n", lambda n: "so\tentailment"),
         r"the score 'entailment' is no number.*bioft build labels \S+ --text-column premise --text-column hypothesis "
         "--label-column gold_label"),
        (build_pairs, table(SCORES, lambda n: "so\tNaN"), "line 2: the score 'NaN' is no number"),
        (build_pairs, table(SCORES, lambda n: "so\tinf"), "line 2: the score 'inf' is no number"),
        (build_pairs, 'sentence1,sentence2,score\na,b,"1,039"\n', "'1,039' is no number. Write it without the comma"),
        (build_labels, rows_of(lambda n: {"text": sentence(n), "label": float("nan") if n else "a"}), "has no label"),
        (build_labels, rows_of(lambda n: {"text": sentence(n), "labels": [n % 2, 1]}), "are lists of 0 and 1"),
        (build_labels, ANNOTATED["doccano"], "no list of labels. For entities: bioft build entities"),
        (build_labels, json.dumps({"text": {"0": "a", "1": "b"}, "label": {"0": "x", "1": "y"}}), "as pandas writes"),
        (build_entities, "#FORMAT=WebAnno TSV 3.3\n\n", "is WebAnno TSV.*Export it as CoNLL 2002"),
        (build_entities, "# sent_id = 1\n1\ta\ta\tX\tX\t_\t0\troot\t_\tO\n", "is CoNLL-U. Write the tag"),
        (build_entities, 'c="pain" 1:2 1:2||t="problem"\n', "i2b2's annotations.*Convert them to brat"),
        (build_entities, "T1\tDrug 0 4\tdrug\n", "is annotations of brat. Name their folder"),
        (build_entities, "<GateDocument/>", "its root is <GateDocument>"),
        (build_entities, "text,label\na,b\n", "needs the columns sentence_id, token and tag"),
    ],
)  # fmt: skip
def test_a_refusal_names_what_it_is_and_what_would_do(
    tmp_path: Path, build: Callable[..., Any], content: str, said: str
) -> None:
    with pytest.raises(BioftError, match=said):
        build([save(tmp_path, "own.txt", content)])


def test_pairs_without_scores_name_the_columns_that_are_not_read(tmp_path: Path) -> None:
    content = table("question\tanswer\tannotator_a\n", lambda n: f"answer {n}\t{n % 5}")
    _, manifest = build_pairs([save(tmp_path, "own.tsv", content)])
    assert "all pairs are taken to belong together. Not read: annotator_a" in manifest["notes"][0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["build", "labels", "my nots.csv", "-o", "x"], "my nots.csv does not exist. Did you mean 'my notes.csv'?"),
        (["build", "labels", "dta/notes.csv", "-o", "x"], "dta/notes.csv does not exist. There is no folder dta."),
        (["build", "lables", "my notes.csv", "-o", "x"], "Did you mean 'labels'?"),
        (["build", "my notes.csv", "-o", "x"], "bioft build labels 'my notes.csv' --output FOLDER"),
    ],
)
def test_what_was_mistyped_is_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    save(tmp_path, "my notes.csv", "text,label\na,b\n")
    found = CliRunner().invoke(cli.app, words)
    assert found.exit_code and said in " ".join(found.output.split())
    assert not (tmp_path / "x").exists()
