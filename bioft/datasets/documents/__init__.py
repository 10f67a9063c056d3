"""Corpora of documents in which entities and relations are annotated."""

from bioft.datasets import sources

SOURCES = sources("sample", "bc5cdr", "chemdisgene", "pubtator")
COLUMNS = ("document_id", "text", "entities", "relations")
ABSTRACTS_ONLY = "Figures hold for abstracts like those of the test split; other kinds of text were not measured."
STATED = "It says what a text states, not whether that is true."
"""Limits of models that are trained on these."""
