"""Runs beside one another: paired tests on the same examples, rankings, and pages that show where each is wrong."""
