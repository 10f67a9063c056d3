"""What systems answered in each test example, as comparisons and analyses take it, whatever the task."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]

from bioft.errors import BioftError, in_words
from bioft.metrics.estimation.estimates import F1, SHARE, Estimate, Scale, ratio
from bioft.metrics.estimation.groups import Floats, Integers
from bioft.metrics.estimation.ranking import auroc
from bioft.storage.parquet import check_parquet
from bioft.storage.runs import AS_IT_WAS, PREDICTIONS, is_outside
from bioft.task import BASE as BASE_MODEL, FINE_TUNED


@dataclass(frozen=True)
class Ratio:
    """A metric that is a ratio of two sums over examples, each of shape (n,); accuracy and F1 are of this kind."""

    numerator: Floats
    denominator: Floats
    scale: Scale = SHARE

    def estimate(self) -> Estimate:
        """The metric with what its interval needs; 0 without a denominator."""
        return ratio(self.numerator, self.denominator, self.scale)


@dataclass(frozen=True)
class Ranking:
    """The area under the ROC curve of scores, shape (n,), for labels 0 and 1."""

    labels: Integers
    scores: Floats

    def estimate(self) -> Estimate:
        """AUROC with what its interval needs; NaN with one class only."""
        return auroc(self.labels, self.scores)


Metric = Ratio | Ranking


@dataclass(frozen=True)
class Outcomes:
    """The ids of the test examples, as stored, and the metrics of a run on them, the main one first."""

    ids: list[str]
    metrics: dict[str, Metric]
    groups: tuple[np.ndarray, ...] = ()
    """For each kind of group one value per example: see `bioft.metrics.estimation.groups`."""
    truth: list[str] = field(default_factory=list)
    """What is right in each example, as stored; empty where a task does not say it."""

    def in_order(self, ids: Sequence[str]) -> "Outcomes":
        """The same for the same examples in another order."""
        place = {each: row for row, each in enumerate(self.ids)}
        order = [place[each] for each in ids]
        metrics: dict[str, Metric] = {}
        for name, its in self.metrics.items():
            parts: dict[str, Any] = {
                key: part[order] for key, part in vars(its).items() if isinstance(part, np.ndarray)
            }
            metrics[name] = replace(its, **parts)
        truth = [self.truth[row] for row in order] if self.truth else []
        return Outcomes(list(ids), metrics, tuple(values[order] for values in self.groups), truth)


def numbered(ids: Sequence[Any]) -> list[str]:
    """Ids with their row: one name may be asked for twice."""
    return [f"{row:08d}\t{each}" for row, each in enumerate(ids)]


def mean_of(values: np.ndarray) -> Ratio:
    """The mean of numbers, one for each example; the accuracy, if they say which examples are right."""
    return Ratio(values.astype(np.float64), np.ones(len(values)))


def f1_of(right: np.ndarray, there: np.ndarray, found: np.ndarray) -> Ratio:
    """F1 of counts per example: of right ones, of those that are there and of those that were found."""
    return Ratio(2 * right.astype(np.float64), there.astype(np.float64) + found.astype(np.float64), F1)


def f1_of_sets(there: Sequence[set[Any]], found: Sequence[set[Any]]) -> Ratio:
    """Micro F1 of sets of items, one for each example."""
    right = [len(one & other) for one, other in zip(there, found, strict=True)]
    return f1_of(np.array(right), np.array([len(one) for one in there]), np.array([len(one) for one in found]))


BASE = "base model"
NONE = "none"
"""A mention that is not there, or was not found."""
NO_BASE = (
    "The base model's answers are not among the predictions: its head is drawn at random before training. The best "
    "baseline stands in its place."
)
ALONE = "Only the fine-tuned model's answers are among the predictions."


class Probabilities(NamedTuple):
    """Whether things are so (0 or 1), the probability that a system gave each, shape (m,), and what they share."""

    truth: np.ndarray
    scores: np.ndarray
    groups: tuple[np.ndarray, ...] = ()


@dataclass
class Answers:
    """What each system answered: the fine-tuned model, the base model where it was stored, and the baselines.

    A row of every table is a unit: a pair, a mention, a text, a query, … The columns are the systems.
    """

    units: str
    measure: str
    """What `values` say, such as "accuracy"."""
    ids: list[str]
    values: pd.DataFrame
    """How right each answer is, 0 to 1."""
    given: pd.DataFrame
    """The answers in words, after a column `truth`; no columns where they weren't stored."""
    weights: np.ndarray
    """How much each unit counts, shape (n,)."""
    groups: tuple[np.ndarray, ...] = ()
    """Units that share a document, a gene, … are not independent: see `bioft.metrics.estimation.groups`."""
    scores: pd.DataFrame = field(default_factory=pd.DataFrame)
    """Numbers that systems gave, for correlations."""
    labels: np.ndarray | None = None
    """0 or 1, for areas under the curve of `scores`; None where there is no such label."""
    probabilities: dict[str, Probabilities] = field(default_factory=dict)
    """By system."""
    confusion: dict[str, pd.DataFrame] = field(default_factory=dict)
    """By system how often (columns) was answered where (rows) is true."""
    properties: pd.DataFrame = field(default_factory=pd.DataFrame)
    """What may explain errors: numbers or categories."""
    missing: dict[str, str] = field(default_factory=dict)
    """What can't be analysed, with the reason."""


TEXTS, NUMBERS, LISTS, SCORES = "texts", "numbers", "lists of texts", "lists of numbers"
_OF_KIND: dict[str, Callable[[Any], bool]] = {
    TEXTS: lambda its: isinstance(its, str),
    NUMBERS: lambda its: isinstance(its, int | float | np.number) and not isinstance(its, bool),
    LISTS: lambda its: isinstance(its, np.ndarray) and all(isinstance(each, str) for each in its),
    SCORES: lambda its: isinstance(its, np.ndarray) and np.issubdtype(its.dtype, np.number),
}
_SURE = {TEXTS: ("string",), NUMBERS: ("integer", "floating", "mixed-integer-float")}
"""What pandas calls columns of a kind, where it has a word for them."""


def read_table(directory: Path, columns: Mapping[str, str], file: str = PREDICTIONS) -> pd.DataFrame:
    """The stored predictions of a run, or another table of it, whose columns hold what is said of them (`TEXTS`).

    Those that end in "?" may be missing; "baseline_" stands for all that begin so. BioftError: they can't be read, or
    hold something else.
    """
    path = directory / file
    check_parquet(path)
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise BioftError(f"{path} can't be read: {in_words(error)}. {AS_IT_WAS}") from error
    for name, kind in columns.items():
        if name not in table and not name.endswith(("?", "_")):
            raise BioftError(f"{path} has no column {name}. {AS_IT_WAS}")
        for column in map(str, table):
            if column != name.rstrip("?") and not (name.endswith("_") and column.startswith(name)):
                continue
            known = table[column].dropna()
            if pd.api.types.infer_dtype(known, skipna=False) in _SURE.get(kind, ()):
                continue  # without looking at each of many thousands
            for row, value in known.items():
                if not _OF_KIND[kind](value):
                    raise BioftError(f"{path}: {column} of row {row} is {str(value)[:40]!r}, not {kind}. {AS_IT_WAS}")
    return table


def wrong_in(table: pd.DataFrame, record: Mapping[str, Any]) -> str:
    """What of stored predictions are none, in words; "" if nothing is.

    The base model's may be missing. Scores are from 0 to 1, labels and answers that are numbers 0 or 1; what those of
    a task outside bioft are, as of a regression, it alone knows.
    """
    if table.empty:
        return "it has no row"
    if is_outside(record):
        return ""
    for name in map(str, table):
        column = table[name]
        if name != "base" and not name.startswith("base_") and column.isna().any():
            return f"{name} of row {int(column.isna().argmax())} is missing"
        values = column.dropna()
        if name == "scores":
            if len({np.shape(its) for its in values}) > 1:
                return "its scores are not as many in each row"
            rows, numbers = np.arange(len(values)), np.stack(values.tolist()) if len(values) else np.zeros((0, 1))
        elif pd.api.types.is_numeric_dtype(values):
            rows, numbers = np.arange(len(values)), values.to_numpy(np.float64)[:, None]
        else:
            continue
        shares = name in ("score", "scores", "base_score") or (name.startswith("baseline_") and "score" in table)
        good = np.isfinite(numbers) & (~np.full(numbers.shape, shares) | ((numbers >= 0) & (numbers <= 1)))
        if name in ("label", "prediction"):
            good &= (numbers == 0) | (numbers == 1)
        if name in ("hidden", "correct", "loss"):
            good &= numbers >= 0
        if not good.all():
            row = int(rows[~good.all(axis=1)][0])
            return f"{name} of row {row} is {numbers[row][~good[row]][0]:g}"
    return ""


def columns_of(table: pd.DataFrame, fine_tuned: str, base: str) -> dict[str, str]:
    """By system its column: the fine-tuned model, then the base model, if stored whole, then the baselines."""
    found = {FINE_TUNED: fine_tuned}
    if base in table and table[base].notna().all():
        found[BASE] = base
    return found | {
        str(column).removeprefix("baseline_"): str(column) for column in table if str(column).startswith("baseline_")
    }


def systems_of(
    table: pd.DataFrame, fine_tuned: str, shared: Sequence[str], own: Sequence[str] = (), base: str = "base"
) -> dict[str, pd.DataFrame]:
    """By system its predictions table: the columns `shared`, and its answers under the name `fine_tuned`.

    The columns `own` are those of the fine-tuned model alone; `base` is that of the base model.
    """
    names = {BASE: BASE_MODEL}
    return {
        names.get(system, system): table[[*shared, *(own if system == FINE_TUNED else ())]].assign(
            **{fine_tuned: table[column]}
        )
        for system, column in columns_of(table, fine_tuned, base).items()
    }


def correctness(
    table: pd.DataFrame, outcomes: Callable[[pd.DataFrame], Outcomes], columns: Mapping[str, str]
) -> pd.DataFrame:
    """The main metric of `outcomes` in each row, as if each system (by its column) were the run."""
    values = {}
    for system, column in columns.items():
        (metric, *_) = outcomes(table.assign(prediction=table[column])).metrics.values()
        assert isinstance(metric, Ratio)
        values[system] = metric.numerator / metric.denominator
    return pd.DataFrame(values)


def crosstab(truth: Sequence[str], answers: Sequence[str], names: Sequence[str]) -> pd.DataFrame:
    """How often each answer (columns) was given where each class (rows) is true."""
    table = pd.crosstab(
        np.asarray(truth, dtype=object), np.asarray(answers, dtype=object), rownames=["truth"], colnames=["answer"]
    )
    rows = [name for name in names if name in set(truth)]
    return table.reindex(index=rows, columns=list(dict.fromkeys(names)), fill_value=0)


def check_same(same: bool) -> None:
    """Refuse predictions that are not about the test split: BioftError."""
    if not same:
        raise BioftError("The predictions are not about the test split of the recorded data.")


def words_of_texts(answers: Answers, table: pd.DataFrame, splits: Any) -> pd.DataFrame:
    """What the splits tell of each text: how many words it has."""
    texts = dict(zip(splits["test"]["id"][:], splits["test"]["text"][:], strict=True))
    check_same(set(answers.ids) <= texts.keys())
    return pd.DataFrame({"words of the text": [len(texts[each].split()) for each in answers.ids]})
