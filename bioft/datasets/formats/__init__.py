"""One's own data in the formats of the field, each made into a dataset of one of the four shapes that bioft has."""

from bioft.datasets import sources

ENTITIES, RELATIONS, LABELS, PAIRS, GENE_DISEASE, TEXTS = sources(
    "entities", "relations", "labels", "pairs", "gene_disease", "texts"
)
