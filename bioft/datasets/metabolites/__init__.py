"""Names of metabolites: namespaces, models, pairs to train on and queries to be matched."""

from bioft.task import Source

METABOLITES = Source(
    name="metabolites",
    title="names of metabolites",
    build="bioft.datasets.metabolites.build:build",
    purpose="Build pairs of metabolite names: of the same compound, and of others that look alike.",
)
SOURCES = (METABOLITES,)
