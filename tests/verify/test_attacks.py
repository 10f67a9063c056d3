"""Every attack on a verification that is known: each is found, and each of these tests fails without its check.

A forger is careful here: record, card and checksums agree with what was changed (`forging`), unless it is they that
are attacked. Attacks on card, files and record are given to the part of `verify` that must find them; those on data
and predictions to all of it.
"""

import json
import re
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from datasets import DatasetDict, concatenate_datasets
from safetensors.numpy import load_file, save_file

from bioft.cards import eval_results
from bioft.compare import outcomes
from bioft.datasets.hpo import context
from bioft.errors import BioftError
from bioft.metrics import plots, report
from bioft.metrics.estimation import estimates
from bioft.storage import runs
from bioft.task import BASE, FINE_TUNED
from bioft.tasks.gene_disease import evaluate as gene_disease, predict as gene_disease_prediction
from bioft.tasks.relations.linking import ConceptDictionary
from bioft.tasks.text_labels import evaluate
from bioft.verify import again, checks, verify as verification, word
from bioft.verify.card import check_card, notes_of
from bioft.verify.checks import OTHER_ROWS
from bioft.verify.files import check_files, check_plots, name_plots
from bioft.verify.findings import Verification, print_verdict
from tests.verify.conftest import Runs
from tests.verify.forging import TASKS, Forged, copied, found_on_card, with_rows

SCORED = ("gene_disease", "text_labels")


def verify(run: Path, **options: Any) -> Verification:
    return verification.verify(run, progress=False, **options)


def assert_found(found: Verification, *words: str) -> None:
    assert found.status == "not reproduced", found
    assert_said(found.reasons, *words)


def assert_said(said: list[str], *words: str) -> None:
    text = "\n".join(said)
    for each in words:
        assert each in text, text


# --- honest runs


@pytest.mark.parametrize("name", TASKS)
def test_an_honest_run_is_verified(name: str, of: Runs) -> None:
    found = verify(of[name].directory)
    # The pairs of the golden run are a part of those that their source gives.
    expected = "verified on the publisher's data" if name == "retrieval" else "verified"
    assert (found.status, found.reasons) == (expected, [])
    assert all(figure.equal and figure.now for figure in found.figures if figure.model == FINE_TUNED)
    assert {figure.model for figure in found.figures} >= {"base, zero-shot", *of[name].record["baselines"]}


# --- the record


def change_record(record: dict[str, Any], names: list[str]) -> dict[str, str]:
    """Forge everything that a record states of its figures and data; returns what must be said of it."""
    metrics, baselines = record["metrics"], record["baselines"]
    raised, narrowed, left_out, *_ = [*metrics, *metrics, *metrics]
    expected = {}
    if len(metrics) > 2:
        del metrics[left_out]
        expected["a metric is left out"] = f"leaves out figures of {FINE_TUNED}: {left_out}"
    if names[1:]:
        del baselines[names[-1]]
        expected["a baseline is left out"] = f"leaves out baselines: {names[-1]}"
    metrics[raised] = metrics[raised] | {"value": metrics[raised]["value"] + 0.02}
    expected["a metric is raised"] = f"{FINE_TUNED}: {raised}"
    metrics[narrowed] = metrics[narrowed] | {"low": metrics[narrowed]["value"] - 1e-3}
    expected["an interval is narrowed"] = f"{FINE_TUNED}: {narrowed}"
    weakened = next(iter(baselines[names[0]]))
    baselines[names[0]][weakened] = {"value": 0.05, "low": 0.0, "high": 1.0, "n": 30}
    expected["a baseline is made weak within a wide interval"] = f"{names[0]}: {weakened}"
    baselines["gpt_4"] = dict(metrics)
    expected["a baseline is invented"] = "no baseline of the task: gpt_4"
    sentence = "The fine-tuned model is significantly better than the best baseline (by far)"
    record["comparison"] |= {"difference": 0.21, "low": 0.1, "high": 0.3, "sentence": sentence}
    expected["the conclusion is another"] = "compares with the best baseline in another way (comparison)"
    if "by_neighbour" in record:
        record["by_neighbour"]["rest"]["n"] += 1
        expected["figures beside neighbours are others"] = "in another way (by_neighbour)"
    for key in {"error_analysis", "relation_error_analysis", "details"} & record.keys():
        change_a_number(record[key])
        expected[f"{key} is another"] = f"analyses its predictions in another way than they give: {key}"
    record["base_model_metrics"] = {}
    expected["the base model is left out"] = "leaves out the figures of the base model"
    check = next(iter(record["audit"]["checks"]))
    record["audit"]["checks"][check] = 3
    expected["the audit is another"] = f"another audit than that of its dataset: checks.{check} 3, not 0"
    record["dataset"]["sources"][0]["version"] = "the newest"
    record["dataset"]["rows"]["test"] = {"rows": 10_000}
    expected["the data are described otherwise"] = "describes its data in another way than they are: "
    record["dataset"]["sources"][0]["url"] = "https://example.org/better"
    expected["a source is from elsewhere"] = "comes from https://example.org/better, not "
    metrics[raised]["sd"] = 0.001
    expected["a figure has more than its interval"] = f"{FINE_TUNED}: {raised}.sd"
    record["comparison"]["against"] = "all other models"
    expected["a comparison has more"] = "states what no comparison has: comparison.against"
    record["dataset"]["evaluated_on"] = "patients of three hospitals"
    expected["it was evaluated elsewhere"] = "describes its data in another way than they are: "
    record |= {"name": "AUROC 97", "recipe": "ours\n\n## Better than all others"}
    expected["a figure in whole numbers"] = "states a figure where none belongs: name"
    expected["a heading in a name"] = "states a figure where none belongs: recipe"
    record["hardware"]["gpu"] = "![roc](https://example.org/roc.png)"
    expected["an image in a name"] = "states a figure where none belongs: hardware.gpu"
    record["training"]["recall_of_test"] = "97 %"
    expected["a share beside the steps"] = "states a figure where none belongs: training.recall_of_test"
    record["preset"] = "AUROC 0.97 on patients"
    expected["a figure in a name"] = "states a figure where none belongs: preset"
    record["training"]["test_accuracy"] = 0.99
    expected["a figure beside the steps"] = "states a figure where none belongs: training.test_accuracy"
    return expected | change_words(record)


def change_words(record: dict[str, Any]) -> dict[str, str]:
    """Forge what a record says of base model and training, and add results; returns what must be said of it."""
    expected = {"notes": "leaves out notes that follow from it"} if record.pop("notes") else {}
    record["base_model"] |= {"license": "mit", "vocab_size": 10**6, "quantization": "nf4, as it were"}
    expected["the licence of the base model"] = "of the base model that its license is mit"
    expected["its vocabulary"] = "of the base model that its vocab_size is 1000000"
    expected["its quantization"] = "names no quantization: nf4, as it were"
    record["adaptation"] = record["memorisation"] = record["macro_comparison"] = {
        "sentence": "It knew nothing before."
    }
    expected["results of other tasks"] = f"states results that {record['task']} does not give: "
    log = record["log_history"]
    for entry in log:
        entry |= {"loss": entry["loss"] / 2} if "loss" in entry else {}
    expected["losses are halved"] = "the mean of its logged losses is "
    log[:0] = [{"test_f1": 0.99, "step": 1}, {"eval_test_f1": 0.99, "step": 1}]
    expected["a test figure in the log"] = "its log has figures of the test split (eval_test_f1, test_f1)"
    record["training"] |= {"seconds": 1.5 * record["training"]["seconds"], "trainable_parameters": 10**9}
    expected["the time"] = "seconds, and "
    expected["the speed"] = " examples a second, and by its time "
    expected["the parameters"] = "1,000,000,000 of "
    record["training"]["total_parameters"] += 10**6
    if "model.safetensors" in record["files"]:
        expected["the size of the model"] = f"{record['training']['total_parameters']:,} parameters, and its weights "
    record["training"]["steps"] += 1
    expected["the steps"] = (
        f"{record['training']['steps']:,} steps, and {record['training']['steps'] - 1:,} in its log"
    )
    record["seed"] += 1
    expected["another seed"] = "The training on record is none: the seed 1, and 0 in config.yaml."
    record["training"]["examples_seen"] *= 1000
    if record["task"] not in ("text-classification", "joint-entity-relation"):  # in which no record counts examples
        expected["the examples"] = " examples were seen in "
    return expected


def change_a_number(part: dict[str, Any]) -> None:
    """Change the first number in a part of a record."""
    for key, its in part.items():
        if isinstance(its, dict) and its:
            return change_a_number(its)
        if isinstance(its, int | float):
            part[key] = its + 1
            return None
    return None


def test_an_invented_part_of_an_analysis_is_found(of: Runs, tmp_path: Path) -> None:
    forged = copied(of["entities"], tmp_path / "run")
    forged.record["error_analysis"]["outcomes"]["Protein"] = {"correct": 900}
    run = forged.run
    checks.check_analyses(run, {**forged.fitted, **run.systems}, forged.data.splits)
    assert_said(run.found.reasons, "analyses its predictions in another way than they give: more than that")


@pytest.mark.parametrize("name", TASKS)
def test_every_forgery_of_a_record_is_found(name: str, of: Runs, tmp_path: Path) -> None:
    forged = copied(of[name], tmp_path / "run")
    names = list(forged.run.of_task("evaluate", "baseline_names")(forged.record))
    expected = change_record(forged.record, names)
    run, splits = forged.run, forged.data.splits
    check_card(forged.directory, forged.record, run.found)
    checks.check_systems(run)
    if (of_rows := run.optional("answers", "of_rows")) is not None:
        run.table = of_rows(run.table, splits["test"])
    checks.check_data(run, forged.data)
    checks.check_stored(run, splits, forged.fitted)
    word.check_base_model(run)
    word.check_training(run)
    word.name_what_is_not_checked(run)
    for attack, words in expected.items():
        assert any(words in reason for reason in run.found.reasons), (attack, run.found.reasons)


def test_weak_labels_called_expert_ones_are_found(of: Runs, tmp_path: Path) -> None:
    forged = copied(of["text_labels"], tmp_path / "run")
    forged.record["dataset"]["label_source"] = "expert"
    run = forged.run
    checks.check_data(run, forged.data)
    assert_said(run.found.reasons, "label_source expert, not sample")


def test_shortcuts_that_an_audit_hides_are_found(of: Runs, tmp_path: Path) -> None:
    """Set to what chance gives, and unflagged."""
    forged = copied(of["gene_disease"], tmp_path / "run")
    shortcut = forged.record["audit"]["shortcuts"][0]
    shortcut |= {"auroc": 0.5, "low": 0.4, "high": 0.6, "flag": None}
    run = forged.run
    checks.check_data(run, forged.data)
    assert_said(run.found.reasons, "another audit than that of its dataset: shortcuts[0].auroc 0.5")


@pytest.mark.parametrize(
    ("name", "part", "change", "words"),
    [
        ("text_labels", "near_duplicates", {"test": {"near": 0, "texts": 9, "among": 9, "first": []}}, "test.texts 9"),
        ("entities", "near_duplicates", {}, "near_duplicates.validation None"),
        ("gene_disease", "families", {"gene": {}}, "families.gene.validation None"),
        ("gene_disease", "surface", {"telling_columns": []}, "surface.telling_columns []"),
    ],
)
def test_what_else_an_audit_hides_is_found(
    name: str, part: str, change: dict[str, Any], words: str, of: Runs, tmp_path: Path
) -> None:
    forged = copied(of[name], tmp_path / "run")
    forged.record["audit"][part] = forged.record["audit"][part] | change if change else {}
    run = forged.run
    checks.check_data(run, forged.data)
    assert_said(run.found.reasons, "another audit than that of its dataset: ", words)


@pytest.mark.parametrize("name", TASKS)
def test_an_old_schema_is_no_way_round(name: str, of: Runs, tmp_path: Path) -> None:
    """A record may claim to be of an earlier schema, of which less can be checked: it is verified in part at most."""
    forged = copied(of[name], tmp_path / "run")
    forged.record["schema_version"] = 2
    run = forged.run
    with pytest.raises(Exception, match="stop here"):
        again.verify_run(run, checks.BioftError("stop here"))
    assert run.found.best == "verified in part" and "schema 3" in run.found.notes[0]


def test_a_part_of_an_audit_that_came_later_may_lack_in_earlier_records_only(of: Runs, tmp_path: Path) -> None:
    """What was not audited then is named; a record of today that lacks it, or one that claims two ages, is refused."""
    forged = copied(of["entities"], tmp_path / "run")
    audit, stated = dict(forged.record["audit"]), forged.record["audit"]

    def found(schema: int) -> Verification:
        forged.record["schema_version"] = schema
        run = forged.run
        checks.check_audit(run, audit)
        return run.found

    assert_said(found(3).reasons, "of schema 3, but its audit has what came later: entity_surface, relation_surface")
    del stated["relation_surface"]
    assert_said(found(3).reasons, "has what came later: entity_surface")
    del stated["entity_surface"]
    assert_said(
        found(4).reasons, "another audit than that of its dataset: entity_surface None, not", "relation_surface"
    )
    assert (found(3).reasons, found(3).best) == ([], "verified in part")
    assert_said(found(3).notes, "before schema 4: of its data entity_surface, relation_surface were not audited then")
    del stated["near_duplicates"]
    assert_said(found(3).reasons, "another audit than that of its dataset: near_duplicates None")


def test_intervals_of_macro_averages_are_not_those_of_earlier_records(of: Runs, tmp_path: Path) -> None:
    forged = copied(of["text_labels"], tmp_path / "run")
    forged.record["metrics"]["macro_f1"]["low"] -= 0.01

    def found(schema: int) -> Verification:
        forged.record["schema_version"] = schema
        run = forged.run
        checks.check_stored(run, None, {})
        return run.found

    assert_said(found(4).reasons, "macro_f1")
    assert (found(3).reasons, found(3).best) == ([], "verified in part")
    assert_said(found(3).notes, "before schema 4: its intervals of macro averages")
    forged.record["metrics"]["macro_f1"]["value"] += 0.01
    assert_said(found(3).reasons, "macro_f1")


def test_what_audits_find_since_is_said_of_earlier_records(of: Runs, tmp_path: Path) -> None:
    """More texts that are nearly those of training, and details that tell; no fewer, and of no record of today."""
    forged = copied(of["text_labels"], tmp_path / "run")
    audit = json.loads(json.dumps(forged.record["audit"]))
    audit["near_duplicates"]["test"]["near"] += 2
    audit["surface"]["details"] = {"auroc": 0.9}
    for schema, stated, refused in ((6, 0, False), (6, 3, True), (runs.SCHEMA_VERSION, 0, True)):
        forged.record["schema_version"] = schema
        forged.record["audit"]["near_duplicates"]["test"]["near"] = stated
        checks.check_audit(run := forged.run, audit)
        assert bool(run.found.reasons) == refused
        if not refused:
            assert run.found.best == "verified in part"
            assert_said(
                run.found.notes,
                "since: near_duplicates.test.near 2, not 0, surface.details. What it found of that is its own word.",
            )


def test_what_a_build_says_since_is_said_of_earlier_records(of: Runs, tmp_path: Path) -> None:
    forged = copied(of["text_labels"], tmp_path / "run")
    data = forged.data._replace(manifest={**forged.data.manifest, "notes": ["the column patient is not read"]})
    for schema, refused in ((6, False), (runs.SCHEMA_VERSION, True)):
        forged.record["schema_version"] = schema
        checks.check_data(run := forged.run, data)
        assert any("describes its data in another way" in each for each in run.found.reasons) == refused
        assert any("since: the column patient is not read." in each for each in run.found.notes) != refused


def test_intervals_of_macro_averages_are_those_of_the_schema_that_a_record_names(of: Runs, tmp_path: Path) -> None:
    """Those of schema 4 are compared in the way of then, and verified in part; neither passes for the other."""
    made = {}
    for schema in (4, runs.SCHEMA_VERSION):
        with estimates.of_schema(schema):
            made[schema] = copied(of["text_labels"], tmp_path / str(schema))
            made[schema].restate()
    for claimed in made:
        for so, forged in made.items():
            run = forged.run
            run.record["schema_version"] = claimed
            with estimates.of_schema(claimed):
                checks.check_stored(run, None, {})
            assert any("macro_f1" in reason for reason in run.found.reasons) == (claimed != so)
            assert any("those of that time" in note for note in run.found.notes) == (claimed == 4)
            assert run.found.best == ("verified" if claimed == runs.SCHEMA_VERSION else "verified in part")
    forged.record["schema_version"] = 5
    checks.check_stored(run := forged.run, None, {})
    assert_said(run.found.notes, "before schema 6: its intervals and comparisons of macro averages are those of that")


def test_what_a_card_would_print_is_computed_or_refused(of: Runs, tmp_path: Path) -> None:
    """Results of other tasks, parts of an audit and of the data that they do not have, words among the results."""
    forged = copied(of["text_labels"], tmp_path / "run")
    record = forged.record
    far_better = {"sentence": "It is significantly better than the best baseline on texts like none in training."}
    figure = {"value": 0.97, "low": 0.95, "high": 0.99, "n": 500}
    record |= {"added": far_better | {"metrics": {}}, "by_neighbour": record.get("by_neighbour") or far_better}
    record["pair_similarity"] = {"fine-tuned": {"spearman": figure}}
    record["notes"] = ["Doctors of three hospitals agreed with all its answers."]
    record["command"] = ["recipes/text_classification.py", "# F1 of 0.97 on patients"]
    nothing = {"predictor": "length", "flag": None, "auroc": 0.5, "low": 0.4, "high": 0.6, "split": "test", "n": 9}
    record["audit"]["shortcuts"] = [nothing]
    record["audit"]["surface"]["inputs"]["by"] = "experts"
    record["dataset"]["arguments"]["negatives"] = "degree_matched"
    run = forged.run
    check_card(forged.write(), record, run.found)
    checks.check_data(run, forged.data)
    checks.check_stored(run, forged.data.splits, forged.fitted)
    word.name_what_is_not_checked(run)
    assert_said(
        run.found.reasons,
        "does not give: added, ",
        "pair_similarity",
        "notes that do not follow from it: “Doctors",
        "command.1 is “# F1",
        "another audit than that of its dataset: surface.inputs.by, shortcuts does not follow",
        "in another way than they are: arguments.negatives does not follow",
    )


def test_a_base_model_made_worse_is_not_verified_by_naming_other_packages(of: Runs, tmp_path: Path) -> None:
    forged = copied(of["entities"], tmp_path / "run")
    forged.record["packages"]["torch"] = "2.0.0"
    forged.record["base_model_metrics"]["f1"] |= {"value": 0.0, "low": 0.0, "high": 0.01}
    found = verify(forged.write())
    assert (found.status, found.reasons) == ("verified in part", [])
    assert_said(
        found.notes, "other versions of packages may draw: base, zero-shot: outside the recorded intervals: f1"
    )


# --- the card


def add(text: str) -> Callable[[str], str]:
    """Something below bioft's own words."""
    return lambda card: f"{card}\n{text}\n"


NAMES = "abcdefghijklmnopqrstuvwxyz"
ANCHORS = "a: &a [x, x]\n" + "".join(f"{new}: &{new} [*{old}, *{old}]\n" for old, new in pairwise(NAMES))
"""A list of 2^26 texts, in 26 lines."""
CARD = {
    "prose": (add("On a larger test set it reaches an AUROC of 0.97."), "0.97"),
    "prose in the results": (lambda card: card.replace("## Results\n", "## Results\n\nIt is right in 97.\n"), "97"),
    "percentage": (add("It answers 97 % of all questions."), "97 %"),
    "of a hundred": (add("It is right in 97/100 cases."), "97/100"),
    "metric without decimals": (add("Accuracy: 97"), "Accuracy: 97"),
    "German decimals": (add("Genauigkeit 0,97"), "0,97"),
    "full-width digits": (add("AUROC \uff10\uff0e\uff19\uff17"), "0.97"),
    "entities": (add("AUROC &#48;&#46;&#57;7"), "0.97"),
    "a comment inside": (add("AUROC 0.<!-- x -->97"), "0.97"),
    "mark-up inside": (add("reaches 0.**97**"), "0.97"),
    "tags inside": (add("reaches 0.<b>97</b>"), "0.97"),
    "hidden characters inside": (add("reaches 0.\u200b97"), "0.97"),
    "a number over two lines": (add("it reaches 0.\n97"), "0.97"),
    "table": (add("| | AUROC |\n|---|---|\n| ours | high |"), "ours"),
    "another heading of the table": (lambda card: card.replace("| | ", "| | Better ", 1), "| | Better"),
    "image": (add("![ROC](https://example.org/roc.png)"), "roc.png"),
    "image in HTML": (add('<img src="x.png">'), "x.png"),
    "the verdict": (lambda card: card.replace("The fine-tuned model ", "The first of all models ", 1), "The first"),
    "harmless lines first": (add("Thanks!\n\nTo all.\n\nOf us.\n\nAnd you.\n\nToo.\n\nF1 0.97"), "F1 0.97"),
    "figure in the metadata": (lambda card: card.replace("      value: 0.", "      value: 0.9", 1), "metadata state"),
    "figure in a field": (lambda card: card.replace("tags:\n", "summary: AUROC 0.97\ntags:\n", 1), "AUROC 0.97"),
    "base model": (lambda card: card.replace("tags:\n", "base_model: other/model\ntags:\n", 1), "other/model"),
    "broken metadata": (lambda card: card.replace("tags:\n", "tags: [\n", 1), "can't be read"),
    "nested anchors": (lambda card: card.replace("tags:\n", f"{ANCHORS}tags:\n", 1), "anchors or aliases"),
    "endless nesting": (lambda card: card.replace("tags:\n", f"deep: {'[' * 5000}\ntags:\n", 1), "nested too deeply"),
    "an unclosed comment": (add("Thanks <!-- AUROC 0.97 on patients"), "0.97"),
    "a comment in code": (add("```\n<!-- AUROC 0.97 -->\n```"), "0.97"),
    "a comment that is closed at once": (add("<!--> AUROC 0.97 -->"), "0.97"),
    "Cyrillic letters": (add("\u0410UR\u041e\u0421 97"), "97"),
    "a middle dot": (add("reaches 0\u00b797"), "97"),
    "digits of another script": (add("reaches \u0966.\u096f\u096d"), "\u096f\u096d"),
    "an Arabic per cent sign": (add("right in 97\u066a"), "97"),
    "a hair space inside": (add("reaches 0.\u200a97"), "0.97"),
    "a combining sign inside": (add("reaches 0.\ufe0f97"), "0.97"),
    "a long tag inside": (add(f"reaches 0.<span class='{'x' * 40}'>97</span>"), "97"),
    "a tag over two lines inside": (add("reaches 0.<span\nclass='x'>97</span>"), "97"),
    "a link inside": (add("reaches 0.[97](https://example.org)"), "97"),
    "a table in HTML": (add("<table><tr><td>ours</td><td>97</td></tr></table>"), "<td>ours"),
    "a table without pipes at its sides": (add("ours | 97\n---|---\ntheirs | 12"), "ours | 97"),
    "a metric over its number": (add("AUROC:\n97"), "AUROC: 97"),
    "of ten": (add("right in 9 of 10 patients"), "9 of 10"),
    "a picture as background": (add('<div style="background:url(x.png)"></div>'), "url(x.png)"),
    "a figure that the Hub verified": (lambda card: card.replace("value: ", "verified: true\n      value: ", 1), ""),
    "other data in the metadata": (lambda card: card.replace("name: the sample", "name: Patients", 1), "state a fig"),
    "results of a second model": (
        lambda card: card.replace("\n---\n", "\n- name: other\n  results: []\n---\n", 1), "other models",
    ),
    "a dataset that it was not trained on": (
        lambda card: card.replace("tags:\n", "datasets:\n- all/data\ntags:\n", 1), "all/data",
    ),
    "a metric among the metadata": (lambda card: card.replace("tags:\n", "eval_f1: 97\ntags:\n", 1), "eval_f1 97"),
    "a key that comes twice": (lambda card: card.replace("tags:\n", "x: a\nx: b\ntags:\n"), "x twice"),
    "a figure that comes twice": (lambda card: card.replace("value: ", "value: 1\n      value: ", 1), "value twice"),
    "a comment in the metadata": (lambda card: card.replace("tags:\n", "# AUROC 0.97\ntags:\n", 1), "have comments"),
    "a fraction slash": (add("right in 97\u2044100 cases"), "97"),
    "a fraction sign": (add("right in \u215e of cases"), "7"),
    "a fraction in TeX": (add("$$\\frac{97}{100}$$"), "97"),
    "a diagram": (add('```mermaid\npie\n"right" : 97\n```'), "mermaid"),
    "a bar": (add('<progress value="97" max="100"></progress>'), "97"),
    "a list in HTML": (add("<dl><dt>AUROC</dt><dd>97</dd></dl>"), "AUROC"),
    "where links lead": (add('<base href="https://example.org/">'), "base"),
    "a correlation": (add("Spearman 97"), "Spearman 97"),
    "agreement": (add("Cohen's kappa: 97"), "97"),
    "errors": (add("Error rate: 3"), "Error rate"),
    "answers": (add("97 correct answers"), "97 correct"),
    "per hundred": (add("97 per hundred are right"), "97 per"),
    "hundredths": (add("97 hundredths are right"), "97 hundredths"),
    "another sign for the point": (add("reaches 0\u300297"), "97"),
    "a word for the point": (add("reaches 0 point 97"), "97"),
    "small capitals": (add("\u1d00\u1d1c\u0280\u1d0f\u1d04 97"), "97"),
    "letters apart": (add("A U R O C 97"), "97"),
    "a hyphen inside": (add("AU-ROC 97"), "97"),
    "endless card": (add("x" * 1_000_001), "characters is not read"),
}  # fmt: skip


@pytest.mark.parametrize("attack", CARD)
def test_what_does_not_follow_from_the_record_is_found_on_a_card(attack: str, of: Runs, tmp_path: Path) -> None:
    change, words = CARD[attack]
    forged = copied(of["text_labels"], tmp_path / "run")
    assert_said(found_on_card(forged, change).reasons, words)


def test_a_result_for_leaderboards_that_is_not_the_records_is_found(of: Runs, tmp_path: Path) -> None:
    forged = copied(of["text_labels"], tmp_path / "run")
    forged.record["dataset"]["hub"] = {"id": "user/texts", "revision": "0" * 40}
    text = eval_results.eval_results(forged.record, forged.run.task)
    assert text is not None and str(forged.record["metrics"]["f1"]["value"]) in text
    path = forged.directory / runs.EVAL_RESULTS
    path.parent.mkdir()
    for name, content, hub in (
        (path.name, text, True),
        (path.name, text.replace("value: 0.", "value: 0.9"), True),
        (path.name, text, False),
        ("other.yaml", text, True),
    ):
        found, stated = Verification("run"), path.with_name(name)
        stated.write_text(content)
        data = {key: its for key, its in forged.record["dataset"].items() if hub or key != "hub"}
        check_card(forged.directory, forged.record | {"dataset": data}, found)
        told = [each for each in found.reasons if ".eval_results" in each]
        honest_one = hub and content == text and name == path.name
        assert told == ([] if honest_one else [f"Results that run.json does not give are in .eval_results/{name}."])
        path.write_text(text)


def test_other_words_on_a_card_are_counted_and_shown(of: Runs, tmp_path: Path) -> None:
    forged = copied(of["text_labels"], tmp_path / "run")
    card = forged.directory / runs.CARD
    limit = next(line for line in card.read_text().splitlines() if line.startswith("- Not for diagnosis"))
    text = re.sub(r" +- type: accuracy\n.*?(?= +- type: )", "", card.read_text(), count=1, flags=re.DOTALL)
    card.write_text(text.replace(limit, "- For everybody.") + "\nWith thanks to all.\nTrained in 2026.\n")
    found = Verification("run")
    check_card(forged.directory, forged.record, found)
    assert found.reasons == []
    assert_said(
        found.notes, "3 lines of the card are not", "With thanks to all.", "taken out of the card", "Not for dia",
        "metadata leave out 1 figure of run.json",
    )  # fmt: skip


def without(line: str) -> Callable[[str], str]:
    """A card without its first line that begins so."""
    return lambda card: card.replace(next(each for each in card.splitlines(True) if each.startswith(line)), "", 1)


LEFT_OUT = {
    "a baseline": (
        without("| TF-IDF, linear SVM |"), "Lines with results of run.json were taken out of the card: “| TF-IDF",
    ),
    "the conclusion": (without("**The fine-tuned model "), "taken out of the card: “The fine-tuned model "),
    "a figure of the metadata": (
        lambda card: re.sub(r"(?m)^    - type: f1\n(      .*\n)+", "", card, count=1), "metadata leave out 1 figure",
    ),
}  # fmt: skip


@pytest.mark.parametrize("attack", LEFT_OUT)
def test_results_that_a_card_leaves_out_leave_it_verified_in_part(attack: str, of: Runs, tmp_path: Path) -> None:
    """What is left is so, but shows a reader a better model than the whole."""
    change, words = LEFT_OUT[attack]
    found = found_on_card(copied(of["text_labels"], tmp_path / "run"), change)
    assert (found.reasons, found.best) == ([], "verified in part")
    assert_said(found.notes, words)


def test_what_a_record_says_gives_a_terminal_no_commands(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console
    from rich.text import Text

    reason = "\x1b]0;title\x07 \x1b[2J\u202etxet\u202c [bold]mark-up[/bold]"
    print_verdict([reason], [reason], Text(f"name\x1b[31m: {reason}"), Console(force_terminal=False, width=200))
    said = capsys.readouterr().out
    assert not set(said) & set("\x1b\x07\u202e\u202c") and said.count("[bold]mark-up[/bold]") == 3


# --- the files


def huge(directory: Path) -> None:
    """400 million equal rows, in little room."""
    rows = pa.chunked_array([pa.nulls(1_000_000, pa.int8())] * 40)
    pq.write_table(pa.table({"id": rows}), directory / runs.PREDICTIONS, compression="zstd")


def swapped_plot(directory: Path) -> None:
    """The plot of somebody else's figures."""
    shutil.copy(directory / "plots" / "loss.png", directory / "plots" / "metrics.png")


def asking_for_code(directory: Path) -> None:
    """A configuration that names code which comes with the model."""
    config = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModel": "evil.Model"}}))


UNLISTED = {
    "another model": "pytorch_model.bin",
    "weights for another library": "model.gguf",
    "a tokenizer": "added_tokens.json",
    "a vocabulary": "vocab.txt",
    "code": "modeling_evil.py",
    "a template": "chat_template.jinja",
}
LISTED = {
    "code that a configuration asks for": (asking_for_code, "asks its loader to run other code"),
    "a pickle": (lambda directory: (directory / "head.pkl").write_bytes(b"x"), "head.pkl: pickles"),
    "a swapped plot": (swapped_plot, "Plots are not those that the record gives: plots/metrics.png"),
}


@pytest.mark.parametrize("attack", UNLISTED)
def test_files_that_a_loader_would_read_must_be_on_record(attack: str, of: Runs, tmp_path: Path) -> None:
    forged = copied(of["text_labels"], tmp_path / "run")
    (forged.directory / UNLISTED[attack]).write_bytes(b"x")
    (forged.directory / "notes.md").write_text("mine")
    (forged.directory / "runs").mkdir()
    for name in ("RESULTS.md", "events.out.tfevents.1"):  # of which a tracker writes one
        (forged.directory / "runs" / name).write_text("AUROC 0.97")
    found = Verification("run")
    check_files(forged.directory, forged.record, found)
    assert_said(found.reasons, f"does not list {UNLISTED[attack]}: a loader may read them")
    assert_said(found.notes, "were not checked: notes.md, runs/RESULTS.md.")


def test_files_on_record_that_no_recipe_writes_are_named(of: Runs, tmp_path: Path) -> None:
    forged = copied(of["text_labels"], tmp_path / "run")
    (forged.directory / "all_results.json").write_text('{"auroc": 0.97}')
    forged.record["files"] = runs.checksums(forged.directory)
    found = Verification("run")
    check_files(forged.directory, forged.record, found)
    assert found.reasons == []
    assert_said(found.notes, "Files that no recipe writes were not checked: all_results.json.")


@pytest.mark.parametrize("attack", LISTED)
def test_files_on_record_are_checked_too(attack: str, of: Runs, tmp_path: Path) -> None:
    change, words = LISTED[attack]
    forged = copied(of["text_labels"], tmp_path / "run")
    forged.draw()
    change(forged.directory)
    forged.record["files"] = runs.checksums(forged.directory)
    found = Verification("run")
    check_files(forged.directory, forged.record, found)
    check_plots(forged.directory, forged.record, forged.run.task, found)
    assert_said(found.reasons, words)


@pytest.mark.draws
def test_plots_are_drawn_again(of: Runs, tmp_path: Path) -> None:
    forged = copied(of["gene_disease"], tmp_path / "run")
    forged.draw()
    found = Verification("run")
    check_plots(forged.directory, forged.record | {"files": runs.checksums(forged.directory)}, forged.run.task, found)
    assert (found.reasons, found.notes) == ([], [])


@pytest.mark.draws
def test_a_plot_that_calls_an_untrained_head_zero_shot_is_of_an_earlier_run(of: Runs, tmp_path: Path) -> None:
    forged = copied(of["text_labels"], tmp_path / "run")
    forged.record["base_model"]["source"] = "Hub, commit abc"
    forged.draw()
    shown = forged.directory / "plots" / "metrics.svg"
    assert report.base_words(forged.record) == "base, untrained head"
    of_now = shown.read_bytes()
    words = evaluate.shown(forged.record)
    plots.metrics(report.result_rows(forged.record), words, shown.with_suffix(".png"))
    assert shown.read_bytes() != of_now
    found = Verification("run")
    check_plots(forged.directory, forged.record | {"files": runs.checksums(forged.directory)}, forged.run.task, found)
    assert (found.reasons, found.plots) == ([], [])


def test_plots_of_before_figures_had_svg_files_are_named_as_not_checked(of: Runs, tmp_path: Path) -> None:
    """They were drawn in another way: a run with PNG files only is verified in part at most."""
    forged = copied(of["text_labels"], tmp_path / "run")
    forged.draw()
    swapped_plot(forged.directory)
    for path in (forged.directory / "plots").iterdir():
        if path.suffix != ".png":
            path.unlink()
    found = Verification("run")
    check_plots(forged.directory, forged.record | {"files": runs.checksums(forged.directory)}, forged.run.task, found)
    name_plots(found)
    assert (found.reasons, found.best) == ([], "verified in part")
    assert_said(found.notes, "Plots that were not checked: plots/metrics.png")


def test_a_plot_of_another_version_is_named_as_not_checked(of: Runs, tmp_path: Path) -> None:
    forged = copied(of["text_labels"], tmp_path / "run")
    forged.draw()
    swapped_plot(forged.directory)
    shutil.copy(forged.directory / "plots" / "loss.png", forged.directory / "plots" / "more.png")
    forged.record["files"] = runs.checksums(forged.directory)
    forged.record["packages"]["matplotlib"] = "1.0"
    found = Verification("run")
    check_plots(forged.directory, forged.record, forged.run.task, found)
    name_plots(found)
    assert (found.reasons, found.best) == ([], "verified in part")
    assert_said(found.notes, "Plots that were not checked: plots/metrics.png, plots/more.png")


def test_a_whole_model_beside_an_adapter_is_found_listed_or_not(of: Runs, tmp_path: Path) -> None:
    """The card's snippet would load it."""
    forged = copied(of["gene_disease"], tmp_path / "run")
    save_file({"x": np.zeros(1)}, forged.directory / "model.safetensors")
    for words in ("does not list model.safetensors", "an adapter and a whole model"):
        found = Verification("run")
        check_files(forged.directory, forged.record, found)
        assert_said(found.reasons, words)
        forged.record["files"] = runs.checksums(forged.directory)


def test_files_of_a_repository_that_were_not_fetched_count_too(of: Runs, tmp_path: Path) -> None:
    forged = copied(of["text_labels"], tmp_path / "run")
    origin = {"id": "user/run", "revision": "0" * 40, "unlisted": ["pytorch_model.bin"]}
    (forged.directory / ".bioft-hub.json").write_text(json.dumps(origin))
    found = Verification("run")
    check_files(forged.directory, forged.record, found)
    assert_said(found.reasons, "does not list pytorch_model.bin")


@pytest.mark.parametrize("content", [b"", b"\x00" * 64, b"\xff" * 64], ids=["empty", "zeros", "garbage"])
def test_weights_that_are_none_cannot_be_checked(content: bytes, of: Runs, tmp_path: Path) -> None:
    forged = copied(of["masked_lm"], tmp_path / "run")
    (forged.directory / "model.safetensors").write_bytes(content)
    found = verify(forged.write())
    assert found.status == "cannot be checked"
    assert_said(found.reasons, "The model of the run can't be loaded")


def test_a_table_that_would_fill_the_memory_is_not_read(of: Runs, tmp_path: Path) -> None:
    forged = copied(of["masked_lm"], tmp_path / "run")
    huge(forged.directory)
    forged.record["files"] = runs.checksums(forged.directory)
    (forged.directory / runs.RECORD).write_text(json.dumps(forged.record))
    found = verify(forged.directory)
    assert found.status == "cannot be checked"
    assert_said(found.reasons, "40,000,000 rows", "is not read")


@pytest.mark.parametrize(
    "content", ["[" * 100_000, '{"schema_version": 3, "a": ' + "[" * 100_000], ids=["list", "field"]
)
def test_a_record_without_end_cannot_be_checked(content: str, tmp_path: Path) -> None:
    (tmp_path / runs.RECORD).write_text(content)
    assert verify(tmp_path).status == "cannot be checked"


# --- the predictions: all of `verify`, with figures and comparisons that follow from what was forged


def moved(column: str, size: float, noise: float = 0.0) -> Callable[[Forged], None]:
    """Scores that are moved towards their labels, or from them."""

    def forge(forged: Forged) -> None:
        table, rng = forged.predictions, np.random.default_rng(0)
        off = np.where(table["label"] == 1, size, -size) + noise * rng.normal(size=len(table))
        table[column] = np.clip(table[column] + off, 0, 1)
        answer(forged, table)

    return forge


def answer(forged: Forged, table: pd.DataFrame) -> None:
    """Store pairs with the predictions that follow from their scores."""
    table["prediction"] = (table["score"] >= forged.record["scoring"]["threshold"]).astype(int)
    forged.store(table)


def in_16_bits(attack: Callable[[Forged], None]) -> Callable[[Forged], None]:
    """The record says that the model computed in 16 bits, so that more rounding is to be expected."""

    def forge(forged: Forged) -> None:
        forged.record["base_model"]["dtype"] = "bfloat16"
        attack(forged)

    return forge


def moved_labels(size: float) -> Callable[[Forged], None]:
    """Scores of all labels of a text that are moved towards those that it has."""

    def forge(forged: Forged) -> None:
        table, names = forged.predictions, forged.record["labels"]
        there = np.array([[name in its for name in names] for its in table["label"]])
        scores = np.clip(np.stack(table["scores"].tolist()) + np.where(there, size, -size), 0, 1)
        reached = scores >= np.array(forged.record["classifier"]["thresholds"])
        table["scores"] = list(scores)
        table["prediction"] = [[n for n, yes in zip(names, row, strict=True) if yes] for row in reached]
        forged.store(table)

    return forge


def column(name: str, change: Callable[[pd.DataFrame], Any]) -> Callable[[Forged], None]:
    """Another content of a column."""

    def forge(forged: Forged) -> None:
        table = forged.predictions
        forged.store(table.assign(**{name: change(table)}))

    return forge


def right_of_mentions(table: pd.DataFrame) -> list[str]:
    """The annotated mentions as if they had been found."""
    return [json.dumps([[*item, 0.9] for item in json.loads(cell)]) for cell in table["label"]]


def without_wrong(table: pd.DataFrame, name: str = "prediction") -> list[str]:
    """What was found, without what is not annotated."""
    right = [{tuple(item) for item in json.loads(cell)} for cell in table["label"]]
    return [
        json.dumps([item for item in json.loads(cell) if tuple(item[:3]) in its])
        for cell, its in zip(table[name], right, strict=True)
    ]


def first_right(table: pd.DataFrame) -> list[str]:
    """Rankings that begin with a right text."""
    return [
        json.dumps(list(dict.fromkeys([*json.loads(right)[:1], *json.loads(found)]))[:10])
        for right, found in zip(table["label"], table["prediction"], strict=True)
    ]


def first_found(table: pd.DataFrame) -> list[str]:
    """Of each query the right texts among those found."""
    return [
        json.dumps([each for each in json.loads(found) if each in json.loads(right)])
        for right, found in zip(table["label"], table["prediction"], strict=True)
    ]


def with_scores(cells: pd.Series) -> list[str]:
    """Labels as answers."""
    return [json.dumps([[*item[:3], 0.9] for item in json.loads(cell)]) for cell in cells]


def nothing_found(name: str, cell: Any) -> Callable[[Forged], None]:
    """A system that answers nothing in one row of two."""
    return column(name, lambda table: [cell if row % 2 else its for row, its in enumerate(table[name])])


def other_weights(forged: Forged) -> None:
    """Another model than the one whose predictions are stored."""
    (path,) = (path for path in forged.directory.glob("*model.safetensors"))
    save_file({name: -2 * weight for name, weight in load_file(path).items()}, path, {"format": "pt"})


def a_lower_loss(table: pd.DataFrame) -> Any:
    """Of all masked tokens, by less than what rounding may change."""
    return table["loss"] - 0.009 * table["hidden"]


def labels_of_answers(name: str = "label", answers: str = "prediction") -> Callable[[Forged], None]:
    """Labels that are what the model answered."""
    return without_restating(lambda table: table.assign(**{name: table[answers]}))


def without_restating(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Forged], None]:
    """Other rows or labels, of which the test split gives no figures."""

    def forge(forged: Forged) -> None:
        change(forged.predictions).to_parquet(forged.directory / runs.PREDICTIONS, index=False)

    return forge


def annotated_boundaries(table: pd.DataFrame) -> list[str]:
    """Mentions that overlap with an annotated one, as that is."""
    cells = []
    for label, found in zip(table["label"], table["prediction"], strict=True):
        right = json.loads(label)
        near = [
            (next((it for it in right if it[0] < each[1] and each[0] < it[1]), each[:3]), each)
            for each in json.loads(found)
        ]
        cells.append(json.dumps([[*place, *each[3:]] for place, each in near]))
    return cells


def those_found(table: pd.DataFrame, name: str) -> list[str]:
    """The labels that were found, of which none is missed then."""
    found = [{tuple(item[:3]) for item in json.loads(cell)} for cell in table["prediction"]]
    return [
        json.dumps([item for item in json.loads(cell) if tuple(item[:3]) in its])
        for cell, its in zip(table[name], found, strict=True)
    ]


NOT_THE_MODELS = "predictions are not what the model gives"
BETTER, OTHERS = "fine-tuned: the stored answers are better", "stored answers are not those made again"
PREDICTIONS: dict[tuple[str, str], tuple[Callable[[Forged], None], str]] = {
    ("gene_disease", "scores moved by .08 in 16 bits"): (in_16_bits(moved("score", 0.08)), BETTER),
    ("gene_disease", "scores moved by .08"): (moved("score", 0.08), NOT_THE_MODELS),
    ("gene_disease", "the base model made worse"): (moved("base_score", -0.05), OTHERS),
    ("gene_disease", "a baseline made worse"): (moved("baseline_tfidf", -0.05), "tfidf: "),
    ("gene_disease", "a baseline in noise"): (moved("baseline_graph", 0.0, 0.5), "graph: "),
    ("gene_disease", "other weights"): (other_weights, NOT_THE_MODELS),
    ("text_labels", "scores moved by .1 in 16 bits"): (in_16_bits(moved_labels(0.099)), NOT_THE_MODELS),
    ("text_labels", "scores moved by less than rounding"): (moved_labels(0.0009), BETTER),
    ("text_labels", "a baseline made worse"): (nothing_found("baseline_tfidf_logistic", []), "tfidf_logistic"),
    ("text_labels", "labels that are the answers"): (labels_of_answers(), OTHER_ROWS),
    ("text_labels", "right answers beside other scores"): (
        labels_of_answers("prediction", "label"), "do not follow from its scores"
    ),
    ("text_labels", "other weights"): (other_weights, NOT_THE_MODELS),
    ("entities", "the labels as answers"): (column("prediction", right_of_mentions), NOT_THE_MODELS),
    ("entities", "spurious mentions left out"): (column("prediction", without_wrong), NOT_THE_MODELS),
    ("entities", "a baseline made worse"): (nothing_found("baseline_dictionary", "[]"), "dictionary: "),
    ("entities", "boundaries as annotated"): (column("prediction", annotated_boundaries), NOT_THE_MODELS),
    ("entities", "the answers of a baseline"): (
        column("prediction", lambda table: table["baseline_dictionary"]), NOT_THE_MODELS
    ),
    ("entities", "other weights"): (other_weights, NOT_THE_MODELS),
    ("entities", "missed mentions not annotated"): (
        without_restating(lambda table: table.assign(label=those_found(table, "label"))), OTHER_ROWS
    ),
    ("relations", "all relations found"): (column("prediction", lambda table: table["label"]), NOT_THE_MODELS),
    ("relations", "other weights"): (other_weights, NOT_THE_MODELS),
    ("relations", "scores of candidates that are none"): (
        column("score", lambda table: np.where(table["prediction"] == 1, table["score"], 0.01)), NOT_THE_MODELS
    ),
    ("relations", "spurious relations left out"): (
        without_restating(lambda table: table[(table["label"] == 1) | (table["prediction"] == 0)]), NOT_THE_MODELS
    ),
    ("relations", "missed relations not annotated"): (
        without_restating(lambda table: table.assign(label=table["label"] & table["prediction"])), OTHER_ROWS
    ),
    ("joint", "all relations found"): (
        column("relation_prediction", lambda table: with_scores(table["relation_label"])), NOT_THE_MODELS
    ),
    ("joint", "all relations found end to end"): (
        column("end_to_end_prediction", lambda table: with_scores(table["relation_label"])), NOT_THE_MODELS
    ),
    ("joint", "missed mentions not annotated"): (
        without_restating(lambda table: table.assign(label=those_found(table, "label"))), OTHER_ROWS
    ),
    ("joint", "spurious mentions left out"): (column("prediction", without_wrong), NOT_THE_MODELS),
    ("joint", "other weights"): (other_weights, NOT_THE_MODELS),
    ("masked_lm", "more tokens found"): (column("correct", lambda table: table["correct"] + 1), NOT_THE_MODELS),
    ("masked_lm", "other weights"): (other_weights, NOT_THE_MODELS),
    ("masked_lm", "fewer tokens masked"): (
        without_restating(lambda table: table.assign(hidden=table["correct"].clip(lower=1))), NOT_THE_MODELS
    ),
    ("masked_lm", "a baseline made worse"): (column("baseline_frequency_correct", lambda table: 0), "frequency"),
    ("masked_lm", "a lower loss"): (column("loss", a_lower_loss), BETTER),
    ("masked_lm", "the base model made worse"): (column("base_loss", lambda table: 2 * table["base_loss"]), OTHERS),
    ("retrieval", "a right text first"): (column("prediction", first_right), NOT_THE_MODELS),
    ("retrieval", "the base model made worse"): (nothing_found("base", "[]"), OTHERS),
    ("retrieval", "groups of queries"): (column("group", lambda table: list(map(str, range(len(table))))), OTHER_ROWS),
    ("retrieval", "right texts that are those found"): (labels_of_answers(), OTHER_ROWS),
    ("retrieval", "queries left out that find nothing"): (
        without_restating(lambda table: table[[its != "[]" for its in first_found(table)]]), OTHER_ROWS
    ),
    ("retrieval", "a baseline made worse"): (nothing_found("baseline_bm25", "[]"), "bm25: "),
    ("retrieval", "other weights"): (other_weights, NOT_THE_MODELS),
    ("name_alignment", "a name left out"): (without_restating(lambda table: table.iloc[1:]), OTHER_ROWS),
    ("name_alignment", "a baseline made worse"): (nothing_found("baseline_tfidf", ""), "tfidf: "),
    ("name_alignment", "other weights"): (other_weights, NOT_THE_MODELS),
    ("name_alignment", "kinds of names"): (column("kind", lambda table: "delimiter"), OTHER_ROWS),
    ("name_alignment", "probabilities made sure"): (column("score", lambda table: 1.0), NOT_THE_MODELS),
    ("name_alignment", "right ids among the candidates"): (
        column("ranked", lambda table: [json.dumps(each.split("|")) for each in table["label"]]), NOT_THE_MODELS
    ),
    ("name_alignment", "the base model made worse"): (nothing_found("base", ""), OTHERS),
}  # fmt: skip


@pytest.mark.parametrize(("name", "attack"), PREDICTIONS, ids=str)
def test_predictions_that_are_not_the_models_are_found(name: str, attack: str, of: Runs, tmp_path: Path) -> None:
    change, words = PREDICTIONS[name, attack]
    forged = copied(of[name], tmp_path / "run")
    change(forged)
    found = verify(forged.write())
    assert_found(found, words)


def within_its_interval(figures: dict[str, Any], metric: str) -> None:
    """Lower a figure as far as its interval goes, in which what is measured lies still."""
    figures[metric] |= {"value": figures[metric]["low"], "low": figures[metric]["low"] - 0.1}


def forge_retrieval(forged: Forged) -> list[str]:
    record = forged.record
    record["metrics"]["map"]["value"] += 0.02
    within_its_interval(record["base_model_metrics"], "map")
    record["details"]["queries_without_a_right_text_found"]["base"] = 18
    return [
        "fine-tuned: not what is measured: map ",
        "base, zero-shot: not what is measured: map ",
        "details.queries_without_a_right_text_found.base 18, not ",
    ]


def forge_relations(forged: Forged) -> list[str]:
    within_its_interval(forged.record["base_model_metrics"], "recall")
    del forged.record["base_model_metrics"]["cid_recall"]
    forged.record["relations"]["threshold_chosen_on"] = "not chosen"
    forged.record["comparisons"] = [{"name": "gpt_4", "difference": 0.5}]
    forged.record["notes"] = notes_of(forged.record)
    name_test_concepts(forged)
    forged.record["new_head"] = False
    return [
        "says that the base model has no new head; the model of this run is a classifier",
        "base, zero-shot: not what is measured: recall ",
        "leaves out figures of base, zero-shot: cid_recall",
        "said to be not chosen, though validation was not trained on",
        "concepts.json does not hold the names that the training documents have",
    ]


def forge_name_alignment(forged: Forged) -> list[str]:
    scorer = forged.directory / "alignment_scorer.json"
    content = json.loads(scorer.read_text())
    scorer.write_text(json.dumps(content | {"matches": [[1.0, True] for _ in content["matches"]]}))
    within_its_interval(forged.record["base_model_metrics"], "hits_at_5")
    forged.record["baselines"]["rapidfuzz"]["ece"] |= {"value": 0.9, "low": 0.0, "high": 1.0}
    forged.record["details"]["patients"] = {"fine-tuned": {"value": 0.99}}
    return [
        "alignment_scorer.json is not the scorer that the validation names give",
        "base, zero-shot: not what is measured: hits_at_5 ",
        "rapidfuzz: not what is measured: ece 0.9000 ",
        "details.patients more than that",
    ]


def forge_masked_lm(forged: Forged) -> list[str]:
    forged.record["masking"]["evaluated_share"] = 0.4
    forged.record["new_head"] = []
    for stated in (forged.record["metrics"], forged.record["base_model_metrics"]):
        stated["accuracy_on_patients"] = {"value": 0.99, "low": 0.98, "high": 1.0, "n": 500}
    return [
        "Of the test tokens 15% are masked, not 40%",
        "Of the base model's head ",
        "states figures of fine-tuned without predictions: accuracy_on_patients.",
        "states figures of base, zero-shot without predictions: accuracy_on_patients.",
    ]


def name_test_concepts(forged: Forged) -> None:
    """Put the names of the test documents into the dictionary of concepts, as if training had them."""
    everywhere = concatenate_datasets([forged.data.splits[split] for split in ("train", "test")])
    ConceptDictionary.fit(everywhere).save(forged.directory)


@pytest.mark.parametrize("name", ["retrieval", "relations", "name_alignment", "masked_lm"])
def test_what_follows_from_no_stored_prediction_is_measured(name: str, of: Runs, tmp_path: Path) -> None:
    forged = copied(of[name], tmp_path / "run")
    expected = globals()[f"forge_{name}"](forged)
    assert_found(verify(forged.write()), *expected)


def test_a_detail_of_a_system_that_the_run_does_not_have_is_found(of: Runs, tmp_path: Path) -> None:
    forged = copied(of["retrieval"], tmp_path / "run")
    forged.record["details"]["queries_without_a_right_text_found"]["gpt_4"] = 18
    run = forged.run
    checks.check_analyses(run, {**forged.fitted, **run.systems}, forged.data.splits)
    assert_said(run.found.reasons, "queries_without_a_right_text_found.gpt_4 more than that")


def test_a_joint_model_may_not_know_the_names_of_the_test_documents(of: Runs, tmp_path: Path) -> None:
    """It links by them, and finds more end to end."""
    forged = copied(of["joint"], tmp_path / "run")
    check = forged.run.of_task("evaluate", "check_files")
    assert check(forged.directory, forged.data.splits, forged.record) == []
    name_test_concepts(forged)
    assert_said(check(forged.directory, forged.data.splits, forged.record), "concepts.json does not hold")


@pytest.fixture(scope="module")
def informed(of: Runs, tmp_path_factory: pytest.TempPathFactory) -> tuple[Forged, Any]:
    """A run on pairs whose prompts have context, and which was asked by examples and by the probe; and its model."""
    forged = copied(of["gene_disease"], tmp_path_factory.mktemp("informed") / "run")
    record, splits = forged.record, forged.data.splits
    trained_on = DatasetDict({**splits, "train": splits["train"].select(range(48))})
    told = context.build("graph", trained_on)
    assert told is not None
    context.write(forged.directory, told | {"most": 1, "longest": 4096})
    scoring = record["scoring"] | {"context": {}, "few_shot": 2}
    record["scoring"] = scoring
    forged.write()
    model, prompts, _ = loaded = gene_disease_prediction.load(forged.directory)
    prompts.describe(trained_on)
    names = gene_disease.baseline_names(record)
    thresholds = dict.fromkeys([FINE_TUNED, BASE, *names], 0.5)
    record["scoring"] = gene_disease.describe_scoring(prompts, thresholds, scoring["threshold_chosen_on"], 2)
    with model.disable_adapter():
        record["memorisation"] = gene_disease.memorisation(model, prompts.tokenizer, trained_on, 12)
    return forged, loaded


def test_what_is_said_of_prompts_and_probe_is_so(informed: tuple[Forged, Any]) -> None:
    forged, model = informed
    assert gene_disease.check_choices(model, forged.data.splits, forged.record, 0.0) == ([], [])


def test_texts_that_are_the_publishers_own_may_name_the_answers(informed: tuple[Forged, Any], tmp_path: Path) -> None:
    """So the run is verified on the publisher's data at most."""
    forged = copied(informed[0], tmp_path / "run")
    forged.record = informed[0].record
    path = forged.directory / context.FILE
    told = json.loads(path.read_text())
    told["texts"]["gene"] = {"GENE1": "It causes the first disease of the test split."}
    path.write_text(json.dumps(told))
    run = forged.run
    checks.check_data(run, forged.data)
    assert run.found.best == "verified on the publisher's data"
    assert_said(run.found.notes, "The texts of 1 genes in context.json are the publisher's own")


PROMPTS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "the answers": (lambda record: record["scoring"].update(positive=" yes, surely"), "it is: positive."),
    "the prompt": (lambda record: record["scoring"].update(prompt="As a geneticist: {gene}?"), "it is: prompt."),
    "what the context tells": (lambda record: record["scoring"]["context"].update(most=9), "it is: context."),
    "prompts that were cut": (lambda record: record["scoring"]["context"].update(cut=99), "it is: context."),
    "sources of the context": (lambda record: record["scoring"]["context"].update(sources=[{}]), "it is: context."),
    "a system that has a threshold": (
        lambda record: record["scoring"]["baseline_thresholds"].update(gpt_4=0.5), "it is: baseline_thresholds.",
    ),
    "a combination": (lambda record: record["scoring"].update(combination={"weights": {}}), "too small to"),
    "another sentence of the probe": (
        lambda record: record["memorisation"].update(sentence="It has read nothing."), "The memorisation probe gives",
    ),
    "another figure and sentence of it": (
        lambda record: record.update(memorisation=probe(record["memorisation"], value=0.5, low=0.3, high=0.7)),
        "The memorisation probe gives",
    ),
    "an interval of it": (
        lambda record: record.update(memorisation=probe(record["memorisation"], low=0.0)), "The memorisation probe",
    ),
}  # fmt: skip


def probe(stated: dict[str, Any], **changes: float) -> dict[str, Any]:
    """Other figures of the probe, with the sentence that follows from them."""
    forged = stated | {"likelier": stated["likelier"] | changes}
    return forged | {"sentence": gene_disease.probe_in_words(forged)}


@pytest.mark.parametrize("attack", PROMPTS)
def test_what_is_not_so_of_prompts_and_probe_is_found(attack: str, informed: tuple[Forged, Any]) -> None:
    change, words = PROMPTS[attack]
    forged, model = informed
    record = json.loads(json.dumps(forged.record))
    change(record)
    reasons, _ = gene_disease.check_choices(model, forged.data.splits, record, 0.0)
    assert_said(reasons, words)


def test_what_nothing_measures_is_verified_in_part_and_the_publishers_word_is_named(
    of: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forged = copied(of["masked_lm"], tmp_path / "run")
    forged.record["human_evaluation"] = {"agreed": 98}
    forged.record["base_model"]["trained_on"] = "no test data"
    del forged.record["created"]
    found = verify(forged.write())
    assert (found.status, found.reasons) == ("verified in part", [])
    assert_said(found.notes, "states what nothing here can measure: human_evaluation, base_model.trained_on.")
    assert_said(found.notes, "run.json lacks what every recipe writes: created.")
    verification.print_verification(found)
    said = " ".join(capsys.readouterr().out.split())
    assert "Not checked, the publisher's word: bioft; command; hardware; log_history;" in said
    base = "that the model was trained from its base model; what the folder of its base model is called"
    assert f"; timings; training; of masking, new_head, packing what no evaluation needs; {base}; config.yaml." in said


def test_scores_that_are_no_numbers_are_never_verified(of: Runs, tmp_path: Path) -> None:
    """No comparison with them says that they are too far off."""
    forged = copied(of["gene_disease"], tmp_path / "run")
    forged.predictions.assign(score=np.nan).to_parquet(forged.directory / runs.PREDICTIONS, index=False)
    found = verify(forged.write())
    assert found.status in ("cannot be checked", "not reproduced")
    assert_said(found.reasons, "predictions.parquet holds no predictions: score of row 0 is missing.")


@pytest.mark.parametrize("name", SCORED)
def test_drift_is_found_in_a_sample(name: str, of: Runs, tmp_path: Path) -> None:
    """Every draw of 20 finds it."""
    forged = copied(of[name], tmp_path / "run")
    (in_16_bits(moved("score", 0.08)) if name == "gene_disease" else moved_labels(0.0009))(forged)
    forged.write()
    for seed in range(3):
        found = verify(forged.directory, sample=20, seed=seed)
        assert_found(found, BETTER)
        assert not any(figure.now for figure in found.figures), "nothing of the figures was measured"


def test_what_a_type_moves_is_measured_and_hides_no_drift(of: Runs, tmp_path: Path) -> None:
    """Answers of float32 said to be of bfloat16: so are those of another processor. The record widens nothing."""
    forged = copied(of["text_labels"], tmp_path / "run")
    forged.record["precision"] = {"training": "bfloat16", "evaluation": "bfloat16"}
    honest_one = verify(forged.write())
    assert honest_one.predictions is not None and honest_one.status == "verified", honest_one.reasons
    tolerance = honest_one.predictions.tolerance
    assert 0.001 < tolerance < 0.01, "twice what it moves this small model"
    moved_labels(0.45 * tolerance)(forged)
    found = verify(forged.write())
    assert found.predictions is not None and found.predictions.tolerance == tolerance
    assert found.predictions.agreeing == found.predictions.compared, "no single score is too far off"
    assert_found(found, BETTER)


@pytest.mark.parametrize("name", ["gene_disease", "relations", "joint", "text_labels"])
def test_a_threshold_that_the_rule_does_not_give_is_found(name: str, of: Runs, tmp_path: Path) -> None:
    """Another than the default where validation is small, one that it is said to have chosen, and one of a plateau."""
    forged = copied(of[name], tmp_path / "run")
    run, splits = forged.run, forged.data.splits
    model = run.of_task("predict", "load")(forged.directory)
    choices = run.of_task("evaluate", "check_choices")
    assert choices(model, splits, forged.record, 1e-7) == ([], [])

    def state(threshold: float, rule: str | None = None) -> list[str]:
        places = (forged.record.get(key) for key in ("scoring", "relations", "classifier"))
        place = next(each for each in places if each and ("threshold" in each or "thresholds" in each))
        if "thresholds" in place:
            place["thresholds"] = [threshold, *place["thresholds"][1:]]
            rules = [rule] * len(place["thresholds"])
            place["thresholds_chosen_on"] = rules if rule else place["thresholds_chosen_on"]
        else:
            place |= {"threshold": threshold, "threshold_chosen_on": rule or place["threshold_chosen_on"]}
        return choices(model, splits, forged.record, 1e-7)[0]

    assert_said(state(0.42), "not .5")
    assert_said(state(0.42, "validation"), "it is: default .5: validation has")
    forged.record["schema_version"] = 2  # of which validation chose whatever its size
    reason = next(each for each in state(0.42, "validation") if "threshold 0.4200" in each)
    best = float(reason.rpartition(" but ")[2].rstrip("."))
    assert "validation does not give the recorded threshold 0.4200" in reason.replace("V", "v")
    assert any(f"{best + 3e-4:.4f}" in each for each in state(best + 3e-4, "validation")), "of the same plateau"


def test_a_threshold_given_by_hand_is_said_to_be(of: Runs) -> None:
    forged = of["relations"]
    about = forged.record | {"relations": forged.record["relations"] | {"threshold_chosen_on": "given"}}
    reasons, notes = forged.run.of_task("evaluate", "check_choices")(None, forged.data.splits, about, 0.0)
    assert reasons == []
    assert_said(notes, "given by hand: it may have been chosen on the test split")


# --- before it is published: what needs no model and no data


@pytest.mark.parametrize("name", TASKS)
def test_what_predictions_refute_is_not_published(name: str, of: Runs, tmp_path: Path) -> None:
    """A figure of the model, one of a system whose answers are stored, and a sentence of the card."""
    outcomes.check_publishable(of[name].directory)
    run = of[name].run
    figures = {system: outcomes.outcomes(run.directory, run.record)[system].metrics for system in run.systems}
    for system, its in figures.items():
        forged = copied(of[name], tmp_path / system.replace(" ", "-"))
        stated = forged.run.recorded[system]
        metric = next(each for each in its if each in stated)
        stated[metric] |= {"value": stated[metric]["value"] + (0.02 if system == FINE_TUNED else -0.02)}  # type: ignore[index]
        with pytest.raises(
            BioftError, match=f"do not follow from predictions.parquet: {re.escape(system)}: {metric} "
        ):
            outcomes.check_publishable(forged.write())
    forged = copied(of[name], tmp_path / "comparison")
    forged.record["comparison"] |= {"difference": 0.4, "low": 0.3, "high": 0.5}
    if name not in ("joint", "relations"):  # which store no answers of baselines
        with pytest.raises(BioftError, match="compares with the best baseline in another way"):
            outcomes.check_publishable(forged.write())
    del forged.record["baselines"][(left_out := next(iter(forged.record["baselines"])))]
    with pytest.raises(BioftError, match=f"leaves out baselines: {left_out}"):
        outcomes.check_publishable(forged.write())
    forged = copied(of[name], tmp_path / "card")
    card = forged.directory / runs.CARD
    card.write_text(card.read_text().replace("The fine-tuned model ", "The best of all models ", 1))
    with pytest.raises(BioftError, match=r"The card's results are not those of run\.json: “The best of all"):
        outcomes.check_publishable(forged.directory)


# --- the data, where the publisher's own folder is all that there is


def of_answers(forged: Forged) -> DatasetDict:
    """The splits, with labels of the test split that are what the model answered, or how it ranked the pairs."""
    test = forged.data.splits["test"].to_pandas()
    if "labels" in test:
        test["labels"] = [list(each) for each in forged.predictions["prediction"]]
    else:
        test["label"] = (forged.predictions["score"] > forged.predictions["score"].median()).astype(int)
    return with_rows(forged, test=test)


def test_labels_that_are_the_models_answers_are_found_where_the_source_can_be_had(of: Runs, tmp_path: Path) -> None:
    """A folder whose manifest cites a source that does not give it, used with and without that source."""
    forged = copied(of["gene_disease"], tmp_path / "run")
    folder = forged.use(of_answers(forged), tmp_path / "data")
    found = verify(forged.write(), dataset_path=folder)
    assert (found.status, found.reasons) == ("verified on the publisher's data", [])
    assert_said(found.notes, f"in {folder} as somebody wrote them")
    found = verify(forged.directory, dataset_path=Path("tests/golden/data/ctd.csv"))
    assert_found(found, "other fingerprints for test", "are not those of the test split")


def test_a_folder_is_not_believed_whose_source_is_embedded(of: Runs, tmp_path: Path) -> None:
    forged = copied(of["text_labels"], tmp_path / "run")
    folder = forged.use(of_answers(forged), tmp_path / "data")
    assert_found(verify(forged.write(), dataset_path=folder), "other fingerprints for test")


def test_a_test_split_that_is_answered_far_better_than_validation_is_suspicious(of: Runs, tmp_path: Path) -> None:
    """As by a model that was trained on it; here its labels are what the model answers."""
    forged = copied(of["text_labels"], tmp_path / "run")
    folder = forged.use(of_answers(forged), tmp_path / "data", builder="my_corpus")
    found = verify(forged.write(), dataset_path=folder)
    assert_said(found.notes, "Suspicious: f1 is 1.000 on the test split and 0.")


def test_rows_that_were_dropped_are_missed(of: Runs, tmp_path: Path) -> None:
    """Two thirds of what the model answers wrongly, while the manifest counts it still."""
    forged = copied(of["gene_disease"], tmp_path / "run")
    kept = (forged.predictions["label"] == forged.predictions["prediction"]).to_numpy()
    kept[np.flatnonzero(~kept)[::3]] = True
    test = forged.data.splits["test"].to_pandas()[kept]
    forged.predictions[kept].to_parquet(forged.directory / runs.PREDICTIONS, index=False)
    counted = forged.record["dataset"]["rows"]
    folder = forged.use(with_rows(forged, test=test), tmp_path / "data", rows=counted)
    assert_found(verify(forged.write(), dataset_path=folder), f"The split test has {kept.sum()} rows; its manifest")


LEAKS: dict[str, tuple[str, Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "pairs in lower case": (
        "gene_disease",
        lambda rows: rows.assign(**{name: rows[name].str.lower() for name in ("gene", "disease")}),
        "pairs",
    ),
    "texts with other punctuation": (
        "text_labels", lambda rows: rows.assign(id="x-" + rows["id"], text=rows["text"].str.upper() + "!"), "texts",
    ),
    "documents under other names": (
        "entities", lambda rows: rows.assign(document_id="x-" + rows["document_id"]), "texts straddle splits",
    ),
}  # fmt: skip


@pytest.mark.parametrize("attack", LEAKS)
def test_test_rows_among_the_training_rows_are_found_on_every_load(attack: str, of: Runs, tmp_path: Path) -> None:
    """The manifest says that its audit found nothing, and its source cannot be had: the rows are audited again."""
    name, copy, words = LEAKS[attack]
    forged = copied(of[name], tmp_path / "run")
    train, test = (forged.data.splits[split].to_pandas() for split in ("train", "test"))
    splits = with_rows(forged, train=pd.concat([train, copy(test.head(3))]))
    folder = forged.use(splits, tmp_path / "data", builder="my_corpus", restated=False)
    found = verify(forged.write(), dataset_path=folder)
    assert_found(found, words)
