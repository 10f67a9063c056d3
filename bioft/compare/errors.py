"""Where the fine-tuned model and other systems differ: changed answers, errors by group, correlation, calibration.

Every share comes with its number of units and a 95 % interval: Wilson's where units are independent and right or
wrong, else a percentile bootstrap over documents.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from bioft.metrics import bootstrap
from bioft.metrics.bootstrap import Floats
from bioft.metrics.intervals import auroc
from bioft.task import FINE_TUNED
from bioft.tasks.answers import BASE, Answers

RESAMPLES = 1000
CONFIDENCE = 0.95
MANY, FEWEST = 17, 5
"""Categories that are shown one by one, and units that one needs for it; the others are taken together."""
FREQUENCIES = ((0, 0), (1, 1), (2, 4), (5, 19), (20, 99), (100, 999), (1000, None))
"""Groups of what is counted in training, first and last number."""
COUNTED = "in training"
"""What properties that are such counts have in their name."""
OTHERS = "all others"


def share(values: Floats, weights: Floats, documents: np.ndarray, seed: int = 0) -> tuple[float, float, float]:
    """The weighted mean of values in [0, 1] with its interval: value, low, high.

    All arrays have shape (n,), n at least 1; units of one document are drawn together.
    """
    n = len(np.unique(documents))
    value = float((values * weights).sum() / weights.sum())
    independent = n == len(values) and np.isin(values, (0.0, 1.0)).all() and (weights == 1).all()
    if value in (0.0, 1.0) or independent:
        return value, *bootstrap.wilson_interval(round(value * n), n, CONFIDENCE)
    return mean(values, weights, documents, seed)


def mean(values: Floats, weights: Floats, documents: np.ndarray, seed: int = 0) -> tuple[float, float, float]:
    """The weighted mean with its bootstrap interval over documents: value, low, high."""
    place = bootstrap.group_index(documents)
    n = int(place.max()) + 1
    value = float((values * weights).sum() / weights.sum())
    right, total = (np.bincount(place, each, n) for each in (values * weights, weights))
    return value, *_interval(lambda drawn: (drawn @ right) / np.maximum(drawn @ total, 1e-12), n, value, seed)


def area(labels: np.ndarray, scores: Floats, seed: int = 0) -> tuple[float, float, float] | None:
    """AUROC with its bootstrap interval: value, low, high; None with one class only."""
    if len(set(labels.tolist())) < 2:
        return None
    n = len(labels)
    value = float(auroc(labels, scores, np.ones((1, n)))[0])
    return value, *_interval(lambda drawn: auroc(labels, scores, drawn), n, value, seed)


def _interval(values: Callable[[Floats], Floats], n: int, value: float, seed: int) -> tuple[float, float]:
    drawn = bootstrap.resampled(lambda weights: {"value": values(weights)}, n, RESAMPLES, seed)
    return bootstrap.percentiles(drawn["value"], CONFIDENCE, value)


def systems(answers: Answers) -> pd.DataFrame:
    """How right each system is: system, measure, n, value, low, high."""
    everything = pd.Series("all", index=answers.values.index)
    return by_group(answers, everything, list(map(str, answers.values))).drop(columns="group")


def changes(answers: Answers) -> pd.DataFrame:
    """Each other system against the fine-tuned model, on the same units.

    Columns: system, n, both_right (as right as the fine-tuned model, and right), both_wrong, gained (the fine-tuned
    model is righter), lost, and p_value of McNemar's exact test, which for graded answers is the sign test.
    """
    rows = []
    ours = answers.values[FINE_TUNED]
    for system in answers.values.columns[1:]:
        theirs = answers.values[system]
        gained, lost, p_value = bootstrap.sign_test(ours, theirs)
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
        found = [_frequency(value) for value in known]
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


def _frequency(value: float) -> str:
    low, high = next((low, high) for low, high in reversed(FREQUENCIES) if value >= low)
    return _range(low, high)


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
        for system in shown:
            if system in answers.values:
                values = answers.values[system].to_numpy()[places]
                found = share(values, answers.weights[places], answers.documents[places])
                rows.append(row(answers.measure, len(places), found, group=name, system=system))
            if answers.labels is not None and system in answers.scores:
                curve = area(answers.labels[places], answers.scores[system].to_numpy()[places])
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
        f"{each['value']:.3f} [{each['low']:.3f}, {each['high']:.3f}] at {each['group']} (n = {each['n']:,})"
        for each in (first, last)
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
