"""Served indexes: `bioft search` finds over HTTP, in one or several, what it finds in folders; what is refused."""

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import uvicorn
from starlette.testclient import TestClient

from bioft.errors import BioftError
from bioft.search.encoder import SearchEncoder, load_encoder
from bioft.search.remote import RemoteIndexes, open_named
from bioft.serve import app as server
from tests.search.test_index import run
from tests.tiny import write_encoder

ARTICLES = {
    "a": [
        ("1", "Heart pain of the old", 1999, ["Humans"]),
        ("2", "Kidney failure", 2001, ["Mice"]),
        ("5", "A broken arm", 2010, ["Rats"]),
    ],
    "b": [
        ("1", "Heart pain of the old", 1999, ["Humans"]),
        ("3", "Fever of young children", None, []),
        ("4", "Kidney and heart failure. The kidney fails.", 2005, ["Humans"]),
    ],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two indexes that share an article, in one folder; and one of another encoder."""
    folder = tmp_path_factory.mktemp("served")
    encoder = write_encoder(folder / "encoder")
    for name, rows in ARTICLES.items():
        keys = ("id", "text", "year", "mesh")
        lines = [json.dumps(dict(zip(keys, row, strict=True))) for row in rows]
        (folder / f"{name}.jsonl").write_text("\n".join(lines))
        run("index", encoder, folder / f"{name}.jsonl", "-o", folder / "indexes" / name)
    run("index", write_encoder(folder / "roberta", "roberta"), folder / "a.jsonl", "-o", folder / "other")
    return folder


@pytest.fixture(scope="module")
def encoder(folder: Path) -> SearchEncoder:
    return load_encoder(str(folder / "encoder"))


@contextmanager
def listening(words: list[str], token: str | None = None) -> Iterator[str]:
    """The address of a server in this process."""
    searched, runs = server.open_indexes(words)
    assert runs == []
    with ThreadPoolExecutor(1) as thread, socket.create_server(("127.0.0.1", 0)) as free:
        app = server.build([], thread, token, 100, 1_000_000, searched)
        running = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        waiting = threading.Thread(target=running.run, args=([free],))
        waiting.start()
        yield f"http://127.0.0.1:{free.getsockname()[1]}/indexes"
        running.should_exit = True
        waiting.join()


@pytest.fixture(scope="module")
def addresses(folder: Path) -> Iterator[list[str]]:
    """Two servers, one for each index; the first serves that of another encoder too."""
    with ExitStack() as stack:
        first = stack.enter_context(listening([str(folder / "indexes" / "a"), f"odd={folder / 'other'}"]))
        second = stack.enter_context(listening([f"mine={folder / 'indexes' / 'b'}"]))
        yield [f"{first}/a", f"{second}/mine", f"{first}/odd"]


@pytest.mark.parametrize(
    "filters", [{}, {"from_year": 2000}, {"mesh": ["humans"]}, {"mesh": ["Rats"]}, {"to_year": 1}]
)
def test_what_is_found_is_what_shards_find(
    filters: dict[str, object], folder: Path, addresses: list[str], encoder: SearchEncoder
) -> None:
    """One served index as its folder, two as the folder that holds both; by words, by meaning, and by both."""
    queries = ["kidney failure", "heart pain", "an arm"]
    vectors = encoder.encode_queries(queries)
    for places, local in ((addresses[:1], "indexes/a"), (addresses[:2], "indexes")):
        served, opened = open_named(", ".join(places)), open_named(str(folder / local))
        assert len(served) == len(opened)
        for given in ((vectors, None), (None, queries), (vectors, queries)):
            try:
                expected = opened.search_all(*given, 3, **filters)
            except BioftError as error:
                with pytest.raises(BioftError, match=str(error)[:40]):
                    served.search_all(*given, 3, **filters)
                continue
            for one, other in zip(served.search_all(*given, 3, **filters), expected, strict=True):
                assert [hit._replace(row=0, score=None) for hit in one] == [
                    hit._replace(row=0, score=None) for hit in other
                ]
                assert [hit.score for hit in one] == pytest.approx([hit.score for hit in other])
                texts = opened.texts([hit.row for hit in other])
                assert served.texts([hit.row for hit in one]) == texts


def test_the_command_searches_served_indexes(folder: Path, addresses: list[str], tmp_path: Path) -> None:
    both = ",".join(addresses[:2])
    served, local = (
        json.loads(run("search", each, "kidney failure", "--json")) for each in (both, folder / "indexes")
    )
    assert [each | {"score": pytest.approx(each["score"])} for each in local] == served
    (tmp_path / "queries.tsv").write_text("".join(f"q{number}\tkidney\n" for number in range(70)))
    (tmp_path / "qrels.txt").write_text("q0 0 2 1\nq69 0 4 1\n")
    asked = ["search", both, "--input", tmp_path / "queries.tsv", "--qrels", tmp_path / "qrels.txt", "--json"]
    assert json.loads(run(*asked))["systems"]["words"]["recall_at_100"] == pytest.approx(
        {"value": 1, "low": 1, "high": 1, "n": 2}, abs=1
    )
    assert "not for one that is served" in run("search", both, "--near-duplicates", code=1)


def test_the_command_serves_indexes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards as one, under the name that they are given; what is served by name of the folder."""
    given: list[Any] = []
    monkeypatch.setattr(server, "serve", lambda *arguments: given.append(arguments))
    run("serve", f"mine={folder / 'indexes'}", folder / "other")
    ((runs, *_, searched),) = given
    assert runs == [] and [(each.name, len(each.index)) for each in searched] == [("mine", 6), ("other", 3)]
    with TestClient(server.build([], ThreadPoolExecutor(1), None, 10, 1000, searched)) as client:
        told = client.get("/health").json()["indexes"]
        assert [(each["path"], each["count"]) for each in told] == [
            ("/indexes/mine/search", 6),
            ("/indexes/other/search", 3),
        ]
        assert "/indexes/mine" in client.get("/").text and "6 articles" in client.get("/").text


def test_what_is_refused(folder: Path, addresses: list[str], encoder: SearchEncoder) -> None:
    with pytest.raises(BioftError, match="are of different models"):
        RemoteIndexes([addresses[0], addresses[2]])
    with pytest.raises(BioftError, match=r"No index of `bioft serve` answers at http://127\.0\.0\.1:9/x"):
        RemoteIndexes(["http://127.0.0.1:9/x"])
    with pytest.raises(BioftError, match="/indexes/b: Not Found"):
        RemoteIndexes([addresses[0].replace("/a", "/b")])
    served = RemoteIndexes(addresses[:1])
    with pytest.raises(BioftError, match="Exchange them"):
        served.search(None, query="arm", from_year=2001, to_year=2000)
    with pytest.raises(BioftError, match="ask for at least 1"):
        served.search(None, 0, "arm")
    for body, problem in (
        ({"depth": 3}, "Give 1 to 100 queries"),
        ({"depth": 3, "queries": ["a"], "vectors": []}, "Give 1 to 100"),
        ({"depth": 3, "vectors": [[1.0]]}, "have 32 dimensions"),
        ({"depth": 0, "queries": ["a"]}, "depth: input should be greater"),
        ({"depth": 3, "query": "a"}, "query: extra inputs"),
    ):
        answer = requests.post(f"{addresses[0]}/search", json=body, timeout=60)
        assert answer.status_code == 422 and problem in answer.json()["detail"], answer.text
    assert requests.post(f"{addresses[0]}/texts", json={"rows": [9]}, timeout=60).status_code == 422
    with pytest.raises(BioftError, match="Two indexes would be served as a"):
        server.open_indexes([str(folder / "indexes" / "a")] * 2)
    assert server.open_indexes(["tests", "ner=tests"]) == ([], ["tests", "ner=tests"])


def test_a_token_is_borne(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening([str(folder / "indexes" / "a")], "secret") as address:
        with pytest.raises(BioftError, match="asks for a token: set BIOFT_TOKEN"):
            RemoteIndexes([f"{address}/a"])
        monkeypatch.setenv("BIOFT_TOKEN", "secret")
        assert [hit.id for hit in RemoteIndexes([f"{address}/a"]).search(None, query="arm")] == ["5"]
