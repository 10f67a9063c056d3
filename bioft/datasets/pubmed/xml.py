"""Split the XML of PubMed into its articles, one at a time, whatever is broken between them.

A file of PubMed is one document with thousands of articles, so that a parser of the whole gives up at the first
error. Here each article is cut out and parsed on its own: memory holds one, and a broken one costs no other.
"""

import gzip
import os
import re
import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from lxml import etree

from bioft.errors import BioftError
from bioft.storage.text_lines import TextLines

LARGEST_ARTICLE = 64 << 20
"""Bytes; what goes on for longer without an end is no article."""
_BLOCK = 1 << 20
_START = re.compile(rb"<(PubmedArticle|PubmedBookArticle)(?=[\s>])")
_END = re.compile(rb"</(?:PubmedArticle|PubmedBookArticle)\s*>")
# What may stand between articles, one at a time.
_BETWEEN = re.compile(
    rb"\s+|\xef\xbb\xbf|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^\[>]*(?:\[.*?\][^>]*)?>"
    rb"|<DeleteCitation\s*(?:/>|>(?P<deleted>.*?)</DeleteCitation>)"
    rb"|<(?P<closing>/?)(?:PubmedArticleSet|PubmedBookArticleSet)(?=[\s/>])[^>]*>",
    re.DOTALL,
)
_NAMESPACE = re.compile(rb"\sxmlns:[\w.-]{1,99}\s*=\s*(?:\"[^\"<>]{0,999}\"|'[^'<>]{0,999}')")
_ENCODING = re.compile(rb"<\?xml[^>]*encoding\s*=\s*[\"']([^\"']+)")
_PMID = re.compile(rb"<PMID[^<>]{0,200}>\s*(\d{1,12})\s*</PMID>")
_HINT = "Download the file again, or leave broken articles out with --skip-bad."


def find(element: etree._Element, path: str) -> etree._Element:
    """The first element at a path, or an empty one."""
    found = element.find(path)
    return etree.Element("none") if found is None else found


BLOCKS = frozenset({
    "AbstractText", "DispFormula", "array", "boxed-text", "break", "caption", "code", "def", "def-item", "def-list",
    "disp-formula", "disp-formula-group", "disp-quote", "fig", "fig-group", "fn", "hr", "kwd", "label", "list",
    "list-item", "media", "p", "preformat", "sec", "speech", "statement", "sub-article", "supplementary-material",
    "table", "table-wrap", "td", "term", "th", "title", "tr", "verse-group", "verse-line",
})  # fmt: skip
"""Elements that stand apart from the text around them, so that their words are not glued to it."""
# How MathML writes a power, a part and an index: the second part after the first.
_BETWEEN_PARTS = {"msup": "^", "mfrac": "/", "sup": "^"}


def text_of(element: etree._Element | None) -> str:
    """All text inside, that of inline markup too, with single spaces; "10<sup>6</sup>" is "10^6"."""
    if element is None:
        return ""
    # Most elements have no markup inside: walking through them would take most of the time.
    return " ".join((_marked_text(element) if len(element) else element.text or "").split())


def _marked_text(element: etree._Element) -> str:
    """The text inside an element, with a space around the `BLOCKS` in it."""
    parts: list[str] = []

    def walk(each: etree._Element) -> None:
        parts.append(each.text or "")
        for number, child in enumerate(each):
            if number == 1 and each.tag in ("msup", "mfrac"):
                parts.append(_BETWEEN_PARTS[each.tag])
            first = len(parts)
            walk(child)
            if child.tag in BLOCKS:
                parts.insert(first, " ")
                parts.append(" ")
            elif child.tag == "sup" and _is_power(parts, first):
                parts.insert(first, _BETWEEN_PARTS["sup"])
            parts.append(child.tail or "")

    walk(element)
    return "".join(parts)


def _is_power(parts: Sequence[str], first: int) -> bool:
    """Whether a superscript is raised behind what it belongs to: 10<sup>6</sup>, and not <sup>13</sup>C."""
    before = next((part for part in reversed(parts[max(first - 9, 0) : first]) if part), "")
    inside = "".join(parts[first:]).strip()
    return before[-1:].strip() != "" and (inside[:1].isalnum() or inside[:1] in tuple("+-−–±"))


class Piece(NamedTuple):
    """An article in a file."""

    tag: str
    """ "PubmedArticle" or "PubmedBookArticle"."""
    line: int
    """Where it starts, from 1."""
    root: etree._Element


def articles(
    path: str | os.PathLike[str], skipped: list[str] | None = None, deleted: set[str] | None = None
) -> Iterator[Piece]:
    """Yield the articles of a file, plain or gzip: a PubmedArticleSet, or articles one after another.

    With `skipped`, what is broken is left out and said there, one message each; otherwise the first raises. `deleted`
    takes the PMIDs that an update file of PubMed says are deleted (`DeleteCitation`), once all of it is read.

    BioftError: a file that is missing, empty, cut off, not UTF-8 or not of these kinds, or broken XML; with file, line
    and the last good PMID.
    """
    # Without a DTD there are no entities to expand, and nothing is fetched.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
    last_good = ""
    for piece in _pieces(path, set() if deleted is None else deleted):
        problem, line = piece.problem, piece.line
        pmid = _PMID.search(piece.content)
        if not problem:
            try:
                # Prefixes that were declared around the article stay known in a wrapper.
                root = etree.fromstring(b"<r" + piece.namespaces + b">" + piece.content + b"</r>", parser)[0]
            except etree.XMLSyntaxError as error:
                # Its own line and column count from the start of the article.
                problem = re.sub(r", line \d+, column \d+.*", "", str(error.msg)).strip()
                line += error.position[0] - 1
            else:
                for element in root.iter():
                    element.tag = element.tag.rpartition("}")[2]
                last_good = pmid[1].decode() if pmid else last_good
                yield Piece(piece.tag, line, root)
                continue
        where = f" in the article with PMID {pmid[1].decode()}" if pmid else ""
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
    namespaces: bytes = b""
    """Declarations of prefixes in the elements around it."""


def _pieces(path: str | os.PathLike[str], deleted: set[str]) -> Iterator[_Raw]:
    """Cut a file into articles. What stands before, between and after them must be what may stand there."""
    is_open, namespaces = False, b""
    for line, content in _up_to_ends(path):
        starts = list(_START.finditer(content))
        ends = content.endswith(b">") and _END.search(content, len(content) - 200) is not None
        if not ends:  # the rest: what is cut off goes on to the end of the file
            del starts[1:]
        before = content[: starts[0].start()] if starts else content
        place = 0
        while place < len(before) and (found := _BETWEEN.match(before, place)):
            place = found.end()
            deleted |= {each.decode() for each in _PMID.findall(found["deleted"] or b"")}
            if found["closing"] is not None and not found[0].endswith(b"/>"):
                is_open = not found["closing"]
                namespaces = b"".join(_NAMESPACE.findall(found[0])) or namespaces
        if place < len(before):
            shown = before[place : place + 40].decode("utf-8", "replace").split("\n")[0]
            problem = f"{shown!r} is between articles"
            yield _Raw("", line + before.count(b"\n", 0, place), before[place:], problem)
        for number, start in enumerate(starts, 1):
            end = starts[number].start() if number < len(starts) else len(content)
            name, own = start[1].decode(), content[start.start() : end]
            # A start inside an article means that the first one has no end.
            lost = f"the article has no </{name}>" if number < len(starts) else ""
            problem = lost if ends else f"the file breaks off before </{name}>"
            yield _Raw(name, line + content.count(b"\n", 0, start.start()), own, problem, namespaces)
        if not ends and not starts and is_open:
            yield _Raw("", line + content.count(b"\n"), b"", "the file breaks off: its root element is not closed")


def _up_to_ends(path: str | os.PathLike[str]) -> Iterator[tuple[int, bytes]]:
    """What a file has up to each end of an article, with its first line; last the rest."""
    line, seek, buffer = 1, 0, b""
    for number, block in enumerate(_blocks(path)):
        if number == 0:
            _check_start(path, block)
        buffer += block
        position = 0
        while end := _END.search(buffer, max(position, seek)):
            yield line, buffer[position : end.end()]
            line += buffer.count(b"\n", position, end.end())
            position = end.end()
        # What has been searched is not searched again, but for a tag that the end of a block cuts.
        buffer, seek = buffer[position:], max(len(buffer) - position - 200, 0)
        if len(buffer) > LARGEST_ARTICLE:
            raise BioftError(
                f"{path}, line {line}: no article ends within {LARGEST_ARTICLE >> 20} MiB. The file is damaged: "
                "download it again."
            )
    yield line, buffer


def _blocks(path: str | os.PathLike[str]) -> Iterator[bytes]:
    with TextLines(path, "Download the file again.").open_bytes() as stream:
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
    if error := re.search(rb"<ERROR>([^<]{1,500})", head):
        raise BioftError(f"{path} holds an error message of NCBI: {error[1].decode('utf-8', 'replace').strip()}")
    if not _START.search(head) and not re.search(rb"<Pubmed(?:Book)?ArticleSet[\s/>]", head):
        shown = head[:60].decode("utf-8", "replace").strip()
        kind = "XML of PubMed"
        if re.search(rb"<(?:[\w.-]+:)?(?:article|pmc-articleset)[\s>]", head):
            kind += ", but full text of PubMed Central, which has no MeSH headings"
        raise BioftError(f"{path} is no {kind}: it begins with {shown!r}. Give a PubmedArticleSet.")
