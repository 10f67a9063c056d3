"""Tables that all kinds of datasets share."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bioft.cards.words import audit_in_words

QUANTILES = {"min": 0.0, "q25": 0.25, "median": 0.5, "q75": 0.75, "q90": 0.9, "q99": 0.99, "max": 1.0}


def rows_table(rows: dict[str, dict[str, int]]) -> Table:
    """Return the table of what each split holds (`rows` of the manifest): gene–disease pairs, or what is counted."""
    if not all("positive" in counts for counts in rows.values()):
        table = new_table("Rows", "what", *rows, "all")
        for what in dict.fromkeys(what for counts in rows.values() for what in counts):
            values = [counts.get(what, 0) for counts in rows.values()]
            table.add_row(Text(what), *(f"{value:,}" for value in (*values, sum(values))))
        return table
    table = new_table("Rows", "split", "positive", "negative", "total")
    for split, counts in rows.items():
        positive, negative = counts["positive"], counts["negative"]
        table.add_row(split, f"{positive:,}", f"{negative:,}", f"{positive + negative:,}")
    table.add_section()
    positive = sum(counts["positive"] for counts in rows.values())
    negative = sum(counts["negative"] for counts in rows.values())
    table.add_row("all", f"{positive:,}", f"{negative:,}", f"{positive + negative:,}")
    return table


def print_audit(audit: dict[str, Any], console: Console) -> None:
    """Print a manifest's audit: leakage checks, overlap with train, shortcuts, and what they mean."""
    if not audit:
        console.print(Text("The manifest holds no audit.", style="yellow"))
        return
    table = new_table("Audit: leakage", "check", "found")
    for check, count in audit.get("checks", {}).items():
        table.add_row(check.replace("_", " "), Text(f"{count:,}", style="red" if count else "green"))
    for shared in audit.get("published_overlap", []):
        table.add_row(
            f"as published: texts of {shared['file']} that are in {shared['other']}",
            f"{shared['shared']:,} of {shared['texts']:,}",
        )
    for side, splits in audit.get("entity_overlap", {}).items():
        for split, overlap in splits.items():
            table.add_row(
                f"{side}s of {split} that are in train",
                f"{overlap['in_train']:,} of {overlap['entities']:,} "
                f"({overlap['rows_in_train_fraction']:.1%} of the rows)",
            )
    console.print(table)
    if audit.get("shortcuts"):
        console.print(_shortcuts_table(audit["shortcuts"]))
    for sentence in audit_in_words(audit):
        console.print(Text(sentence))


def _shortcuts_table(shortcuts: list[dict[str, Any]]) -> Table:
    table = new_table("Audit: what predicts without biology", "predictor", "split", "AUROC", "95 % interval", "")
    for shortcut in shortcuts:
        table.add_row(
            shortcut["predictor"],
            shortcut["split"],
            f"{shortcut['auroc']:.3f}",
            f"{shortcut['low']:.3f} to {shortcut['high']:.3f}",
            Text(shortcut["flag"] or "", style="bold yellow"),
        )
    return table


def new_table(title: str, first: str, *columns: str) -> Table:
    """Return an empty table in the style of the inspection: columns of text to the left, numbers to the right."""
    table = Table(title=title, title_justify="left")
    table.add_column(first, overflow="fold")
    for column in columns:
        text = column in ("id", "split", "unit", "between", "predictor", "")
        table.add_column(column, justify="left" if text else "right", overflow="fold")
    return table


def quantiles(values: np.ndarray) -> dict[str, float]:
    """Return how many values there are, their mean and their `QUANTILES`; all 0 without values."""
    if len(values) == 0:
        return {"n": 0, "mean": 0.0, **dict.fromkeys(QUANTILES, 0.0)}
    return {
        "n": len(values),
        "mean": float(np.mean(values)),
        **{name: float(np.quantile(values, q)) for name, q in QUANTILES.items()},
    }


def quantile_cells(values: Mapping[str, float]) -> list[str]:
    """What a table shows of `quantiles`: how many, their mean, and each of `QUANTILES`."""
    return [f"{values['n']:,}", f"{values['mean']:.1f}", *(f"{round(values[q], 1):,g}" for q in QUANTILES)]
