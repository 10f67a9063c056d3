"""PubMed and PMC articles: download, reading, pairs by citation and by MeSH."""

from bioft.datasets import sources

SOURCES = sources("pubmed", "pubmed_articles", "pubmed_headings", "pubmed_pairs")
