"""Articles to be indexed: XML of PubMed or PubMed Central, or a CSV or JSONL file with id, text and what else."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from textwrap import shorten
from typing import Any, NamedTuple

from bioft.datasets.pubmed import articles as pubmed_articles, full_text
from bioft.errors import BioftError, leaving_out
from bioft.storage import json_text
from bioft.storage.json_text import container, text_of
from bioft.storage.tables import NO_VALUE, Table
from bioft.storage.text_lines import TextLines

TABLES = tuple(f"{suffix}{packed}" for suffix in (".csv", ".tsv", ".jsonl") for packed in ("", ".gz"))

_NOTHING = NO_VALUE | {""}
TITLE = 80
"""Characters of a text that stand for its title."""


class IndexedArticle(NamedTuple):
    """An article as an index holds it."""

    id: str
    """PMID, or the id in a file of one's own."""
    title: str
    """The beginning of the text where there is none."""
    text: str
    """Title and abstract, of full text the sections too. What is longer than the encoder reads is found by words."""
    year: int | None
    mesh: tuple[str, ...]
    """Terms of the MeSH headings."""
    retracted: bool


def read_articles(paths: Iterable[Path], *, skip_bad: bool = False) -> tuple[list[IndexedArticle], dict[str, int]]:
    """Read articles, each id once, and count what was met.

    PubMed XML and folders of it are read as `pubmed_articles.read` does. Full text of PubMed Central (JATS) is an
    article too, called by its PMID, else by its PMCID or DOI: its text has the sections behind the abstract. A .csv,
    .tsv or .jsonl file needs the columns id and text; title, year and mesh (a list of terms; in CSV joined by "|" or
    ";") are optional. Articles without any text are left out, with `skip_bad` also wrong rows; of several with one id
    the first is kept.

    Returns:
        the articles, and the counts `articles`, `without_abstract`, `without_text`, `retracted`, `duplicates`,
        `books`, `deleted` and `bad`.

    Raises:
        BioftError: as `pubmed_articles.read`; a row without id or text, a year that is no number; no articles.
    """
    paths = list(paths)
    tables = [path for path in paths if path.name.lower().endswith(TABLES)]
    counts = dict.fromkeys(("without_abstract", "duplicates", "books", "deleted", "bad"), 0)
    read: list[IndexedArticle] = []
    if sources := [path for path in paths if path not in tables]:
        for path in filter(Path.is_file, sources):
            start = TextLines(path).head(100).removeprefix(b"\xef\xbb\xbf").lstrip()
            if not start.startswith((b"<", b"\xff\xfe", b"\xfe\xff")):
                raise BioftError(
                    f"{path} is no XML of PubMed or PubMed Central, nor does its name end in {', '.join(TABLES)}."
                )
        files = pubmed_articles.files(sources)
        whole = [path for path in files if full_text.is_full_text(path)]
        broken: list[str] = []
        for path in whole:
            read += _full_texts(path, broken if skip_bad else None)
        counts["bad"] += len(broken)
        if records := [path for path in files if path not in whole]:
            articles, report = pubmed_articles.read(records, skip_bad=skip_bad)
            counts |= {name: getattr(report, name) for name in ("without_abstract", "duplicates", "books")}
            counts |= {"bad": counts["bad"] + len(report.bad), "deleted": len(report.deleted)}
            read += [
                IndexedArticle(each.pmid, each.title, each.text, each.year, each.mesh, each.retracted)
                for each in articles
            ]
    for path in tables:
        left_out: list[str] = []
        read += _rows_of(path, left_out if skip_bad else None)
        counts["bad"] += len(left_out)
    found: dict[str, IndexedArticle] = {}
    for article in read:
        found.setdefault(article.id, article)
    # What has no title is shown by the beginning of its text.
    kept = [
        article if article.title else article._replace(title=shorten(article.text, TITLE, placeholder="…"))
        for article in found.values()
        if article.text
    ]
    if not kept:
        raise BioftError(f"No article with a text in {', '.join(map(str, paths))}.")
    counts["duplicates"] += len(read) - len(found)
    counts |= {"without_text": len(found) - len(kept), "retracted": sum(each.retracted for each in kept)}
    return kept, {"articles": len(kept), **counts}


def _full_texts(path: Path, skipped: list[str] | None) -> Iterator[IndexedArticle]:
    for article in full_text.iterate(path, skipped=skipped):
        with leaving_out(skipped):
            if not article.id:
                problem = f"{path}: an article without PMID, PMCID and DOI"
                raise BioftError(f"{problem}. Give it one, or leave such articles out with --skip-bad.")
            yield IndexedArticle(article.id, article.title, article.text, article.year, (), retracted=False)


def _rows_of(path: Path, skipped: list[str] | None) -> Iterator[IndexedArticle]:
    hint = "Give a file with the columns id and text."
    if ".jsonl" in path.name.lower():
        lines = TextLines(path, hint)
        found = ((lines.number, row) for row in json_text.rows(lines, skipped))
    else:
        table = Table(path, ("id", "text"), hint=hint, skipped=skipped)
        found = ((table.line, row) for row in table)
    for number, row in found:
        with leaving_out(skipped):
            yield _article(row, f"{path}, line {number}")


def _article(row: Mapping[str, Any], place: str) -> IndexedArticle:
    # A number is an id, also 0; it is no text. BEIR's collections say `_id`.
    given = {"id": row.get("_id"), **row}
    row = {name: value for name, value in given.items() if text_of(value) not in _NOTHING}
    identifier, text, year = (row.get(name, "") for name in ("id", "text", "year"))
    values = {"id": "" if isinstance(identifier, list | dict) else text_of(identifier), "text": text}
    if lacking := [name for name, value in values.items() if not str(value).strip()]:
        raise BioftError(f"{place}: no {' and no '.join(lacking)}. Every row needs an id and a text.")
    if not isinstance(text, str):
        raise BioftError(f"{place}: the text is of type {type(text).__name__}. Give a string.")
    year = text_of(year).strip().removesuffix(".0")
    if year and not (year.isascii() and year.isdigit() and len(year) <= 4):
        raise BioftError(f"{place}: the year is {year[:40]!r}. Give a number, or leave it empty.")
    mesh = row.get("mesh") or []
    terms = mesh if not isinstance(mesh, str) else container(mesh) or re.split("[|;]", mesh)
    if not isinstance(terms, list) or not all(isinstance(each, str | int) for each in terms):
        raise BioftError(f"{place}: mesh is {str(mesh)[:60]}. Give a list of terms.")
    title, text = " ".join(str(row.get("title") or "").split()), " ".join(text.split())
    return IndexedArticle(
        id=values["id"].strip(),
        title=title,
        text=text if text.startswith(title) else f"{title} {text}",
        year=int(year) if year else None,
        mesh=tuple(term for each in terms if (term := str(each).strip())),
        retracted=False,
    )
