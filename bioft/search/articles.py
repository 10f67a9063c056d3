"""Articles to be indexed: from PubMed XML, or from a CSV or JSONL file with id, text and what else is known."""

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from bioft.datasets.pubmed import articles as pubmed_articles
from bioft.errors import BioftError
from bioft.storage.text_lines import TextLines

TABLES = (".csv", ".csv.gz", ".jsonl", ".jsonl.gz")


class IndexedArticle(NamedTuple):
    """An article as an index holds it, and the text that is embedded."""

    id: str
    """PMID, or the id in a file of one's own."""
    title: str
    text: str
    """Title and abstract; it is not kept in the index."""
    year: int | None
    mesh: tuple[str, ...]
    """Terms of the MeSH headings."""
    retracted: bool


def read_articles(paths: Iterable[Path], *, skip_bad: bool = False) -> tuple[list[IndexedArticle], dict[str, int]]:
    """Read articles, each id once, and count what was met.

    PubMed XML and folders of it are read as `pubmed_articles.read` does. A .csv or .jsonl file needs the columns id
    and text; title, year and mesh (a list of terms; in CSV joined by "|") are optional. Articles without any text are
    left out; of several with one id the first is kept.

    Returns:
        the articles, and the counts `articles`, `without_abstract`, `without_text`, `retracted`, `duplicates`,
        `books` and `bad`.

    Raises:
        BioftError: as `pubmed_articles.read`; a row without id or text, a year that is no number; no articles.
    """
    paths = list(paths)
    tables = [path for path in paths if path.name.lower().endswith(TABLES)]
    counts = dict.fromkeys(("without_abstract", "duplicates", "books", "bad"), 0)
    read: list[IndexedArticle] = []
    if sources := [path for path in paths if path not in tables]:
        articles, report = pubmed_articles.read(sources, skip_bad=skip_bad)
        counts |= {name: getattr(report, name) for name in ("without_abstract", "duplicates", "books")}
        counts["bad"] = len(report.bad)
        read += [
            IndexedArticle(
                each.pmid, each.title, each.text, each.year, tuple(h.term for h in each.mesh), each.retracted
            )
            for each in articles
        ]
    for path in tables:
        read += _rows_of(path)
    found: dict[str, IndexedArticle] = {}
    for article in read:
        found.setdefault(article.id, article)
    kept = [article for article in found.values() if article.text]
    if not kept:
        raise BioftError(f"No article with a text in {', '.join(map(str, paths))}.")
    counts["duplicates"] += len(read) - len(found)
    counts |= {"without_text": len(found) - len(kept), "retracted": sum(each.retracted for each in kept)}
    return kept, {"articles": len(kept), **counts}


def _rows_of(path: Path) -> Iterator[IndexedArticle]:
    lines = TextLines(path, "Give a file with the columns id and text.")
    for row in csv.DictReader(lines) if ".csv" in path.name.lower() else _json_rows(lines):
        place = f"{path}, line {lines.number}"
        if lacking := [name for name in ("id", "text") if not str(row.get(name) or "").strip()]:
            raise BioftError(f"{place}: no {' and no '.join(lacking)}. Every row needs an id and a text.")
        year = str(row.get("year") or "").strip()
        if year and not (year.isascii() and year.isdigit()):
            raise BioftError(f"{place}: the year is {year!r}. Give a number, or leave it empty.")
        mesh = row.get("mesh") or []
        terms = mesh.split("|") if isinstance(mesh, str) else mesh
        yield IndexedArticle(
            id=str(row["id"]).strip(),
            title=" ".join(str(row.get("title") or "").split()),
            text=" ".join(str(row["text"]).split()),
            year=int(year) if year else None,
            mesh=tuple(term for each in terms if (term := str(each).strip())),
            retracted=False,
        )


def _json_rows(lines: TextLines) -> Iterator[dict[str, Any]]:
    for line in lines:
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise BioftError(f"{lines.path}, line {lines.number} is not JSON: {error}.") from None
        if not isinstance(row, dict):
            raise BioftError(f"{lines.path}, line {lines.number} is no JSON object with id and text.")
        yield row
