"""Where the fine-tuned model and other systems, or several runs, differ: changed answers, groups, correlation.

Every share comes with its number of units and a 95 % interval that knows which units share a document, a gene, ….
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from bioft.compare.compare import holm
from bioft.metrics.estimation.estimates import Estimate, difference, ratio
from bioft.metrics.estimation.groups import Floats, Groups
from bioft.metrics.estimation.ranking import auroc
from bioft.metrics.report import interval_text
from bioft.task import FINE_TUNED
from bioft.tasks.answers import BASE, Answers

MANY, FEWEST = 17, 5
"""Categories that are shown one by one, and units that one needs for it; the others are taken together."""
FREQUENCIES = ((0, 0), (1, 1), (2, 4), (5, 19), (20, 99), (100, 999), (1000, None))
"""Groups of what is counted in training, first and last number."""
COUNTED = "in training"
"""What properties that are such counts have in their name."""
OTHERS = "all others"


def share(values: Floats, weights: Floats, groups: Sequence[np.ndarray]) -> tuple[float, float, float]:
    """The weighted mean of values in [0, 1], shape (n,): value, low, high; units of one group are not independent."""
    return with_interval(ratio(values * weights, weights), groups)


def area(labels: np.ndarray, scores: Floats, groups: Sequence[np.ndarray]) -> tuple[float, float, float] | None:
    """AUROC with its interval: value, low, high; None with one class only."""
    return None if len(set(labels.tolist())) < 2 else with_interval(auroc(labels, scores), groups)


def with_interval(estimate: Estimate, groups: Sequence[np.ndarray]) -> tuple[float, float, float]:
    """An estimate over units of which those of a group are not independent: value, low, high."""
    return estimate.value, *estimate.interval(Groups(len(estimate.influence), groups))


def systems(answers: Answers) -> pd.DataFrame:
    """How right each system is: system, measure, n, value, low, high."""
    everything = pd.Series("all", index=answers.values.index)
    return by_group(answers, everything, list(map(str, answers.values))).drop(columns="group")


def changes(answers: Answers) -> pd.DataFrame:
    """Each other system against the fine-tuned model, on the same units.

    Columns: system, n, both_right (as right as the fine-tuned model, and right), both_wrong, gained (the fine-tuned
    model is righter), lost, and p_value of the paired test of how right both are (`estimates.paired`).
    """
    rows = []
    ours = answers.values[FINE_TUNED]
    for system in answers.values.columns[1:]:
        theirs = answers.values[system]
        gained, lost, p_value = compared(answers, ours.to_numpy(), theirs.to_numpy())
        rows.append(
            {
                "system": system,
                "n": len(ours),
                "both_right": int(((ours == theirs) & (ours > 0)).sum()),
                "both_wrong": int(((ours == theirs) & (ours == 0)).sum()),
                "gained": gained,
                "lost": lost,
                "p_value": p_value,
            }
        )
    return pd.DataFrame(rows)


def compared(answers: Answers, first: Floats, second: Floats) -> tuple[int, int, float]:
    """How many units only the first, or only the second is righter on (each of shape (n,)), and the p-value."""
    ours, theirs = (ratio(values * answers.weights, answers.weights) for values in (first, second))
    found = difference(answers.measure, ours, theirs, Groups(len(first), answers.groups))
    return int((first > second).sum()), int((first < second).sum()), found.p_value


def changed(answers: Answers, other: str) -> pd.DataFrame:
    """The units that the fine-tuned model and another system answer with different success, the largest change first.

    Columns: id, truth and both answers where they were stored, and how right each is.
    """
    difference = answers.values[FINE_TUNED] - answers.values[other]
    rows = difference[difference != 0].abs().sort_values(ascending=False, kind="stable").index
    table = pd.DataFrame({"id": np.array(answers.ids, dtype=object)[rows]})
    table["change"] = np.where(difference[rows] > 0, "gained", "lost")
    if len(answers.given.columns):
        for name in ("truth", other, FINE_TUNED):
            table[name] = answers.given[name].to_numpy()[rows]
    for name in (other, FINE_TUNED):
        table[f"{name}: {answers.measure}"] = answers.values[name].to_numpy()[rows]
        if name in answers.scores:
            table[f"{name}: score"] = answers.scores[name].to_numpy()[rows]
    return table


def groups(name: str, values: pd.Series) -> pd.Series | None:
    """Put a property of the units into groups, in their order; None if there would be fewer than two.

    Counts in training get the groups of `FREQUENCIES`, other numbers quartiles; of categories the most frequent stay.
    Missing values are in no group. Only groups of numbers have an order that means something (`cat.ordered`).
    """
    known, ordered = values.dropna(), True
    if known.empty:
        return None
    if COUNTED in name:
        found = [_range(*next(each for each in reversed(FREQUENCIES) if value >= each[0])) for value in known]
        order = [_range(low, high) for low, high in FREQUENCIES]
    elif isinstance(values.dtype, pd.CategoricalDtype):
        found, order = known.astype(str).to_list(), [str(each) for each in values.dtype.categories]
    elif pd.api.types.is_numeric_dtype(known):
        edges = np.unique(np.quantile(known, [0.25, 0.5, 0.75], method="higher"))
        places = np.searchsorted(edges, known, side="left")
        names = {
            int(place): _range(int(known[places == place].min()), int(known[places == place].max()))
            for place in np.unique(places)
        }
        found, order = [names[int(place)] for place in places], list(names.values())
    else:
        counts = known.value_counts()
        order = [str(each) for each in counts.index[counts >= FEWEST][:MANY]]
        found = [str(each) if str(each) in order else OTHERS for each in known]
        order.append(OTHERS)
        ordered = False
    order = [each for each in order if each in set(found)]
    if len(order) < 2:
        return None
    return pd.Series(pd.Categorical(found, order, ordered=ordered), index=known.index)


def _range(low: int, high: int | None) -> str:
    return f"{low:,}+" if high is None else f"{low:,}" if low == high else f"{low:,}–{high:,}"


def by_group(answers: Answers, group: pd.Series, shown: Sequence[str]) -> pd.DataFrame:
    """How right systems are in each group: group, system, measure, n, value, low, high.

    With labels, also the area under the ROC curve of every system's scores: unlike accuracy it cannot be had by
    knowing which groups have many positives. A group of one class has none.
    """
    rows = []
    for name in group.cat.categories if isinstance(group.dtype, pd.CategoricalDtype) else group.unique():
        places = group.index[group == name].to_numpy()
        groups = [kind[places] for kind in answers.groups]
        for system in shown:
            if system in answers.values:
                values = answers.values[system].to_numpy()[places]
                found = share(values, answers.weights[places], groups)
                rows.append(row(answers.measure, len(places), found, group=name, system=system))
            if answers.labels is not None and system in answers.scores:
                curve = area(answers.labels[places], answers.scores[system].to_numpy()[places], groups)
                if curve is not None:
                    rows.append(row("AUROC", len(places), curve, group=name, system=system))
    return pd.DataFrame(rows)


def row(measure: str, n: int, found: tuple[float, float, float], **of: object) -> dict[str, object]:
    """A row of a table: what it is of, measure, n, value, low, high."""
    return {**of, "measure": measure, "n": n, **dict(zip(("value", "low", "high"), found, strict=True))}


def trend(table: pd.DataFrame, name: str) -> str | None:
    """In words whether the fine-tuned model differs between the first and the last group of a table of `by_group`."""
    measure = "AUROC" if "AUROC" in set(table["measure"]) else table["measure"].iloc[0]
    ours = table[(table["system"] == FINE_TUNED) & (table["measure"] == measure)]
    if len(ours) < 2:
        return None
    first, last = ours.iloc[0], ours.iloc[-1]
    apart = first["high"] < last["low"] or last["high"] < first["low"]
    verdict = "the intervals don't overlap" if apart else "the intervals overlap"
    ends = ", ".join(
        f"{interval_text(each.to_dict())} at {each['group']} (n = {each['n']:,})" for each in (first, last)
    )
    return f"{measure} by {name}: {ends}; {verdict}."


def correlation(scores: pd.DataFrame) -> pd.DataFrame:
    """Spearman's rank correlation of every two columns, shape (columns, columns); constant columns are left out."""
    varying = scores[[column for column in scores if scores[column].nunique() > 1]]
    return varying.corr(method="spearman")


def shown_systems(answers: Answers, best_baseline: str | None) -> list[str]:
    """The fine-tuned model, its base model and the best baseline, as far as they are known."""
    known = {*answers.values, *answers.scores}
    return [system for system in (FINE_TUNED, BASE, best_baseline or "") if system in known]


def together(runs: Mapping[str, tuple[str, Answers]]) -> tuple[list[tuple[str, Answers]], dict[str, str]]:
    """Put runs (by name: task and answers) on the same units, with the same truth, together.

    Returns the groups of two runs or more, whose answers have a column for each run instead of its systems, and by
    name why a run is in none.
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    for name, (task, answers) in runs.items():
        groups.setdefault((task, *answers.ids, *map(str, answers.given.get("truth", ()))), []).append(name)
    found, apart = [], {}
    for key, names in groups.items():
        if len(names) < 2:
            apart[names[0]] = f"No other run is on {key[0]} with the same test examples and labels."
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
