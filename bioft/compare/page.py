"""An analysis as one web page that opens without a network, with its tables as CSV and its figures as PNG files."""

import html
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

PAGE = "index.html"
ROWS, SHORT = 60, 15
"""Rows of a table that the page shows, the file having all, and of one that need not be opened first."""
COUNTS = {"n", "both_right", "both_wrong", "gained", "lost", "only_first", "only_second", "equal", "dimensions"}
STYLE = """
:root{color-scheme:light dark;--line:#d0d0d0;--soft:#f4f6f8;--note:#7a4a00}
@media(prefers-color-scheme:dark){:root{--line:#444;--soft:#1d2126;--note:#f0c674}
body{background:#111418;color:#e8e8e8}}
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;padding:1.5rem;max-width:72rem}
h1{font-size:1.6rem}h3{margin-bottom:.3rem}
h2{border-bottom:2px solid var(--line);margin-top:2.5rem;padding-bottom:.2rem;overflow-wrap:anywhere}
nav a{margin-right:1rem}nav{line-height:2}
table{border-collapse:collapse;font-size:.9rem;margin:.6rem 0}.scroll{overflow-x:auto}
th,td{padding:.25rem .7rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th{background:var(--soft)}th.words,td.words{text-align:left;white-space:normal;max-width:26rem}
img{max-width:100%;height:auto;background:#fff;border:1px solid var(--line);margin:.5rem 0}
.reason{color:var(--note)}summary{padding:.3rem 0}summary a{font-weight:600}
a{color:inherit}
"""


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
    parts = []
    for chapter in chapters:
        parts.append(f'<h2 id="{html.escape(chapter.folder)}">{html.escape(chapter.title)}</h2>')
        for section in chapter.sections:
            parts.append(f"<h3>{html.escape(section.title)}</h3>")
            parts += [f"<p>{html.escape(sentence)}</p>" for sentence in section.sentences]
            for name, words in section.figures.items():
                source = html.escape(f"{chapter.folder}/{name}")
                parts.append(f'<p><img src="{source}" alt="{html.escape(words)}"></p>')
            for name, table in section.tables.items():
                table.to_csv(folder / chapter.folder / name, index=False)
                parts.append(_html_table(table, f"{chapter.folder}/{name}"))
            parts += [f'<p class="reason">Not done: {html.escape(reason)}</p>' for reason in section.reasons]
    links = "".join(f'<a href="#{html.escape(each.folder)}">{html.escape(each.title)}</a>' for each in chapters)
    (folder / PAGE).write_text(
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Analysis of runs</title><style>{STYLE}</style><h1>Analysis of runs</h1><nav>{links}</nav>"
        f"{''.join(parts)}</html>\n",
        encoding="utf-8",
    )


def print_chapters(chapters: list[Chapter], console: Console | None = None) -> None:
    """Print the sentences, short tables and reasons of all chapters."""
    console = console or Console()
    for chapter in chapters:
        console.print(Text(f"\n{chapter.title}", style="bold underline"), soft_wrap=True)
        for section in chapter.sections:
            console.print(Text(section.title, style="bold"))
            for sentence in section.sentences:
                console.print(Text(f"  {sentence}"), soft_wrap=True)
            for table in section.tables.values():
                if not {"id", "truth"} & set(table):
                    console.print(_terminal_table(table))
            for reason in section.reasons:
                console.print(Text(f"  Not done: {reason}", style="yellow"), soft_wrap=True)


def cells(table: pd.DataFrame) -> pd.DataFrame:
    """A table as text: a value and its interval in one column, figures with three digits, counts whole."""
    shown = table.copy()
    if {"group", "system", "value"} <= set(table):
        return _beside_one_another(table)
    if {"value", "low", "high"} <= set(table):
        shown["value [95 %]"] = [
            f"{value:.3f} [{low:.3f}, {high:.3f}]"
            for value, low, high in zip(table["value"], table["low"], table["high"], strict=True)
        ]
        shown = shown.drop(columns=["value", "low", "high"])
    for name in map(str, shown):
        shown[name] = [_cell(name, value) for value in shown[name]]
    return shown.rename(columns=lambda name: str(name).replace("_", " "))


def _beside_one_another(table: pd.DataFrame) -> pd.DataFrame:
    """A table of groups with a column for each system, each value with its interval."""
    keys = ["property", "measure", "group", "n"]
    found = cells(table.drop(columns=["group"])).assign(group=table["group"].astype(str), order=range(len(table)))
    order = found.groupby(keys, sort=False)["order"].first().sort_values().index
    wide = found.pivot(index=keys, columns="system", values="value [95 %]").reindex(order).fillna("–")
    return wide[list(dict.fromkeys(table["system"]))].reset_index()


def _cell(name: str, value: object) -> str:
    if isinstance(value, str):
        return value
    if pd.isna(value):  # type: ignore[call-overload]
        return "–"
    if name.startswith("p_"):
        return "<.001" if float(value) < 0.001 else f"{value:.3f}".removeprefix("0")  # type: ignore[arg-type]
    if name in COUNTS or isinstance(value, int):
        return f"{value:,.0f}"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _html_table(table: pd.DataFrame, file: str) -> str:
    shown = cells(table)
    rest = f" (first {ROWS} of {len(shown):,} rows)" if len(shown) > ROWS else ""
    kind = {column: ' class="words"' if _holds_words(shown[column]) else "" for column in shown}
    head = "".join(f"<th{kind[column]}>{html.escape(str(column))}</th>" for column in shown)
    body = "".join(
        "<tr>"
        + "".join(f"<td{kind[column]}>{html.escape(value)}</td>" for column, value in zip(shown, row, strict=True))
        + "</tr>"
        for row in shown.head(ROWS).to_numpy()
    )
    link = f'<a href="{html.escape(file)}">{html.escape(file.rpartition("/")[2])}</a>{rest}'
    opened = " open" if len(shown) <= SHORT else ""
    return (
        f'<details{opened}><summary>{link}</summary><div class="scroll"><table><tr>{head}</tr>{body}</table></div>'
        "</details>"
    )


def _holds_words(column: pd.Series) -> bool:
    return bool(column.str.contains("[A-Za-z]{2}", regex=True).any())


def _terminal_table(table: pd.DataFrame) -> Table:
    shown = cells(table)
    drawn = Table(box=box.SIMPLE_HEAD)
    for column in shown:
        drawn.add_column(str(column), justify="left" if _holds_words(shown[column]) else "right", overflow="fold")
    for row in shown.to_numpy():
        drawn.add_row(*map(Text, row))
    return drawn
