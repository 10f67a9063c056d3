"""Many queries at once: read from a file, ranked, written for TREC, and measured against judgements (qrels)."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bioft.errors import BioftError
from bioft.metrics import retrieval
from bioft.metrics.estimation import estimates
from bioft.metrics.report import decimals, interval_text, p_words
from bioft.search.searchable import Hit
from bioft.storage import files, json_text
from bioft.storage.tables import Table
from bioft.storage.text_lines import TextLines

FOUND = 100
"""Articles that each of many queries is given, which recall@100 and MAP are measured on."""
SHOWN = {"ndcg_at_10": "nDCG@10", "recall_at_100": "recall@100", "map": f"MAP@{FOUND}"}
IDS = ("id", "qid", "query id", "queryid")
QUERIES = ("query", "text", "question", "query text")
GRADES = ("score", "relevance", "rel", "grade", "label")
HINT = "Give a table with the columns id and query, or JSONL with id and text."


def read_queries(path: Path) -> dict[str, str]:
    """Read queries by their ids: TSV or CSV with the columns id and query (or none named), or JSONL with id and text.

    Other columns may stand beside them; case, "_" and "-" in the names do not count. BioftError: with the line: a
    query or an id that is empty or no text, or an id that comes twice; one column that is named without the other; no
    queries.
    """
    lines = TextLines(path, HINT)
    first = next((line for line in lines if line.strip()), "")
    rows: Any
    if ".jsonl" in path.name.lower() or first.lstrip().startswith(("{", "[")):
        lines = TextLines(path, HINT)
        rows = ((lines.number, row) for row in json_text.rows(lines))
    else:
        table = Table(path, header=("id", "query"), hint=HINT)
        columns = next(csv.reader([first], delimiter=table.delimiter), [])
        if len(columns) < 2:
            raise BioftError(f"{path}, line {lines.number}: {first.strip()[:80]!r} is one column. {HINT}")
        named = [bool({*map(_folded, columns)} & {*names}) for names in (IDS, QUERIES)]
        if any(named):
            table = Table(path, hint=HINT)
        if any(named) and not all(named):
            found = f"none of the columns {', '.join(table.columns)[:80]} is {'the query' if named[0] else 'its id'}"
            raise BioftError(f"{path}, line {lines.number}: {found}. {HINT}")
        rows = ((table.line, row) for row in table)
    queries: dict[str, str] = {}
    for number, row in rows:
        its = {_folded(name): value for name, value in row.items()}
        given = [next((its[name] for name in names if its.get(name) is not None), "") for names in (IDS, QUERIES)]
        identifier, query = (str(each).strip() if isinstance(each, str | int) else "" for each in given)
        if not identifier or not query:
            raise BioftError(f"{path}, line {number}: no {'id' if not identifier else 'query'}. {HINT}")
        if identifier in queries:
            raise BioftError(f"{path}, line {number}: the id {identifier!r} comes again. Give each query its own.")
        queries[identifier] = query
    if not queries:
        raise BioftError(f"No queries in {path}. {HINT}")
    return queries


def _folded(name: str) -> str:
    return name.strip("\ufeff \t\r\n").lower().replace("_", " ").replace("-", " ").strip()


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    """Read which articles are relevant for which query, and how much: TREC's four columns, or BEIR's three.

    What is judged 0 or less is left out. BioftError: with the line: neither three nor four columns, an id that is
    empty, a relevance that is no whole number, or two for one article and query; nothing relevant.
    """
    judged: dict[tuple[str, str], int] = {}
    lines = TextLines(path, "Give TREC's qrels (query, 0, article, relevance).")
    for at, line in enumerate(filter(str.strip, lines)):
        fields = [field.strip() for field in (line.split("\t") if "\t" in line else line.split())]
        try:
            query, *_, article, relevance = fields
            if at == 0 and len(fields) in (3, 4) and relevance.lower() in GRADES:
                continue  # BEIR's header
            grade = int(relevance.removesuffix(".0"))
            if len(fields) not in (3, 4) or not query or not article:
                raise ValueError
        except ValueError:
            raise BioftError(
                f"{path}, line {lines.number}: {line.strip()[:80]!r} is no judgement. Give TREC's four columns "
                "(query, 0, article, relevance), or BEIR's three (query-id, corpus-id, score)."
            ) from None
        if judged.setdefault((query, article), grade) != grade:
            raise BioftError(
                f"{path}, line {lines.number}: the article {article!r} was judged otherwise for the query {query!r} "
                "above. Keep one of both lines."
            )
    qrels: dict[str, dict[str, int]] = {}
    for (query, article), grade in judged.items():
        if grade > 0:
            qrels.setdefault(query, {})[article] = grade
    if not qrels:
        raise BioftError(f"{path} says of no article that it is relevant.")
    return qrels


def check_trec_ids(ids: Iterable[str]) -> None:
    """Refuse ids with white space, which parts the columns of a TREC run: BioftError."""
    if bad := next((each for each in ids if each.split() != [each]), None):
        raise BioftError(f"The id {bad!r} has white space, which TREC's tools take for the end of it. Give --json.")


def write_trec(path: Path, found: Mapping[str, Sequence[Hit]], tag: str) -> None:
    """Write rankings as TREC's tools read them; the score is one over the rank. BioftError: as `check_trec_ids`."""
    check_trec_ids(hit.id for hits in found.values() for hit in hits)
    rows = (
        f"{query} Q0 {hit.id} {hit.rank} {1 / hit.rank:.6f} {tag}" for query, hits in found.items() for hit in hits
    )
    files.write_text(path, "".join(f"{row}\n" for row in rows))


def measure(qrels: Mapping[str, Mapping[str, int]], systems: Mapping[str, Mapping[str, Sequence[Hit]]]) -> dict:
    """Measure rankings by query, of one or more systems, against judgements; the first is paired with each other.

    Queries that were not judged are left out; judged ones that were not asked are counted in `not_asked`.

    Returns:
        `n` queries, `not_asked`, how many of the `relevant` articles are `relevant_found` by any system, `systems`
        with each metric (value, low, high, n), and `paired` by system and metric.

    Raises:
        BioftError: none of the queries was judged.
    """
    first = next(iter(systems))
    asked = [query for query in systems[first] if query in qrels]
    if not asked:
        raise BioftError("None of the queries is in the judgements: compare their ids.")
    references = [qrels[query] for query in asked]
    measured = {
        name: retrieval.measured([[hit.id for hit in found[query]] for query in asked], references)
        for name, found in systems.items()
    }
    figures = {name: its.nested() for name, its in measured.items()}
    paired = {
        name: {metric: estimates.paired(metric, measured[first], its)._asdict() for metric in SHOWN}
        for name, its in measured.items()
        if name != first
    }
    shown = {name: {metric: its[metric] for metric in SHOWN} for name, its in figures.items()}
    relevant = {article for each in references for article in each}
    found = {hit.id for its in systems.values() for query in asked for hit in its[query]}
    counts = {"n": len(asked), "not_asked": len(qrels.keys() - systems[first])}
    counts |= {"relevant": len(relevant), "relevant_found": len(relevant & found)}
    return {**counts, "systems": shown, "paired": paired}


def in_words(measures: Mapping[str, Any]) -> list[list[str]]:
    """The figures as rows of a table, the first its header: each system, then what the first has more than it."""
    rows = [[f"n = {measures['n']:,} queries", *SHOWN.values()]]
    for name, its in measures["systems"].items():
        each = (its[metric] for metric in SHOWN)
        rows.append([name, *(interval_text(figure) for figure in each)])
    first = next(iter(measures["systems"]))
    for name, its in measures["paired"].items():
        row = [f"{first} − {name}"]
        for metric in SHOWN:
            apart, low, high = (decimals(its[metric][key], sign="+") for key in ("difference", "low", "high"))
            row.append(f"{apart} [{low}, {high}], {p_words(its[metric]['p_value'])}")
        rows.append(row)
    return rows
