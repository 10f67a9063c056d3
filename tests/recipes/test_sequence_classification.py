"""The relation recipe end to end on tiny encoders: what it trains, records, resumes, reloads and refuses."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import AutoModel, AutoModelForSequenceClassification
from typer.testing import CliRunner

from bioft.cli import main as cli
from bioft.datasets.documents import corpus as documents, pubtator
from bioft.datasets.load import load_documents
from bioft.datasets.origin import Origin
from bioft.errors import BioftError
from bioft.metrics import counts, relation_f1
from bioft.models import base as models
from bioft.storage import datasets as storage, runs, yaml_config
from bioft.tasks.entities import predict as entity_prediction
from bioft.tasks.entities.files import FoundRelation
from bioft.tasks.relations import candidates as relations, predict as relation_prediction
from bioft.tasks.relations.answers import KEY
from bioft.training import presets, steps as training_run
from tests import said
from tests.recipe import command_line, load_recipe, run_recipe
from tests.tiny import write_encoder

ARCHITECTURES = {
    "default": "bert",
    "bc5cdr": "bert",
    "scibert": "bert",
    "pubmedbert": "bert",
    "chemdisgene": "bert",
    "biomed_roberta": "roberta",
}
"""The architecture of each preset."""
ENTITIES = Path("tests/golden/runs/entities")
TRAINING = {"num_train_epochs": 3, "learning_rate": 1e-2, "per_device_train_batch_size": 32, "logging_steps": 5}


@pytest.fixture(scope="module")
def recipe() -> ModuleType:
    return load_recipe("sequence_classification")


def options(preset: str, model: Path, output: Path, **more: object) -> list[str]:
    values = {
        "config": preset,
        "model_name_or_path": model,
        "dataset": "sample",
        "max_length": 64,
        "output_dir": output,
    }
    return command_line(**values | more)


@pytest.fixture(scope="module")
def finished(recipe: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on a tiny BERT, trained whole, shared by the tests below."""
    folder = tmp_path_factory.mktemp("finished")
    model = write_encoder(folder / "model")
    run_recipe(recipe, *options("default", model, folder / "run", **TRAINING))
    return folder / "run"


def test_it_says_nothing_that_bioft_did_not_choose_to_say(finished: Path) -> None:
    said.check(finished)


def test_rows() -> list[dict[str, Any]]:
    return load_documents("sample")[0]["test"].to_list()


test_rows.__test__ = False  # type: ignore[attr-defined]


def test_the_run_directory_is_complete_and_safe(finished: Path) -> None:
    record = runs.read(finished)
    runs.check_files(finished, record)
    assert {"model.safetensors", "config.yaml", "predictions.parquet", "concepts.json"} <= record["files"].keys()
    assert {"plots/loss.png", "plots/error_analysis.png"} <= record["files"].keys()
    forbidden = {".bin", ".pt", ".pth", ".pkl", ".npz"}
    assert not [path for path in finished.rglob("*") if path.suffix in forbidden or "checkpoint" in path.name]
    assert record["labels"] == [relations.NO_RELATION, "CID"]
    assert record["relations"]["arguments"] == {"CID": [["Chemical", "Disease"]]}
    few = record["relations"]["threshold_chosen_on"]
    assert few.startswith("default .5: validation has") and record["relations"]["threshold"] == 0.5
    assert (
        record["notes"] == [f"The threshold is the {few}."]
        and record["notes"][0] in (finished / "README.md").read_text()
    )
    assert set(record["baselines"]) == {"co_occurrence", "sentence_co_occurrence", "known_pair", "tfidf"}
    for figures in (record["metrics"], record["base_model_metrics"], *record["baselines"].values()):
        assert {"f1", "precision", "recall", "cid_f1", "macro_f1"} <= figures.keys()
        for name, figure in figures.items():
            assert figure["value"] is None or figure["low"] <= figure["value"] <= figure["high"], name
    assert record["end_to_end"] is None and "end_to_end_f1" not in record["metrics"]
    assert "relation extraction" in (finished / "README.md").read_text()
    assert str(finished.parent) not in (finished / "config.json").read_text(), "no local path is published"


def test_all_candidates_are_trained_on_and_what_is_left_out_is_counted(finished: Path) -> None:
    record = runs.read(finished)
    train = load_documents("sample")[0]["train"].to_list()
    found = relations.candidates(train, {"CID": [("Chemical", "Disease")]})
    pairs = record["relations"]["training_pairs"]
    assert pairs["candidates"] == len(found) == pairs["CID"] + pairs[relations.NO_RELATION]
    assert pairs["missed"] == 0
    assert pairs["texts_without_some_mentions"] > 0, "the tiny vocabulary makes texts longer than 64 tokens"
    assert record["training"]["examples_seen"] == 3 * len(found)


def test_recorded_metrics_follow_from_the_predictions(finished: Path) -> None:
    record = runs.read(finished)
    table = pd.read_parquet(finished / "predictions.parquet")
    assert ((table.score >= record["relations"]["threshold"]).astype(int) == table.prediction).all()
    chosen = table[table.prediction == 1]
    found = {(row.document_id, row.type, row.head, row.tail) for row in chosen.itertuples()}
    expected = {(row["document_id"], *relation) for row, its in annotated() for relation in its}
    assert {tuple(key) for key in table[table.label == 1][KEY].to_numpy()} == expected
    correct = len(found & expected)
    assert record["metrics"]["precision"]["value"] == pytest.approx(correct / len(found))
    assert record["metrics"]["recall"]["value"] == pytest.approx(correct / len(expected))


def annotated() -> list[tuple[dict[str, Any], list[relation_f1.Relation]]]:
    rows = test_rows()
    return list(zip(rows, relation_f1.relations(rows), strict=True))


def test_training_teaches_it_something(finished: Path) -> None:
    """The loss falls; on the few test documents a tiny model is no better than one that says yes to everything."""
    losses = [entry["loss"] for entry in runs.read(finished)["log_history"] if "loss" in entry]
    assert losses[-1] < losses[0]


def found_by(run: Path, rows: list[dict[str, Any]]) -> list[list[FoundRelation]]:
    """The relations that a finished run finds between the entities of documents."""
    model, tokenizer, record = relation_prediction.load(run)
    scores = relation_prediction.score((model, tokenizer), rows, record)
    return scores.found(len(rows), record["relations"]["threshold"])


def test_a_reloaded_run_finds_what_it_recorded(finished: Path) -> None:
    """From documents whose entities are marked, without their relations."""
    table = pd.read_parquet(finished / "predictions.parquet")
    expected = {tuple(key) for key in table[table.prediction == 1][KEY].to_numpy()}
    rows = [{"text": row["text"], "entities": row["entities"]} for row in test_rows()]
    found = found_by(finished, rows)
    ids = [row["document_id"] for row in test_rows()]
    assert {(name, *each[:3]) for name, its in zip(ids, found, strict=True) for each in its} == expected
    scores = table.set_index(KEY)["score"]
    for name, its in zip(ids, found, strict=True):
        for each in its:
            assert each.score == pytest.approx(scores[(name, *each[:3])], abs=1e-5)


def test_predict_relates_the_entities_of_a_pubtator_file(finished: Path, tmp_path: Path) -> None:
    """Mentions and ids stay as they are, the relations are the recorded ones; without entities it says what to do."""
    rows = test_rows()
    given = [
        pubtator.Document(row["document_id"], *title_and_abstract(row), pubtator_mentions(row), []) for row in rows
    ]
    pubtator.write(given, tmp_path / "in.pubtator")
    command = ["predict", str(finished), "--input", str(tmp_path / "in.pubtator")]
    result = CliRunner().invoke(cli.app, [*command, "--output", str(tmp_path / "out.pubtator")])
    assert result.exit_code == 0, result.output
    table = pd.read_parquet(finished / "predictions.parquet")
    expected = {tuple(key) for key in table[table.prediction == 1][KEY].to_numpy()}
    written = list(pubtator.read(tmp_path / "out.pubtator"))
    assert {(d.document_id, r.type, r.head, r.tail) for d in written for r in d.relations} == expected
    assert [d.mentions for d in written] == [d.mentions for d in given]

    result = CliRunner().invoke(cli.app, ["predict", str(finished), "--text", "Naloxone and pain."])
    assert result.exit_code == 1
    assert "give it a .pubtator file with mentions" in " ".join(result.output.split())


def title_and_abstract(row: dict[str, Any]) -> tuple[str, str]:
    title, _, abstract = row["text"].partition(". ")
    return f"{title}.", abstract


def pubtator_mentions(row: dict[str, Any]) -> list[pubtator.Mention]:
    return [pubtator.Mention(e["start"], e["end"], e["text"], e["type"], e["id"]) for e in row["entities"]]


@pytest.mark.parametrize("preset", ARCHITECTURES)
def test_every_preset_trains_on_its_architecture(preset: str, recipe: ModuleType, tmp_path: Path) -> None:
    """One step of the preset as shipped, with its markers and its loss."""
    shipped = yaml_config.load_config(presets.resolve_config("sequence_classification", preset))
    model = write_encoder(tmp_path / "model", ARCHITECTURES[preset])
    more: dict[str, object] = {"max_steps": 1, "per_device_train_batch_size": 4}
    if "trained_layers" in shipped:  # of six; the tiny encoder has two
        more["trained_layers"] = 1
    run_recipe(recipe, *options(preset, model, tmp_path / "run", **more))
    record = runs.read(tmp_path / "run")
    assert record["relations"]["markers"]["style"] == shipped["marker_style"]
    assert record["training"]["steps"] == 1


def test_every_preset_is_among_those_tested() -> None:
    names = {preset.name for preset in presets.list_presets() if preset.recipe == "sequence_classification"}
    assert names == set(ARCHITECTURES)


def test_frozen_layers_stay_as_they_are_and_the_others_are_trained(recipe: ModuleType, tmp_path: Path) -> None:
    model = write_encoder(tmp_path / "model")
    run_recipe(recipe, *options("default", model, tmp_path / "run", **TRAINING, max_steps=2, trained_layers=1))
    before, after = AutoModel.from_pretrained(model), AutoModel.from_pretrained(tmp_path / "run")
    trained = {
        name.split(".")[0] + (f".{name.split('.')[2]}" if name.startswith("encoder") else "")
        for (name, old), new in zip(before.named_parameters(), after.parameters(), strict=True)
        if not torch.equal(old, new)
    }
    assert trained - {"pooler"} == {"encoder.1"}
    record = runs.read(tmp_path / "run")
    assert record["training"]["trainable_parameters"] < record["training"]["total_parameters"]
    with pytest.raises(BioftError, match="trained_layers is 3; BertForSequenceClassification has 2 layers"):
        run_recipe(recipe, *options("default", model, tmp_path / "other", trained_layers=3))


@pytest.mark.parametrize("added", [False, True])
def test_an_adapter_is_reloaded_with_its_head_and_its_markers(added: bool, recipe: ModuleType, tmp_path: Path) -> None:
    """LoRA; the new rows of the vocabulary are saved with it, where markers are tokens of their own."""
    model = write_encoder(tmp_path / "model")
    more = {"use_peft": True, "lora_r": 4, "add_marker_tokens": added, "marker_style": "typed", **TRAINING}
    run_recipe(recipe, *options("default", model, tmp_path / "run", **more, max_steps=4))
    record = runs.read(tmp_path / "run")
    assert "adapter_model.safetensors" in record["files"] and "model.safetensors" not in record["files"]
    table = pd.read_parquet(tmp_path / "run" / "predictions.parquet")
    rows = test_rows()
    found = found_by(tmp_path / "run", rows)
    recorded = table[table.prediction == 1]
    scores = sorted(each.score for its in found for each in its)
    np.testing.assert_allclose(scores, sorted(recorded.score), atol=1e-5)


def test_several_relation_types_make_a_multi_label_classifier(recipe: ModuleType, tmp_path: Path) -> None:
    """A pair may have two relations at once; types that do not take its entity types are never predicted."""
    splits = {name: [multi(row) for row in split.to_list()] for name, split in load_documents("sample")[0].items()}
    origin = Origin("pubtator", {}, [], {"license": "mit"})
    dataset, manifest = documents.build(splits, origin, split={"strategy": "given"})
    storage.save(dataset, manifest, tmp_path / "data")
    model = write_encoder(tmp_path / "model")
    more = {"dataset": tmp_path / "data", "positive_weight": 2.0, **TRAINING, "num_train_epochs": 1}
    run_recipe(recipe, *options("default", model, tmp_path / "run", **more))
    record = runs.read(tmp_path / "run")
    assert record["labels"] == ["CID", "acts on", "causes"]
    assert {"cid_f1", "acts on_f1", "causes_f1"} <= record["metrics"].keys()
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["problem_type"] == "multi_label_classification"
    table = pd.read_parquet(tmp_path / "run" / "predictions.parquet")
    both = table[table.label == 1].groupby(["document_id", "head", "tail"])["type"].agg(set)
    assert {"CID", "causes"} in both.tolist()
    genes = {entity["id"] for row in dataset["test"] for entity in row["entities"] if entity["type"] == "Gene"}
    assert set(table[table.type == "acts on"]["tail"]) <= genes
    assert not set(table[table.type != "acts on"]["tail"]) & genes


def multi(row: dict[str, Any]) -> pubtator.Document:
    """A document of the sample with a second relation for each CID, and one of each chemical with each gene."""
    pairs = [(r["head"], r["tail"]) for r in row["relations"]]
    kept = [pubtator.Relation("CID", *pair) for pair in pairs] + [pubtator.Relation("causes", *pair) for pair in pairs]
    found = relations.candidates([row], {"acts on": [("Chemical", "Gene")]})
    kept += [pubtator.Relation("acts on", candidate.head.id, candidate.tail.id) for candidate in found]
    return pubtator.Document(row["document_id"], *title_and_abstract(row), pubtator_mentions(row), kept)


def entity_record(test_split: str) -> dict[str, Any]:
    """That of a finished run on entities, none of whose files are asked for, of a test split."""
    record = runs.read(ENTITIES) | {"files": {}}
    record["dataset"]["fingerprints"]["test"] = test_split
    return record


def test_end_to_end_figures_stand_beside_those_with_gold_entities(
    recipe: ModuleType, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With perfect entities they differ by what the dictionary cannot link, for the baselines as for the model."""
    entity_run = tmp_path / "entities"
    entity_run.mkdir()
    record = entity_record(runs.read(finished)["dataset"]["fingerprints"]["test"])
    (entity_run / "run.json").write_text(json.dumps(record))
    spans = [[(e["start"], e["end"], e["type"]) for e in row["entities"]] for row in test_rows()]
    perfect = [[entity_prediction.Entity(*span, 1.0) for span in its] for its in spans]
    monkeypatch.setattr(entity_prediction, "predict_with_run", lambda *_: perfect)
    more = TRAINING | {"num_train_epochs": 1, "entity_run": entity_run}
    run_recipe(recipe, *options("default", finished.parent / "model", tmp_path / "run", **more))
    record = runs.read(tmp_path / "run")
    assert record["end_to_end"]["mentions"] == sum(map(len, spans)) > record["end_to_end"]["linked"] > 0
    table = pd.read_parquet(tmp_path / "run" / "predictions_end_to_end.parquet")
    found = {
        row["document_id"]: [
            (r.type, r.head, r.tail) for r in table[table.document_id == row["document_id"]].itertuples()
        ]
        for row in test_rows()
    }
    expected = counts.metrics(
        counts.count(list(found.values()), relation_f1.relations(test_rows()), type_index=0), confidence=None
    )
    assert record["metrics"]["end_to_end_recall"]["value"] == pytest.approx(expected["recall"])
    for figures in (record["metrics"], *record["baselines"].values()):
        assert figures["end_to_end_recall"]["value"] <= figures["recall"]["value"]


def test_an_entity_run_on_other_documents_is_refused(recipe: ModuleType, finished: Path, tmp_path: Path) -> None:
    """It may have been trained on these test documents."""
    (tmp_path / "run.json").write_text(json.dumps(entity_record("0" * 64)))
    command = options("default", finished.parent / "model", tmp_path / "run", entity_run=tmp_path)
    with pytest.raises(BioftError, match="has another test split"):
        run_recipe(recipe, *command)
    assert not (tmp_path / "run").exists(), "a run that could not start leaves nothing"


def test_a_run_that_broke_off_goes_on_from_its_checkpoint(
    recipe: ModuleType, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends with the very scores of the run that never broke off."""
    command = options("default", finished.parent / "model", tmp_path / "run", **TRAINING)
    monkeypatch.setattr(training_run, "finish", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_recipe(recipe, *command)
    monkeypatch.undo()
    checkpoints = sorted((tmp_path / "run").glob("checkpoint-*"))
    assert checkpoints and not (tmp_path / "run" / "run.json").exists()
    run_recipe(recipe, *command)
    assert runs.read(tmp_path / "run")["training"]["resumed_from"]
    first, second = (pd.read_parquet(folder / "predictions.parquet") for folder in (finished, tmp_path / "run"))
    np.testing.assert_allclose(first.score, second.score, atol=1e-6)


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_training_on_validation_too_leaves_the_threshold_alone(
    recipe: ModuleType, finished: Path, tmp_path: Path
) -> None:
    more = TRAINING | {"train_on": "train+validation", "max_steps": 2}
    run_recipe(recipe, *options("default", finished.parent / "model", tmp_path / "a", **more))
    record = runs.read(tmp_path / "a")
    assert (record["relations"]["threshold"], record["relations"]["threshold_chosen_on"]) == (0.5, "not chosen")
    rows = record["dataset"]["rows"]
    assert record["relations"]["training_pairs"]["CID"] == rows["train"]["CID"] + rows["validation"]["CID"]
    run_recipe(recipe, *options("default", finished.parent / "model", tmp_path / "b", **more, threshold=0.3))
    assert runs.read(tmp_path / "b")["relations"]["threshold"] == 0.3


def test_dry_run_shows_marked_texts_and_writes_nothing(
    recipe: ModuleType, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_recipe(recipe, *options("default", finished.parent / "model", tmp_path / "run", dry_run=True))
    shown = capsys.readouterr().out
    assert "@" in shown and ("→ CID" in shown or "→ no relation" in shown)
    assert "Trainable parameters" in shown
    assert not (tmp_path / "run").exists()


def test_a_checkpoint_with_other_labels_is_refused(recipe: ModuleType, tmp_path: Path) -> None:
    model, tokenizer = models.load_encoder(
        models.resolve_base_model(str(write_encoder(tmp_path / "model"))),
        AutoModelForSequenceClassification,
        id2label={0: "negative", 1: "positive"},
    )
    for part in (model, tokenizer):
        part.save_pretrained(tmp_path / "sentiment")
    with pytest.raises(BioftError, match=r"labels negative, positive.*no relation, CID"):
        run_recipe(recipe, *options("default", tmp_path / "sentiment", tmp_path / "run"))
