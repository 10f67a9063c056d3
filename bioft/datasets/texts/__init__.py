"""Texts, alone or with labels: splits that keep like texts together, and what needs no model."""

from bioft.datasets import sources

LABELLED = sources("stop_reasons_sample", "stop_reasons", "stop_reasons_weak")
