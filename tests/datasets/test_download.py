"""Downloads against a real web server on the loopback interface that misbehaves on request."""

import gzip
import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bioft.datasets import download as downloads
from bioft.datasets.documents import chemdisgene
from bioft.datasets.download import SOURCES, download
from bioft.errors import BioftError

FILE = SOURCES["ctd"].file
CONTENT = gzip.compress(bytes(range(256)) * 2000, mtime=0, compresslevel=0)
Fault = Callable[["Site", "Request"], bool]


class Request(BaseHTTPRequestHandler):
    """Serves the site's content with ranges, ETag and If-Range, after the next fault if there is one."""

    site: "Site"

    def do_GET(self) -> None:
        site = self.site
        site.requests.append({key.lower(): value for key, value in self.headers.items()} | {"path": self.path})
        if site.faults and site.faults.pop(0)(site, self):
            return
        self.serve(site.content)

    def serve(self, content: bytes, cut_after: int | None = None, content_type: str = "application/gzip") -> None:
        start = 0
        wanted = self.headers.get("Range")
        same = self.headers.get("If-Range") in (None, self.site.etag)
        if wanted and same and self.site.ranges:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("Content-Type", content_type)
        if self.site.etag:
            self.send_header("ETag", self.site.etag)
        self.end_headers()
        body = content[start:]
        self.wfile.write(body if cut_after is None else body[:cut_after])
        self.close_connection = True

    def log_message(self, *arguments: object) -> None:
        pass


class Site:
    def __init__(self) -> None:
        self.content = CONTENT
        self.etag = '"one"'
        self.ranges = True
        self.faults: list[Fault] = []
        self.requests: list[dict[str, str]] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Request,), {"site": self}))
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/reports"


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(downloads, "BACKOFF_SECONDS", 0)
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    site = Site()
    thread = threading.Thread(target=site.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield site
    site.server.shutdown()
    site.server.server_close()
    thread.join()


def status(code: int, **headers: str) -> Fault:
    def fault(site: Site, request: Request) -> bool:
        request.send_response(code)
        for key, value in headers.items():
            request.send_header(key.replace("_", "-"), value)
        request.send_header("Content-Length", "0")
        request.end_headers()
        return True

    return fault


def cut_after(n: int) -> Fault:
    def fault(site: Site, request: Request) -> bool:
        request.serve(site.content, cut_after=n)
        return True

    return fault


def files(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def test_the_file_its_record_and_the_terms(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = download("ctd", tmp_path / "new", base_url=site.url)
    assert path == tmp_path / "new" / FILE
    assert path.read_bytes() == CONTENT
    record = json.loads((tmp_path / "new" / f"{FILE}.source.json").read_text())
    assert record["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert record["bytes"] == len(CONTENT)
    assert record["url"] == f"{site.url}/{FILE}"
    assert files(path.parent) == {FILE, f"{FILE}.source.json"}
    shown = " ".join(capsys.readouterr().err.split())
    assert "must cite CTD" in shown
    assert record["sha256"] in shown


def test_by_default_it_asks_the_sources_themselves() -> None:
    addresses = {name: f"{source.base_url}/{source.file}" for name, source in SOURCES.items()}
    assert addresses["ctd"] == "https://ctdbase.org/reports/CTD_curated_genes_diseases.csv.gz"
    assert addresses["ctd-inferred"] == "https://ctdbase.org/reports/CTD_genes_diseases.csv.gz"
    assert addresses["bc5cdr"] == "https://ftp.ncbi.nlm.nih.gov/pub/lu/BC5CDR/CDR_Data.zip"
    commit = f"https://github.com/chanzuckerberg/ChemDisGene/raw/{chemdisgene.REVISION}"
    assert addresses["chemdisgene/abstracts.txt.gz"] == f"{commit}/data/curated/abstracts.txt.gz"
    assert addresses["chemdisgene/train_abstracts.txt.gz"] == f"{commit}/data/ctd_derived/train_abstracts.txt.gz"


def test_a_cut_connection_continues_where_it_broke_off(site: Site, tmp_path: Path) -> None:
    site.faults = [cut_after(100_000), cut_after(50_000)]
    assert download("ctd", tmp_path, base_url=site.url).read_bytes() == CONTENT
    assert [request.get("range") for request in site.requests] == [None, "bytes=100000-", "bytes=150000-"]


def test_a_later_call_continues_what_an_earlier_one_left(site: Site, tmp_path: Path) -> None:
    site.faults = [cut_after(100_000)] + [status(503)] * downloads.ATTEMPTS
    with pytest.raises(BioftError, match=r"503.*100,000 bytes are kept"):
        download("ctd", tmp_path, base_url=site.url)
    assert not (tmp_path / FILE).exists()
    site.requests.clear()
    site.faults.clear()
    assert download("ctd", tmp_path, base_url=site.url).read_bytes() == CONTENT
    assert [request.get("range") for request in site.requests] == ["bytes=100000-"]


def test_a_file_that_changed_on_the_site_is_not_joined_to_the_old_half(site: Site, tmp_path: Path) -> None:
    def change(site: Site, request: Request) -> bool:
        site.content, site.etag = gzip.compress(b"the new report" * 20_000, compresslevel=0), '"two"'
        return False

    site.faults = [cut_after(100_000), change]
    path = download("ctd", tmp_path, base_url=site.url)
    assert gzip.decompress(path.read_bytes()) == b"the new report" * 20_000
    assert [request.get("if-range") for request in site.requests] == [None, '"one"']
    assert json.loads((tmp_path / f"{FILE}.source.json").read_text())["etag"] == '"two"'


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
def test_half_a_file_of_unknown_version_is_dropped(site: Site, tmp_path: Path, etag: str) -> None:
    site.etag = etag
    site.faults = [cut_after(100_000)]
    assert download("ctd", tmp_path, base_url=site.url).read_bytes() == CONTENT
    assert [request.get("range") for request in site.requests] == [None, None]


def test_a_site_without_ranges(site: Site, tmp_path: Path) -> None:
    site.ranges = False
    site.faults = [cut_after(100_000)]
    assert download("ctd", tmp_path, base_url=site.url).read_bytes() == CONTENT


def test_everything_was_there_but_the_end_of_the_call(site: Site, tmp_path: Path) -> None:
    site.faults = [cut_after(len(CONTENT) - 1)] + [status(503)] * downloads.ATTEMPTS
    with pytest.raises(BioftError):
        download("ctd", tmp_path, base_url=site.url)
    part = tmp_path / f"{FILE}.part"
    part.write_bytes(CONTENT)
    site.faults.clear()
    site.requests.clear()
    assert download("ctd", tmp_path, base_url=site.url).read_bytes() == CONTENT
    assert len(site.requests) == 1


def test_server_errors_are_tried_again_but_not_for_ever(site: Site, tmp_path: Path) -> None:
    site.faults = [status(500), status(429, Retry_After="0"), status(503)]
    assert download("ctd", tmp_path / "a", base_url=site.url).read_bytes() == CONTENT
    site.requests.clear()
    site.faults = [status(500)] * 100
    with pytest.raises(BioftError, match=f"after {downloads.ATTEMPTS} tries: HTTP status 500"):
        download("ctd", tmp_path / "b", base_url=site.url)
    assert len(site.requests) == downloads.ATTEMPTS


def test_a_site_that_cuts_at_the_same_byte_each_time_is_given_up(site: Site, tmp_path: Path) -> None:
    site.ranges = False
    site.faults = [cut_after(1000)] * 100
    with pytest.raises(BioftError, match="cut after"):
        download("ctd", tmp_path, base_url=site.url)
    assert len(site.requests) <= downloads.ATTEMPTS + 1


def test_not_found_is_not_tried_again(site: Site, tmp_path: Path) -> None:
    site.faults = [status(404)]
    with pytest.raises(BioftError, match="404"):
        download("ctd", tmp_path, base_url=site.url)
    assert len(site.requests) == 1


def test_no_connection(site: Site, tmp_path: Path) -> None:
    url = site.url
    site.server.server_close()
    with pytest.raises(BioftError, match="no connection to the site"):
        download("ctd", tmp_path, base_url=url)
    assert files(tmp_path) == set()


@pytest.mark.parametrize("content_type", ["text/html; charset=utf-8", "application/gzip"])
def test_a_captcha_page_instead_of_the_file(site: Site, tmp_path: Path, content_type: str) -> None:
    def page(site: Site, request: Request) -> bool:
        request.serve(b"<!DOCTYPE html><title>Are you human?</title>", content_type=content_type)
        return True

    site.faults = [page]
    with pytest.raises(BioftError, match=r"web page instead of the file.*browser"):
        download("ctd", tmp_path, base_url=site.url)
    assert files(tmp_path) == set()


@pytest.mark.parametrize("content", [CONTENT[:-5], CONTENT[:1000] + b"x" + CONTENT[1001:], b"not gzip"])
def test_a_damaged_file_is_not_kept(site: Site, tmp_path: Path, content: bytes) -> None:
    site.content = content
    with pytest.raises(BioftError, match=r"damaged|did not send a gzip file"):
        download("ctd", tmp_path, base_url=site.url)
    assert files(tmp_path) == set()


def zip_file() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("CDR_TestSet.PubTator.txt", "1|t|A title.\n" * 1000)
    return stream.getvalue()


def test_a_zip_file(site: Site, tmp_path: Path) -> None:
    site.content = zip_file()
    assert download("bc5cdr", tmp_path, base_url=site.url).read_bytes() == site.content


@pytest.mark.parametrize("damage", [lambda c: c[:-30], lambda c: c[:500] + b"x" + c[501:], lambda c: b"no zip file"])
def test_a_damaged_zip_file_is_not_kept(site: Site, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    site.content = damage(zip_file())
    with pytest.raises(BioftError, match="damaged"):
        download("bc5cdr", tmp_path, base_url=site.url)
    assert files(tmp_path) == set()


def test_a_file_with_a_known_checksum(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "chemdisgene/abstracts.txt.gz"
    with pytest.raises(BioftError, match=f"SHA-256 is {hashlib.sha256(CONTENT).hexdigest()}, and should be d78a6368"):
        download(name, tmp_path, base_url=site.url)
    assert files(tmp_path) == set()
    expected = SOURCES[name]._replace(sha256=hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setitem(SOURCES, name, expected)
    assert download(name, tmp_path, base_url=site.url).read_bytes() == CONTENT


@pytest.mark.parametrize("training", [False, True])
def test_chemdisgene_is_laid_out_as_by_its_authors(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, training: bool
) -> None:
    for name, source in list(SOURCES.items()):
        monkeypatch.setitem(SOURCES, name, source._replace(base_url=site.url, sha256=None))
    assert downloads.chemdisgene(tmp_path, training=training) == tmp_path
    data = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.gz")}
    expected = {f"curated/{name}" for name in chemdisgene.CURATED}
    if training:
        expected |= {
            f"ctd_derived/{part}_{kind}"
            for part in ("train", "dev")
            for kind in ("abstracts.txt.gz", "relationships.tsv.gz")
        }
    assert data == expected


def test_a_gzip_file_declared_as_transfer_encoding_is_stored_as_sent(site: Site, tmp_path: Path) -> None:
    def encoded(site: Site, request: Request) -> bool:
        request.send_response(200)
        request.send_header("Content-Encoding", "gzip")
        request.send_header("Content-Length", str(len(site.content)))
        request.end_headers()
        request.wfile.write(site.content)
        return True

    site.faults = [encoded]
    assert download("ctd", tmp_path, base_url=site.url).read_bytes() == CONTENT


def test_a_second_call_fetches_nothing(site: Site, tmp_path: Path) -> None:
    download("ctd", tmp_path, base_url=site.url)
    site.requests.clear()
    assert download("ctd", tmp_path, base_url=site.url) == tmp_path / FILE
    assert site.requests == []


def test_a_file_of_the_users_own_is_left_alone(site: Site, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"mine")
    with pytest.raises(BioftError, match="left as it is"):
        download("ctd", tmp_path, base_url=site.url)
    assert (tmp_path / FILE).read_bytes() == b"mine"
    assert site.requests == []


def test_unknown_source() -> None:
    with pytest.raises(BioftError, match="Did you mean 'ctd'"):
        download("cdt", ".")


def test_a_directory_that_can_not_be_made(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BioftError, match=r"Can't write .* MB free"):
        download("ctd", tmp_path / "file" / "below", base_url=site.url)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full, a device that is always full, is Linux only")
def test_a_full_disk(site: Site, tmp_path: Path) -> None:
    (tmp_path / f"{FILE}.part").symlink_to("/dev/full")
    with pytest.raises(BioftError, match=r"No space left on device.* MB free"):
        download("ctd", tmp_path, base_url=site.url)
    assert not (tmp_path / FILE).exists()
