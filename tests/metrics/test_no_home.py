"""Metrics work for a user without a home, where `evaluate` would keep its files."""

import pytest

from bioft import metrics


def test_a_metric_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluate.config.HF_METRICS_CACHE", "/dev/null/.cache")
    assert metrics.load("gda").compute(predictions=[0, 1], references=[0, 1]) is not None
