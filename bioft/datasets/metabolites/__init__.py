"""Names of metabolites: namespaces, models, pairs to train on and queries to be matched."""

from bioft.datasets import sources

SOURCES = sources("metabolites")
