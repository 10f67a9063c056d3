"""Several indexes as one: each article once, and what one index of all would find."""

import json
from pathlib import Path

import numpy as np
import pytest

from bioft.errors import BioftError
from bioft.search import shards
from bioft.search.encoder import SearchEncoder, load_encoder
from bioft.search.index import SearchIndex, open_index
from tests.search.test_index import run
from tests.tiny import write_encoder

SHARED = ("1", "Heart pain of the old", 1999, ["Humans"])
FILES = {
    "a.jsonl": [SHARED, ("2", "Kidney failure", 2001, ["Mice"])],
    "b.jsonl": [
        ("3", "Fever of young children", None, []),
        SHARED,
        ("4", "Kidney and heart failure", 2005, ["Humans"]),
    ],
    "c.jsonl": [("5", "A broken arm", 2010, ["Rats"])],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three files, of which two share an article; an index of all, and one of two shards."""
    folder = tmp_path_factory.mktemp("shards")
    encoder = write_encoder(folder / "encoder")
    for name, rows in FILES.items():
        keys = ("id", "text", "year", "mesh")
        (folder / name).write_text("\n".join(json.dumps(dict(zip(keys, row, strict=True))) for row in rows))
    files = [folder / name for name in FILES]
    run("index", encoder, *files, "-o", folder / "whole")
    assert "Indexed 3 articles" in run("index", encoder, *files, "-o", folder / "index", "--shard", "1/2")
    message = run("search", folder / "index", "heart", code=1)
    assert "lacks 1 of 2 shards: 2/2" in message.replace("\n", " ")
    assert "Indexed 3 articles" in run("index", encoder, *files[::-1], "-o", folder / "index", "--shard", "2/2")
    return folder


@pytest.fixture(scope="module")
def encoder(folder: Path) -> SearchEncoder:
    return load_encoder(str(folder / "encoder"))


def test_each_article_is_in_the_shards_and_found_once(folder: Path, encoder: SearchEncoder) -> None:
    index = shards.open_searchable(folder / "index")
    assert len(index) == 6 and [len(each) for each in index.shards] == [3, 3]
    query = "kidney failure"
    for vector, words in ((encoder.encode_query(query), ""), (encoder.encode_query(query), query), (None, "heart")):
        hits = index.search(vector, 9, words)
        found = [hit.id for hit in hits]
        assert len(found) == len(set(found)) and [hit.rank for hit in hits] == [*range(1, len(hits) + 1)]
        assert {*found} == ({"1", "4"} if vector is None else {"1", "2", "3", "4", "5"})
        assert [hit.id for hit in index.search(vector, 2, words)] == found[:2]
        texts = {identifier: text for rows in FILES.values() for identifier, text, *_ in rows}
        assert index.texts([hit.row for hit in hits]) == [texts[hit.id] for hit in hits]


def test_meaning_finds_what_it_finds_in_one_index(folder: Path, encoder: SearchEncoder) -> None:
    sharded, whole = shards.open_searchable(folder / "index"), shards.open_searchable(folder / "whole")
    assert isinstance(whole, SearchIndex)
    vectors = encoder.encode_queries(["heart pain", "fever", "an arm"])
    for filters in ({}, {"from_year": 2000}, {"mesh": ["humans"]}, {"mesh": ["Rats"]}, {"to_year": 1900}):
        pairs = zip(*(each.search_all(vectors, None, 3, **filters) for each in (sharded, whole)), strict=True)
        for one, other in pairs:
            assert [(hit.id, hit.year, hit.title) for hit in one] == [(hit.id, hit.year, hit.title) for hit in other]
            np.testing.assert_allclose([hit.score for hit in one], [hit.score for hit in other], atol=1e-6)
    with pytest.raises(BioftError, match="has the MeSH term 'Rat'"):
        sharded.search(vectors[0], mesh=["Rat"])


def test_what_is_shown_is_kept_once_much_of_it_was_read(folder: Path) -> None:
    """Reading a few articles is sooner than reading all; reading a few again and again is not."""
    index = open_index(folder / "whole")
    first = index.shown([4, 0, 2])
    assert "articles" not in vars(index) and index.ids([4]) == [first[0]["id"]]
    assert "articles" in vars(index) and index.shown([4, 0, 2]) == first
    assert [each["year"] for each in first] == [2010, 1999, None]


def test_the_commands_take_shards(folder: Path) -> None:
    (found,) = json.loads(run("search", folder / "index", "a broken arm", "--words", "--json"))
    assert (found["id"], found["sentence"]) == ("5", "") and "row" not in found
    (folder / "queries.tsv").write_text("q1\tbroken\nq2\tkidney\n")
    (folder / "qrels.txt").write_text("q1 0 5 1\nq2 0 2 1\n")
    asked = ["search", folder / "index", "--input", folder / "queries.tsv", "--qrels", folder / "qrels.txt", "--json"]
    assert json.loads(run(*asked))["systems"]["words"]["recall_at_100"]["value"] == 1
    assert "holds several indexes" in run("topics", folder / "index", code=1)


def test_what_makes_no_shards_is_refused(folder: Path, tmp_path: Path) -> None:
    files = [folder / name for name in FILES]
    for shard, message in (
        ("0/2", "names no shard"),
        ("3/2", "names no shard"),
        ("half", "no shard"),
        ("1/4", "3 files"),
    ):
        with pytest.raises(BioftError, match=message):
            shards.part(files, shard)
    dealt = [shards.part(files, f"{number}/3")[0] for number in (1, 2, 3)]
    assert [path.name for part in dealt for path in part] == [*FILES], "each file once"
    for name, encoder in (("one", folder / "encoder"), ("other", write_encoder(tmp_path / "encoder", "roberta"))):
        run("index", encoder, files[0], "-o", tmp_path / "index" / name)
    with pytest.raises(BioftError, match="are of different models"):
        shards.open_searchable(tmp_path / "index")
    assert len(open_index(tmp_path / "index" / "one")) == 2
