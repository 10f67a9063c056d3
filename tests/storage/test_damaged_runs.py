"""Damaged runs: each command says in one sentence what is wrong, where, and what to do, and writes nothing."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file, save_file
from typer.testing import CliRunner

from bioft.cards.model import model_card
from bioft.cli.main import app
from bioft.errors import BioftError, ChangedFilesError
from bioft.models import base as models
from bioft.storage import json_text, runs
from bioft.tasks.entities import predict as entity_prediction
from bioft.tasks.gene_disease import predict as gene_disease_prediction
from bioft.tasks.masked_lm import models as masked_models
from bioft.tasks.text_labels import models as text_models
from bioft.tasks.text_labels.arguments import ClassifierArguments

REPOSITORY = Path(__file__).parents[2]
GOLDEN = REPOSITORY / "tests" / "golden" / "runs"
TASKS = sorted(path.name for path in GOLDEN.iterdir())
ASKED = {
    "gene_disease": ["predict", "RUN", "--gene", "BRCA1", "--disease", "Cancer"],
    **{task: ["predict", "RUN", "--text", "Aspirin harms."] for task in ("entities", "joint", "text_labels")},
    "relations": ["predict", "RUN", "--input", "documents.pubtator", "--output", "out.pubtator"],
    "retrieval": ["index", "RUN", "articles.jsonl", "--output", "out"],
    "name_alignment": ["align", "names.txt", "--namespace", "names.tsv", "--run", "RUN", "--output", "out.tsv"],
}
"""What loads the model of a run on a task."""
DOCUMENT = "1|t|Aspirin harms the kidney.\n1|a|\n1\t0\t7\tAspirin\tChemical\tD1\n1\t18\t24\tkidney\tDisease\tD2\n\n"
ADAPTER, WHOLE = "adapter_model.safetensors", "model.safetensors"


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder to work in, with what commands read; runs name their base models relatively to it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BIOFT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "tests").symlink_to(REPOSITORY / "tests")
    (tmp_path / "documents.pubtator").write_text(DOCUMENT)
    (tmp_path / "articles.jsonl").write_text('{"id": "1", "text": "Aspirin harms the kidney."}\n')
    (tmp_path / "names.txt").write_text("ATP\n")
    shutil.copy(REPOSITORY / "tests/golden/data/names.tsv", tmp_path)
    return tmp_path


def damaged(task: str, damage: Callable[[Path], Any], *, consistent: bool = True) -> Path:
    """A copy of a golden run that was damaged; by default its record has the checksums that fit."""
    run = shutil.copytree(GOLDEN / task, Path("run"))
    damage(run)
    if consistent:
        record = json.loads((run / runs.RECORD).read_text()) | {"files": runs.checksums(run)}
        (run / runs.RECORD).write_text(json.dumps(record))
    return run


def recorded(*path: str, value: Any = None, missing: bool = False) -> Callable[[Path], Any]:
    """What changes a part of a record, or takes it away."""

    def damage(run: Path) -> None:
        record = part = json.loads((run / runs.RECORD).read_text())
        for key in path[:-1]:
            part = part[key]
        part[path[-1]] = value
        if missing:
            del part[path[-1]]
        (run / runs.RECORD).write_text(json.dumps(record))

    return damage


def weights(change: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]) -> Callable[[Path], Any]:
    """What changes the tensors of a run."""

    def damage(run: Path) -> None:
        path = next(run / name for name in (ADAPTER, WHOLE) if (run / name).is_file())
        save_file(change(load_file(path)), path, {"format": "pt"})

    return damage


def written(name: str, content: str | bytes) -> Callable[[Path], Any]:
    """What writes a file of a run anew."""
    return lambda run: (run / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def refused(words: str, *command: str) -> None:
    """A command fails with one sentence that has these words, and leaves nothing behind."""
    before = sorted(Path().iterdir())
    result = CliRunner().invoke(app, ["run" if word == "RUN" else word for word in command])
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    message = " ".join(result.output.partition("Error: ")[2].split())
    assert result.exit_code == 1 and words in message, result.output
    assert not re.search(r"Error\((?!s\))", message), "no name of a Python error"
    assert [each for each in sorted(Path().iterdir()) if each.name != "cache"] == before


RECORDS = {
    "cut": (
        lambda run: (run / runs.RECORD).write_text('{"schema'),
        "run.json is not a run record: its text: not valid",
    ),
    "a list": (lambda run: (run / runs.RECORD).write_text("[]"), "run.json is not a run record"),
    "no text": (lambda run: (run / runs.RECORD).write_bytes(b"\xff\xfe\0"), "run.json is not a run record"),
    "missing": (lambda run: (run / runs.RECORD).unlink(), "The run in run is not finished"),
    "schema 0": (recorded("schema_version", value=0), "run.json is not a run record: its schema is 0. Take"),
    "a schema of no number": (
        recorded("schema_version", value=True),
        "run.json is not a run record: its schema is True. Take",
    ),
    "of tomorrow, with other parts": (
        lambda run: [recorded(key, value=runs.SCHEMA_VERSION + 1)(run) for key in ("files", "schema_version")],
        "Update bioft",
    ),
    "no files": (recorded("files", missing=True), "run.json is not that of a finished run: it has no files. Take"),
    "files": (recorded("files", value=["a"]), 'run.json is not a run record: its files is ["a"]. Take'),
    "base model": (recorded("base_model", value="x"), 'its base_model is "x". Take'),
    "checksum of the base model": (
        recorded("base_model", "sha256", missing=True),
        "it has no base_model.sha256. Take",
    ),
    "vocabulary of the base model": (
        recorded("base_model", "vocab_size", value="many"),
        'its base_model.vocab_size is "many". Take',
    ),
    "another base model": (recorded("base_model", "sha256", value="0" * 64), "are not those that the run was trained"),
    "no base model": (recorded("base_model", "name_or_path", value="./gone"), "No model folder at ./gone"),
    "quantization": (recorded("base_model", "quantization", value="int4"), "a quantization of the base model that is"),
    "scoring": (recorded("scoring", missing=True), "it has no scoring. Take"),
    "threshold": (recorded("scoring", "threshold", value="0.5"), 'its scoring.threshold is "0.5". Take'),
    "a figure": (recorded("metrics", "auroc", "value", value="high"), 'its metrics.auroc.value is "high". Take'),
    "task": (recorded("task", value="poetry"), "There is no task 'poetry' in this bioft"),
}


@pytest.mark.parametrize("case", RECORDS)
def test_a_damaged_record(case: str) -> None:
    damage, words = RECORDS[case]
    damaged("gene_disease", damage, consistent=False)
    refused(words, *ASKED["gene_disease"])


@pytest.mark.parametrize("command", ["merge", "reproduce"])
@pytest.mark.parametrize("path", [("name",), ("dataset", "sources"), ("base_model", "name_or_path"), ("metrics",)])
def test_what_is_made_of_a_run_needs_its_whole_record(path: tuple[str, ...], command: str) -> None:
    damaged("gene_disease", recorded(*path, missing=True), consistent=False)
    refused(f"run.json is not that of a finished run: it has no {'.'.join(path)}. Take", command, "RUN", "-o", "out")


def served(run: Path) -> Any:
    """What `bioft serve` loads of a run."""
    from bioft.serve import app as serve

    return serve.open_runs([str(run)])


def shown(run: Path) -> Any:
    """What `bioft demo` reads of a run before it loads it."""
    from bioft.demo import app as demo

    return demo.tasks_of([run])


def asked_for_entities(run: Path) -> Any:
    """What recipes of relations read of a run that finds their entities, and `joint_ner_re` of one it goes on from."""
    return entity_prediction.read_tested_on(run, {"fingerprints": {"test": "0"}})


def gone_on_from(run: Path) -> Any:
    """What `sft_gda` reads of a run that it goes on from."""
    base = models.resolve_base_model("tests/golden/models/llama")
    return gene_disease_prediction.find_start(str(run), base, {"fingerprints": {"validation": "0", "test": "0"}})


def trained_further(run: Path) -> Any:
    """What `text_classification` reads of a run that it goes on from."""
    base = models.resolve_base_model("tests/golden/models/bert")
    return text_models.find_start(ClassifierArguments(start_from=str(run)), base)


READ: dict[Callable[[Path], Any], tuple[str, list[tuple[str, ...]]]] = {
    served: ("entities", [("name",), ("base_model", "id"), ("labels",), ("windows", "window_length")]),
    shown: ("joint", [("name",), ("recipe",), ("base_model", "id"), ("relations", "threshold")]),
    asked_for_entities: ("entities", [("dataset",), ("dataset", "fingerprints", "test"), ("files",)]),
    gone_on_from: ("gene_disease", [("dataset", "fingerprints"), ("base_model", "name_or_path"), ("scoring",)]),
    trained_further: ("text_labels", [("base_model", "name_or_path"), ("classifier", "head")]),
    runs.describe_start: ("joint", [("files",)]),
}
"""By what reads the record of a run the task of that, and parts that it can't do without."""


@pytest.mark.parametrize(
    ("read", "path"),
    [(read, path) for read, (_, paths) in READ.items() for path in paths],
    ids=lambda its: getattr(its, "__name__", str(its)),
)
def test_what_reads_a_run_says_what_its_record_lacks(read: Callable[[Path], Any], path: tuple[str, ...]) -> None:
    run = damaged(READ[read][0], recorded(*path, missing=True), consistent=False)
    with pytest.raises(BioftError, match=re.escape(f"not that of a finished run: it has no {'.'.join(path)}. Take")):
        read(run)


@pytest.mark.parametrize("read", [*READ, masked_models.load_adapted_encoder])
def test_what_reads_a_run_compares_its_files(read: Callable[[Path], Any]) -> None:
    task = READ[read][0] if read in READ else "masked_lm"
    run = damaged(task, written("tokenizer.json", "{}"), consistent=False)
    with pytest.raises(ChangedFilesError, match=r"run are not those of the recorded run: tokenizer\.json was changed"):
        read(run)


MADE = {
    "changed": (lambda folder: (folder / "config.json").write_text("{}"), "config.json was changed"),
    "lost": (lambda folder: (folder / WHOLE).unlink(), f"{WHOLE} is missing"),
    "another": (lambda folder: shutil.copy(folder / WHOLE, folder / "a.safetensors"), "does not list a.safetensors"),
}


@pytest.mark.parametrize("case", MADE)
def test_a_merged_model_that_was_changed_since(case: str) -> None:
    """No command that takes a model takes it, and none says that it is as it was."""
    folder = shutil.copytree(REPOSITORY / "tests/golden/models/bert", "run")
    about = {"run": "name", "format": "merged, float32", "files": runs.checksums(Path(folder))}
    Path(folder, runs.EXPORT).write_text(json.dumps({"bioft": about}))
    assert models.resolve_base_model("run").sha256
    Path(folder, runs.EXPORT).write_text(json.dumps({"bioft": about | {"run": 7}}))
    refused("No run in run: there is no run.json.", *ASKED["entities"])
    Path(folder, runs.EXPORT).write_text(json.dumps({"bioft": about}))
    refused("it is the model of the run name (merged, float32)", *ASKED["entities"])
    damage, words = MADE[case]
    damage(Path(folder))
    for command in (ASKED["entities"], ASKED["retrieval"], ["push-adapter", "RUN", "user/name"]):
        refused(words, *command)


def test_a_base_model_without_all_its_weights_embeds_nothing() -> None:
    """What is not in its files would be drawn at random."""
    run = Path(shutil.copytree(REPOSITORY / "tests/golden/models/bert", "run"))
    weights(lambda tensors: {name: its for name, its in tensors.items() if "layer.0.attention.self" not in name})(run)
    refused("run can't be asked: it holds no weights for 6 parts of its encoder", *ASKED["retrieval"])


@pytest.mark.parametrize("command", ["compare", "seeds"])
@pytest.mark.parametrize("path", ["scoring.threshold", "dataset.fingerprints"])
def test_comparisons_say_what_a_record_lacks(path: str, command: str) -> None:
    damaged("gene_disease", recorded(*path.split("."), missing=True), consistent=False)
    refused(f"run.json is not that of a finished run: it has no {path}. Take", command, "RUN")


@pytest.mark.parametrize(
    "command", [["merge", "RUN", "-o", "out"], ["rank", "RUN", "--disease", "Disease 1", "-o", "out.csv"]]
)
def test_data_that_their_record_does_not_describe(command: list[str]) -> None:
    damaged("gene_disease", recorded("dataset", "arguments", "test_size", value="half"), consistent=False)
    refused("can't be built again by 'ctd' with what its record says", *command)


def test_a_configuration_that_names_no_data() -> None:
    damaged("gene_disease", written(runs.CONFIG, "dataset: ctd\ndataset_path: 7\n"))
    refused("config.yaml is not as a finished run writes it: its dataset_path is 7", "reproduce", "RUN", "-o", "out")


WEIGHTS = {
    "garbage": lambda run: [path.write_bytes(b"PK\3\4" * 20) for path in run.glob("*.safetensors")],
    "cut": lambda run: [path.write_bytes(path.read_bytes()[:-100]) for path in run.glob("*.safetensors")],
    "gone": lambda run: [path.unlink() for path in run.glob("*.safetensors")],
    "one lost": weights(lambda tensors: dict(sorted(tensors.items())[1:])),
    "all renamed": weights(lambda tensors: {f"x.{name}": its for name, its in tensors.items()}),
    "another shape": weights(lambda tensors: {name: np.concatenate([its, its]) for name, its in tensors.items()}),
}


@pytest.mark.parametrize("case", WEIGHTS)
@pytest.mark.parametrize("task", ASKED)
def test_weights_that_are_no_model(task: str, case: str) -> None:
    """Nothing that a run has not saved is drawn at random in its place."""
    damaged(task, WEIGHTS[case])
    refused("run holds no model that can be loaded: its files are damaged, or not those of one model", *ASKED[task])


FILES = {
    "no tokenizer": (
        "entities",
        lambda run: (run / "tokenizer.json").unlink(),
        "run holds no model that can be loaded",
    ),
    "tokens": ("text_labels", written("tokenizer.json", "{}"), "run holds no model that can be loaded"),
    "padding": ("text_labels", written("tokenizer_config.json", '{"tokenizer_class": "X"}'), "run holds no model"),
    "configuration": ("retrieval", written("config.json", "[]"), "run holds no model that can be loaded"),
    "adapter": ("gene_disease", written("adapter_config.json", '{"a": 7}'), "run holds no model that can be loaded"),
    "concepts": ("joint", written("concepts.json", '{"Gene": {"a": 7}}'), "of concepts: its Gene.a is 7. Take"),
    "scorer": (
        "name_alignment",
        written("alignment_scorer.json", '{"features": 7}'),
        "of names: its features is 7. Take",
    ),
}


@pytest.mark.parametrize("case", FILES)
def test_other_files_of_a_model(case: str) -> None:
    task, damage, words = FILES[case]
    damaged(task, damage)
    refused(words, *ASKED[task])


@pytest.mark.parametrize("path", [("labels",), ("relations", "markers"), ("relations", "markers", "style")])
def test_a_classifier_of_relations_needs_its_labels_and_markers(path: tuple[str, ...]) -> None:
    """Which a language model that is asked has not."""
    damaged("relations", recorded(*path, missing=True), consistent=False)
    refused(f"run.json is not that of a finished run: it has no {'.'.join(path)}. Take", *ASKED["relations"])


@pytest.mark.parametrize(
    ("path", "value"), [(("created",), 7), (("hardware", "gpus"), 7), (("relations", "arguments"), {})]
)
def test_a_card_is_made_of_no_damaged_record(path: tuple[str, ...], value: Any) -> None:
    """Where a run has no card any more, one is made when it is pushed."""
    run = damaged("relations", recorded(*path, value=value), consistent=False)
    with pytest.raises(BioftError, match=r"The run record (is not as a finished run writes it|lacks a field)"):
        model_card(runs.read(run))


@pytest.mark.parametrize("stated", [{}, {"CID": []}, {"CID": [["Chemical"]]}, {"GDA": [["Gene", "Disease"]]}])
def test_relations_between_no_entities(stated: dict[str, Any]) -> None:
    """None would be found, without a word."""
    damaged("relations", recorded("relations", "arguments", value=stated))
    refused("The record does not say between which entities relations are", *ASKED["relations"])


@pytest.mark.parametrize("task", ["entities", "joint", "relations", "text_labels"])
def test_labels_in_another_order_than_the_model_s(task: str) -> None:
    labels = json.loads((GOLDEN / task / runs.RECORD).read_text())["labels"]
    damaged(task, recorded("labels", value=labels[::-1]))
    refused(f"The record names the labels {labels[-1]}, ", *ASKED[task])


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(("value", "words"), [(b"x", "is \"b'x'\", not "), (None, "can't be read as predictions on ")])
def test_columns_of_predictions(value: Any, words: str, task: str) -> None:
    column = "correct" if task == "masked_lm" else "prediction"

    def damage(run: Path) -> None:
        table = pd.read_parquet(run / runs.PREDICTIONS)
        changed = table.drop(columns=column) if value is None else table.assign(**{column: value})
        changed.to_parquet(run / runs.PREDICTIONS, index=False)

    damaged(task, damage)
    if task == "joint" and value is None:
        return  # a model of relations alone has none
    refused(words, "compare", "RUN")


@pytest.mark.parametrize("task", TASKS)
def test_whole_records_are_taken(task: str) -> None:
    for path in (GOLDEN / task / runs.RECORD, *(REPOSITORY / "recipes" / "results").rglob("*.json")):
        record = json.loads(path.read_text())
        if {"schema_version", "task"} <= record.keys():
            runs.check_whole(path.parent, record)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a": {"b": [1, 2.5]}, "d": True}, ""),
        ({"a": {"b": []}, "c": None, "d": False, "e": 1}, ""),
        ({"d": True}, "it has no a"),
        ({"a": {"b": [1, "x"]}, "d": True}, 'its a.b[1] is "x"'),
        ({"a": {"b": [True]}, "d": True}, "its a.b[0] is true"),
        ({"a": {"b": 3}, "d": True}, "its a.b is 3"),
        ({"a": {}, "c": 7, "d": True}, "its c is 7"),
        ({"a": {}, "d": 1}, "its d is 1"),
        ([], "its  is []"),
    ],
)
def test_kinds_of_json_values(value: Any, words: str) -> None:
    kind = {"a": {...: [json_text.NUMBER]}, "c?": json_text.TEXT_OR_NONE, "d": bool}
    assert json_text.wrong_in(value, kind, whole=True) == words
    assert (json_text.wrong_in(value, kind) == "") == (words == "" or words.startswith("it has"))
