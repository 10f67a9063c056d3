"""Texts found by their embeddings: contrastive encoders, rankings, similarity."""
