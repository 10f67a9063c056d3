"""Corpora of documents in which entities and relations are annotated."""
