"""The gda metric through `evaluate`: in this process, by path and without a network in fresh ones."""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from datasets import arrow_dataset

import bioft.metrics
from bioft.errors import BioftError
from bioft.metrics import intervals
from tests import warm_process
from tests.metrics.binary import metric_values, metrics_with_intervals

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def gda(tmp_path_factory):
    return bioft.metrics.load("gda", cache_dir=str(tmp_path_factory.mktemp("metrics")))


def data(n=500):
    rng = np.random.default_rng(0)
    scores = rng.random(n)
    return scores, (rng.random(n) < scores).astype(int)


def test_no_name_is_made_for_a_cache_that_nothing_uses(gda, monkeypatch):
    monkeypatch.setattr(arrow_dataset, "generate_fingerprint", None)
    assert gda.compute(predictions=[0.9, 0.2], references=[1, 0])["auroc"] == 1.0


def run_offline(code, tmp_path, *, fresh=True):
    """Run code in an interpreter that can't reach anything: an empty cache, offline, dead proxies.

    One that is not fresh has imported the large libraries already.
    """
    environment = {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY),
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(tmp_path / "hf"),
        "https_proxy": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
    }
    if not fresh:
        exit_code, shown = warm_process.run(tmp_path, [sys.executable, "-c", code], environment)
        assert exit_code == 0, shown
        return shown.strip().splitlines()[-1]
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip().splitlines()[-1]


BOTH_WAYS = """
import json, sys
import evaluate
import bioft.metrics

results = []
for metric in (bioft.metrics.load("gda"), evaluate.load(PATH)):
    scores, labels = [0.9, 0.2, 0.7, 0.4, 0.6, 0.1], [1, 0, 1, 0, 0, 1]
    results.append(metric.compute(predictions=scores, references=labels, threshold=0.3))
print(json.dumps(results))
"""


def test_both_ways_of_loading_offline(tmp_path):
    path = str(REPOSITORY / "bioft" / "metrics" / "gda.py")
    by_name, by_path = json.loads(run_offline(BOTH_WAYS.replace("PATH", repr(path)), tmp_path))
    scores, labels = [0.9, 0.2, 0.7, 0.4, 0.6, 0.1], [1, 0, 1, 0, 0, 1]
    assert by_name == by_path
    assert by_name == metrics_with_intervals(labels, scores, threshold=0.3)


def test_importing_the_package_imports_nothing_heavy(tmp_path):
    loaded = run_offline(
        "import sys, bioft.metrics; print([m for m in ('evaluate', 'scipy', 'numpy') if m in sys.modules])",
        tmp_path,
    )
    assert loaded == "[]"


def test_result_is_flat_and_savable(gda, tmp_path):
    scores, labels = data()
    result = gda.compute(predictions=scores, references=labels)
    expected = {f"{name}{end}" for name in intervals.METRICS for end in ("", "_low", "_high")}
    assert set(result) == expected | {"n", "threshold"}
    assert result["n"] == 500 and result["threshold"] == 0.5
    assert all(type(value) in (float, int) for value in result.values())  # numpy's can't be saved

    import evaluate

    evaluate.save(tmp_path / "result.json", **result)
    assert json.loads((tmp_path / "result.json").read_text())["auroc"] == result["auroc"]


def test_arguments_reach_the_intervals(gda):
    scores, labels = data()
    arguments = {
        "threshold": 0.4,
        "confidence": 0.8,
    }
    groups = np.arange(500) // 5
    result = gda.compute(predictions=scores, references=labels, groups=groups, **arguments)
    assert result == metrics_with_intervals(labels, scores, groups=[groups], **arguments)
    crossed = (groups, np.arange(500) % 7)
    result = gda.compute(predictions=scores, references=labels, groups=crossed, **arguments)
    assert result == metrics_with_intervals(labels, scores, groups=crossed, **arguments)


def test_batches_and_no_intervals(gda):
    scores, labels = data()
    for start in range(0, 500, 128):
        gda.add_batch(predictions=scores[start : start + 128], references=labels[start : start + 128])
    result = gda.compute(confidence=None)
    assert result == {**metric_values(labels, scores), "n": 500, "threshold": 0.5}


def test_bad_input_is_explained_and_the_metric_stays_usable(gda, tmp_path):
    with pytest.raises(BioftError, match="the first is nan at index 1"):
        gda.compute(predictions=[0.1, float("nan")], references=[0, 1])
    with pytest.raises(BioftError, match=r"the first is 3\.2 at index 0"):
        gda.compute(predictions=[3.2, 0.1], references=[0, 1])
    with pytest.raises(BioftError, match=r"the first is 0\.7"):  # and is not cut to 0
        gda.compute(predictions=[0.2, 0.1], references=[0.7, 1])
    with pytest.raises(ValueError, match=r"predictions \(1\) and references \(2\)"):
        bioft.metrics.load("gda", cache_dir=str(tmp_path)).compute(predictions=[0.2], references=[0, 1])
    assert gda.compute(predictions=[0.2, 0.9], references=[0, 1], confidence=None)["accuracy"] == 1


def test_one_class(gda):
    with pytest.warns(UserWarning, match="AUROC is undefined"):
        result = gda.compute(predictions=[0.2, 0.9], references=[1, 1])
    assert result["accuracy"] == 0.5
    assert np.isnan(result["auroc"])


def test_two_metrics_at_once_do_not_mix(tmp_path):
    gda, other = (bioft.metrics.load("gda", cache_dir=str(tmp_path)) for _ in range(2))
    gda.add_batch(predictions=[0.9], references=[1])
    other.add_batch(predictions=[0.9], references=[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert gda.compute(confidence=None)["accuracy"] == 1
        assert other.compute(confidence=None)["accuracy"] == 0


def test_unknown_name():
    with pytest.raises(BioftError, match=r"no metric 'gdaa'.*Did you mean 'gda'"):
        bioft.metrics.load("gdaa")
    with pytest.raises(BioftError, match="Known: gda"):
        bioft.metrics.load("intervals")


def test_a_home_that_may_not_be_written_to_is_no_hindrance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluate.config.HF_METRICS_CACHE", Path(os.devnull) / "metrics")
    found = bioft.metrics.load("gda").compute(predictions=[0.9, 0.2], references=[1, 0])
    assert found["accuracy"] == 1
