"""NCBI's E-utilities on loopback: searches and pages of PubMed XML; fails on request."""

import itertools
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs
from xml.etree import ElementTree

from bioft.datasets.pubmed import xml as pubmed_xml

Answer = tuple[int, bytes] | None
Fault = Callable[[str, dict[str, str]], Answer]
"""Takes tool and parameters; returns the status and body to send instead, or None to answer as usual."""


class PubmedServer:
    """Serves the records of PubMed XML files, each with an Entrez date; knows what was asked."""

    def __init__(self, records: Iterable[bytes], dates: Iterable[str] = ()) -> None:
        self.records = {re.search(rb"<PMID[^>]*>(\d+)", record)[1].decode(): record for record in records}
        self.dates = dict(itertools.zip_longest(self.records, dates, fillvalue="2020/01/01"))
        self.hidden: set[str] = set()
        """PMIDs that are found, but not given."""
        self.limit = 9_999
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.faults: list[Fault] = []
        """Asked once each, in turn, by the first request that they answer."""

    @classmethod
    def of_files(cls, files: Iterable[Path]) -> "PubmedServer":
        return cls(ElementTree.tostring(piece.root) for file in files for piece in pubmed_xml.articles(file))

    def count(self, tool: str) -> int:
        return sum(each == tool for each, _ in self.requests)

    def answer(self, tool: str, asked: dict[str, str]) -> tuple[int, bytes]:
        self.requests.append((tool, asked))
        for fault in self.faults:
            if (found := fault(tool, asked)) is not None:
                self.faults.remove(fault)
                return found
        return getattr(self, f"_{tool}")(asked)

    def _esearch(self, asked: dict[str, str]) -> tuple[int, bytes]:
        first, last = asked.get("mindate", ""), asked.get("maxdate", "9")
        found = [] if "nothing" in asked["term"] else [p for p, day in self.dates.items() if first <= day <= last]
        found.sort(key=lambda pmid: self.dates[pmid], reverse=True)
        ids = "".join(f"<Id>{pmid}</Id>" for pmid in found[: min(int(asked["retmax"]), self.limit)])
        remark = "" if found else "<ErrorList><PhraseNotFound>nothing</PhraseNotFound></ErrorList>"
        return 200, (
            f"<eSearchResult><Count>{len(found)}</Count><IdList>{ids}</IdList>{remark}</eSearchResult>".encode()
        )

    def _efetch(self, asked: dict[str, str]) -> tuple[int, bytes]:
        wanted = asked["id"].split(",")
        records = b"\n".join(self.records[pmid] for pmid in wanted if pmid not in self.hidden)
        return 200, b'<?xml version="1.0" ?>\n<PubmedArticleSet>\n%b\n</PubmedArticleSet>\n' % records


@contextmanager
def served(server: PubmedServer) -> Iterator[str]:
    """Run the server; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            tool = self.path.rpartition("/")[2].removesuffix(".fcgi")
            status, content = server.answer(tool, {key: values[0] for key, values in parse_qs(body).items()})
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{web.server_port}/entrez/eutils"
    finally:
        web.shutdown()
        thread.join()
        web.server_close()
