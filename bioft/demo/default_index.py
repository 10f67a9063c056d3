"""The index that `bioft demo` shows without one: terms of the Human Phenotype Ontology with their definitions."""

from pathlib import Path

import numpy as np

from bioft.datasets.hpo import gene_disease as hpo, terms as hpo_terms
from bioft.search import encoder as search_encoder, index as search_index, layout
from bioft.search.articles import IndexedArticle
from bioft.search.encoder import SearchEncoder
from bioft.search.index import SearchIndex
from bioft.storage import runs
from bioft.storage.files import cache_directory

RUN, BASE_MODEL = Path("runs/contrastive/default"), "embedded:all-minilm-l6-v2"
"""What encodes the terms: the default run of contrastive where it was trained, else the base model."""
TERMS = 1000
"""Drawn at random from all, so that the first start takes a minute at most."""


def open_or_build() -> tuple[SearchIndex, SearchEncoder]:
    """The index and its encoder, built once and kept in the cache; BioftError: no data or weights, or a full disk."""
    encoder = search_encoder.load_encoder(str(RUN) if (RUN / runs.RECORD).is_file() else BASE_MODEL)
    folder = cache_directory() / "demo" / f"{encoder.identity[:16]}-{layout.SCHEMA_VERSION}"
    if (folder / layout.MANIFEST).is_file():
        return search_index.open_index(folder), encoder
    index, _ = search_index.index_articles(folder, encoder, _terms(), progress="Indexing terms of HPO")
    return index, encoder


def about() -> str:
    """Return what the index holds and where it is from, in the words that the terms of HPO ask for."""
    return (
        "These are terms of HPO with their definitions. This product uses the Human Phenotype Ontology "
        f"(release {hpo.release()}). Find out more at http://www.human-phenotype-ontology.org. {hpo.CITATION}"
    )


def _terms() -> list[IndexedArticle]:
    read = list(hpo_terms.read_definitions())
    chosen = np.sort(np.random.default_rng(0).choice(len(read), min(TERMS, len(read)), replace=False))
    return [
        IndexedArticle(identifier, text.partition(": ")[0], text, year=None, mesh=(), retracted=False)
        for identifier, text in (read[row] for row in chosen)
    ]
