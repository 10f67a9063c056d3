"""What the audit of all pairs of texts holds: near duplicates, and what the surface of two texts tells of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from datasets import Dataset

from bioft.datasets.near_duplicates import at_most, near_duplicates_in
from bioft.datasets.surface import looks, more_telling, overlooked, predicted
from bioft.storage.datasets import remembered

ROLES = (("anchor", "positive"), ("sentence1", "sentence2"))
RELATED = 0.5
"""Score from which on two texts belong together."""
MOST = 5_000
"""Pairs of a split whose surface is looked at."""


@remembered
def audit(dataset: Mapping[str, Dataset]) -> dict[str, Any]:
    """`near_duplicates` of the texts of pairs, and `pair_surface`: the part of an audit that JSON can hold."""
    roles = (*_roles(dataset["train"].column_names), "negative")
    texts = [name for name in roles if name in dataset["train"].column_names]
    return {"near_duplicates": near_duplicates_in(dataset, *texts), "pair_surface": pair_surface(dataset)}


@remembered
def pair_surface(dataset: Mapping[str, Dataset]) -> dict[str, Any]:
    """How well it is told from the looks of two texts (length, case, digits, punctuation, each and their difference)
    whether they belong together.

    Returns `inputs`: of each anchor its positive and that of another group, or pairs with a score, above the median of
    training or not. `given_negatives` is the same of each positive and the negative of its row, where there are such.
    Words are not read: what they share is what BM25 and TF-IDF find. Each: see `bioft.datasets.surface.predicted`; and
    `details`, where what a reader overlooks in texts, and of scored pairs in their other columns, tells more: see
    `bioft.datasets.surface.overlooked`.
    """
    known = dataset["train"].column_names
    first, second = _roles(known)
    splits = [at_most(dataset[name], MOST).with_format(None).to_pandas() for name in ("train", "test")]
    kinds = {"inputs": [_with_others(rows, first, second) for rows in splits]}
    if "score" in known:
        border = float(splits[0]["score"].median()) if splits[0]["score"].nunique() > 2 else 0.5
        kinds["inputs"] = [(rows[first], rows[second], rows["score"] > border) for rows in splits]
    if "negative" in known:
        kinds["given_negatives"] = [_joined(rows[first], rows[second], rows["negative"]) for rows in splits]
    told: dict[str, Any] = {kind: _surface([first, second], its) for kind, its in kinds.items()}
    beside = [name for name in known if name not in {first, second, "score", "kind"}] if "score" in known else []
    for kind, its in kinds.items():
        tables = [pd.DataFrame({first: list(one), second: list(other)}) for one, other, _ in its]
        tables = [table.join(rows[beside]) for table, rows in zip(tables, splits, strict=True)]
        labels = [pd.Series(np.asarray(label, dtype=int)) for *_, label in its]
        told |= more_telling(overlooked([*zip(tables, labels, strict=True)], [first, second], beside), told[kind])
    return told


def lacking(dataset: Mapping[str, Dataset], manifest: Mapping[str, Any]) -> str:
    """In words whether no two texts of train or test belong together, or none of these is looked through."""
    columns = dataset["test"].column_names
    first, second = _roles(columns)
    among = manifest.get("candidates", [second])
    if not isinstance(among, list) or second not in among or not all(name in columns for name in among):
        return f"its manifest names {among!r} as the columns that are looked through"
    for split in ("train", "test"):
        rows = dataset[split]
        scores = rows["score"][:] if "score" in columns else [1.0] * len(rows)
        pairs = zip(rows[first][:], rows[second][:], scores, strict=True)
        if not any(score >= RELATED and one != other for one, other, score in pairs):
            return f"no two texts of its {split} split belong together"
        if len(set(rows["group"])) < 2:
            return f"all pairs of its {split} split are of one group, and texts are told apart by their groups"
    return ""


def _roles(known: Sequence[str]) -> tuple[str, str]:
    """The columns of the two texts."""
    return next(roles for roles in ROLES if set(roles) <= set(known))


_Pairs = tuple[Sequence[str], Sequence[str], Sequence[bool]]


def _surface(columns: list[str], splits: Sequence[_Pairs]) -> dict[str, Any]:
    """How well the labels of pairs are told from their looks."""
    tables = []
    for first, second, label in splits:
        one, other = looks(first), looks(second)
        its = {f"{columns[0]}: {what}": values for what, values in one.items()}
        its |= {f"{columns[1]}: {what}": values for what, values in other.items()}
        its |= {f"difference: {what}": np.abs(one[what] - other[what]) for what in one}
        tables.append((pd.DataFrame(its), pd.Series(np.asarray(label, dtype=int))))
    return predicted(*tables[0], *tables[1])


def _joined(first: pd.Series, second: pd.Series, other: pd.Series) -> _Pairs:
    """Pairs that belong together, then those that do not."""
    return [*first, *first], [*second, *other], [True] * len(first) + [False] * len(first)


def _with_others(rows: pd.DataFrame, first: str, second: str) -> _Pairs:
    """Each pair, and its first text with the second one of a pair of another group."""
    drawn = np.random.default_rng(0).permutation(len(rows))
    others = rows.iloc[drawn].reset_index(drop=True)
    apart = (rows["group"] != others["group"]).to_numpy()
    rows, others = rows[apart], others[apart]
    return _joined(rows[first], rows[second], others[second])
