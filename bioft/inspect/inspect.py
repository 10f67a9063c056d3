"""What is in a dataset: counts, overlap of splits, degrees, frequent names, evidence; as tables and plots.

This is the exploratory analysis that should come before any training: which entities dominate, how much of
the test split was seen in training, and which shortcuts the audit found.
"""

from collections import Counter
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from datasets import DatasetDict
from rich.console import Console
from rich.text import Text

from bioft.errors import BioftError
from bioft.inspect.tables import QUANTILES, new_table, print_audit, quantiles, rows_table
from bioft.storage import datasets as storage
from bioft.storage.files import new_folder, write_json

SCHEMA_VERSION = 1
SIDES = ("gene", "disease")
FOLDER = "inspection"
REPORT = "inspection.json"
Draw = Callable[[Path], None]
"""Draws the plots of an inspection into a folder."""


def inspect_dataset(
    directory: Path, out: Path | None = None, *, top: int = 10, overwrite: bool = False
) -> tuple[dict[str, Any], Path]:
    """Inspect the dataset that `bioft build` wrote to `directory`.

    Writes `inspection/` with `inspection.json` and the plots (PNG) into `out` (default: the dataset's own
    directory), all or nothing. An earlier inspection there is replaced.

    Returns:
        The report (see `inspect_frames`, `document_inspection.inspect_rows` for documents, `text_inspection` for texts
        and pairs of texts; with the manifest's `builder`, `arguments`, `fingerprints` and `audit`) and the folder
        written.

    Raises:
        BioftError: when `directory` holds no dataset, its files were edited, or the folder to be written
            holds something else and `overwrite` is false.
    """
    target = (out or directory) / FOLDER
    dataset, manifest = storage.load(directory)
    if target.exists() and not overwrite and not (target / REPORT).is_file() and _holds_anything(target):
        raise BioftError(
            f"{target} holds something else than an inspection. Name another folder with --output, or replace "
            "it with --overwrite."
        )
    found, draw = _inspector(dataset, directory)(dataset, top)
    report = {
        "schema_version": SCHEMA_VERSION,
        "dataset": {key: manifest.get(key) for key in ("builder", "arguments", "fingerprints")},
        **found,
        "audit": manifest.get("audit", {}),
        "notes": notes(manifest),
    }
    _write(report, draw, target)
    return report, target


def _inspector(dataset: DatasetDict, directory: Path) -> Callable[[DatasetDict, int], tuple[dict[str, Any], Draw]]:
    """How rows of this kind are inspected."""
    from bioft.inspect import texts as text_inspection  # it builds on this module

    columns = set.intersection(*(set(rows.column_names) for rows in dataset.values()))
    if "entities" in columns:
        return _inspect_documents
    if "gene" in columns:
        return _inspect_pairs
    if text_inspection.holds_pairs(columns):
        return _inspect_text_pairs
    if "text" in columns:
        return _inspect_texts
    raise BioftError(
        f"{directory} holds rows of {', '.join(sorted(columns))}; what is inspected are gene–disease pairs, documents "
        "with entities, texts, and pairs of texts. What there is to know of it is in its README.md and manifest.json."
    )


def _inspect_documents(dataset: DatasetDict, top: int) -> tuple[dict[str, Any], Draw]:
    from bioft.inspect import documents as document_inspection  # it builds on this module

    splits = {split: rows.to_list() for split, rows in dataset.items()}
    report = document_inspection.inspect_rows(splits, top)
    return report, lambda folder: document_inspection.draw(splits, folder / "mentions.png")


def _inspect_text_pairs(dataset: DatasetDict, top: int) -> tuple[dict[str, Any], Draw]:
    from bioft.inspect import texts as text_inspection

    frames = {split: rows.to_pandas() for split, rows in dataset.items()}
    report = text_inspection.inspect_pairs(frames, top)
    return report, lambda folder: text_inspection.draw(frames, report, folder)


def _inspect_texts(dataset: DatasetDict, top: int) -> tuple[dict[str, Any], Draw]:
    from bioft.inspect import texts as text_inspection

    frames = {split: rows.to_pandas() for split, rows in dataset.items()}
    report = text_inspection.inspect_texts(frames, top)
    return report, lambda folder: text_inspection.draw(frames, report, folder)


def _inspect_pairs(dataset: DatasetDict, top: int) -> tuple[dict[str, Any], Draw]:
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
        "name_lengths": {side: _name_lengths(everything, side) for side in SIDES},
    }


def print_report(report: dict[str, Any], console: Console) -> None:
    """Print the report of `inspect_dataset` as tables."""
    if "kind" in report:
        from bioft.inspect import texts as text_inspection  # it builds on this module

        text_inspection.print_report(report, console)
        return
    if "texts" in report:
        from bioft.inspect import documents as document_inspection  # it builds on this module

        document_inspection.print_report(report, console)
        return
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
            numbers = [f"{values['n']:,}", f"{values['mean']:.1f}", *(f"{round(values[q], 1):,g}" for q in QUANTILES)]
            table.add_row(side, split, *numbers)
        table.add_section()
    console.print(table)

    for side in SIDES:
        table = new_table(f"Most frequent {side}s", side, "id", "positives", "negatives")
        for entity in report["most_frequent"][side]:
            table.add_row(
                Text(entity["name"]),
                Text(entity["id"]),
                f"{entity['positive']:,}",
                f"{entity['negative']:,}",
            )
        console.print(table)

    table = new_table("Evidence of the positives", "evidence", "positives")
    for evidence, count in report["evidence"].items():
        table.add_row(Text(evidence), f"{count:,}")
    console.print(table)

    pmids = report["pmids"]
    console.print(
        f"Articles: {pmids['articles']:,} distinct; {pmids['positives_without']:,} positives name none; "
        f"per positive: median {pmids['per_positive']['median']:g}, most {pmids['per_positive']['max']:g}."
    )
    table = new_table("Length of distinct names", "names", "unit", "names counted", "mean", *QUANTILES)
    for side in SIDES:
        for unit, values in report["name_lengths"][side].items():
            numbers = [f"{values['n']:,}", f"{values['mean']:.1f}", *(f"{round(values[q], 1):,g}" for q in QUANTILES)]
            table.add_row(side, unit, *numbers)
    console.print(table)
    print_audit(report["audit"], console)


def notes(manifest: dict[str, Any]) -> list[str]:
    """Return what else one must know of a dataset: a split that is not the usual one, documents left out."""
    found = [manifest["split"]["note"]] if "note" in manifest.get("split", {}) else []
    for split, left_out in manifest.get("skipped", {}).items():
        if left_out["documents"]:
            found.append(f"{split}: {left_out['documents']:,} documents left out. First: {left_out['first'][0]}")
    found += [f"left out, {what}: {n:,}" for what, n in manifest.get("left_out", {}).items() if n]
    return [f"Note: {note}" for note in found]


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


def _name_lengths(frame: pd.DataFrame, side: str) -> dict[str, dict[str, float]]:
    names = frame[side].drop_duplicates()
    return {
        "characters": quantiles(np.array([len(name) for name in names])),
        "words": quantiles(np.array([len(name.split()) for name in names])),
    }


def _holds_anything(folder: Path) -> bool:
    return not folder.is_dir() or any(folder.iterdir())


def _write(report: dict[str, Any], draw: Draw, target: Path) -> None:
    with new_folder(target, existing="replace") as new:
        draw(new)
        write_json(new / REPORT, report, allow_nan=False)
