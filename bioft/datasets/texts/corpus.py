"""Text datasets (an id and a text in each row): written to disk as they come, split by groups of like texts."""

import hashlib
import json
import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
from datasets import Dataset, DatasetDict

from bioft.datasets.near_duplicates import near_duplicates
from bioft.datasets.origin import Origin
from bioft.datasets.splits import SPLITS, connected, grouped_split, straddling
from bioft.errors import BioftError, LeakageError
from bioft.storage.files import cache_directory, new_folder
from bioft.storage.text_lines import normalise

SCHEMA = pa.schema([("id", pa.string()), ("text", pa.string())])
PARAGRAPH = 200
"""Characters from which on a paragraph that two texts share makes them alike."""
ENGLISH = frozenset(
    ["the", "of", "and", "to", "in", "is", "a", "for", "with", "or", "be", "by", "as", "that", "on", "not"]
)
ENGLISH_SHARE = 0.08
"""Share of `ENGLISH` among the words of a text below which it is reported as perhaps not English."""
_NUMBER = re.compile(r"\d+ ?")
_BATCH = 1000


def build(
    texts: Callable[[Counter[str]], Iterable[tuple[str, str]]],
    origin: Origin,
    validation_size: float,
    test_size: float,
    seed: int,
) -> tuple[DatasetDict, dict[str, Any]]:
    """Make a dataset of texts; returns the splits, which stay on disk, and the manifest.

    `texts` yields ids and texts and counts what it leaves out; its result is kept in bioft's cache under the checksums
    of the sources and the arguments. One batch of texts is held in memory, and a few numbers for each. Texts go into
    the same split when they are equal but for case, punctuation and numbers, or share a paragraph of `PARAGRAPH`
    characters or more, also over several others. BioftError: no text, or an id that comes twice.
    """
    folder = _stored(texts, origin)
    rows = Dataset.from_file(str(folder / "texts.arrow"))
    groups = group_like_texts(_batches(rows))
    codes = grouped_split(groups, validation_size, test_size, np.random.default_rng(seed))
    dataset = DatasetDict({name: rows.select(np.flatnonzero(codes == index)) for index, name in enumerate(SPLITS)})
    left_out = json.loads((folder / "left_out.json").read_text(encoding="utf-8"))
    sizes = {"validation_size": validation_size, "test_size": test_size}
    _, group_sizes = np.unique(groups, return_counts=True)
    return dataset, origin.manifest(
        dataset,
        {**sizes, "seed": seed},
        rows={name: count(split) for name, split in dataset.items()},
        split={"strategy": "text", **sizes, "groups": len(group_sizes), "largest_group": int(group_sizes.max())},
        left_out=left_out,
        audit=audit(dataset),
    )


def group_like_texts(batches: Iterable[list[str]]) -> np.ndarray:
    """The group of each text, shape (n,), in order of their first texts: see `build` for which texts are alike."""
    keys, owners, count = array("Q"), array("q"), 0
    for text in chain.from_iterable(batches):
        for part in (text, *(paragraph for paragraph in text.split("\n") if len(paragraph) >= PARAGRAPH)):
            keys.append(_digest(_NUMBER.sub("", normalise(part)).strip()))
            owners.append(count)
        count += 1
    return connected(owners, keys, count)


def audit(dataset: Mapping[str, Dataset]) -> dict[str, Any]:
    """Check texts for leaks; returns `checks` (counted, all 0), `near_duplicates` and what may not be English.

    `perhaps_not_english`: per split how many texts of 20 words or more have hardly any common English word, and the
    first ids of them. Raises BioftError for an id that comes twice, LeakageError for a text that is in two splits but
    for case and punctuation.
    """
    ids: Counter[str] = Counter()
    digests: dict[str, list[str]] = {}
    foreign = {}
    for name, rows in dataset.items():
        digests[name] = []
        found: list[str] = []
        for batch in rows.iter(batch_size=_BATCH):
            ids.update(batch["id"])
            for text_id, text in zip(batch["id"], batch["text"], strict=True):
                normalised = normalise(text)
                digests[name].append(f"{_digest(normalised):016x}")
                words = normalised.split()
                if len(words) >= 20 and sum(word in ENGLISH for word in words) < ENGLISH_SHARE * len(words):
                    found.append(text_id)
        foreign[name] = {"texts": len(found), "first": found[:5]}
    if (most := ids.most_common(1)) and most[0][1] > 1:
        raise BioftError(f"The id {most[0][0]!r} belongs to {most[0][1]} texts. Each text needs its own.")
    if shared := straddling(digests):
        raise LeakageError(f"{len(shared):,} texts straddle splits: they are the same but for case and punctuation.")
    return {
        "checks": {"ids_repeated": 0, "normalised_texts_across_splits": 0},
        "perhaps_not_english": foreign,
        "near_duplicates": near_duplicates(dataset),
    }


def _stored(texts: Callable[[Counter[str]], Iterable[tuple[str, str]]], origin: Origin) -> Path:
    """The folder in the cache with `texts.arrow` and `left_out.json`, made if it is not there."""
    known = [origin.builder, dict(origin.arguments), [source["sha256"] for source in origin.sources]]
    key = hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:24]
    folder = cache_directory() / "texts" / key
    if folder.is_dir():
        return folder
    with new_folder(folder, existing="keep") as partial:
        left_out: Counter[str] = Counter()
        rows = iter(texts(left_out))
        batches = iter(lambda: list(islice(rows, _BATCH)), [])
        if (first := next(batches, None)) is None:
            names = ", ".join(source["name"] for source in origin.sources[:3])
            raise BioftError(f"No text in {names}: nothing to build.")
        with pa.OSFile(str(partial / "texts.arrow"), "wb") as file, pa.ipc.new_stream(file, SCHEMA) as writer:
            for batch in chain([first], batches):
                ids, found = zip(*batch, strict=True)
                writer.write_batch(pa.record_batch([pa.array(ids), pa.array(found)], schema=SCHEMA))
        (partial / "left_out.json").write_text(json.dumps(dict(left_out)), encoding="utf-8")
    return folder


def _batches(rows: Dataset) -> Iterator[list[str]]:
    for batch in rows.select_columns("text").iter(batch_size=_BATCH):
        yield batch["text"]


def count(rows: Dataset) -> dict[str, int]:
    """How many texts there are, and how many characters."""
    return {"texts": len(rows), "characters": sum(map(len, chain.from_iterable(_batches(rows))))}


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())
