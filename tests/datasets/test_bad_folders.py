"""A dataset folder that somebody else wrote: what no task can use is one sentence, before any model is loaded."""

import datetime
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, DatasetDict
from typer.testing import CliRunner

from bioft.cli import main as cli
from bioft.datasets import load as loading
from bioft.datasets.pubmed.pairs import ARTICLE_SCHEMA, LISTS
from bioft.errors import BioftError
from bioft.inspect import inspect as inspection
from bioft.storage import datasets as storage
from bioft.task import registered
from bioft.tasks import of_dataset

ENTITY = {"id": "D1", "type": "Disease", "start": 0, "end": 5, "text": "Fever"}
RELATION = {"type": "CID", "head": "D1", "tail": "D1"}
PAIR = {"gene": "BRCA1", "gene_id": "1", "disease": "Fever", "disease_id": "D1", "evidence": "", "pmids": ""}
DOCUMENT = {"document_id": "1", "text": "Fever", "entities": [ENTITY], "relations": [RELATION]}
SCORED = {"sentence1": "a", "sentence2": "b", "group": "1", "score": 1.0}
ROWS: dict[str, list[dict[str, Any]]] = {
    "gene-disease-association": [PAIR | {"label": 1}, PAIR | {"label": 0}],
    "entity-recognition": [DOCUMENT, DOCUMENT | {"document_id": "2"}],
    "relation-extraction": [DOCUMENT, DOCUMENT | {"document_id": "2"}],
    "text-classification": [{"id": "1", "text": "a", "label": "no"}, {"id": "2", "text": "b", "label": "yes"}],
    "masked-language-model": [{"id": "1", "text": "a"}, {"id": "2", "text": "b"}],
    "text-retrieval": [SCORED, SCORED | {"score": 0.0, "group": "2"}],
}
"""By task two rows of a split."""
BUILDERS = {
    "gene-disease-association": "ctd",
    "entity-recognition": "entities",
    "relation-extraction": "relations",
    "text-classification": "labels",
    "masked-language-model": "texts",
    "text-retrieval": "pairs",
}
OF_LABELS = {"labels": ["no", "yes"], "multi_label": False}


def write(folder: Path, task: str, **splits: list[dict[str, Any]] | None) -> Path:
    """A folder whose manifest fits its rows; of a split that is None there is none."""
    rows = {name: splits.get(name, ROWS[task]) for name in storage.SPLITS}
    dataset = DatasetDict({name: made(its, task) for name, its in rows.items() if its is not None})
    prints = {name: storage.fingerprint(its) for name, its in dataset.items()}
    about = {"schema_version": storage.SCHEMA_VERSION, "builder": BUILDERS[task], "arguments": {}, "sources": []}
    about |= {"fingerprints": prints, "audit": {}, "rows": {}}
    return storage.save(dataset, about | (OF_LABELS if task == "text-classification" else {}), folder)


def made(rows: list[dict[str, Any]], task: str) -> Dataset:
    """Rows with the columns of a task's, also where there are none; cells of another kind make columns of that."""
    if rows and rows[0].keys() != ROWS[task][0].keys():
        return Dataset.from_list(rows)
    schema = Dataset.from_list(ROWS[task]).features.arrow_schema
    try:
        return Dataset(pa.Table.from_pylist(rows, schema))
    except pa.ArrowException:
        return Dataset.from_list(rows)


def changed(folder: Path, **changes: Any) -> Path:
    """The folder, whose manifest says something else; what is None it does not say."""
    manifest = json.loads((folder / storage.MANIFEST).read_text()) | changes
    kept = {key: its for key, its in manifest.items() if key not in changes or its is not None}
    (folder / storage.MANIFEST).write_text(json.dumps(kept))
    return folder


def command(*words: object) -> str:
    """The one sentence with which a command refuses what it is given."""
    result = CliRunner().invoke(cli.app, list(map(str, words)))
    assert result.exit_code == 1 and result.output.count("\n") == 1, result.output
    return result.output


def refused(folder: Path, task: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The sentence with which both recipes and `bioft baselines` refuse a folder."""
    for module in (loading, of_dataset):
        monkeypatch.setattr(module, "audit_again", lambda *_: None)
    messages = []
    for use in (
        lambda: loading.load(registered()[task], str(folder)),
        lambda: of_dataset.baselines_of(folder, None if task == "masked-language-model" else task),
    ):
        with pytest.raises(BioftError) as raised:
            use()
        messages.append(str(raised.value))
    assert messages[0] == messages[1] and str(folder) in messages[0] and "\n" not in messages[0]
    return messages[0]


@pytest.mark.parametrize("split", storage.SPLITS)
@pytest.mark.parametrize("task", ROWS)
def test_a_split_that_is_missing_or_empty(task: str, split: str, tmp_path: Path, monkeypatch: Any) -> None:
    folder = write(tmp_path / "missing", task, **{split: None})
    assert f"names no split '{split}'" in refused(folder, task, monkeypatch)
    folder = write(tmp_path / "empty", task, **{split: []})
    assert f"{split}.parquet has no row" in refused(folder, task, monkeypatch)


@pytest.mark.parametrize(
    ("task", "changed", "words"),
    [
        ("gene-disease-association", {"gene": None}, "the column gene is empty"),
        ("gene-disease-association", {"label": None}, "the column label is empty"),
        ("gene-disease-association", {"gene": 7}, "the column gene holds int64, not text"),
        ("entity-recognition", {"text": None}, "the column text is empty"),
        ("entity-recognition", {"entities": None}, "the column entities is empty"),
        ("entity-recognition", {"entities": [ENTITY | {"start": None}]}, "the column entities is empty"),
        ("entity-recognition", {"entities": [ENTITY | {"end": 9}]}, "document 1 has what is no mention"),
        (
            "entity-recognition",
            {"entities": [ENTITY | {"start": -5}]},
            "document 1 has what is no mention",
        ),
        ("entity-recognition", {"entities": [ENTITY | {"start": 1}]}, "document 1 has what is no mention"),
        (
            "entity-recognition",
            {"entities": [ENTITY | {"type": " "}]},
            "document 1 has what is no mention",
        ),
        ("relation-extraction", {"relations": [RELATION | {"head": ""}]}, "no relation: {'type': 'CID', 'head': ''"),
        ("relation-extraction", {"relations": [RELATION | {"tail": None}]}, "the column relations is empty"),
        ("entity-recognition", {"entities": "Fever"}, "the column entities holds string, not lists with id, type"),
        ("entity-recognition", {"entities": ["Fever"]}, "the column entities holds list<element: string>, not lists"),
        ("entity-recognition", {"entities": [ENTITY | {"start": "0"}]}, "the column entities holds list<element: str"),
        ("text-classification", {"label": None}, "the column label is empty"),
        ("masked-language-model", {"text": None}, "the column text is empty"),
        ("text-classification", {"text": " \n"}, "the column text is empty"),
        ("text-classification", {"id": "2"}, "the id '2' comes twice"),
        ("entity-recognition", {"document_id": "2"}, "the document_id '2' comes twice"),
        ("text-retrieval", {"sentence2": None}, "the column sentence2 is empty"),
        ("text-retrieval", {"group": ""}, "the column group is empty"),
        ("text-retrieval", {"score": "high"}, "the column score holds string, not numbers"),
        ("text-retrieval", {"score": 5.0}, "a score is not from 0 to 1"),
        ("text-retrieval", {"score": float("inf")}, "a score is not from 0 to 1"),
        ("text-retrieval", {"score": float("nan")}, "score"),
    ],
)
def test_cells_that_no_dataset_has(
    task: str, changed: dict[str, Any], words: str, tmp_path: Path, monkeypatch: Any
) -> None:
    first, second = ROWS[task]
    alike = changed if "holds" in words else {}
    folder = write(tmp_path / "data", task, test=[first | changed, second | alike])
    assert words in refused(folder, task, monkeypatch)


@pytest.mark.parametrize(
    ("task", "split", "row", "words"),
    [
        ("gene-disease-association", "test", 0, "all pairs of its test split have the label 1"),
        ("gene-disease-association", "train", 1, "all pairs of its train split have the label 0"),
        ("gene-disease-association", "validation", PAIR | {"label": 2}, "a label of its validation split is 2"),
        ("entity-recognition", "test", DOCUMENT | {"entities": []}, "no document of its test split has an entity"),
        ("entity-recognition", "train", DOCUMENT | {"entities": []}, "no document of its train split has an entity"),
        ("relation-extraction", "test", DOCUMENT | {"relations": []}, "no document of its test split has a relation"),
        ("relation-extraction", "train", DOCUMENT | {"relations": []}, "its training documents hold no relation"),
        ("text-classification", "test", 0, "all texts of its test split have the label 'no'"),
        ("text-classification", "train", 1, "all texts of its train split have the label 'yes'"),
        (
            "text-classification",
            "validation",
            {"id": "3", "text": "c", "label": "maybe"},
            "its validation split has the label 'maybe'",
        ),
        ("text-retrieval", "test", 1, "no two texts of its test split belong together"),
        ("text-retrieval", "train", 1, "no two texts of its train split belong together"),
        ("text-retrieval", "test", SCORED | {"sentence2": "a"}, "no two texts of its test split belong together"),
        ("text-retrieval", "train", 0, "all pairs of its train split are of one group"),
        ("text-retrieval", "test", 0, "all pairs of its test split are of one group"),
    ],
)
def test_what_cannot_be_learnt_or_measured(
    task: str, split: str, row: Any, words: str, tmp_path: Path, monkeypatch: Any
) -> None:
    its = ROWS[task][row] if isinstance(row, int) else row
    folder = write(tmp_path / "data", task, **{split: [its]})
    message = refused(folder, task, monkeypatch)
    assert f"can't be used for {task}: {words}" in message
    report, _ = inspection.inspect_dataset(folder)
    assert report["notes"][0] == f"Problem: It can't be used: {message.partition(f'{task}: ')[2].partition('.')[0]}."
    assert f"{folder}: It can't be used: {words}" in command("push-dataset", folder, "user/data", "--dry-run")


@pytest.mark.parametrize("task", ROWS)
def test_a_split_without_a_column_of_its_task(task: str, tmp_path: Path) -> None:
    column = registered()[task].columns[-1] if task != "text-retrieval" else "score"
    folder = write(tmp_path / "data", task)
    prints = storage.load(folder)[1]["fingerprints"]
    table = pq.read_table(folder / "test.parquet").drop_columns([column])
    pq.write_table(table, folder / "test.parquet")
    changed(folder, fingerprints=prints | {"test": storage.fingerprint(Dataset(table))})
    with pytest.raises(BioftError, match=rf"test\.parquet has the columns .*; needed: .*{column}"):
        storage.load(folder)
    more = pq.read_table(folder / "validation.parquet").append_column("more", pa.array(["x", "y"]))
    pq.write_table(more, folder / "test.parquet")
    changed(folder, fingerprints=prints | {"test": storage.fingerprint(Dataset(more))})
    with pytest.raises(BioftError, match=r"test\.parquet has the columns .*, more; needed: "):
        storage.load(folder)


def test_columns_of_another_builder(tmp_path: Path) -> None:
    folder = changed(write(tmp_path / "data", "text-retrieval"), builder="ctd")
    with pytest.raises(BioftError, match=r"has the columns sentence1, .*; needed: gene, gene_id"):
        storage.load(folder)


@pytest.mark.parametrize(
    ("task", "counts"),
    [
        ("text-classification", {"texts": 3}),
        ("text-classification", {"texts": 2, "no": 2, "yes": 0}),
        ("gene-disease-association", {"positive": 2, "negative": 0}),
        ("masked-language-model", {}),
        ("masked-language-model", {"texts": "2"}),
        ("entity-recognition", None),
    ],
)
def test_a_manifest_that_counts_other_rows(task: str, counts: Any, tmp_path: Path, monkeypatch: Any) -> None:
    right = {"positive": 1, "negative": 1} if task == "gene-disease-association" else {"documents": 2}
    folder = changed(write(tmp_path / "data", task), rows=dict.fromkeys(storage.SPLITS, right) | {"test": counts})
    words = f"The split test has 2 rows; its manifest counts {counts}."
    if task != "masked-language-model":  # whose baselines need a tokenizer
        assert words in refused(folder, task, monkeypatch)
    for line in (["inspect", folder], ["push-dataset", folder, "user/data", "--dry-run"]):
        assert words in command(*line)
    dataset, manifest = storage.load(changed(folder, rows=dict.fromkeys(storage.SPLITS, right)))
    assert storage.miscounted(dataset, manifest) == []


@pytest.mark.parametrize(
    "change",
    [
        {"sources": None},
        {"arguments": None},
        {"sources": [1]},
        {"read": "x"},
        {"skipped": {"test": 5}},
        {"license": [1]},
        {"license": 7},
        {"audit": {"near_duplicates": "x"}},
        {"audit": {"not_in_training": [7]}},
        {"hub": 7},
        {"title": 7},
        {"notes": [7]},
    ],
)
def test_a_manifest_that_no_record_can_be_made_of(change: dict[str, Any], tmp_path: Path, monkeypatch: Any) -> None:
    """It ended in a traceback, and after the training."""
    folder = changed(write(tmp_path / "data", "text-classification"), **change)
    assert "manifest" in refused(folder, "text-classification", monkeypatch)
    assert "manifest" in command("inspect", folder) and not (folder / "inspection").exists()


def test_a_recipe_needs_the_name_of_the_builder(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(loading, "audit_again", lambda *_: None)
    folder = changed(write(tmp_path / "data", "masked-language-model"), builder=None)
    with pytest.raises(BioftError, match="The manifest lacks a field: 'builder'"):
        loading.load(registered()["masked-language-model"], str(folder))


def test_test_rows_in_training_are_not_pushed(tmp_path: Path) -> None:
    for task, builder in (
        ("text-classification", "labels"),
        ("text-retrieval", "pairs"),
        ("text-retrieval", "metabolites"),
    ):
        folder = changed(write(tmp_path / builder, task), builder=builder)
        assert "straddle" in command("push-dataset", folder, "user/data", "--dry-run")


def test_one_label_is_enough_to_choose_a_threshold_of_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "audit_again", lambda *_: None)
    for task in ("gene-disease-association", "text-classification"):
        folder = write(tmp_path / task, task, validation=ROWS[task][:1])
        assert len(loading.load(registered()[task], str(folder))[0]["validation"]) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest.update(split=None),
        lambda manifest: manifest.update(arguments="x"),
        lambda manifest: manifest.update(builder=None),
    ],
)
def test_manifests_whose_parts_are_of_another_kind(change: Callable[[Any], None], tmp_path: Path) -> None:
    folder = write(tmp_path / "data", "masked-language-model")
    manifest = json.loads((folder / storage.MANIFEST).read_text())
    change(manifest)
    (folder / storage.MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(BioftError, match=r"is not a bioft manifest \(its \w+ is .*\)\. Build the dataset again\.$"):
        storage.load(folder)
    (folder / storage.MANIFEST).write_text("[" * 100_000)
    with pytest.raises(BioftError, match="is not a bioft manifest"):
        storage.load(folder)


def test_a_manifest_of_tomorrow(tmp_path: Path) -> None:
    folder = changed(write(tmp_path / "data", "masked-language-model"), schema_version=99, fingerprints={}, sources=7)
    with pytest.raises(BioftError, match="has schema version 99; this bioft reads 1"):
        storage.load(folder)


def test_a_manifest_with_what_json_has_not(tmp_path: Path) -> None:
    """A record with it could not be written after the training."""
    folder = write(tmp_path / "data", "masked-language-model")
    with pytest.raises(BioftError, match=r"is not a bioft manifest \(its text: .*NaN is no number"):
        storage.load(changed(folder, seed=math.nan))


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        *((labels, "its manifest names no labels") for labels in (None, "x", [], [["no"], ["yes"]], ["no"] * 2)),
        (["no", "yes", "maybe"], "no text has the label 'maybe', which its manifest names"),
        (["no"], "its train split has the label 'yes', which its manifest does not name"),
    ],
)
def test_a_manifest_that_names_other_labels(labels: Any, words: str, tmp_path: Path, monkeypatch: Any) -> None:
    folder = changed(write(tmp_path / "data", "text-classification"), labels=labels)
    assert words in refused(folder, "text-classification", monkeypatch)


def test_a_manifest_that_says_that_texts_have_several_labels(tmp_path: Path, monkeypatch: Any) -> None:
    folder = changed(write(tmp_path / "data", "text-classification"), multi_label=True)
    words = "its manifest says several labels a text, unlike its train split"
    assert words in refused(folder, "text-classification", monkeypatch)


@pytest.mark.parametrize(
    ("split", "labels", "words"),
    [
        ("test", [["no", "no"], ["yes"]], "a text of its test split has a label twice: no, no"),
        ("train", [["no"], ["no"]], "all texts of its train split have the same labels"),
        ("test", [["yes", "no"], ["no", "yes"]], "all texts of its test split have the same labels"),
        ("test", [[1], [2]], "int64>, not lists of text"),
    ],
)
def test_several_labels_of_a_text(split: str, labels: Any, words: str, tmp_path: Path, monkeypatch: Any) -> None:
    texts = [{"id": "1", "text": "a"}, {"id": "2", "text": "b"}]
    good = [["no"], ["no", "yes"]]
    rows = {name: labels if name == split else good for name in storage.SPLITS}
    its = {name: [row | {"labels": each} for row, each in zip(texts, rows[name], strict=True)] for name in rows}
    folder = changed(write(tmp_path / "data", "text-classification", **its), multi_label=True)
    assert words in refused(folder, "text-classification", monkeypatch)


ARTICLE = {"title": "A", "text": "A b", "journal": "J", "year": 2020, "mesh": []} | dict.fromkeys(LISTS, ())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, ""),
        ({"cites": ["9"]}, "cites of the article 1 of its test split names what is no other article of it"),
        ({"coupled": ["1"]}, "coupled of the article 1 of its test split names what is no other article of it"),
        ({"same_topic": ["2", "2"]}, "same_topic of the article 1 of its test split names what is no other"),
        ({"cites": []}, "nothing is to be found for any article of its test split"),
        ({"cites": [None]}, "a cell of the column cites is empty"),
        ({"text": "train 2"}, "1 texts straddle splits"),
        ({"group": "train 2"}, "1 groups of articles straddle splits"),
        ({"pmid": "train1"}, "1 articles straddle splits"),
        ({"pmid": "2"}, "the pmid '2' comes twice"),
        ({"text": None}, "a cell of the column text is empty"),
    ],
)
def test_lists_of_articles(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    """They are of no task, so that no recipe looks at them before they are published."""
    splits = {}
    for split in storage.SPLITS:
        pmids = ["1", "2"] if split == "test" else [f"{split}1", f"{split}2"]
        rows = [ARTICLE | {"pmid": each} | dict.fromkeys(("text", "group"), f"{split} {each[-1]}") for each in pmids]
        rows[0] |= {"cites": pmids[1:]} | (change if split == "test" else {})
        splits[split] = Dataset(pa.Table.from_pylist(rows, ARTICLE_SCHEMA))
    about = {"schema_version": storage.SCHEMA_VERSION, "builder": "pubmed_articles", "arguments": {}, "sources": []}
    about |= {
        "fingerprints": {name: storage.fingerprint(its) for name, its in splits.items()},
        "rows": {},
        "audit": {},
    }
    folder = storage.save(DatasetDict(splits), about, tmp_path / "data")
    line = ["push-dataset", str(folder), "user/data", "--dry-run"]
    if words:
        assert words in command(*line)
    else:
        assert CliRunner().invoke(cli.app, line).exit_code == 0


def test_lists_of_articles_without_a_column(tmp_path: Path) -> None:
    rows = [{"pmid": "1", "title": "A"}, {"pmid": "2", "title": "B"}]
    folder = write(tmp_path / "data", "masked-language-model", **dict.fromkeys(storage.SPLITS, rows))
    with pytest.raises(BioftError, match=r"train\.parquet has the columns .*; needed: pmid, title, text, group"):
        storage.load(changed(folder, builder="pubmed_articles"))


def test_one_label_is_nothing_to_learn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the manifest names no other."""
    rows = [row | {"label": "yes"} for row in ROWS["text-classification"]]
    folder = write(tmp_path / "data", "text-classification", **dict.fromkeys(storage.SPLITS, rows))
    message = refused(changed(folder, labels=["yes"]), "text-classification", monkeypatch)
    assert "all texts of its train split have the label 'yes', and two are needed" in message


@pytest.mark.parametrize("candidates", ["sentence2", 7, ["sentence1"], ["sentence2", "title"]])
def test_a_manifest_that_names_other_columns(candidates: Any, tmp_path: Path, monkeypatch: Any) -> None:
    folder = changed(write(tmp_path / "data", "text-retrieval"), candidates=candidates)
    assert f"its manifest names {candidates!r} as the columns" in refused(folder, "text-retrieval", monkeypatch)


def test_a_split_that_another_program_wrote_anew(tmp_path: Path) -> None:
    """Columns may have wider types then, or, where no list has a value, one of nothing."""
    rows = [row | {"relations": []} for row in ROWS["entity-recognition"]]
    folder = write(tmp_path / "data", "entity-recognition", **dict.fromkeys(storage.SPLITS, rows))
    table = pq.read_table(folder / "test.parquet")
    kinds = {"entities": pa.large_list(table["entities"].type.value_type), "relations": pa.list_(pa.null())}
    schema = pa.schema({name: kinds.get(name, pa.large_string()) for name in table.column_names})
    pq.write_table(pa.Table.from_pylist(table.to_pylist(), schema), folder / "test.parquet")
    assert storage.load(folder)[0]["test"].to_list() == rows


@pytest.mark.parametrize("values", [["x"] * 2_000, [["x"] * 2_000]], ids=["many rows", "one row"])
def test_a_small_file_that_would_fill_the_memory(values: Any, tmp_path: Path, monkeypatch: Any) -> None:
    folder = write(tmp_path / "data", "masked-language-model")
    pq.write_table(pa.table({"text": values}), folder / "test.parquet")
    monkeypatch.setattr("bioft.storage.parquet.FREE_CELLS", 1_000)
    monkeypatch.setattr("bioft.storage.parquet.CELLS_PER_BYTE", 1)
    with pytest.raises(
        BioftError, match=f"{len(values):,} rows in .* it would take the whole memory, and is not read"
    ):
        storage.load(folder)


@pytest.mark.parametrize("value", [b"x", datetime.datetime(2020, 1, 1)])
def test_columns_of_which_no_fingerprint_can_be_taken(value: Any, tmp_path: Path) -> None:
    folder = write(tmp_path / "data", "masked-language-model")
    table = pq.read_table(folder / "test.parquet")
    pq.write_table(table.append_column("more", pa.array([value] * len(table))), folder / "test.parquet")
    with pytest.raises(BioftError, match=r"test\.parquet is not the split that manifest\.json describes"):
        storage.load(folder)


def test_columns_of_a_builder_outside_bioft_hold_what_it_says(tmp_path: Path) -> None:
    """Doses, which are labels and no whole numbers; without its name they are none."""
    rows = [{"id": "1", "text": "a", "label": 0.5}, {"id": "2", "text": "b", "label": 3.7}]
    folder = write(tmp_path / "doses", "text-classification", **dict.fromkeys(storage.SPLITS, rows))
    for builder in ("labels", None):
        with pytest.raises(BioftError, match="the column label holds double, not text or whole numbers"):
            storage.load(changed(folder, builder=builder))
    assert storage.load(changed(folder, builder="doses"))[0]["test"]["label"][:] == [0.5, 3.7]
    one = changed(write(tmp_path / "one", "text-classification", test=rows[:1]), builder="doses", rows={"test": {}})
    assert not [note for note in inspection.inspect_dataset(one)[0]["notes"] if "Problem" in note]
