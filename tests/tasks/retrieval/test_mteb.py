"""Tasks of MTEB on a finished run: tasks of mteb's own kinds with texts in memory, tiny encoders, what goes wrong."""

import importlib
import json
import sys
from pathlib import Path

import pytest
from datasets import Dataset, DatasetDict, config
from huggingface_hub import constants
from mteb.abstasks import AbsTaskSTS
from mteb.abstasks.task_metadata import TaskMetadata
from scipy.stats import spearmanr
from typer.testing import CliRunner

from bioft.cli.main import app
from bioft.errors import BioftError
from bioft.models import base as models, embedded
from bioft.storage import runs
from bioft.tasks.retrieval import encoder as contrastive, mteb as mteb_evaluation
from bioft.tasks.retrieval.encoder import ContrastiveArguments
from tests.tiny import write_encoder

RUNNER = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"})
ROWS = {
    "sentence1": ["heart pain", "renal failure", "fever", "fracture of the arm"],
    "sentence2": ["chest pain", "kidney failure", "broken leg", "broken arm"],
    "score": [5.0, 4.0, 0.0, 3.0],
}


class InMemory(AbsTaskSTS):
    """Four pairs of texts that need no network."""

    metadata = TaskMetadata(
        name="FourPairs",
        dataset={"path": "none/four-pairs", "revision": "1"},
        description="Pairs of a few words.",
        type="STS",
        category="t2t",
        eval_splits=["test"],
        eval_langs=["eng-Latn"],
        main_score="cosine_spearman",
    )
    min_score, max_score = 0, 5

    def load_data(self, **options: object) -> None:
        self.dataset = DatasetDict({"test": Dataset.from_dict(ROWS)})
        self.data_loaded = True


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose encoder is not its base model."""
    folder = tmp_path_factory.mktemp("mteb")
    base = models.resolve_base_model(str(write_encoder(folder / "base")))
    model = contrastive.load_model(base, ContrastiveArguments(max_length=16))
    for parameter in model[0].model.embeddings.parameters():
        parameter.data += 0.5 * parameter.data.sign()
    return write_run(model, base, folder / "run")


def write_run(model: object, base: embedded.BaseModel, folder: Path) -> Path:
    contrastive.save(model, base, folder)
    named = {"id": base.id, "revision": None, "sha256": base.sha256, "name_or_path": base.path}
    record = {
        "schema_version": 1,
        "name": "tiny",
        "recipe": "contrastive",
        "task": "text-retrieval",
        "base_model": named,
    }
    record |= {"contrastive": {"max_length": 16}}
    (folder / runs.RECORD).write_text(json.dumps(record | {"files": runs.checksums(folder)}))
    return folder


def test_both_encoders_are_measured_by_the_task(finished: Path, tmp_path: Path) -> None:
    """The figures are the correlations that SciPy finds for the encoders' cosines."""
    (row,) = mteb_evaluation.evaluate(finished, [InMemory()], tmp_path / "out")
    encoders = {
        "base": contrastive.load_model(
            models.resolve_base_model(str(finished.parent / "base")), ContrastiveArguments(max_length=16)
        ),
        "fine-tuned": contrastive.load_run(finished)[0],
    }
    for name, encoder in encoders.items():
        first, second = (
            encoder.encode(ROWS[column], normalize_embeddings=True) for column in ("sentence1", "sentence2")
        )
        assert row[name] == pytest.approx(spearmanr((first * second).sum(axis=1), ROWS["score"])[0], abs=1e-6)
        stated = json.loads((tmp_path / "out" / "FourPairs" / f"{name}.json").read_text())
        assert stated["scores"]["test"][0]["main_score"] == pytest.approx(row[name])
    assert row["base"] != row["fine-tuned"], "two encoders"
    assert row["difference"] == row["fine-tuned"] - row["base"]
    assert json.loads((tmp_path / "out" / "summary.json").read_text()) == [row]


def test_what_was_measured_is_not_measured_again_nor_mixed(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = mteb_evaluation.evaluate(finished, [InMemory()], tmp_path / "out")
    with monkeypatch.context() as patch:
        patch.setattr(mteb_evaluation, "_load_data", lambda task: pytest.fail("evaluated again"))
        assert mteb_evaluation.evaluate(finished, [InMemory()], tmp_path / "out") == rows
    base = models.resolve_base_model(str(finished.parent / "base"))
    other = write_run(contrastive.load_model(base, ContrastiveArguments(max_length=16)), base, tmp_path / "other")
    with pytest.raises(BioftError, match="results of another run"):
        mteb_evaluation.evaluate(other, [InMemory()], tmp_path / "out")
    with pytest.raises(BioftError, match="no folder of MTEB results"):
        mteb_evaluation.evaluate(other, [InMemory()], other)


def test_the_command(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registered task by its name, in any case; a wrong name; a task of MTEB without a network."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(config, "HF_HUB_OFFLINE", True)
    registry = importlib.import_module("mteb.get_tasks")  # mteb.get_tasks itself is a function
    monkeypatch.setattr(registry, "TASK_LIST", (*registry.TASK_LIST, InMemory))
    monkeypatch.setitem(registry._TASKS_REGISTRY, "FourPairs", InMemory)

    def run(*words: str, code: int = 0) -> str:
        result = RUNNER.invoke(app, ["mteb", str(finished), *words, "--output", str(tmp_path / "out")])
        assert result.exit_code == code and "Traceback" not in result.output, result.output
        return result.output + result.stderr

    shown = run("fourpairs")
    assert "FourPairs" in shown and "cosine_spearman" in shown and "summary.json" in shown
    assert "no task 'NFCorpsu'. Did you mean 'NFCorpus'" in run("NFCorpsu", code=1)
    shown = run("BIOSSES", code=1)
    assert "The data of BIOSSES can't be had" in shown and "mteb/biosses-sts" in shown
    assert not (tmp_path / "out" / "BIOSSES").exists()


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mteb", None)
    with pytest.raises(BioftError, match=r"pip install 'bioft\[mteb\]'"):
        mteb_evaluation.find_tasks(["NFCorpus"])
