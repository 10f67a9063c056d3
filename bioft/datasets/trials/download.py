"""Trial records from the API of ClinicalTrials.gov (version 2): page by page, resumed where it broke off.

https://clinicaltrials.gov/data-api/api. Another address with the same API can be given in `BIOFT_CLINICALTRIALS_URL`.
"""

import gzip
import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from bioft.datasets.options import Option, PathName
from bioft.datasets.trials.records import CITATION, TERMS, URL
from bioft.errors import BioftError
from bioft.storage.files import disk_errors, new_file, write_json
from bioft.storage.retries import PassingError, RetryPolicy, Site, check_status

PAGE_SIZE = 1000
"""Studies of a page: the most that the API sends."""
SECONDS_PER_REQUEST = 1.2
"""The API allows about 50 requests a minute."""
ATTEMPTS = 6
BACKOFF_SECONDS = 2.0
TIMEOUT_SECONDS = (15, 120)
FIELDS = (
    "NCTId", "BriefTitle", "OfficialTitle", "BriefSummary", "DetailedDescription", "EligibilityCriteria", "Sex",
    "WhyStopped", "OverallStatus", "LastUpdatePostDate", "LastUpdateSubmitDate",
)  # fmt: skip
"""What is asked for: the fields that `bioft.datasets.trials.records` reads, and the status."""
RECORD = "download.source.json"
_PAGE = re.compile(r"studies-(\d{5})\.json\.gz")


def download_trials(
    directory: Annotated[PathName, Option("Folder to put the pages of trials in.", name="--output")],
    query: Annotated[str, "Words as in the site's search; without them every trial is found."] = "",
    *,
    max_trials: Annotated[int | None, Option("End after so many.", low=1)] = None,
    overall_status: Annotated[
        str | None, Option('Such as TERMINATED, or "TERMINATED|WITHDRAWN".', name="--status")
    ] = None,
) -> Path:
    """Fetch the trials that a query finds into `directory`, as `studies-00001.json.gz` and so on; returns it.

    Each page is written whole before the next one is asked for, and holds the token of the next: so a later call with
    the same arguments goes on after the last page, and asks for none twice. `download.source.json` beside them records
    query, address and date.

    BioftError: another query than the one whose pages lie there, one that the API does not understand (in its own
    words), and a site that does not answer after `ATTEMPTS` tries.
    """
    if max_trials is not None and max_trials < 1:
        raise BioftError(f"max_trials is {max_trials}; at least 1 trial can be fetched.")
    folder = Path(directory)
    base = os.environ.get("BIOFT_CLINICALTRIALS_URL", URL).rstrip("/")
    asked = {"query": query, "overall_status": overall_status, "max_trials": max_trials}
    console = Console(stderr=True, markup=False)
    console.print(f"Trials of ClinicalTrials.gov\n{TERMS}\nCite: {CITATION}", highlight=False, markup=False)
    with disk_errors(folder):
        pages = _prepare(folder, asked, f"{base}/api/v2/studies")
        columns = *Progress.get_default_columns(), MofNCompleteColumn()
        site = Site(f"{base}/api/v2/studies", RetryPolicy(ATTEMPTS, BACKOFF_SECONDS), SECONDS_PER_REQUEST)
        with Progress(*columns, console=console) as progress:
            _fetch_pages(site, folder, pages, asked, progress)
    return folder


def _fetch_pages(site: Site, folder: Path, pages: list[Path], asked: dict[str, Any], progress: Progress) -> None:
    there = [_read_page(page) for page in pages]
    found = sum(len(content["studies"]) for content in there)
    token: str | None = there[-1].get("nextPageToken") if there else None
    number, total = len(pages), asked["max_trials"]
    task = progress.add_task("Trials", total=total)
    while (number == 0 or token) and (total is None or found < total):
        size = PAGE_SIZE if total is None else min(PAGE_SIZE, total - found)
        wanted = {"format": "json", "pageSize": size, "fields": "|".join(FIELDS)}
        wanted |= {"query.term": asked["query"]} if asked["query"] else {}
        wanted |= {"filter.overallStatus": asked["overall_status"]} if asked["overall_status"] else {}
        wanted |= {"pageToken": token} if token else {"countTotal": "true"}
        content = _get(site, wanted)
        number += 1
        _write_page(folder / f"studies-{number:05d}.json.gz", content)
        found += len(content["studies"])
        token = content.get("nextPageToken")
        if (matching := content.get("totalCount")) is not None:
            progress.update(task, total=matching if total is None else min(total, matching))
        progress.update(task, completed=found)
    if not found:
        raise BioftError(f"No trial matches the query {asked['query']!r}. Try other words.")


def _get(site: Site, wanted: dict[str, Any]) -> dict[str, Any]:
    """One page, asked for again after an error that may pass."""

    def send() -> dict[str, Any]:
        response = site.session.get(site.url, params=wanted, timeout=TIMEOUT_SECONDS)
        check_status(response)
        if response.status_code != 200:
            raise BioftError(
                f"{site.url} refuses the query (HTTP status {response.status_code}): {response.text.strip()[:300]} "
                "Correct the query, or see https://clinicaltrials.gov/find-studies/constructing-complex-search-queries."
            )
        try:
            content = response.json()
        except ValueError:
            content = None
        if not isinstance(content, dict) or not isinstance(content.get("studies"), list):
            raise PassingError("the answer is no page of studies")
        return content

    mend = "Check the network; the same command continues after the last page that was fetched."
    return site.ask(send, f"fetch trials from {site.url}", mend)


def _prepare(folder: Path, asked: dict[str, Any], url: str) -> list[Path]:
    """Make the folder ready; returns the pages that are there already, in order."""
    folder.mkdir(parents=True, exist_ok=True)
    record = folder / RECORD
    if record.is_file():
        earlier = json.loads(record.read_text(encoding="utf-8")).get("asked")
        if earlier != asked:
            raise BioftError(
                f"{folder} holds the trials of another query ({earlier}). Choose another directory for this one."
            )
    elif any(folder.iterdir()):
        raise BioftError(f"{folder} holds other files. Choose another directory for the trials.")
    else:
        content = {
            "asked": asked,
            "url": url,
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "fields": list(FIELDS),
            "terms": TERMS,
            "citation": CITATION,
        }
        write_json(record, content)
    pages = sorted(path for path in folder.iterdir() if _PAGE.fullmatch(path.name))
    for number, page in enumerate(pages, 1):
        if page.name != f"studies-{number:05d}.json.gz":
            raise BioftError(f"{folder}: page {number} is missing before {page.name}. Fetch into another directory.")
    return pages


def _read_page(page: Path) -> dict[str, Any]:
    try:
        return json.loads(gzip.decompress(page.read_bytes()))
    except (EOFError, gzip.BadGzipFile, ValueError) as error:
        raise BioftError(
            f"{page} is damaged ({error}). Remove it and the pages after it, and run this again."
        ) from None


def _write_page(path: Path, content: dict[str, Any]) -> None:
    with new_file(path) as partial:
        partial.write_bytes(gzip.compress(json.dumps(content, ensure_ascii=False).encode(), mtime=0))
