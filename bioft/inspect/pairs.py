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

from bioft.datasets.gene_disease.audit import lacking
from bioft.inspect import spellings, tables

__all__ = ["lacking"]  # of all such pairs
SIDES = ("gene", "disease")
COUNTED = ("positive", "negative", "total", "genes", "diseases", "known gene", "known disease", "both known")
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

    `frames` has per split a table with the columns gene, gene_id, disease, disease_id, label, evidence and pmids.
    Returns a dict that JSON can hold, with `rows` (per split and label), `entities` (distinct genes and diseases per
    split), `overlap` (per pair of splits: shared entities, and the fractions of the second split's rows whose gene,
    disease or both occur in the first), `degrees` (positives per gene and per disease: quantiles, for each split and
    for all), `most_frequent` (`top` genes and diseases), `evidence` (positives per type), `pmids` (articles per
    positive), `variants` (of the names of other splits those that training has in another spelling) and `name_lengths`
    (characters and words of distinct names).
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
            side: {
                split: tables.quantiles(_degrees(frame, side))
                for split, frame in {**frames, "all": everything}.items()
            }
            for side in SIDES
        },
        "most_frequent": {side: _most_frequent(everything, side, top) for side in SIDES},
        "evidence": dict(
            Counter(part for value in positives["evidence"] for part in value.split("|") if part).most_common()
        ),
        "pmids": _pmids(positives),
        "variants": {
            side: {
                split: spellings.variants(frame[side], frames["train"][side])
                for split, frame in frames.items()
                if split != "train"
            }
            for side in SIDES
        },
        "name_lengths": {side: tables.lengths(everything[side].drop_duplicates()) for side in SIDES},
    }


def parts(report: dict[str, Any], full: bool) -> tables.Parts:
    """What is printed of the report of a dataset of gene–disease pairs."""
    known = {pair["splits"][1]: pair for pair in report["overlap"] if pair["splits"][0] == "train"}
    table = tables.new_table("Rows, and the shares of them with a gene and a disease of train", "rows", *COUNTED)
    total = dict.fromkeys(("positive", "negative"), 0)
    for split, counts in report["rows"].items():
        its = known.get(split, {}).get("rows")
        shares = [f"{its[kind]:.1%}" for kind in (*SIDES, "both")] if its else ["–"] * 3
        table.add_row(split, *_cells(counts, report["entities"][split]), *shares)
        total = {kind: n + counts[kind] for kind, n in total.items()}
    table.add_row("all", *_cells(total, report["entities"]["all"]), "", "", "")
    yield table
    frequent, pmids = report["most_frequent"], report["pmids"]
    if full:
        columns = ("entity", "split", "entities", "mean", *tables.QUANTILES)
        rows = ((s, split, *tables.quantile_cells(its)) for s in SIDES for split, its in report["degrees"][s].items())
        yield tables.filled("Positives per entity (degree)", columns, rows)
        for side in SIDES:
            names = ([each[key] for key in ("name", "id", "positive", "negative")] for each in frequent[side])
            yield tables.filled(f"Most frequent {side}s", (side, "id", "positives", "negatives"), names)
        yield tables.filled("Evidence of the positives", ("evidence", "positives"), report["evidence"].items())
        units = [(side, unit, its) for side in SIDES for unit, its in report["name_lengths"][side].items()]
        yield tables.quantile_table("Length of distinct names", "names", units, counted="names")
    else:
        for side in SIDES:
            yield tables.in_words(
                ((each["name"], each["positive"]) for each in frequent[side]), f"Most frequent {side}s"
            )
            yield tables.quantiles_in_words(report["degrees"][side]["all"], f"Positives of a {side}")
        yield tables.quantiles_in_words(
            report["name_lengths"]["disease"]["characters"], "Characters of a disease's name"
        )
        yield tables.in_words(report["evidence"].items(), "Evidence of the positives")
    if pmids["articles"]:
        yield tables.quantiles_in_words(pmids["per_positive"], f"{pmids['articles']:,} articles; of a positive")
        if pmids["positives_without"]:
            yield f"{pmids['positives_without']:,} positives name no article."
    for side, found in report["variants"].items():
        yield from spellings.in_words(found, f"names of {side}s")


def _cells(counts: Mapping[str, int], entities: Mapping[str, int]) -> list[str]:
    return [f"{n:,}" for n in (counts["positive"], counts["negative"], sum(counts.values()), *entities.values())]


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
        "per_positive": tables.quantiles(counts),
    }
