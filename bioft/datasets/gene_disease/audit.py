"""Leakage between the splits of gene–disease pairs, and the shortcuts that remain."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from itertools import compress
from typing import Any

import numpy as np
import pandas as pd
from datasets import Dataset, DatasetDict

from bioft.datasets.gene_disease.timeline import first_articles
from bioft.datasets.splits import FloatArray, check_disjoint, split_ids
from bioft.datasets.surface import surface
from bioft.errors import LeakageError
from bioft.metrics.estimation.groups import Groups
from bioft.metrics.estimation.ranking import auroc
from bioft.storage.text_lines import normalise

_MEMBER = re.compile(r"(?:\btype )?\d.*$|(?<= )(?:type )?[ivx]+(?: [a-z])?$")
"""A number, Arabic or Roman, to the end of a folded name."""
AUDIT_ROWS = 50_000
"""Training rows that the spelling model of the audit sees at most, which takes it a few seconds."""


def audit(
    dataset: DatasetDict | Mapping[str, Dataset],
    *,
    split: str = "pair",
    known_positives: Mapping[str, Iterable[tuple[str, str]]] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Check a gene–disease dataset for leaks, and measure what can be predicted without knowing any biology.

    `split` is the strategy that it claims; `known_positives` by split further (gene, disease) name pairs that none of
    its negatives may be. Returns `checks` (what was counted, all 0), `entity_overlap` (per side, of validation and
    test with train: entities, how many are in train, and the fraction of rows that have them), `families` (of those
    that train lacks, how many have one there whose name is the same but for its number: BRCA1 and BRCA2, ataxia 1 and
    2), `shortcuts`: AUROC on the test split, with 95 % interval by genes and diseases, of predictors that know only
    how often names occur or how they are spelt (one whose interval excludes 0.5 is flagged "shortcut", above, or
    "inverted shortcut", below: a model can learn the reverse), and what the `surface` of names and of the other
    columns tells.

    LeakageError: a pair (by ids or by folded names) straddles splits or is both positive and negative, or an entity
    that the strategy holds out is in two splits.
    """
    frames = {name: _Columns(rows) for name, rows in dataset.items()}
    return {
        "split": split,
        "checks": _check_pairs(frames, known_positives) | _check_held_out(frames, split),
        "entity_overlap": _beside_train(_overlap, frames),
        "families": _beside_train(_families, frames),
        "shortcuts": _shortcuts(dataset, frames, seed),
        "surface": surface(dataset["train"], dataset["test"], "label", ["gene", "disease"]),
    }


def check_split(dataset: Mapping[str, Dataset], described: Mapping[str, Any]) -> None:
    """Check that pairs are split as a manifest describes its split: what is held out, and what became known later.

    LeakageError: an entity that is held out is in two splits, or a later pair has an article of before.
    """
    _check_held_out({name: _Columns(rows) for name, rows in dataset.items()}, str(described.get("strategy")))
    if described.get("strategy") != "time":
        return
    for name, before in {"validation": "train", "test": "validation"}.items():
        until = described[f"{before}_until_pmid"]
        # What the source knows of a pair beside its row may be earlier, and never later.
        first = first_articles(pd.Series(dataset[name].filter(lambda row: row["label"] == 1)["pmids"][:], dtype=str))
        if earlier := int((first <= until).sum()):
            raise LeakageError(
                f"The split '{name}' is of what became known after PubMed id {until}; {earlier:,} of its "
                f"{len(first):,} positives have an article of until then, or none."
            )


class _Columns:
    """The columns of one split that the audit looks at."""

    def __init__(self, rows: Dataset) -> None:
        self.label = np.asarray(rows.with_format("numpy")["label"][:], dtype=np.int64)
        self.text: dict[str, list[str]] = {}
        self.identifiers: dict[str, list[str]] = {}
        for side in ("gene", "disease"):
            self.text[side] = list(map(cache(normalise), rows[side][:]))
            self.identifiers[side] = rows[f"{side}_id"][:]

    @staticmethod
    def pairs(values: Mapping[str, list[str]]) -> Iterable[tuple[str, str]]:
        """The names or the ids of the pair in each row."""
        return zip(values["gene"], values["disease"], strict=True)


def _check_held_out(frames: Mapping[str, _Columns], strategy: str) -> dict[str, int]:
    checks = {}
    sides = {"gene": ("gene_held_out", "both_held_out"), "disease": ("disease_held_out", "both_held_out")}
    for side, strategies in sides.items():
        if strategy in strategies:
            check_disjoint({name: columns.text[side] for name, columns in frames.items()}, f"held-out {side}s")
            ids = {name: split_ids(columns.identifiers[side]) for name, columns in frames.items()}
            check_disjoint(ids, f"ids of held-out {side}s")
            checks[f"held_out_{side}s_shared"] = 0
    return checks


def _check_pairs(
    frames: Mapping[str, _Columns], known_positives: Mapping[str, Iterable[tuple[str, str]]] | None
) -> dict[str, int]:
    by_text = {name: list(columns.pairs(columns.text)) for name, columns in frames.items()}
    check_disjoint({name: map("\t".join, pairs) for name, pairs in by_text.items()}, "pairs (normalised names)")
    by_id = {name: map("\t".join, columns.pairs(columns.identifiers)) for name, columns in frames.items()}
    check_disjoint(by_id, "pairs (ids)")
    labelled = {name: list(zip(by_text[name], its.label.tolist(), strict=True)) for name, its in frames.items()}
    positives = {pair for its in labelled.values() for pair, label in its if label == 1}
    fold = cache(normalise)
    for name in frames:
        known = {(fold(gene), fold(disease)) for gene, disease in (known_positives or {}).get(name, ())}
        if wrong := [pair for pair, label in labelled[name] if label == 0 and (pair in positives or pair in known)]:
            raise LeakageError(
                f"{len(wrong):,} negatives of split '{name}' are known positives, for example "
                f"{wrong[0][0]!r} with {wrong[0][1]!r}."
            )
        if len(set(by_text[name])) < len(by_text[name]):
            raise LeakageError(f"Split '{name}' has {len(by_text[name]) - len(set(by_text[name])):,} repeated pairs.")
    checks = ("pairs_across_splits", "normalised_pairs_across_splits", "repeated_pairs")
    return dict.fromkeys((*checks, "known_positives_as_negatives"), 0)


def _beside_train(
    measure: Callable[[Sequence[str], Sequence[str]], dict[str, Any]], frames: Mapping[str, _Columns]
) -> dict[str, dict[str, dict[str, Any]]]:
    """By side and split what is measured of its names beside those of train."""
    return {
        side: {
            name: measure(columns.text[side], frames["train"].text[side])
            for name, columns in frames.items()
            if name != "train"
        }
        for side in ("gene", "disease")
    }


def _overlap(values: Sequence[str], train: Sequence[str]) -> dict[str, float]:
    seen, entities = set(train), set(values)
    return {
        "entities": len(entities),
        "in_train": len(entities & seen),
        "rows_in_train_fraction": round(sum(value in seen for value in values) / max(len(values), 1), 4),
    }


def _families(values: Sequence[str], train: Sequence[str]) -> dict[str, int]:
    seen = set(train)
    stems, unseen = set(map(_stem, seen)), set(values) - seen
    return {"unseen": len(unseen), "family_in_train": sum(_stem(value) in stems for value in unseen)}


def _stem(name: str) -> str:
    """A symbol or a name up to what tells the members of its family apart: a number and what is after it."""
    return _MEMBER.sub("", name).strip() or name


def _shortcuts(
    dataset: DatasetDict | Mapping[str, Dataset], frames: Mapping[str, _Columns], seed: int
) -> list[dict[str, Any]]:
    """AUROC on test of each predictor that knows no biology, with its flag."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    from bioft.datasets.gene_disease import baselines

    def fitted(baseline: str, max_rows: int | None = None) -> FloatArray:
        rows = dataset["train"]
        if max_rows is not None and len(rows) > max_rows:
            rows = rows.select(np.random.default_rng(seed).choice(len(rows), max_rows, replace=False))
        asked = [dataset[name] for name in ("validation", "test") if name in dataset]  # as runs do: fitted once
        return baselines.scores(baseline, rows, *asked)[-1]

    train, test = frames["train"], frames["test"]
    with threadpool_limits(1):  # small models: threads only get in each other's way
        scores = {
            "degree in the training positives": fitted("popularity_boosted"),
            "degree in the training positives, own pair counted": _degree_with_own_pair(train, test),
            "degree in the test positives": np.log1p(_degrees(test, test)).sum(axis=1),
            "spelling of the names (TF-IDF)": fitted("tfidf", AUDIT_ROWS),
        }
    groups, found = Groups(len(test.label), list(test.identifiers.values())), []
    for name, score in scores.items():
        area = auroc(test.label, score)
        low, high = area.interval(groups)
        flag = "shortcut" if low > 0.5 else "inverted shortcut" if high < 0.5 else None
        values = {"auroc": round(area.value, 4), "low": round(low, 4), "high": round(high, 4)}
        found.append({"predictor": name, "split": "test", "n": len(score), **values, "flag": flag})
    return found


def _degrees(of: _Columns, counted: _Columns) -> FloatArray:
    """How many positives of `counted` have each row's gene and disease; shape (n, 2)."""
    degrees = []
    for side, names in counted.text.items():
        count = Counter(compress(names, counted.label == 1))
        degrees.append([count[value] for value in of.text[side]])
    return np.array(degrees, dtype=np.float64).T


def _degree_with_own_pair(train: _Columns, test: _Columns) -> FloatArray:
    """Scores of a boosted model of the two degrees in training, where a training positive counts itself.

    The popularity baseline counts as a test pair sees it. Counted like this, what degree matching leaves shows better:
    degrees of genes and of diseases are each the same for both labels, but not how they go together (rare genes have
    rare diseases).
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(random_state=0).fit(_degrees(train, train), train.label)
    return model.predict_proba(_degrees(test, train))[:, 1]
