"""Full text of PubMed Central: read from its XML (JATS), with its sections.

Format: Journal Article Tag Suite, ANSI/NISO Z39.96 (https://jats.nlm.nih.gov). Each article has its own licence: look
at it before a text is passed on.
"""

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from bioft.datasets.pubmed import xml as pubmed_xml
from bioft.datasets.pubmed.articles import Passage
from bioft.datasets.pubmed.xml import BLOCKS, BREAK, Element, find, marked_text, text_of
from bioft.errors import BioftError
from bioft.storage.text_lines import TextLines

_FULL_TEXT = re.compile(rb"<(?:\w+:)?(?:pmc-articleset|article)[\s>]")
# No sentences of the article: figures, tables and formulas that would run into the words around them.
_NOT_TEXT = (
    "table-wrap", "fig", "fig-group", "disp-formula", "tex-math", "supplementary-material", "alt-text", "long-desc",
)  # fmt: skip
# What marks of references leave behind.
_EMPTY_BRACKETS = re.compile(r"\s*[\[(][\s,;–-]*[\])]")


class Section(NamedTuple):
    """A section of the body, its subsections in it not included."""

    titles: tuple[str, ...]
    """Its title after those of the sections that it is in."""
    text: str
    """Its paragraphs, one a line."""


class FullText(NamedTuple):
    """An article of PubMed Central."""

    pmid: str
    pmc: str
    doi: str
    title: str
    abstract: tuple[Passage, ...]
    year: int | None
    sections: tuple[Section, ...]

    @property
    def id(self) -> str:
        """Its PMID, else its PMCID, else its DOI; "" where it states none."""
        return self.pmid or self.pmc or self.doi

    @property
    def text(self) -> str:
        """Title, abstract and sections with their titles, each part a line."""
        parts = [self.title, *(each.text for each in self.abstract)]
        parts += [f"{' '.join(each.titles[-1:])}\n{each.text}".strip() for each in self.sections]
        return "\n".join(filter(None, parts))


def is_full_text(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins as articles of PubMed Central do: a `pmc-articleset`, or one `article`."""
    return _FULL_TEXT.search(TextLines(path).head(4_000)) is not None


def iterate(path: str | os.PathLike[str], *, skipped: list[str] | None = None) -> Iterator[FullText]:
    """Yield the articles of one file (plain or gzip): a single one (.nxml), or a pmc-articleset.

    With `skipped`, what is broken is left out and said there. BioftError: as `pubmed_xml.articles`; records of PubMed,
    which have no full text.
    """
    for piece in pubmed_xml.articles(path, skipped):
        if piece.tag != "article":
            raise BioftError(
                f"{path}, line {piece.line}: a record of PubMed, which has no full text. Read it with "
                "bioft.datasets.pubmed.articles."
            )
        yield parse(piece.root)


def parse(article: Element) -> FullText:
    """Read one `article` element of JATS; what it lacks is empty."""
    meta = find(article, "front/article-meta")
    ids = {each.get("pub-id-type", ""): text_of(each) for each in meta.iterfind("article-id")}
    pmc = (ids.get("pmc") or ids.get("pmcid", "")).removeprefix("PMC")
    years = [int(year) for each in meta.iterfind("pub-date/year") if (year := text_of(each)).isdigit()]
    return FullText(
        pmid=ids.get("pmid", ""),
        pmc=f"PMC{pmc}" if pmc else "",
        doi=ids.get("doi", ""),
        title=_title(find(meta, "title-group/article-title")),
        abstract=tuple(_abstract(meta)),
        year=min(years, default=None),
        sections=tuple(_sections(find(article, "body"), ())),
    )


def _title(element: Element) -> str:
    """The text of a title, on one line, without its notes and their marks."""
    return " ".join(marked_text(element, spaces=("fn",), marks=("xref",)).replace(BREAK, " ").split())


def _abstract(meta: Element) -> Iterator[Passage]:
    """The abstract proper; those for other readers (graphical, of the editor) have a type."""
    for abstract in meta.iterfind("abstract"):
        if not abstract.get("abstract-type"):
            for titles, text in _sections(abstract, ()):
                yield Passage(": ".join(title.rstrip(":") for title in titles), text.replace("\n", " "))


def _sections(parent: Element, titles: tuple[str, ...]) -> Iterator[Section]:
    """Sections in the order of reading; what a section or the body says before its first subsection is first."""
    text = _paragraphs(parent)
    if text:
        yield Section(titles, text)
    for section in parent.iterfind("sec"):
        title = text_of(section.find("title"))
        yield from _sections(section, (*titles, title) if title else titles)


def _paragraphs(parent: Element) -> str:
    """The paragraphs of an element, of its lists and boxes (with the sections in these), but not of its sections.

    Figures, tables, formulas and marks of references are left out.
    """
    found = [parent.text or ""]
    for child in parent:
        if child.tag not in ("sec", "title", "label", *_NOT_TEXT):
            block = child.tag in BLOCKS
            found += [BREAK * block, marked_text(child, spaces=_NOT_TEXT, marks=("xref",)), BREAK * block]
        found.append(child.tail or "")
    paragraphs = (" ".join(_EMPTY_BRACKETS.sub("", text).split()) for text in "".join(found).split(BREAK))
    # What was left out leaves a space before the sign after it, and "^" of a mark that was raised.
    return "\n".join(re.sub(r" (?=[.,;:])", "", text) for text in paragraphs if text)
