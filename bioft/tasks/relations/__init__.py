"""Relation extraction: candidate pairs of concepts, marked in their text."""
