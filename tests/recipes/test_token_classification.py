"""The entity recipe end to end on tiny encoders: what it trains, records, resumes, reloads and refuses."""

import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForTokenClassification, AutoTokenizer
from typer.testing import CliRunner

from bioft.cli import main as cli
from bioft.datasets.load import load_documents
from bioft.errors import BioftError
from bioft.metrics import counts
from bioft.models.arguments import EncoderModelArguments, EncoderTrainingArguments, RecipeArguments
from bioft.storage import runs, yaml_config
from bioft.tasks.entities import (
    evaluate as entity_evaluation,
    predict as entity_prediction,
    tagging,
    windows as entities_windows,
)
from bioft.tasks.entities.arguments import DocumentArguments, WindowArguments
from bioft.training import arguments, presets
from bioft.verify.verify import verify
from tests import said, warm_process
from tests.recipe import RECIPES, command_line, load_recipe, run_recipe
from tests.tiny import write_encoder

RECIPE = RECIPES / "token_classification.py"
GROUPS = (RecipeArguments, DocumentArguments, WindowArguments, EncoderModelArguments, EncoderTrainingArguments)
ARCHITECTURES = {
    "default": "bert",
    "bc5cdr": "bert",
    "scibert": "bert",
    "pubmedbert": "bert",
    "biolinkbert": "bert",
    "biomed_roberta": "roberta",
    "deberta_v3": "deberta",
}
"""The architecture of each preset."""


@pytest.fixture(scope="module")
def recipe() -> ModuleType:
    return load_recipe("token_classification")


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


TRAINING = {"num_train_epochs": 6, "learning_rate": 1e-2, "per_device_train_batch_size": 16, "logging_steps": 5}


@pytest.fixture(scope="module")
def finished(recipe: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of six epochs on a tiny BERT, trained whole, shared by the tests below."""
    folder = tmp_path_factory.mktemp("finished")
    model = write_encoder(folder / "model")
    run_recipe(recipe, *options("default", model, folder / "run", **TRAINING))
    return folder / "run"


def test_a_run_in_bfloat16_is_kept_in_float32_and_verified_in_bfloat16(recipe: ModuleType, tmp_path: Path) -> None:
    """Also where the processor does not multiply bfloat16: there it takes longer."""
    model = write_encoder(tmp_path / "model")
    short = {**TRAINING, "num_train_epochs": 1, "eval_strategy": "no", "save_strategy": "no"}
    more = {**short, "load_best_model_at_end": False, "dtype": "bfloat16"}
    run_recipe(recipe, *options("default", model, tmp_path / "run", **more))
    record = runs.read(tmp_path / "run")
    assert record["precision"] == {"training": "bfloat16", "evaluation": "bfloat16"}
    config = yaml_config.load_config(tmp_path / "run" / "config.yaml")
    assert (config["dtype"], config["bf16"]) == ("bfloat16", True)
    saved = load_file(tmp_path / "run" / "model.safetensors")
    assert {each.dtype for each in saved.values()} == {torch.float32}
    found = verify(tmp_path / "run", progress=False)
    assert found.status == "verified" and found.predictions is not None, found.reasons
    assert found.predictions.max_difference <= found.predictions.tolerance


def predictions(directory: Path) -> list[list[tagging.Span]]:
    table = pd.read_parquet(directory / "predictions.parquet")
    return [[(start, end, kind) for start, end, kind, _ in json.loads(cell)] for cell in table.prediction]


def test_it_says_nothing_that_bioft_did_not_choose_to_say(finished: Path) -> None:
    said.check(finished)


def test_the_run_directory_is_complete_and_safe(finished: Path) -> None:
    record = runs.read(finished)
    runs.check_files(finished, record)
    assert {"model.safetensors", "config.json", "config.yaml", "predictions.parquet"} <= record["files"].keys()
    assert {"plots/loss.png", "plots/error_analysis.png"} <= record["files"].keys()
    forbidden = {".bin", ".pt", ".pth", ".pkl", ".npz"}
    assert not [path for path in finished.rglob("*") if path.suffix in forbidden or "checkpoint" in path.name]
    assert (finished / "README.md").read_text().startswith("---")
    assert record["labels"] == tagging.bio_labels(["Chemical", "Disease", "Gene"])
    assert (record["train_on"], record["seed"], record["training"]["resumed_from"]) == ("train", 0, None)
    assert record["training"]["trainable_parameters"] == record["training"]["total_parameters"]
    assert set(record["baselines"]) == {"dictionary"} == {record["comparison"]["baseline"]}
    for figures in (record["metrics"], record["base_model_metrics"], *record["baselines"].values()):
        assert {"f1", "chemical_f1", "disease_f1", "gene_f1", "unseen_f1", "macro_f1"} <= figures.keys()
        for name, figure in figures.items():
            assert figure["value"] is None or figure["low"] <= figure["value"] <= figure["high"], name
    assert str(finished.parent) not in (finished / "config.json").read_text(), "no local path is published"


def test_recorded_metrics_follow_from_the_predictions(finished: Path) -> None:
    """Recomputed without intervals from predictions.parquet, against every mention of the test split."""
    record = runs.read(finished)
    table = pd.read_parquet(finished / "predictions.parquet")
    labels = [[tuple(span) for span in json.loads(cell)] for cell in table.label]
    assert len(table) == record["dataset"]["rows"]["test"]["documents"]
    found = counts.metrics(counts.count(predictions(finished), labels, type_index=2), confidence=None)
    for name in ("f1", "precision", "recall", "chemical_f1", "gene_recall"):
        assert record["metrics"][name]["value"] == pytest.approx(found[name]), name
    outcomes = record["error_analysis"]["outcomes"]
    assert sum(outcome["correct"] for outcome in outcomes.values()) == round(found["recall"] * found["support"])


def test_training_teaches_it_something(finished: Path) -> None:
    record = runs.read(finished)
    assert record["metrics"]["f1"]["low"] > record["base_model_metrics"]["f1"]["high"]


def test_the_best_checkpoint_is_the_one_that_is_kept(finished: Path) -> None:
    """The saved model has, on the validation split, the highest F1 that was logged, counted here by other code."""
    record = runs.read(finished)
    logged = [entry["eval_f1"] for entry in record["log_history"] if "eval_f1" in entry]
    assert len(logged) == 6 and len(set(logged)) > 1
    validation = load_documents("sample")[0]["validation"]
    model, tokenizer, _ = entity_prediction.load(finished)
    labels = record["labels"]
    windows, _ = entities_windows.window_dataset(tokenizer, validation, labels, 62, 16)
    found, wanted = [], []
    for ids, tags in zip(windows["input_ids"], windows["labels"], strict=True):
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0].numpy()
        kept = [place for place, tag in enumerate(tags) if tag != tagging.IGNORED]
        places = pd.DataFrame({"start": kept, "end": [place + 1 for place in kept]}).to_numpy()
        tokens = tagging.Tokens("", kept, places, places)
        found.append([entity.span for entity in tagging.most_probable([tokens], [logits[kept]], labels)[0]])
        wanted.append(tagging.to_spans(tokens, pd.Series(tags)[kept].to_numpy(), labels))
    f1 = counts.metrics(counts.count(found, wanted, type_index=2), confidence=None)["f1"]
    assert f1 == pytest.approx(max(logged), abs=1e-3)


def test_a_reloaded_run_finds_what_was_recorded(finished: Path) -> None:
    test = load_documents("sample")[0]["test"]
    found = entity_prediction.predict_with_run(finished, list(test["text"]), progress=None)
    assert entity_prediction.spans_of(found) == predictions(finished)
    # And the model alone is one that the Auto classes know.
    model = AutoModelForTokenClassification.from_pretrained(finished)
    assert list(model.config.id2label.values()) == runs.read(finished)["labels"]
    assert AutoTokenizer.from_pretrained(finished).is_fast


def test_an_adapter_is_saved_with_its_head(recipe: ModuleType, finished: Path, tmp_path: Path) -> None:
    """LoRA on a model that knows the labels trains few weights; adapter and head, reloaded on the base, agree."""
    lora = {"use_peft": True, "lora_r": 4, "lora_alpha": 8, "learning_rate": 5e-3, "num_train_epochs": 1}
    run_recipe(recipe, *options("default", finished, tmp_path / "run", **lora))
    record = runs.read(tmp_path / "run")
    assert "adapter_model.safetensors" in record["files"] and "model.safetensors" not in record["files"]
    assert record["training"]["trainable_parameters"] < record["training"]["total_parameters"] / 2
    assert predictions(tmp_path / "run") != predictions(finished), "the adapter must do something"
    test = load_documents("sample")[0]["test"]
    found = entity_prediction.predict_with_run(tmp_path / "run", list(test["text"]), progress=None)
    assert entity_prediction.spans_of(found) == predictions(tmp_path / "run")
    assert record["base_model_metrics"]["f1"]["value"] == pytest.approx(runs.read(finished)["metrics"]["f1"]["value"])


@pytest.mark.parametrize("preset", ARCHITECTURES)
def test_every_preset_trains_on_its_architecture(preset: str, recipe: ModuleType, tmp_path: Path) -> None:
    """A step of the preset as shipped, but for data and window, on a tiny encoder with its kind of tokenizer."""
    model = write_encoder(tmp_path / "model", ARCHITECTURES[preset])
    more = {"max_steps": 1, "num_train_epochs": 1, "eval_strategy": "no", "save_strategy": "no"}
    run_recipe(recipe, *options(preset, model, tmp_path / "run", load_best_model_at_end=False, **more))
    record = runs.read(tmp_path / "run")
    assert (record["preset"], record["training"]["steps"]) == (preset, 1)
    assert record["windows"]["documents_cut_for_alignment"] == 0


def test_every_preset_is_tested() -> None:
    names = {preset.name for preset in presets.list_presets() if preset.recipe == "token_classification"}
    assert names == set(ARCHITECTURES)
    for name in names:
        parsed = arguments.parse("token_classification", GROUPS, ["--config", name, "--use_cpu", "--bf16=False"])
        assert parsed[-1] == name


def test_training_on_validation_too_is_explicit(recipe: ModuleType, tmp_path: Path) -> None:
    """More windows than from training alone, no choice of a checkpoint, and the record says so."""
    model = write_encoder(tmp_path / "model")
    more = {"num_train_epochs": 1, "train_on": "train+validation"}
    run_recipe(recipe, *options("default", model, tmp_path / "run", **more))
    record = runs.read(tmp_path / "run")
    rows = record["dataset"]["rows"]
    assert record["train_on"] == "train+validation"
    assert record["training"]["examples_seen"] >= rows["train"]["documents"] + rows["validation"]["documents"]
    assert not [entry for entry in record["log_history"] if "eval_f1" in entry]
    with pytest.raises(BioftError, match="train_on is train or train\\+validation"):
        run_recipe(recipe, *options("default", model, tmp_path / "run", train_on="test"))


def test_an_interrupted_run_resumes_to_the_same_result(
    recipe: ModuleType, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = options("default", finished.parent / "model", tmp_path / "run", **TRAINING)

    class Killed(recipe.Trainer):  # type: ignore[name-defined,misc]
        def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
            if self.state.epoch and self.state.epoch > 3.3:
                raise KeyboardInterrupt
            return super().training_step(*args, **kwargs)

    with monkeypatch.context() as context:
        context.setattr(recipe, "Trainer", Killed)
        with pytest.raises(KeyboardInterrupt):
            run_recipe(recipe, *command)
    assert not (tmp_path / "run" / "run.json").exists()
    run_recipe(recipe, *command)
    resumed, whole = runs.read(tmp_path / "run"), runs.read(finished)
    assert resumed["training"]["resumed_from"] > 0
    assert predictions(tmp_path / "run") == predictions(finished)
    assert resumed["metrics"] == whole["metrics"]
    with pytest.raises(BioftError, match=r"holds a finished run.*--overwrite"):
        run_recipe(recipe, *command)


def test_dry_run_shows_tags_and_costs_and_writes_nothing(recipe: ModuleType, tmp_path: Path, capsys) -> None:
    model = write_encoder(tmp_path / "model")
    run_recipe(recipe, *options("default", model, tmp_path / "runs" / "new", dry_run=True))
    shown = capsys.readouterr().out
    assert re.search(r"⟦\w+/B-Chemical⟧", shown) and "/I-Disease⟧" in shown and "Trainable parameters" in shown
    assert "[CLS] " in shown and re.search(r"\w+/O ", shown), "what carries loss has a tag, and special tokens none"
    assert not (tmp_path / "runs").exists(), "nor the folders above"


def test_what_cannot_work_is_said_before_anything_is_written(recipe: ModuleType, tmp_path: Path) -> None:
    model = write_encoder(tmp_path / "model")
    for more, message in (
        ({"window_length": 4096}, "reads at most 128 tokens"),
        ({"dataset": "bc5cdr"}, "needs --dataset_path"),
        ({"model_name_or_path": "nobody/nothing"}, "Python package, needs no access"),
        ({"use_peft": True, "lora_target_modules": "q_proj"}, "q_proj not in BertForTokenClassification.*query"),
    ):
        with pytest.raises(BioftError, match=message):
            run_recipe(recipe, *options("default", model, tmp_path / "run", **{**more, "dry_run": True}))
    assert not (tmp_path / "run").exists()


def test_two_processes_train_and_record_one_run(tmp_path: Path) -> None:
    """Under torchrun each process sees its share; one of them evaluates and writes, and none waits for ever."""
    model = write_encoder(tmp_path / "model")
    more = options("default", model, tmp_path / "run", num_train_epochs=1, ddp_backend="gloo")
    words = [sys.executable, str(RECIPE), *more]
    for exit_code, output in warm_process.run_in_parallel(RECIPE.parents[1], words, processes=2):
        assert exit_code == 0, output
    record = runs.read(tmp_path / "run")
    assert record["hardware"]["num_processes"] == 2
    assert record["training"]["examples_seen"] == record["windows"]["training"]


# bioft predict


def predict(*arguments_: object) -> Any:
    return CliRunner().invoke(cli.app, ["predict", *map(str, arguments_)])


def test_predict_shows_writes_and_leaves_out(finished: Path, tmp_path: Path) -> None:
    text = "Naloxone reverses the effect of clonidine in rats with hypertension."
    source, output, page = tmp_path / "in.jsonl", tmp_path / "out.jsonl", tmp_path / "out.html"
    expected = entity_prediction.predict_with_run(finished, [text], progress=None)[0]
    assert expected, "the tiny model must find something for this test to mean something"
    shown = predict(finished, "--text", text)
    assert shown.exit_code == 0, shown.output
    first = expected[0]
    assert f"{text[first.start : first.end]}⟨{first.type}⟩" in shown.stdout

    source.write_text(json.dumps({"text": text, "note": "mine"}) + '\n{"txt": ""}\n')
    refused = predict(finished, "--input", source, "--output", output)
    assert refused.exit_code == 1 and "line 2: there is no text" in refused.output and not output.exists()
    result = predict(finished, "--input", source, "--output", output, "--html", page, "--skip-bad")
    assert result.exit_code == 0 and "Left out: " in result.output and "in 1 document" in result.output
    row = json.loads(output.read_text())
    assert row["note"] == "mine"
    assert [(e["start"], e["end"], e["type"]) for e in row["entities"]] == [entity.span for entity in expected]
    assert page.read_text().count('<mark class="entity') == len(expected) + 3  # and the legend
    assert predict(finished, "--input", source, "--output", output, "--skip-bad").exit_code == 1
    assert predict(finished, "--input", source, "--output", source, "--skip-bad", "--overwrite").exit_code == 1


def test_predict_reads_and_writes_pubtator(finished: Path, tmp_path: Path) -> None:
    source, output = tmp_path / "in.pubtator", tmp_path / "out.pubtator"
    source.write_text(
        "1|t|Clonidine and rats.\n1|a|Clonidine caused hypotension.\n1\t0\t9\tClonidine\tChemical\tD003000\n"
    )
    assert predict(finished, "--input", source, "--output", output).exit_code == 0
    assert output.read_text().startswith("1|t|Clonidine and rats.\n1|a|Clonidine caused hypotension.\n")
    assert "D003000" not in output.read_text()


def test_predict_links_what_it_finds_to_a_namespace(finished: Path, tmp_path: Path) -> None:
    text = "Naloxone reverses the effect of clonidine in rats with hypertension."
    expected = entity_prediction.predict_with_run(finished, [text], progress=None)[0]
    names = {text[entity.start : entity.end] for entity in expected}
    rows = [f"C{n}\t{name}\t{name}s" for n, name in enumerate(sorted(names))]
    rows += [f"X{n}\tsubstance {n} of kind {n % 7}\tkind {n % 7} substance {n}" for n in range(40)]
    (tmp_path / "own.tsv").write_text("id\tname\tsynonyms\n" + "\n".join(rows) + "\n")
    ids = {name: f"C{n}" for n, name in enumerate(sorted(names))}
    source, page = tmp_path / "in.txt", tmp_path / "out.html"
    source.write_text(text)
    for output in (tmp_path / "out.jsonl", tmp_path / "out.pubtator"):
        command = (finished, "--input", source, "--link", tmp_path / "own.tsv", "--output", output, "--html", page)
        result = predict(*command, "--overwrite")
        assert result.exit_code == 0, result.output
        assert "Links: " in result.output and "Terms of the namespace: not stated" in result.output
    row = json.loads((tmp_path / "out.jsonl").read_text())
    assert [each["id"] for each in row["entities"]] == [ids[each["text"]] for each in row["entities"]]
    assert all(each["name"] == each["text"] and 0 <= each["probability"] <= 1 for each in row["entities"])
    lines = (tmp_path / "out.pubtator").read_text().splitlines()[2:]
    assert [line.split("\t")[5] for line in lines if line] == [each["id"] for each in row["entities"]]
    assert all(f"{each['type']} {each['id']}</span>" in page.read_text() for each in row["entities"])
    refused = predict(finished, "--text", text, "--link", tmp_path / "absent")
    assert refused.exit_code == 1 and "does not exist" in refused.output


def test_predict_with_the_wrong_question_or_run(finished: Path, tmp_path: Path) -> None:
    refused = predict(finished, "--gene", "a", "--disease", "b")
    assert refused.exit_code == 2 and "no question for a run on entity-recognition" in refused.output
    for arguments_ in (["--text", "a", "--gene", "b"], ["--text", " "], ["--html", "a.html"], []):
        assert predict(finished, *arguments_).exit_code == 2, arguments_
    assert "neither .jsonl nor .pubtator" in predict(finished, "--text", "a", "--output", tmp_path / "o.csv").output
    (tmp_path / "run.json").write_text(json.dumps({"schema_version": 1, "recipe": "sft_gda"}))
    assert "names no task" in predict(tmp_path, "--text", "a").output
    assert entity_evaluation.shown({"labels": ["O", "B-Gene", "I-Gene"]})["gene_f1"] == "F1, Gene"
