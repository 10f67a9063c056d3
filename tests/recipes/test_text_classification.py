"""The recipe of text classification end to end on tiny encoders: what it trains, records, reloads and refuses."""

import csv
import json
import re
import runpy
import shutil
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType
from urllib.parse import parse_qs, urlparse

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import AutoModel
from typer.testing import CliRunner

from bioft.cli import main as cli
from bioft.compare import outcomes as run_outcomes
from bioft.datasets.load import load_labelled_texts
from bioft.datasets.texts.labelled import labels_of
from bioft.datasets.texts.stop_reasons import build_weak
from bioft.errors import BioftError
from bioft.metrics import multilabel
from bioft.storage import datasets as storage, files, runs
from bioft.task import FINE_TUNED
from bioft.tasks.text_labels import evaluate as text_evaluation, predict as text_prediction
from bioft.training import presets
from bioft.verify import verify as verification
from tests import said
from tests.recipe import RECIPES, command_line, load_recipe, run_recipe
from tests.tiny import write_encoder

TRAINING: dict[str, object] = {"num_train_epochs": 6, "learning_rate": 1e-2, "per_device_train_batch_size": 32}
TRAINING |= {"logging_steps": 2, "class_imbalance": "pos_weight"}


@pytest.fixture(scope="module")
def recipe() -> ModuleType:
    return load_recipe("text_classification")


def run(recipe: ModuleType, preset: str, model: Path, output: Path, **more: object) -> None:
    values: dict[str, object] = {"config": preset, "model_name_or_path": model, "output_dir": output}
    values |= {"dataset": "sample", "max_length": 32, **more}
    run_recipe(recipe, *command_line(**{key: value for key, value in values.items() if value is not None}))


@pytest.fixture(scope="module")
def finished(recipe: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished multi-label run on a tiny BERT, trained whole, shared by the tests below."""
    folder = tmp_path_factory.mktemp("finished")
    run(recipe, "default", write_encoder(folder / "model"), folder / "run", **TRAINING)
    return folder / "run"


def test_it_says_nothing_that_bioft_did_not_choose_to_say(finished: Path) -> None:
    said.check(finished)


@pytest.fixture(scope="module")
def weak(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset with one label a text, built from a made-up file in the layout of the weak labels."""
    folder = tmp_path_factory.mktemp("weak")
    header = "stop_reason\tphase\tnct_id\tprediction\t\t\n"
    words = {"Covid19": "pandemic", "Negative": "no effect", "Success": "early success"}
    rows = [
        f"{words[label]} at site {i}\tnan\tNCT{i:08}\t{label}\t\t\n"
        for i, label in enumerate(["Covid19", "Negative"] * 30 + ["Success"] * 4)
    ]
    (folder / "weak.tsv").write_text(header + "".join(rows))
    storage.save(*build_weak(folder / "weak.tsv"), folder / "data")
    return folder / "data"


def test_the_run_directory_is_complete_and_safe(finished: Path) -> None:
    record = runs.read(finished)
    runs.check_files(finished, record)
    expected = {"model.safetensors", "config.yaml", "predictions.parquet", "trained_on.parquet", "plots/labels.png"}
    assert expected | {"classification_report.txt", "plots/loss.png"} <= record["files"].keys()
    forbidden = {".bin", ".pt", ".pth", ".pkl", ".npz"}
    assert not [path for path in finished.rglob("*") if path.suffix in forbidden or "checkpoint" in path.name]
    assert set(record["baselines"]) == {"majority", "label_priors", "tfidf_svm", "tfidf_logistic"}
    for figures in (record["metrics"], record["base_model_metrics"], *record["baselines"].values()):
        assert {"f1", "macro_f1", "macro_auroc", "macro_auprc", "accuracy", "negative_f1"} <= figures.keys()
        for name, figure in figures.items():
            assert figure["value"] is None or figure["low"] <= figure["value"] <= figure["high"], name
    assert record["dataset"]["label_source"] == "sample" and record["comparison"]["metric"] == "f1"
    assert record["macro_comparison"]["metric"] == "macro_f1"
    assert "classification of biomedical texts" in (finished / "README.md").read_text()
    assert str(finished.parent) not in (finished / "config.json").read_text(), "no local path is published"


def test_recorded_figures_follow_from_the_predictions(finished: Path) -> None:
    record = runs.read(finished)
    table = pd.read_parquet(finished / "predictions.parquet")
    test = load_labelled_texts("sample")[0]["test"]
    assert [list(its) for its in table.label] == labels_of(test) and table.id.tolist() == test["id"][:]
    reached = np.stack(table.scores) >= np.array(record["classifier"]["thresholds"])
    compared = multilabel.indicators(table.prediction.tolist(), table.label.tolist(), record["labels"])
    np.testing.assert_array_equal(compared.predicted, reached)
    both = (compared.truth & compared.predicted).sum()
    assert record["metrics"]["recall"]["value"] == pytest.approx(both / compared.truth.sum())
    lines = (finished / "classification_report.txt").read_text().splitlines()
    assert f"{record['metrics']['macro_f1']['value']:.2f} [" in lines[-3]


def test_the_run_knows_what_it_was_trained_on(finished: Path) -> None:
    """So that no evaluation can score it on one of these texts."""
    dataset, _ = load_labelled_texts("sample")
    trained = text_evaluation.read_trained_on(finished)
    assert trained == text_evaluation.checksums_of(dataset["train"]["text"])
    text_evaluation.check_not_trained_on(dataset["test"]["text"], trained)
    with pytest.raises(BioftError, match="1 of 1 texts to evaluate on were trained on"):
        text_evaluation.check_not_trained_on([dataset["train"]["text"][3].upper()], trained)


def test_training_teaches_it_something(finished: Path) -> None:
    losses = [entry["loss"] for entry in runs.read(finished)["log_history"] if "loss" in entry]
    assert losses[-1] < losses[0]


def test_a_reloaded_run_gives_what_it_recorded(finished: Path) -> None:
    table = pd.read_parquet(finished / "predictions.parquet")
    test = load_labelled_texts("sample")[0]["test"]
    answers = text_prediction.predict_with_run(finished, test["text"][:], progress=None)
    assert [each.labels for each in answers] == [list(its) for its in table.prediction]
    scores = [list(each.scores.values()) for each in answers]
    np.testing.assert_allclose(scores, np.stack(table.scores), atol=1e-5)


@pytest.mark.parametrize("name", [p.name for p in presets.list_presets() if p.recipe == "text_classification"])
def test_every_preset_trains_a_step(name: str, recipe: ModuleType, finished: Path, weak: Path, tmp_path: Path) -> None:
    """With its loss and its kind of labels, on made-up data."""
    data = weak if name in ("stop_reasons", "gender") else "sample"
    more = {"max_steps": 1, "per_device_train_batch_size": 4, "dataset": data}
    run(recipe, name, finished.parent / "model", tmp_path / "run", **more)
    record = runs.read(tmp_path / "run")
    assert record["training"]["steps"] == 1 and record["classifier"]["multi_label"] is (data == "sample")
    assert (record["classifier"]["thresholds"] is None) is (data == weak)


def test_an_adapter_with_two_layers_of_head_is_reloaded_and_trained_further(
    recipe: ModuleType, finished: Path, weak: Path, tmp_path: Path
) -> None:
    """LoRA with one label a text; the second training goes on from the first one's scores."""
    model, data = finished.parent / "model", {"dataset": weak, "class_imbalance": "focal", "head": "two_layer"}
    more = {**TRAINING, "use_peft": True, "lora_r": 4, **data, "max_steps": 6}
    run(recipe, "default", model, tmp_path / "first", **more)
    record = runs.read(tmp_path / "first")
    assert "adapter_model.safetensors" in record["files"] and "model.safetensors" not in record["files"]
    assert "AutoModelForSequenceClassification" not in (tmp_path / "first" / "README.md").read_text()
    test = storage.load(weak)[0]["test"]
    answers = text_prediction.predict_with_run(tmp_path / "first", test["text"][:], progress=None)
    table = pd.read_parquet(tmp_path / "first" / "predictions.parquet")
    np.testing.assert_allclose([list(a.scores.values()) for a in answers], np.stack(table.scores), atol=1e-5)

    run(recipe, "default", model, tmp_path / "second", **more, start_from=tmp_path / "first")
    second = runs.read(tmp_path / "second")
    first_f1 = record["metrics"]["f1"]["value"]
    assert second["base_model_metrics"]["f1"]["value"] == first_f1, "it begins where the first ended"
    assert second["training"]["start_from"] == str(tmp_path / "first")
    assert second["training"]["start_from_sha256"] == record["files"]["adapter_model.safetensors"]
    assert text_evaluation.read_trained_on(tmp_path / "second") == text_evaluation.read_trained_on(tmp_path / "first")


def test_a_run_trained_on_these_test_texts_is_not_trained_further(
    recipe: ModuleType, finished: Path, tmp_path: Path
) -> None:
    """Another split of the same data: its test texts were trained on."""
    command = {"start_from": finished, "split_seed": 1, **TRAINING}
    with pytest.raises(BioftError, match="texts to evaluate on were trained on"):
        run(recipe, "default", finished.parent / "model", tmp_path / "run", **command)
    assert not (tmp_path / "run").exists(), "a run that could not start leaves nothing"


def test_a_run_of_other_labels_is_not_trained_further(
    recipe: ModuleType, finished: Path, weak: Path, tmp_path: Path
) -> None:
    with pytest.raises(BioftError, match="Only a classifier of the same labels"):
        run(recipe, "default", finished.parent / "model", tmp_path / "run", start_from=finished, dataset=weak)


def test_an_encoder_adapted_to_texts_is_where_a_classifier_starts(
    recipe: ModuleType, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part_of_hpo: Path
) -> None:
    """Its layers are those of the run of mlm, merged; the classifier's adapter is reloaded on them."""
    monkeypatch.setenv("BIOFT_CACHE", str(tmp_path / "cache"))
    model = finished.parent / "model"
    more: dict[str, object] = {"dataset": "hpo_definitions", "max_length": None, "block_length": 32, "max_steps": 1}
    more |= {"use_peft": True, "lora_r": 2, "learning_rate": 0.1, "per_device_train_batch_size": 4}
    mlm, adapted_on = load_recipe("mlm"), few_definitions(tmp_path / "texts")
    run(mlm, "default", model, tmp_path / "mlm", **more | {"dataset": adapted_on})

    from bioft.tasks.masked_lm import models as masked_models

    adapted = AutoModel.from_pretrained(masked_models.load_adapted_encoder(tmp_path / "mlm").path)
    assert any(
        not torch.equal(a, b)
        for a, b in zip(adapted.parameters(), AutoModel.from_pretrained(model).parameters(), strict=True)
    )
    options = {**TRAINING, "max_steps": 2, "use_peft": True, "lora_r": 2, "mlm_run": tmp_path / "mlm"}
    run(recipe, "default", model, tmp_path / "run", **options)
    record = runs.read(tmp_path / "run")
    assert "adapted by the run mlm" in record["base_model"]["source"]
    table = pd.read_parquet(tmp_path / "run" / "predictions.parquet")
    texts = load_labelled_texts("sample")[0]["test"]["text"][:]
    answers = text_prediction.predict_with_run(tmp_path / "run", texts, progress=None)
    np.testing.assert_allclose([list(a.scores.values()) for a in answers], np.stack(table.scores), atol=1e-5)
    found = verification.verify(tmp_path / "run")
    assert (found.status, found.reasons) == ("verified", [])
    shutil.rmtree(tmp_path / "mlm")
    with pytest.raises(BioftError, match="mlm"):
        text_prediction.predict_with_run(tmp_path / "run", texts[:1], progress=None)


def few_definitions(folder: Path) -> Path:
    """A small dataset of texts, so that a step of mlm takes no time."""
    from bioft.datasets.hpo import terms as hpo_terms

    dataset, manifest = hpo_terms.build_definitions()
    for split in dataset:
        dataset[split] = dataset[split].select(range(min(20, len(dataset[split]))))
        manifest["fingerprints"][split] = storage.fingerprint(dataset[split])
        manifest["rows"][split] = {"texts": len(dataset[split])}
    storage.save(dataset, manifest, folder)
    return folder


def test_a_run_that_broke_off_goes_on_from_its_checkpoint(
    recipe: ModuleType, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends with the very scores of the run that never broke off."""
    monkeypatch.setattr(recipe.training_run, "finish", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(recipe, "default", finished.parent / "model", tmp_path / "run", **TRAINING)
    monkeypatch.undo()
    run(recipe, "default", finished.parent / "model", tmp_path / "run", **TRAINING)
    assert runs.read(tmp_path / "run")["training"]["resumed_from"]
    first, second = (pd.read_parquet(folder / "predictions.parquet") for folder in (finished, tmp_path / "run"))
    np.testing.assert_allclose(np.stack(first.scores), np.stack(second.scores), atol=1e-6)


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_dry_run_shows_texts_with_their_labels_and_writes_nothing(
    recipe: ModuleType, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(recipe, "default", finished.parent / "model", tmp_path / "run", dry_run=True)
    shown = capsys.readouterr().out
    assert "→ " in shown and "Trainable parameters" in shown
    assert not (tmp_path / "run").exists()


def test_a_wrong_value_is_refused(recipe: ModuleType, finished: Path, tmp_path: Path) -> None:
    for wrong, message in (({"head": "three"}, "linear or two_layer"), ({"class_imbalance": "x"}, "focal, not 'x'")):
        with pytest.raises(BioftError, match=message):
            run(recipe, "default", finished.parent / "model", tmp_path / "run", **wrong)


# --- bioft verify and compare


def test_a_run_is_verified_and_a_changed_one_is_not(finished: Path, tmp_path: Path) -> None:
    """All figures hold; a figure that was raised in the record contradicts the predictions."""
    found = verification.verify(finished, progress=False)
    assert (found.status, found.reasons) == ("verified", [])
    assert found.predictions is not None and found.predictions.label_flips == 0
    assert {figure.model for figure in found.figures} > {"tfidf_svm", "majority"}
    assert all(figure.equal for figure in found.figures)
    sampled = verification.verify(finished, sample=10, seed=1, progress=False)
    assert sampled.status == "verified" and sampled.predictions is not None
    assert 10 < sampled.predictions.compared == sampled.predictions.total, (
        "of so few texts all are needed, where ten say too little"
    )

    shutil.copytree(finished, tmp_path / "raised")
    record = runs.read(finished)
    record["metrics"]["f1"]["value"] += 0.1
    (tmp_path / "raised" / "run.json").write_text(json.dumps(record))
    found = verification.verify(tmp_path / "raised", progress=False)
    assert found.status == "not reproduced"
    assert any("do not follow" in reason and "fine-tuned: f1" in reason for reason in found.reasons)


def test_a_run_that_claims_another_training_set_is_found_out(finished: Path, tmp_path: Path) -> None:
    """Test texts among those that were trained on: nothing is evaluated on them."""
    shutil.copytree(finished, tmp_path / "run")
    test = load_labelled_texts("sample")[0]["test"]
    trained = text_evaluation.read_trained_on(finished) | text_evaluation.checksums_of(test["text"][:1])
    text_evaluation.write_trained_on(trained, tmp_path / "run")
    record = runs.read(finished)
    record["files"]["trained_on.parquet"] = files.file_sha256(tmp_path / "run" / "trained_on.parquet")
    (tmp_path / "run" / "run.json").write_text(json.dumps(record))
    found = verification.verify(tmp_path / "run", progress=False)
    assert found.status == "not reproduced" and "1 of 67 texts to evaluate on were trained on" in found.reasons[-1]


def test_the_leak_is_shown_in_numbers(
    finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Held out, the figures are those of the record; with the training texts they are better, on more texts."""
    script = RECIPES.parent / "tests" / "benchmarks" / "leak_stop_reasons.py"
    monkeypatch.setattr("sys.argv", [str(script), str(finished)])
    runpy.run_path(str(script), run_name="__main__")
    shown = capsys.readouterr().out
    found, record = json.loads(shown.strip().splitlines()[-1]), runs.read(finished)
    rows = record["dataset"]["rows"]
    assert found["test, held out"]["f1"] == pytest.approx(record["metrics"]["f1"]["value"])
    assert found["train + test"]["f1"] > found["test, held out"]["f1"]
    assert found["train + test"]["n"] == rows["train"]["documents"] + rows["test"]["documents"]
    assert "bioft refuses to evaluate on train + test" in shown


def test_two_runs_are_compared_on_the_same_texts(finished: Path) -> None:
    """With the micro F1 of the record."""
    found = run_outcomes.outcomes(finished, runs.read(finished))[FINE_TUNED]
    name, metric = next(iter(found.metrics.items()))
    assert (name, metric.estimate().value) == ("f1", pytest.approx(runs.read(finished)["metrics"]["f1"]["value"]))


# --- bioft predict


def predict(*words: object) -> object:
    return CliRunner().invoke(cli.app, ["predict", *map(str, words)])


def test_predict_labels_a_text(finished: Path) -> None:
    result = predict(finished, "--text", "Too few patients could be enrolled.")
    assert result.exit_code == 0, result.output
    answer, _, scores = result.stdout.removeprefix("text: ").strip("\n)").partition(" (")
    # The threshold of a label stands beside its score.
    shown = [re.fullmatch(r"(.+) (\d\.\d{3}) ([≥<]) (\d\.\d{3})", each) for each in scores.split(", ")]
    assert len(shown) == 3 and all(found is not None for found in shown)
    thresholds = dict(zip(runs.read(finished)["labels"], runs.read(finished)["classifier"]["thresholds"], strict=True))
    for found in filter(None, shown):
        assert found[4] == f"{thresholds[found[1]]:.3f}" and (found[1] in answer.split(", ")) is (found[3] == "≥")


def test_predict_labels_csv_and_keeps_its_columns(finished: Path, tmp_path: Path) -> None:
    """Quoted line breaks and commas in texts stay; the labels are those of the same text in another file."""
    texts = ["Too slow,\nsaid the site", "Sponsor decision"]
    with (tmp_path / "in.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["id", "text", "site"], ["a", texts[0], "X"], ["b", texts[1], "Y"]])
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    for source, output in (("in.csv", "out.csv"), ("in.jsonl", "out.jsonl")):
        result = predict(finished, "--input", tmp_path / source, "--output", tmp_path / output)
        assert result.exit_code == 0, result.output
    with (tmp_path / "out.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["id"], row["text"], row["site"]) for row in rows] == [("a", texts[0], "X"), ("b", texts[1], "Y")]
    others = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["labels"] for row in rows] == ["|".join(other["labels"]) for other in others]
    assert float(rows[0]["score_Negative"]) == pytest.approx(others[0]["scores"]["Negative"], abs=1e-4)
    result = predict(finished, "--input", tmp_path / "in.csv", "--output", tmp_path / "out.csv")
    assert result.exit_code == 1 and "exists already" in result.output


def test_predict_looks_trials_up_by_nct_id(finished: Path, tmp_path: Path) -> None:
    """The text is the reason why the trial stopped; one that has none is left out and named."""
    columns = ["NCT Number", "Study Title", "Why Stopped", "Last Update Posted"]
    rows = [["NCT00000001", "A", "Low accrual", "2020-01-01"], ["NCT00000002", "B", "", "2020-01-01"]]
    with (tmp_path / "trials.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([columns, *rows, ["NCT00000003", "C", "Toxicity", "2020-01-01"]])
    result = predict(
        finished, "--input", tmp_path / "trials.csv", "--nct-id", "nct00000003", "--nct-id", "NCT00000001"
    )
    assert result.exit_code == 0, result.output
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == ["NCT00000003", "NCT00000001"]
    result = predict(finished, "--input", tmp_path / "trials.csv")
    assert "NCT00000002 has no reason why it stopped" in result.output and result.exit_code == 0
    result = predict(finished, "--input", tmp_path / "trials.csv", "--nct-id", "NCT00000009")
    assert "1 of 1 trials are not in" in " ".join(result.output.split()) and result.exit_code == 1
    result = predict(finished, "--input", tmp_path / "trials.csv", "--nct-id", "NCT9")
    assert "'NCT9' is no NCT id" in result.output


def test_predict_fetches_trials_by_nct_id(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the API, here on loopback: one query for all trials asked about; what else comes is not labelled."""
    asked: list[str] = []

    class Registry(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(parse_qs(urlparse(self.path).query)["query.term"][0])
            studies = [
                {
                    "protocolSection": {
                        "identificationModule": {"nctId": nct_id, "briefTitle": "A trial"},
                        "statusModule": {"whyStopped": "Slow accrual"},
                    }
                }
                for nct_id in ("NCT00000007", "NCT00000008", "NCT00000009")
            ]
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"studies": studies, "totalCount": 3}).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Registry) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("BIOFT_CLINICALTRIALS_URL", f"http://127.0.0.1:{server.server_port}")
        result = predict(finished, "--nct-id", "NCT00000008", "--nct-id", "NCT00000007")
        server.shutdown()
    assert result.exit_code == 0, result.output
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == ["NCT00000008", "NCT00000007"]
    assert asked == ["AREA[NCTId](NCT00000008 OR NCT00000007)"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("in.csv", "id,text\na,\n", "line 2: its text is empty"),
        ("in.csv", "id,text\na\n", "line 2: 1 fields where the header has 2 columns"),
        ("in.csv", "id,text,labels\na,b,c\n", "has a column labels already"),
        ("in.jsonl", '{"text": "a"}\n[1]\n', "line 2: a list where a JSON object should be"),
        ("in.txt", "\n \n", "is blank"),
    ],
)
def test_predict_refuses_bad_files(name: str, content: str, message: str, finished: Path, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    result = predict(finished, "--input", tmp_path / name, "--output", tmp_path / "out.csv")
    assert result.exit_code == 1 and message in " ".join(result.output.split())
    assert not (tmp_path / "out.csv").exists()
