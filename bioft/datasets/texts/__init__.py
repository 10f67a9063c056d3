"""Texts, alone or with labels: splits that keep like texts together, and what needs no model."""
