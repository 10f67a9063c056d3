"""Pairs of abstracts from CSV: the published overlap, the new split, what is left out, and bad files."""

import gzip

import pytest

from bioft.datasets.pubmed import published_pairs as pubmed_pairs
from bioft.errors import BioftError
from bioft.storage import datasets as storage
from bioft.storage.text_lines import normalise

HEAD = "text1,text2,label\n"


@pytest.fixture
def write(tmp_path):
    def write(content, name="pairs.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_published_sets(shared_data, tmp_path):
    """The overlap that the source states: 256 of the 360 test texts are in training. After the new split none is."""
    folder = shared_data / "pubmed_pairs"
    names = ["train_small.csv.gz", "val_small.csv.gz", "test_small.csv.gz", "val.csv.gz"]
    dataset, manifest = pubmed_pairs.build([folder / name for name in names])
    shared = {
        (each["file"], each["other"]): (each["texts"], each["shared"])
        for each in manifest["audit"]["published_overlap"]
    }
    assert shared["test_small.csv.gz", "train_small.csv.gz"] == (360, 256)
    assert shared["val_small.csv.gz", "train_small.csv.gz"] == (190, 133)
    assert shared["val_small.csv.gz", "val.csv.gz"] == (190, 190)
    assert shared["val.csv.gz", "train_small.csv.gz"][1] == 550
    left_out = manifest["left_out"]
    assert left_out["pairs of a text with itself"] == 4
    kept = sum(map(len, dataset.values()))
    assert (
        kept
        + left_out["pairs of a text with itself"]
        + left_out["repeated pairs"]
        + left_out["negatives between splits"]
        == 1878
    )
    texts = [{normalise(t) for c in ("sentence1", "sentence2") for t in rows[c]} for rows in dataset.values()]
    assert sum(map(len, texts)) == len(set.union(*texts))
    storage.save(dataset, manifest, tmp_path / "pairs")
    assert storage.load(tmp_path / "pairs")[0]["test"].to_list() == dataset["test"].to_list()


def test_positives_stay_together_and_negatives_between_splits_go(write):
    """Chains of three texts that positives join; a negative joins each chain to the next one."""
    rows = "".join(
        f'"a{i}","b{i}, too",1\nb{i} Too,c{i},1\na{i},a{(i + 1) % 40},0\n"a{i}!","b{i}  too",1\n' for i in range(40)
    )
    dataset, manifest = pubmed_pairs.build([write(HEAD + rows + "same,Same!,1\nx,y,0\ny,x,1\n")])
    positives = [(row["sentence1"], row["sentence2"]) for rows in dataset.values() for row in rows if row["score"]]
    assert sorted(positives) == sorted(
        pair for i in range(40) for pair in ((f"a{i}", f"b{i}, too"), (f"b{i} Too", f"c{i}"))
    )
    negatives = sum(not row["score"] for rows in dataset.values() for row in rows)
    between = manifest["left_out"]["negatives between splits"]
    assert 0 < between < 40
    assert negatives == 40 - between
    assert manifest["left_out"] == {
        "pairs of a text with itself": 1,
        "repeated pairs": 41,
        "pairs with both labels": 1,
        "negatives between splits": between,
    }
    for rows in dataset.values():
        for row in rows:
            if row["score"]:
                number = row["sentence1"][1:].removesuffix(" Too")
                assert {each["group"] for each in rows if each["sentence1"] == f"a{number}"} == {row["group"]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\nx,y\n", r"has no column text1 and no column text2 and no column label\. Columns found .*: a, b"),
        (HEAD + "x,y,1\nx,z,2\n", r"line 3: the label is '2'"),
        (HEAD + "x,y,1\n\n\nx, ,0\n", r"line 5: a text is empty"),
        (HEAD + "x,y\n", r"line 2: . fields where the header has 3 columns"),
        (HEAD + "x,y,1,z\n", r"line 2: . fields where the header has 3 columns"),
        (HEAD + 'x,"y\nz,0\n', r"not a row of a table"),
        (HEAD, "No pairs in"),
        (gzip.compress((HEAD + "x,y,1\n" * 99).encode(), mtime=0)[:40], "truncated gzip file"),
        (HEAD.encode() + b"\xe4,y,1\n", "line 2: byte 0xe4"),
        (HEAD + "x,y,1\nz,w,0\n", "No rows left for split"),
    ],
)
def test_bad_files(write, content, message):
    with pytest.raises(BioftError, match=message):
        pubmed_pairs.build([write(content)])


def test_files_of_the_same_name(write, tmp_path):
    (tmp_path / "other").mkdir()
    first = write(HEAD + "x,y,1\n")
    second = write(HEAD + "x,y,1\n", "other/pairs.csv")
    with pytest.raises(BioftError, match="same name"):
        pubmed_pairs.build([first, second])
