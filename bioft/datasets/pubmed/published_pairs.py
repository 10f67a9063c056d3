"""Pairs of abstracts in CSV files (text1, text2, label), split anew so that no text is in two splits.

Published sets of such pairs are often split by pair: most texts of the test set are then in training too, and a score
on it says little. What the published files share is measured and reported.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import permutations
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
from datasets import Dataset, DatasetDict

from bioft.datasets import pair_audit
from bioft.datasets.documents.corpus import source as source_of
from bioft.datasets.options import PathName, Seed, TestSize, ValidationSize
from bioft.datasets.origin import Origin
from bioft.datasets.splits import SPLITS, check_columns, connected, grouped_split
from bioft.errors import BioftError
from bioft.storage.tables import Table
from bioft.storage.text_lines import normalise

COLUMNS = ("text1", "text2", "label")
SCHEMA = pa.schema(
    [("sentence1", pa.string()), ("sentence2", pa.string()), ("score", pa.int64()), ("group", pa.string())]
)


class Pair(NamedTuple):
    """Two texts; `label` is 1 where they are related, else 0."""

    text1: str
    text2: str
    label: int


def read(path: str | os.PathLike[str]) -> Iterator[Pair]:
    """Yield the pairs of a CSV file (UTF-8, plain or gzip) that has the columns text1, text2 and label.

    BioftError, with file and line: what `Table` finds wrong, an empty text or a label other than 0 and 1.
    """
    table = Table(path, COLUMNS, hint="The first line must name text1, text2 and label.")
    for row in table:
        where = f"{path}, line {table.line}"
        if row["label"].strip() not in ("0", "1"):
            raise BioftError(f"{where}: the label is {row['label'][:40]!r}; write 1 for related texts, else 0.")
        if not row["text1"].strip() or not row["text2"].strip():
            raise BioftError(f"{where}: a text is empty. Fill it, or remove the row.")
        yield Pair(row["text1"], row["text2"], int(row["label"]))


def build(
    paths: Annotated[Sequence[PathName], "CSV files with text1, text2 and label."],
    *,
    validation_size: ValidationSize = 0.1,
    test_size: TestSize = 0.2,
    seed: Seed = 0,
) -> tuple[DatasetDict, dict[str, Any]]:
    """Put the pairs of all files together and split them by text; returns the splits and the manifest.

    Texts that positives connect are in one split. Left out, and counted in the manifest, are negatives between splits,
    pairs of a text with itself, repeated ones and those that have both labels (texts are the same but for case and
    punctuation). The columns are sentence1, sentence2, score (1 or 0) and group (of the first text). The manifest's
    audit has, as `published_overlap`, how many texts of each file are in each other one.

    BioftError: what `read` finds wrong, no pairs, or sizes that leave a split empty.
    """
    files = [Path(path) for path in paths]
    published = {file.name: list(read(file)) for file in files}
    if len(published) < len(files):
        raise BioftError("Two of the files have the same name: give them different ones.")
    pairs, left_out = _distinct(pair for found in published.values() for pair in found)
    if not pairs:
        raise BioftError(f"No pairs in {', '.join(map(str, files))}.")
    code_of: dict[str, int] = {}
    ends = np.array([[code_of.setdefault(normalise(text), len(code_of)) for text in pair[:2]] for pair in pairs])
    labels = np.array([pair.label for pair in pairs])
    joined = ends[labels == 1]
    groups = connected(joined.ravel(), np.repeat(np.arange(len(joined)), 2), len(code_of))
    split_of = grouped_split(groups, validation_size, test_size, np.random.default_rng(seed))
    left_out["negatives between splits"] = int((split_of[ends[:, 0]] != split_of[ends[:, 1]]).sum())
    dataset = DatasetDict()
    for index, name in enumerate(SPLITS):
        rows = [
            {"sentence1": pair.text1, "sentence2": pair.text2, "score": pair.label, "group": str(groups[start])}
            for pair, (start, end) in zip(pairs, ends.tolist(), strict=True)
            if split_of[start] == split_of[end] == index
        ]
        if not rows:
            raise BioftError(f"No pairs left for split '{name}'. Use more pairs or other sizes.")
        dataset[name] = Dataset(pa.Table.from_pylist(rows, schema=SCHEMA))
    counts = {
        name: {"pairs": len(rows), "related": sum(rows["score"]), "groups": len(set(rows["group"]))}
        for name, rows in dataset.items()
    }
    return dataset, Origin("pubmed_pairs", {}, [source_of(file) for file in files], {"license": "unknown"}).manifest(
        dataset,
        {"validation_size": validation_size, "test_size": test_size, "seed": seed},
        rows=counts,
        left_out=left_out,
        split={"strategy": "paired_text"},
        audit=audit(dataset) | {"published_overlap": overlap(published)},
    )


def overlap(published: Mapping[str, Iterable[Pair]]) -> list[dict[str, Any]]:
    """For each two files: how many distinct texts the first has (`texts`) and how many are `shared` with the other."""
    texts = {name: {text for pair in pairs for text in pair[:2]} for name, pairs in published.items()}
    return [
        {"file": one, "other": other, "texts": len(texts[one]), "shared": len(texts[one] & texts[other])}
        for one, other in permutations(texts, 2)
    ]


def audit(dataset: Mapping[str, Dataset]) -> dict[str, Any]:
    """Check pairs for leaks: returns `checks` (what was counted, all 0) and `pair_audit.audit`.

    LeakageError: a group or a text (but for case and punctuation) is in two splits.
    """
    check_columns(dataset, "groups of texts", "group")
    check_columns(dataset, "texts", "sentence1", "sentence2", key=normalise)
    return {"checks": {"groups_across_splits": 0, "normalised_texts_across_splits": 0}, **pair_audit.audit(dataset)}


def _distinct(pairs: Iterable[Pair]) -> tuple[list[Pair], dict[str, int]]:
    """The pairs that can be learnt from, each once, and how many of which others there were."""
    labels: dict[frozenset[str], set[int]] = {}
    firsts: dict[frozenset[str], Pair] = {}
    left_out: Counter[str] = Counter({"pairs of a text with itself": 0, "repeated pairs": 0})
    for pair in pairs:
        key = frozenset({normalise(pair.text1), normalise(pair.text2)})
        if len(key) == 1:
            left_out["pairs of a text with itself"] += 1
            continue
        left_out["repeated pairs"] += key in firsts
        labels.setdefault(key, set()).add(pair.label)
        firsts.setdefault(key, pair)
    contradictory = {key for key, found in labels.items() if len(found) > 1}
    left_out["pairs with both labels"] = len(contradictory)
    return [pair for key, pair in firsts.items() if key not in contradictory], dict(left_out)
