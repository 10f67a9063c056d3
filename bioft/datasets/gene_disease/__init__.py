"""Gene–disease pairs: sources, negatives, splits, audit and what needs no model."""

from bioft.datasets import sources

SOURCES = sources("hpo", "ctd")
