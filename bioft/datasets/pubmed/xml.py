"""Split the XML of PubMed and PubMed Central into its articles, one at a time, whatever is broken between them.

A file of PubMed is one document with thousands of articles, so that a parser of the whole gives up at the first
error. Here each article is cut out and parsed on its own: memory holds one, and a broken one costs no other.
"""

import os
import re
from collections.abc import Collection, Iterator, Sequence
from itertools import chain, pairwise
from typing import NamedTuple
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from bioft.errors import BioftError
from bioft.storage.text_lines import TextLines, no_text

LARGEST_ARTICLE = 64 << 20
"""Bytes; what goes on for longer without an end is no article."""
_BLOCK = 1 << 20
_NAME = rb"(?:[\w.-]++:)?(?:PubmedArticle|PubmedBookArticle|article)"
_START, _END = re.compile(rb"<(%b)(?=[\s>])" % _NAME), re.compile(rb"</%b\s*>" % _NAME)
_ROOTS = (b"PubmedArticleSet", b"pmc-articleset", b"PubmedBookArticleSet")
# What may stand outside of articles: also what an answer of an OAI server (Open Archives Initiative, as that of PubMed
# Central) has around them, with the elements in it that are passed over whole.
_OUTSIDE = re.compile(
    rb"\s+|\xef\xbb\xbf|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^\[>]*(?:\[.*?\][^>]*)?>"
    rb"|<(?P<aside>(?:[\w.-]+:)?(?:DeleteCitation|responseDate|request|header|about|resumptionToken))(?=[\s/>])"
    rb"(?:[^>]*/>|.*?</(?P=aside)>)"
    rb"|<(?P<closing>/?)(?:[\w.-]+:)?(?P<name>%b|OAI-PMH|GetRecord|ListRecords|record|metadata)(?=[\s/>])[^>]*>"
    % b"|".join(_ROOTS),
    re.DOTALL,
)
_NAMESPACE = re.compile(rb"\sxmlns:[\w.-]{1,99}\s*=\s*(?:\"[^\"<>]{0,999}\"|'[^'<>]{0,999}')")
_ENCODING = re.compile(rb"<\?xml[^>]*encoding\s*=\s*[\"']([^\"']+)")
_PMID = re.compile(rb"<(?:PMID[^<>]{0,200}|article-id pub-id-type=\"pmid\")>\s*(\d+)")
_HINT = "Download the file again, or leave broken articles out with --skip-bad."


def find(element: Element, path: str) -> Element:
    """The first element at a path, or an empty one."""
    found = element.find(path)
    return Element("none") if found is None else found


BLOCKS = frozenset({
    "AbstractText", "DispFormula", "address", "array", "attrib", "boxed-text", "break", "caption", "chem-struct",
    "chem-struct-wrap", "code", "def", "def-item", "def-list", "disp-formula", "disp-formula-group", "disp-quote",
    "fig", "fig-group", "fn", "hr", "kwd", "label", "list", "list-item", "media", "p", "preformat", "sec", "speech",
    "statement", "sub-article", "supplementary-material", "table", "table-wrap", "td", "term", "th", "title", "tr",
    "verse-group", "verse-line",
})  # fmt: skip
"""Elements that stand apart from the text around them, so that their words are not glued to it."""
BREAK = "\0"
"""What stands between them: no character of XML."""
# How MathML writes a power and a part: before the second of its parts, or the third.
_BETWEEN_PARTS = {("msup", 1): "^", ("msubsup", 2): "^", ("mfrac", 1): "/"}
_OF_MARKS = ("bibr", "fn")
"""What references point to that are marks in a text, and no words of it: the bibliography and notes."""
_TEN, _EXPONENT = re.compile(r"(?:^|\D)10\s$"), re.compile(r"[+\-–−]?\d+")


def text_of(element: Element | None) -> str:
    """All text inside, that of inline markup too, with single spaces; "10<sup>6</sup>" is "10^6"."""
    if element is None:
        return ""
    # Most elements have no markup inside: walking through them would take most of the time.
    return " ".join((marked_text(element) if len(element) else element.text or "").replace(BREAK, " ").split())


def marked_text(element: Element, spaces: Collection[str] = (), marks: Collection[str] = ()) -> str:
    """The text inside an element, with `BREAK` around the `BLOCKS` in it.

    Elements of `spaces` are a space each; of `marks` (of references, and of notes) nothing is left.
    """
    parts: list[str] = []

    def walk(each: Element) -> None:
        parts.append(each.text or "")
        for number, child in enumerate(each):
            kind = child.tag
            if between := _BETWEEN_PARTS.get((each.tag, number)):
                parts.append(between)
            if kind in spaces:
                parts.append(" ")
            elif not (kind in marks and child.get("ref-type") in _OF_MARKS):
                first = len(parts)
                walk(child)
                if (
                    kind == "sup"
                    and marks
                    and child.find("xref") is not None
                    and not any(map(str.isalnum, "".join(parts[first:])))
                ):
                    del parts[first:]  # the commas between marks
                if kind in BLOCKS:
                    parts.insert(first, BREAK)
                    parts.append(BREAK)
                elif kind == "sup" and _is_power(parts, first, child.tail or ""):
                    parts.insert(first, "^")
            parts.append(child.tail or "")

    walk(element)
    return "".join(parts)


def _is_power(parts: Sequence[str], first: int, after: str) -> bool:
    """Whether a superscript is raised behind what it belongs to: 10<sup>6</sup>, and not <sup>13</sup>C.

    Powers of ten have a space before them in some articles: 10 <sup>6</sup>, and not 10 <sup>18</sup>F.
    """
    before = next((part for part in reversed(parts[max(first - 9, 0) : first]) if part), "")
    inside = "".join(parts[first:]).strip()
    if _TEN.search(before) and _EXPONENT.fullmatch(inside) and not after[:1].isalpha():
        return True
    return before[-1:].strip() not in ("", BREAK) and (inside[:1].isalnum() or inside[:1] in tuple("+-−–±"))


def without_namespaces(root: Element) -> Element:
    """The same elements by their local names."""
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


class Piece(NamedTuple):
    """An article in a file."""

    tag: str
    """ "PubmedArticle", "PubmedBookArticle" or "article" (of PubMed Central)."""
    line: int
    """Where it starts, from 1."""
    root: Element


def articles(path: str | os.PathLike[str], skipped: list[str] | None = None) -> Iterator[Piece]:
    """Yield the articles of a file, plain or gzip: a PubmedArticleSet, a pmc-articleset, or one JATS article.

    With `skipped`, what is broken is left out and said there, one message each; otherwise the first raises.

    BioftError: a file that is missing, empty, cut off, not UTF-8 or not of these kinds, or broken XML; with file, line
    and the last good PMID.
    """
    last_good = ""
    for piece in _pieces(path):
        problem, line = piece.problem, piece.line
        if not problem:
            try:
                # Prefixes that were declared around the article stay known in a wrapper.
                around = b"<r" + piece.namespaces + b">" + piece.content + b"</r>"
                root = ElementTree.fromstring(around if piece.namespaces else piece.content)
            except ElementTree.ParseError as error:
                # Its own line and column count from the start of the article.
                problem = re.sub(r": line \d+, column \d+.*", "", str(error)).strip()
                line += error.position[0] - 1
            else:
                pmid = _PMID.search(piece.content)
                last_good = pmid[1].decode() if pmid else last_good
                yield Piece(piece.tag, line, without_namespaces(root[0] if piece.namespaces else root))
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
    namespaces: bytes = b""
    """Declarations of prefixes in the elements around it."""


def deleted(path: str | os.PathLike[str]) -> set[str]:
    """The PMIDs that an update file of PubMed says are deleted (`DeleteCitation`)."""
    found: set[str] = set()
    tail, opening, closing = b"", b"<DeleteCitation>", b"</DeleteCitation>"
    for block in chain(_blocks(path), [closing]):  # which what the file breaks off in has not
        *sections, tail = (tail + block).split(closing)
        for section in sections:
            deletion = section.partition(opening)[2]
            found |= {each.decode() for each in re.findall(rb">\s*(\d{1,12})\s*</PMID>", deletion)}
        begun = tail.find(opening)
        tail = tail[begun:] if begun != -1 else tail[-len(opening) :]  # which the end of the block may cut
    return found


def _pieces(path: str | os.PathLike[str]) -> Iterator[_Raw]:
    """Cut a file into articles. What stands before, between and after them must be what may stand there."""
    outside, line, cut = _Outside(), 1, False
    for section, whole in _sections(path):
        starts = [*_START.finditer(section)]
        places = [*(each.start() for each in starts), len(section)]
        yield from outside.read(section[: places[0]], line)
        line += section.count(b"\n", 0, places[0])
        for start, (place, end) in zip(starts, pairwise(places), strict=True):
            tag, cut = start[1].decode(), not whole and end == len(section)
            problem = "" if whole and end == len(section) else f"the article has no </{tag}>"
            problem = f"the file breaks off before </{tag}>" if cut else problem
            yield _Raw(tag.rpartition(":")[2], line, section[place:end], problem, outside.namespaces)
            line += section.count(b"\n", place, end)
    if outside.open and not cut:
        yield _Raw("", line, b"", "the file breaks off: its root element is not closed")


def _sections(path: str | os.PathLike[str]) -> Iterator[tuple[bytes, bool]]:
    """The bytes of a file up to the end of each article, and what follows the last one (which is not whole)."""
    rest, n = b"", 0
    for block in _blocks(path):
        if not rest and not n:
            _check_start(path, block)
        searched, place = max(len(rest) - 200, 0), 0  # but for a tag that the end of a block cuts
        rest += block
        for end in _END.finditer(rest, searched):
            yield rest[place : end.end()], True
            place, n = end.end(), n + 1
        rest = rest[place:]
        if len(rest) > LARGEST_ARTICLE:
            raise BioftError(
                f"{path}: after {n:,} articles no article ends within {LARGEST_ARTICLE >> 20} MiB. The file is "
                "damaged: download it again."
            )
    yield rest, False


class _Outside:
    """Reads what stands outside of articles: which sets of them are open, and which prefixes are declared."""

    def __init__(self) -> None:
        self.open = False
        self.namespaces = b""

    def read(self, content: bytes, line: int) -> Iterator[_Raw]:
        """Read on; what may not stand there comes out. Each byte is looked at a few times at most."""
        place = 0
        while found := _OUTSIDE.match(content, place):
            place, name, opens = found.end(), found["name"], not found["closing"]
            if name in (*_ROOTS, b"OAI-PMH") and not found[0].endswith(b"/>"):
                self.open = opens
            declared = b"".join(_NAMESPACE.findall(found[0])) if name and opens else b""
            if declared and declared not in self.namespaces:
                self.namespaces = declared
        if place < len(content):
            strange = content[place:]
            shown = strange[:40].decode("utf-8", "replace").split("\n")[0]
            yield _Raw("", line + content.count(b"\n", 0, place), strange, f"{shown!r} is between articles")


def _blocks(path: str | os.PathLike[str]) -> Iterator[bytes]:
    lines, read = TextLines(path, "Download it again."), 0
    with lines.open_bytes() as stream, lines.unpacking(lambda: f"{read:,} unpacked bytes"):
        while block := stream.read(_BLOCK):
            read += len(block)
            yield block
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
    error = re.search(rb"<(?:ERROR|error code=\"\w{1,40}\")>([^<]{1,500})", head)
    if error:
        raise BioftError(f"{path} holds an error message of NCBI: {error[1].decode('utf-8', 'replace').strip()}")
    roots = b"|".join([*_ROOTS, b"(?:\\w+:)?OAI-PMH"])
    kind = no_text(head)
    if kind or not (_START.search(head) or re.search(rb"<(?:%b)[\s/>]" % roots, head)):
        shown = head[:60].decode("utf-8", "replace").strip()
        what = f"is {kind}" if kind else f"begins with {shown!r}"
        raise BioftError(
            f"{path} is no XML of PubMed or PubMed Central: it {what}. Give a PubmedArticleSet, or a full text "
            "(.nxml) of PubMed Central."
        )
