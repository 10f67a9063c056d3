"""What is in a dataset of documents: texts, mentions and concepts per entity type, relations and candidate pairs.

The part of `bioft inspect` for documents; see `bioft.inspect.inspect`.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from bioft.datasets.documents import corpus as documents
from bioft.datasets.documents.pubtator import concepts
from bioft.datasets.formats import ENTITIES, RELATIONS
from bioft.inspect import tables
from bioft.metrics import plots

Rows = list[dict[str, Any]]
MARK = "texts"
"""What only the report of such data has."""


def holds(columns: set[str]) -> bool:
    """Whether rows with these columns are documents."""
    return "entities" in columns


def lacking(dataset: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    """What documents lack, in words: entities, and relations where they are for these or training has any."""
    builder = manifest.get("builder")
    related = builder == RELATIONS.name or (builder != ENTITIES.name and documents.has_relations(dataset["train"]))
    return documents.lacking(dataset, manifest) or (documents.lacking_relations(dataset, manifest) if related else "")


def inspect(dataset: Mapping[str, Any], top: int) -> tuple[dict[str, Any], Callable[[Path], None]]:
    """The report (`inspect_rows`) of a dataset, and what draws its plot into a folder."""
    splits = {split: rows.to_list() for split, rows in dataset.items()}
    return inspect_rows(splits, top), lambda folder: draw(splits, folder / "mentions.png")


def inspect_rows(splits: Mapping[str, Rows], top: int = 10) -> dict[str, Any]:
    """Count what is in the splits (rows with document_id, text, entities and relations) of a document dataset.

    Returns a dict that JSON can hold, with `rows` (per split what `documents.count` counts), `texts` (characters and
    words per document: quantiles, per split and for all), `entities` (per type, over all splits: mentions, those
    without a concept id and with several, distinct names and concepts, quantiles of mentions per document and of words
    per mention), `most_frequent` (concepts per type, `top` of them) and `relations` (per type: how many, the entity
    types of head and tail, the pairs of concepts of these types that share a document, and the fraction of these pairs
    that are related).
    """
    everything = [row for rows in splits.values() for row in rows]
    types = sorted({entity["type"] for row in everything for entity in row["entities"]})
    return {
        "rows": {split: documents.count(rows) for split, rows in splits.items()},
        "texts": {
            split: tables.lengths([row["text"] for row in rows])
            for split, rows in {**splits, "all": everything}.items()
        },
        "entities": {entity_type: _entities(everything, entity_type) for entity_type in types},
        "most_frequent": {entity_type: _most_frequent(everything, entity_type, top) for entity_type in types},
        "relations": {
            relation_type: _relations(everything, relation_type)
            for relation_type in sorted({relation["type"] for row in everything for relation in row["relations"]})
        },
    }


def parts(report: dict[str, Any], full: bool) -> tables.Parts:
    """What is printed of the report of a document dataset."""
    yield tables.rows_table(report["rows"])
    entities = report["entities"].items()
    columns: tuple[str, ...] = ("type", "mentions", "without id", "several ids", "names", "concepts")
    keys: tuple[str, ...] = ("mentions", "without_id", "several_ids", "distinct_names", "distinct_concepts")
    yield tables.filled("Entities", columns, ((kind, *(its[key] for key in keys)) for kind, its in entities))
    columns = ("type", "between", "relations", "candidate pairs", "related")
    if report["relations"]:
        counted = (
            (kind, its["between"], its["relations"], its["candidate_pairs"], f"{its['related_fraction']:.1%}")
            for kind, its in report["relations"].items()
        )
        yield tables.filled("Relations", columns, counted)
    if full:
        rows = [(split, unit, its) for split, units in report["texts"].items() for unit, its in units.items()]
        yield tables.quantile_table("Length of the texts", "split", rows, counted="documents")
        units = {"per_document": "mentions of a document", "words": "words of a mention"}
        rows = [(kind, unit, its[key]) for kind, its in entities for key, unit in units.items()]
        yield tables.quantile_table("Mentions", "type", rows)
        keys = ("name", "id", "mentions", "documents")
        for kind, frequent in report["most_frequent"].items():
            yield tables.filled(
                f"Most frequent {kind} concepts", keys, ([each[key] for key in keys] for each in frequent)
            )
        return
    yield tables.quantiles_in_words(report["texts"]["all"]["words"], "Words of a text")
    for kind, frequent in report["most_frequent"].items():
        yield tables.in_words(
            ((each["name"], each["mentions"]) for each in frequent), f"Most frequent {kind} concepts"
        )


def draw(splits: Mapping[str, Rows], path: Path) -> None:
    """Draw how many concepts of each type have at least so many mentions, on logarithmic axes (PNG)."""
    figure, [[axes]] = plots.empty_figure((plots.COLUMN, 3.6), 1, 1)
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for rows in splits.values():
        for row in rows:
            for entity in row["entities"]:
                counts[entity["type"]].update(concepts(entity["id"]))
    for entity_type, found in sorted(counts.items()):
        if found:
            label = f"{entity_type}: n = {len(found):,}, highest {max(found.values()):,}"
            values, first = np.unique(np.sort(list(found.values())), return_index=True)
            axes.plot(values, 1 - first / len(found), marker="o", markersize=3, linewidth=1, label=label)
    words = {"xlabel": "Mentions of one concept", "ylabel": "Fraction with at least as many"}
    axes.set(xscale="log", yscale="log", title="Mentions per concept", **words)
    axes.grid(color="#dddddd", linewidth=0.6)
    plots.legend_below(figure, axes)
    plots.save_figure(figure, path)


def _entities(rows: Rows, entity_type: str) -> dict[str, Any]:
    per_document = [[e for e in row["entities"] if e["type"] == entity_type] for row in rows]
    mentions = [entity for found in per_document for entity in found]
    ids = [concepts(entity["id"]) for entity in mentions]
    return {
        "mentions": len(mentions),
        "without_id": sum(not found for found in ids),
        "several_ids": sum(len(found) > 1 for found in ids),
        "distinct_names": len({entity["text"] for entity in mentions}),
        "distinct_concepts": len({concept for found in ids for concept in found}),
        "per_document": tables.quantiles([len(found) for found in per_document]),
        "words": tables.quantiles([len(entity["text"].split()) for entity in mentions]),
    }


def _most_frequent(rows: Rows, entity_type: str, top: int) -> list[dict[str, Any]]:
    mentions: Counter[str] = Counter()
    names: defaultdict[str, Counter[str]] = defaultdict(Counter)
    in_documents: Counter[str] = Counter()
    for row in rows:
        here = [(c, e["text"]) for e in row["entities"] if e["type"] == entity_type for c in concepts(e["id"])]
        mentions.update(concept for concept, _ in here)
        in_documents.update({concept for concept, _ in here})
        for concept, name in here:
            names[concept][name] += 1
    return [
        {
            "id": concept,
            "name": tables.ordered(names[concept])[0][0],
            "mentions": n,
            "documents": in_documents[concept],
        }
        for concept, n in tables.ordered(mentions)[:top]
    ]


def _relations(rows: Rows, relation_type: str) -> dict[str, Any]:
    between: Counter[tuple[str, str]] = Counter()
    by_type = []
    for row in rows:
        found: defaultdict[str, set[str]] = defaultdict(set)
        for entity in row["entities"]:
            found[entity["type"]].update(concepts(entity["id"]))
        by_type.append(found)
        for relation in row["relations"]:
            if relation["type"] == relation_type:
                heads, tails = (
                    [name for name, ids in found.items() if ids.intersection(concepts(relation[side]))]
                    for side in ("head", "tail")
                )
                between.update(product(heads, tails))
    (head, tail), _ = (between.most_common(1) or [(("", ""), 0)])[0]
    n_relations = sum(relation["type"] == relation_type for row in rows for relation in row["relations"])
    candidates = sum(a != b for found in by_type for a, b in product(found[head], found[tail]))
    return {
        "relations": n_relations,
        "between": f"{head} and {tail}",
        "candidate_pairs": candidates,
        "related_fraction": round(n_relations / max(candidates, 1), 4),
    }
