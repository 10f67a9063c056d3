"""Checks that few runs meet: what is left out of a verification, and why, is said there as well."""

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bioft.errors import BioftError
from bioft.tasks.entities import answers as entity_answers
from bioft.tasks.text_labels import predict as text_prediction
from bioft.verify import again, card, checks, files, findings, verify as verification, word
from bioft.verify.checks import OTHER_ROWS
from tests.verify.conftest import Runs
from tests.verify.forging import copied


def test_a_sample_of_all_rows_is_no_sample(of: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else all that is measured beside predictions would be left out, though these are said to be whole."""
    forged = of["text_labels"]
    run = forged.run
    run.sample = len(run.table)
    monkeypatch.setattr(again, "check_predictions", lambda *asked: None)
    again.verify_run(run, forged.data)
    assert run.sample is None


def test_answers_about_other_rows_are_not_compared(of: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a task that does not say which its test rows are, nothing else tells."""
    run = of["text_labels"].run
    monkeypatch.setattr(again, "_load", lambda run: None)
    monkeypatch.setattr(again, "_tolerance", lambda *asked: 0.0)
    monkeypatch.setattr(again, "_predict", lambda *asked: run.table.iloc[::-1])
    again.check_predictions(run, {"test": None}, {})
    assert run.found.reasons == [OTHER_ROWS]


@pytest.mark.parametrize(("kind", "reason"), [("float16", True), ("bfloat16", False)])
def test_a_run_computes_in_the_type_that_its_record_names(
    kind: str, reason: bool, of: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the type moves is measured on some rows, and limited: of scores, and of answers."""
    rows = []

    def differences(made: pd.DataFrame, stored: pd.DataFrame, record: Any) -> pd.DataFrame:
        rows.append(len(made))
        return pd.DataFrame({"difference": [0.4], "changed": [1], "answers": [4]})

    forged = of["entities"]
    run = forged.run
    run.record = run.record | {"precision": {"training": "float32", "evaluation": kind}}
    model = run.of_task("predict", "load")(run.directory)
    monkeypatch.setattr(entity_answers, "differences", differences)
    monkeypatch.setattr(again, "MEASURED", 3)
    assert again._tolerance(run, model, forged.data.splits["test"]) == again.MOST_MOVED
    assert (rows, run.task.allowed_changed) == ([3], again.MOST_CHANGED)
    wrong = f"The record says that the model computes in {kind}; it does so in float32."
    assert run.found.reasons == ([wrong] if reason else [])
    assert (f"evaluated in {kind}; its answers were made again in float32" in run.found.notes[0]) != reason
    assert f"{kind} moves a score of this model by up to 0.4 here." in run.found.notes


def test_what_a_type_moves_is_not_measured_of_a_model_that_has_one_only(
    of: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = of["text_labels"].run
    run.record = run.record | {"precision": {"training": "float32", "evaluation": "bfloat16"}}
    model = run.of_task("predict", "load")(run.directory)
    monkeypatch.setattr(text_prediction, "load", lambda directory: None)
    assert again._tolerance(run, model, None) == again.MOST_MOVED


def test_a_figure_that_is_not_defined_is_not_compared_with_validation(
    of: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forged = copied(of["text_labels"], tmp_path / "run")
    run = forged.run
    run.record["metrics"][run.task.main_metric] |= {"value": None, "low": None, "high": None}
    monkeypatch.setattr(again, "_predict", lambda *asked: run.table)
    again._compare_with_validation(run, None, forged.data.splits)
    assert run.found.notes == []


@pytest.mark.parametrize(
    ("ours", "stated", "words"),
    [
        ({"type": "Gene"}, {"type": "Disease"}, ["details.type Disease, not Gene"]),
        ({"value": None}, {"value": 0.9}, ["details.value 0.9, not None"]),
        ({"value": None}, {"value": None}, []),
    ],
    ids=["words", "no number", "the same"],
)
def test_details_that_are_no_numbers_are_compared_too(ours: Any, stated: Any, words: list[str]) -> None:
    assert list(again._unlike(ours, stated, "details")) == words


@pytest.mark.parametrize(
    ("sample", "changes", "words"),
    [(5, {}, "verify this run without --sample"), (None, {"metrics": {}}, "states no figures")],
    ids=["sample", "no figures"],
)
def test_what_cannot_be_evaluated_again_is_refused_first(
    sample: int | None, changes: dict[str, Any], words: str, of: Runs
) -> None:
    run = of["retrieval"].run
    run.sample, run.record = sample, run.record | changes
    with pytest.raises(BioftError, match=words):
        checks.check_functions(run)


def test_numbers_that_are_none_are_the_same_as_none() -> None:
    assert checks._is_as_sure(None, None) and not checks._is_as_sure(None, 0.01)
    assert not checks._is_as_sure(0.01, None)
    assert findings.equal(math.nan, math.nan) and not findings.equal(math.nan, 0.5)


def test_near_duplicates_of_pairs_may_lack_in_earlier_records(of: Runs, tmp_path: Path) -> None:
    """They were not looked for in all pairs before schema 4."""
    forged = copied(of["retrieval"], tmp_path / "run")
    audit, stated = dict(forged.record["audit"]), forged.record["audit"]
    del stated["pair_surface"], stated["near_duplicates"]
    for schema, refused in ((3, False), (4, True)):
        forged.record["schema_version"] = schema
        checks.check_audit(run := forged.run, audit)
        assert bool(run.found.reasons) == refused


def test_near_copies_of_an_earlier_card_are_those_of_its_record(of: Runs) -> None:
    """Texts that are ids may hold the words that parted them."""
    first = {"id": "Bleeding of the gums", "of": "Bleeding of one of the gums", "because": "words"}
    record = of["masked_lm"].record | {
        "audit": {"near_duplicates": {"test": {"near": 1, "texts": 9, "first": [first]}}}
    }
    begins = "- Nearly a training text: 1 of 9 texts of test (edited)"
    shown = card.in_todays_words(f"{begins}, first {first['id']} of {first['of']}.\n", record)
    assert shown == f"{begins}; the first is {first['id']}, near {first['of']}.\n"


def test_several_special_tokens_are_those_of_the_tokenizer() -> None:
    tokenizer = {"special": {"additional_special_tokens": ["[E1]", "[E2]"]}, "added_tokens": []}
    for names, same in ((["[E1]", "[E2]"], True), (["[E1]", "[E3]"], False)):
        stated = json.dumps({"additional_special_tokens": [{"content": each} for each in names]})
        assert files._is_vocabulary("special_tokens_map.json", stated, tokenizer) == same


def test_data_of_the_hub_that_were_not_fetched_are_said_to_be(
    of: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forged = copied(of["masked_lm"], tmp_path / "run")
    forged.record["dataset"]["hub"] = {"id": "user/texts", "revision": "0" * 40}
    monkeypatch.setattr(again, "verify_run", lambda *asked: None)
    found = verification.verify(forged.write(), dataset_path=tmp_path / "data", progress=False)
    assert (found.status, found.reasons) == ("verified in part", [])
    assert "Whether the data are those of user/texts on the Hub was not checked." in found.notes


def test_a_base_model_that_a_run_adapted_is_compared_where_it_is_loaded(of: Runs) -> None:
    run = of["text_labels"].run
    name = str(of["masked_lm"].directory)
    run.record = run.record | {
        "classifier": run.record["classifier"] | {"mlm_run": name},
        "base_model": run.record["base_model"] | {"id": name, "name_or_path": name},
    }
    assert findings.check_base_model(run.directory, run.record) == []


def test_a_log_without_an_end_contradicts_no_training(of: Runs) -> None:
    run = of["masked_lm"].run
    run.record = run.record | {"log_history": []}
    word.check_training(run)
    assert run.found.reasons == []
