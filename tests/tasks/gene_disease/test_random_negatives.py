"""Beside its own negatives a run is judged on random negatives: drawn as said, recorded, shown, and verified."""

import copy
import io
import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from datasets import DatasetDict
from rich.console import Console
from sklearn.metrics import roc_auc_score

from bioft.cards import model as cards
from bioft.compare.compare import compare, to_markdown
from bioft.datasets.gene_disease import ctd, random_negatives
from bioft.datasets.recorded import recorded_splits
from bioft.metrics import report
from bioft.storage import runs
from bioft.task import FINE_TUNED
from bioft.tasks.gene_disease import TASK, evaluate
from bioft.verify import checks, verify as verification
from bioft.verify.findings import Verification
from tests.tiny import write_ctd


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[DatasetDict, dict[str, Any]]]:
    """Builds made-up pairs, each split once, and what a record would say of them if they were matched by degree."""
    path = write_ctd(tmp_path_factory.mktemp("data") / "CTD_curated_genes_diseases.csv", 60, 50, 400)

    @cache
    def built(split: Any) -> tuple[DatasetDict, dict[str, Any]]:
        splits, manifest = ctd.build(path, split=split, negatives="uniform")
        return splits, {"arguments": manifest["arguments"] | {"negatives": "degree_matched"}}

    return built


def keys(rows: Any, label: int | None = None) -> list[tuple[str, str]]:
    table = rows.to_pandas()
    table = table if label is None else table[table["label"] == label]
    return list(zip(table["gene_id"], table["disease_id"], strict=True))


@pytest.mark.parametrize("split", ["pair", "gene_held_out"])
def test_random_negatives_are_new_and_stand_beside_the_same_positives(split: str, build: Any) -> None:
    splits, about = build(split)
    drawn = random_negatives.draw(splits, about)
    assert drawn is not None
    positives = {name: keys(rows, 1) for name, rows in splits.items()}
    random = [pair for rows in drawn.values() for pair in keys(rows, 0)]
    assert len(random) == len(set(random)) and not set(random) & set().union(*positives.values())
    for name, rows in drawn.items():
        assert keys(rows, 1) == positives[name] and len(keys(rows, 0)) == len(positives[name])
        of_split = {gene for gene, _ in positives[name]}
        everyone = {gene for its in positives.values() for gene, _ in its}
        among = of_split if split == "gene_held_out" else everyone
        assert {gene for gene, _ in keys(rows, 0)} <= among
        table, own = rows.to_pandas(), splits[name].to_pandas()
        of_dataset = table[table[random_negatives.ROW] >= 0]
        names = ["gene", "disease", "label"]
        assert (of_dataset[names].to_numpy() == own.loc[of_dataset[random_negatives.ROW], names].to_numpy()).all()
        assert set(table[["gene_id", "gene"]].itertuples(index=False)) <= set(
            pd.concat(its.to_pandas() for its in splits.values())[["gene_id", "gene"]].itertuples(index=False)
        )
    again = random_negatives.draw(splits, about)
    assert again is not None and all(keys(again[name]) == keys(rows) for name, rows in drawn.items())


def test_of_large_splits_a_part_is_asked(build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random_negatives, "MOST", 9)
    splits, about = build("pair")
    drawn = random_negatives.draw(splits, about)
    assert drawn is not None and [len(drawn[name]) for name in ("validation", "test")] == [18, 18]
    assert len(drawn["train"]) == len(splits["train"])


def test_there_are_none_where_they_are_the_runs_own_or_none_are_left(build: Any) -> None:
    splits, about = build("pair")
    assert random_negatives.draw(splits, about) is not None
    assert random_negatives.draw(splits, {"arguments": about["arguments"] | {"negatives": "uniform"}}) is None
    assert random_negatives.draw(splits, {"arguments": {}}) is None, "nothing is said of a folder's negatives"
    assert random_negatives.draw(splits, about | {"evaluated_on": "validation"}) is None
    one_gene = DatasetDict({name: rows.filter(lambda row: row["gene"] == "GEN1") for name, rows in splits.items()})
    assert random_negatives.draw(one_gene, about) is None


def test_a_run_says_what_counting_tells_of_random_negatives(combined: Path) -> None:
    """Recorded with the figures of baselines fitted on such pairs and of the model; in table, card and comparison."""
    record = runs.read(combined)
    found = record["random_negatives"]
    drawn = random_negatives.draw(recorded_splits(combined, record), record["dataset"])
    assert drawn is not None
    fitted = dict(evaluate.fit_baselines(drawn, {}))
    labels = np.asarray(drawn["test"]["label"])
    for name, scores in fitted.items():
        assert found["figures"][name]["value"] == pytest.approx(roc_auc_score(labels, scores["test"]))
        assert found["figures"][name]["n"] == len(labels)
    assert {FINE_TUNED, report.WITH_MODEL} == found["figures"].keys() - fitted.keys()
    counting = [report.interval_text(its) for its in (
        found["figures"]["popularity_boosted"], record["baselines"]["popularity_boosted"]["auroc"]
    )]  # fmt: skip
    assert all(words in found["sentence"] for words in counting)

    card = (combined / runs.CARD).read_text(encoding="utf-8")
    assert found["sentence"] in card
    heading = next(line for line in card.splitlines() if line.startswith("| |"))
    assert "| AUROC | Random negatives |" in heading
    console = Console(width=200, record=True, file=io.StringIO())
    report.print_results(record, evaluate.SHOWN, console)
    shown = console.export_text()
    assert "Random negatives: against pairs drawn at random" in " ".join(shown.split())
    row = next(line for line in shown.splitlines() if "popularity, boosted" in line)
    assert counting[1] in row and counting[0] in row.partition(counting[1])[2]

    table = to_markdown(compare([str(combined)]))
    assert "| random negatives [95 %] |" in table
    of_model = report.interval_text(found["figures"][FINE_TUNED])
    assert of_model in next(line for line in table.splitlines() if str(combined) in line)
    row = next(line for line in table.splitlines() if "popularity, boosted (baseline)" in line)
    assert row.split("|")[3:5] == [f" {counting[1]} ", f" {counting[0]} "]


def test_a_run_without_them_is_shown_as_before(combined: Path, tmp_path: Path) -> None:
    run = shutil.copytree(combined, tmp_path / "earlier")
    record = runs.read(run)
    del record["random_negatives"]
    (run / runs.RECORD).write_text(json.dumps(record))
    assert "andom negatives" not in cards.model_card(record)
    assert "random negatives" not in to_markdown(compare([str(run)]))


def test_a_publisher_who_leaves_them_out_is_found(combined: Path) -> None:
    """Also in a sample; a record of before they were written is verified in part."""
    record = runs.read(combined)
    splits = recorded_splits(combined, record)

    def found(**changes: Any) -> Verification:
        run = checks.Run(combined, record | changes, TASK, Verification(str(combined)), sample=20)
        checks.check_results(run, splits)
        return run.found

    assert (found().reasons, found().best) == ([], "verified")
    assert found(random_negatives=None).reasons == [
        "run.json leaves out results that the data give: random_negatives."
    ]
    earlier = found(random_negatives=None, schema_version=4)
    assert (earlier.reasons, earlier.best) == ([], "verified in part") and "random_negatives" in earlier.notes[0]
    uniform = record["dataset"] | {"arguments": record["dataset"]["arguments"] | {"negatives": "uniform"}}
    assert (found(random_negatives=None, dataset=uniform).reasons) == []


def less_of_counting(found: dict[str, Any]) -> None:
    found["figures"]["popularity_boosted"]["value"] -= 0.02


def more_of_the_model(found: dict[str, Any]) -> None:
    found["figures"][FINE_TUNED]["value"] += 0.02


def narrower(found: dict[str, Any]) -> None:
    found["figures"][report.WITH_MODEL]["low"] += 0.02


def no_number(found: dict[str, Any]) -> None:
    found["figures"][FINE_TUNED]["high"] = float("nan")


def another_system(found: dict[str, Any]) -> None:
    found["figures"]["ours"] = found["figures"][FINE_TUNED]


def without_the_model(found: dict[str, Any]) -> None:
    del found["figures"][FINE_TUNED]


def another_sentence(found: dict[str, Any]) -> None:
    found["sentence"] = found["sentence"].replace("counting associations", "hardly counting associations")


@pytest.mark.parametrize(
    "forge",
    [less_of_counting, more_of_the_model, narrower, no_number, another_system, without_the_model, another_sentence],
)
def test_what_was_made_again_tells_forgeries(forge: Callable[[dict[str, Any]], None], combined: Path) -> None:
    """Whether the sentence goes with the forged figures or not."""
    record = runs.read(combined)
    honest, forged = record["random_negatives"], copy.deepcopy(record["random_negatives"])
    assert not evaluate._differ(forged, honest, record["baselines"])
    forge(forged)
    assert evaluate._differ(forged, honest, record["baselines"])
    if "hardly" not in forged["sentence"]:
        counting = record["baselines"][evaluate.COUNTING][evaluate.COMPARED]
        forged["sentence"] = evaluate.random_negatives_in_words(forged["figures"], counting)
        assert evaluate._differ(forged, honest, record["baselines"])


def test_a_forged_run_is_not_reproduced(combined: Path, tmp_path: Path) -> None:
    run = shutil.copytree(combined, tmp_path / "forged")
    record = runs.read(run)
    record["random_negatives"]["combination"]["weights"][FINE_TUNED] += 5
    (run / runs.RECORD).write_text(json.dumps(record))
    (run / runs.CARD).write_text(cards.model_card(record), encoding="utf-8")
    found = verification.verify(run, progress=False)
    assert found.status == "not reproduced"
    assert [each.partition(".")[0] for each in found.reasons] == [
        "Beside random negatives it is not as the record says"
    ]
