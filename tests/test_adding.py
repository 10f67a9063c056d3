"""Adding a corpus or a metric is one module and one entry: all else that shows it follows from the entry.

They are those of docs/add_your_own_task.md. A task is added in `tests/docs/test_add_your_own_task.py`, by one file and
one YAML file.
"""

import json
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from bioft import metrics, task as tasks
from bioft.cards import model as cards
from bioft.cli.main import app
from bioft.datasets import texts
from bioft.metrics import report
from bioft.metrics.estimation import estimates
from bioft.storage import datasets as storage
from bioft.task import Source
from bioft.tasks import text_labels
from tests import own_task


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    """A new corpus: its module, and its entry in the task whose data it gives."""
    (tmp_path / "new_corpus.py").write_text(own_task.CORPUS)
    monkeypatch.setattr(texts, "__path__", [*texts.__path__, str(tmp_path)])
    monkeypatch.chdir(tmp_path)
    source: Source = eval(own_task.SOURCE, {"Source": Source})
    monkeypatch.setattr(text_labels, "TASK", replace(text_labels.TASK, sources=(*text_labels.TASK.sources, source)))
    tasks.registered.cache_clear()
    yield source
    monkeypatch.undo()
    sys.modules.pop("bioft.datasets.texts.new_corpus", None)
    tasks.registered.cache_clear()


def test_a_corpus_is_one_module_and_one_entry(corpus: Source) -> None:
    rows = "".join(
        f"{'first' if number % 2 else 'second'} words {number},{'ab'[number % 2]}\n" for number in range(60)
    )
    Path("data.csv").write_text("text,label\n" + rows)
    result = CliRunner().invoke(app, ["build", "new-corpus", "data.csv", "--output", "dataset"])
    assert result.exit_code == 0, result.output
    _, manifest = storage.load(Path("dataset"))
    assert (manifest["builder"], manifest["arguments"]["seed"]) == ("new_corpus", 0)
    card = Path("dataset/README.md").read_text()
    assert "# a new corpus" in card
    assert CliRunner().invoke(app, ["inspect", "dataset"]).exit_code == 0
    assert CliRunner().invoke(app, ["baselines", "dataset"]).exit_code == 0


def test_a_metric_is_one_module_and_one_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "error_rate.py").write_text(own_task.METRIC)
    monkeypatch.setattr(metrics, "__path__", [*metrics.__path__, str(tmp_path)])
    entry = tomllib.loads(own_task.ENTRY)
    monkeypatch.setitem(metrics.TEXTS, "error_rate", entry["error_rate"])
    monkeypatch.setitem(metrics.TEXTS["measures"], "wrong", entry["measures"]["wrong"])

    metric = metrics.load("error_rate", cache_dir=str(tmp_path))
    assert metric.description == "How many answers are wrong." and "confidence" in metric.inputs_description
    found = estimates.nest(metric.compute(predictions=[1, 0, 0, 1] * 10, references=[1, 0, 1, 1] * 10))
    assert found["wrong"]["value"] == 0.25 and found["wrong"]["low"] < 0.25 < found["wrong"]["high"]

    run = Path(__file__).parent / "golden" / "runs" / "text_labels"
    record = json.loads((run / "run.json").read_text())
    for figures in (record["metrics"], record["base_model_metrics"], *record["baselines"].values()):
        figures["wrong"] = found["wrong"]
    card = cards.model_card(record)
    assert "name: share of wrong answers\n" in card and "type: error_rate\n" in card
    assert "| share of wrong answers |" in card
    console = Console(record=True, width=200)
    report.print_results(record, {"wrong": metrics.WORDS["wrong"][1]}, console)
    assert "share of wrong answers" in console.export_text()
