"""How well an encoder finds the partner of a text, beside BM25 and TF-IDF."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from rich import box
from rich.table import Column, Table

from bioft import metrics
from bioft.datasets import pair_audit
from bioft.datasets.rank import rank_bm25, rank_tfidf
from bioft.datasets.splits import check_columns
from bioft.metrics import report
from bioft.metrics.estimation import estimates
from bioft.metrics.retrieval import paired_retrieval
from bioft.task import BASE, FINE_TUNED
from bioft.tasks.retrieval import TASK, encoder, predict
from bioft.tasks.retrieval.predict import RANKED, STORED, Queries, asked

SHOWN = {
    "ndcg_at_10": "nDCG@10", "mrr_at_10": "MRR@10", "recall_at_10": "Recall@10", "recall_at_100": "Recall@100",
    "map": "MAP",
}  # fmt: skip

SAME = 0.001
"""How far correlations and cosines that are computed again may be from recorded ones."""
CORRELATIONS = {"spearman": "Spearman", "pearson": "Pearson"}
MEASURED = ("pair_similarity",)
"""What of a record `check_files` measures again."""
lacking = pair_audit.lacking


def baselines(dataset: Any, record: Mapping[str, Any], progress: Any = False) -> dict[str, pd.DataFrame]:
    """What BM25 and TF-IDF find, as predictions tables."""
    queries = asked(dataset["test"], record)
    return {"bm25": queries.rank(rank_bm25), "tfidf": queries.rank(rank_tfidf)}


def baseline_names(record: Mapping[str, Any]) -> list[str]:
    """The baselines that every run has."""
    return ["bm25", "tfidf"]


def audit(dataset: Any, record: Mapping[str, Any]) -> dict[str, Any]:
    """What the audit of every dataset of pairs holds, made again; LeakageError for a shared group."""
    check_columns(dataset, "groups", "group")
    return pair_audit.audit(dataset)


def test_rows(dataset: Any) -> pd.DataFrame:
    """The queries, right texts and groups that the predictions table of a run on this dataset is about."""
    return _rows(dataset, None)


def earlier_test_rows(dataset: Any) -> pd.DataFrame:
    """These as earlier versions stored them: of a query with more than `STORED` right texts the first of them."""
    return _rows(dataset, STORED)


def _rows(dataset: Any, first: int | None) -> pd.DataFrame:
    queries = Queries.of(dataset["test"])
    found = {"id": queries.queries, "label": queries.named(queries.relevant, first), "group": queries.groups}
    return pd.DataFrame(found)


def figures(table: pd.DataFrame, dataset: Any, record: Mapping[str, Any]) -> dict[str, Any]:
    """The metrics of `bioft.metrics.retrieval`, with value, low, high and n; of a stored table those at 10."""
    queries = asked(dataset["test"], record)
    found = metrics.load("retrieval").compute(
        predictions=_ranked(table, queries), references=queries.relevant, groups=queries.groups
    )
    nested = estimates.nest(found)
    return {name: its for name, its in nested.items() if RANKED in table or name.endswith(f"_at_{STORED}")}


def comparisons(
    table: pd.DataFrame, baselines: Mapping[str, pd.DataFrame], dataset: Any, record: Mapping[str, Any]
) -> dict[str, Any]:
    """Paired test of nDCG@10 against the best baseline's."""
    queries = asked(dataset["test"], record)
    ranked = _ranked(table, queries)
    results = {
        name: paired_retrieval(queries.relevant, ranked, _ranked(its, queries), groups=[queries.groups])
        for name, its in baselines.items()
    }
    return {"comparison": report.describe_best(results, "nDCG@10", TASK.shared)}


def of_encoder(name: str, dataset: Any, record: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of an encoder on the test split, and the correlations of its cosines with scores of pairs.

    `name` is a run folder, an embedded model, or an id on the Hub; BioftError if it can't be had.
    """
    from bioft.tasks.retrieval import figures as similarity, named

    model, _ = named.load(name)
    table = predict.predict(model, dataset["test"], record)
    return figures(table, dataset, record) | similarity.measure(dataset["test"], {"it": model}).get("it", {})


def analyses(tables: Mapping[str, pd.DataFrame], dataset: Any, record: Mapping[str, Any]) -> dict[str, Any]:
    """How many texts were looked through, and how often each ranking found nothing that is right."""
    queries = asked(dataset["test"], record)
    missed = {
        "base" if name == BASE else name: sum(
            set(found).isdisjoint(right) for found, right in zip(table[RANKED], queries.relevant, strict=True)
        )
        for name, table in tables.items()
        if RANKED in table
    }
    return {"details": {"texts": len(queries.texts), "queries_without_a_right_text_found": missed}}


def check_files(directory: Path, dataset: Any, record: Mapping[str, Any]) -> list[str]:
    """Whether correlations with the scores of pairs are those of a run's encoder, and others would load the same."""
    from bioft.tasks.retrieval import figures as similarity

    reasons = encoder.check_library_files(directory)
    if not (recorded := record.get("pair_similarity")):
        if similarity.has_both(dataset["test"]):
            reasons.append("The record leaves out how cosines correlate with the scores of pairs.")
        return reasons
    encoders = {"base": encoder.load_base(record), FINE_TUNED: encoder.load_run(directory)[0]}
    measured = similarity.measure(dataset["test"], encoders)
    for system, figures in recorded.items():
        found = measured.get(system, {})
        reasons += [
            f"{system}: {CORRELATIONS.get(name, name)} on the test pairs is "
            f"{found[name]['value'] if name in found else 'not measured'}, not {its['value']}."
            for name, its in figures.items()
            if name not in found or not all(_is_same(found[name][part], its[part]) for part in found[name])
        ]
    return reasons


def plot_data(directory: Path, model: Any, dataset: Any, record: Mapping[str, Any]) -> None:
    """Draw what the recipe draws of data and encoders; `model` is the trained one."""
    from bioft.tasks.retrieval import figures as similarity

    similarity.draw(dataset, {"base model": encoder.load_base(record), FINE_TUNED: model}, directory)


def _is_same(one: float | None, other: float | None) -> bool:
    return one == other or (one is not None and other is not None and abs(one - other) <= SAME)


def tables(record: Mapping[str, Any]) -> list[Table]:
    """For the terminal: how the cosines of pairs with scores correlate with these, before and after training."""
    found = {name: its for name, its in (record.get("pair_similarity") or {}).items() if "spearman" in its}
    if not found:
        return []
    n = next(iter(found.values()))["spearman"]["n"]
    columns = (Column(words, justify="right", no_wrap=True) for words in CORRELATIONS.values())
    title = f"Test pairs with scores, n = {n:,}, with 95 % intervals"
    table = Table("Encoder", *columns, title=title, box=box.SIMPLE_HEAD)
    for name, its in found.items():
        # Records of before have no Pearson correlation.
        table.add_row(name, *(report.interval_text(its.get(key, {"value": None})) for key in CORRELATIONS))
    return [table]


def _ranked(table: pd.DataFrame, queries: Queries) -> list[list[int]]:
    """The indices of what was found for each query."""
    if RANKED in table:
        return table[RANKED].tolist()
    index = {text: i for i, text in enumerate(queries.texts)}
    # What is no text of the split is as wrong as any.
    return [[index.get(text, -1 - n) for n, text in enumerate(json.loads(cell))] for cell in table["prediction"]]
