"""Datasets on disk: exact round trips, nothing half written, nothing of the user's overwritten."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, DatasetDict
from hypothesis import given, settings, strategies as st

from bioft.errors import BioftError
from bioft.storage import datasets as storage


def example(n: int = 30) -> tuple[DatasetDict, dict[str, Any]]:
    dataset = DatasetDict(
        {
            name: Dataset.from_dict({"gene": [f'G{i}\t"é' for i in range(n)], "label": [i % 2 for i in range(n)]})
            for name in ("train", "validation", "test")
        }
    )
    fingerprints = {name: storage.fingerprint(rows) for name, rows in dataset.items()}
    return dataset, {"schema_version": 1, "note": "größer", "fingerprints": fingerprints}


def test_what_was_found_of_the_same_rows_is_remembered_and_cannot_be_changed() -> None:
    asked: list[int] = []

    @storage.remembered
    def count(splits: Any, *others: Dataset, least: int = 0) -> dict[str, list[int]]:
        asked.append(least)
        return {"rows": [len(rows) for rows in splits.values()]}

    first = count(example()[0], example(5)[0]["test"])
    assert first == {"rows": [30, 30, 30]}
    first["rows"].append(1)
    assert count(example()[0], example(5)[0]["test"]) == {"rows": [30, 30, 30]}
    assert asked == [0], "other objects with the same rows"
    renamed = {f"its {name}": rows for name, rows in example()[0].items()}
    edited = example()[0] | {"test": example()[0]["test"].select([1, 0, *range(2, 30)])}
    for other in (renamed, edited):
        count(other, example(5)[0]["test"])
    count(example()[0], example(6)[0]["test"])
    count(example()[0], example(5)[0]["test"], least=3)
    assert asked == [0, 0, 0, 0, 3]
    with pytest.raises(TypeError, match="object has no fingerprint"):
        count({"train": object()})


def test_what_was_asked_for_longest_ago_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "_ANSWERS", {})
    monkeypatch.setattr(storage, "REMEMBERED", 2)
    asked: list[int] = []
    remembered = storage.remembered(asked.append)
    for number in (1, 2, 1, 3, 1, 2):
        remembered(number)
    assert asked == [1, 2, 3, 2]


def test_round_trip(tmp_path: Path) -> None:
    dataset, manifest = example()
    directory = storage.save(dataset, manifest, tmp_path / "a" / "b", card="# Card\n")
    assert directory == tmp_path / "a" / "b"
    loaded, read = storage.load(directory)
    assert read == manifest
    assert {name: rows.to_dict() for name, rows in loaded.items()} == {
        name: rows.to_dict() for name, rows in dataset.items()
    }
    assert loaded["train"].features == dataset["train"].features
    assert (directory / "README.md").read_text() == "# Card\n"
    assert {path.name for path in (tmp_path / "a").iterdir()} == {"b"}


def test_the_hub_library_reads_it_as_it_is(tmp_path: Path) -> None:
    dataset, manifest = example()
    directory = storage.save(dataset, manifest, tmp_path / "x")
    loaded = datasets.load_dataset(str(directory), cache_dir=str(tmp_path / "cache"))
    assert {name: rows.to_dict() for name, rows in loaded.items()} == {
        name: rows.to_dict() for name, rows in dataset.items()
    }


def test_rows_selected_from_a_larger_table_are_saved_alone(tmp_path: Path) -> None:
    dataset, manifest = example()
    dataset["train"] = dataset["train"].select([5, 3, 4])
    manifest["fingerprints"]["train"] = storage.fingerprint(dataset["train"])
    loaded, _ = storage.load(storage.save(dataset, manifest, tmp_path / "x"))
    assert loaded["train"]["label"][:] == [1, 1, 0]


def test_fingerprint_is_known() -> None:
    """A constant: it must not change with the platform or with a library's version."""
    rows = Dataset.from_dict({"gene": ["BRCA1", "é\t\n"], "label": [1, 0]})
    # printf '["gene","label"]\n["BRCA1",1]\n["é\\t\\n",0]\n' | sha256sum
    assert storage.fingerprint(rows) == "8b28df321fc0a7d6faad8e257d3627924ffb1316d2b2dabd1cbda79ba851d401"


VALUES = st.lists(st.tuples(st.text(), st.integers(0, 1)), min_size=1, max_size=8)


@settings(deadline=None)
@given(VALUES, VALUES)
def test_fingerprints_are_equal_exactly_when_the_rows_are(first: list[Any], second: list[Any]) -> None:
    one, two = (Dataset.from_dict({"a": [v[0] for v in rows], "b": [v[1] for v in rows]}) for rows in (first, second))
    assert (storage.fingerprint(one) == storage.fingerprint(two)) == (first == second)
    assert storage.fingerprint(one) != storage.fingerprint(one.rename_column("a", "c"))


def test_an_edited_split_is_found_out(tmp_path: Path) -> None:
    dataset, manifest = example()
    directory = storage.save(dataset, manifest, tmp_path / "x")
    table = pq.read_table(directory / "test.parquet").to_pydict()
    table["label"][7] = 1 - table["label"][7]
    Dataset.from_dict(table).to_parquet(str(directory / "test.parquet"))
    with pytest.raises(BioftError, match=r"test\.parquet is not the split that manifest\.json describes"):
        storage.load(directory)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("train.parquet", None, "Can't read split 'train'"),
        ("train.parquet", b"PAR1 no more", "Can't read split 'train'"),
        ("manifest.json", None, "is not a bioft dataset: no manifest.json"),
        ("manifest.json", b"{", "is not a bioft manifest"),
        ("manifest.json", b"[]", "is not a bioft manifest"),
        ("manifest.json", b'{"schema_version": 1, "fingerprints": {}}', "it names no split"),
        ("manifest.json", b'{"schema_version": 1, "fingerprints": ["train"]}', "its fingerprints is"),
        ("manifest.json", b'{"schema_version": 1, "fingerprints": {"a": ""}, "rows": null}', "its rows is null"),
        ("manifest.json", b'{"schema_version": 99, "fingerprints": {}}', "schema version 99"),
    ],
)
def test_broken_datasets(tmp_path: Path, file: str, content: bytes | None, message: str) -> None:
    directory = storage.save(*example(), tmp_path / "x")
    (directory / file).unlink()
    if content is not None:
        (directory / file).write_bytes(content)
    with pytest.raises(BioftError, match=message):
        storage.load(directory)


def test_a_file_or_nothing_in_the_place_of_a_dataset(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").touch()
    with pytest.raises(BioftError, match=r"There is no folder .*pairs\. Did you mean 'pairs\.csv'\? Datasets are"):
        storage.load(tmp_path / "pairs")
    with pytest.raises(BioftError, match=r"pairs\.csv is a file: name a folder\. Datasets are folders that"):
        storage.load(tmp_path / "pairs.csv")


def tree(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_an_existing_dataset_is_replaced_only_when_asked(tmp_path: Path) -> None:
    storage.save(*example(10), tmp_path / "x", card="old")
    before = tree(tmp_path)
    with pytest.raises(BioftError, match="--overwrite"):
        storage.save(*example(20), tmp_path / "x")
    assert tree(tmp_path) == before
    (tmp_path / "x" / "inspection").mkdir()
    (tmp_path / "x" / "inspection" / "plot.png").write_bytes(b"")
    storage.save(*example(20), tmp_path / "x", overwrite=True)
    assert len(storage.load(tmp_path / "x")[0]["train"]) == 20
    assert set(tree(tmp_path)) == {f"x/{name}" for name in (*before_names(before), "manifest.json")}


def before_names(files: dict[str, bytes]) -> list[str]:
    return [Path(name).name for name in files if name.endswith(".parquet")]


@pytest.mark.parametrize("with_dataset", [True, False])
@pytest.mark.parametrize("name", ["notes.txt", "more.parquet"])
def test_the_users_own_files_are_never_overwritten(tmp_path: Path, with_dataset: bool, name: str) -> None:
    target = tmp_path / "x"
    if with_dataset:
        storage.save(*example(), target)
    target.mkdir(exist_ok=True)
    (target / name).write_text("mine")
    before = tree(tmp_path)
    with pytest.raises(BioftError, match="is not overwritten"):
        storage.save(*example(5), target, overwrite=True)
    assert tree(tmp_path) == before


def test_a_file_in_the_place_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("mine")
    with pytest.raises(BioftError, match="is a file"):
        storage.save(*example(), tmp_path / "x", overwrite=True)
    assert (tmp_path / "x").read_text() == "mine"


def test_an_empty_directory_is_used(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    storage.save(*example(), tmp_path / "x")
    assert {path.name for path in tmp_path.iterdir()} == {"x"}


def test_a_manifest_of_other_rows_is_refused(tmp_path: Path) -> None:
    dataset, manifest = example()
    dataset["test"] = dataset["test"].select(range(5))
    with pytest.raises(BioftError, match="fingerprint of split 'test'"):
        storage.save(dataset, manifest, tmp_path / "x")
    assert not list(tmp_path.iterdir())


PROGRAM = """
import resource, sys
sys.path.insert(0, {here!r})
from test_datasets import example
from bioft.storage import datasets as storage
from bioft.errors import BioftError
dataset, manifest = example(20_000)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    storage.save(dataset, manifest, {target!r}, overwrite=True)
except BioftError as error:
    print(error)
"""


@pytest.mark.parametrize("existing", [True, False])
def test_when_the_disk_takes_no_more_nothing_is_left_behind(tmp_path: Path, existing: bool) -> None:
    """A limit on file sizes makes the operating system refuse the write, as a full disk does."""
    pytest.importorskip("resource")
    if existing:
        storage.save(*example(), tmp_path / "x")
    before = tree(tmp_path)
    program = PROGRAM.format(here=str(Path(__file__).parent), target=str(tmp_path / "x"))
    root = Path(__file__).parents[2]
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=root, check=True)
    assert f"Can't write to {tmp_path / 'x'}" in found.stdout
    assert "MB free" in found.stdout
    assert tree(tmp_path) == before
    assert {path.name for path in tmp_path.iterdir()} == ({"x"} if existing else set())


def test_manifest_is_readable_by_people(tmp_path: Path) -> None:
    text = (storage.save(*example(), tmp_path / "x") / "manifest.json").read_text(encoding="utf-8")
    assert "größer" in text
    assert json.loads(text)["note"] == "größer"
