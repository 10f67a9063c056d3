"""Split the XML of PubMed and PubMed Central into its articles, one at a time, whatever is broken between them.

A file of PubMed is one document with thousands of articles, so that a parser of the whole gives up at the first
error. Here each article is cut out and parsed on its own: memory holds one, and a broken one costs no other.
"""

import gzip
import os
import re
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from lxml import etree

from bioft.errors import BioftError
from bioft.storage.text_lines import TextLines

LARGEST_ARTICLE = 64 << 20
"""Bytes; what goes on for longer without an end is no article."""
_BLOCK = 1 << 20
_START = re.compile(rb"<(PubmedArticle|PubmedBookArticle|article)(?=[\s>])")
_ROOTS = "PubmedArticleSet|pmc-articleset|PubmedBookArticleSet"
# What may stand between articles.
_BETWEEN = re.compile(
    rb"(?:\s+|\xef\xbb\xbf|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*(?:\[.*?\]\s*)?>|"
    rb"</?(?:%(roots)b)(?:\s[^>]*)?/?>|<DeleteCitation>.*?</DeleteCitation>)*" % {b"roots": _ROOTS.encode()},
    re.DOTALL,
)
_ROOT_START = re.compile(rb"<(%b)(?:\s[^>]*[^/>]|\s*)>" % _ROOTS.encode())
_ENCODING = re.compile(rb"<\?xml[^>]*encoding\s*=\s*[\"']([^\"']+)")
_PMID = re.compile(rb"<(?:PMID[^>]*|article-id pub-id-type=\"pmid\")>\s*(\d+)")
_HINT = "Download the file again, or leave broken articles out with --skip-bad."


def find(element: etree._Element, path: str) -> etree._Element:
    """The first element at a path, or an empty one."""
    found = element.find(path)
    return etree.Element("none") if found is None else found


def text_of(element: etree._Element | None) -> str:
    """All text inside, that of inline markup too, with single spaces."""
    if element is None:
        return ""
    # Most elements have no markup inside: walking through them would take most of the time.
    text = "".join(element.itertext()) if len(element) else element.text or ""
    return " ".join(text.split())


class Piece(NamedTuple):
    """An article in a file."""

    tag: str
    """ "PubmedArticle", "PubmedBookArticle" or "article" (of PubMed Central)."""
    line: int
    """Where it starts, from 1."""
    root: etree._Element


def articles(path: str | os.PathLike[str], skipped: list[str] | None = None) -> Iterator[Piece]:
    """Yield the articles of a file, plain or gzip: a PubmedArticleSet, a pmc-articleset, or one JATS article.

    With `skipped`, what is broken is left out and said there, one message each; otherwise the first raises.

    Raises:
        BioftError: a file that is missing, empty, cut off, not UTF-8 or not of these kinds, or broken XML; with file,
            line and the last good PMID.
    """
    # Without a DTD there are no entities to expand, and nothing is fetched.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
    last_good = ""
    for piece in _pieces(path):
        problem, line = piece.problem, piece.line
        if not problem:
            try:
                root = etree.fromstring(piece.content, parser)
            except etree.XMLSyntaxError as error:
                # Its own line and column count from the start of the article.
                problem = re.sub(r", line \d+, column \d+.*", "", str(error.msg)).strip()
                line += error.position[0] - 1
            else:
                pmid = _PMID.search(piece.content)
                last_good = pmid[1].decode() if pmid else last_good
                yield Piece(piece.tag, line, root)
                continue
        own = _PMID.search(piece.content)
        where = f" in the article with PMID {own[1].decode()}" if own else ""
        after = f"the last good article is PMID {last_good}" if last_good else "no good article is before it"
        message = f"{path}, line {line}: broken XML{where}: {problem}; {after}"
        if skipped is None:
            raise BioftError(f"{message}. {_HINT}")
        skipped.append(message)


class _Raw(NamedTuple):
    """The bytes of an article, or of something broken; `problem` says what is wrong, "" for an article."""

    tag: str
    line: int
    content: bytes
    problem: str = ""


def _pieces(path: str | os.PathLike[str]) -> Iterator[_Raw]:
    """Cut a file into articles. What stands before, between and after them must be what may stand there."""
    blocks = _blocks(path)
    buffer = next(blocks)
    _check_start(path, buffer)
    position, line = 0, 1
    root_open = False
    while True:
        start = _START.search(buffer, position)
        closing = b"</" + start[1] + b">" if start else b""
        end = buffer.find(closing, start.end()) if start else -1
        if start is None or end == -1:
            block = next(blocks, None)
            if block is None:
                break
            buffer, position = buffer[position:] + block, 0
            if len(buffer) > LARGEST_ARTICLE:
                raise BioftError(
                    f"{path}, line {line}: no article ends within {LARGEST_ARTICLE >> 20} MiB. The file is damaged: "
                    "download it again."
                )
            continue
        before = buffer[position : start.start()]
        root_open = _root_open(before, root_open)
        yield from _between(before, line)
        line += before.count(b"\n")
        position, end = start.start(), end + len(closing)
        # A start inside an article means that the first one has no end.
        for inner in _START.finditer(buffer, start.end(), end):
            if inner[1] == start[1]:
                lost = buffer[position : inner.start()]
                yield _Raw(start[1].decode(), line, lost, f"the article has no {closing.decode()}")
                line += lost.count(b"\n")
                position = inner.start()
        content = buffer[position:end]
        yield _Raw(start[1].decode(), line, content)
        line += content.count(b"\n")
        position = end
    rest = buffer[position:]
    cut = _START.search(rest)
    before = rest[: cut.start()] if cut else rest
    yield from _between(before, line)
    line += before.count(b"\n")
    if cut:
        yield _Raw(cut[1].decode(), line, rest[cut.start() :], f"the file breaks off before {closing.decode()}")
    elif _root_open(before, root_open):
        yield _Raw("", line, b"", "the file breaks off: its root element is not closed")


def _between(content: bytes, line: int) -> Iterator[_Raw]:
    allowed = _BETWEEN.match(content)
    assert allowed is not None
    if allowed.end() < len(content):
        strange = content[allowed.end() :]
        shown = strange[:40].decode("utf-8", "replace").split("\n")[0]
        yield _Raw("", line + content.count(b"\n", 0, allowed.end()), strange, f"{shown!r} is between articles")


def _root_open(content: bytes, before: bool) -> bool:
    """Whether a set of articles is open after this content."""
    opened = [(found.start(), True) for found in _ROOT_START.finditer(content)]
    closed = [(found.start(), False) for found in re.finditer(rb"</(?:%b)\s*>" % _ROOTS.encode(), content)]
    return max([*opened, *closed])[1] if opened or closed else before


def _blocks(path: str | os.PathLike[str]) -> Iterator[bytes]:
    lines = TextLines(path, "Download the file again.")
    with lines.open_bytes() as stream:
        read = 0
        try:
            while block := stream.read(_BLOCK):
                read += len(block)
                yield block
        except EOFError:
            raise BioftError(
                f"{path} is a truncated gzip file: it breaks off after {read:,} unpacked bytes. Download it again."
            ) from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise BioftError(
                f"{path} is a corrupt gzip file after {read:,} unpacked bytes ({error}). Download it again."
            ) from None
    if not read:
        raise BioftError(f"{path} is empty: a gzip file with no content. Download it again.")


def _check_start(path: str | os.PathLike[str], start: bytes) -> None:
    """Raise BioftError for a file that is not UTF-8 XML of articles."""
    head = start[:100_000]
    encoding = _ENCODING.search(head[:200])
    declared = encoding[1].lower() if encoding else b"utf-8"
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") or declared not in (b"utf-8", b"utf8", b"us-ascii"):
        name = encoding[1].decode() if encoding else "UTF-16"
        raise BioftError(f"{path} is encoded in {name}. Convert it to UTF-8 (iconv -t utf-8).")
    error = re.search(rb"<ERROR>(.*?)</ERROR>", head, re.DOTALL)
    if error:
        raise BioftError(f"{path} holds an error message of NCBI: {error[1].decode('utf-8', 'replace').strip()}")
    if not (_START.search(head) or re.search(rb"<(?:%b)[\s/>]" % _ROOTS.encode(), head)):
        shown = head[:60].decode("utf-8", "replace").strip()
        raise BioftError(
            f"{path} is no XML of PubMed or PubMed Central: it begins with {shown!r}. Give a PubmedArticleSet, or a "
            "full text (.nxml) of PubMed Central."
        )
