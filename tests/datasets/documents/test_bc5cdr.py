"""BC5CDR: the official counts of the real files, every way to give them, and files that are not the official ones."""

import gzip
import shutil
import zipfile
from pathlib import Path

import pytest

from bioft.datasets.documents import bc5cdr
from bioft.datasets.documents.pubtator import concepts
from bioft.errors import BioftError
from bioft.storage.files import file_sha256


@pytest.fixture(scope="module")
def real(shared_data: Path) -> Path:
    return shared_data / "bc5cdr"


@pytest.fixture
def copy(real: Path, tmp_path: Path) -> Path:
    """The real files, unpacked, to be changed by a test."""
    folder = tmp_path / "copy"
    folder.mkdir()
    for name in bc5cdr.FILES.values():
        (folder / name).write_bytes(gzip.decompress((real / f"{name}.gz").read_bytes()))
    return folder


def test_official_counts(real: Path) -> None:
    dataset, manifest = bc5cdr.build(real)
    assert {split: len(rows) for split, rows in dataset.items()} == {"train": 500, "validation": 500, "test": 500}
    entities = [entity for rows in dataset.values() for found in rows["entities"] for entity in found]
    assert sum(entity["type"] == "Chemical" for entity in entities) == 15_935
    assert sum(entity["type"] == "Disease" for entity in entities) == 12_850
    relations = [relation for rows in dataset.values() for found in rows["relations"] for relation in found]
    assert len(relations) == 3_116
    assert {relation["type"] for relation in relations} == {"CID"}
    assert manifest["rows"] == bc5cdr.COUNTS
    assert sum(entity["id"] == "-1" for entity in entities) == 226
    assert sum(len(concepts(entity["id"])) > 1 for entity in entities) == 272  # one more is "-1" and an id
    assert manifest["split"] == {"strategy": "official"}
    assert [source["name"] for source in manifest["sources"]] == [f"{name}.gz" for name in bc5cdr.FILES.values()]
    assert manifest["sources"][0]["sha256"] == file_sha256(real / "CDR_TrainingSet.PubTator.txt.gz")
    assert "baw068" in manifest["sources"][0]["citation"]


def test_every_offset_of_the_rows_gives_the_mention(real: Path) -> None:
    dataset, _ = bc5cdr.build(real)
    for rows in dataset.values():
        for row in rows:
            ends = [0]
            for entity in row["entities"]:
                assert row["text"][entity["start"] : entity["end"]] == entity["text"]
                assert entity["start"] >= ends[-1]  # in the order of the text, without overlap
                ends.append(entity["end"])


def test_zip_file_and_unpacked_folder_give_the_same(real: Path, copy: Path, tmp_path: Path) -> None:
    _, expected = bc5cdr.build(real)
    archive = tmp_path / "CDR_Data.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("__MACOSX/._CDR_TestSet.PubTator.txt", "not this one")
        for name in bc5cdr.FILES.values():
            packed.write(copy / name, f"CDR_Data/CDR.Corpus.v010516/{name}")
    for path in (copy.parent, archive):
        assert bc5cdr.build(path)[1]["fingerprints"] == expected["fingerprints"]


def failure(path: Path, skip_bad: bool = False) -> str:
    with pytest.raises(BioftError) as caught:
        bc5cdr.build(path, skip_bad=skip_bad)
    return str(caught.value)


def test_what_is_not_there(tmp_path: Path) -> None:
    assert "does not exist. Get the corpus with `bioft download bc5cdr`" in failure(tmp_path / "no")
    assert "holds no CDR_TrainingSet.PubTator.txt (or" in failure(tmp_path)
    (tmp_path / "x.zip").write_text("<html>")
    assert "no folder and no whole zip file" in failure(tmp_path / "x.zip")


def test_a_file_that_is_there_twice(copy: Path) -> None:
    shutil.copy(copy / "CDR_TestSet.PubTator.txt", copy / "CDR_TestSet.PubTator.txt.gz")
    assert "more than once: CDR_TestSet.PubTator.txt, CDR_TestSet.PubTator.txt.gz" in failure(copy)


@pytest.mark.parametrize("skip_bad", [True, False])
def test_other_numbers_than_the_official_ones(copy: Path, skip_bad: bool) -> None:
    """Nothing is wrong in the documents, so skipping has nothing to skip and the numbers must be right."""
    path = copy / "CDR_TestSet.PubTator.txt"
    documents = path.read_text(encoding="utf-8").split("\n\n")
    path.write_text("\n\n".join(documents[1:]), encoding="utf-8")
    message = failure(copy, skip_bad)
    assert "CDR_TestSet.PubTator.txt is not the official file: it has 499 documents (official: 500)" in message
    assert "bioft build pubtator" in message


def test_a_wrong_document_is_named_or_skipped_and_counted(copy: Path) -> None:
    path = copy / "CDR_DevelopmentSet.PubTator.txt"
    lines = path.read_text(encoding="utf-8").split("\n")
    fields = lines[2].split("\t")
    lines[2] = "\t".join([fields[0], str(int(fields[1]) + 1), str(int(fields[2]) + 1), *fields[3:]])
    path.write_text("\n".join(lines), encoding="utf-8")
    assert f"CDR_DevelopmentSet.PubTator.txt, document {fields[0]}, line 3: the mention" in failure(copy)
    dataset, manifest = bc5cdr.build(copy, skip_bad=True)
    assert fields[0] not in dataset["validation"]["document_id"]
    assert {split: left_out["documents"] for split, left_out in manifest["skipped"].items()} == {
        "train": 0,
        "validation": 1,
        "test": 0,
    }
    assert "line 3" in manifest["skipped"]["validation"]["first"][0]
    assert manifest["rows"]["validation"]["documents"] == 499
    assert manifest["arguments"] == {"skip_bad": True}
