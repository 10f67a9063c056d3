"""Entities and the relations between them on one encoder."""
