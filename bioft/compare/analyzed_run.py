"""Several runs on the same test examples: how their answers correlate, and where they differ."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from bioft.compare.compare import holm
from bioft.compare.errors import compared
from bioft.task import FINE_TUNED
from bioft.tasks.answers import Answers


def together(runs: Mapping[str, tuple[str, Answers]]) -> tuple[list[tuple[str, Answers]], dict[str, str]]:
    """Put runs (by name: task and answers) on the same units together.

    Returns the groups of two runs or more, whose answers have a column for each run instead of its systems, and by
    name why a run is in none.
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    for name, (task, answers) in runs.items():
        groups.setdefault((task, *answers.ids), []).append(name)
    found, apart = [], {}
    for key, names in groups.items():
        if len(names) < 2:
            apart[names[0]] = f"No other run is on {key[0]} with the same test examples."
            continue
        of = {name: runs[name][1] for name in names}
        first = of[names[0]]
        values = {name: its.values[FINE_TUNED] for name, its in of.items()}
        scores, given = {}, {}
        if all(FINE_TUNED in its.scores for its in of.values()):
            scores = {name: its.scores[FINE_TUNED] for name, its in of.items()}
        if all(FINE_TUNED in its.given for its in of.values()):
            given = {"truth": first.given["truth"]} | {name: its.given[FINE_TUNED] for name, its in of.items()}
        own, scored, answered = (pd.DataFrame(part) for part in (values, scores, given))
        found.append((key[0], replace(first, values=own, scores=scored, given=answered)))
    return found, apart


def pairs(answers: Answers) -> pd.DataFrame:
    """Return a row for each pair of runs.

    Columns: first, second, n, correlation (Spearman, of scores, else of how right the answers are), equal, only_first
    and only_second (units that one is righter on), p_value (paired test of how right both are), p_corrected (Holm
    1979).
    """
    rows = []
    for first, second in combinations(answers.values, 2):
        ours, theirs = answers.values[first], answers.values[second]
        numbers = answers.scores if len(answers.scores.columns) else answers.values
        more, fewer, p_value = compared(answers, ours.to_numpy(), theirs.to_numpy())
        varying = min(numbers[first].nunique(), numbers[second].nunique()) > 1
        rows.append(
            {
                "first": first,
                "second": second,
                "n": len(ours),
                "correlation": float(stats.spearmanr(numbers[first], numbers[second])[0]) if varying else np.nan,
                "equal": int((ours == theirs).sum()),
                "only_first": more,
                "only_second": fewer,
                "p_value": p_value,
            }
        )
    table = pd.DataFrame(rows)
    return table.assign(p_corrected=holm(table["p_value"].to_list()))


def differing(answers: Answers) -> pd.DataFrame:
    """The units that the runs answer with different success, the largest difference first."""
    spread = answers.values.max(axis=1) - answers.values.min(axis=1)
    rows = spread[spread > 0].sort_values(ascending=False, kind="stable").index
    table = pd.DataFrame({"id": np.array(answers.ids, dtype=object)[rows]})
    for name in answers.given:
        table[name] = answers.given[name].to_numpy()[rows]
    for name in answers.values:
        table[f"{name}: {answers.measure}"] = answers.values[name].to_numpy()[rows]
    return table
