"""An analysis as one web page that opens without a network, with its tables as CSV and its figures as PNG files."""

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.text import Text

from bioft.metrics.report import decimals, interval_text, p_words, show, text_table
from bioft.storage.pages import html
from bioft.task import called

PAGE = "index.html"
ROWS, SHORT = 60, 15
"""Rows of a table that the page shows, the file having all, and of one that need not be opened first."""
COUNTS = {"n", "both_right", "both_wrong", "gained", "lost", "only_first", "only_second", "equal", "dimensions"}
LEAST = ("equal", "correlation", "both wrong", "both right", "p value", "n")
"""Columns that a narrow terminal does without, in this order."""


@dataclass
class Section:
    """One question and what was found: sentences, tables (by file), figures (by file); or the reason why not."""

    title: str
    sentences: list[str] = field(default_factory=list)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    figures: dict[str, str] = field(default_factory=dict)
    """By file what it shows, for those who don't see it."""
    reasons: list[str] = field(default_factory=list)


@dataclass
class Chapter:
    """What was found about one run, or about several together; its files are in `folder`."""

    title: str
    folder: str
    sections: list[Section] = field(default_factory=list)


def write_page(chapters: list[Chapter], folder: Path) -> None:
    """Write the tables of all chapters as CSV files, and the page; the figures are there already."""
    for chapter in chapters:
        for section in chapter.sections:
            for name, table in section.tables.items():
                table.to_csv(folder / chapter.folder / name, index=False)
    about = {"title": "Analysis of runs", "cells": cells, "words_of": _words_of, "rows": ROWS, "short": SHORT}
    (folder / PAGE).write_text(html(__package__, "analysis.html.j2", chapters=chapters, **about), encoding="utf-8")


def print_chapters(chapters: list[Chapter], console: Console | None = None) -> None:
    """Print the sentences, short tables and reasons of all chapters."""
    console = console or Console(markup=False)
    for chapter in chapters:
        console.print(Text(f"\n{chapter.title}", style="bold underline"), soft_wrap=True)
        for section in chapter.sections:
            console.print(Text(section.title, style="bold"))
            for sentence in section.sentences:
                console.print(Text(f"  {sentence}"), soft_wrap=True)
            # Lists of examples, and large tables, are for the page.
            short = {
                name: table
                for name, table in section.tables.items()
                if "id" not in table and len(table.columns) <= SHORT
            }
            for name, table in short.items():
                title = f"  {Path(name).stem.replace('_', ' ')}" if len(short) > 1 else None
                shown = cells(table)
                show(text_table(shown, shown.to_numpy(), _words_of(shown), title), console, LEAST)
            if not (section.sentences or short or section.reasons):
                console.print(Text(f"  On the page: {', '.join([*section.figures, *section.tables])}"))
            for reason in section.reasons:
                console.print(Text(f"  Not done: {reason}", style="yellow"), soft_wrap=True)


def cells(table: pd.DataFrame) -> pd.DataFrame:
    """A table as text: a value and its interval in one column, figures with three digits, counts whole."""
    if {"group", "system", "value"} <= set(table):
        return _beside_one_another(table)
    shown = table.copy()
    if {"value", "low", "high"} <= set(table):
        shown["value [95 %]"] = [interval_text(row) for row in table.to_dict("records")]
        shown = shown.drop(columns=["value", "low", "high"])
    for name in map(str, shown):
        shown[name] = [called(str(value)) if name == "system" else _cell(name, value) for value in shown[name]]
    return shown.rename(columns=lambda name: str(name).replace("_", " "))


def _beside_one_another(table: pd.DataFrame) -> pd.DataFrame:
    """A table of groups with a column for each system, each value with its interval."""
    keys = ["property", "measure", "group", "n"]
    found = cells(table.drop(columns=["group"])).assign(group=table["group"].astype(str), order=range(len(table)))
    order = found.groupby(keys, sort=False)["order"].first().sort_values().index
    wide = found.pivot(index=keys, columns="system", values="value [95 %]").reindex(order).fillna("–")
    return wide[list(dict.fromkeys(map(called, table["system"])))].reset_index()


def _cell(name: str, value: object) -> str:
    if isinstance(value, str):
        return value
    if pd.isna(value):  # type: ignore[call-overload]
        return "–"
    if name.startswith("p_"):
        return p_words(float(value), "")  # type: ignore[arg-type]
    if name in COUNTS or isinstance(value, int):
        return f"{value:,.0f}"
    return decimals(value) if isinstance(value, float) else str(value)


def _words_of(table: pd.DataFrame) -> list[str]:
    """The columns of a table of text that hold words, and not only numbers."""
    return [str(name) for name in table if table[name].astype(str).str.contains("[A-Za-z]{2}").any()]
