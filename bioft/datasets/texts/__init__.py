"""Texts, alone or with labels: splits that keep like texts together, and what needs no model."""

from bioft.task import Source

STOP_REASONS_SAMPLE = Source(
    name="stop_reasons_sample",
    title="the sample of stop reasons of bioft",
    build="bioft.datasets.texts.stop_reasons:build_sample",
    dataset="sample",
)
STOP_REASONS = Source(
    name="stop_reasons",
    title="stop reasons of clinical trials, labelled by experts of Open Targets",
    build="bioft.datasets.texts.stop_reasons:build_gold",
    purpose="Build texts that say why a clinical trial stopped, with their labels.",
)
STOP_REASONS_WEAK = Source(
    name="stop_reasons_weak",
    title="stop reasons of clinical trials with weak labels (predicted by Open Targets' classifier)",
    build="bioft.datasets.texts.stop_reasons:build_weak",
    purpose="Build texts that say why a clinical trial stopped, with labels that a classifier predicted.",
    download="stop_reasons",
)
LABELLED = (STOP_REASONS_SAMPLE, STOP_REASONS, STOP_REASONS_WEAK)
