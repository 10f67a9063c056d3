"""Articles of PubMed: read from its XML (PubmedArticleSet), with topics, references and what else is known of them.

Format: https://www.nlm.nih.gov/bsd/licensee/elements_descriptions.html. Records are made by the U.S. National Library
of Medicine; abstracts may be under the publishers' copyright.
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from bioft.datasets import corpus
from bioft.datasets.pubmed import xml as pubmed_xml
from bioft.datasets.pubmed.xml import Element, find, text_of
from bioft.errors import BioftError

URL, TERMS, CITATION, LICENSE = corpus("pubmed")
SUFFIXES = (".xml", ".xml.gz", ".nxml", ".nxml.gz")
"""Of the files that are read in a folder."""

_YEAR = re.compile(r"\b(?:1[5-9]|20)\d\d\b")


class Passage(NamedTuple):
    """A part of an abstract; `label` is "" where the abstract is not structured."""

    label: str
    text: str


class Article(NamedTuple):
    """A record of PubMed."""

    pmid: str
    version: int
    revised: str
    """Date of the last revision, as YYYY-MM-DD; "" if not stated."""
    title: str
    abstract: tuple[Passage, ...]
    journal: str
    year: int | None
    mesh: tuple[str, ...]
    """Terms of the topics that an indexer gave it."""
    references: tuple[str, ...]
    """PMIDs, each once."""
    retracted: bool

    @property
    def abstract_text(self) -> str:
        """The abstract in one line, each part after its label."""
        return " ".join(f"{part.label}: {part.text}" if part.label else part.text for part in self.abstract)

    @property
    def text(self) -> str:
        """Title, one space, abstract."""
        return f"{self.title} {self.abstract_text}".strip()


@dataclass
class ReadReport:
    """What was met while reading: why records are not among the articles, and how many of these have no abstract."""

    books: int = 0
    """Records of books, which are left out."""
    bad: list[str] = field(default_factory=list)
    """Messages on what is broken and was left out."""
    duplicates: int = 0
    """Further records of a PMID; the latest version is kept."""
    deleted: list[str] = field(default_factory=list)
    """PMIDs that the files say are deleted; they are not among the articles."""
    without_abstract: int = 0


def iterate(
    path: str | os.PathLike[str], *, report: ReadReport | None = None, skip_bad: bool = False
) -> Iterator[Article]:
    """Yield the articles of one PubMed XML file (plain or gzip) in its order, duplicates too, one in memory at a time.

    Articles that the file itself says are deleted are left out. `report` takes the number of books, the deleted PMIDs
    and, with `skip_bad`, the messages on broken records. BioftError: as `pubmed_xml.articles`; a record without PMID;
    full text of PubMed Central.
    """
    report = ReadReport() if report is None else report
    deleted = pubmed_xml.deleted(path)
    for piece in pubmed_xml.articles(path, report.bad if skip_bad else None):
        if piece.tag == "PubmedBookArticle":
            report.books += 1
            continue
        if piece.tag == "article":
            raise BioftError(
                f"{path} is full text of PubMed Central, which has no MeSH headings: `bioft index` reads it, this "
                "does not. Give the records of these articles from PubMed."
            )
        article = parse(piece.root)
        if not article.pmid:
            message = f"{path}, line {piece.line}: an article without PMID"
            if not skip_bad:
                raise BioftError(f"{message}. Remove it, or leave broken articles out with --skip-bad.")
            report.bad.append(message)
            continue
        if article.pmid in deleted:
            report.deleted.append(article.pmid)
            continue
        yield article


def read(paths: Iterable[str | os.PathLike[str]], *, skip_bad: bool = False) -> tuple[list[Article], ReadReport]:
    """Read files and folders (their .xml and .xml.gz); returns each PMID once, and what was met.

    Of several records of a PMID the one with the latest version is kept, then the one that was revised last, then the
    one that was read last; it stands where the first one stood. What a file says is deleted goes from it and from the
    files before it. BioftError: as `iterate`; a folder without such files; no articles at all.
    """
    report = ReadReport()
    found: dict[str, Article] = {}
    for path in files(paths):
        for article in iterate(path, report=report, skip_bad=skip_bad):
            known = found.get(article.pmid)
            report.duplicates += known is not None
            if known is None or (article.version, article.revised) >= (known.version, known.revised):
                found[article.pmid] = article
        for pmid in found.keys() & pubmed_xml.deleted(path):
            del found[pmid]
            report.deleted.append(pmid)
    if not found:
        left_out = f" ({report.books:,} records of books, {len(report.bad):,} broken ones)"
        raise BioftError(f"No articles in {', '.join(map(str, paths))}{left_out}.")
    articles = list(found.values())
    report.without_abstract = sum(not article.abstract for article in articles)
    return articles, report


def files(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """The files themselves, and those in folders (not in folders of these) that are PubMed XML by name, in order."""
    found: list[Path] = []
    for path in map(Path, paths):
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(each for each in path.iterdir() if each.name.endswith(SUFFIXES) and each.is_file())
        if not inside:
            raise BioftError(f"{path} has no {', '.join(SUFFIXES)} files. Give the folder of the PubMed XML itself.")
        found += inside
    return found


def parse(record: Element) -> Article:
    """Read one `PubmedArticle` element; what a record lacks is empty."""
    citation, data = find(record, "MedlineCitation"), find(record, "PubmedData")
    article, pmid = find(citation, "Article"), find(citation, "PMID")
    types = {text_of(each) for each in article.iterfind("PublicationTypeList/PublicationType")}
    corrections = citation.findall("CommentsCorrectionsList/CommentsCorrections")
    return Article(
        pmid=text_of(pmid),
        version=_number(pmid.get("Version", "")) or 1,
        revised=_date(citation.find("DateRevised")),
        title=text_of(article.find("ArticleTitle")),
        abstract=tuple(
            Passage((part.get("Label") or "").strip(), text)
            for part in article.iterfind("Abstract/AbstractText")
            if (text := text_of(part))
        ),
        journal=text_of(article.find("Journal/Title")),
        year=_year(article),
        mesh=tuple(filter(None, map(text_of, citation.iterfind("MeshHeadingList/MeshHeading/DescriptorName")))),
        references=tuple(_references(data, corrections)),
        retracted="Retracted Publication" in types or any(e.get("RefType") == "RetractionIn" for e in corrections),
    )


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None


def _date(element: Element | None) -> str:
    if element is None:
        return ""
    return "-".join((element.findtext(part) or "01").strip().zfill(2) for part in ("Year", "Month", "Day"))


def _year(article: Element) -> int | None:
    """Of the journal's issue, else of the electronic publication; "1998 Dec-1999 Jan" is 1998."""
    issue = "Journal/JournalIssue/PubDate"
    for path in (f"{issue}/Year", f"{issue}/MedlineDate", "ArticleDate/Year"):
        if found := _YEAR.search(article.findtext(path) or ""):
            return int(found[0])
    return None


def _references(data: Element, corrections: Sequence[Element]) -> dict[str, None]:
    """PMIDs from the list of references and, in older files, from the comments."""
    found: dict[str, None] = {}
    for each in data.iterfind("ReferenceList//ArticleId"):
        if each.get("IdType") == "pubmed" and _number(text := text_of(each)):
            found[text] = None
    for each in corrections:
        if each.get("RefType") == "Cites" and _number(text := text_of(each.find("PMID"))):
            found[text] = None
    return found
