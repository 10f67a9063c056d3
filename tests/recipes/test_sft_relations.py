"""The recipe that asks a language model about relations, on tiny models: from training to every command on its run."""

import json
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from transformers import AutoModelForCausalLM
from typer.testing import CliRunner

from bioft.cli import main as cli
from bioft.datasets.documents import corpus as documents, pubtator
from bioft.datasets.load import load_documents
from bioft.datasets.origin import Origin
from bioft.storage import datasets as storage, runs, yaml_config
from bioft.tasks.relations import candidates as relations, evaluate, predict as prediction
from bioft.tasks.relations.answers import KEY
from bioft.training import presets
from tests import said
from tests.recipe import command_line, load_recipe, run_recipe
from tests.tiny import write_mamba, write_model

ARCHITECTURES = {"default": "llama", "bc5cdr": "llama", "llama3_8b": "llama", "mamba": "mamba"}
"""The architecture of each preset."""
GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="module")
def recipe() -> ModuleType:
    return load_recipe("sft_relations")


def options(preset: str, model: Path, output: Path, **more: object) -> list[str]:
    values = {"config": preset, "model_name_or_path": model, "dataset": "sample", "output_dir": output}
    return command_line(**values | {"max_length": 256, "logging_steps": 1, "warmup_steps": 0} | more)


def run_command(*words: str | Path) -> str:
    result = CliRunner().invoke(cli.app, list(map(str, words)))
    assert result.exit_code == 0, result.output
    return result.output


def test_a_run_is_trained_verified_compared_asked_and_merged(recipe: ModuleType, tmp_path: Path) -> None:
    """Its loss falls, its scores are made again, it stands beside an encoder's run, and a forged score is found."""
    run = tmp_path / "run"
    model = write_model(tmp_path / "model")
    more = {"max_steps": 12, "learning_rate": 1e-2, "lora_r": 4, "dtype": "float32", "threshold": 0.02}
    run_recipe(recipe, *options("default", model, run, **more))
    said.check(run)
    record = runs.read(run)
    kept, losses = record["relations"], [entry["loss"] for entry in record["log_history"] if "loss" in entry]
    assert losses[-1] < losses[0] / 2
    assert kept["prompt"]["share_text"] and kept["prompt"]["question"] == "Does {head} induce {tail}?"
    pairs = kept["training_pairs"]
    assert pairs["candidates"] == pairs["CID"] + pairs[relations.NO_RELATION] and pairs["missed"] == 0
    assert pairs["texts_cut"] > 0 and "Texts are cut at their end" in (run / "README.md").read_text()
    assert {"adapter_model.safetensors", "concepts.json", "predictions.parquet"} <= record["files"].keys()

    found = json.loads(run_command("verify", run, "--json"))
    assert (found["status"], found["reasons"]) == ("verified", [])
    shown = run_command("compare", run, GOLDEN / "runs" / "relations")
    assert "in no ranking" not in shown and "f1, n = 30, test split" in shown

    table = pd.read_parquet(run / "predictions.parquet")
    test = load_documents("sample")[0]["test"].to_list()
    given = [
        pubtator.Document(
            row["document_id"],
            *[row["text"][: row["text"].index(". ") + 1], row["text"][row["text"].index(". ") + 2 :]],
            [pubtator.Mention(e["start"], e["end"], e["text"], e["type"], e["id"]) for e in row["entities"]],
            [],
        )
        for row in test
    ]
    pubtator.write(given, tmp_path / "in.pubtator")
    run_command("predict", run, "--input", tmp_path / "in.pubtator", "--output", tmp_path / "out.pubtator")
    written = {
        (each.document_id, r.type, r.head, r.tail)
        for each in pubtator.read(tmp_path / "out.pubtator")
        for r in each.relations
    }
    assert written == {tuple(key) for key in table[table.prediction == 1][KEY].to_numpy()}

    run_command("merge", run, "--output", tmp_path / "merged")
    whole = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    *loaded, _ = prediction.load(run)
    scores = prediction.score((whole, loaded[1]), test[:3], record).scores
    np.testing.assert_allclose(scores, prediction.score(loaded, test[:3], record).scores, atol=1e-4)
    splits = load_documents("sample")[0]
    for changed in (
        {"texts_cut": kept["texts_cut"] | {"test": {"cut": 0, "of": 30}}},
        {"training_pairs": pairs | {"CID": 1}},
        {"prompt": kept["prompt"] | {"positive": " maybe"}},
    ):
        reasons, _ = evaluate.check_choices(loaded, splits, record | {"relations": kept | changed}, 0.0)
        assert reasons[0].startswith("The record describes how relations are asked for otherwise than it is: ")
        assert next(iter(changed)) in reasons[0]
    assert evaluate.check_files(run, splits, record | {"new_head": True}) == [
        "The record says that the base model has a new head; the model of this run is asked."
    ]
    refused = CliRunner().invoke(cli.app, ["export", str(run), "--to", "onnx", "--output", str(tmp_path / "onnx")])
    assert refused.exit_code == 1 and "`bioft merge` makes one model of it" in " ".join(refused.output.split())

    forged = tmp_path / "forged"
    shutil.copytree(run, forged)
    table["score"] = np.where(table["label"] == 1, 0.9, 0.0)
    table["prediction"] = table["label"]
    table.to_parquet(forged / "predictions.parquet", index=False)
    record["files"] = runs.checksums(forged)
    (forged / runs.RECORD).write_text(json.dumps(record))
    found = json.loads(CliRunner().invoke(cli.app, ["verify", str(forged), "--json"]).stdout)
    assert found["status"] == "not reproduced" and "are not what the model gives" in " ".join(found["reasons"])


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shortest documents of the sample: a state-space model is slow without a GPU."""
    folder = tmp_path_factory.mktemp("few") / "data"
    splits = {}
    for name, split in load_documents("sample")[0].items():
        related = sorted((row for row in split.to_list() if row["relations"]), key=lambda row: len(row["text"]))
        splits[name] = [document(row) for row in related[:4]]
    origin = Origin("pubtator", {}, [], {"license": "mit"})
    dataset, manifest = documents.build(splits, origin, split={"strategy": "given"})
    storage.save(dataset, manifest, folder)
    return folder


def document(row: dict[str, Any]) -> pubtator.Document:
    title, _, abstract = row["text"].partition(". ")
    mentions = [pubtator.Mention(e["start"], e["end"], e["text"], e["type"], e["id"]) for e in row["entities"]]
    stated = [pubtator.Relation(r["type"], r["head"], r["tail"]) for r in row["relations"]]
    return pubtator.Document(row["document_id"], f"{title}.", abstract, mentions, stated)


@pytest.mark.parametrize("preset", ARCHITECTURES)
def test_every_preset_trains_on_its_architecture(preset: str, few: Path, recipe: ModuleType, tmp_path: Path) -> None:
    """One step of the preset as shipped (its LoRA targets, its prompt, 4 bits), and its scores made again."""
    shipped = yaml_config.load_config(presets.resolve_config("sft_relations", preset))
    model, run = tmp_path / "model", tmp_path / "run"
    write_mamba(model) if ARCHITECTURES[preset] == "mamba" else write_model(model, ARCHITECTURES[preset])
    run_recipe(recipe, *options(preset, model, run, dataset=few, max_steps=1, max_length=128))
    record = runs.read(run)
    assert record["training"]["steps"] == 1
    prompt = record["relations"]["prompt"]
    assert (prompt["style"], prompt["share_text"]) == (shipped["prompt_style"], ARCHITECTURES[preset] != "mamba")
    assert record["base_model"]["quantization"] == ("nf4" if shipped["load_in_4bit"] else None)
    config = json.loads((run / "adapter_config.json").read_text())
    if shipped["lora_target_modules"] != "all-linear":
        assert sorted(config["target_modules"]) == sorted(shipped["lora_target_modules"])
    *loaded, _ = prediction.load(run)
    rows = storage.load(few)[0]["test"].to_list()
    table = prediction.candidates_table(rows, prediction.score(loaded, rows, record), 0.5)
    np.testing.assert_allclose(table.score, pd.read_parquet(run / "predictions.parquet").score, atol=1e-5)


def test_every_preset_is_among_those_tested() -> None:
    names = {preset.name for preset in presets.list_presets() if preset.recipe == "sft_relations"}
    assert names == set(ARCHITECTURES)
