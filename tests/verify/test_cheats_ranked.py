"""Who wants a better rank, or a narrower interval over seeds, with what no verification has been asked about yet."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from safetensors.numpy import load_file, save_file

from bioft.compare import compare as comparison, leaderboard
from bioft.errors import BioftError
from bioft.storage import environment, runs
from bioft.tasks.text_labels import answers as label_answers
from bioft.training import seeds
from bioft.verify import checks, verify as verification
from tests.verify.conftest import Runs
from tests.verify.forging import Forged, copied


@pytest.fixture(autouse=True)
def _from_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Honest runs name models and data relatively to it."""
    monkeypatch.chdir(Path(__file__).parents[2])


def stored(forged: Forged, table: pd.DataFrame) -> Path:
    """The run with other predictions, of which nothing is restated."""
    table.to_parquet(forged.directory / runs.PREDICTIONS, index=False)
    return forged.write()


def apart(honest: Path, forged: Path) -> str:
    """Why one of two runs is not ranked beside the other, or neither is."""
    try:
        return " ".join(comparison.compare([str(honest), str(forged)]).apart.values())
    except BioftError as error:
        return str(error)


# --- what is compared with what


def easier_tokens(its: pd.DataFrame) -> pd.DataFrame:
    """As if fewer tokens had been masked, such as by a tokenizer that parts words in more pieces."""
    return its.assign(hidden=its["hidden"] - 1, correct=its["correct"].clip(upper=its["hidden"] - 1))


def missed_relations_not_stated(its: pd.DataFrame) -> pd.DataFrame:
    return its.assign(label=its["label"] & its["prediction"])


OTHER_QUESTIONS: dict[str, tuple[str, Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "labels of relations": ("relations", missed_relations_not_stated, "other labels than those of"),
    "fewer masked tokens": ("masked_lm", easier_tokens, "other labels than those of"),
}


@pytest.mark.parametrize("attack", OTHER_QUESTIONS)
def test_runs_are_ranked_that_were_asked_the_same(attack: str, of: Runs, tmp_path: Path) -> None:
    name, change, words = OTHER_QUESTIONS[attack]
    forged = copied(of[name], tmp_path / "forged")
    assert apart(of[name].directory, forged.directory) == ""
    stored(forged, change(forged.predictions))
    assert words in apart(of[name].directory, forged.directory)


def test_each_query_is_no_group_of_its_own(of: Runs, tmp_path: Path) -> None:
    """By itself it would make differences surer. The groups that an earlier run has not stored are those of others."""
    honest, forged, without = (copied(of["retrieval"], tmp_path / name) for name in ("honest", "forged", "without"))
    table = honest.predictions
    stored(honest, table.assign(group=[str(row // 3) for row in range(len(table))]))
    stored(forged, table.assign(group=[str(row) for row in range(len(table))]))
    assert "other groups than those of" in apart(honest.directory, forged.directory)
    names = [str(each.directory) for each in (without, honest)]
    alone, *both = [
        list(zip(its["low"], its["high"], strict=True))
        for its in (
            found[found["kind"] == comparison.RUN]
            for found in (comparison.compare(each).rankings[0].table for each in (names[1:], names, names[::-1]))
        )
    ]
    assert both == [2 * alone, 2 * alone]
    checks.check_data(run := without.run, without.data)
    assert "holds no groups of its rows" in " ".join(run.found.notes)


def test_texts_are_looked_for_among_the_same(of: Runs, tmp_path: Path) -> None:
    """Among fewer texts any ranking is better; the test split is the same, and so are queries and right texts."""
    forged = copied(of["retrieval"], tmp_path / "forged")
    forged.record["dataset"]["candidates"] = ["positive"]
    forged.write()
    assert "asked for among other texts of the split" in apart(of["retrieval"].directory, forged.directory)


def test_an_answer_of_another_kind_changes_no_metric() -> None:
    """With one text of no label all runs would be ranked by the accuracy, in which who says no to all is good."""
    table = pd.DataFrame({"id": list("abcd"), "label": [["no"], ["no"], ["no"], ["yes"]]})
    for first in (["no"], [], ["maybe"], ["no", "yes"]):
        its = table.assign(prediction=pd.Series([first, ["no"], ["no"], ["no"]]))
        assert [*label_answers.outcomes(its).metrics] == ["yes_f1", "f1", "accuracy"]


# --- one model under several names


def scaled(forged: Forged) -> None:
    """Weights that compute the same, to the last bit: both parts of each adapter are multiplied, by 2 and by 1/2."""
    path = forged.directory / "adapter_model.safetensors"
    tensors = load_file(path)
    assert any("lora_A" in name for name in tensors)
    factors = {"lora_A": 2.0, "lora_B": 0.5}
    save_file(
        {name: its * next((by for part, by in factors.items() if part in name), 1) for name, its in tensors.items()},
        path,
        {"format": "pt"},
    )


def with_more(forged: Forged) -> None:
    """A tensor that nothing reads."""
    path = forged.directory / "model.safetensors"
    save_file(load_file(path) | {"more": np.ones(1, np.float32)}, path, {"format": "pt"})


ONE_MODEL: dict[str, tuple[str, Callable[[Forged], None]]] = {
    "scaled adapter": ("gene_disease", scaled),
    "one tensor more": ("text_labels", with_more),
    "documents": ("entities", with_more),
}


@pytest.mark.parametrize("attack", ONE_MODEL)
def test_a_model_is_ranked_once_whatever_its_weights_look_like(attack: str, of: Runs, tmp_path: Path) -> None:
    name, change = ONE_MODEL[attack]
    honest, forged = of[name].directory, copied(of[name], tmp_path / "forged")
    change(forged)
    assert runs.tensors(forged.directory) != runs.tensors(honest)
    stored(forged, forged.predictions.iloc[::-1])
    board = leaderboard.build_leaderboard([str(honest), str(forged.directory)], tmp_path / "board")
    assert board.runs == 1 and f"Its answers are those of {honest}: they are one model." in board.apart.values()


def test_a_model_that_answers_otherwise_is_another(of: Runs, tmp_path: Path) -> None:
    forged = copied(of["gene_disease"], tmp_path / "other")
    scaled(forged)
    stored(forged, forged.predictions.assign(score=lambda its: its["score"] * 0.999))
    names = [str(each) for each in (of["gene_disease"].directory, forged.directory)]
    assert leaderboard.build_leaderboard(names, tmp_path / "board").runs == 2


def test_a_seed_that_computes_the_same_is_a_copy(of: Runs, tmp_path: Path) -> None:
    """Under another seed, with scaled weights and other losses: the spread over seeds would be none."""
    for seed in (1, 2):
        forged = copied(of["gene_disease"], tmp_path / f"seed_{seed}")
        forged.record["seed"] = seed
        config = forged.directory / runs.CONFIG
        config.write_text(yaml.safe_dump(yaml.safe_load(config.read_text()) | {"seed": seed}))
        if seed == 2:
            scaled(forged)
            for entry in forged.record["log_history"]:
                entry |= {"loss": 1.001 * entry["loss"]} if "loss" in entry else {}
        forged.write()
    names = [str(tmp_path / f"seed_{seed}") for seed in (1, 2)]
    with pytest.raises(BioftError, match="have the same answers: they are copies of one run"):
        seeds.summarise(names)


# --- what it is compared with


def test_a_baseline_that_is_not_the_best_is_not_made_worse_either(of: Runs, tmp_path: Path) -> None:
    """One of a few pairs with another score: of 38 that is .05 of AUROC, and no test tells it from chance."""
    forged = copied(of["gene_disease"], tmp_path / "run")
    table = forged.predictions
    worse = table["baseline_majority"].mask(table.index == table.index[table["label"] == 1][0], 0.0)
    forged.store(table.assign(baseline_majority=worse))
    forged.record["hardware"]["cpu"] = environment.cpu_model()
    assert forged.record["baselines"]["majority"]["auroc"]["value"] < 0.48
    assert forged.record["comparison"]["baseline"] != "majority"
    found = verification.verify(forged.write(), progress=False)
    assert found.reasons == ["majority: 1 of 38 stored answers are not those made again."]
    for part, key, value in (("packages", "scikit-learn", "1.0"), ("hardware", "cpu", "another")):
        known, forged.record[part][key] = forged.record[part][key], value
        found = verification.verify(forged.write(), progress=False)
        assert (found.status, found.reasons) == ("verified in part", [])
        assert "numpy, or another processor: majority: 1 of 38" in str(found.notes)
        forged.record[part][key] = known


def test_a_base_model_whose_answers_are_not_stored_is_not_made_worse(of: Runs, tmp_path: Path) -> None:
    """By less than a tenth of its interval, which is the room of heads that are drawn; this model has none."""
    forged = copied(of["gene_disease"], tmp_path / "run")
    table = forged.predictions.drop(columns="base_score")
    table.to_parquet(forged.directory / runs.PREDICTIONS, index=False)
    figure = forged.record["base_model_metrics"]["auroc"]
    figure |= {part: figure[part] - 0.02 for part in ("value", "low", "high")}
    forged.record["new_head"] = ["lm_head"]
    for version in (forged.record["packages"]["torch"], "2.0.0"):
        forged.record["packages"]["torch"] = version
        found = verification.verify(forged.write(), progress=False)
        assert found.status == "not reproduced"
        assert "base, zero-shot: not what is measured: auroc " in " ".join(found.reasons)
