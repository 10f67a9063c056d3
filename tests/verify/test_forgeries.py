"""Forged files of runs: what others would load or read is what was measured, and no record says two things."""

import io
import json
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bioft.compare import analyze as analysis, compare as comparison, leaderboard
from bioft.errors import BioftError
from bioft.storage import runs, yaml_config
from bioft.tasks import read_by_others
from bioft.training import seeds
from bioft.verify import again, verify as verification, word
from bioft.verify.files import check_files
from bioft.verify.findings import Verification
from tests.verify.forging import copied


@pytest.fixture(autouse=True)
def _from_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Honest runs name models and data relatively to it."""
    monkeypatch.chdir(Path(__file__).parents[2])


def assert_refused(run: Path, words: str, status: str = "cannot be checked") -> None:
    found = verification.verify(run, progress=False)
    assert found.status == status and words in " ".join(found.reasons), found.reasons


def test_a_record_with_two_values_for_a_key_or_a_schema_that_is_none(of: Any, tmp_path: Path) -> None:
    """Of two values some readers take the first, others the last: one would be verified, the other shown."""
    forged = copied(of["masked_lm"], tmp_path / "run")
    path = forged.directory / runs.RECORD
    text = path.read_text()
    path.write_text('{"metrics": {"masked_accuracy": {"value": 0.97}}, ' + text[1:])
    assert_refused(forged.directory, "the key 'metrics' comes twice")
    for schema in ("4.5", "true", "Infinity", '"\\uff14"', "-1"):
        path.write_text(text.replace(f'"schema_version": {runs.SCHEMA_VERSION}', f'"schema_version": {schema}', 1))
        words = (
            "is not a run record: its text: not valid JSON (Infinity"
            if schema == "Infinity"
            else "record: its schema is"
        )
        assert_refused(forged.directory, words)


@pytest.mark.parametrize("name", ["../up.json", "/etc/hostname", "a/../../up.json", "c:\\up.json"])
def test_files_elsewhere_are_not_read(name: str, of: Any, tmp_path: Path) -> None:
    forged = copied(of["masked_lm"], tmp_path / "run")
    forged.record["files"][name] = "0" * 64
    (forged.directory / runs.RECORD).write_text(json.dumps(forged.record))
    assert_refused(forged.directory, "lists files outside its folder")


def test_files_of_other_tasks_are_named(of: Any, tmp_path: Path) -> None:
    """Nothing compares a report of labels in a run that has none."""
    forged = copied(of["entities"], tmp_path / "run")
    (forged.directory / "classification_report.txt").write_text("micro F1 0.97")
    forged.predictions.assign(doctors_agreed=1).to_parquet(forged.directory / runs.PREDICTIONS, index=False)
    forged.record["files"] = runs.checksums(forged.directory)
    found = Verification("run")
    check_files(forged.directory, forged.record, found)
    assert "no recipe writes were not checked: classification_report.txt" in " ".join(found.notes)
    assert "Columns of predictions.parquet that nothing reads were not checked: doctors_agreed." in found.notes


def changed(name: str, **changes: Any) -> Callable[[Path], None]:
    """Other values in a JSON file."""

    def change(directory: Path) -> None:
        path = directory / name
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


def other_order(directory: Path) -> None:
    labels = runs.read(directory)["labels"]
    changed("config.json", id2label=dict(enumerate(labels[::-1])))(directory)


def other_order_of_no_class(directory: Path) -> None:
    """bioft gives a model that names no class of its own the labels of the record, others those of its config.json."""
    names = dict(enumerate(runs.read(directory)["labels"][::-1]))
    others = {"id2label": names, "label2id": {name: number for number, name in names.items()}}
    changed("config.json", architectures=[], **others)(directory)


def twice(directory: Path) -> None:
    shutil.copy(directory / "model.safetensors", directory / "model-00001-of-00001.safetensors")


OTHER_MODELS: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "base of the adapter": (
        "gene_disease",
        changed("adapter_config.json", base_model_name_or_path="other/model"),
        "names the base model other/model",
    ),
    "order of labels": ("text_labels", other_order, "The record names the labels"),
    "order of labels, and no class": ("text_labels", other_order_of_no_class, "The record names the labels"),
    "weights twice": ("masked_lm", twice, "a whole model twice"),
    "side of padding": ("entities", changed("tokenizer_config.json", padding_side="left"), "Others get other answers"),
    "prompt": (
        "retrieval",
        changed("config_sentence_transformers.json", prompts={"query": "q."}, default_prompt_name="query"),
        "config_sentence_transformers.json is not that of this encoder",
    ),
    "pooling": (
        "name_alignment",
        changed("1_Pooling/config.json", pooling_mode="cls"),
        "1_Pooling/config.json is not that of this encoder",
    ),
}
"""What gives others another model than the one measured: the task, the change, and what is said."""


@pytest.mark.parametrize("attack", OTHER_MODELS)
def test_others_load_the_model_that_was_measured(attack: str, of: Any, tmp_path: Path) -> None:
    name, change, words = OTHER_MODELS[attack]
    forged = copied(of[name], tmp_path / "run")
    change(forged.directory)
    assert_refused(forged.write(), words, "not reproduced")


OTHER_ANSWERS: dict[str, tuple[Callable[[Path], None], str]] = {
    "as written": (lambda directory: None, ""),
    "no mask of padding": (
        changed("tokenizer_config.json", model_input_names=["input_ids"]),
        "Others get other answers",
    ),
}
"""By what of a run's files others may answer in another way, and what is said of it."""


@pytest.mark.parametrize("attack", OTHER_ANSWERS)
def test_others_get_the_answers_that_were_measured(attack: str, of: Any, tmp_path: Path) -> None:
    change, words = OTHER_ANSWERS[attack]
    forged = copied(of["entities"], tmp_path / "run")
    change(forged.directory)
    forged.write()
    model, texts = again._load(forged.run), forged.data.splits["test"]["text"][:]
    reasons = read_by_others.other_model(forged.directory, "AutoModelForTokenClassification", model[:2], texts)
    assert words in " ".join(reasons) and bool(reasons) == bool(words), reasons


def test_others_load_the_files_and_read_the_same_tokens(of: Any) -> None:
    run = of["entities"].run
    network, tokenizer, _ = again._load(run)
    for auto_class, asked, words in (
        ("AutoModelForTokenClassification", lambda texts, **options: {"input_ids": [[1]]}, "read other tokens"),
        ("AutoModelForVision2Seq", tokenizer, "can't load the files of the run, as others would"),
    ):
        reasons = read_by_others.other_model(run.directory, auto_class, (network, asked), ["Naloxone"])
        assert words in " ".join(reasons)


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ({"strategy": "disease_held_out"}, "held-out diseases"),
        ({"strategy": "gene_held_out"}, "held-out genes"),
        ({"strategy": "time", "train_until_pmid": 1, "validation_until_pmid": 99_999_999}, "have an article of until"),
    ],
)
def test_pairs_are_split_as_the_publishers_own_folder_says(
    split: dict[str, Any], words: str, of: Any, tmp_path: Path
) -> None:
    """A split at random that is called a harder one, in a folder whose source cannot be had."""
    forged = copied(of["gene_disease"], tmp_path / "run")
    folder = forged.use(forged.data.splits, tmp_path / "data", builder="my_pairs")
    honest_one = verification.verify(forged.write(), dataset_path=folder, progress=False)
    assert honest_one.status == "verified on the publisher's data", honest_one.reasons
    forged = copied(of["gene_disease"], tmp_path / "forged")
    folder = forged.use(forged.data.splits, tmp_path / "other", builder="my_pairs", split=split)
    found = verification.verify(forged.write(), dataset_path=folder, progress=False)
    assert found.status == "not reproduced" and words in " ".join(found.reasons), found.reasons


def test_the_module_of_another_task_is_found(of: Any, tmp_path: Path) -> None:
    forged = copied(of["masked_lm"], tmp_path / "run")
    forged.record["module"] = "bioft.tasks.entities"
    assert_refused(forged.write(), "names the module bioft.tasks.entities", "not reproduced")
    del (run := forged.run).record["module"]
    word.name_what_is_not_checked(run)
    assert "run.json names the module None; that of masked-language-model is another." in run.found.reasons


def test_records_of_another_kind_are_one_sentence_in_comparisons(of: Any, tmp_path: Path) -> None:
    """Whatever part of a record is none: `bioft compare`, `analyze`, `leaderboard` and `seeds` name the run."""
    wrong: list[tuple[str, Any]] = [
        ("training", "x"),
        ("comparison", "x"),
        ("baselines", [1]),
        ("random_negatives", "x"),
    ]
    words = r"run\.json is not a run record: its|is not as a finished run of this bioft writes it: "
    for number, (key, value) in enumerate(wrong):
        forged = copied(of["text_labels"], tmp_path / str(number))
        forged.record[key] = value
        (forged.directory / runs.RECORD).write_text(json.dumps(forged.record))
        with pytest.raises(BioftError, match=words):
            comparison.compare([str(forged.directory)])
    with pytest.raises(BioftError, match=words):
        analysis.analyse([str(tmp_path / "1")], tmp_path / "analysis")
    with pytest.raises(BioftError, match=words):
        seeds.summarise([str(tmp_path / "2")])
    forged = copied(of["text_labels"], tmp_path / "split")
    forged.record["dataset"]["split"] = "x"
    (forged.directory / runs.RECORD).write_text(json.dumps(forged.record))
    with pytest.raises(BioftError, match=words):
        leaderboard.build_leaderboard([str(forged.directory)], tmp_path / "board")


def test_a_comparison_gives_a_terminal_no_commands(of: Any, tmp_path: Path) -> None:
    forged = copied(of["text_labels"], tmp_path / "run")
    forged.record["baselines"]["\x1b[2Jours"] = {"f1": {"value": 0.9, "low": 0.8, "high": 0.95, "n": 67}}
    (forged.directory / runs.RECORD).write_text(json.dumps(forged.record))
    console = Console(file=io.StringIO(), width=200, markup=False)
    comparison.print_comparison(comparison.compare([str(forged.directory)]), console)
    assert "\x1b[2J" not in console.file.getvalue() and "ours" in console.file.getvalue()  # type: ignore[attr-defined]


CLAIMS: list[dict[str, Any]] = [
    {"status": "verified by the Hub"},
    {"predictions": {}},
    {"predictions": {"compared": "all", "total": "all"}},
    {"name": ["run"]},
    {"reasons": ["It is not so."]},
]


@pytest.mark.parametrize("forgery", CLAIMS, ids=str)
def test_a_leaderboard_takes_verifications_only(forgery: dict[str, Any], of: Any, tmp_path: Path) -> None:
    name, found = str(of["text_labels"].directory), Verification("run", status="verified").to_json()
    (tmp_path / "found.json").write_text(json.dumps(found))
    leaderboard.build_leaderboard([name], tmp_path / "honest", verifications=tmp_path)
    (tmp_path / "found.json").write_text(json.dumps(found | forgery))
    with pytest.raises(BioftError, match="is no verification"):
        leaderboard.build_leaderboard([name], tmp_path / "board", verifications=tmp_path)


def test_a_configuration_of_a_few_lines_is_not_endless(tmp_path: Path) -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{one}: &{one} [{', '.join([f'*{before}'] * 9)}]" for before, one in pairwise("abcdefghij")]
    (tmp_path / runs.CONFIG).write_text("\n".join(lines))
    with pytest.raises(BioftError, match="its anchors make more than 100,000 values"):
        yaml_config.load_config(tmp_path / runs.CONFIG)
    (tmp_path / runs.CONFIG).write_text("a: &a {b: 1}\nc: *a")
    assert yaml_config.load_config(tmp_path / runs.CONFIG) == {"a": {"b": 1}, "c": {"b": 1}}
