"""The collector of PubMed against a loopback server: pages, faults, interruptions, large results."""

import json
import time
from collections import Counter

import pytest

from bioft.datasets.pubmed import articles as pubmed_articles, download as pubmed_download
from bioft.datasets.pubmed.download import PAUSE_SECONDS, collect
from bioft.errors import BioftError
from bioft.storage import retries
from tests.pubmed_server import PubmedServer, served


def records(n):
    return [
        f"<PubmedArticle><MedlineCitation><PMID>{i}</PMID></MedlineCitation></PubmedArticle>".encode()
        for i in range(n)
    ]


@pytest.fixture
def start(monkeypatch):
    """Makes a server the one that the collector asks; pages are small, and time passes when it sleeps only."""
    clock = [0.0]
    waits = []

    def sleep(seconds):
        waits.append(seconds)
        clock[0] += seconds

    monkeypatch.setattr(retries.time, "sleep", sleep)
    monkeypatch.setattr(retries.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(pubmed_download, "PAGE_SIZE", 10)
    stack = []

    def start(server):
        context = served(server)
        monkeypatch.setenv("BIOFT_EUTILS_URL", context.__enter__())
        stack.append(context)
        server.waits = waits
        return server

    yield start
    for context in stack:
        context.__exit__(None, None, None)


def collected(directory):
    found = [article.pmid for path in pubmed_articles.files([directory]) for article in pubmed_articles.iterate(path)]
    assert Counter(found).most_common(1)[0][1] == 1
    return set(found)


def test_real_records_come_unchanged(start, shared_data, tmp_path):
    """All of a real file, books too, in pages; what is parsed is what the file itself gives."""
    file = shared_data / "pubmed" / "solitude6060_fulltext_search.xml.gz"
    server = start(PubmedServer.of_files([file]))
    directory = collect("pubmed", tmp_path / "out", email="me@example.org")
    assert server.count("efetch") == 22
    assert Counter(pubmed_articles.read([directory])[0]) == Counter(pubmed_articles.read([file])[0])
    assert pubmed_articles.read([directory])[1].books == 6
    assert {asked["email"] for _, asked in server.requests} == {"me@example.org"}
    state = json.loads((directory / "download.json").read_text())
    assert (state["finished"], state["articles"], state["not_delivered"]) == (True, 214, [])
    # A second call finds it complete, and asks nothing.
    asked = len(server.requests)
    collect("pubmed", tmp_path / "out")
    assert len(server.requests) == asked


def test_query_dates_limit_and_key(start, tmp_path):
    server = start(PubmedServer(records(40)))
    collect("cough", tmp_path / "out", start="2019-05", end="2020", max_articles=25, api_key="secret-key")
    assert collected(tmp_path / "out") == {str(i) for i in range(25)}
    tool, asked = server.requests[0]
    assert tool == "esearch"
    assert asked["term"] == '(cough) AND ("2019/05"[pdat] : "2020"[pdat])'
    assert all(each["api_key"] == "secret-key" for _, each in server.requests)
    assert not any(b"secret-key" in path.read_bytes() for path in (tmp_path / "out").iterdir())


@pytest.mark.parametrize("key", [None, "key"])
def test_requests_are_not_faster_than_allowed(start, tmp_path, key):
    server = start(PubmedServer(records(40)))
    collect("cough", tmp_path / "out", api_key=key)
    assert len(server.waits) == len(server.requests) - 1 == 4
    assert server.waits == pytest.approx([PAUSE_SECONDS[bool(key)]] * 4)
    assert PAUSE_SECONDS[bool(key)] >= 1 / (10 if key else 3)


def test_errors_that_pass_are_waited_for(start, tmp_path):
    """Too many requests, a server error, XML that is cut off, an error inside an answer, a page of another kind."""
    server = start(PubmedServer(records(40)))
    _, page = server._efetch({"id": "1,2"})
    server.faults = [
        lambda tool, _: (429, b'{"error":"API rate limit exceeded"}') if tool == "esearch" else None,
        lambda tool, _: (200, b"<eSearchResult><Count>4") if tool == "esearch" else None,
        lambda tool, _: (
            (200, b"<eSearchResult><ERROR>Search Backend failed</ERROR></eSearchResult>")
            if tool == "esearch"
            else None
        ),
        lambda tool, _: (502, b"") if tool == "efetch" else None,
        lambda tool, _: (200, page[:-30]) if tool == "efetch" else None,
        lambda tool, _: (200, b"<html>Maintenance</html>") if tool == "efetch" else None,
        lambda tool, _: (503, b"") if tool == "efetch" else None,
    ]
    collect("cough", tmp_path / "out")
    assert collected(tmp_path / "out") == {str(i) for i in range(40)}
    assert server.faults == []
    assert (server.count("esearch"), server.count("efetch")) == (4, 8)
    backoff = [wait for wait in server.waits if wait >= 1]
    assert backoff == [1, 2, 4, 1, 2, 4, 8]
    assert not list((tmp_path / "out").glob("*.part*"))


@pytest.mark.parametrize("torn", [False, True])
def test_interrupted_downloads_go_on_without_asking_twice(start, tmp_path, torn):
    """Killed in the third page, or while it wrote the second one."""
    server = start(PubmedServer(records(40)))

    def kill(self, pmids, pages):
        if "20" in pmids:
            raise KeyboardInterrupt
        fetch(self, pmids, pages)

    fetch = pubmed_download._Service.fetch
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pubmed_download._Service, "fetch", kill)
        with pytest.raises(KeyboardInterrupt):
            collect("cough", tmp_path / "out")
    if torn:
        page = tmp_path / "out" / "articles-000002.xml.gz"
        page.rename(f"{page}.part")
    server.requests.clear()
    collect("cough", tmp_path / "out")
    assert collected(tmp_path / "out") == {str(i) for i in range(40)}
    asked = [asked["id"].split(",") for _, asked in server.requests]
    first = 10 if torn else 20
    assert asked == [[str(i) for i in range(start, start + 10)] for start in range(first, 40, 10)]


def test_results_beyond_the_limit_are_searched_by_date(start, tmp_path, monkeypatch):
    """Each record once, however the dates are spread; a killed search goes on where it was."""
    monkeypatch.setattr(pubmed_download, "SEARCH_LIMIT", 12)
    dates = [f"{2000 + i % 20}/{1 + i % 12:02}/01" for i in range(90)]
    server = start(PubmedServer(records(90), dates))
    server.limit = 12
    collect("cough", tmp_path / "out")
    assert collected(tmp_path / "out") == {str(i) for i in range(90)}
    windows = [(asked.get("mindate"), asked.get("maxdate")) for tool, asked in server.requests if tool == "esearch"]
    assert len(windows) == len(set(windows)) > 8
    (tmp_path / "out" / "articles-000001.xml.gz").unlink()
    state = json.loads((tmp_path / "out" / "download.json").read_text())
    (tmp_path / "out" / "download.json").write_text(json.dumps(state | {"finished": False}))
    server.requests.clear()
    log = tmp_path / "out" / "searches.jsonl"
    log.write_bytes(log.read_bytes()[:-9])
    collect("cough", tmp_path / "out")
    assert server.count("esearch") == 1
    newest = start(PubmedServer(records(90), dates))
    newest.limit = 12
    collect("cough", tmp_path / "newest", max_articles=20)
    assert len(collected(tmp_path / "newest")) == 20
    assert {newest.dates[pmid][:4] for pmid in collected(tmp_path / "newest")} <= {
        str(year) for year in range(2013, 2020)
    }


def test_more_of_one_day_than_are_listed(start, tmp_path, monkeypatch):
    monkeypatch.setattr(pubmed_download, "SEARCH_LIMIT", 12)
    server = start(PubmedServer(records(30)))
    server.limit = 12
    with pytest.raises(BioftError, match=r"30 articles of this query entered PubMed on 2020-01-01.*lists 12"):
        collect("cough", tmp_path / "out")


def test_records_that_do_not_come_are_named(start, tmp_path, capsys):
    server = start(PubmedServer(records(40)))
    server.hidden = {"7", "33"}
    collect("cough", tmp_path / "out")
    state = json.loads((tmp_path / "out" / "download.json").read_text())
    assert (state["articles"], state["not_delivered"]) == (38, ["7", "33"])
    assert "2 of 40 records did not come" in capsys.readouterr().err


def test_nothing_found_leaves_nothing_behind(start, tmp_path):
    start(PubmedServer(records(3)))
    with pytest.raises(BioftError, match=r"PubMed finds nothing for 'nothing'. PhraseNotFound: nothing"):
        collect("nothing", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
    collect("cough", tmp_path / "out")
    assert len(collected(tmp_path / "out")) == 3


def test_refusals_are_told_without_the_key(start, tmp_path):
    server = start(PubmedServer(records(3)))
    server.faults = [lambda *_: (400, b'{"error":"API key invalid","api-key":"secret-key"}')]
    with pytest.raises(BioftError, match=r"refuses esearch .HTTP status 400.*API key invalid") as caught:
        collect("cough", tmp_path / "out", api_key="secret-key")
    assert "secret-key" not in str(caught.value)
    assert server.count("esearch") == 1


def test_a_site_that_stays_down(tmp_path, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setenv("BIOFT_EUTILS_URL", "http://127.0.0.1:9")
    with pytest.raises(BioftError, match=r"Can't ask http://127.0.0.1:9/esearch.fcgi after 5 tries: no connection"):
        collect("cough", tmp_path / "out")
    # Nothing came, so another query may take the folder.
    with pytest.raises(BioftError, match="Can't ask"):
        collect("fever", tmp_path / "out")


def test_what_is_there_is_left_alone(start, tmp_path):
    start(PubmedServer(records(3)))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(BioftError, match="exists and is no download"):
        collect("cough", tmp_path / "mine")
    collect("cough", tmp_path / "out")
    with pytest.raises(BioftError, match=r"holds another download .query 'cough'"):
        collect("fever", tmp_path / "out")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"query": "  "}, "query is empty"),
        ({"query": "a", "start": "May 2019"}, "'May 2019' is no date"),
        ({"query": "a", "end": "2019-13"}, "'2019-13' is no date"),
        ({"query": "a", "max_articles": 0}, "max_articles is 0"),
    ],
)
def test_wrong_arguments(tmp_path, arguments, message):
    with pytest.raises(BioftError, match=message):
        collect(directory=tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()
