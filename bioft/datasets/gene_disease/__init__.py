"""Gene–disease pairs: sources, negatives, splits, audit and what needs no model."""

from bioft.task import Source

HPO = Source(
    name="hpo",
    title="HPO gene–disease associations",
    build="bioft.datasets.hpo.gene_disease:build",
    purpose="Build gene–disease pairs from the Human Phenotype Ontology, which is installed with bioft.",
)
CTD = Source(
    name="ctd",
    title="CTD curated gene–disease associations",
    build="bioft.datasets.gene_disease.ctd:build",
    purpose="Build gene–disease pairs from a file of the Comparative Toxicogenomics Database.",
    fetch="ctd",
    download="CTD_curated_genes_diseases.csv.gz",
)
SOURCES = (HPO, CTD)
