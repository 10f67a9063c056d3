"""What `bioft verify` finds: an honest run holds, and every kind of forged one is found out."""

import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from safetensors.numpy import load_file, save_file
from typer.testing import CliRunner

from bioft import metrics
from bioft.cards import model as cards
from bioft.cli.main import app
from bioft.datasets import recorded as recorded_data
from bioft.errors import BioftError
from bioft.hub import pull as hub_pull
from bioft.metrics import thresholds
from bioft.storage import datasets as storage, runs
from bioft.tasks.gene_disease import evaluate as evaluation
from bioft.verify import drift, verify as verification
from tests import warm_process
from tests.hub_server.server import HubServer
from tests.recipe import RECIPES, command_line, load_recipe, run_recipe
from tests.tiny import write_ctd, write_model

N_TEST = 108
"""Pairs in the test split."""
OTHER_RESULT = """\
  results:
  - task:
      type: text-classification
    dataset:
      name: a harder test
      type: ctd
      split: test
    metrics:
    - type: roc_auc
      value: 0.9876
      name: AUROC
"""


@pytest.fixture(scope="module")
def ctd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ctd(tmp_path_factory.mktemp("ctd") / "CTD_curated_genes_diseases.csv")


@pytest.fixture(scope="module")
def finished(ctd: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the gene–disease recipe on a tiny Llama in float32."""
    folder = tmp_path_factory.mktemp("finished")
    options = {
        "model_name_or_path": write_model(folder / "model"),
        "dataset": "ctd",
        "dataset_path": ctd,
        "negatives": "uniform",
        "context": "none",
        "max_train_pairs": 96,
        "validation_size": 0.1,
        "test_size": 0.2,
        "output_dir": folder / "run",
        "max_steps": 12,
        "per_device_train_batch_size": 8,
        "load_in_4bit": False,
        # Whatever this processor is fast in: the tests say what a forger's figures are off by.
        "dtype": "float32",
    }
    run_recipe(load_recipe("sft_gda"), *command_line(**options))
    return folder / "run"


def forge(
    finished: Path,
    folder: Path,
    record: Callable[[dict[str, Any]], None] = lambda record: None,
    table: Callable[[pd.DataFrame], None] = lambda table: None,
) -> Path:
    """A copy of the run as a careful forger would leave it: record, card and checksums agree with the change."""
    copy = folder / "forged"
    shutil.copytree(finished, copy)
    predictions = pd.read_parquet(copy / "predictions.parquet")
    table(predictions)
    predictions.to_parquet(copy / "predictions.parquet", index=False)
    content = runs.read(copy)
    record(content)
    content["files"] = runs.checksums(copy)
    (copy / runs.RECORD).write_text(json.dumps(content))
    (copy / runs.CARD).write_text(cards.model_card(content), encoding="utf-8")
    return copy


def state_what_the_predictions_give(copy: Path) -> None:
    """Put the figures that follow from the (changed) predictions into the record and on the card."""
    record, table = runs.read(copy), pd.read_parquet(copy / "predictions.parquet")
    scoring = record["scoring"]

    def figures(column: str, threshold: float) -> Any:
        scores = table[column]
        return evaluation.figures(table.assign(score=scores, prediction=scores >= threshold), None, record)

    record["metrics"] = figures("score", scoring["threshold"])
    record["baselines"] = {
        name: figures(f"baseline_{name}", threshold) for name, threshold in scoring["baseline_thresholds"].items()
    }
    baselines = {name: table.assign(score=table[f"baseline_{name}"]) for name in record["baselines"]}
    record |= evaluation.comparisons(table, baselines, None, record)
    (copy / runs.RECORD).write_text(json.dumps(record))
    (copy / runs.CARD).write_text(cards.model_card(record), encoding="utf-8")


def verify(run: Path, ctd: Path | None, **options: Any) -> verification.Verification:
    return verification.verify(run, dataset_path=ctd, progress=False, **options)


def assert_reason(found: verification.Verification, *words: str, status: str = "not reproduced") -> None:
    assert found.status == status, found
    reasons = "\n".join(found.reasons)
    for word in words:
        assert word in reasons, reasons


def test_an_honest_run_is_verified_in_every_figure(finished: Path, ctd: Path) -> None:
    found = verify(finished, ctd)
    assert (found.status, found.reasons, found.notes) == ("verified", [], [])
    record = runs.read(finished)
    models = {"fine-tuned", "base, zero-shot", *record["baselines"]}
    assert {(figure.model, figure.metric) for figure in found.figures} == {
        (model, metric) for model in models for metric in record["metrics"]
    }
    assert all(figure.holds for figure in found.figures)
    assert all(figure.equal for figure in found.figures if figure.model in ("fine-tuned", "base, zero-shot"))
    assert found.predictions is not None
    assert found.predictions.agreeing == found.predictions.compared == found.predictions.total == N_TEST
    assert (found.predictions.label_flips, found.predictions.tolerance) == (0, 0.001)
    assert found.predictions.max_difference < 1e-5


def test_the_data_are_where_the_run_was_trained_on_them(finished: Path, tmp_path: Path) -> None:
    """Of a run that came from the Hub they are not: it may not choose a file of this machine."""
    assert verify(finished, None, sample=1).status == "verified"
    built = tmp_path / "built"
    built.mkdir()
    (built / storage.MANIFEST).write_text("{}")
    (tmp_path / runs.CONFIG).write_text(f"dataset: {built}\n")
    assert recorded_data._trained_on(tmp_path) == built
    copy = tmp_path / "pulled"
    shutil.copytree(finished, copy)
    (copy / hub_pull.ORIGIN).write_text(json.dumps({"id": "user/run", "revision": "0" * 40}))
    with pytest.raises(BioftError, match="The data are missing: there is no data/CTD_curated"):
        recorded_data.recorded_data(copy, runs.read(copy))


def test_a_sample_is_checked_and_said_to_be_one(finished: Path, ctd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as asked for where so many find what must be found, and more where it is not so."""
    found = verify(finished, ctd, sample=7, seed=3)
    assert (found.predictions.compared, found.status) == (N_TEST, "verified")
    assert "(more than the 7 asked for: so many find a gain of .02)" in found.notes[0]
    monkeypatch.setattr(drift, "EFFECT", 0.9)
    found = verify(finished, ctd, sample=7, seed=3)
    assert found.status == "verified"
    assert found.predictions is not None
    assert (found.predictions.compared, found.predictions.total) == (7, N_TEST)
    assert f"7 of {N_TEST} predictions" in found.notes[0] and "seed 3" in found.notes[0]
    again = [verify(finished, ctd, sample=7).notes[0] for _ in range(2)]
    assert again[0] != again[1], "nobody can know which predictions will be drawn"


def test_figures_edited_on_the_card_are_found(finished: Path, tmp_path: Path) -> None:
    """In the metadata, tables, verdict and text, one at a time; no data is needed for it."""
    record, card = runs.read(finished), (finished / runs.CARD).read_text()
    value = record["metrics"]["auroc"]["value"]
    assert card.count(f"value: {value}\n") == 1
    row = next(line for line in card.splitlines() if line.startswith("| **this model**"))
    sentence = record["comparison"]["sentence"]
    edits = {
        f"value: {value}\n": "value: 0.99\n",
        row: row.replace("| 0.", "| 0.9", 1),
        sentence: sentence.replace("difference in AUROC ", "difference in AUROC +"),
        "## Results\n": "## Results\n\nOn a larger test set it reaches an AUROC of 0.97.\n",
        "### Plots\n": "### Outside\n| | AUROC |\n|---|---|\n| ours | 0.96 |\n",
        "  results:\n": OTHER_RESULT,
        "library_name: peft": "library_name: peft\nbase_model: meta-llama/Meta-Llama-3-8B",
    }
    words = [
        "AUROC 0.99 [",
        "this model",
        "difference in AUROC +",
        "0.97",
        "ours",
        "0.9876",
        "name base_model meta-llama",
    ]
    for (old, new), word in zip(edits.items(), words, strict=True):
        assert old in card
        copy = tmp_path / word.strip("*+ ")
        shutil.copytree(finished, copy)
        (copy / runs.CARD).write_text(card.replace(old, new, 1))
        assert_reason(verify(copy, Path("nowhere.csv")), word)


def test_a_card_may_be_worded_anew(finished: Path, ctd: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(finished, copy)
    card = (copy / runs.CARD).read_text()
    (copy / runs.CARD).write_text(card.replace("## How to use it", "Thanks to everyone!\n\n## How to use it"))
    found = verify(copy, ctd, sample=1)
    assert found.status == "verified"
    assert "Thanks to everyone!" in found.notes[0]
    (copy / runs.CARD).unlink()
    found = verify(copy, ctd, sample=1)
    assert found.status == "verified" and "no card" in found.notes[0]


def test_broken_metadata_of_a_card_are_found(finished: Path, ctd: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(finished, copy)
    (copy / runs.CARD).write_text("---\nlicense: [mit\n---\n# Model\n")
    assert_reason(verify(copy, ctd, sample=1), "metadata of the card can't be read")


def test_a_changed_file_is_found_by_its_checksum(finished: Path, ctd: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(finished, copy)
    with (copy / "predictions.parquet").open("ab") as stream:
        stream.write(b"\0")
    assert_reason(verify(copy, ctd), "predictions.parquet was changed")


def test_figures_edited_in_the_record_do_not_follow_from_the_predictions(finished: Path, tmp_path: Path) -> None:
    def improve(record: dict[str, Any]) -> None:
        record["metrics"]["accuracy"]["value"] += 0.01
        record["baselines"]["tfidf"]["auroc"]["low"] -= 0.01
        record["comparison"]["difference"] += 0.01

    found = verify(forge(finished, tmp_path, improve), Path("nowhere.csv"))
    assert_reason(found, "fine-tuned: accuracy", "tfidf: auroc", "compares with the best baseline in another way")
    assert "dataset" not in found.reasons[0], "the missing data come after what needs none"


def test_edited_predictions_are_found_one_by_one(finished: Path, ctd: Path, tmp_path: Path) -> None:
    """The figures all follow from the stored predictions; only the model contradicts them."""
    threshold = runs.read(finished)["scoring"]["threshold"]
    pairs = []

    def improve(table: pd.DataFrame) -> None:
        wrong = table.index[(table["label"] == 1) & (table["prediction"] == 0)][:3]
        table.loc[wrong, "score"] = min(1.0, threshold + 0.2)
        table.loc[wrong, "prediction"] = 1
        pairs.extend(table.loc[wrong, "gene"] + " – " + table.loc[wrong, "disease"])

    copy = forge(finished, tmp_path, table=improve)
    state_what_the_predictions_give(copy)
    found = verify(copy, ctd)
    assert_reason(found, f"3 of {N_TEST} predictions are not what the model gives", *pairs)
    assert found.predictions is not None
    assert (found.predictions.agreeing, found.predictions.label_flips) == (N_TEST - 3, 3)
    # All but one are drawn, so at least two of the three.
    assert_reason(verify(copy, ctd, sample=N_TEST - 1, seed=0), "predictions are not what the model gives")


def test_a_baseline_made_weak_is_found(finished: Path, ctd: Path, tmp_path: Path) -> None:
    def weaken(table: pd.DataFrame) -> None:
        table["baseline_popularity_boosted"] = 1 - table["baseline_popularity_boosted"]
        table["baseline_graph"] = 1 - table["baseline_graph"]

    copy = forge(finished, tmp_path, table=weaken)
    state_what_the_predictions_give(copy)
    assert_reason(verify(copy, ctd), "popularity_boosted: outside the recorded intervals", "graph: outside")


def test_a_threshold_tuned_on_the_test_split_is_found(finished: Path, ctd: Path, tmp_path: Path) -> None:
    table = pd.read_parquet(finished / "predictions.parquet")
    best = thresholds.most_accurate_threshold(table["label"], table["score"])

    def tune(record: dict[str, Any]) -> None:
        record["scoring"]["threshold"] = best

    def label(table: pd.DataFrame) -> None:
        table["prediction"] = (table["score"] >= best).astype(int)

    def say_chosen(record: dict[str, Any]) -> None:
        tune(record)
        record["scoring"]["threshold_chosen_on"] = "validation"

    copy = forge(finished, tmp_path / "default", tune, label)
    state_what_the_predictions_give(copy)
    assert_reason(verify(copy, ctd), "fine-tuned: the threshold is not .5, which the record says it is.")
    copy = forge(finished, tmp_path / "chosen", say_chosen, label)
    state_what_the_predictions_give(copy)
    assert_reason(
        verify(copy, ctd), "is said to be: validation; by the validation split it is: default .5: validation has 54"
    )


def test_another_adapter_is_found(finished: Path, ctd: Path, tmp_path: Path) -> None:
    copy = forge(finished, tmp_path)
    weights = load_file(copy / "adapter_model.safetensors")
    save_file({name: -5 * weight for name, weight in weights.items()}, copy / "adapter_model.safetensors")
    record = runs.read(copy)
    record["files"] = runs.checksums(copy)
    (copy / runs.RECORD).write_text(json.dumps(record))
    assert_reason(verify(copy, ctd, sample=20), f"of {N_TEST} predictions are not what the model gives")


def test_another_dataset_is_found(finished: Path, ctd: Path, tmp_path: Path) -> None:
    """The record claims another split seed than that of the predictions, with and without its fingerprints."""
    from bioft.datasets.gene_disease import ctd as builder

    _, manifest = builder.build(ctd, negatives="uniform", validation_size=0.1, test_size=0.2, seed=5)

    def other_seed(record: dict[str, Any]) -> None:
        record["dataset"]["arguments"]["seed"] = 5

    assert_reason(verify(forge(finished, tmp_path / "a", other_seed), ctd), "evaluated on other data")

    def other_dataset(record: dict[str, Any]) -> None:
        other_seed(record)
        record["dataset"]["fingerprints"] = manifest["fingerprints"]
        record["audit"] = manifest["audit"]

    assert_reason(verify(forge(finished, tmp_path / "b", other_dataset), ctd), "rows of predictions.parquet are not")


def test_an_audit_that_is_not_the_datas_is_found(finished: Path, ctd: Path, tmp_path: Path) -> None:
    def hide(record: dict[str, Any]) -> None:
        record["audit"]["entity_overlap"]["gene"]["test"]["rows_in_train_fraction"] = 0.0

    assert_reason(verify(forge(finished, tmp_path, hide), ctd, sample=1), "another audit")


def test_another_base_model_is_found(finished: Path, ctd: Path, tmp_path: Path) -> None:
    """Its weights differ from those on record, or it is not the one that the record names."""

    def claim(record: dict[str, Any]) -> None:
        record["base_model"]["id"] = "meta-llama/Meta-Llama-3-8B"

    assert_reason(
        verify(forge(finished, tmp_path / "a", claim), ctd), "names the base model meta-llama/Meta-Llama-3-8B"
    )

    other = shutil.copytree(finished.parent / "model", tmp_path / "model")
    weights = load_file(other / "model.safetensors")
    save_file({name: weight + 0.1 for name, weight in weights.items()}, other / "model.safetensors")

    def move(record: dict[str, Any]) -> None:
        record["base_model"] |= {"id": str(other), "name_or_path": str(other)}

    found = verify(forge(finished, tmp_path / "b", move), ctd)
    assert_reason(found, "not those that the run was trained on", status="cannot be checked")


def test_data_that_are_missing_or_others_cannot_be_checked(
    finished: Path, ctd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    moved = ctd.rename(ctd.with_name("moved.csv"))
    try:
        assert_reason(verify(finished, None), "bioft download ctd", "--dataset-path", status="cannot be checked")
    finally:
        moved.rename(ctd)
    other = write_ctd(tmp_path / "other.csv", n_pairs=200)
    assert_reason(verify(finished, other), "Here is another source: other.csv", status="cannot be checked")
    found = verify(tmp_path / "no_run", None)
    assert_reason(found, "no user/name on the Hub", status="cannot be checked")
    (tmp_path / "empty").mkdir()
    assert_reason(verify(tmp_path / "empty", None), "there is no run.json", status="cannot be checked")


def test_a_built_dataset_stands_in_for_its_source(finished: Path, ctd: Path, tmp_path: Path) -> None:
    command = ["build", "ctd", str(ctd), "--output", str(tmp_path / "data"), "--negatives", "uniform"]
    assert CliRunner().invoke(app, [*command, "--validation-size", "0.1"]).exit_code == 0
    assert verify(finished, tmp_path / "data", sample=5).status == "verified on the publisher's data"


@pytest.mark.parametrize("field", ["base_model", "dataset", "scoring", "metrics", "baselines", "comparison", "task"])
@pytest.mark.parametrize("value", [None, [], {}, "x"])
def test_a_record_of_another_kind_is_never_verified_and_never_raises(
    field: str, value: Any, finished: Path, ctd: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "run"
    shutil.copytree(finished, copy)
    record = runs.read(copy)
    record[field] = value
    (copy / runs.RECORD).write_text(json.dumps(record))
    found = verify(copy, ctd, sample=1)
    assert found.status != "verified" and found.reasons


@pytest.mark.parametrize("value", [None, [], {}])
def test_a_record_that_names_no_recipe_is_never_verified(
    value: Any, finished: Path, ctd: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "run"
    shutil.copytree(finished, copy)
    record = runs.read(copy)
    (copy / runs.RECORD).write_text(json.dumps(record | {"recipe": value}))
    assert verify(copy, ctd, sample=1).status == "cannot be checked"
    del record["recipe"]
    (copy / runs.CARD).unlink()  # which can't be written without it
    (copy / runs.RECORD).write_text(json.dumps(record))
    assert_reason(verify(copy, ctd, sample=1), "names no recipe", status="cannot be checked")


def test_the_command_prints_the_verdict_and_exits_with_it(
    finished: Path, ctd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drift, "EFFECT", 0.9)
    data = ["--dataset-path", str(ctd)]
    result = CliRunner().invoke(app, ["verify", str(finished), *data, "--sample", "7", "--seed", "1"])
    assert result.exit_code == 0, result.output
    words = " ".join(result.output.split())
    assert f"7 of 7 agree (drawn from {N_TEST})" in words and f"run (7 of {N_TEST} predictions): verified" in words
    assert "what follows from stored predictions, not measured" in words and " now " not in words
    assert re.search(r"auroc .*? follows", words)
    assert f"{runs.read(finished)['metrics']['auroc']['value']:.4f}" in words

    def improve(record: dict[str, Any]) -> None:
        record["metrics"]["f1"]["value"] += 0.01

    forged = forge(finished, tmp_path, improve)
    result = CliRunner().invoke(app, ["verify", str(forged), *data, "--sample", "5", "--json"])
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert found["status"] == "not reproduced" and "fine-tuned: f1" in found["reasons"][0]
    assert {figure["holds"] for figure in found["figures"]} <= {True, False}

    result = CliRunner().invoke(app, ["verify", "nobody/nothing"])
    assert result.exit_code == 2
    assert "cannot be checked" in result.output


def test_scores_are_made_in_the_recorded_type_and_judged_by_it(finished: Path, ctd: Path, tmp_path: Path) -> None:
    """A run whose scores were made in bfloat16 is computed in bfloat16, with room for another processor's rounding."""

    def claim(record: dict[str, Any]) -> None:
        record["base_model"]["dtype"] = "bfloat16"

    found = verify(forge(finished, tmp_path, claim), ctd, sample=20, seed=0)
    assert found.predictions is not None
    assert found.predictions.tolerance == 0.1
    assert 1e-5 < found.predictions.max_difference < 0.1, "float32 scores beside new ones in bfloat16"
    assert found.predictions.agreeing == found.predictions.compared > 20, "coarse rounding takes more rows"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What tests/publish_and_verify.py found: the whole way over a Hub on loopback, in a process of its own."""
    folder = tmp_path_factory.mktemp("published")
    with HubServer(folder) as server:
        environment = server.environment(BIOFT_CACHE=str(folder / "cache"))
        words = [sys.executable, "-m", "tests.publish_and_verify", str(folder)]
        exit_code, shown = warm_process.run(RECIPES.parent, words, environment)
        assert exit_code == 0, shown
        assert len(server.repository("model", "user/adapter").commits()) == 3, "made, pushed once, edited by hand"
    return json.loads((folder / "results.json").read_text())


def test_a_published_run_is_verified_on_its_pinned_data_and_base(published: dict[str, Any]) -> None:
    assert published["record"]["base_model"]["revision"] == published["base_commit"]
    assert published["record"]["dataset"]["hub"] == {"id": "user/pairs", "revision": published["dataset_commit"]}
    found = published["verified"]
    assert (found["status"], found["reasons"]) == ("verified on the publisher's data", [])
    (note,) = found["notes"]
    assert "those of user/pairs on the Hub as somebody wrote them" in note
    assert found["predictions"]["agreeing"] == found["predictions"]["total"] == N_TEST
    assert found["revision"] is not None
    assert published["sampled"]["status"] == "verified on the publisher's data"
    assert published["sampled"]["predictions"]["compared"] == N_TEST, "of so few pairs all are needed"


def test_the_snippet_on_the_card_loads_the_published_adapter(published: dict[str, Any]) -> None:
    """`PeftModel.from_pretrained("user/adapter")` and `bioft pull-adapter` give the logits of the run itself."""
    assert published["largest_logit_difference"] == 0.0


def test_a_card_edited_on_the_hub_is_found_and_the_commit_before_it_holds(published: dict[str, Any]) -> None:
    found = published["forged"]
    assert (found["status"], found["revision"]) == ("not reproduced", published["forged_commit"])
    assert "0.999" in found["reasons"][0]
    assert published["before"]["status"] == "verified on the publisher's data"


def test_the_hub_reads_the_cards(published: dict[str, Any]) -> None:
    """Both passed the Hub's own validation; the figures and the pinned data are where it looks for them."""
    metadata, record = published["card"], published["record"]
    assert metadata["base_model"] == "user/tiny-llama"
    assert (metadata["license"], metadata["license_name"]) == ("other", "tiny-license")
    assert metadata["datasets"] == ["user/pairs"]
    result = metadata["model-index"][0]["results"][0]
    assert result["dataset"]["type"] == "user/pairs"
    assert result["dataset"]["revision"] == published["dataset_commit"]
    figures = {metric["name"]: metric["value"] for metric in result["metrics"]}
    assert figures == {metrics.WORDS[name][1]: figure["value"] for name, figure in record["metrics"].items()}
    assert "bioft verify user/adapter" in published["text"]
    assert f"huggingface.co/user/tiny-llama/tree/{published['base_commit']}" in published["text"]
    assert f"huggingface.co/datasets/user/pairs/tree/{published['dataset_commit']}" in published["text"]
    splits = published["dataset_card"]["dataset_info"]["splits"]
    assert {split["name"]: split["num_examples"] for split in splits} == {
        name: sum(counts.values()) for name, counts in record["dataset"]["rows"].items()
    }
    assert published["first_streamed"] == published["first_local"]


def test_a_record_that_names_no_task_of_bioft_cannot_be_checked(
    finished: Path, ctd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module of one's own that lacks a function; of a run from the Hub such a module is not even imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    imported = tmp_path / "imported"
    (tmp_path / "own_pairs.py").write_text(
        f"open({str(imported)!r}, 'w').close()\n"
        "from bioft.task import Task\n"
        "from bioft.tasks.gene_disease import TASK as THEIRS, answers\n"
        "TASK = Task(**vars(THEIRS) | {'name': 'own-pairs', 'module': 'own_pairs'})\n"
    )

    def claim(record: dict[str, Any]) -> None:
        record |= {"task": "own-pairs", "module": "own_pairs"}

    copy = tmp_path / "run"
    shutil.copytree(finished, copy)
    record = runs.read(copy)
    claim(record)
    (copy / runs.RECORD).write_text(json.dumps(record))
    (copy / hub_pull.ORIGIN).write_text(json.dumps({"id": "user/run", "revision": "0" * 40}))
    result = CliRunner().invoke(app, ["verify", str(copy)])
    assert result.exit_code == 2 and not imported.exists()
    assert "'own_pairs', which is not part of bioft" in " ".join(result.output.split())
    (copy / hub_pull.ORIGIN).unlink()
    assert_reason(verify(copy, ctd), "own_pairs has no `evaluate`", status="cannot be checked")
    assert imported.exists()


def test_a_recorded_argument_that_names_a_file_is_not_built_with(finished: Path, tmp_path: Path) -> None:
    """What comes from the Hub may not choose a file of this machine, nor is a file's name its content."""

    def claim(record: dict[str, Any]) -> None:
        record["dataset"] |= {"builder": "hpo_synonyms", "arguments": {"directory": str(tmp_path)}}

    copy = forge(finished, tmp_path, claim)
    with pytest.raises(BioftError, match="built with a file for directory"):
        recorded_data.recorded_data(copy, runs.read(copy))


def test_a_card_whose_captions_do_not_say_yet_whose_word_they_are_is_no_forgery(
    finished: Path, ctd: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "run"
    shutil.copytree(finished, copy)
    card = (copy / runs.CARD).read_text()
    said = ", as the publisher's logs say]"
    assert card.count(said) == 2
    (copy / runs.CARD).write_text(card.replace(said, "]"))
    assert verify(copy, ctd, sample=5).reasons == []
