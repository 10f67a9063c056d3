"""Tables that all kinds of datasets share."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bioft.cards.words import audit_in_words
from bioft.metrics.report import show

UNITS = {"characters": len, "words": lambda text: len(text.split())}
QUANTILES = {"min": 0.0, "q25": 0.25, "median": 0.5, "q75": 0.75, "q90": 0.9, "q99": 0.99, "max": 1.0}


LEAST = (
    "q25", "min", "q99", "q75", "mean", "several ids", "both known", "split", "unit", "negatives", "without id",
    "between", "total", "known disease", "known gene", "id", "q90", "validation", "diseases", "genes", "share",
)  # fmt: skip
"""Columns that a narrow terminal does without, in this order."""
Parts = Iterable[Table | str]
"""What is printed of a report: tables, and sentences."""


def print_parts(parts: Parts, console: Console) -> None:
    """Print tables, as wide as the terminal at the most, and sentences."""
    for part in parts:
        if isinstance(part, Table):
            show(part, console, LEAST)
            console.print()
        else:
            console.print(Text(part))


def rows_table(rows: dict[str, dict[str, int]]) -> Table:
    """Return the table of what each split holds (`rows` of the manifest): gene–disease pairs, or what is counted."""
    kinds = dict.fromkeys(what for counts in rows.values() for what in counts)
    numbers = {what: [counts.get(what, 0) for counts in rows.values()] for what in kinds}
    if all("positive" in counts for counts in rows.values()):
        numbers["total"] = [sum(counts.values()) for counts in rows.values()]
    return filled("Rows", ("what", *rows, "all"), ((what, *its, sum(its)) for what, its in numbers.items()))


def audit_parts(audit: dict[str, Any], full: bool = True) -> Parts:
    """A manifest's audit: the tables of all that was found, if in full, and sentences on what it means."""
    if not audit:
        yield "The manifest holds no audit."
        return
    if full:
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
                share = f"({overlap['rows_in_train_fraction']:.1%} of the rows)"
                found = f"{overlap['in_train']:,} of {overlap['entities']:,} {share}"
                table.add_row(f"{side}s of {split} that are in train", found)
        yield table
        if audit.get("shortcuts"):
            columns = ("predictor", "split", "AUROC", "95 % interval", "")
            yield filled("Audit: what predicts without biology", columns, map(_shortcut_cells, audit["shortcuts"]))
    yield from audit_in_words(audit)


def _shortcut_cells(shortcut: dict[str, Any]) -> tuple[str | Text, ...]:
    interval = f"{shortcut['low']:.3f} to {shortcut['high']:.3f}"
    flag = Text(shortcut["flag"] or "", style="bold yellow")
    return shortcut["predictor"], shortcut["split"], f"{shortcut['auroc']:.3f}", interval, flag


def new_table(title: str, first: str, *columns: str) -> Table:
    """Return an empty table in the style of the inspection: columns of text to the left, numbers to the right."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False)
    table.add_column(first)
    for column in columns:
        text = column in ("id", "split", "unit", "between", "predictor", "found", "")
        table.add_column(column, justify="left" if text else "right")
    return table


def filled(title: str, columns: Iterable[str], rows: Iterable[Iterable[str | int | Text]]) -> Table:
    """Return a table with rows; no markup is read from its words, which come from data."""
    table = new_table(title, *columns)
    for row in rows:
        table.add_row(
            *(f"{cell:,}" if isinstance(cell, int) else Text(cell) if isinstance(cell, str) else cell for cell in row)
        )
    return table


def in_words(counts: Iterable[tuple[Any, int]], title: str, shown: int = 3) -> str:
    """The first of what is counted, as a sentence: "Most frequent genes: PIK3CA (26), COL2A1 (25)."."""
    return f"{title}: {', '.join(f'{name} ({n:,})' for name, n in list(counts)[:shown]) or 'none'}."


def quantiles_in_words(values: Mapping[str, float], what: str) -> str:
    """Quantiles as a sentence: "Words of a text: median 12, one in ten above 30, most 95."."""
    median, high, most = (f"{round(values[q], 1):,g}" for q in ("median", "q90", "max"))
    return f"{what}: median {median}, one in ten above {high}, most {most}."


def quantile_table(
    title: str, first: str, rows: Iterable[tuple[str, str, Mapping[str, float]]], counted: str = "counted"
) -> Table:
    """Return a table of `quantiles`, each with a name and its unit; `counted` says what they are of."""
    cells = ((name, unit, *quantile_cells(values)) for name, unit, values in rows)
    return filled(title, (first, "unit", counted, "mean", *QUANTILES), cells)


def ordered(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """The most frequent first; names settle ties, so that the list does not depend on the order of the rows."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def lengths(texts: Collection[str]) -> dict[str, dict[str, float]]:
    """Return the quantiles of characters and of words of texts."""
    return {unit: quantiles([measure(text) for text in texts]) for unit, measure in UNITS.items()}


def quantiles(values: Sequence[int] | np.ndarray) -> dict[str, float]:
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
