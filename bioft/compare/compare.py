"""Runs beside each other: those on the same test examples ranked, with intervals and paired tests; others apart."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bioft.compare import outcomes as run_outcomes
from bioft.errors import BioftError, suggestion
from bioft.metrics.estimation.estimates import Estimate, difference
from bioft.metrics.estimation.groups import Floats, Groups
from bioft.metrics.report import p_words
from bioft.storage import runs
from bioft.storage.files import new_folder
from bioft.storage.pages import html
from bioft.tasks.answers import Outcomes

WIDE = 150
"""Characters of a terminal that shows the whole table."""


@dataclass(frozen=True)
class _Run:
    name: str
    record: dict[str, Any]
    outcomes: Outcomes


@dataclass
class Ranking:
    """Runs on the same task and test examples.

    `table` has a row for each run, the best first; `pairs` one for each pair of runs, with the difference of the
    metric (the first minus the second), its interval, the p-value of the paired test and that p-value corrected for
    the number of pairs (Holm 1979).
    """

    task: str
    fingerprint: str
    metric: str
    n: int
    table: pd.DataFrame
    pairs: pd.DataFrame


@dataclass
class Comparison:
    """The rankings, the largest first, and why other runs are in none."""

    rankings: list[Ranking] = field(default_factory=list)
    apart: dict[str, str] = field(default_factory=dict)


def compare(names: Sequence[str], *, metric: str | None = None) -> Comparison:
    """Compare finished runs by their stored predictions; the figures are computed anew, all by the same code.

    Args:
        names: run directories, or `user/name` or `user/name@revision` on the Hub.
        metric: the metric to rank by; None takes the main one of the task.

    Returns:
        A ranking for each task and test split that at least one run has. A run without a record, with files that were
        changed, or from a newer bioft, is set apart with the reason.

    Raises:
        BioftError: no run at all that can be read, a name given twice, or a metric that no run has.
    """
    run_outcomes.check_distinct(names)
    result = Comparison()
    groups: dict[tuple[str, str], list[_Run]] = {}
    for name in names:
        try:
            run = _read(name)
            groups.setdefault((run.record["task"], run.record["dataset"]["fingerprints"]["test"]), []).append(run)
        except BioftError as error:
            result.apart[name] = str(error)
        except (KeyError, TypeError, AttributeError) as error:
            result.apart[name] = f"{runs.RECORD} is not as a finished run of this bioft writes it ({error!r})."
    for (task, fingerprint), group in sorted(groups.items(), key=lambda item: -len(item[1])):
        same, others = _on_the_same_examples(group)
        result.apart |= others
        shared = [name for name in same[0].outcomes.metrics if all(name in run.outcomes.metrics for run in same)]
        if metric is not None and metric not in shared:
            result.apart |= {
                run.name: f"It has no metric {metric!r}. {suggestion(metric, run.outcomes.metrics)}" for run in same
            }
            continue
        result.rankings.append(_rank(same, metric or shared[0], task, fingerprint))
    if not result.rankings:
        reasons = "\n".join(f"{name}: {reason}" for name, reason in result.apart.items())
        raise BioftError(f"There is nothing to compare.\n{reasons}")
    return result


def print_comparison(found: Comparison, console: Console | None = None) -> None:
    """Print a table for each ranking, and the runs that are in none with the reason."""
    console = console or Console(markup=False)
    for ranking in found.rankings:
        title = f"{ranking.task}: {ranking.metric}, n = {ranking.n:,}, test split {ranking.fingerprint[:12]}"
        table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
        cells = _cells(ranking)
        # A narrow terminal gets the first columns whole; files have all of them.
        cells = cells.iloc[:, : len(cells.columns) if console.width >= WIDE else 4]
        for column in map(str, cells):
            left = column == "run"
            table.add_column(column, justify="left" if left else "right", overflow="fold", no_wrap=not left)
        for row in cells.itertuples(index=False):
            table.add_row(*row)
        console.print(table)
    if len(found.rankings) > 1:
        console.print(
            "Runs on other tasks or other test examples are ranked apart: their figures say nothing together."
        )
    for name, reason in found.apart.items():
        console.print(Text(f"Not compared: {name}. {reason}"), soft_wrap=True)


def write_comparison(found: Comparison, directory: Path) -> list[Path]:
    """Write the rankings as `comparison.md`, `.csv`, `.html` and `.png`, and all pairs of runs as `pairs.csv`.

    Returns the files. Raises BioftError if the folder holds anything already; nothing is left behind then.
    """
    from bioft.metrics import plots

    with new_folder(directory) as partial:
        for name, part in (("comparison.csv", "table"), ("pairs.csv", "pairs")):
            tables = [getattr(each, part).assign(task=each.task, metric=each.metric) for each in found.rankings]
            pd.concat(tables).to_csv(partial / name, index=False)
        (partial / "comparison.md").write_text(to_markdown(found), encoding="utf-8")
        plots.comparison([(ranking.metric, ranking.table) for ranking in found.rankings], partial / "comparison.png")
        page = {"title": "Comparison of runs", "rankings": found.rankings, "apart": found.apart, "cells": _cells}
        (partial / "comparison.html").write_text(html(__package__, "comparison.html.j2", **page), encoding="utf-8")
    return sorted(directory.iterdir())


def to_markdown(found: Comparison) -> str:
    """The tables of a comparison in Markdown."""
    parts = []
    for ranking in found.rankings:
        cells = _cells(ranking)
        lines = [f"## {ranking.task}: {ranking.metric}, n = {ranking.n:,}", ""]
        lines += ["| " + " | ".join(map(str, cells)) + " |", "|" + "---|" * len(cells.columns)]
        lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells.to_numpy()]
        parts.append("\n".join(lines))
    if found.apart:
        parts.append("\n".join(["Not compared:", "", *(f"- {name}: {why}" for name, why in found.apart.items())]))
    return "\n\n".join(parts) + "\n"


def holm(p_values: Sequence[float]) -> Floats:
    """P-values corrected for their number, by Holm's step-down method (1979); shape (n,)."""
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values)
    steps = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    corrected = np.empty(len(values))
    corrected[order] = np.minimum(steps, 1.0)
    return corrected


def _read(name: str) -> _Run:
    directory, record = run_outcomes.finished_run(name)
    return _Run(name, record, run_outcomes.outcomes(directory, record))


def _on_the_same_examples(group: Sequence[_Run]) -> tuple[list[_Run], dict[str, str]]:
    """The runs whose predictions are about the same examples as those of the first, and why the others are not."""
    first = group[0].outcomes.ids
    same, others = [], {}
    for run in group:
        if sorted(run.outcomes.ids) == sorted(first):
            same.append(_Run(run.name, run.record, run.outcomes.in_order(first)))
        else:
            others[run.name] = f"Its predictions are not about the same test examples as those of {group[0].name}."
    return same, others


def _rank(group: Sequence[_Run], metric: str, task: str, fingerprint: str) -> Ranking:
    found = [run.outcomes.metrics[metric].estimate() for run in group]
    n, groups = len(group[0].outcomes.ids), Groups(len(group[0].outcomes.ids), group[0].outcomes.groups)
    order = np.argsort([-each.value for each in found], kind="stable")
    group, found = [group[i] for i in order], [found[i] for i in order]
    pairs = _pairs(group, found, metric, groups)
    against_best = {row["second"]: row for row in pairs.to_dict("records") if row["first"] == group[0].name}
    rows = []
    for index, run in enumerate(group):
        low, high = found[index].interval(groups)
        baseline, training = run.record.get("comparison") or {}, run.record.get("training") or {}
        pair = against_best.get(run.name)
        rows.append(
            {
                "rank": index + 1,
                "run": run.name,
                "value": found[index].value,
                "low": low,
                "high": high,
                "to_best": -pair["difference"] if pair else None,
                "p_best": pair["p_corrected"] if pair else None,
                "best_baseline": baseline.get("baseline"),
                "above_baseline": baseline.get("difference"),
                "p_baseline": baseline.get("p_value"),
                "seed": run.record.get("seed"),
                "trainable_parameters": training.get("trainable_parameters"),
                "training_seconds": training.get("seconds"),
                "examples_per_second": training.get("examples_per_second"),
            }
        )
    table = pd.DataFrame(rows)
    known = table["p_baseline"].notna()
    table.loc[known, "p_baseline"] = holm(table.loc[known, "p_baseline"].to_list())
    return Ranking(task, fingerprint, metric, n, table, pairs)


def _pairs(group: Sequence[_Run], found: Sequence[Estimate], metric: str, groups: Groups) -> pd.DataFrame:
    rows = []
    for first, second in combinations(range(len(group)), 2):
        compared = difference(metric, found[first], found[second], groups)
        rows.append(compared._asdict() | {"first": group[first].name, "second": group[second].name})
    table = pd.DataFrame(rows, columns=["first", "second", "difference", "low", "high", "p_value", "n"])
    table["p_corrected"] = holm(table["p_value"].to_list())
    return table


def _cells(ranking: Ranking) -> pd.DataFrame:
    """The table of a ranking as text."""
    cells = [
        {
            "": str(row["rank"]),
            "run": row["run"],
            f"{ranking.metric} [95 %]": f"{row['value']:.3f} [{row['low']:.3f}–{row['high']:.3f}]",
            "to the best (p)": _difference(row["to_best"], row["p_best"]),
            "to its best baseline (p)": " ".join(
                [_difference(row["above_baseline"], row["p_baseline"]), row["best_baseline"] or ""]
            ).strip(),
            "parameters": _count(row["trainable_parameters"]),
            "training": _seconds(row["training_seconds"]),
            "examples/s": _count(row["examples_per_second"]),
        }
        for row in ranking.table.to_dict("records")
    ]
    return pd.DataFrame(cells)


def _difference(value: float | None, p_value: float | None) -> str:
    return "–" if value is None or pd.isna(value) else f"{value:+.3f} ({p_words(p_value, '')})"


def _count(value: float | None) -> str:
    return "–" if value is None or pd.isna(value) else f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _seconds(value: float | None) -> str:
    if value is None or pd.isna(value):
        return "–"
    return f"{value:.0f} s" if value < 120 else f"{value / 60:.0f} min"
