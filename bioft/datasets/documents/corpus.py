"""Document datasets (texts with entities and relations): rows, manifest and audit, the same for every corpus."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
from datasets import Dataset, DatasetDict, concatenate_datasets
from datasets.fingerprint import generate_random_fingerprint

from bioft.datasets.documents import COLUMNS, pubtator
from bioft.datasets.documents.concept_pairs import argument_types
from bioft.datasets.documents.pubtator import Document, concepts
from bioft.datasets.documents.surface import surface
from bioft.datasets.near_duplicates import near_duplicates
from bioft.datasets.options import PathName, Seed, SkipBad, TestSize, ValidationSize
from bioft.datasets.origin import Origin
from bioft.datasets.splits import SPLITS, by_split, check_disjoint, grouped_split, straddling
from bioft.errors import BioftError, LeakageError
from bioft.storage.files import source as source
from bioft.storage.text_lines import normalise

_TEXT, _PLACE = pa.string(), pa.int64()
_ENTITY = pa.struct({"id": _TEXT, "type": _TEXT, "start": _PLACE, "end": _PLACE, "text": _TEXT})
_RELATION = pa.struct(dict.fromkeys(("type", "head", "tail"), _TEXT))
Overlapping = Annotated[
    Literal["keep", "longest", "refuse"],
    "Mentions that overlap or are nested: keep them (relations), take the longest (entities), or refuse.",
]
SCHEMA = pa.schema(dict(zip(COLUMNS, (_TEXT, _TEXT, pa.list_(_ENTITY), pa.list_(_RELATION)), strict=True)))

_PIECE = 10_000
"""Rows that are made, or looked at, at a time."""


@dataclass(slots=True)
class AnnotatedText(Document):
    """A document that is one text, which stands in the place of its title."""

    group: str | None = None
    """What it is a part of, which is to be in one split."""

    @property
    def text(self) -> str:
        """The text: what the offsets count in."""
        return self.title


def to_row(document: Document) -> dict[str, Any]:
    """The row of a document: entities are ordered by their place; a relation that stands twice is there once.

    A relation to several concepts in one id ("101,102") is one to each of them.
    """
    mentions = sorted(document.mentions, key=lambda mention: mention.start)
    return {
        "document_id": document.document_id,
        "text": document.text,
        "entities": [{"id": m.id, "type": m.type, "start": m.start, "end": m.end, "text": m.text} for m in mentions],
        "relations": [
            {"type": kind, "head": head, "tail": tail}
            for kind, head, tail in dict.fromkeys(
                (each.type, *ends)
                for each in document.relations
                for ends in product(concepts(each.head), concepts(each.tail))
            )
        ],
    }


def count(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """How many documents there are, how many mentions of each entity type, and how many relations of each type."""
    n, counts = 0, {column: Counter[str]() for column in COLUMNS[2:]}
    for row in rows:
        n += 1
        for column, found in counts.items():
            found.update(item["type"] for item in row[column])
    return {"documents": n} | {kind: its[kind] for its in counts.values() for kind in sorted(its)}


def expected_supports(manifest: Mapping[str, Any], kind: str) -> dict[str, int]:
    """How many references of each type the test split has by its manifest; `kind` is "mentions" or "relations"."""
    types = manifest["audit"]["seen_in_train"]["test"]
    return {name: counted[kind] for name, counted in types.items() if kind in counted and name != "all"}


def check_counts(counted: Mapping[str, int], expected: Mapping[str, int], by: str, file: str, hint: str) -> None:
    """Refuse what holds other numbers than `expected` "official" or "authors" (`by`) state: BioftError."""
    if wrong := [
        f"{counted.get(what, 0):,} {what} ({by}: {expected.get(what, 0):,})"
        for what in {**expected, **counted}
        if counted.get(what, 0) != expected.get(what, 0)
    ]:
        raise BioftError(f"{file}: it has {', '.join(wrong)}. {hint}")


def training_documents(dataset: Mapping[str, Dataset], train_on: str) -> Dataset:
    """What a run trains on: the training split, or with "train+validation" both of them."""
    if train_on == "train":
        return dataset["train"]
    return concatenate_datasets([dataset["train"], dataset["validation"]])


def split_at_random(
    found: Sequence[Document], validation_size: float, test_size: float, seed: int
) -> dict[str, list[Document]]:
    """Put each document into train, validation or test; the sizes are fractions of the documents."""
    rng = np.random.default_rng(seed)
    return by_split(found, grouped_split([each.document_id for each in found], validation_size, test_size, rng))


def build_from_pubtator(
    paths: Annotated[Sequence[PathName], "Three PubTator files (train, validation, test), or one to be split."],
    *,
    validation_size: ValidationSize = 0.1,
    test_size: TestSize = 0.2,
    seed: Seed = 0,
    skip_bad: SkipBad = False,
    overlapping: Overlapping = "keep",
) -> tuple[DatasetDict, dict[str, Any]]:
    """Build a dataset from PubTator files of your own; returns the splits and the manifest.

    The documents of a single file are split at random. BioftError: another number of files, what `pubtator.read`
    finds wrong (with `skip_bad` such documents are left out and counted), and as `settle_overlaps`.
    """
    files = [Path(path) for path in paths]
    if len(files) not in (1, 3):
        raise BioftError(f"{len(files)} PubTator files: give three (train, validation, test), or one to be split.")
    skipped: dict[str, list[str]] = {name: [] for name in (SPLITS if len(files) == 3 else ("all",))}
    found = [
        list(pubtator.read(file, skipped=messages if skip_bad else None))
        for file, messages in zip(files, skipped.values(), strict=True)
    ]
    left_out: Counter[str] = Counter()
    found = [settle_overlaps(its, overlapping, left_out) for its in found]
    sizes = {"validation_size": validation_size, "test_size": test_size}
    at_random = len(files) == 1
    arguments: dict[str, Any] = {"skip_bad": skip_bad}
    arguments |= {} if overlapping == "keep" else {"overlapping": overlapping}
    arguments |= {**sizes, "seed": seed} if at_random else {}
    dataset, manifest = build(
        split_at_random(found[0], **sizes, seed=seed) if at_random else dict(zip(SPLITS, found, strict=True)),
        Origin("pubtator", arguments, [source(file) for file in files], {"license": "unknown"}),
        split={"strategy": "document", **sizes} if at_random else {"strategy": "given"},
        skipped=skipped,
    )
    if left_out:
        manifest["left_out"] = dict(left_out)
    return dataset, manifest


def settle_overlaps(found: Iterable[Document], overlapping: str, left_out: Counter[str]) -> list[Document]:
    """Documents with their overlapping and nested mentions kept ("keep"), the "longest" of them, or none ("refuse").

    `left_out` counts the mentions, and the relations to what only they mention, that are not kept. BioftError: the
    first two that overlap, with "refuse".
    """
    documents = list(found)
    if overlapping == "keep":
        return documents
    kept = []
    for document in documents:
        pair = pubtator.first_overlap(document.mentions)
        if pair and overlapping == "refuse":
            shown = " and ".join(f"{each.text[:60]!r} ({each.start} to {each.end}, {each.type})" for each in pair)
            raise BioftError(
                f"Document {document.document_id}: the mentions {shown} overlap. Keep one, or take the longest with "
                "--overlapping longest."
            )
        settled = pubtator.without_overlaps(document) if pair else document
        left_out["overlapping mentions"] += len(document.mentions) - len(settled.mentions)
        left_out["relations of overlapping mentions"] += len(document.relations) - len(settled.relations)
        kept.append(settled)
    return kept


def build(
    splits: dict[str, list[Document]],
    origin: Origin,
    *,
    split: Mapping[str, Any],
    skipped: Mapping[str, list[str]] | None = None,
) -> tuple[DatasetDict, dict[str, Any]]:
    """Make a document dataset of documents that are split already; returns it with its manifest.

    `splits`: the documents, which are taken out as they are made rows, so that large ones are in memory once.
    `split`: how they were split, for the manifest (with `strategy`). `skipped`: per split, why documents were left
    out. Columns: `COLUMNS`; the rows keep the order of the documents. LeakageError: as `audit`. BioftError: an empty
    split.
    """
    dataset = DatasetDict()
    for name in [*splits]:
        documents = splits.pop(name)
        if not documents:
            left_out = f" ({len(skipped[name]):,} were left out)" if skipped and skipped.get(name) else ""
            raise BioftError(f"No documents for split '{name}' of {origin.builder}{left_out}.")
        pieces = (documents[start : start + _PIECE] for start in range(0, len(documents), _PIECE))
        batches = [pa.RecordBatch.from_pylist([to_row(each) for each in piece], schema=SCHEMA) for piece in pieces]
        # Without a fingerprint `datasets` pickles the table to make one.
        dataset[name] = Dataset(pa.Table.from_batches(batches), fingerprint=generate_random_fingerprint())
        del documents
    return dataset, origin.manifest(
        dataset,
        {},
        rows={name: count(rows) for name, rows in dataset.items()},
        split=dict(split),
        skipped={name: {"documents": len(found), "first": found[:3]} for name, found in (skipped or {}).items()},
        audit=audit(dataset),
    )


def lacking(dataset: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    """In words whether there is no entity to learn from in training, or none to be found in the test split."""
    without = (split for split in ("train", "test") if not any(dataset[split]["entities"][:]))
    return next((f"no document of its {split} split has an entity" for split in without), "")


def has_relations(rows: Dataset) -> bool:
    """Whether documents state a relation between concepts that they mention: others can't be learnt from."""
    try:
        return bool(argument_types(rows.select_columns(["entities", "relations"])))
    except BioftError:
        return False


def lacking_relations(dataset: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    """In words whether there is no relation to learn from in training, or none to be found in the test split."""
    if not has_relations(dataset["train"]):
        return "its training documents hold no relation between concepts that they mention"
    return "" if any(dataset["test"]["relations"][:]) else "no document of its test split has a relation"


def audit(dataset: Mapping[str, Dataset]) -> dict[str, Any]:
    """Check a document dataset for leaks, and measure how much of each split was seen in training.

    Returns `checks` (what was counted, all 0), `repeated_texts` (per split, texts that an earlier document of it has),
    `near_duplicates` and `seen_in_train`: for validation and test, per entity type and for all, `mentions` and the
    fraction of them whose name (normalised, with this type) occurs in train; `linked` (mentions that have a concept
    id) and the fraction of them of which any concept does; and per relation type `relations` and the fraction whose
    (type, head, tail) does. `not_in_training`, where there are such: the types of the test split that no training
    document has. And what the surface tells (`bioft.datasets.documents.surface`), where there is a test split.
    LeakageError: a document id or a folded text is in two splits.
    """
    ids = {name: rows["document_id"][:] for name, rows in dataset.items()}
    texts = {name: [normalise(text) for text in rows["text"][:]] for name, rows in dataset.items()}
    check_disjoint(ids, "document ids")
    for text, shared in straddling(texts).items():
        places = [f"{ids[name][texts[name].index(text)]} in {name}" for name in shared]
        raise LeakageError(
            f"{len(straddling(texts)):,} texts straddle splits: they are the same but for case and punctuation. The "
            f"first: document {' and '.join(places)}. Remove all but one."
        )
    train = _Seen(_rows(dataset["train"]))
    test = _rows(dataset["test"]) if "test" in dataset else ()
    tested = {its["type"] for row in test for its in row["entities"] + row["relations"]}
    unseen = sorted(tested - train.types)
    told = surface(dataset["train"], dataset["test"]) if "test" in dataset else {}
    return ({"not_in_training": unseen} if unseen else {}) | {
        "checks": {"document_ids_across_splits": 0, "normalised_texts_across_splits": 0},
        "repeated_texts": {name: len(values) - len(set(values)) for name, values in texts.items()},
        "near_duplicates": near_duplicates(dataset, key="document_id"),
        "seen_in_train": {name: train.fractions(its.to_list()) for name, its in dataset.items() if name != "train"},
        **told,
    }


def _rows(split: Dataset) -> Iterator[dict[str, Any]]:
    """The rows of a split, in memory a few at a time."""
    for start in range(0, len(split), _PIECE):
        yield from split.select(range(start, min(start + _PIECE, len(split)))).to_list()


class _Seen:
    """What occurs in the training documents."""

    def __init__(self, rows: Iterable[dict[str, Any]]) -> None:
        self.names: set[tuple[str, str]] = set()
        self.concepts: set[str] = set()
        self.relations: set[tuple[str, ...]] = set()
        for row in rows:
            self.names |= {(normalise(entity["text"]), entity["type"]) for entity in row["entities"]}
            self.concepts.update(each for entity in row["entities"] for each in concepts(entity["id"]))
            self.relations |= {tuple(relation.values()) for relation in row["relations"]}
        self.types = {kind for _, kind in self.names} | {kind for kind, *_ in self.relations}

    def fractions(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Per type: how many mentions or relations `rows` have, and which part of them was seen."""
        entities, relations = ([item for row in rows for item in row[column]] for column in COLUMNS[2:])
        result: dict[str, Any] = {}
        for entity_type in [*sorted({entity["type"] for entity in entities}), "all"]:
            chosen = [entity for entity in entities if entity_type in (entity["type"], "all")]
            linked = [found for entity in chosen if (found := concepts(entity["id"]))]
            result[entity_type] = {
                "mentions": len(chosen),
                "name_seen": _fraction((normalise(e["text"]), e["type"]) in self.names for e in chosen),
                "linked": len(linked),
                "concept_seen": _fraction(any(c in self.concepts for c in found) for found in linked),
            }
        for relation_type in sorted({relation["type"] for relation in relations}):
            chosen = [relation for relation in relations if relation["type"] == relation_type]
            seen = _fraction(tuple(relation.values()) in self.relations for relation in chosen)
            result[relation_type] = {"relations": len(chosen), "seen": seen}
        return result


def _fraction(flags: Iterable[bool]) -> float:
    return round(float(np.mean(values)), 4) if (values := list(flags)) else 0.0
