"""The joint recipe end to end on tiny encoders: what it trains, records, resumes, reloads, compares and refuses."""

import json
import shutil
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
import torch
from transformers import AutoModel, BertConfig, BertModel, ModernBertConfig, ModernBertForTokenClassification
from typer.testing import CliRunner

from bioft.cli import main as cli
from bioft.datasets.documents import pubtator
from bioft.datasets.load import load_documents
from bioft.errors import BioftError
from bioft.metrics import counts, entity_f1, relation_f1
from bioft.models.embedded import BaseModel
from bioft.storage import runs, yaml_config
from bioft.tasks.entities import predict as entity_prediction
from bioft.tasks.entities.files import Found, InputDocument
from bioft.tasks.joint import evaluate as joint_evaluation, model as joint, predict as joint_prediction
from bioft.tasks.joint.model import load_entity_weights
from bioft.tasks.relations import baselines as relation_baselines
from bioft.training import presets, steps as training_run
from tests import said
from tests.recipe import command_line, load_recipe, run_recipe
from tests.tiny import write_encoder

PRESETS = (
    "default", "bc5cdr", "bc5cdr_entities", "bc5cdr_relations", "bc5cdr_from_entities", "chemdisgene", "scibert",
)  # fmt: skip
ENTITIES = Path("tests/golden/runs/entities")
TRAINING = {"num_train_epochs": 5, "learning_rate": 1e-2, "per_device_train_batch_size": 8, "logging_steps": 5}
SINGLE = TRAINING | {"relation_layer": 1}  # the preset's is the fourth of six layers; the tiny encoder has two


@pytest.fixture(scope="module")
def recipe() -> ModuleType:
    return load_recipe("joint_ner_re")


def options(preset: str, model: Path, output: Path, **more: object) -> list[str]:
    values = {
        "config": preset,
        "model_name_or_path": model,
        "dataset": "sample",
        "window_length": 64,
        "window_overlap": 16,
        "output_dir": output,
    }
    return command_line(**values | more)


@pytest.fixture(scope="module")
def finished(recipe: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on a tiny BERT with both heads, shared by the tests below."""
    folder = tmp_path_factory.mktemp("finished")
    run_recipe(recipe, *options("default", write_encoder(folder / "model"), folder / "run", **TRAINING))
    return folder / "run"


def test_it_says_nothing_that_bioft_did_not_choose_to_say(finished: Path) -> None:
    said.check(finished)


@pytest.fixture(scope="module")
def single(recipe: ModuleType, finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the entity head alone."""
    folder = tmp_path_factory.mktemp("single")
    run_recipe(recipe, *options("bc5cdr_entities", finished.parent / "model", folder / "run", **SINGLE))
    return folder / "run"


def train_entities(model: Path, output: Path, **more: object) -> Path:
    """A finished run of token_classification on the same documents."""
    run_recipe(load_recipe("token_classification"), *options("default", model, output, **TRAINING | more))
    return output


def column(directory: Path, name: str) -> list[list[tuple]]:
    table = pd.read_parquet(directory / "predictions.parquet")
    return [[tuple(item[:3]) for item in json.loads(cell)] for cell in table[name]]


def test_the_run_directory_is_complete_and_safe(finished: Path) -> None:
    record = runs.read(finished)
    runs.check_files(finished, record)
    assert {"model.safetensors", "config.yaml", "predictions.parquet", "concepts.json"} <= record["files"].keys()
    plots = {"plots/loss.png", "plots/error_analysis.png", "plots/relation_error_analysis.png"}
    assert plots <= record["files"].keys()
    forbidden = {".bin", ".pt", ".pth", ".pkl", ".npz"}
    assert not [path for path in finished.rglob("*") if path.suffix in forbidden or "checkpoint" in path.name]
    config = (finished / "config.json").read_text()
    assert "auto_map" not in config, "loading must not need code from a repository"
    assert str(finished.parent) not in config, "no local path is published"
    expected = {"f1", "chemical_f1", "unseen_f1", "relation_f1", "relation_recall", "end_to_end_f1"}
    assert expected <= record["metrics"].keys() == record["base_model_metrics"].keys()
    baselines = {"dictionary", "co_occurrence", "sentence_co_occurrence", "known_pair", "tfidf"}
    assert record["baselines"].keys() == baselines
    for figures in (record["metrics"], record["base_model_metrics"], *record["baselines"].values()):
        for name, figure in figures.items():
            assert figure["value"] is None or figure["low"] <= figure["value"] <= figure["high"], name
    assert "joint" in (finished / "README.md").read_text()


def test_recorded_metrics_follow_from_the_predictions(finished: Path) -> None:
    record = runs.read(finished)
    test = load_documents("sample")[0]["test"]
    assert column(finished, "label") == entity_f1.spans(test)
    assert column(finished, "relation_label") == relation_f1.relations(test)
    for metric, predicted, label, index in (
        ("f1", "prediction", "label", 2),
        ("relation_f1", "relation_prediction", "relation_label", 0),
        ("end_to_end_f1", "end_to_end_prediction", "relation_label", 0),
    ):
        compared = counts.count(column(finished, predicted), column(finished, label), type_index=index)
        assert record["metrics"][metric]["value"] == pytest.approx(counts.metrics(compared, confidence=None)["f1"])


def test_training_teaches_it_entities(finished: Path) -> None:
    record = runs.read(finished)
    assert record["metrics"]["f1"]["low"] > record["base_model_metrics"]["f1"]["high"]


def test_the_best_checkpoint_is_the_one_that_is_kept(finished: Path) -> None:
    """By the mean of both heads' F1 on whole validation documents: the model that was saved has the highest."""
    logged = [entry["eval_f1"] for entry in runs.read(finished)["log_history"] if "eval_f1" in entry]
    assert len(logged) == 5 and len(set(logged)) > 1
    *model, record = joint_prediction.load(finished)
    validation = load_documents("sample")[0]["validation"]
    found = joint_prediction.predict_split(model, validation, record)
    values = joint_evaluation.validation_metrics(validation, found, ("entities", "relations"))
    assert values["f1"] == pytest.approx(max(logged))
    assert values["f1"] == pytest.approx((values["entity_f1"] + values["relation_f1"]) / 2)
    # The threshold is the best one: no worse than the lowest, with which all pairs are related.
    all_pairs = relation_baselines.CoOccurrence().fit(load_documents("sample")[0]["train"]).predict(validation)
    compared = counts.count(all_pairs, relation_f1.relations(validation), type_index=0)
    assert values["relation_f1"] >= counts.metrics(compared, confidence=None)["f1"] > 0


def found_by(run: Path, texts: list[str]) -> list[Found]:
    """What a finished run finds in texts."""
    model = joint_prediction.load(run)
    return joint_prediction.find(model, [InputDocument("text", text) for text in texts], model[-1])


def test_a_reloaded_run_finds_what_it_recorded(finished: Path) -> None:
    """From nothing but the texts; between entities that the dictionary knows, the relations are the recorded ones."""
    test = load_documents("sample")[0]["test"]
    found = found_by(finished, list(test["text"]))
    assert [[entity.span for entity in its.entities] for its in found] == column(finished, "prediction")
    linked = [[each[:3] for each in its.relations or () if "name:" not in each.head + each.tail] for its in found]
    assert [sorted(its) for its in linked] == [sorted(its) for its in column(finished, "end_to_end_prediction")]
    assert isinstance(AutoModel.from_pretrained(finished), joint.JointModel)


def test_predict_writes_entities_and_relations(finished: Path, tmp_path: Path) -> None:
    """Text in, entities and relations out: as JSONL with scores, as PubTator that reads strictly, and as a page."""
    directory = shutil.copytree(finished, tmp_path / "run")
    record = runs.read(directory)
    record["relations"]["threshold"] = 0.0  # so that the tiny model relates something
    (directory / "run.json").write_text(json.dumps(record))
    rows = load_documents("sample")[0]["test"].to_list()[:8]
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps({"id": row["document_id"], "text": row["text"]}) + "\n" for row in rows))
    for name in ("out.jsonl", "out.pubtator"):
        files = ["--input", source, "--output", tmp_path / name, "--html", tmp_path / f"{name}.html"]
        result = CliRunner().invoke(cli.app, ["predict", str(directory), *map(str, files)])
        assert result.exit_code == 0, result.output
    written = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    found = found_by(directory, [row["text"] for row in rows])
    related = [each.relations or () for each in found]
    assert any(related)
    for row, its in zip(written, found, strict=True):
        assert [(e["start"], e["end"], e["type"]) for e in row["entities"]] == [entity.span for entity in its.entities]
        assert [e["id"] for e in row["entities"]] == its.ids
        assert [(r["type"], r["head"], r["tail"]) for r in row["relations"]] == [each[:3] for each in its.relations]
    read = list(pubtator.read(tmp_path / "out.pubtator", allow_empty_abstract=True))
    assert [[(r.type, r.head, r.tail) for r in document.relations] for document in read] == [
        [each[:3] for each in its] for its in related
    ]
    assert "—CID→" in (tmp_path / "out.jsonl.html").read_text()
    shown = CliRunner().invoke(cli.app, ["predict", str(directory), "--text", rows[0]["text"]])
    assert shown.exit_code == 0, shown.output
    assert ("—CID→" in shown.output) == bool(related[0])


def test_relations_hold_between_the_ids_of_a_namespace(finished: Path, tmp_path: Path) -> None:
    """In the place of those of the dictionary of training names."""
    (text, *_) = load_documents("sample")[0]["test"]["text"]
    (found,) = found_by(finished, [text])
    names = sorted({text[entity.start : entity.end] for entity in found.entities})
    rows = [f"C{n}\t{name}\t{name} (of a kind)" for n, name in enumerate(names)]
    rows += [f"X{n}\tsubstance {n} of kind {n % 7}\tkind {n % 7} substance {n}" for n in range(40)]
    (tmp_path / "own.tsv").write_text("id\tname\tsynonyms\n" + "\n".join(rows) + "\n")
    (tmp_path / "in.txt").write_text(text)
    files = ["--input", tmp_path / "in.txt", "--link", tmp_path / "own.tsv", "--output", tmp_path / "out.jsonl"]
    result = CliRunner().invoke(cli.app, ["predict", str(finished), *map(str, files)])
    assert result.exit_code == 0, result.output
    row = json.loads((tmp_path / "out.jsonl").read_text())
    ids = {f"C{n}" for n in range(len(names))}
    assert {each["id"] for each in row["entities"]} <= ids and row["entities"]
    assert {end for each in row["relations"] for end in (each["head"], each["tail"])} <= ids


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_trains_on_its_architecture(preset: str, recipe: ModuleType, tmp_path: Path) -> None:
    """One step of the preset as shipped; a head whose loss has no weight has no metrics and no baselines."""
    model, more = write_encoder(tmp_path / "model"), {"max_steps": 1, "per_device_train_batch_size": 2}
    if "relation_layer" in yaml_config.load_config(presets.resolve_config("joint_ner_re", preset)):
        more["relation_layer"] = 1  # of six; the tiny encoder has two
    if preset == "bc5cdr_from_entities":
        more["start_from"] = train_entities(model, tmp_path / "entities")
    run_recipe(recipe, *options(preset, model, tmp_path / "run", **more))
    record = runs.read(tmp_path / "run")
    assert ("f1" in record["metrics"]) == ("dictionary" in record["baselines"]) == (preset != "bc5cdr_relations")
    assert ("relation_f1" in record["metrics"]) == ("tfidf" in record["baselines"]) == (preset != "bc5cdr_entities")
    assert ("end_to_end_f1" in record["metrics"]) == (
        preset in ("default", "bc5cdr", "bc5cdr_from_entities", "chemdisgene", "scibert")
    )


def test_relations_are_added_to_an_entity_run_and_change_none_of_its_entities(
    recipe: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With no layer trained the new model finds the very entities of the run, and is verified like any other."""
    model = write_encoder(tmp_path / "model")
    entities = train_entities(model, tmp_path / "entities")
    more = {"start_from": entities, "trained_layers": 0, "entity_loss_weight": 0.0, "relation_layer": 1}
    run_recipe(recipe, *options("default", model, tmp_path / "run", **TRAINING | more))
    record = runs.read(tmp_path / "run")
    assert record["joint"]["start_from"] == str(entities)
    assert record["joint"]["start_from_sha256"] == runs.read(entities)["files"]["model.safetensors"]
    assert column(tmp_path / "run", "prediction") == column(entities, "prediction")
    assert record["metrics"]["f1"] == runs.read(entities)["metrics"]["f1"]
    assert record["metrics"]["relation_f1"]["value"] > record["base_model_metrics"]["relation_f1"]["value"]
    result = CliRunner().invoke(cli.app, ["verify", str(tmp_path / "run")])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fingerprints": {"test": "another"}}, "has another test split"),
        ({"id": "another/model"}, "was trained on another/model, not on"),
        ({"train_on": "train+validation"}, "was trained on the validation documents too"),
        ({"labels": ["O", "B-Gene", "I-Gene"]}, "has the tags O, B-Gene, I-Gene; the training documents have O, B-"),
    ],
)
def test_a_run_that_relations_cannot_be_added_to_is_refused(
    recipe: ModuleType, tmp_path: Path, change: dict[str, object], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is written then."""
    model = write_encoder(tmp_path / "model")
    entities = train_entities(model, tmp_path / "entities", max_steps=1)
    record = runs.read(entities)
    for part in (record["dataset"], record["base_model"], record):
        part.update({key: value for key, value in change.items() if key in part})
    monkeypatch.setattr(runs, "read", lambda _: record)
    monkeypatch.setattr(runs, "check_files", lambda *_: None)
    if "labels" in change:  # its weights are then of other tags: what counts is what the record says
        monkeypatch.setattr(entity_prediction, "load", lambda *_, **__: (torch.nn.Linear(1, 1), None, record))
    with pytest.raises(BioftError, match=message):
        run_recipe(recipe, *options("default", model, tmp_path / "run", start_from=entities))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("train_on", "chooses_threshold"), [("train", True), ("train+validation", False)])
def test_an_entity_model_with_more_than_encoder_and_tags_is_refused(train_on: str, chooses_threshold: bool) -> None:
    """Its tags would not be found again without the layers in between.

    What it was trained on is no reason where it can't bias a threshold: that is not what the message is about.
    """
    sizes = {"vocab_size": 32, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1}
    config = ModernBertConfig(**sizes, num_attention_heads=2, num_labels=3, pad_token_id=0)
    labels = ["O", "B-Gene", "I-Gene"]
    record = runs.read(ENTITIES) | {"labels": labels, "train_on": train_on, "files": {}}
    record["base_model"]["id"] = "tiny"
    model = joint.new_model(BertModel(BertConfig(hidden_size=12)), labels, {})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "read", lambda _: record)
        patch.setattr(
            entity_prediction, "load", lambda *_, **__: (ModernBertForTokenClassification(config), None, record)
        )
        with pytest.raises(BioftError, match="has layers between encoder and tags"):
            base = BaseModel("tiny", "tiny", None, "", None, None)
            load_entity_weights("run", model, base, record["dataset"], chooses_threshold)


def test_every_preset_is_among_those_tested() -> None:
    assert {p.name for p in presets.list_presets() if p.recipe == "joint_ner_re"} == set(PRESETS)


def test_single_presets_have_the_budget_of_the_joint_one() -> None:
    """They differ in the weights of the losses and in where they are written, in nothing else."""
    configs = {name: yaml_config.load_config(presets.resolve_config("joint_ner_re", name)) for name in PRESETS}
    for name, weight in (("bc5cdr_entities", "relation_loss_weight"), ("bc5cdr_relations", "entity_loss_weight")):
        joint_config, single_config = dict(configs["bc5cdr"]), dict(configs[name])
        assert single_config.pop(weight) == 0.0 and joint_config.pop(weight) > 0
        assert single_config.pop("output_dir") != joint_config.pop("output_dir")
        assert single_config == joint_config


def test_a_run_is_compared_with_single_models_on_the_same_documents(
    recipe: ModuleType, finished: Path, single: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Here with a copy of itself trained for one step: the difference is that of the recorded metrics."""
    more = TRAINING | {"max_steps": 1}
    command = options("default", finished.parent / "model", tmp_path / "run", **more)
    run_recipe(recipe, *command, "--compare_with", str(single), str(finished))
    record = runs.read(tmp_path / "run")
    assert [(each["name"], each["metric"]) for each in record["comparisons"]] == [
        ("run", "f1"), ("run", "f1"), ("run", "relation_f1"), ("run", "end_to_end_f1")
    ]  # fmt: skip
    for compared, other in zip(record["comparisons"], (single, finished, finished, finished), strict=True):
        theirs = runs.read(other)["metrics"][compared["metric"]]["value"]
        mine = record["metrics"][compared["metric"]]["value"]
        assert compared["first"] == pytest.approx(mine) and compared["second"] == pytest.approx(theirs)
        assert compared["difference"] == pytest.approx(mine - theirs)
        assert (compared["steps"], compared["other_steps"]) == (1, runs.read(other)["training"]["steps"])
    assert f"against {runs.read(finished)['metrics']['f1']['value']:.3f} of the run" in capsys.readouterr().out


def test_runs_that_cannot_be_compared_are_refused_before_the_training(
    recipe: ModuleType, finished: Path, tmp_path: Path
) -> None:
    record, other = runs.read(finished), shutil.copytree(finished, tmp_path / "other")
    for change, message in (
        ({"task": "gene-disease-association"}, "is a run on gene-disease-association"),
        ({"dataset": record["dataset"] | {"fingerprints": {"test": "0"}}}, "another test split"),
        ({"training": None}, "not that of a finished run: its training is null"),
        ({"files": {runs.PREDICTIONS: "0"}}, "predictions.parquet was changed"),
    ):
        (other / "run.json").write_text(json.dumps(record | change))
        command = options("default", finished.parent / "model", tmp_path / "run")
        with pytest.raises(BioftError, match=message):
            run_recipe(recipe, *command, "--compare_with", str(other))
        assert not (tmp_path / "run").exists()


def test_a_run_that_broke_off_goes_on_from_its_checkpoint(
    recipe: ModuleType, single: Path, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends with the very predictions of the run that never broke off."""
    command = options("bc5cdr_entities", finished.parent / "model", tmp_path / "run", **SINGLE)
    with monkeypatch.context() as patch:
        patch.setattr(training_run, "finish", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run_recipe(recipe, *command)
    assert not (tmp_path / "run" / "run.json").exists()
    run_recipe(recipe, *command)
    assert runs.read(tmp_path / "run")["training"]["resumed_from"]
    assert column(tmp_path / "run", "prediction") == column(single, "prediction")


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_dry_run_shows_tags_and_writes_nothing(
    recipe: ModuleType, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_recipe(recipe, *options("default", finished.parent / "model", tmp_path / "run", dry_run=True))
    shown = capsys.readouterr().out
    assert "/B-Chemical" in shown and "Trainable parameters" in shown
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"use_peft": True}, "trains no adapter"),
        ({"entity_loss_weight": 0, "relation_loss_weight": 0}, "one of them more"),
        ({"window_length": 4096}, "at most 128 tokens"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    more: dict[str, object], message: str, recipe: ModuleType, finished: Path, tmp_path: Path
) -> None:
    with pytest.raises(BioftError, match=message):
        run_recipe(recipe, *options("default", finished.parent / "model", tmp_path / "run", **more))
    assert not (tmp_path / "run").exists(), "a run that could not start leaves nothing"
