"""Adding a corpus is one module and one entry: its commands, its card and its terms follow from the entry.

A task is added in `tests/docs/test_add_your_own_task.py`, by one file and one YAML file.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bioft import task as tasks
from bioft.cli.main import app
from bioft.storage import datasets as storage
from bioft.task import Source
from bioft.tasks import text_labels

MODULE = '''
import csv
from pathlib import Path
from typing import Annotated

from bioft.datasets.origin import Origin
from bioft.datasets.texts import labelled
from bioft.storage.files import file_sha256


def build(path: Annotated[Path, "The CSV file."], *, seed: Annotated[int, "Seed of the splits."] = 0):
    """Build the splits of a CSV file."""
    rows = list(csv.DictReader(path.open()))
    return labelled.build(
        [labelled.LabelledText(str(number), row["text"], (row["label"],)) for number, row in enumerate(rows)],
        Origin(
            "new_corpus",
            {},
            [{"name": path.name, "version": "1", "sha256": file_sha256(path), "bytes": path.stat().st_size}],
            {"license": "other", "terms": "Made up.", "citation": "Nobody."},
        ),
        labels=["a", "b"], multi_label=False, label_source="expert", trial_field="text",
        validation_size=0.1, test_size=0.2, seed=seed,
    )
'''


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    """A new corpus: its module, and its entry in the task whose data it gives."""
    (tmp_path / "new_corpus.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    source = Source(name="new_corpus", title="a new corpus", build="new_corpus:build", purpose="Build a new corpus.")
    monkeypatch.setattr(text_labels, "TASK", replace(text_labels.TASK, sources=(*text_labels.TASK.sources, source)))
    tasks.registered.cache_clear()
    yield source
    monkeypatch.undo()
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
