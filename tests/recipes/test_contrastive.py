"""The contrastive recipe end to end on tiny encoders: what it trains, records, resumes, reloads and refuses."""

import json
import shutil
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from datasets import Dataset, DatasetDict
from sentence_transformers import SentenceTransformer
from transformers import MegatronBertConfig, MegatronBertModel, TrainerCallback
from typer.testing import CliRunner

from bioft import metrics
from bioft.cards import model as cards
from bioft.cli import main as cli
from bioft.datasets.hpo import terms as hpo_terms
from bioft.errors import BioftError
from bioft.export import merge as merging
from bioft.metrics import alignment
from bioft.storage import datasets as storage, runs, yaml_config
from bioft.tasks.name_alignment import scorer as alignment_scorer
from bioft.tasks.retrieval import encoder as contrastive, predict as retrieval_prediction
from bioft.training import presets
from bioft.verify import verify as verification
from tests import said
from tests.metabolite_samples import write_namespace
from tests.recipe import command_line, load_recipe, run_recipe
from tests.tiny import encoder_tokenizer, write_encoder

PRESETS = ("default", "articles", "metabolites", "biomegatron", "pubmedbert")
TRAINING = {"num_train_epochs": 2, "learning_rate": 1e-3, "per_device_train_batch_size": 16, "logging_steps": 2}


@pytest.fixture(scope="module")
def recipe() -> ModuleType:
    return load_recipe("contrastive")


@pytest.fixture(scope="module")
def folder(part_of_hpo_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny encoder, a namespace of 64 names and a dataset of pairs."""
    folder = tmp_path_factory.mktemp("contrastive")
    write_encoder(folder / "model")
    write_megatron(folder / "megatron")
    write_namespace(folder / "names.tsv")
    dataset, manifest = hpo_terms.build_synonyms(directory=part_of_hpo_folder)
    small = DatasetDict({split: rows.select(range(min(40, len(rows)))) for split, rows in dataset.items()})
    manifest["fingerprints"] = {split: storage.fingerprint(rows) for split, rows in small.items()}
    manifest["rows"] = {split: {"pairs": len(rows)} for split, rows in small.items()}
    manifest["builder"] = "a part of HPO's synonyms"
    storage.save(small, manifest, folder / "pairs")
    return folder


def write_megatron(folder: Path) -> None:
    """Write a random encoder of BioMegatron's architecture."""
    tokenizer = encoder_tokenizer("bert")
    config = MegatronBertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=128,
        pad_token_id=tokenizer.pad_token_id,
    )
    MegatronBertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def options(preset: str, folder: Path, output: Path, **more: object) -> list[str]:
    model = folder / ("megatron" if preset == "biomegatron" else "model")
    values = {"config": preset, "model_name_or_path": model, "output_dir": output}
    if preset in ("metabolites", "biomegatron"):
        values["namespace"] = folder / "names.tsv"
    else:
        values["dataset"] = folder / "pairs"
    if "trained_layers" in yaml_config.load_config(presets.resolve_config("contrastive", preset)):
        values["trained_layers"] = 1  # of six; the tiny encoder has two
    return command_line(**values | more)


@pytest.fixture(scope="module")
def finished(recipe: ModuleType, folder: Path) -> Path:
    """A finished run on metabolite names, trained whole, shared by the tests below."""
    run_recipe(recipe, *options("metabolites", folder, folder / "run", **TRAINING))
    return folder / "run"


def test_it_says_nothing_that_bioft_did_not_choose_to_say(finished: Path) -> None:
    said.check(finished)


def test_the_run_directory_is_complete_and_safe(finished: Path) -> None:
    record = runs.read(finished)
    runs.check_files(finished, record)
    expected = {"model.safetensors", "modules.json", "predictions.parquet", "plots/loss.png", alignment_scorer.FILE}
    assert expected <= record["files"].keys()
    forbidden = {".bin", ".pt", ".pth", ".pkl"}
    assert not [path for path in finished.rglob("*") if path.suffix in forbidden or "checkpoint" in path.name]
    assert set(record["baselines"]) >= {"exact", "normalised", "tfidf", "rapidfuzz", "aligner_without_encoder"}
    for figures in (record["metrics"], record["base_model_metrics"], *record["baselines"].values()):
        assert set(figures) == set(alignment.METRICS)
        for name, figure in figures.items():
            assert figure["low"] <= figure["value"] <= figure["high"], name
    assert record["dataset"]["queries"]["rows"]["test"]["queries"] == record["metrics"]["accuracy"]["n"]
    assert record["packages"]["sentence-transformers"]
    card = (finished / "README.md").read_text()
    assert "library_name: sentence-transformers" in card and "bioft align draft.xml" in card
    assert str(finished.parent) not in card
    drawn = {path.stem for path in (finished / "plots").iterdir()}
    assert drawn == {"loss", "learning_rate", "similarity", "text_lengths", "dataset", "metrics"}


def test_recorded_metrics_follow_from_the_predictions(finished: Path) -> None:
    record = runs.read(finished)
    table = pd.read_parquet(finished / "predictions.parquet")
    right = [given in gold.split("|") for given, gold in zip(table.prediction, table.label, strict=True)]
    assert np.mean(right) == pytest.approx(record["metrics"]["accuracy"]["value"])
    assert table.score.between(0, 1).all()
    assert set(metrics.names()) >= {"alignment", "retrieval"}


def test_the_run_is_reloaded_and_aligns(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, _ = contrastive.load_run(finished)
    plain = SentenceTransformer(str(finished), device="cpu")
    np.testing.assert_allclose(model.encode("3-oxohexanoate"), plain.encode("3-oxohexanoate"), atol=1e-6)
    monkeypatch.setenv("BIOFT_CACHE", str(tmp_path / "cache"))
    names = tmp_path / "names.txt"
    names.write_text("2 hydroxy pentanoate\n")
    command = ["align", str(names), "--namespace", str(finished.parent / "names.tsv"), "--run", str(finished)]
    result = CliRunner().invoke(cli.app, [*command, "-o", str(tmp_path / "out.tsv")])
    assert result.exit_code == 0, result.output
    assert "m01" in (tmp_path / "out.tsv").read_text() and "without an encoder" not in result.output


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_trains(preset: str, recipe: ModuleType, folder: Path, tmp_path: Path) -> None:
    """One step of the preset as shipped, with its loss, adapter and kinds of pairs."""
    shipped = yaml_config.load_config(presets.resolve_config("contrastive", preset))
    more = {"matryoshka_dimensions": 8} if preset == "default" else {}
    run_recipe(recipe, *options(preset, folder, tmp_path / "run", max_steps=1, per_device_train_batch_size=4, **more))
    record = runs.read(tmp_path / "run")
    assert record["contrastive"]["matryoshka_dimensions"] == ([8] if more else None)
    found = record["contrastive"]["hard_negatives_found"]
    if more:
        rows, _ = storage.load(folder / "pairs")
        assert found["mined"] + found["drawn"] == len(set(rows["train"]["anchor"]))
    else:
        assert found == {}
    assert record["contrastive"]["loss"] == shipped["loss"] and record["training"]["steps"] == 1
    assert record["task"] == ("name-alignment" if preset in ("metabolites", "biomegatron") else "text-retrieval")
    assert ("adapter_model.safetensors" in record["files"]) == bool(shipped.get("use_peft"))
    if not shipped.get("use_peft"):
        return
    model, _ = contrastive.load_run(tmp_path / "run")
    assert {type(module).__name__ for module in model.modules()} >= {"PeftModelForFeatureExtraction"}
    targets = json.loads((tmp_path / "run" / "adapter_config.json").read_text())["target_modules"]
    assert set(targets) == set(shipped["lora_target_modules"])
    # Pairs, or the names of a namespace: the test examples of either are read again.
    merging.merge(tmp_path / "run", tmp_path / "merged")
    whole = SentenceTransformer(str(tmp_path / "merged"), device="cpu")
    np.testing.assert_allclose(whole.encode("kidney pain"), model.encode("kidney pain"), atol=1e-4)


def test_every_preset_is_among_those_tested() -> None:
    assert {preset.name for preset in presets.list_presets() if preset.recipe == "contrastive"} == set(PRESETS)


def test_an_adapter_embeds_after_reloading_as_in_its_training(
    recipe: ModuleType, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[np.ndarray] = []
    texts = storage.load(folder / "pairs")[0]["test"]["anchor"][:3]
    original = retrieval_prediction.predict

    def watched(model: SentenceTransformer, *args: Any) -> pd.DataFrame:
        seen.append(model.encode(texts))
        return original(model, *args)

    monkeypatch.setattr(retrieval_prediction, "predict", watched)
    run_recipe(recipe, *options("default", folder, tmp_path / "run", **TRAINING, use_peft=True, lora_r=4))
    model, _ = contrastive.load_run(tmp_path / "run")
    (trained,) = seen
    np.testing.assert_allclose(model.encode(texts), trained, atol=1e-5)


def test_dry_run_writes_nothing(
    recipe: ModuleType, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    run_recipe(recipe, *options("default", folder, tmp_path / "run", dry_run=True))
    shown = capsys.readouterr().out
    assert "anchor:" in shown and "Trainable parameters" in shown and "Steps: 1 of 64" in shown
    assert not (tmp_path / "run").exists()


class KilledError(Exception):
    pass


class KillAfterSaving(TrainerCallback):
    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        raise KilledError


def test_a_killed_run_resumes(
    recipe: ModuleType, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second start goes on from the checkpoint of the first, and ends with the same model."""
    words = {**TRAINING, "save_strategy": "steps", "save_steps": 2}
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    run_recipe(recipe, *options("default", folder, whole, **words))
    with monkeypatch.context() as patch:
        trainer = partial(recipe.SentenceTransformerTrainer, callbacks=[KillAfterSaving()])
        patch.setattr(recipe, "SentenceTransformerTrainer", trainer)
        with pytest.raises(KilledError):
            run_recipe(recipe, *options("default", folder, cut, **words))
    assert not (cut / runs.RECORD).exists()
    run_recipe(recipe, *options("default", folder, cut, **words))
    assert runs.read(cut)["training"]["resumed_from"] == 2
    first, second = (SentenceTransformer(str(path), device="cpu").encode("kidney") for path in (whole, cut))
    np.testing.assert_allclose(first, second, atol=1e-5)


def test_data_that_does_not_suit_is_refused(recipe: ModuleType, folder: Path, tmp_path: Path) -> None:
    other = DatasetDict({split: Dataset.from_dict({"text": ["a"]}) for split in ("train", "validation", "test")})
    manifest = {
        "schema_version": 1,
        "rows": {},
        "fingerprints": {split: storage.fingerprint(rows) for split, rows in other.items()},
    }
    storage.save(other, manifest, tmp_path / "other")
    with pytest.raises(BioftError, match="no dataset of pairs of texts"):
        run_recipe(recipe, *options("default", folder, tmp_path / "run", dataset=tmp_path / "other"))
    with pytest.raises(BioftError, match="is not in"):
        run_recipe(recipe, *options("metabolites", folder, tmp_path / "run", modelseed=tmp_path))
    with pytest.raises(BioftError, match="one on text-retrieval or name-alignment is needed"):
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "elsewhere" / "run.json").write_text(
            '{"schema_version": 1, "recipe": "sft_gda", "task": "gene-disease"}'
        )
        contrastive.load_run(tmp_path / "elsewhere")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("kind", ["names", "texts"])
def test_a_finished_run_is_verified_and_a_forged_one_is_not(
    kind: str, finished: Path, recipe: ModuleType, folder: Path, tmp_path: Path
) -> None:
    run, data = finished, None
    if kind == "texts":
        run, data = tmp_path / "run", folder / "pairs"
        run_recipe(recipe, *options("default", folder, run, max_steps=2))
    found = verification.verify(run, dataset_path=data, progress=False)
    expected = "verified" if kind == "names" else "verified on the publisher's data"
    assert (found.status, found.reasons) == (expected, [])
    record = runs.read(run)
    stated = {(name, metric) for name, figures in record["baselines"].items() for metric in figures}
    figures = {(f.model, f.metric) for f in found.figures if f.model != "base, zero-shot"}
    assert figures == stated | {("fine-tuned", name) for name in record["metrics"]}

    copy = tmp_path / "forged"
    shutil.copytree(run, copy)
    table = pd.read_parquet(copy / "predictions.parquet")
    table.assign(prediction=table["prediction"].to_numpy()[::-1]).to_parquet(copy / "predictions.parquet", index=False)
    first = next(iter(record["baselines"].values()))
    for figure in first.values():
        figure |= {"value": 0.01, "low": 0.0, "high": 0.02}
    record["files"] = runs.checksums(copy)
    (copy / runs.RECORD).write_text(json.dumps(record))
    (copy / runs.CARD).write_text(cards.model_card(record))
    reasons = "\n".join(verification.verify(copy, dataset_path=data, progress=False).reasons)
    assert "are not what the model gives" in reasons and "outside the recorded intervals" in reasons
