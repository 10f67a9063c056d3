"""Any dataset on the Hub by its columns: tokens with named tags, labels, scored pairs; what can't be read is said."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from datasets import ClassLabel, Dataset, Features, List, Value
from huggingface_hub import HfApi

from bioft.datasets.formats.documents import build_relations
from bioft.storage import datasets as storage
from tests import warm_process
from tests.hub_server.server import HubServer

TAGS = ["O", "B-Disease", "I-Disease"]
SPLITS = {"train": 40, "validation": 10, "test": 12}


def rows(repository: str, split: str, n: int) -> Dataset:
    if repository == "ner":
        features = {"id": Value("string"), "tokens": List(Value("string")), "ner_tags": List(ClassLabel(names=TAGS))}
        columns: dict[str, list[Any]] = {
            "id": [str(i) for i in range(n)],
            "tokens": [["we", "saw", "renal", f"failure{split}{i}"] for i in range(n)],
            "ner_tags": [[0, 0, 1, 2]] * n,
        }
        return Dataset.from_dict(columns, features=Features(features))
    if repository == "labels":
        features = {"text": Value("string"), "label": ClassLabel(names=["no", "yes"])}
        columns = {"text": [f"text {i} of {split}" for i in range(n)], "label": [i % 2 for i in range(n)]}
        return Dataset.from_dict(columns, features=Features(features))
    if repository == "entities_and_relations":
        return Dataset.from_list([own_document(f"{split}{i}") for i in range(n)])
    if repository == "bigbio":
        return Dataset.from_list([bigbio_document(f"{split}{i}", i) for i in range(n)])
    columns = {
        "sentence1": [f"one {i} {split}" for i in range(n)],
        "sentence2": [f"other {i} {split}" for i in range(n)],
        "score": [i % 5 / 4 for i in range(n)],
    }
    return Dataset.from_dict(columns)


def own_document(name: str) -> dict[str, Any]:
    """A document as bioft's own datasets have it."""
    text = f"Drug{name} causes pain{name}."
    place = text.index("pain")
    entities = [
        {"id": f"C{name}", "type": "Chemical", "start": 0, "end": 4 + len(name), "text": f"Drug{name}"},
        {"id": f"D{name}", "type": "Disease", "start": place, "end": len(text) - 1, "text": f"pain{name}"},
    ]
    relations = [{"type": "Causes", "head": f"C{name}", "tail": f"D{name}"}]
    return {"document_id": name, "text": text, "entities": entities, "relations": relations}


def bigbio_document(name: str, number: int) -> dict[str, Any]:
    """The same in BigBio's schema: a title, two spaces, an abstract; entities of it, one in pieces, one not linked."""
    title, abstract = f"On drug{name}.", f"It causes severe renal and liver pain{name}."
    start = len(title) + 2
    severe, pain = start + abstract.index("severe"), start + abstract.index("pain")
    return {
        "id": str(number),
        "document_id": f"doc-{name}",
        "passages": [
            {"id": "p2", "type": "abstract", "text": [abstract], "offsets": [[start, start + len(abstract)]]},
            {"id": "p1", "type": "title", "text": [title], "offsets": [[0, len(title)]]},
        ],
        "entities": [
            {"id": "e1", "type": "Chemical", "text": [f"drug{name}"], "offsets": [[3, 7 + len(name)]],
             "normalized": [{"db_name": "MESH", "db_id": f"D{name}"}, {"db_name": "", "db_id": f"C{name}"}]},
            {"id": "e2", "type": "Disease", "text": ["severe", f"pain{name}"],
             "offsets": [[severe, severe + 6], [pain, pain + 4 + len(name)]], "normalized": []},
        ],
        "events": [],
        "coreferences": [],
        "relations": [{"id": "r1", "type": "CID", "arg1_id": "e1", "arg2_id": "e2", "normalized": []}],
    }  # fmt: skip


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a process needs to reach a Hub that has these datasets, and one with code of its own."""
    folder = tmp_path_factory.mktemp("hub")
    with HubServer(folder) as server, pytest.MonkeyPatch.context() as patch:
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        found = server.environment()
        api = HfApi(endpoint=server.endpoint, token=server.tokens["write"])
        for repository in ("ner", "labels", "scored", "entities_and_relations", "bigbio"):
            api.create_repo(f"user/{repository}", repo_type="dataset")
            for split, n in SPLITS.items():
                path = folder / f"{split}.parquet"
                rows(repository, split, n).to_parquet(str(path))
                api.upload_file(
                    path_or_fileobj=path.read_bytes(),
                    path_in_repo=f"data/{split}-00000-of-00001.parquet",
                    repo_id=f"user/{repository}",
                    repo_type="dataset",
                )
        api.create_repo("user/coded", repo_type="dataset")
        api.upload_file(path_or_fileobj=b"x = 1", path_in_repo="coded.py", repo_id="user/coded", repo_type="dataset")
        yield {**os.environ, "HF_HUB_OFFLINE": "0", **found}


def build(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    words = (sys.executable, "-m", "bioft", "build", *words)
    code, shown = warm_process.run(Path.cwd(), words, environment)
    return subprocess.CompletedProcess(words, code, shown, shown)


def test_tags_have_the_names_of_the_hub(environment: dict[str, str], tmp_path: Path) -> None:
    answer = build(environment, "entities", "user/ner", "-o", str(tmp_path / "out"))
    assert answer.returncode == 0, answer.stderr
    dataset, manifest = storage.load(tmp_path / "out")
    assert {name: len(its) for name, its in dataset.items()} == SPLITS
    assert dataset["test"][3]["entities"] == [
        {"id": "-1", "type": "Disease", "start": 7, "end": 25, "text": "renal failuretest3"}
    ]
    (source,) = manifest["sources"]
    assert source["name"] == "user/ner" and len(source["version"]) == 40


def test_labels_and_pairs(environment: dict[str, str], tmp_path: Path) -> None:
    answer = build(environment, "labels", "user/labels", "-o", str(tmp_path / "labels"))
    assert answer.returncode == 0, answer.stderr
    assert storage.load(tmp_path / "labels")[0]["test"]["label"][:2] == ["no", "yes"]
    answer = build(environment, "pairs", "user/scored", "-o", str(tmp_path / "pairs"))
    assert answer.returncode == 0, answer.stderr
    assert storage.load(tmp_path / "pairs")[0]["test"]["score"][:3] == [0.0, 0.25, 0.5]


def test_entities_with_relations(environment: dict[str, str], tmp_path: Path) -> None:
    answer = build(environment, "relations", "user/entities_and_relations", "-o", str(tmp_path / "out"))
    assert answer.returncode == 0, answer.stderr
    dataset, _ = storage.load(tmp_path / "out")
    assert {name: its.to_list() for name, its in dataset.items()} == {
        split: [own_document(f"{split}{i}") for i in range(n)] for split, n in SPLITS.items()
    }


def test_bigbio_documents(environment: dict[str, str], tmp_path: Path) -> None:
    answer = build(environment, "relations", "user/bigbio", "-o", str(tmp_path / "relations"))
    assert answer.returncode == 0, answer.stderr
    dataset, manifest = storage.load(tmp_path / "relations")
    assert {name: len(its) for name, its in dataset.items()} == SPLITS
    assert manifest["read"] == {"documents": 62, "mentions in several pieces, taken from first to last": 62}
    row = dataset["test"][3]
    text = "On drugtest3.  It causes severe renal and liver paintest3."
    concepts = ["MESH:Dtest3|Ctest3", "doc-test3:e2"]
    assert (row["document_id"], row["text"]) == ("doc-test3", text)
    assert row["entities"] == [
        {"id": concepts[0], "type": "Chemical", "start": 3, "end": 12, "text": "drugtest3"},
        {"id": concepts[1], "type": "Disease", "start": 25, "end": 57, "text": "severe renal and liver paintest3"},
    ]
    # One to each of the concepts of a mention, as in PubTator.
    heads = concepts[0].split("|")
    assert row["relations"] == [{"type": "CID", "head": head, "tail": concepts[1]} for head in heads]
    answer = build(environment, "entities", "user/bigbio", "--types", "Chemical", "-o", str(tmp_path / "entities"))
    assert answer.returncode == 0, answer.stderr
    assert storage.load(tmp_path / "entities")[1]["rows"]["test"] == {"documents": 12, "Chemical": 12}


def test_a_folder_that_looks_like_such_a_dataset_reads_the_same(tmp_path: Path) -> None:
    for repository, start in (("entities_and_relations", "train0"), ("bigbio", "doc-train0")):
        folder = tmp_path / repository
        folder.mkdir()
        for split, n in SPLITS.items():
            rows(repository, split, n).to_parquet(str(folder / f"{split}-00000-of-00001.parquet"))
        dataset, _ = build_relations([folder])
        assert {name: len(its) for name, its in dataset.items()} == SPLITS
        assert dataset["train"][0]["document_id"] == start and dataset["train"][0]["relations"]


def test_the_first_rows_of_a_dataset_are_streamed_and_the_rest_is_counted(
    environment: dict[str, str], tmp_path: Path
) -> None:
    answer = build(environment, "labels", "user/labels", "--max-rows", "11", "-o", str(tmp_path / "out"))
    assert answer.returncode == 0, answer.stderr
    dataset, manifest = storage.load(tmp_path / "out")
    assert {name: len(its) for name, its in dataset.items()} == {"train": 11, "validation": 10, "test": 11}
    assert dataset["train"]["text"][:] == [f"text {i} of train" for i in range(11)]
    assert manifest["notes"] == [
        "of user/labels, train, the first 11 rows of 40 were read (--max-rows)",
        "of user/labels, test, the first 11 rows of 12 were read (--max-rows)",
    ]
    assert manifest["arguments"]["max_rows"] == 11
    prepared = [file for file in Path(environment["HF_HOME"]).rglob("*.arrow") if "labels" in str(file)]
    assert len(prepared) <= len(SPLITS), "the whole dataset was fetched"


def test_a_large_dataset_is_refused_without_a_number_of_rows(environment: dict[str, str], tmp_path: Path) -> None:
    script = "from bioft.datasets.formats import hub; hub.LARGEST = 1000; hub.of_hub('user/labels', None, None)"
    answer = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert "is read whole up to 0.0 GB. Say how many rows are enough: --max-rows 100000" in answer.stderr
    answer = build(environment, "labels", __file__, "--max-rows", "3", "-o", str(tmp_path / "out"))
    assert "--max-rows is for data on the Hub; files are read whole" in answer.stderr


def test_what_can_not_be_read_is_said(environment: dict[str, str], tmp_path: Path) -> None:
    answer = build(environment, "labels", "user/ner", "-o", str(tmp_path / "out"))
    assert "no column for --label-column: name it. Its columns: id, tokens, ner_tags" in answer.stderr
    answer = build(environment, "relations", "user/ner", "-o", str(tmp_path / "out"))
    assert "user/ner train has no columns text, entities and relations, nor BigBio's passages" in answer.stderr
    answer = build(environment, "labels", "user/coded", "-o", str(tmp_path / "out"))
    assert "needs code of its own, which bioft does not run" in answer.stderr
    assert "--revision refs/convert/parquet" in answer.stderr
