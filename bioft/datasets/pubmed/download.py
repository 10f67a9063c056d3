"""Collect articles of PubMed by a query, through NCBI's E-utilities: in pages, resumed where it was interrupted.

The PMIDs come first (ESearch), then the records (EPost to the history server, EFetch of pages from it), as
https://www.ncbi.nlm.nih.gov/books/NBK25499 describes. ESearch gives 9,999 PMIDs of a query, so a larger result is
searched by ranges of Entrez dates (the day a record entered PubMed).
"""

import gzip
import json
import os
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar

import requests
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from bioft import __version__
from bioft.datasets.options import Option, PathName
from bioft.datasets.pubmed import xml as pubmed_xml
from bioft.datasets.pubmed.articles import CITATION, TERMS
from bioft.datasets.pubmed.xml import Element
from bioft.errors import BioftError, extra
from bioft.storage.files import write_json
from bioft.storage.retries import PassingError, RetryPolicy, check_status, reason_of, repeat

URL = "https://eutils.ncbi.nlm.nih.gov/entrez/eutils"
URL_VARIABLE = "BIOFT_EUTILS_URL"
"""Environment variable with another address of the E-utilities."""
SEARCH_LIMIT = 9_999
"""PMIDs that ESearch gives of one query in PubMed."""
PAGE_SIZE = 200
PAUSE_SECONDS = {False: 0.37, True: 0.11}
"""From one request to the next, without and with an API key: a little more than NCBI's rule of 3 and 10 a second."""
ATTEMPTS = 5
"""Tries of a request before the download gives up."""
BACKOFF_SECONDS = 1.0
TIMEOUT_SECONDS = (15, 120)
STATE = "download.json"
SEARCHES = "searches.jsonl"
PAGES = "pages.jsonl"
SCHEMA_VERSION = 1

_LATER = "What was received is kept: run the same command again to continue."
_FIRST_DATE = date(1780, 1, 1)  # before the oldest record of PubMed
_DATE = re.compile(r"\d{4}(?:[-/]\d{2}(?:[-/]\d{2})?)?")
# What EFetch says when the history server has forgotten a set, after about eight hours.
_EXPIRED = re.compile(r"history|webenv|query_?key|obtain query", re.IGNORECASE)
Window = tuple[str, str] | None
"""First and last Entrez date, as YYYY/MM/DD; None for all."""
Result = TypeVar("Result")


class _ExpiredError(Exception):
    """The history server does not have the set any more."""


def collect(
    query: Annotated[str, "As in PubMed's search field."],
    directory: Annotated[PathName, Option("Folder to put the articles in.", name="--output")],
    *,
    start: Annotated[str | None, Option("First date of publication: YYYY[-MM[-DD]].", name="--from")] = None,
    end: Annotated[str | None, Option("Last date of publication: YYYY[-MM[-DD]].", name="--to")] = None,
    max_articles: Annotated[int | None, Option("End after so many.", low=1)] = None,
    api_key: Annotated[
        str | None, Option("Of an NCBI account: 10 requests a second, not 3.", variable="NCBI_API_KEY")
    ] = None,
    email: Annotated[str | None, Option("For NCBI, to reach you.", variable="NCBI_EMAIL")] = None,
) -> Path:
    """Fetch the articles that a query finds in PubMed into `directory`, and return that.

    The directory is new, empty, or of an earlier call with the same query, dates and limit, which is then continued.
    It gets `articles-000001.xml.gz`, … (PubmedArticleSet, as received), `download.json` (what was asked for, and what
    came), `searches.jsonl` and `pages.jsonl` (what is on disk already). Of each search the most recent `max_articles`
    come. The `api_key` is not written to disk.

    BioftError: an empty query, a wrong date, nothing found, a directory of another download or with other files, a
    site that can't be reached or refuses the request.
    """
    directory = Path(directory)
    wanted = {"query": query.strip(), "from": _date(start), "to": _date(end), "max_articles": max_articles}
    if not wanted["query"]:
        raise BioftError("The query is empty. Write what you would search for in PubMed, such as lung cancer[mesh].")
    if max_articles is not None and max_articles < 1:
        raise BioftError(f"max_articles is {max_articles}; ask for at least one.")
    state = _open(directory, wanted)
    console = Console(stderr=True, markup=False)
    console.print(f"{TERMS}\nCite: {CITATION}", highlight=False, markup=False)
    if state["finished"]:
        console.print(f"{directory} is complete already: {state['articles']:,} articles.", highlight=False)
        return directory
    pmids, missing = _receive(_Service(api_key, email), directory, state, console)
    received = {"articles": len(pmids) - len(missing), "not_delivered": missing}
    write_json(directory / STATE, state | {"finished": True} | received)
    if missing:
        console.print(
            f"{len(missing):,} of {len(pmids):,} records did not come: PubMed lists them, but does not give them. "
            f"They are named in {directory / STATE}.",
            style="yellow",
            highlight=False,
        )
    return directory


def _receive(
    service: "_Service", directory: Path, state: dict[str, Any], console: Console
) -> tuple[list[str], list[str]]:
    """Search, and fetch what is not there yet; returns the PMIDs that were found, and those that did not come."""
    with Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=console) as progress:
        pmids = _search(service, directory, state)
        if service.note:
            console.print(f"PubMed remarks: {service.note}", style="yellow", highlight=False, markup=False)
        if not pmids:
            for name in (SEARCHES, STATE):
                (directory / name).unlink()
            raise BioftError(f"PubMed finds nothing for {_term(state)!r}. {service.note}".strip())
        pages = _Pages(directory)
        task = progress.add_task("articles", total=len(pmids), completed=len(pages.received))
        left = [pmid for pmid in pmids if pmid not in pages.received]
        for first in range(0, len(left), SEARCH_LIMIT):
            block = left[first : first + SEARCH_LIMIT]
            _fetch(service, pages, block, lambda: progress.update(task, completed=len(pages.received)))
    return pmids, [pmid for pmid in pmids if pmid not in pages.received]


def _date(text: str | None) -> str | None:
    if text is None:
        return None
    parts = [int(part) for part in re.split(r"[-/]", text)] if _DATE.fullmatch(text) else []
    try:
        date(parts[0], *(*parts[1:], 1, 1)[:2])
    except (IndexError, ValueError):
        raise BioftError(f"{text!r} is no date: write YYYY, YYYY-MM or YYYY-MM-DD.") from None
    return text.replace("-", "/")


def _open(directory: Path, wanted: dict[str, Any]) -> dict[str, Any]:
    """The state of the download in a directory, which is begun where there is none."""
    path = directory / STATE
    if path.is_file():
        try:
            state: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            same = {key: state[key] for key in wanted} == wanted and state["schema_version"] == SCHEMA_VERSION
        except (ValueError, KeyError, TypeError):
            raise BioftError(f"{path} is damaged. Choose another folder for the download.") from None
        if same:
            return state
        if (directory / SEARCHES).exists():
            raise BioftError(
                f"{directory} holds another download (query {state['query']!r}, from {state['from']}, to "
                f"{state['to']}, max_articles {state['max_articles']}). Choose another folder, or ask for the same."
            )
        path.unlink()  # nothing was received for it
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise BioftError(f"{directory} exists and is no download of PubMed. Choose another folder.")
    directory.mkdir(parents=True, exist_ok=True)
    state = {
        "schema_version": SCHEMA_VERSION,
        **wanted,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "finished": False,
        "terms": TERMS,
        "citation": CITATION,
    }
    write_json(path, state)
    return state


def _term(state: dict[str, Any]) -> str:
    """The query, with the dates of publication in it: the ranges of Entrez dates are asked for beside it."""
    if state["from"] is None and state["to"] is None:
        return state["query"]
    return f'({state["query"]}) AND ("{state["from"] or 1000}"[pdat] : "{state["to"] or 3000}"[pdat])'


@dataclass(frozen=True)
class _Found:
    """An answer of ESearch; `pmids` is None where there are too many, so that parts of the window were searched."""

    count: int
    pmids: list[str] | None


def _search(service: "_Service", directory: Path, state: dict[str, Any]) -> list[str]:
    """The PMIDs that are to be fetched, of the newest window first."""
    log = directory / SEARCHES
    known = {_window(entry["window"]): _Found(entry["count"], entry["pmids"]) for entry in _read_lines(log)}
    limit = state["max_articles"]
    pmids: dict[str, None] = {}
    waiting: list[Window] = [None]
    while waiting and (limit is None or len(pmids) < limit):
        window = waiting.pop()
        if window not in known:
            wanted = SEARCH_LIMIT if limit is None else min(SEARCH_LIMIT, limit - len(pmids))
            found = service.search(_term(state), window, wanted)
            if found.count > SEARCH_LIMIT and (limit is None or limit - len(pmids) > SEARCH_LIMIT):
                found = _Found(found.count, None)
            known[window] = found
            _append(log, {"window": window, "count": found.count, "pmids": found.pmids})
        if (part := known[window].pmids) is None:
            waiting += _halves(window, datetime.fromisoformat(state["started"]).date(), known[window].count)
        else:
            pmids.update(dict.fromkeys(part))
    return list(pmids)[:limit]


def _window(value: list[str] | None) -> Window:
    return None if value is None else (value[0], value[1])


def _halves(window: Window, today: date, count: int) -> list[Window]:
    """The earlier and the later half of a window."""
    first, last = (_FIRST_DATE, today) if window is None else (_day(each) for each in window)
    if first >= last:
        raise BioftError(
            f"{count:,} articles of this query entered PubMed on {first}, which lists {SEARCH_LIMIT:,} of a day at "
            "most. Narrow the query, or set max_articles."
        )
    middle = first + (last - first) // 2
    return [(f"{a:%Y/%m/%d}", f"{b:%Y/%m/%d}") for a, b in ((first, middle), (middle + timedelta(days=1), last))]


def _day(text: str) -> date:
    return datetime.strptime(text, "%Y/%m/%d").date()


class _Pages:
    """The pages on disk, and the PMIDs in them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.number = 0
        self.received: set[str] = set()
        for entry in _read_lines(directory / PAGES):
            if (directory / entry["file"]).is_file():
                self.received.update(entry["pmids"])
            self.number += 1

    def add(self, content: bytes) -> None:
        """Check a page and keep it, unless nothing in it is new; PassingError if it is not whole."""
        file = f"articles-{self.number + 1:06}.xml.gz"
        part = self.directory / f"{file}.part"
        part.write_bytes(gzip.compress(content, mtime=0))
        try:
            pmids = [_pmid(piece.root) for piece in pubmed_xml.articles(part)]
        except BioftError as error:
            part.unlink()
            raise PassingError(f"what it sends is not whole ({error})") from None
        if self.received.issuperset(pmids):
            part.unlink()
            return
        part.replace(self.directory / file)
        _append(self.directory / PAGES, {"file": file, "pmids": pmids})
        self.number += 1
        self.received.update(pmids)


def _pmid(record: Element) -> str:
    """Of an article or of a book."""
    return (record.findtext("MedlineCitation/PMID") or record.findtext("BookDocument/PMID") or "").strip()


def _fetch(service: "_Service", pages: _Pages, pmids: Sequence[str], show: Callable[[], None]) -> None:
    """Fetch records page by page, until all are there or those that are left do not come."""
    missing = list(pmids)
    expired = 0
    while missing:
        history = service.post(missing)
        try:
            for start in range(0, len(missing), PAGE_SIZE):
                service.fetch(history, start, pages)
                show()
        except _ExpiredError as error:
            expired += 1
            if expired == ATTEMPTS:
                raise BioftError(
                    f"NCBI's history server lost the PMIDs {ATTEMPTS} times ({error}). {_LATER}"
                ) from None
        left = [pmid for pmid in missing if pmid not in pages.received]
        if len(left) < len(missing):
            expired = 0
        elif not expired:
            return
        missing = left


class _Service:
    """The E-utilities: requests in turn, not too fast, repeated when they fail.

    Not `Bio.Entrez` (1.88): its address can't be set, it waits without end for a silent server, asks again at once
    after a 429 whatever that says, takes answers that are cut off as they come, and puts the key into addresses.
    """

    def __init__(self, api_key: str | None, email: str | None) -> None:
        self.url = os.environ.get(URL_VARIABLE, URL).rstrip("/")
        self.pause = PAUSE_SECONDS[bool(api_key)]
        self.parameters = {"db": "pubmed", "tool": "bioft", "email": email, "api_key": api_key}
        self.session = requests.Session()
        self.session.headers["User-Agent"] = f"bioft/{__version__}"
        self.last = -self.pause
        self.note = ""
        """What PubMed remarks on the query, such as a phrase that it does not know."""

    def search(self, term: str, window: Window, n: int) -> _Found:
        """Count the articles of a term, and list the PMIDs of the first n."""
        dates = {"datetype": "edat", "mindate": window[0], "maxdate": window[1]} if window else {}
        root = self._call("esearch", {"term": term, "retmax": n, **dates}, _parsed)
        remarks = root.xpath("ErrorList/*|WarningList/*")
        if window is None:
            self.note = "; ".join(f"{each.tag}: {each.text}" for each in remarks if each.text)
        return _Found(int(root.findtext("Count") or 0), [each.text or "" for each in root.iterfind("IdList/Id")])

    def post(self, pmids: Sequence[str]) -> tuple[str, str]:
        """Put PMIDs on the history server; returns the names of the environment and of the set in it."""
        root = self._call("epost", {"id": ",".join(pmids)}, _parsed)
        return root.findtext("WebEnv") or "", root.findtext("QueryKey") or ""

    def fetch(self, history: tuple[str, str], start: int, pages: _Pages) -> None:
        """Fetch the page that starts at a position of a posted set."""
        place = {"WebEnv": history[0], "query_key": history[1], "retstart": start, "retmax": PAGE_SIZE}
        self._call("efetch", place | {"retmode": "xml"}, lambda content: pages.add(_without_error(content)))

    def _call(self, tool: str, parameters: dict[str, Any], use: Callable[[bytes], Result]) -> Result:
        """Send a request until `use` takes the answer; its result."""
        policy = RetryPolicy(ATTEMPTS, BACKOFF_SECONDS, longest_wait_seconds=60)
        try:
            return repeat(lambda: use(self._send(tool, parameters)), policy, self.url)
        except (PassingError, requests.RequestException) as error:
            raise BioftError(
                f"{self.url} does not answer {tool} after {ATTEMPTS} tries: {reason_of(error)}. Check the network "
                f"(proxy, firewall). {_LATER}"
            ) from None

    def _send(self, tool: str, parameters: dict[str, Any]) -> bytes:
        now = time.monotonic()
        if (wait := self.last + self.pause - now) > 0:
            time.sleep(wait)
        self.last = max(now, self.last + self.pause)
        # POST, since a list of PMIDs is too long for an address.
        data = {key: value for key, value in (self.parameters | parameters).items() if value is not None}
        response = self.session.post(f"{self.url}/{tool}.fcgi", data=data, timeout=TIMEOUT_SECONDS)
        check_status(response)
        if response.status_code != 200:
            said = " ".join(re.sub(r"<[^>]*>", " ", response.text[:2000]).split())[:300]
            if tool == "efetch" and _EXPIRED.search(said):
                raise _ExpiredError(said)
            raise BioftError(f"{self.url} refuses {tool} (HTTP status {response.status_code}): {self._hidden(said)}")
        return response.content

    def _hidden(self, text: str) -> str:
        key = self.parameters["api_key"]
        return text.replace(key, "…") if key else text


def _parsed(content: bytes) -> Element:
    """The answer of ESearch or EPost."""
    with extra("pubmed", "What PubMed answers"):
        from lxml import etree

    try:
        root = etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError as error:
        raise PassingError(f"what it sends is not whole ({error.msg})") from None
    if (said := root.findtext("ERROR")) is not None:
        raise PassingError(said)
    return root


def _without_error(content: bytes) -> bytes:
    """The answer of EFetch; NCBI puts errors into it, sometimes with HTTP status 200."""
    error = re.search(rb"<ERROR>(.*?)</ERROR>", content[:2000], re.DOTALL)
    if error is None:
        return content
    text = error[1].decode("utf-8", "replace").strip()
    if _EXPIRED.search(text):
        raise _ExpiredError(text)
    raise PassingError(text)


def _append(path: Path, entry: dict[str, Any]) -> None:
    """Add a line of JSON; a line that an earlier run did not finish is ended first."""
    with path.open("ab+") as stream:
        if stream.tell():
            stream.seek(-1, os.SEEK_END)
            if stream.read(1) != b"\n":
                stream.write(b"\n")
        stream.write((json.dumps(entry) + "\n").encode())


def _read_lines(path: Path) -> Iterable[dict[str, Any]]:
    """The entries that were written whole."""
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue
