"""What is in a dataset of gene–disease pairs: overlap of splits, degrees, frequent names, evidence, lengths of names.

The part of `bioft inspect` for such data; see `bioft.inspect.inspect`.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console

from bioft.inspect.tables import (
    QUANTILES,
    filled,
    lengths,
    new_table,
    print_audit,
    quantile_cells,
    quantile_table,
    quantiles,
    rows_table,
)

SIDES = ("gene", "disease")
MARK = "degrees"
"""What only the report of such data has."""


def holds(columns: set[str]) -> bool:
    """Whether rows with these columns are gene–disease pairs."""
    return "gene" in columns


def inspect(dataset: Mapping[str, Any], top: int) -> tuple[dict[str, Any], Callable[[Path], None]]:
    """The report (`inspect_frames`) of a dataset, and what draws its plots into a folder."""
    frames = {split: rows.to_pandas() for split, rows in dataset.items()}

    def draw(folder: Path) -> None:
        from bioft.tasks.gene_disease import pair_plots

        rows = pd.concat(frames.values(), ignore_index=True)
        pair_plots.degree_distribution(_degrees(rows, "gene"), _degrees(rows, "disease"), folder / "degrees.png")

    return inspect_frames(frames, top), draw


def inspect_frames(frames: dict[str, pd.DataFrame], top: int = 10) -> dict[str, Any]:
    """Count what is in the splits of a gene–disease dataset.

    Args:
        frames: per split a table with the columns gene, gene_id, disease, disease_id, label, evidence, pmids.
        top: how many of the most frequent genes and diseases to list.

    Returns:
        A dict that JSON can hold, with `rows` (per split and label), `entities` (distinct genes and diseases
        per split), `overlap` (per pair of splits: shared entities, and the fractions of the second split's
        rows whose gene, disease or both occur in the first), `degrees` (positives per gene and per disease:
        quantiles, for each split and for all), `most_frequent`, `evidence` (positives per type), `pmids`
        (articles per positive) and `name_lengths` (characters and words of distinct names).
    """
    everything = pd.concat(frames.values(), ignore_index=True)
    positives = everything[everything["label"] == 1]
    return {
        "rows": {split: _rows(frame) for split, frame in frames.items()},
        "entities": {
            split: {f"{side}s": int(frame[f"{side}_id"].nunique()) for side in SIDES}
            for split, frame in {**frames, "all": everything}.items()
        },
        "overlap": [
            _overlap(first, frames[first], second, frames[second]) for first, second in combinations(frames, 2)
        ],
        "degrees": {
            side: {split: quantiles(_degrees(frame, side)) for split, frame in {**frames, "all": everything}.items()}
            for side in SIDES
        },
        "most_frequent": {side: _most_frequent(everything, side, top) for side in SIDES},
        "evidence": dict(
            Counter(part for value in positives["evidence"] for part in value.split("|") if part).most_common()
        ),
        "pmids": _pmids(positives),
        "name_lengths": {side: lengths(everything[side].drop_duplicates()) for side in SIDES},
    }


def print_report(report: dict[str, Any], console: Console) -> None:
    """Print the report of a dataset of gene–disease pairs as tables."""
    console.print(rows_table(report["rows"]))

    table = new_table("Entities shared between splits", "splits", "genes", "diseases")
    for column in ("rows with a known gene", "known disease", "both known"):
        table.add_column(column, justify="right")
    for pair in report["overlap"]:
        table.add_row(
            f"{pair['splits'][1]} in {pair['splits'][0]}",
            *(f"{pair[f'{side}s']['shared']:,} of {pair[f'{side}s']['of']:,}" for side in SIDES),
            *(f"{pair['rows'][kind]:.1%}" for kind in ("gene", "disease", "both")),
        )
    console.print(table)

    table = new_table("Positives per entity (degree)", "entity", "split", "entities", "mean", *QUANTILES)
    for side in SIDES:
        for split, values in report["degrees"][side].items():
            table.add_row(side, split, *quantile_cells(values))
        table.add_section()
    console.print(table)

    for side in SIDES:
        rows = (
            [each[key] for key in ("name", "id", "positive", "negative")] for each in report["most_frequent"][side]
        )
        console.print(filled(f"Most frequent {side}s", (side, "id", "positives", "negatives"), rows))
    console.print(filled("Evidence of the positives", ("evidence", "positives"), report["evidence"].items()))

    pmids = report["pmids"]
    console.print(
        f"Articles: {pmids['articles']:,} distinct; {pmids['positives_without']:,} positives name none; "
        f"per positive: median {pmids['per_positive']['median']:g}, most {pmids['per_positive']['max']:g}."
    )
    units = [(side, unit, its) for side in SIDES for unit, its in report["name_lengths"][side].items()]
    console.print(quantile_table("Length of distinct names", "names", units, counted="names counted"))
    print_audit(report["audit"], console)


def _rows(frame: pd.DataFrame) -> dict[str, int]:
    positive = int((frame["label"] == 1).sum())
    return {"positive": positive, "negative": len(frame) - positive}


def _overlap(first: str, a: pd.DataFrame, second: str, b: pd.DataFrame) -> dict[str, Any]:
    """Compare split `second` (table `b`) with `first`: which of its entities occur there."""
    known = {side: b[f"{side}_id"].isin(set(a[f"{side}_id"])) for side in SIDES}
    result: dict[str, Any] = {"splits": [first, second]}
    for side in SIDES:
        entities = set(b[f"{side}_id"])
        result[f"{side}s"] = {"shared": len(entities & set(a[f"{side}_id"])), "of": len(entities)}
    fractions = {**known, "both": known["gene"] & known["disease"]}
    result["rows"] = {kind: round(float(flags.mean()), 4) if len(flags) else 0.0 for kind, flags in fractions.items()}
    return result


def _degrees(frame: pd.DataFrame, side: str) -> np.ndarray:
    """Return how many positives each entity has in a table; entities without any don't count."""
    return frame.loc[frame["label"] == 1, f"{side}_id"].value_counts().to_numpy()


def _most_frequent(frame: pd.DataFrame, side: str, top: int) -> list[dict[str, Any]]:
    counts = frame.groupby(f"{side}_id", as_index=False).agg(
        name=(side, "first"), positive=("label", "sum"), rows=("label", "size")
    )
    # The name settles ties, so that the list does not depend on the order of the rows.
    counts = counts.sort_values(["positive", "name"], ascending=[False, True]).head(top)
    return [
        {
            "name": entity["name"],
            "id": entity[f"{side}_id"],
            "positive": int(entity["positive"]),
            "negative": int(entity["rows"] - entity["positive"]),
        }
        for entity in counts.to_dict("records")
    ]


def _pmids(positives: pd.DataFrame) -> dict[str, Any]:
    per_row = [value.split("|") if value else [] for value in positives["pmids"]]
    counts = np.array([len(pmids) for pmids in per_row])
    return {
        "articles": len({pmid for pmids in per_row for pmid in pmids}),
        "positives_without": int((counts == 0).sum()),
        "per_positive": quantiles(counts),
    }
