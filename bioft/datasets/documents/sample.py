"""The small corpus that comes with bioft: the embedded default of the recipes for entities and relations.

Short abstracts written for this project, with chemicals, diseases, genes and chemical-induced diseases. The studies
in them are made up; what they say about drugs is textbook knowledge. Good for trying things out and for tests,
never for a claim about a model.
"""

from pathlib import Path
from typing import Any

from datasets import DatasetDict

from bioft import __version__
from bioft.datasets.documents import corpus as documents, pubtator
from bioft.datasets.options import Seed, TestSize, ValidationSize
from bioft.datasets.origin import Origin

FILE = Path(__file__).parent / "samples" / "chemical_disease.pubtator"


def build(
    *, validation_size: ValidationSize = 0.15, test_size: TestSize = 0.25, seed: Seed = 0
) -> tuple[DatasetDict, dict[str, Any]]:
    """Build the sample corpus, split by document; returns the splits and the manifest."""
    sizes = {"validation_size": validation_size, "test_size": test_size}
    about = {"version": f"bioft {__version__}", "terms": "MIT, as bioft itself", "redistribution": "free"}
    return documents.build(
        documents.split_at_random(list(pubtator.read(FILE)), **sizes, seed=seed),
        Origin("sample", {**sizes, "seed": seed}, [documents.source(FILE, **about)], {"license": "mit"}),
        split={"strategy": "document", **sizes},
    )
