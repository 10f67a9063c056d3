"""PubMed and PMC articles: download, reading, pairs by citation and by MeSH."""
