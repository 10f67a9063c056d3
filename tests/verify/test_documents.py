"""What `bioft verify` finds of runs on documents: honest ones hold, and every kind of forged one is found out."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from safetensors.numpy import load_file, save_file

from bioft.cards import model as cards
from bioft.datasets.load import load_documents
from bioft.metrics import entity_f1, relation_f1
from bioft.storage import runs
from bioft.tasks.entities import evaluate as entity_evaluation
from bioft.tasks.entities.predict import table_of
from bioft.verify import drift, verify as verification
from tests.recipe import command_line, load_recipe, run_recipe
from tests.tiny import write_encoder

N_TEST = 30
"""Documents in the test split of the sample."""
RECIPES = {
    "token_classification": {"window_length": 64, "window_overlap": 16, "per_device_train_batch_size": 8},
    "sequence_classification": {"max_length": 64, "per_device_train_batch_size": 32},
    "joint_ner_re": {"window_length": 64, "window_overlap": 16, "per_device_train_batch_size": 8},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A finished run of each recipe on a tiny BERT, trained long enough to find something."""
    folder = tmp_path_factory.mktemp("finished")
    model = write_encoder(folder / "model")
    for name, options in RECIPES.items():
        values = options | {"dataset": "sample", "num_train_epochs": 3, "learning_rate": 1e-2, "logging_steps": 5}
        words = command_line(model_name_or_path=model, output_dir=folder / name, **values)
        run_recipe(load_recipe(name), *words)
    return {name: folder / name for name in RECIPES}


def forge(
    run: Path,
    folder: Path,
    record: Callable[[dict[str, Any]], None] = lambda record: None,
    table: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table,
) -> Path:
    """A copy of the run as a careful forger would leave it: record, card and checksums agree with the change."""
    copy = folder / "forged"
    shutil.copytree(run, copy)
    table(pd.read_parquet(copy / "predictions.parquet")).to_parquet(copy / "predictions.parquet", index=False)
    content = runs.read(copy)
    record(content)
    content["files"] = runs.checksums(copy)
    (copy / runs.RECORD).write_text(json.dumps(content))
    (copy / runs.CARD).write_text(cards.model_card(content), encoding="utf-8")
    return copy


def assert_reason(found: verification.Verification, *words: str, status: str = "not reproduced") -> None:
    assert found.status == status, found
    reasons = "\n".join(found.reasons)
    for word in words:
        assert word in reasons, reasons


def verify(run: Path, **options: Any) -> verification.Verification:
    return verification.verify(run, progress=False, **options)


@pytest.mark.parametrize("recipe", RECIPES)
def test_an_honest_run_is_verified_in_every_figure(recipe: str, finished: dict[str, Path]) -> None:
    found = verify(finished[recipe])
    assert (found.status, found.reasons) == ("verified", [])
    record = runs.read(finished[recipe])
    stated = {("fine-tuned", metric) for metric in record["metrics"]}
    others = record["baselines"] | {"base, zero-shot": record["base_model_metrics"]}
    stated |= {(name, metric) for name, figures in others.items() for metric in figures}
    assert {(figure.model, figure.metric) for figure in found.figures} == stated
    assert all(figure.equal for figure in found.figures)
    assert found.predictions is not None
    assert (found.predictions.compared, found.predictions.agreeing) == (N_TEST, N_TEST)
    assert found.predictions.label_flips == 0


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_sample_is_checked_and_said_to_be_one(
    recipe: str, finished: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drift, "EFFECT", 0.9)
    found = verify(finished[recipe], sample=5, seed=1)
    assert found.status == "verified" and found.predictions is not None
    assert (found.predictions.compared, found.predictions.agreeing, found.predictions.total) == (5, 5, N_TEST)
    assert "5 of 30 predictions" in found.notes[0]


@pytest.mark.parametrize("recipe", RECIPES)
def test_figures_edited_in_the_record_do_not_follow(recipe: str, finished: dict[str, Path], tmp_path: Path) -> None:
    def edit(record: dict[str, Any]) -> None:
        record["metrics"]["f1" if recipe != "joint_ner_re" else "relation_f1"]["value"] += 0.02

    assert_reason(verify(forge(finished[recipe], tmp_path, edit)), "do not follow", "fine-tuned", "f1")


def test_perfect_predictions_are_not_what_the_model_finds(finished: dict[str, Path], tmp_path: Path) -> None:
    """The forger writes the labels as predictions, and states just the figures that follow from them."""

    def perfect(table: pd.DataFrame) -> pd.DataFrame:
        found = [[[*item, 0.9] for item in json.loads(cell)] for cell in table["label"]]
        return table.assign(prediction=[json.dumps(items) for items in found])

    def state(record: dict[str, Any]) -> None:
        dataset, _ = load_documents("sample")
        made = table_of(dataset["test"], entity_f1.spans(dataset["test"]))
        figures = entity_evaluation.figures(made, dataset, record)
        record["metrics"] = {name: figures[name] for name in record["metrics"]}

    found = verify(forge(finished["token_classification"], tmp_path, state, perfect))
    assert_reason(found, "not what the model gives", "fine-tuned: outside the recorded intervals")
    assert found.predictions is not None and found.predictions.label_flips > 0


def test_a_relation_taken_out_of_the_predictions_is_found(finished: dict[str, Path], tmp_path: Path) -> None:
    """Wrong predictions made right, in every document that has one: more than may differ on another processor."""

    def mend(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(prediction=table["label"])

    assert_reason(
        verify(forge(finished["sequence_classification"], tmp_path, table=mend)),
        "do not follow",
        "not what the model gives",
    )


def test_labels_that_are_not_the_test_splits_are_found(finished: dict[str, Path], tmp_path: Path) -> None:
    def easier(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(label=table["prediction"])

    assert_reason(
        verify(forge(finished["sequence_classification"], tmp_path, table=easier)), "are not those of the test split"
    )


def test_a_baseline_made_weak_is_found(finished: dict[str, Path], tmp_path: Path) -> None:
    def weaken(record: dict[str, Any]) -> None:
        for figure in record["baselines"]["dictionary"].values():
            figure |= {"value": 0.1, "low": 0.05, "high": 0.15}

    assert_reason(verify(forge(finished["token_classification"], tmp_path, weaken)), "dictionary", "do not follow")


@pytest.mark.parametrize("recipe", RECIPES)
def test_other_weights_are_found(recipe: str, finished: dict[str, Path], tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(finished[recipe], copy)
    weights = load_file(copy / "model.safetensors")
    save_file({name: -values for name, values in weights.items()}, copy / "model.safetensors", {"format": "pt"})
    assert_reason(verify(forge(copy, tmp_path)), "not what the model gives")


def test_a_threshold_that_validation_does_not_give_is_found(finished: dict[str, Path], tmp_path: Path) -> None:
    """Nothing but the threshold: predictions, figures and comparison are those that follow from it.

    The validation split is too small to choose one, as the record says; a forger may say that it was chosen there.
    """
    honest = runs.read(finished["sequence_classification"])["relations"]["threshold"]
    tuned = 0.999 if honest < 0.9 else 0.001

    def predict(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(prediction=(table["score"] >= tuned).astype(int))

    def state(record: dict[str, Any]) -> None:
        record["relations"]["threshold"] = tuned

    def choose(record: dict[str, Any]) -> None:
        state(record)
        record["relations"]["threshold_chosen_on"] = "validation"

    def enough(record: dict[str, Any]) -> None:
        state(record)
        record["relations"]["threshold_chosen_on"] = "default .5: validation has 3 rows, fewer than 200"

    for number, (change, reason) in enumerate(
        {
            state: f"The threshold is {tuned:.4f}, and not .5 as recorded.",
            choose: "is said to be: validation; by the validation split it is: default .5: validation has 123",
            enough: "said to be: default .5: validation has 3 rows",
        }.items()
    ):
        copy = forge(finished["sequence_classification"], tmp_path / str(number), change, predict)
        assert_reason(verify(copy), reason)


def test_other_data_are_found(finished: dict[str, Path], tmp_path: Path) -> None:
    def claim(record: dict[str, Any]) -> None:
        record["dataset"]["fingerprints"]["test"] = "0" * 64
        record["audit"]["repeated_texts"]["test"] = 7

    found = verify(forge(finished["token_classification"], tmp_path, claim))
    assert_reason(found, "other fingerprints for test", "another audit")


def test_data_of_another_builder_must_be_given(finished: dict[str, Path], tmp_path: Path) -> None:
    def claim(record: dict[str, Any]) -> None:
        record["dataset"]["builder"] = "bc5cdr"

    found = verify(forge(finished["token_classification"], tmp_path, claim))
    assert_reason(found, "The data are missing", "--dataset-path", status="cannot be checked")


def test_the_references_of_the_sample_are_what_is_compared() -> None:
    """What the tests above forge is not empty."""
    test = load_documents("sample")[0]["test"]
    assert sum(map(len, entity_f1.spans(test))) == 244 and sum(map(len, relation_f1.relations(test))) == 53
