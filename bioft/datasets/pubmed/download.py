"""Collect articles of PubMed by a query, through NCBI's E-utilities: in pages, resumed where it was interrupted.

The PMIDs come first (ESearch), then the records (EFetch, a page of PMIDs at a time), as
https://www.ncbi.nlm.nih.gov/books/NBK25499 describes. ESearch gives 9,999 PMIDs of a query, so a larger result is
searched by ranges of Entrez dates (the day a record entered PubMed).
"""

import gzip
import json
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from bioft.datasets.options import Option, PathName
from bioft.datasets.pubmed import xml as pubmed_xml
from bioft.datasets.pubmed.articles import CITATION, TERMS
from bioft.errors import BioftError
from bioft.storage import json_text
from bioft.storage.files import write_json
from bioft.storage.retries import PassingError, RetryPolicy, Site, check_status
from bioft.storage.text_lines import TextLines

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
PAGES = f"articles-{'[0-9]' * 6}.xml.gz"
SCHEMA_VERSION = 1

_LATER = "What was received is kept: run the same command again to continue."
_FIRST_DATE = date(1780, 1, 1)  # before the oldest record of PubMed
_DATE = re.compile(r"\d{4}(?:[-/]\d{2}(?:[-/]\d{2})?)?")
Window = tuple[str, str] | None
"""First and last Entrez date, as YYYY/MM/DD; None for all."""
Result = TypeVar("Result")


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
    came) and `searches.jsonl` (the PMIDs that were found). Of each search the most recent `max_articles`
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
        missing, before = pages.missing(pmids), -1
        while len(missing) != before:  # what did not come is asked for again, until nothing of it comes
            before = len(missing)
            for first in range(0, before, PAGE_SIZE):
                service.fetch(missing[first : first + PAGE_SIZE], pages)
                progress.update(task, completed=len(pages.received))
            missing = pages.missing(missing)
    return pmids, missing


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
    there = log.is_file() and log.stat().st_size
    entries = json_text.rows(TextLines(log), []) if there else ()  # without one that was not written whole
    known: dict[Window, _Found] = {
        entry["window"] and (*entry["window"],): _Found(entry["count"], entry["pmids"]) for entry in entries
    }
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
            with log.open("a", encoding="utf-8") as stream:
                # After a line break, which ends what an earlier run did not.
                stream.write(f"\n{json.dumps({'window': window, 'count': found.count, 'pmids': found.pmids})}\n")
        if (part := known[window].pmids) is None:
            waiting += _halves(window, datetime.fromisoformat(state["started"]).date(), known[window].count)
        else:
            pmids.update(dict.fromkeys(part))
    return list(pmids)[:limit]


def _halves(window: Window, today: date, count: int) -> list[Window]:
    """The earlier and the later half of a window."""
    first, last = (
        (_FIRST_DATE, today) if window is None else (datetime.strptime(each, "%Y/%m/%d").date() for each in window)
    )
    if first >= last:
        raise BioftError(
            f"{count:,} articles of this query entered PubMed on {first}, which lists {SEARCH_LIMIT:,} of a day at "
            "most. Narrow the query, or set max_articles."
        )
    middle = first + (last - first) // 2
    return [(f"{a:%Y/%m/%d}", f"{b:%Y/%m/%d}") for a, b in ((first, middle), (middle + timedelta(days=1), last))]


class _Pages:
    """The pages on disk, and the PMIDs in them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.received: set[str] = set()
        for file in directory.glob(PAGES):
            self.received.update(_pmids(file))

    def missing(self, pmids: Iterable[str]) -> list[str]:
        """Those that have not come."""
        return [pmid for pmid in pmids if pmid not in self.received]

    def add(self, content: bytes) -> None:
        """Check a page and keep it, unless nothing in it is new; PassingError if it is not whole."""
        number = max((int(each.name[9:15]) for each in self.directory.glob(PAGES)), default=0) + 1
        file = self.directory / PAGES.replace("[0-9]" * 6, f"{number:06}")
        part = file.with_name(f"{file.name}.part")
        part.write_bytes(gzip.compress(content, mtime=0))
        try:
            pmids = _pmids(part)
        except BioftError as error:
            part.unlink()
            raise PassingError(f"what it sends is not whole ({error})") from None
        if self.received.issuperset(pmids):
            part.unlink()
        else:
            part.replace(file)
            self.received.update(pmids)


def _pmids(file: Path) -> list[str]:
    """The PMIDs of the articles and books in a page."""
    roots = (piece.root for piece in pubmed_xml.articles(file))
    found = (root.findtext("MedlineCitation/PMID") or root.findtext("BookDocument/PMID") or "" for root in roots)
    return [pmid.strip() for pmid in found]


class _Service:
    """The E-utilities: requests in turn, not too fast, repeated when they fail.

    Not `Bio.Entrez` (1.88): its address can't be set, it waits without end for a silent server, asks again at once
    after a 429 whatever that says, takes answers that are cut off as they come, and puts the key into addresses.
    """

    def __init__(self, api_key: str | None, email: str | None) -> None:
        policy = RetryPolicy(ATTEMPTS, BACKOFF_SECONDS, longest_wait_seconds=60)
        self.site = Site(os.environ.get(URL_VARIABLE, URL).rstrip("/"), policy, PAUSE_SECONDS[bool(api_key)])
        self.parameters = {"db": "pubmed", "tool": "bioft", "email": email, "api_key": api_key}
        self.note = ""
        """What PubMed remarks on the query, such as a phrase that it does not know."""

    def search(self, term: str, window: Window, n: int) -> _Found:
        """Count the articles of a term, and list the PMIDs of the first n."""
        dates = {"datetype": "edat", "mindate": window[0], "maxdate": window[1]} if window else {}
        root = self._call("esearch", {"term": term, "retmax": n, **dates}, _parsed)
        remarks = [*root.iterfind("ErrorList/*"), *root.iterfind("WarningList/*")]
        if window is None:
            self.note = "; ".join(f"{each.tag}: {each.text}" for each in remarks if each.text)
        return _Found(int(root.findtext("Count") or 0), [each.text or "" for each in root.iterfind("IdList/Id")])

    def fetch(self, pmids: list[str], pages: _Pages) -> None:
        """Fetch the records of a page."""

        def keep(content: bytes) -> None:
            # NCBI puts errors into an answer, sometimes with HTTP status 200.
            if error := re.search(rb"<ERROR>(.*?)</ERROR>", content[:2000], re.DOTALL):
                raise PassingError(error[1].decode("utf-8", "replace").strip())
            pages.add(content)

        self._call("efetch", {"id": ",".join(pmids), "retmode": "xml"}, keep)

    def _call(self, tool: str, parameters: dict[str, Any], use: Callable[[bytes], Result]) -> Result:
        """Send a request until `use` takes the answer; its result."""
        # POST, since a list of PMIDs is too long for an address.
        data = {key: value for key, value in (self.parameters | parameters).items() if value is not None}
        url = f"{self.site.url}/{tool}.fcgi"

        def send() -> Result:
            response = self.site.session.post(url, data=data, timeout=TIMEOUT_SECONDS)
            check_status(response)
            if response.status_code != 200:
                said = " ".join(re.sub(r"<[^>]*>", " ", response.text[:2000]).split())[:300]
                said = said.replace(self.parameters["api_key"] or "\n", "…")
                raise BioftError(f"{self.site.url} refuses {tool} (HTTP status {response.status_code}): {said}")
            return use(response.content)

        return self.site.ask(send, f"ask {url}", f"Check the network (proxy, firewall). {_LATER}")


def _parsed(content: bytes) -> Element:
    """The answer of ESearch."""
    try:
        root = ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise PassingError(f"what it sends is not whole ({error})") from None
    if (said := root.findtext("ERROR")) is not None:
        raise PassingError(said)
    return root
