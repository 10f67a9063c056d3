"""Leakage between the splits of gene–disease pairs, and the shortcuts that remain."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from datasets import Dataset, DatasetDict

from bioft.datasets.gene_disease.negatives import contains, distinct
from bioft.datasets.gene_disease.numbered import SIDES, Integers, Names, Pairs, Texts
from bioft.datasets.gene_disease.timeline import first_articles
from bioft.datasets.splits import FloatArray, check_disjoint, split_ids
from bioft.datasets.surface import surface
from bioft.errors import LeakageError
from bioft.metrics.estimation.groups import Groups
from bioft.metrics.estimation.ranking import auroc
from bioft.storage.files import forget
from bioft.storage.text_lines import normalise

_MEMBER = re.compile(r"(?:\btype )?\d.*$|(?<= )(?:type )?[ivx]+(?: [a-z])?$")
"""A number, Arabic or Roman, to the end of a folded name."""
AUDIT_ROWS = 50_000
"""Training rows that the spelling model of the audit sees at most, which takes it a few seconds."""


def audit(
    dataset: DatasetDict | Mapping[str, Dataset],
    *,
    split: str = "pair",
    known_positives: Mapping[str, Names] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Check a gene–disease dataset for leaks, and measure what can be predicted without knowing any biology.

    `split` is the strategy that it claims; `known_positives` by split the names of genes, and of as many diseases, of
    further pairs that none of its negatives may be. Returns `checks` (what was counted, all 0), `entity_overlap` (per
    side, of validation and test with train: entities, how many are in train, and the fraction of rows that have
    them), `families` (of those that train lacks, how many have one there whose name is the same but for its number:
    BRCA1 and BRCA2, ataxia 1 and 2), `shortcuts`: AUROC on the test split, with 95 % interval by genes and diseases,
    of predictors that know only how often names occur or how they are spelt (one whose interval excludes 0.5 is
    flagged "shortcut", above, or "inverted shortcut", below: a model can learn the reverse), and what the `surface` of
    names and of the other columns tells.

    LeakageError: a pair (by ids or by folded names) straddles splits or is both positive and negative, or an entity
    that the strategy holds out is in two splits.
    """
    columns = _Columns(dataset)
    forget()
    found = {
        "split": split,
        "checks": _check_pairs(columns, known_positives) | _check_held_out(columns, split),
        "entity_overlap": _beside_train(_overlap, columns),
        "families": _beside_train(_families, columns),
        "shortcuts": _shortcuts(dataset, columns, seed),
    }
    del columns  # of millions of pairs much memory
    found["surface"] = surface(dataset["train"], dataset["test"], "label", ["gene", "disease"])
    forget()
    return found


def lacking(dataset: Mapping[str, Dataset], manifest: Mapping[str, Any]) -> str:
    """What of labels 0 and 1 pairs lack, in words: AUROC needs both on the test split, baselines in training."""
    found = {split: set(rows["label"][:]) for split, rows in dataset.items()}
    for split, labels in found.items():
        if wrong := labels - {0, 1}:
            return f"a label of its {split} split is {next(iter(wrong))!r}, and not 0 or 1"
    for split in ("train", "test"):
        if len(found[split]) < 2:
            return f"all pairs of its {split} split have the label {next(iter(found[split]))}, and both are needed"
    return ""


def check_split(dataset: Mapping[str, Dataset], described: Mapping[str, Any]) -> None:
    """Check that pairs are split as a manifest describes its split: what is held out, and what became known later.

    LeakageError: an entity that is held out is in two splits, or a later pair has an article of before.
    """
    _check_held_out(_Columns(dataset), str(described.get("strategy")))
    if described.get("strategy") != "time":
        return
    for name, before in {"validation": "train", "test": "validation"}.items():
        until = described[f"{before}_until_pmid"]
        # What the source knows of a pair beside its row may be earlier, and never later.
        positive = np.flatnonzero(np.asarray(dataset[name].with_format("numpy")["label"][:]) == 1)
        first = first_articles([pmids or "" for pmids in dataset[name].select(positive)["pmids"][:]])
        if earlier := int((first <= until).sum()):
            raise LeakageError(
                f"The split '{name}' is of what became known after PubMed id {until}; {earlier:,} of its "
                f"{len(first):,} positives have an article of until then, or none."
            )


class _Columns:
    """What the audit looks at, by split."""

    def __init__(self, dataset: Mapping[str, Dataset]) -> None:
        self.label = {
            name: np.asarray(rows.with_format("numpy")["label"][:], np.int64) for name, rows in dataset.items()
        }
        self.text = Pairs(*(Texts(dataset, side, normalise) for side in SIDES))
        self.identifiers = Pairs(*(Texts(dataset, f"{side}_id") for side in SIDES))


def _check_held_out(columns: _Columns, strategy: str) -> dict[str, int]:
    checks = {}
    sides = {"gene": ("gene_held_out", "both_held_out"), "disease": ("disease_held_out", "both_held_out")}
    for side, strategies in sides.items():
        if strategy in strategies:
            names, ids = (its.sides[side] for its in (columns.text, columns.identifiers))
            check_disjoint({name: names.of(name) for name in columns.label}, f"held-out {side}s")
            check_disjoint({name: split_ids(ids.of(name)) for name in columns.label}, f"ids of held-out {side}s")
            checks[f"held_out_{side}s_shared"] = 0
    return checks


def _check_pairs(columns: _Columns, known_positives: Mapping[str, Names] | None) -> dict[str, int]:
    _check_apart(columns.text, "pairs (normalised names)")
    _check_apart(columns.identifiers, "pairs (ids)")
    keys = columns.text.keys
    positives = np.concatenate([its[columns.label[name] == 1] for name, its in keys.items()])
    numbers: dict[int, Integers] = {}
    for name, its in keys.items():
        names = (known_positives or {}).get(name, ((), ()))
        if (known := numbers.get(id(names))) is None:  # splits may have the same ones
            known = numbers[id(names)] = distinct(positives, columns.text.numbers(*names))
        if len(wrong := its[(columns.label[name] == 0) & contains(known, its)]):
            gene, disease = columns.text.texts(wrong[:1])[0]
            raise LeakageError(
                f"{len(wrong):,} negatives of split '{name}' are known positives, for example "
                f"{gene!r} with {disease!r}."
            )
        if repeated := len(its) - len(distinct(its)):
            raise LeakageError(f"Split '{name}' has {repeated:,} repeated pairs.")
    checks = ("pairs_across_splits", "normalised_pairs_across_splits", "repeated_pairs")
    return dict.fromkeys((*checks, "known_positives_as_negatives"), 0)


def _check_apart(pairs: Pairs, what: str) -> None:
    keys = {name: distinct(its) for name, its in pairs.keys.items()}
    every, counts = np.unique(np.concatenate(list(keys.values())), return_counts=True)
    shared = {name: its[contains(every[counts > 1], its)] for name, its in keys.items()}
    check_disjoint({name: map("\t".join, pairs.texts(its)) for name, its in shared.items()}, what)


def _beside_train(
    measure: Callable[[Texts, str], dict[str, Any]], columns: _Columns
) -> dict[str, dict[str, dict[str, Any]]]:
    """By side and split what is measured of its names beside those of train."""
    return {
        side: {name: measure(names, name) for name in columns.label if name != "train"}
        for side, names in columns.text.sides.items()
    }


def _overlap(names: Texts, split: str) -> dict[str, float]:
    seen, codes = np.unique(names.codes["train"]), names.codes[split]
    return {
        "entities": len(np.unique(codes)),
        "in_train": int(contains(seen, np.unique(codes)).sum()),
        "rows_in_train_fraction": round(int(contains(seen, codes).sum()) / max(len(codes), 1), 4),
    }


def _families(names: Texts, split: str) -> dict[str, int]:
    seen = set(names.of("train"))
    stems, unseen = set(map(_stem, seen)), set(names.of(split)) - seen
    return {"unseen": len(unseen), "family_in_train": sum(_stem(value) in stems for value in unseen)}


def _stem(name: str) -> str:
    """A symbol or a name up to what tells the members of its family apart: a number and what is after it."""
    return _MEMBER.sub("", name).strip() or name


def _shortcuts(dataset: DatasetDict | Mapping[str, Dataset], columns: _Columns, seed: int) -> list[dict[str, Any]]:
    """AUROC on test of each predictor that knows no biology, with its flag."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    from bioft.datasets.gene_disease import baselines

    def fitted(baseline: str, max_rows: int | None = None) -> FloatArray:
        rows = dataset["train"]
        if max_rows is not None and len(rows) > max_rows:
            rows = rows.select_columns([*baselines.COLUMNS, "label"])  # what it reads, not all articles
            rows = rows.select(np.random.default_rng(seed).choice(len(rows), max_rows, replace=False))
        asked = [dataset[name] for name in ("validation", "test") if name in dataset]  # as runs do: fitted once
        return baselines.scores(baseline, rows, *asked)[-1]

    with threadpool_limits(1):  # small models: threads only get in each other's way
        scores = {
            "degree in the training positives": fitted("popularity_boosted"),
            "degree in the training positives, own pair counted": _degree_with_own_pair(columns),
            "degree in the test positives": np.log1p(_degrees(columns, "test", "test")).sum(axis=1),
            "spelling of the names (TF-IDF)": fitted("tfidf", AUDIT_ROWS),
        }
    labels = columns.label["test"]
    groups = Groups(len(labels), [its.codes["test"] for its in columns.identifiers.sides.values()])
    found = []
    for name, score in scores.items():
        area = auroc(labels, score)
        low, high = area.interval(groups)
        flag = "shortcut" if low > 0.5 else "inverted shortcut" if high < 0.5 else None
        values = {"auroc": round(area.value, 4), "low": round(low, 4), "high": round(high, 4)}
        found.append({"predictor": name, "split": "test", "n": len(score), **values, "flag": flag})
    return found


def _degrees(columns: _Columns, of: str, counted: str) -> FloatArray:
    """How many positives of the split `counted` have each row's gene and disease; shape (n, 2)."""
    degrees = []
    for names in columns.text.sides.values():
        count = np.bincount(names.codes[counted][columns.label[counted] == 1], minlength=len(names.each))
        degrees.append(count[names.codes[of]])
    return np.stack(degrees, axis=1).astype(np.float64)


def _degree_with_own_pair(columns: _Columns) -> FloatArray:
    """Scores of a boosted model of the two degrees in training, where a training positive counts itself.

    The popularity baseline counts as a test pair sees it. Counted like this, what degree matching leaves shows better:
    degrees of genes and of diseases are each the same for both labels, but not how they go together (rare genes have
    rare diseases).
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    train = _degrees(columns, "train", "train")
    model = HistGradientBoostingClassifier(random_state=0).fit(train, columns.label["train"])
    return model.predict_proba(_degrees(columns, "test", "train"))[:, 1]
