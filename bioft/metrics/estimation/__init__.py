"""Estimates: what metrics are made of, with their intervals and tests, by what examples share."""
