"""Any dataset on the Hub by its columns: tokens with named tags, labels, scored pairs; what can't be read is said."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from datasets import ClassLabel, Dataset, Features, List, Value
from huggingface_hub import HfApi

from bioft.storage import datasets as storage
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
    columns = {
        "sentence1": [f"one {i} {split}" for i in range(n)],
        "sentence2": [f"other {i} {split}" for i in range(n)],
        "score": [i % 5 / 4 for i in range(n)],
    }
    return Dataset.from_dict(columns)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a process needs to reach a Hub that has these datasets, and one with code of its own."""
    folder = tmp_path_factory.mktemp("hub")
    with HubServer(folder) as server, pytest.MonkeyPatch.context() as patch:
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        found = server.environment()
        api = HfApi(endpoint=server.endpoint, token=server.tokens["write"])
        for repository in ("ner", "labels", "scored"):
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
    return subprocess.run(
        [sys.executable, "-m", "bioft", "build", *words], env=environment, capture_output=True, text=True, timeout=300
    )


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


def test_what_can_not_be_read_is_said(environment: dict[str, str], tmp_path: Path) -> None:
    answer = build(environment, "labels", "user/ner", "-o", str(tmp_path / "out"))
    assert "no column for --label-column: name it. Its columns: id, tokens, ner_tags" in answer.stderr
    answer = build(environment, "labels", "user/coded", "-o", str(tmp_path / "out"))
    assert "needs code of its own, which bioft does not run" in answer.stderr
    assert "--revision refs/convert/parquet" in answer.stderr
