"""Figures on the test texts that have a near neighbour among those trained on, and on the rest.

What is nearly a training text may be answered from memory. How good a model is on texts that are new to it is told by
the others alone.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from datasets import Dataset, DatasetDict

from bioft.datasets.near_duplicates import at_most
from bioft.metrics.estimation.groups import Floats
from bioft.task import FINE_TUNED

NEAR = 0.8
"""Cosine of two texts' TF-IDF from which on they are near neighbours."""
LEAST = 20
"""Texts without which no figure is given."""
MOST = 20_000
"""Training texts that are looked at, at even distances, and test texts up to which it is done: two minutes at most."""
_ROWS = 500

Figures = Callable[[pd.DataFrame, Any, Mapping[str, Any]], Mapping[str, Mapping[str, Any]]]


def nearest(train: Iterable[str], test: Iterable[str]) -> Floats:
    """The cosine of each test text and the nearest training text, by TF-IDF of words; shape (test texts,)."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(sublinear_tf=True, token_pattern=r"(?u)\b\w+\b", dtype=np.float32)
    try:
        trained = vectorizer.fit_transform(train).T.tocsr()
    except ValueError:  # no text has a word
        return np.zeros(len(list(test)))
    tested = vectorizer.transform(test)
    pieces = (tested[start : start + _ROWS] @ trained for start in range(0, tested.shape[0], _ROWS))
    found = np.concatenate([np.asarray(each.max(axis=1).todense(), np.float64).ravel() for each in pieces])
    # Rounding: of the same text it may be a hair above 1, and one at the edge must not change sides.
    return np.round(found, 5)


def by_neighbour(
    figures: Figures,
    tables: Mapping[str, pd.DataFrame],
    baseline: str,
    metric: tuple[str, str],
    dataset: DatasetDict,
    trained_on: Dataset,
    record: Mapping[str, Any],
) -> dict[str, dict[str, Any]]:
    """The main figure of the model and its best baseline on either kind of test texts, for the record.

    `figures` makes those of a table and a dataset; `tables` are the predictions of the model (`FINE_TUNED`) and of the
    baselines, a row for each test text; `metric` is a key among the figures, and its name; `trained_on` are the rows
    that the model was trained on, which may be more than the training split.

    Returns `{"by_neighbour": …}`: `cosine` (`NEAR`), `near` and `rest` (`n` and the figure of each system, where there
    are `LEAST` texts) and a `sentence`; nothing of more than `MOST` test texts.
    """
    if len(dataset["test"]) > MOST:
        return {}
    near = nearest(at_most(trained_on, MOST)["text"], dataset["test"]["text"]) >= NEAR
    key, words = metric
    parts: dict[str, dict[str, Any]] = {}
    for name, rows in {"near": np.flatnonzero(near), "rest": np.flatnonzero(~near)}.items():
        parts[name] = {"n": len(rows)}
        if len(rows) >= LEAST:
            part = DatasetDict(dict(dataset) | {"test": dataset["test"].select(rows)})
            for system in (FINE_TUNED, baseline):
                its = tables[system].iloc[rows].reset_index(drop=True)
                parts[name][system] = dict(figures(its, part, record)[key])
    ours, theirs = (
        {name: each[system]["value"] for name, each in parts.items() if system in each}
        for system in (FINE_TUNED, baseline)
    )
    share = f"{near.sum():,} of {len(near):,} test texts"
    sentence = f"{share} have a near neighbour in training (cosine of {NEAR} or more)"
    if len(ours) == 2:
        sentence += f": {words} {ours['near']:.3f} there and {ours['rest']:.3f} on the rest; the best baseline"
        sentence += f" ({baseline}) {theirs['near']:.3f} and {theirs['rest']:.3f}"
    return {"by_neighbour": {"cosine": NEAR, **parts, "sentence": sentence + "."}}
