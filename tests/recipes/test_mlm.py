"""The masked-language-model recipe end to end on tiny encoders: trains, records, resumes, reloads, refuses."""

import json
import re
import shutil
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel, AutoModelForMaskedLM, AutoTokenizer

from bioft.datasets.documents import sample
from bioft.datasets.load import load_texts
from bioft.errors import BioftError
from bioft.models import base as models
from bioft.storage import files, runs
from bioft.tasks.masked_lm import evaluate as masked_evaluation, models as masked_models
from bioft.tasks.masked_lm.models import use_masked_head
from bioft.training import presets
from bioft.verify import verify as verification
from tests import said
from tests.recipe import command_line, load_recipe, run_recipe
from tests.tiny import write_encoder

ARCHITECTURES = {
    "default": "bert",
    "trials": "bert",
    "clinicaltrialbiobert": "bert",
    "clinicaltrialbiobert_strong": "bert",
}
"""The architecture of each preset."""
TRAINING = {"num_train_epochs": 6, "learning_rate": 1e-2, "per_device_train_batch_size": 4, "eval_strategy": "no"}
TRAINING["test_size"] = 0.4  # enough texts for intervals to tell what was learnt


@pytest.fixture(scope="module")
def recipe() -> ModuleType:
    return load_recipe("mlm")


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BIOFT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made-up trial records whose summaries are the documents of the sample corpus."""
    documents = [row for split in sample.build()[0].values() for row in split]
    path = tmp_path_factory.mktemp("trials") / "trials.json"
    studies = [
        {
            "protocolSection": {
                "identificationModule": {"nctId": f"NCT{number:08d}", "briefTitle": row["text"].split(".")[0]},
                "descriptionModule": {"briefSummary": row["text"]},
            }
        }
        for number, row in enumerate(documents)
    ]
    path.write_text(json.dumps(studies))
    return path


def options(preset: str, model: Path, trials: Path, output: Path, **more: object) -> list[str]:
    values = {
        "config": preset,
        "model_name_or_path": model,
        "dataset": "trials",
        "dataset_path": trials,
        "block_length": 64,
        "output_dir": output,
    }
    return command_line(**values | more)


@pytest.fixture(scope="module")
def finished(recipe: ModuleType, trials: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of LoRA with a new head on a tiny BERT without one, shared by the tests below."""
    folder = tmp_path_factory.mktemp("finished")
    model = write_encoder(folder / "model")
    AutoModel.from_pretrained(model).save_pretrained(model)  # with a pooler, as checkpoints of BERT have one
    run_recipe(recipe, *options("default", model, trials, folder / "run", **TRAINING))
    return folder / "run"


def test_it_says_nothing_that_bioft_did_not_choose_to_say(finished: Path) -> None:
    said.check(finished)


def test_the_record_holds_what_was_done_and_found(finished: Path) -> None:
    record = runs.read(finished)
    runs.check_files(finished, record)
    assert record["task"] == "masked-language-model"
    assert record["new_head"] == ["cls.predictions.transform.LayerNorm", "cls.predictions.transform.dense"]
    assert record["packing"]["texts_kept_apart"] is True
    assert record["masking"]["block_length"] == 64
    assert record["training"]["trainable_parameters"] < record["training"]["total_parameters"] / 2
    assert set(record["metrics"]) == {"masked_accuracy", "perplexity"}
    assert "dataset" in record and record["dataset"]["left_out"] == {}
    card = (finished / "README.md").read_text()
    assert "AutoModelForMaskedLM.from_pretrained" in card
    assert "bioft predict" not in card


def test_training_teaches_it_something(finished: Path) -> None:
    record = runs.read(finished)
    assert record["metrics"]["perplexity"]["high"] < record["base_model_metrics"]["perplexity"]["low"]
    assert record["adaptation"]["low"] > 0


def test_figures_follow_from_the_predictions(finished: Path) -> None:
    record = runs.read(finished)
    table = pd.read_parquet(finished / "predictions.parquet")
    assert len(table) == record["metrics"]["masked_accuracy"]["n"] == record["dataset"]["rows"]["test"]["texts"]
    for prefix, figures in (
        ("", record["metrics"]),
        ("base_", record["base_model_metrics"]),
        ("baseline_frequency_", record["baselines"]["frequency"]),
    ):
        accuracy = table[f"{prefix}correct"].sum() / table["hidden"].sum()
        assert figures["masked_accuracy"]["value"] == pytest.approx(accuracy)
        assert figures["perplexity"]["value"] == pytest.approx(
            np.exp(table[f"{prefix}loss"].sum() / table["hidden"].sum())
        )


def test_a_reloaded_run_answers_as_recorded(finished: Path, trials: Path) -> None:
    """Adapter and new head, loaded on the base as the card says, give the recorded predictions."""
    record = runs.read(finished)
    model, tokenizer = models.load_trained_encoder(finished, record["base_model"], AutoModelForMaskedLM)
    texts = load_texts("trials", dataset_path=str(trials), test_size=TRAINING["test_size"])[0]["test"]["text"]
    questions = masked_evaluation.fixed_questions(texts, tokenizer, 64)
    found = masked_evaluation.answer(use_masked_head(model), tokenizer, questions)
    table = pd.read_parquet(finished / "predictions.parquet")
    np.testing.assert_array_equal(found.correct, table["correct"])
    np.testing.assert_allclose(found.loss, table["loss"], rtol=1e-4)


def test_the_adapted_encoder_is_a_base_model_for_other_tasks(finished: Path) -> None:
    base = masked_models.load_adapted_encoder(finished)
    encoder, tokenizer = models.load_encoder(base, AutoModel)
    record = runs.read(finished)
    adapted, _ = models.load_trained_encoder(finished, record["base_model"], AutoModelForMaskedLM)
    batch = tokenizer(["Lithium was given to 12 patients."], return_tensors="pt")
    with torch.no_grad():
        ours = encoder.eval()(**batch).last_hidden_state
        adapted.eval()
        expected = adapted.get_base_model().base_model(**batch).last_hidden_state
        original = AutoModel.from_pretrained(finished.parent / "model").eval()
        assert not torch.allclose(original(**batch).last_hidden_state, expected, atol=1e-2)
    torch.testing.assert_close(ours, expected, atol=1e-4, rtol=1e-3)
    # What masked-language-model training leaves alone is still there: the pooler, which classifiers use.
    torch.testing.assert_close(encoder.pooler.dense.weight, original.pooler.dense.weight)
    assert masked_models.load_adapted_encoder(finished) == base
    assert {path.suffix for path in Path(base.path).iterdir()} <= {".json", ".safetensors", ".txt"}


def test_a_run_is_verified_and_a_false_figure_is_found(finished: Path, trials: Path, tmp_path: Path) -> None:
    found = verification.verify(finished, dataset_path=trials, progress=False)
    assert found.status == "verified", found.reasons
    assert {figure.metric: figure.equal for figure in found.figures}["masked_accuracy"]
    assert found.predictions is not None and found.predictions.label_flips == 0
    forged = shutil.copytree(finished, tmp_path / "forged")
    table = pd.read_parquet(forged / "predictions.parquet")
    table["correct"] = table["hidden"]
    table.to_parquet(forged / "predictions.parquet", index=False)
    record = json.loads((forged / "run.json").read_text())
    record["files"]["predictions.parquet"] = files.file_sha256(forged / "predictions.parquet")
    (forged / "run.json").write_text(json.dumps(record))
    found = verification.verify(forged, dataset_path=trials, progress=False)
    assert found.status == "not reproduced"
    reasons = "\n".join(found.reasons)
    assert "predictions are not what the model gives" in reasons and "other answers to masked tokens" in reasons
    assert "figures that do not follow" in reasons and "fine-tuned: masked_accuracy" in reasons


def test_only_a_run_on_this_task_has_an_adapted_encoder(finished: Path, tmp_path: Path) -> None:
    record = json.loads((finished / "run.json").read_text()) | {"task": "entity-recognition"}
    (tmp_path / "run.json").write_text(json.dumps(record))
    with pytest.raises(BioftError, match=r"is a run on entity-recognition; one on masked-language-model is needed"):
        masked_models.load_adapted_encoder(tmp_path)


def test_a_whole_model_can_be_trained_and_then_has_a_head(
    recipe: ModuleType, finished: Path, trials: Path, tmp_path: Path
) -> None:
    """Trained whole, a RoBERTa; a second run starts from it, with a head that is not new."""
    model = write_encoder(tmp_path / "model", "roberta")
    more = TRAINING | {"use_peft": False, "num_train_epochs": 1, "whole_words": True}
    run_recipe(recipe, *options("default", model, trials, tmp_path / "whole", **more))
    assert "lm_head.bias" in load_file(tmp_path / "whole" / "model.safetensors")
    encoder = masked_models.load_adapted_encoder(tmp_path / "whole")
    assert (Path(encoder.path) / "config.json").is_file()
    lora = TRAINING | {"num_train_epochs": 1, "lora_target_modules": "query"}
    run_recipe(recipe, *options("default", tmp_path / "whole", trials, tmp_path / "second", **lora))
    record = runs.read(tmp_path / "second")
    assert record["new_head"] == []
    before = runs.read(tmp_path / "whole")["metrics"]["masked_accuracy"]["value"]
    assert record["base_model_metrics"]["masked_accuracy"]["value"] == pytest.approx(before)


@pytest.mark.parametrize("preset", ARCHITECTURES)
def test_every_preset_trains_on_its_architecture(
    preset: str, recipe: ModuleType, trials: Path, tmp_path: Path
) -> None:
    """A step of the preset as shipped, but for the data and the length of blocks."""
    model = write_encoder(tmp_path / "model", ARCHITECTURES[preset])
    more = {"max_steps": 1, "eval_strategy": "no", "save_strategy": "no", "per_device_train_batch_size": 2}
    run_recipe(recipe, *options(preset, model, trials, tmp_path / "run", **more))
    record = runs.read(tmp_path / "run")
    assert (record["preset"], record["training"]["steps"]) == (preset, 1)


def test_every_preset_is_tested() -> None:
    assert {preset.name for preset in presets.list_presets() if preset.recipe == "mlm"} == set(ARCHITECTURES)


def test_an_interrupted_run_resumes_to_the_same_result(
    recipe: ModuleType, finished: Path, trials: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = options("default", finished.parent / "model", trials, tmp_path / "run", **TRAINING | {"save_steps": 10})
    steps: Counter[str] = Counter()

    class Killed(recipe.Trainer):  # type: ignore[name-defined,misc]
        def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
            steps["taken"] += 1
            if steps["taken"] > 15:
                raise KeyboardInterrupt
            return super().training_step(*args, **kwargs)

    with monkeypatch.context() as context:
        context.setattr(recipe, "Trainer", Killed)
        with pytest.raises(KeyboardInterrupt):
            run_recipe(recipe, *command)
    run_recipe(recipe, *command)
    resumed, whole = runs.read(tmp_path / "run"), runs.read(finished)
    assert resumed["training"]["resumed_from"] == 10
    assert resumed["metrics"]["masked_accuracy"]["value"] == pytest.approx(
        whole["metrics"]["masked_accuracy"]["value"], abs=1e-6
    )


def test_dry_run_shows_what_is_masked_and_writes_nothing(
    recipe: ModuleType, trials: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_encoder(tmp_path / "model")
    run_recipe(recipe, *options("default", model, trials, tmp_path / "run", dry_run=True))
    shown = capsys.readouterr().out
    assert "Trainable parameters" in shown
    assert re.search(r" ⟦\[MASK\].* = [^⟧]+⟧ ", shown), "in brackets, with what is hidden, and spaces around"
    assert "[CLS][" not in shown and "]##" not in shown
    assert not (tmp_path / "run").exists()


def test_options_of_trials_are_not_for_other_texts() -> None:
    with pytest.raises(BioftError, match="are for the dataset trials"):
        load_texts("hpo_definitions", strip_symbols=True)


def test_what_cannot_work_is_said_before_anything_is_written(recipe: ModuleType, trials: Path, tmp_path: Path) -> None:
    model = write_encoder(tmp_path / "model")
    for more, message in (
        ({"block_length": 4096}, "reads at most 128 tokens"),
        ({"block_length": 4}, "a block needs 8 tokens"),
        ({"dataset": "hpo_definitions"}, "--dataset_path is for another --dataset"),
        ({"dataset_path": tmp_path / "none.json"}, "does not exist"),
        ({"mask_probability": 1.5}, "share between 0 and 1"),
        ({"lora_target_modules": "q_proj"}, "q_proj not in BertForMaskedLM"),
    ):
        with pytest.raises(BioftError, match=message):
            run_recipe(recipe, *options("default", model, trials, tmp_path / "run", **{**more, "dry_run": True}))
    assert not (tmp_path / "run").exists()


def test_a_tokenizer_without_a_mask_token_is_refused(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path / "model")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.mask_token = None
    tokenizer.save_pretrained(folder)
    with pytest.raises(BioftError, match="has no mask token"):
        masked_models.load_masked_lm(models.resolve_base_model(str(folder)), 64)
