"""What a finished run got right in each test example: from its stored predictions, so that runs can be compared."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]

from bioft.errors import BioftError, suggestion
from bioft.metrics.intervals import Floats, Integers

PREDICTIONS = "predictions.parquet"


@dataclass(frozen=True)
class Ratio:
    """A metric that is a ratio of two sums over examples, each of shape (n,); accuracy and F1 are of this kind."""

    numerator: Floats
    denominator: Floats

    def values(self, drawn: np.ndarray) -> Floats:
        """The metric in each resample, shape (resamples,); 0 for nothing.

        `drawn`, of shape (n, resamples), is how often each example was drawn.
        """
        sums = drawn.T @ np.stack([self.numerator, self.denominator], axis=1).astype(drawn.dtype)
        return np.divide(sums[:, 0], sums[:, 1], out=np.zeros(len(sums)), where=sums[:, 1] > 0)

    @property
    def right(self) -> np.ndarray | None:
        """Whether each example was answered rightly, where the metric is an accuracy; else None."""
        whole = (self.denominator == 1).all() and np.isin(self.numerator, (0.0, 1.0)).all()
        return self.numerator == 1 if whole else None


@dataclass(frozen=True)
class Ranking:
    """The area under the ROC curve of scores, shape (n,), for labels 0 and 1."""

    labels: Integers
    scores: Floats

    def values(self, drawn: np.ndarray) -> Floats:
        """AUROC in each resample, shape (resamples,); NaN with one class only.

        `drawn`, of shape (n, resamples), is how often each example was drawn, best in float32, which is exact here.
        The share of pairs of a positive and a negative example in which the positive one scores higher, ties as half
        (Mann and Whitney 1947).
        """
        positives, negatives = (np.flatnonzero(self.labels == label) for label in (1, 0))
        negatives = negatives[np.argsort(self.scores[negatives], kind="stable")]
        below, up_to = (
            np.searchsorted(self.scores[negatives], self.scores[positives], side=side) for side in ("left", "right")
        )
        there, sums = drawn[positives], _running_sums(drawn[negatives])
        wins = sums[below]
        if (below != up_to).any():
            wins = (wins + sums[up_to]) / 2
        total = there.sum(axis=0, dtype=np.float64) * sums[-1]
        won = np.einsum("ij,ij->j", there, wins, dtype=np.float64)
        return np.divide(won, total, out=np.full(len(total), np.nan), where=total > 0)

    @property
    def right(self) -> None:
        """A ranking answers no single example rightly or wrongly."""
        return None


Metric = Ratio | Ranking


@dataclass(frozen=True)
class Outcomes:
    """The ids of the test examples, in alphabetical order, and the metrics of a run on them, the main one first."""

    ids: list[str]
    metrics: dict[str, Metric]


def outcomes(directory: Path, record: dict[str, Any]) -> Outcomes:
    """Read what a finished run got right in each test example.

    Raises:
        BioftError: a task that this bioft does not know, or predictions that can't be read.
    """
    if record["task"] not in READERS:
        raise BioftError(f"Runs on the task {record['task']!r} can't be compared. Known: {', '.join(READERS)}.")
    path = directory / PREDICTIONS
    try:
        table = pd.read_parquet(path)
        found = READERS[record["task"]](table)
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise BioftError(f"{path} can't be read as predictions on {record['task']} ({error!r}).") from error
    if len(set(found.ids)) != len(found.ids):
        raise BioftError(f"{path} has more than one row for the same test example.")
    order = sorted(range(len(found.ids)), key=found.ids.__getitem__)
    return Outcomes(
        [found.ids[index] for index in order],
        {
            name: type(metric)(*(array[order] for array in vars(metric).values()))
            for name, metric in found.metrics.items()
        },
    )


def choose(found: Outcomes, metric: str | None) -> tuple[str, Metric]:
    """One of the metrics, by default the main one; BioftError if there is none of that name."""
    if metric is None:
        return next(iter(found.metrics.items()))
    if metric not in found.metrics:
        raise BioftError(f"No metric {metric!r} to compare by. {suggestion(metric, found.metrics)}")
    return metric, found.metrics[metric]


def _of_pairs(table: pd.DataFrame) -> Outcomes:
    label, prediction = table["label"].to_numpy(), table["prediction"].to_numpy()
    return Outcomes(
        [f"{gene}\t{disease}" for gene, disease in zip(table["gene_id"], table["disease_id"], strict=True)],
        {
            "auroc": Ranking(label.astype(np.int64), table["score"].to_numpy(np.float64)),
            "accuracy": _accuracy(label == prediction),
            "f1": _f1(label & prediction, label, prediction),
        },
    )


def _of_documents(table: pd.DataFrame, columns: dict[str, tuple[str, str]]) -> Outcomes:
    metrics: dict[str, Metric] = {}
    for name, (label, prediction) in columns.items():
        if prediction in table:
            there, found = (
                [{tuple(i[:3]) for i in json.loads(cell)} for cell in table[c]] for c in (label, prediction)
            )
            metrics[name] = _f1_of_sets(there, found)
    return Outcomes(list(table["id"].astype(str)), metrics)


def _of_entities(table: pd.DataFrame) -> Outcomes:
    return _of_documents(table, {"f1": ("label", "prediction")})


def _of_entities_and_relations(table: pd.DataFrame) -> Outcomes:
    columns = {
        "end_to_end_f1": ("relation_label", "end_to_end_prediction"),
        "f1": ("label", "prediction"),
        "relation_f1": ("relation_label", "relation_prediction"),
    }
    return _of_documents(table, columns)


def _of_relations(table: pd.DataFrame) -> Outcomes:
    """A row of the table is a candidate; an example is a document, whose candidates are not independent."""
    right = table["label"] & table["prediction"]
    sums = table.assign(right=right).groupby("document_id")[["right", "label", "prediction"]].sum()
    return Outcomes(list(sums.index.astype(str)), {"f1": _f1(*(sums[name].to_numpy() for name in sums))})


def _of_texts(table: pd.DataFrame) -> Outcomes:
    there, found = ([set(cell) for cell in table[column]] for column in ("label", "prediction"))
    exact = np.array([one == other for one, other in zip(there, found, strict=True)])
    return Outcomes(list(table["id"].astype(str)), {"f1": _f1_of_sets(there, found), "accuracy": _accuracy(exact)})


def _of_hidden_tokens(table: pd.DataFrame) -> Outcomes:
    correct, hidden = (table[column].to_numpy(np.float64) for column in ("correct", "hidden"))
    return Outcomes(list(table["id"].astype(str)), {"masked_accuracy": Ratio(correct, hidden)})


def _of_names(table: pd.DataFrame) -> Outcomes:
    from bioft.tasks.name_alignment.name_answers import is_right

    right = np.array([is_right(found, gold) for found, gold in zip(table["prediction"], table["label"], strict=True)])
    return Outcomes(_numbered(table["id"].to_list()), {"accuracy": _accuracy(right)})


def _of_queries(table: pd.DataFrame) -> Outcomes:
    """nDCG@10 with binary relevance (Järvelin and Kekäläinen 2002), for each query."""
    gains = []
    for label, prediction in zip(table["label"], table["prediction"], strict=True):
        right = set(json.loads(label))
        found = [document in right for document in json.loads(prediction)[:10]]
        ideal = _DISCOUNTS[: min(len(right), 10)].sum()
        gains.append(float((_DISCOUNTS[: len(found)] * found).sum() / ideal))
    return Outcomes(_numbered(table["id"].to_list()), {"ndcg_at_10": _mean(np.array(gains))})


_DISCOUNTS = 1 / np.log2(np.arange(2, 12))
READERS: dict[str, Callable[[pd.DataFrame], Outcomes]] = {
    "gene-disease-association": _of_pairs,
    "entity-recognition": _of_entities,
    "relation-extraction": _of_relations,
    "joint-entity-relation": _of_entities_and_relations,
    "text-classification": _of_texts,
    "masked-language-model": _of_hidden_tokens,
    "name-alignment": _of_names,
    "text-retrieval": _of_queries,
}
"""By task, how its predictions are read."""


def _running_sums(rows: np.ndarray) -> np.ndarray:
    """The sum of the first 0, 1, … rows, shape (n + 1 or more, columns).

    In blocks, whose rows are added side by side, which is faster than numpy's cumsum along the first axis.
    """
    n, columns = rows.shape
    size = max(1, int(np.sqrt(n)))
    blocks = np.zeros((-(-(n + 1) // size), size, columns), rows.dtype)
    blocks.reshape(-1, columns)[1 : n + 1] = rows
    for place in range(1, size):
        blocks[:, place] += blocks[:, place - 1]
    for place in range(1, len(blocks)):
        blocks[place] += blocks[place - 1, -1]
    return blocks.reshape(-1, columns)


def _numbered(ids: Sequence[Any]) -> list[str]:
    """Ids with their row: one name may be asked for twice."""
    return [f"{row:08d}\t{each}" for row, each in enumerate(ids)]


def _mean(values: Floats) -> Ratio:
    return Ratio(values.astype(np.float64), np.ones(len(values)))


def _accuracy(right: np.ndarray) -> Ratio:
    return _mean(right.astype(np.float64))


def _f1(right: np.ndarray, there: np.ndarray, found: np.ndarray) -> Ratio:
    """F1 of counts per example: of right ones, of those that are there and of those that were found."""
    return Ratio(2 * right.astype(np.float64), there.astype(np.float64) + found.astype(np.float64))


def _f1_of_sets(there: Sequence[set[Any]], found: Sequence[set[Any]]) -> Ratio:
    right = [len(one & other) for one, other in zip(there, found, strict=True)]
    return _f1(np.array(right), np.array([len(one) for one in there]), np.array([len(one) for one in found]))
