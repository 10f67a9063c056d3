"""Runs beside each other: those on the same test examples ranked, with intervals and paired tests; others apart."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.text import Text

from bioft.compare import outcomes as run_outcomes
from bioft.errors import BioftError, suggestion
from bioft.metrics.estimation.estimates import Estimate, difference
from bioft.metrics.estimation.groups import Floats, Groups
from bioft.metrics.report import RANDOM_NEGATIVES, WITH_MODEL, difference_text, interval_text, show, text_table
from bioft.storage import runs
from bioft.storage.files import new_folder
from bioft.storage.pages import html
from bioft.task import BASE, FINE_TUNED, called
from bioft.tasks.answers import BASE as BASE_MODEL, Outcomes
from bioft.verify.findings import clean

RUN, BASELINE, COMBINED = "run", "baseline", "combined"
"""Kinds of rows, beside `BASE`."""
WORDS = ("run", "best baseline")
"""Columns of words."""


@dataclass(frozen=True)
class _Run:
    name: str
    record: dict[str, Any]
    outcomes: Outcomes
    others: dict[str, Outcomes]
    """Of the base model and the baselines, where their answers were stored."""
    directory: Path


@dataclass
class Ranking:
    """Runs on the same task and test examples.

    `table` has a row for each run, and for the base models and baselines whose answers the runs hold (by `kind`), the
    best first; runs have a `rank`, which ties share. `pairs` has a row for each pair of runs, with the difference of
    the metric (the first minus the second), its interval, the p-value of the paired test and that p-value corrected
    for the number of pairs (Holm 1979).
    """

    task: str
    fingerprint: str
    metric: str
    n: int
    table: pd.DataFrame
    pairs: pd.DataFrame

    @property
    def runs(self) -> list[str]:
        """The names of the runs, the best first."""
        return self.table.loc[self.table["kind"] == RUN, "run"].to_list()


@dataclass
class Comparison:
    """The rankings, the largest first, and why other runs are in none."""

    rankings: list[Ranking] = field(default_factory=list)
    apart: dict[str, str] = field(default_factory=dict)


def compare(names: Sequence[str], *, metric: str | None = None, once: bool = False) -> Comparison:
    """Compare finished runs by their stored predictions; the figures are computed anew, all by the same code.

    `names` are run directories, or `user/name` or `user/name@revision` on the Hub; `metric` is the one to rank by,
    None takes the main one of the task. With `once` the same model is ranked once.

    Returns a ranking for each task and test split that at least one run has. A run without a record, with files that
    were changed, or from a newer bioft, is set apart with the reason.
    BioftError: no run at all that can be read, a name given twice, or a metric that no run has.
    """
    run_outcomes.check_distinct(names)
    result = Comparison()
    groups: dict[tuple[str, str], list[_Run]] = {}
    for name in names:
        try:
            with runs.reading([name]):
                run = _read(name)
                groups.setdefault((run.record["task"], run.record["dataset"]["fingerprints"]["test"]), []).append(run)
        except BioftError as error:
            result.apart[name] = str(error)
    for (task, fingerprint), group in sorted(groups.items(), key=lambda item: -len(item[1])):
        same, others = _on_the_same_examples(group, once)
        result.apart |= others
        if not same:
            continue
        shared = [name for name in same[0].outcomes.metrics if all(name in run.outcomes.metrics for run in same)]
        if metric is not None and metric not in shared:
            result.apart |= {
                run.name: f"It has no metric {metric!r}. {suggestion(metric, run.outcomes.metrics)}" for run in same
            }
            continue
        by = metric or shared[0]
        undefined = [run for run in same if math.isnan(run.outcomes.metrics[by].estimate().value)]
        result.apart |= {
            run.name: f"Its {by} is not defined: its test examples are all of one kind, so that nothing can be ranked."
            for run in undefined
        }
        if not (same := [run for run in same if run not in undefined]):
            continue
        with runs.reading([run.name for run in same]):
            result.rankings.append(_rank(same, by, task, fingerprint))
    if not result.rankings:
        reasons = "\n".join(f"{name}: {reason}" for name, reason in result.apart.items())
        raise BioftError(f"There is nothing to compare.\n{reasons}")
    return result


def print_comparison(found: Comparison, console: Console | None = None) -> None:
    """Print a table for each ranking, and the runs that are in none with the reason."""
    console = console or Console(markup=False)
    for ranking in found.rankings:
        cells = _cells(ranking)
        table = text_table(cells, (map(clean, row) for row in cells.to_numpy()), WORDS, clean(_title(ranking)))
        # A narrow terminal gets the first columns; files have all of them.
        show(table, console, list(map(str, cells))[:2:-1])
        if len(ranking.runs) > 1:
            console.print("p-values are corrected for the number of tests (Holm).")
    if len(found.rankings) > 1:
        console.print(
            "Runs on other tasks or other test examples are ranked apart: their figures say nothing together."
        )
    for name, reason in found.apart.items():
        console.print(Text(clean(f"Not compared: {name}. {reason}")), soft_wrap=True)


def write_comparison(found: Comparison, directory: Path) -> list[Path]:
    """Write the rankings as `comparison.md`, `.csv`, `.html` and `.png`, and all pairs of runs as `pairs.csv`.

    Returns the files. Raises BioftError if the folder holds anything already; nothing is left behind then.
    """
    from bioft.metrics import plots

    with new_folder(directory) as partial:
        for name, part in (("comparison.csv", "table"), ("pairs.csv", "pairs")):
            rows = [
                {**row, "task": each.task, "metric": each.metric}
                for each in found.rankings
                for row in getattr(each, part).to_dict("records")
            ]
            columns = [*getattr(found.rankings[0], part), "task", "metric"]
            whole = pd.DataFrame(rows, columns=columns).astype({"rank": "Int64"} if part == "table" else {})
            whole.to_csv(partial / name, index=False)
        (partial / "comparison.md").write_text(to_markdown(found), encoding="utf-8")
        drawn = [
            (each.metric, each.table.assign(words=list(map(system_words, each.table.to_dict("records")))))
            for each in found.rankings
        ]
        plots.comparison(drawn, partial / "comparison.png")
        (partial / "comparison.html").write_text(to_html(found), encoding="utf-8")
    return sorted(directory.iterdir())


def to_html(found: Comparison) -> str:
    """A comparison as a page, which shows `comparison.png` beside it."""
    page = {"title": "Comparison of runs", "rankings": found.rankings, "apart": found.apart}
    return html(__package__, "comparison.html.j2", **page, cells=_cells, title_of=_title, words=WORDS)


def to_markdown(found: Comparison) -> str:
    """The tables of a comparison in Markdown."""
    parts = []
    for ranking in found.rankings:
        cells = _cells(ranking)
        lines = [f"## {_title(ranking)}", ""]
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
    found = run_outcomes.outcomes(directory, record)
    ours = found.pop(FINE_TUNED)
    others = {system: replace(its, ids=ours.ids) for system, its in found.items()}
    return _Run(name, record, ours, others, directory)


def _on_the_same_examples(group: Sequence[_Run], once: bool) -> tuple[list[_Run], dict[str, str]]:
    """The runs whose predictions are about the same examples, with the same labels, as most; why others are not.

    Of as many that say one thing as another none is kept. With `once` each of them has other weights.
    """
    most, others = _as_most(group, _asked, _unlike)
    if not most:
        return [], others
    # Runs of earlier versions have stored no groups: theirs are those of the others.
    grouped, unlike = _as_most([run for run in most if run.outcomes.groups], _grouped, _unlike_in_groups)
    others |= unlike
    same, ids, kept = list[_Run](), most[0].outcomes.ids, {run.name for run in grouped}
    models: dict[str, run_outcomes.Model] = {}
    for run in (run for run in most if run.name in kept or not run.outcomes.groups):
        if run.outcomes.ids != ids:
            others_in_order = {name: its.in_order(ids) for name, its in run.others.items()}
            run = replace(run, outcomes=run.outcomes.in_order(ids), others=others_in_order)
        if once:
            model = models[run.name] = run_outcomes.Model.of(run.directory)
            shared = (
                (what, other) for other, its in models.items() if other != run.name for what in model.shares(its)
            )
            if (found := next(shared, None)) is not None:
                others[run.name] = f"Its {found[0]} are those of {found[1]}: they are one model."
                continue
        same.append(run)
    return same, others


def _as_most(
    group: Sequence[_Run], key: Callable[[_Run], Any], why: Callable[[_Run, _Run], str]
) -> tuple[list[_Run], dict[str, str]]:
    """The runs with the key that most have, and why others are not; of as many with either none is kept."""
    alike: dict[Any, list[_Run]] = {}
    for run in group:
        alike.setdefault(key(run), []).append(run)
    most, *fewer = sorted(alike.values(), key=len, reverse=True) or [[]]
    others = {run.name: why(run, most[0]) for its in fewer for run in its}
    if fewer and len(fewer[0]) == len(most):
        return [], {run.name: why(run, fewer[0][0]) for run in most} | others
    return most, others


def _asked(run: _Run) -> Any:
    """What a run was asked, and what is right: examples with their labels, and where texts are found by others."""
    among = repr((run.record.get("dataset") or {}).get("candidates"))
    return among, tuple(sorted(zip_longest(run.outcomes.ids, run.outcomes.truth)))


def _grouped(run: _Run) -> Any:
    kinds = [map(str, values) for values in run.outcomes.groups]
    return tuple(sorted(zip(run.outcomes.ids, *kinds, strict=True)))


def _unlike_in_groups(run: _Run, other: _Run) -> str:
    return (
        f"Its predictions have other groups than those of {other.name}, by which intervals and tests are made: bioft "
        "verify tells of each run whether its groups are those of the data."
    )


def _unlike(run: _Run, other: _Run) -> str:
    """Why two runs are not about the same."""
    if sorted(run.outcomes.ids) != sorted(other.outcomes.ids):
        return f"Its predictions are not about the same test examples as those of {other.name}."
    if _asked(run)[0] != _asked(other)[0]:
        return f"Its queries were asked for among other texts of the split than those of {other.name}."
    return (
        f"Its predictions have other labels than those of {other.name} for the same test examples: bioft verify tells "
        "of each run whether its labels are those of the data."
    )


def _rank(group: Sequence[_Run], metric: str, task: str, fingerprint: str) -> Ranking:
    n, kinds = len(group[0].outcomes.ids), (run.outcomes.groups for run in group)
    groups = Groups(n, next(filter(None, kinds), ()))
    found = {run.name: run.outcomes.metrics[metric].estimate() for run in group}
    # The sum of rounding is no difference.
    order = sorted(group, key=lambda run: -round(found[run.name].value, 12))
    pairs = _pairs({run.name: found[run.name] for run in order}, metric, groups)
    against_best = {row["second"]: row for row in pairs.to_dict("records") if row["first"] == order[0].name}
    rows: list[dict[str, Any]] = []
    others: dict[tuple[Any, ...], tuple[str, dict[str, Any]]] = {}
    for run in order:
        its = {name: each.metrics[metric].estimate() for name, each in run.others.items() if metric in each.metrics}
        # The same baseline of several runs is one row.
        for name, figure in (
            _recorded(run, metric) | {name: _figure(each, groups) for name, each in its.items()}
        ).items():
            key = name, *(round(value, 9) for value in figure.values())
            others.setdefault(key, (run.name, figure))[1].update(_on_random_negatives(run, name, metric))
        training = run.record.get("training") or {}
        pair = against_best.get(run.name)
        rows.append(
            {
                "kind": RUN,
                "run": run.name,
                **_figure(found[run.name], groups),
                **_on_random_negatives(run, FINE_TUNED, metric),
                "to_best": -pair["difference"] if pair else None,
                "p_best": pair["p_corrected"] if pair else None,
                **_to_baseline(run, metric, found[run.name], its, groups),
                "seed": run.record.get("seed"),
                "trainable_parameters": training.get("trainable_parameters"),
                "training_seconds": training.get("seconds"),
                "examples_per_second": training.get("examples_per_second"),
            }
        )
    names = [name for name, *_ in others]
    for (name, *_), (run_name, figure) in others.items():
        shown = f"{name} of {run_name}" if names.count(name) > 1 else name
        rows.append({"kind": {BASE: BASE, WITH_MODEL: COMBINED}.get(name, BASELINE), "run": shown, **figure})
    table = pd.DataFrame(rows)
    known = table["p_baseline"].notna()
    table.loc[known, "p_baseline"] = holm(table.loc[known, "p_baseline"].to_list())
    values = table["value"].where(table["kind"] == RUN).round(12)
    table.insert(0, "rank", values.rank(method="min", ascending=False).astype("Int64"))
    table = table.sort_values("value", ascending=False, kind="stable", ignore_index=True)
    return Ranking(task, fingerprint, metric, n, table, pairs)


def _figure(estimate: Estimate, groups: Groups) -> dict[str, Any]:
    low, high = estimate.interval(groups)
    return {"value": estimate.value, "low": low, "high": high}


def _recorded(run: _Run, metric: str) -> dict[str, dict[str, Any]]:
    """The figures on record of base model and baselines, whose answers need not be stored."""
    stated = {**(run.record.get("baselines") or {}), BASE: run.record.get("base_model_metrics") or {}}
    figures = {name: its.get(metric) or {} for name, its in stated.items()}
    parts = ("value", "low", "high")
    whole = {name: its for name, its in figures.items() if all(its.get(part) is not None for part in parts)}
    return {name: {part: its[part] for part in parts} for name, its in whole.items()}


def _on_random_negatives(run: _Run, system: str, metric: str) -> dict[str, Any]:
    """The figure on record of a system on random negatives, as columns; {} without one."""
    found = run.record.get(RANDOM_NEGATIVES) or {}
    figure = found.get("figures", {}).get(system) if found.get("metric") == metric else None
    return {} if figure is None else {f"{RANDOM_NEGATIVES}_{part}": figure[part] for part in ("value", "low", "high")}


def _to_baseline(
    run: _Run, metric: str, ours: Estimate, others: Mapping[str, Estimate], groups: Groups
) -> dict[str, Any]:
    """The paired difference to the best baseline; as recorded where the answers of that one were not stored."""
    baselines = {name: estimate for name, estimate in others.items() if name not in (BASE, WITH_MODEL)}
    stated = run.record.get("comparison") or {}
    found = stated if stated.get("metric", metric) == metric else {}
    if baselines and found.get("baseline", BASE) in (BASE, *baselines):
        best = max(baselines, key=lambda name: (round(baselines[name].value, 12), name == found.get("baseline")))
        apart = difference(metric, ours, baselines[best], groups)
        found = {"baseline": best, "difference": apart.difference, "p_value": apart.p_value}
    return {
        "best_baseline": found.get("baseline"),
        "above_baseline": found.get("difference"),
        "p_baseline": found.get("p_value"),
    }


def _pairs(found: Mapping[str, Estimate], metric: str, groups: Groups) -> pd.DataFrame:
    rows = [
        difference(metric, found[first], found[second], groups)._asdict() | {"first": first, "second": second}
        for first, second in combinations(found, 2)
    ]
    table = pd.DataFrame(rows, columns=["first", "second", "difference", "low", "high", "p_value", "n"])
    table["p_corrected"] = holm(table["p_value"].to_list())
    return table


def _title(ranking: Ranking) -> str:
    return f"{ranking.task}: {ranking.metric}, n = {ranking.n:,}, test split {ranking.fingerprint[:12]}"


def rank_words(ranks: pd.Series) -> list[str]:
    """Ranks as texts show them: "1", "2=" of those that are shared, nothing of what has none."""
    shared = ranks.duplicated(keep=False)
    return ["" if pd.isna(rank) else f"{rank}{'=' * tied}" for rank, tied in zip(ranks, shared, strict=True)]


def system_words(row: Mapping[Any, Any]) -> str:
    """The name of a run, or what texts call the base model or a baseline."""
    if row["kind"] == RUN:
        return str(row["run"])
    name, of, run = str(row["run"]).partition(" of ")
    words = {BASE: BASE_MODEL, COMBINED: called(WITH_MODEL)}
    return f"{words.get(row['kind'], called(name) + ' (baseline)')}{of}{run}"


def _cells(ranking: Ranking) -> pd.DataFrame:
    """The table of a ranking as text."""
    cells = [
        {
            "": rank,
            "run": system_words(row),
            f"{ranking.metric} [95 %]": interval_text(row),
            "random negatives [95 %]": interval_text(
                {part: row.get(f"{RANDOM_NEGATIVES}_{part}") for part in ("value", "low", "high")}
            ),
            "to its best baseline": difference_text(row["above_baseline"], row["p_baseline"]),
            "best baseline": called(str(row["best_baseline"] or "–")),
            "to the best run": difference_text(row["to_best"], row["p_best"]),
            "parameters": _count(row["trainable_parameters"]),
            "training": _seconds(row["training_seconds"]),
            "examples/s": _count(row["examples_per_second"]),
        }
        for rank, row in zip(rank_words(ranking.table["rank"]), plain_rows(ranking.table), strict=True)
    ]
    table = pd.DataFrame(cells)
    # What nothing is known of, such as differences of a run alone, is no column.
    return table[[name for place, name in enumerate(table) if place < 3 or (table[name] != "–").any()]]


def plain_rows(table: pd.DataFrame) -> list[dict[Any, Any]]:
    """The rows with None for what is missing."""
    return table.astype(object).where(table.notna(), None).to_dict("records")  # type: ignore[call-overload]


def _count(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _seconds(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.0f} s" if value < 120 else f"{value / 60:.0f} min"
