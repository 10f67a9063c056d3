"""What is in a dataset of texts, with labels or without, or of pairs of texts: counts, lengths, words, overlap.

The part of `bioft inspect` for such data; see `bioft.inspect.inspect`.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.text import Text

from bioft.datasets import pair_audit
from bioft.datasets.near_duplicates import LEAST_WORDS
from bioft.datasets.pair_audit import RELATED
from bioft.datasets.pubmed import pairs as pubmed_pairs
from bioft.datasets.texts import labelled
from bioft.inspect import spellings, tables
from bioft.metrics import plots
from bioft.metrics.report import cut
from bioft.storage.text_lines import normalise

PAIR_COLUMNS = (("anchor", "positive", "negative"), ("sentence1", "sentence2"))
"""The texts of a row, in the two forms that pairs have."""
LABELS = 9
"""Labels that are shown if not in full."""
_WORD = re.compile(r"\w[\w'-]+")

MARK = "kind"
"""What only the report of such data has."""
Frames = Mapping[str, pd.DataFrame]


def holds(columns: set[str]) -> bool:
    """Whether rows with these columns are texts or pairs of texts."""
    return "text" in columns or _hold_pairs(columns)


def inspect(dataset: Mapping[str, Any], top: int) -> tuple[dict[str, Any], Callable[[Path], None]]:
    """The report (`inspect_pairs` or `inspect_texts`) of a dataset, and what draws its plots into a folder."""
    frames = {split: rows.to_pandas() for split, rows in dataset.items()}
    pairs = all(_hold_pairs(frame.columns) for frame in frames.values())
    report = inspect_pairs(frames, top) if pairs else inspect_texts(frames, top)
    return report, lambda folder: draw(frames, report, folder)


def lacking(dataset: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    """What pairs, lists of articles, or texts with labels, lack to be learnt from and measured on, in words."""
    columns = set.intersection(*(set(rows.column_names) for rows in dataset.values()))
    if columns >= {*pubmed_pairs.LISTS}:
        return pubmed_pairs.lacking_articles(dataset)
    if _hold_pairs(columns):
        return pair_audit.lacking(dataset, manifest)
    return labelled.lacking(dataset, manifest) if columns & {"label", "labels"} else ""


def _hold_pairs(columns: Iterable[str]) -> bool:
    return any({*names[:2], "group"} <= set(columns) for names in PAIR_COLUMNS)


def inspect_pairs(splits: Frames, top: int = 10) -> dict[str, Any]:
    """Count what is in the splits of a dataset of pairs of texts.

    Rows have anchor, positive (and negative), or sentence1, sentence2 and score; group; kind. Returns a dict that JSON
    can hold, with `rows` (per split: pairs, related, unrelated, groups, texts, and pairs of each kind), `lengths`
    (characters and words of distinct texts: quantiles), `pairs_per_group`, `shared` (per pair of splits: texts and
    groups that are in both), `variants` (short texts that training has in another spelling), `words_in_common` (of
    related and of unrelated pairs: the share of their words that both texts have, quantiles), `most_frequent_words`
    and `most_frequent_texts` (in most pairs), `top` of each.
    """
    texts = {split: _texts_of(frame) for split, frame in splits.items()}
    everything = pd.concat(splits.values(), ignore_index=True)
    first, second = _names(everything)[:2]
    related = _related(everything)
    common = np.array([_in_common(*pair) for pair in zip(everything[first], everything[second], strict=True)])
    in_pairs = Counter(text for column in (first, second) for text in everything[column])
    return {
        "kind": "pairs",
        "rows": {split: _pair_counts(frame, len(texts[split])) for split, frame in splits.items()},
        "lengths": _lengths(texts),
        "pairs_per_group": {
            split: tables.quantiles(frame["group"].value_counts().to_numpy()) for split, frame in splits.items()
        },
        "shared": [
            its
            | {
                "groups": len(set(splits[one]["group"]) & set(splits[other]["group"])),
                "of_groups": int(splits[other]["group"].nunique()),
            }
            for its in _shared_texts(texts)
            for one, other in [its["splits"]]
        ],
        "variants": _variants(texts),
        "words_in_common": {
            words: tables.quantiles(common[chosen])
            for words, chosen in (("related", related), ("unrelated", ~related))
        },
        "most_frequent_words": _most_frequent_words({text for its in texts.values() for text in its}, top),
        "most_frequent_texts": [{"text": text, "pairs": n} for text, n in tables.ordered(in_pairs)[:top]],
    }


def inspect_texts(splits: Frames, top: int = 10) -> dict[str, Any]:
    """Count what is in the splits of a dataset of texts, with a label or labels (a list), or without.

    Returns a dict that JSON can hold, with `rows` (per split: texts), `labels` (per split and label: texts),
    `labels_per_text` (quantiles per split; both empty without labels), `lengths`, `shared` and `variants` as of
    `inspect_pairs`,
    `most_frequent_words` (`top` of them), and `words_of_labels` (per label its most frequent words that are at least
    twice as frequent in its texts as in all).
    """
    texts = {split: list(dict.fromkeys(frame["text"])) for split, frame in splits.items()}
    shared = _shared_texts(texts)
    labels = {split: _labels_of(frame) for split, frame in splits.items()}
    counts = {
        split: dict(tables.ordered(Counter(label for each in its for label in each))) for split, its in labels.items()
    }
    labelled = any(map(len, counts.values()))
    return {
        "kind": "texts",
        "rows": {split: {"texts": len(frame)} for split, frame in splits.items()},
        "labels": counts if labelled else {},
        "labels_per_text": {s: tables.quantiles(list(map(len, its))) for s, its in labels.items()} if labelled else {},
        "lengths": _lengths(texts),
        "shared": shared,
        "variants": _variants(texts),
        "most_frequent_words": _most_frequent_words({text for its in texts.values() for text in its}, top),
        "words_of_labels": _words_of_labels(splits, labels) if labelled else {},
    }


def _lengths(texts: Mapping[str, list[str]]) -> dict[str, dict[str, Any]]:
    found = {split: tables.lengths(its) for split, its in texts.items()}
    return {unit: {split: its[unit] for split, its in found.items()} for unit in tables.UNITS}


def _shared_texts(texts: Mapping[str, list[str]]) -> list[dict[str, Any]]:
    """Of each two splits the texts that are in both; what is normalised for it is held no longer."""
    normalised = {split: set(map(normalise, its)) for split, its in texts.items()}
    return [
        {"splits": [one, other], "texts": len(normalised[one] & normalised[other]), "of_texts": len(normalised[other])}
        for one, other in combinations(texts, 2)
    ]


def _variants(texts: Mapping[str, list[str]]) -> dict[str, Any]:
    """Of names and phrases, which no audit looks through for near duplicates, those that train has otherwise."""
    short = {split: [text for text in its if len(text.split()) < LEAST_WORDS] for split, its in texts.items()}
    return {split: spellings.variants(its, short["train"]) for split, its in short.items() if split != "train"}


def parts(report: dict[str, Any], full: bool) -> tables.Parts:
    """What is printed of the report of a dataset of texts or pairs."""
    yield tables.rows_table(report["rows"])
    if report.get("labels"):
        yield from _labels(report, full)
    if full:
        units = ((split, unit, its) for unit, splits in report["lengths"].items() for split, its in splits.items())
        yield tables.quantile_table("Length of distinct texts", "split", units)
    else:
        yield tables.quantiles_in_words(report["lengths"]["words"]["train"], "Words of a text of train")
    common = {words: its for words, its in report.get("words_in_common", {}).items() if its["n"]}
    if full and common:
        found = ((split, "pairs", its) for split, its in report["pairs_per_group"].items())
        yield tables.quantile_table("Pairs of a group", "split", found)
        shares = (
            (words, f"{its['n']:,}", *(f"{its[q]:.2f}" for q in ("mean", *tables.QUANTILES)))
            for words, its in common.items()
        )
        columns = ("pairs", "counted", "mean", *tables.QUANTILES)
        yield tables.filled("Share of their words that two texts have in common", columns, shares)
    for words, its in () if full else common.items():
        yield f"Share of words in common, {words} pairs: mean {its['mean']:.2f}, median {its['median']:.2f}."
    for pair in report["shared"]:
        counted = [f"{pair[kind]:,} of {pair[f'of_{kind}']:,} {kind}" for kind in ("texts", "groups") if kind in pair]
        yield f"Of {pair['splits'][1]}, also in {pair['splits'][0]}: {', '.join(counted)}."
    yield from spellings.in_words(report["variants"], "short texts")
    words = [(each["word"], each["texts"]) for each in report["most_frequent_words"]]
    texts = [(cut(each["text"], 59), each["pairs"]) for each in report.get("most_frequent_texts", [])]
    if not full:
        yield tables.in_words(words, "Most frequent words", shown=6)
        return
    yield tables.filled("Most frequent words", ("word", "texts"), words)
    if texts:
        yield tables.filled("Texts in most pairs", ("text", "pairs"), texts)
    if report.get("words_of_labels"):
        by_label = ((label, ", ".join(its) or "–") for label, its in report["words_of_labels"].items())
        yield tables.filled("Words of each label", ("label", ""), by_label)


def _labels(report: Mapping[str, Any], full: bool) -> tables.Parts:
    splits = list(report["labels"])
    table = tables.new_table("Labels", "label", *splits, "all", "share")
    n = sum(rows["texts"] for rows in report["rows"].values())
    total: Counter[str] = Counter()
    for found in report["labels"].values():
        total.update(found)
    shown = tables.ordered(total) if full else tables.ordered(total)[:LABELS]
    for label, count in shown:
        numbers = [f"{report['labels'][split].get(label, 0):,}" for split in splits]
        table.add_row(Text(label), *numbers, f"{count:,}", f"{count / n:.1%}")
    yield table
    if len(shown) < len(total):
        yield f"and {len(total) - len(shown):,} labels more."
    if any(found["max"] > 1 for found in report["labels_per_text"].values()):
        counted = ((split, "labels", its) for split, its in report["labels_per_text"].items())
        yield (
            tables.quantile_table("Labels of a text", "split", counted)
            if full
            else tables.quantiles_in_words(report["labels_per_text"]["train"], "Labels of a text of train")
        )


def draw(splits: Frames, report: Mapping[str, Any], folder: Path) -> None:
    """Draw `text_lengths.png` (words of distinct texts), and with labels `labels.png`."""
    lengths = {
        split: [len(text.split()) for text in (_texts_of(frame) if report["kind"] == "pairs" else set(frame["text"]))]
        for split, frame in splits.items()
    }
    plots.text_lengths(lengths, "words", folder / "text_lengths.png")
    if report.get("labels"):
        plots.label_counts(report["labels"], folder / "labels.png")


def _names(frame: pd.DataFrame) -> list[str]:
    return [name for names in PAIR_COLUMNS for name in names if name in frame]


def _texts_of(frame: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(text for name in _names(frame) for text in frame[name]))


def _related(frame: pd.DataFrame) -> np.ndarray:
    return frame["score"].to_numpy(float) >= RELATED if "score" in frame else np.ones(len(frame), bool)


def _pair_counts(frame: pd.DataFrame, texts: int) -> dict[str, int]:
    related = int(_related(frame).sum())
    counts = {"pairs": len(frame), "related": related, "unrelated": len(frame) - related}
    kinds = Counter(frame["kind"]) if "kind" in frame else Counter()
    return counts | {"groups": int(frame["group"].nunique()), "texts": texts} | dict(tables.ordered(kinds))


def _labels_of(frame: pd.DataFrame) -> list[list[str]]:
    if "labels" in frame:
        return [list(each) for each in frame["labels"]]
    if "label" not in frame:
        return []
    one: dict[str, list[str]] = {}  # a list for each of a million rows takes 100 MB
    return [one.setdefault(str(each), [str(each)]) for each in frame["label"]]


def _words(text: str) -> set[str]:
    """The words of a text without those that are frequent in all English texts."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return set(_WORD.findall(text.lower())) - ENGLISH_STOP_WORDS


def _in_common(first: str, second: str) -> float:
    """Jaccard's index of the words of two texts."""
    one, other = (set(_WORD.findall(text.lower())) for text in (first, second))
    return len(one & other) / max(1, len(one | other))


def _most_frequent_words(texts: Iterable[str], top: int) -> list[dict[str, Any]]:
    counts = Counter(word for text in texts for word in _words(text))
    return [{"word": word, "texts": n} for word, n in tables.ordered(counts)[:top]]


def _words_of_labels(splits: Frames, labels: Mapping[str, list[list[str]]], shown: int = 5) -> dict[str, list[str]]:
    everywhere: Counter[str] = Counter()
    by_label: dict[str, Counter[str]] = {}
    sizes: Counter[str] = Counter()
    n = 0
    for split, frame in splits.items():
        for text, its in zip(frame["text"], labels[split], strict=True):
            words = _words(text)
            everywhere.update(words)
            n += 1
            for label in its:
                by_label.setdefault(label, Counter()).update(words)
                sizes[label] += 1
    return {
        label: [w for w, count in tables.ordered(found) if count / sizes[label] >= 2 * everywhere[w] / n][:shown]
        for label, found in sorted(by_label.items())
    }
