"""Fetch source files from their own sites: resumed when cut off, checked, with their origin on record."""

import gzip
import json
import os
import zipfile
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import requests
import urllib3
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from bioft.datasets import data
from bioft.datasets.documents import chemdisgene as chemdisgene_source
from bioft.datasets.options import PathName
from bioft.errors import BioftError, suggestion
from bioft.storage.files import disk_errors, file_sha256, write_json
from bioft.storage.retries import PassingError, RetryPolicy, Site, check_status

Output = Annotated[PathName, "Folder to put the files in."]
ATTEMPTS = 5
"""Tries without a new byte before a download gives up."""
BACKOFF_SECONDS = 1.0
TIMEOUT_SECONDS = (15, 60)
CHUNK = 1 << 20


class Source(NamedTuple):
    """A file that can be fetched."""

    base_url: str
    terms: str
    citation: str
    file: str
    title: str
    sha256: str | None = None
    """What the file must be, where its publisher says so."""


_CORPORA = data("corpora.toml")
SOURCES = {
    name: Source(its["url"], _CORPORA[its["of"]]["terms"], _CORPORA[its["of"]]["citation"], its["file"], its["title"])
    for name, its in _CORPORA["downloads"].items()
} | {
    f"chemdisgene/{file}": Source(
        f"{chemdisgene_source.URL}/raw/{chemdisgene_source.REVISION}/data/{folder}",
        *(chemdisgene_source.TERMS, chemdisgene_source.CITATION, file, f"ChemDisGene, {folder}: {file}", sha256),
    )
    for folder, files in chemdisgene_source.FILES.items()
    for file, sha256 in files.items()
}


def ctd(
    output: Output = "data",
    *,
    inferred: Annotated[bool, "The file with the inferred associations too (several GB)."] = False,
) -> Path:
    """Fetch CTD's gene–disease file into `output`, curated or with the inferred associations: see `download`."""
    return download("ctd-inferred" if inferred else "ctd", output)


def bc5cdr(output: Output = "data") -> Path:
    """Fetch the BC5CDR corpus into `output`: see `download`."""
    return download("bc5cdr", output)


def chemdisgene(
    output: Output = "data/chemdisgene",
    *,
    training: Annotated[bool, "The training corpus too (76,942 abstracts, 58 MB)."] = False,
) -> Path:
    """Fetch ChemDisGene's curated corpus, and the large `training` corpus if asked, as the authors lay them out.

    Returns `output`, which then has the folders `curated` and `ctd_derived`: see `download`.
    """
    for folder in ("curated", "ctd_derived") if training else ("curated",):
        for file in chemdisgene_source.FILES[folder]:
            download(f"chemdisgene/{file}", Path(output) / folder)
    return Path(output)


def bigg(output: Output = "data") -> Path:
    """Fetch the ids and names of BiGG's metabolites into `output`: see `download`."""
    return download("bigg", output)


def modelseed(output: Output = "data") -> list[Path]:
    """Fetch the names of ModelSEED's compounds, and their ids in other databases, into `output`: see `download`."""
    return [download(name, output) for name in ("modelseed", "modelseed-aliases")]


def download(name: str, directory: str | os.PathLike[str], *, base_url: str | None = None) -> Path:
    """Fetch one of `SOURCES` into `directory` and return the file's path.

    Shows progress and the source's terms. The data grows in `<file>.part`, which a later call continues if the site
    still has the same version; the file takes its name only when it is whole. `<file>.source.json` beside it records
    URL, date, size and SHA-256. A file that is there already, and matches its record, is not fetched again; any other
    existing file is left alone with an error.

    BioftError: the site can't be reached, answers with an error or a web page, or sends a file that is not whole.
    """
    if name not in SOURCES:
        raise BioftError(f"Unknown source '{name}'. {suggestion(name, SOURCES)}")
    source = SOURCES[name]
    url = f"{(base_url or source.base_url).rstrip('/')}/{source.file}"
    target = Path(directory) / source.file
    console = Console(stderr=True, markup=False)
    console.print(f"{source.title}\n{source.terms}\nCite: {source.citation}", highlight=False, markup=False)
    if _already_there(target):
        console.print(f"{target} is there already and matches its record.", highlight=False)
        return target
    part = target.with_name(f"{target.name}.part")
    with disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
            headers = _fetch(url, part, progress)
        try:
            _check_content(part, url, source.sha256)
        except BioftError:
            _discard(part)
            raise
        record = {
            "url": url,
            "file": source.file,
            "sha256": file_sha256(part),
            "bytes": part.stat().st_size,
            "downloaded": datetime.now(UTC).isoformat(timespec="seconds"),
            "last_modified": headers.get("Last-Modified"),
            "etag": headers.get("ETag"),
            "terms": source.terms,
            "citation": source.citation,
        }
        write_json(_record_path(target), record)
        part.replace(target)
        _state_path(part).unlink(missing_ok=True)
    console.print(f"SHA-256 {record['sha256']}", highlight=False)
    return target


def _record_path(target: Path) -> Path:
    return target.with_name(f"{target.name}.source.json")


def _state_path(part: Path) -> Path:
    """Where the version of a half-fetched file is noted, so that two versions are never joined."""
    return part.with_name(f"{part.name}.json")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _already_there(target: Path) -> bool:
    if not target.exists():
        return False
    if not target.is_file():
        raise BioftError(f"{target} is a directory. Choose another directory for the download.")
    if _read_json(_record_path(target)).get("sha256") == file_sha256(target):
        return True
    raise BioftError(
        f"{target} exists, but {_record_path(target).name} beside it does not describe it. It is left as it is: "
        "move it away to fetch it again, or choose another directory."
    )


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _state_path(part).unlink(missing_ok=True)


def _fetch(url: str, part: Path, progress: Progress) -> dict[str, str]:
    """Fetch until `part` is whole; returns the headers that describe the file."""
    task = progress.add_task(url.rsplit("/", 1)[-1], total=None)

    def size() -> int:
        return part.stat().st_size if part.exists() else 0

    site = Site(url, RetryPolicy(ATTEMPTS, BACKOFF_SECONDS, longest_wait_seconds=60))
    mend = "Check the network (proxy, firewall), or fetch the file with a browser."
    return site.ask(lambda: _fetch_once(site.session, url, part, progress, task), f"fetch {url}", mend, size)


def _fetch_once(session: requests.Session, url: str, part: Path, progress: Progress, task: Any) -> dict[str, str]:
    state = _read_json(_state_path(part))
    have = part.stat().st_size if part.exists() else 0
    # Without a validator to ask by, nothing says that the rest belongs to the same file: start anew.
    validator = state.get("validator") if state.get("url") == url else None
    if have and not validator:
        _discard(part)
        have = 0
    # identity: a transparently compressed answer would make the byte positions meaningless.
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": str(validator)}
    with session.get(url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS) as response:
        if response.status_code == 416 and have and response.headers.get("Content-Range") == f"bytes */{have}":
            # Nothing after what we have: it is complete.
            return {key: value for key, value in state.items() if key in ("ETag", "Last-Modified")}
        start = _check_answer(response, url, part, have)
        length = response.headers.get("Content-Length")
        total = start + int(length) if length else None
        progress.update(task, total=total, completed=start)
        kept = {key: response.headers[key] for key in ("ETag", "Last-Modified") if key in response.headers}
        # If-Range wants a strong validator: a weak ETag (W/...) does not promise the same bytes.
        strong = kept.get("ETag", "W/")
        validator = kept.get("Last-Modified") if strong.startswith("W/") else strong
        write_json(_state_path(part), {"url": url, "validator": validator, **kept})
        written = start
        with part.open("ab" if start else "wb") as stream:
            try:
                # The bytes as sent: some servers declare .gz files as a transfer encoding to be undone.
                for chunk in response.raw.stream(CHUNK, decode_content=False):
                    stream.write(chunk)
                    written += len(chunk)
                    progress.update(task, completed=written)
            except urllib3.exceptions.HTTPError:
                raise PassingError(f"the connection was cut after {written:,} bytes") from None
        if total is not None and written != total:
            raise PassingError(f"the connection was cut after {written:,} of {total:,} bytes")
        return kept


def _check_answer(response: requests.Response, url: str, part: Path, have: int) -> int:
    """Where in the file the answer starts; raises what is wrong with it, and forgets what can't be continued."""
    check_status(response)
    if response.status_code == 416:  # not the same file any more
        _discard(part)
        raise PassingError("the site refused to continue the file")
    if response.status_code not in (200, 206):
        raise BioftError(
            f"{url} answers with HTTP status {response.status_code} ({response.reason}). The file may have moved: "
            "look for it on the source's download page."
        )
    if "html" in response.headers.get("Content-Type", "").lower():
        raise _web_page(url)
    if response.status_code == 200:
        return 0
    content_range = response.headers.get("Content-Range", "")
    if not content_range.startswith(f"bytes {have}-"):
        _discard(part)
        raise PassingError(f"the site sent another range than asked for ({content_range})")
    return have


def _web_page(url: str) -> BioftError:
    return BioftError(
        f"{url} answers with a web page instead of the file: the site asks for a check that only a browser can pass "
        "(captcha), or is down for maintenance. Open the address in a browser, save the file, and give its path to "
        "`bioft build`."
    )


def _check_content(part: Path, url: str, sha256: str | None) -> None:
    """Raise BioftError if a file is a web page, does not unpack, or is not what it must be."""
    with part.open("rb") as stream:
        start = stream.read(512)
    if start.lstrip()[:1] == b"<" and not url.endswith(".xml"):
        raise _web_page(url)
    if sha256 and (found := file_sha256(part)) != sha256:
        raise BioftError(f"The file from {url} was removed: its SHA-256 is {found}, and should be {sha256}.")
    if url.endswith(".gz") and start[:2] != b"\x1f\x8b":
        raise BioftError(f"{url} did not send a gzip file (it begins with {start[:20]!r}). Try again later.")
    damaged: object = None
    try:
        if url.endswith(".zip"):
            with zipfile.ZipFile(part) as archive:
                damaged = archive.testzip()
        elif url.endswith(".gz"):
            with gzip.open(part) as unpacked:
                while unpacked.read(CHUNK):
                    pass
    except zipfile.BadZipFile:
        damaged = "the archive"
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        damaged = error
    if damaged:
        raise BioftError(f"The file from {url} is damaged ({damaged}) and was removed. Fetch it again.")
