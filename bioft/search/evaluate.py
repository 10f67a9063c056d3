"""Many queries at once: read from a file, ranked, written for TREC, and measured against judgements (qrels)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bioft.errors import BioftError
from bioft.metrics import retrieval
from bioft.metrics.estimation import estimates
from bioft.metrics.report import decimals, p_words
from bioft.search.searchable import Hit
from bioft.storage import files, json_text
from bioft.storage.tables import Table
from bioft.storage.text_lines import TextLines

FOUND = 100
"""Articles that each of many queries is given, which recall@100 and MAP are measured on."""
SHOWN = {"ndcg_at_10": "nDCG@10", "recall_at_100": "recall@100", "map": f"MAP@{FOUND}"}
IDS = ("id", "_id", "qid", "query_id", "query-id")


def read_queries(path: Path) -> dict[str, str]:
    """Read queries by their ids: TSV or CSV with the columns id and query (or none named), or JSONL with id and text.

    Raises:
        BioftError: with the line: a query or an id that is empty, or an id that comes twice; no queries.
    """
    hint = "Give a table with the columns id and query, or JSONL with id and text."
    lines = TextLines(path, hint)
    rows: Any
    if ".jsonl" in path.name.lower():
        rows = ((lines.number, row) for row in json_text.rows(lines))
    else:
        first = next((line for line in lines if line.strip()), "").lower().replace(",", "\t").split("\t")
        table = Table(path, header=None if first[0].strip() in IDS else ("id", "query"), hint=hint)
        rows = ((table.line, row) for row in table)
    queries: dict[str, str] = {}
    for number, row in rows:
        identifier, query = (
            str(next((row[name] for name in names if row.get(name) is not None), "")).strip()
            for names in (IDS, ("query", "text"))
        )
        if not identifier or not query:
            raise BioftError(f"{path}, line {number}: no {'id' if not identifier else 'query'}. {hint}")
        if identifier in queries:
            raise BioftError(f"{path}, line {number}: the id {identifier!r} comes again. Give each query its own.")
        queries[identifier] = query
    if not queries:
        raise BioftError(f"No queries in {path}. {hint}")
    return queries


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    """Read which articles are relevant for which query, and how much: TREC's four columns, or BEIR's three.

    What is judged 0 or less is left out.

    Raises:
        BioftError: with the line: neither three nor four columns, or a relevance that is no whole number; nothing
            relevant.
    """
    qrels: dict[str, dict[str, int]] = {}
    lines = TextLines(path, "Give TREC's qrels (query, 0, article, relevance).")
    for at, line in enumerate(filter(str.strip, lines)):
        fields = [field.strip() for field in (line.split("\t") if "\t" in line else line.split())]
        try:
            query, *_, article, relevance = fields
            grade = int(relevance)
            if len(fields) not in (3, 4):
                raise ValueError
        except ValueError:
            if at == 0 and len(fields) in (3, 4):
                continue  # BEIR's header
            raise BioftError(
                f"{path}, line {lines.number}: {line.strip()[:80]!r} is no judgement. Give TREC's four columns "
                "(query, 0, article, relevance), or BEIR's three (query-id, corpus-id, score)."
            ) from None
        if grade > 0:
            qrels.setdefault(query, {})[article] = grade
    if not qrels:
        raise BioftError(f"{path} says of no article that it is relevant.")
    return qrels


def write_trec(path: Path, found: Mapping[str, Sequence[Hit]], tag: str) -> None:
    """Write rankings as TREC's tools read them; the score is one over the rank."""
    rows = (
        f"{query} Q0 {hit.id} {hit.rank} {1 / hit.rank:.6f} {tag}" for query, hits in found.items() for hit in hits
    )
    files.write_text(path, "".join(f"{row}\n" for row in rows))


def measure(qrels: Mapping[str, Mapping[str, int]], systems: Mapping[str, Mapping[str, Sequence[Hit]]]) -> dict:
    """Measure rankings by query, of one or more systems, against judgements; the first is paired with each other.

    Queries that were not judged are left out; judged ones that were not asked are counted in `not_asked`.

    Returns:
        `n` queries, `not_asked`, `systems` with each metric (value, low, high, n), and `paired` by system and metric.

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
    figures = {name: estimates.nest({**estimates.figures(its), "n": its.n}) for name, its in measured.items()}
    paired = {
        name: {metric: estimates.paired(metric, measured[first], its)._asdict() for metric in SHOWN}
        for name, its in measured.items()
        if name != first
    }
    shown = {name: {metric: its[metric] for metric in SHOWN} for name, its in figures.items()}
    return {"n": len(asked), "not_asked": len(qrels.keys() - systems[first]), "systems": shown, "paired": paired}


def in_words(measures: Mapping[str, Any]) -> list[list[str]]:
    """The figures as rows of a table, the first its header: each system, then what the first has more than it."""
    rows = [[f"n = {measures['n']:,} queries", *SHOWN.values()]]
    for name, its in measures["systems"].items():
        each = (its[metric] for metric in SHOWN)
        rows.append([name, *(f"{decimals(v['value'])} [{decimals(v['low'])}–{decimals(v['high'])}]" for v in each)])
    first = next(iter(measures["systems"]))
    for name, its in measures["paired"].items():
        row = [f"{first} − {name}"]
        for metric in SHOWN:
            apart, low, high = (decimals(its[metric][key], sign="+") for key in ("difference", "low", "high"))
            row.append(f"{apart} [{low}, {high}], {p_words(its[metric]['p_value'])}")
        rows.append(row)
    return rows
