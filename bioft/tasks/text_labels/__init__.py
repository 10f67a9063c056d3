"""Texts with one label or several."""
