"""Labelled texts (one label each, or any number of them): rows, splits, manifest and audit, the same for every source.

Texts that are the same but for case and punctuation are one row, so none of them can be in two splits.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
from datasets import Dataset, DatasetDict
from datasets.fingerprint import generate_random_fingerprint

from bioft.datasets.near_duplicates import near_duplicates
from bioft.datasets.origin import Origin
from bioft.datasets.splits import SPLITS, IntArray, by_split, check_columns, check_sizes
from bioft.datasets.surface import surface
from bioft.errors import BioftError, suggestion
from bioft.storage.text_lines import normalise

CONFLICTS_SHOWN = 5
"""Conflicts that a manifest names; it counts all of them."""
_PIECE = 10_000


class LabelledText(NamedTuple):
    """A text with its labels, in any order; `id` is that of the source, such as an NCT id."""

    id: str
    text: str
    labels: tuple[str, ...] = ()
    group: str | None = None
    """What must not be in two splits, such as a patient."""


def check_label(label: str, known: Sequence[str], place: str) -> None:
    """Raise BioftError, naming the place and the nearest known label, for a label that is not known."""
    if label not in known:
        raise BioftError(f"{place}: unknown label '{label[:60]}'. {suggestion(label, known)}")


def merge(
    found: Iterable[LabelledText], same: Callable[[str], str] = normalise
) -> tuple[list[LabelledText], dict[str, Any]]:
    """Make one row of all texts that are the same but for case and punctuation, or else what `same` makes of them.

    The first of them is kept, with the labels that most of them have (in a tie those that come first). Returns the
    rows, and for the manifest how many were `merged` into another and which had `conflicting_labels`: their number
    and the first of them, each with its id and how often it has which labels.
    """
    # By the hash of a text: the texts themselves twice would not fit into memory.
    first: dict[int, LabelledText] = {}
    others: dict[int, list[LabelledText]] = {}
    for each in found:
        key = hash(same(each.text))
        if first.setdefault(key, each) is not each:
            others.setdefault(key, []).append(each)
    rows, conflicts = [], []
    for key, one in first.items():
        group = [one, *others.get(key, ())]
        votes = Counter(tuple(sorted(each.labels)) for each in group)
        ordered = votes.most_common(1)[0][0]
        rows.append(one if one.labels == ordered else one._replace(labels=ordered))
        if len(votes) > 1:
            named = {" + ".join(labels): n for labels, n in votes.most_common()}
            conflicts.append({"id": one.id, "labels": named})
    return rows, {
        "merged": sum(map(len, others.values())),
        "conflicting_labels": {"texts": len(conflicts), "first": conflicts[:CONFLICTS_SHOWN]},
    }


def stratified_split(
    rows: Sequence[LabelledText], validation_size: float, test_size: float, rng: np.random.Generator
) -> IntArray:
    """Split rows at random such that each label is in every split in like shares; an index into `SPLITS` per row.

    Rows are divided by the rarest of their labels. Of a label with at least three rows one at least is in every
    split; of two rows one is in train and one in test; a single one is in train. Raises BioftError for sizes that
    leave nothing to train on.
    """
    check_sizes(validation_size, test_size)
    frequency = Counter(label for row in rows for label in row.labels)
    strata: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        strata.setdefault(min(row.labels, key=lambda label: (frequency[label], label), default=""), []).append(index)
    codes = np.full(len(rows), SPLITS.index("train"), np.int64)
    for _, members in sorted(strata.items()):
        order = rng.permutation(members)
        n_test = max(round(len(order) * test_size), int(len(order) > 1))
        n_validation = max(round(len(order) * validation_size), int(len(order) > 2))
        codes[order[:n_test]] = SPLITS.index("test")
        codes[order[n_test : n_test + n_validation]] = SPLITS.index("validation")
    return codes


def build(
    found: Iterable[LabelledText],
    origin: Origin,
    validation_size: float,
    test_size: float,
    seed: int,
    *,
    labels: Sequence[str],
    multi_label: bool,
    label_source: str,
    trial_field: str,
    left_out: Sequence[str] = (),
    note: str | None = None,
) -> tuple[DatasetDict, dict[str, Any]]:
    """Make a dataset of labelled texts, each with at least one of `labels`; returns the splits and the manifest.

    Columns: `id`, `text`, and `labels` (a list, in the order of the known ones) or, where each text has one, `label`.
    Of an id that has several texts the first is kept. The manifest holds `label_source`, who labelled the texts
    ("expert", "weak": a classifier, "registry" or "sample"), `trial_field`, which part of a trial record such a text
    is ("why_stopped" or "text"), the messages `left_out` on rows of the source, and a `note` on the labels.

    BioftError: no texts, an empty split, or sizes that leave nothing to train on.
    """
    merged, merging = merge(found)
    first: dict[str, LabelledText] = {}
    again = [row.id for row in merged if first.setdefault(row.id, row) is not row]
    left_out = [*left_out, *(f"{each} comes again with another text: the first is kept." for each in again)]
    if not (rows := list(first.values())):
        raise BioftError(f"{origin.builder}: no text has a label. {left_out[0] if left_out else ''}".strip())
    codes = stratified_split(rows, validation_size, test_size, np.random.default_rng(seed))
    sizes = {"validation_size": validation_size, "test_size": test_size}
    return assemble(
        by_split(rows, codes),
        origin,
        {**sizes, "seed": seed},
        labels=labels,
        multi_label=multi_label,
        split={"strategy": "normalised_text", **sizes, **({"note": note} if note else {})},
        left_out=left_out,
        merging=merging,
        about={"label_source": label_source, "trial_field": trial_field},
    )


def assemble(
    rows_of: dict[str, list[LabelledText]],
    origin: Origin,
    arguments: Mapping[str, Any],
    *,
    labels: Sequence[str],
    multi_label: bool,
    split: Mapping[str, Any],
    left_out: Sequence[str] = (),
    merging: Mapping[str, Any] | None = None,
    about: Mapping[str, Any] | None = None,
) -> tuple[DatasetDict, dict[str, Any]]:
    """Make a dataset of texts that are split already; returns the splits and the manifest.

    The texts are taken out of `rows_of` as they are made rows: large ones are there once. `arguments` are others of
    the builder, `seed` among them; `merging` is what `merge` counted, `about` what else a manifest says of such texts.
    BioftError: an empty split. LeakageError: as `audit`.
    """
    dataset = DatasetDict()
    n = sum(map(len, rows_of.values()))
    for name in SPLITS:
        if not (found := rows_of.pop(name)):
            raise BioftError(f"No text is left for split '{name}' of {origin.builder}: {n} texts are too few.")
        dataset[name] = _to_split(found, labels, multi_label)
        del found
    counts = {name: count(dataset[name], labels) for name in SPLITS}
    without = {name: [label for label in labels if not counts[name][label]] for name in SPLITS}
    merging = merging or {"merged": 0, "conflicting_labels": {"texts": 0, "first": []}}
    unseen = [label for label in without["train"] if counts["test"][label]]
    return dataset, origin.manifest(
        dataset,
        arguments,
        labels=[label for label in labels if any(counts[name][label] for name in SPLITS)],
        multi_label=multi_label,
        **about or {},
        rows=counts,
        labels_without=without,
        split=dict(split),
        skipped={"all": {"documents": len(left_out), "first": list(left_out[:3])}},
        **merging,
        audit=audit(dataset)
        | {
            "labels_without_test": without["test"],
            "texts_with_conflicting_labels": merging["conflicting_labels"]["texts"],
        }
        | ({"not_in_training": unseen} if unseen else {}),
    )


def count(rows: Dataset, labels: Sequence[str]) -> dict[str, int]:
    """How many texts there are, and how many of them have each label."""
    found = Counter(label for its in labels_of(rows) for label in its)
    return {"documents": len(rows), **{label: found[label] for label in labels}}


def labels_of(rows: Dataset) -> list[list[str]]:
    """The labels of each row, also where a row has one."""
    name = _label_column(rows)
    return rows[name][:] if name == "labels" else [[label] for label in rows[name]]


def _label_column(rows: Dataset) -> str:
    return "labels" if "labels" in rows.column_names else "label"


def audit(dataset: Mapping[str, Dataset]) -> dict[str, Any]:
    """Check labelled texts for leaks, and measure what their labels can be told from without reading.

    Returns `checks` (what was counted, all 0), `near_duplicates` of training texts and what the `surface` tells.
    Raises LeakageError if an id, or a text that is the same but for case, accents and punctuation, is in two splits.
    """
    check_columns(dataset, "ids", "id")
    check_columns(dataset, "normalised texts", "text", key=normalise)
    return {
        "checks": {"ids_across_splits": 0, "normalised_texts_across_splits": 0},
        "near_duplicates": near_duplicates(dataset),
        "surface": surface(dataset["train"], dataset["test"], _label_column(dataset["train"]), ["text"]),
    }


def lacking(dataset: Mapping[str, Dataset], manifest: Mapping[str, Any]) -> str:
    """What labels the texts lack, in words: those that the manifest names, and two where each text has one."""
    labels, several = manifest.get("labels"), manifest.get("multi_label")
    named = isinstance(labels, list) and labels and all(isinstance(each, str) for each in labels)
    if not named or len(set(labels)) < len(labels) or type(several) is not bool:  # type: ignore[arg-type]
        return "its manifest names no labels, or does not say whether a text has several"
    everywhere = {label for rows in dataset.values() for its in labels_of(rows) for label in its}
    if "evaluated_on" not in manifest and (nowhere := [each for each in labels if each not in everywhere]):  # type: ignore[union-attr]
        return f"no text has the label {nowhere[0]!r}, which its manifest names"
    for split, rows in dataset.items():
        if several != (_label_column(rows) == "labels"):
            return f"its manifest says {'several labels' if several else 'one label'} a text, unlike its {split} split"
        there = {label for its in labels_of(rows) for label in its}
        if unknown := sorted(map(str, there - set(labels))):  # type: ignore[arg-type]
            return f"its {split} split has the label {unknown[0][:60]!r}, which its manifest does not name"
        if not there:
            return f"no text of its {split} split has a label"
        kinds = {tuple(sorted(its)) for its in labels_of(rows)}
        if twice := next((its for its in kinds if len({*its}) < len(its)), None):
            return f"a text of its {split} split has a label twice: {', '.join(twice)[:60]}"
        if split != "validation" and len(kinds) < 2:
            same = "the same labels, and others" if several else f"the label {there.pop()!r}, and two"
            return f"all texts of its {split} split have {same} are needed"
    return ""


def _to_split(rows: Sequence[LabelledText], labels: Sequence[str], multi_label: bool) -> Dataset:
    name, kind = ("labels", pa.list_(pa.string())) if multi_label else ("label", pa.string())
    schema = pa.schema({"id": pa.string(), "text": pa.string(), name: kind})
    # In pieces: Arrow asks for twice the memory of a column while it grows.
    batches = []
    for piece in (rows[start : start + _PIECE] for start in range(0, len(rows), _PIECE)):
        its = [sorted(row.labels, key=labels.index) if multi_label else row.labels[0] for row in piece]
        columns = [[row.id for row in piece], [row.text for row in piece], its]
        batches.append(pa.record_batch(list(map(pa.array, columns, schema.types)), schema))
    # Without a fingerprint `datasets` pickles the table to make one, in four times its memory.
    return Dataset(pa.Table.from_batches(batches, schema), fingerprint=generate_random_fingerprint())
