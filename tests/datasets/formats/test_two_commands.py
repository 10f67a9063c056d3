"""A file of one's own becomes a finished run by a recipe's --dataset; others count the same figures."""

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from seqeval.metrics import f1_score as seqeval_f1
from sklearn.metrics import f1_score
from typer.testing import CliRunner

from bioft.cli import main as cli
from bioft.datasets.configuration import recorded_configuration
from bioft.datasets.recorded import recorded_data
from bioft.errors import BioftError
from bioft.hub import pull
from bioft.storage import runs
from bioft.training.reproduce import reproduce
from bioft.verify import verify as verification
from tests import warm_process
from tests.datasets.formats.test_conll import write as write_conll
from tests.datasets.formats.test_documents import documents, write_bioc_xml
from tests.datasets.formats.test_labels import texts, write
from tests.recipe import command_line, load_recipe, run_recipe
from tests.tiny import write_encoder

WORDS = ["we", "gave", "the", "drug", "to", "all", "of", "them", "and", "saw", "no", "pain", "at", "that", "time"]
TRAINING: dict[str, Any] = {"per_device_train_batch_size": 16, "learning_rate": 0.01, "logging_steps": 5}
WINDOWS = {"window_length": 96, "window_overlap": 24}
"""What the tiny encoder reads."""


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("encoder") / "model")


def sentences(n: int, of: str) -> list[tuple[list[str], list[tuple[str, int, int]]]]:
    """Sentences whose fourth word, and the one after it in every other sentence, is a mention."""
    found = []
    for i in range(n):
        words = [*WORDS[i % 5 : i % 5 + 8], of, str(i)]
        found.append((words, [("Drug" if i % 3 else "Gene", 3, 4 + i % 2)]))
    return found


@pytest.fixture(scope="module")
def tagged(tmp_path_factory: pytest.TempPathFactory, encoder: Path) -> Path:
    """A run on two IOB files that lie beside it."""
    folder = tmp_path_factory.mktemp("tagged")
    train = write_conll(folder / "train.txt", sentences(60, "train"), "IOB1")
    test = write_conll(folder / "test.txt", sentences(30, "test"), "IOBES", " ")
    options = {"model_name_or_path": encoder, "dataset": train, "test": test, "num_train_epochs": 6, **WINDOWS}
    options |= {"title": "Our notes", "license": "cc-by-4.0", "terms": "Ask the authors.", "citation": "A. Author"}
    run_recipe(load_recipe("token_classification"), *command_line(**TRAINING, **options, output_dir=folder / "run"))
    return folder / "run"


def test_iob_files_become_a_run_whose_f1_seqeval_counts_too(tagged: Path) -> None:
    record = runs.read(tagged)
    assert record["dataset"]["builder"] == "entities" and record["dataset"]["read"]["documents"] == 90
    table = pd.read_parquet(tagged / "predictions.parquet")
    assert len(table) == 30

    def tags(cell: str, words: list[str]) -> list[str]:
        starts = [sum(map(len, words[:i])) + i for i in range(len(words))]
        found = ["O"] * len(words)
        for start, end, kind, *_ in json.loads(cell):
            inside = [i for i, place in enumerate(starts) if start <= place < end]
            assert (starts[inside[0]], starts[inside[-1]] + len(words[inside[-1]])) == (start, end)
            found[inside[0]] = f"B-{kind}"
            found[inside[0] + 1 : inside[-1] + 1] = [f"I-{kind}"] * (len(inside) - 1)
        return found

    words = [its for its, _ in sentences(30, "test")]
    # A prediction that ends inside a word is no word's tag: such are wrong in both counts, and none here.
    truth, found = (
        [tags(cell, its) for cell, its in zip(table[name], words, strict=True)] for name in ("label", "prediction")
    )
    assert record["metrics"]["f1"]["value"] == pytest.approx(seqeval_f1(truth, found))
    assert record["metrics"]["f1"]["value"] > 0
    verified = verification.verify(str(tagged))
    # What their owner says of them stands in no file: it is the owner's word, and no reason against the run.
    assert (verified.status, verified.reasons) == ("verified", [])
    assert "title, licence and terms of the data" in verified.not_checked


def test_a_run_on_files_of_ones_own_is_trained_again(
    tagged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warm_process.instead_of_subprocess("bioft.training.reproduce", monkeypatch)
    assert reproduce(str(tagged), tmp_path / "again").holds
    recorded, again = runs.read(tagged), runs.read(tmp_path / "again")
    assert again["metrics"] == recorded["metrics"] and again["dataset"] == recorded["dataset"]


def test_files_that_were_changed_or_moved_are_told_before_any_training(tagged: Path, tmp_path: Path) -> None:
    folder = tmp_path / "moved"
    shutil.copytree(tagged.parent, folder)
    run, record = folder / "run", runs.read(tagged)
    config = yaml.safe_load((run / runs.CONFIG).read_text())
    assert recorded_configuration(run, record, folder / "train.txt") == config | {
        "dataset": str(folder / "train.txt"),
        "test": [str(folder / "test.txt")],
        "model_name_or_path": record["base_model"]["name_or_path"],
    }
    assert verification.verify(str(run), dataset_path=folder / "train.txt").status == "verified"
    with (folder / "test.txt").open("a") as stream:
        stream.write("new O\n")
    with pytest.raises(BioftError, match=r"test\.txt has changed since the run was trained on it.*--dataset-path"):
        reproduce(str(run), tmp_path / "out", dataset_path=folder)
    found = verification.verify(str(run), dataset_path=folder)
    assert found.status == "cannot be checked" and "Here is another source: " in str(found.reasons)
    (folder / "test.txt").unlink()
    with pytest.raises(BioftError, match=r"The data are missing: there is no .*test\.txt.*Name them with"):
        reproduce(str(run), tmp_path / "out", dataset_path=folder)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "named",
    [
        {"dataset": "/etc/passwd"},
        {"dataset": "notes.csv"},
        {"dataset": "user/own", "test": ["notes.csv"]},
        {"dataset": "user/own", "validation": ["../notes.csv"]},
        {"dataset": "user/own", "deepspeed": "~/settings.json"},
        {"dataset": "user/own", "lr_scheduler_kwargs": {"file": "/etc/passwd"}},
    ],
)
def test_a_run_from_the_hub_can_not_have_files_of_this_machine_read(
    tagged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: dict[str, Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("notes.csv").write_text("secret\tO\n")
    run = tmp_path / "run"
    shutil.copytree(tagged, run)
    content = yaml.safe_load((run / runs.CONFIG).read_text())
    given = {key: value for key, value in content.items() if key not in ("dataset", "test")}
    (run / runs.CONFIG).write_text(yaml.safe_dump(given | named))
    (run / pull.ORIGIN).write_text('{"id": "user/tagger", "revision": "c"}')
    with pytest.raises(BioftError, match="What comes from the Hub may not choose files"):
        recorded_configuration(run, runs.read(run))
    with pytest.raises(BioftError, match="name them with --dataset-path"):
        recorded_data(run, runs.read(run))


@pytest.mark.parametrize("name", ["/etc/passwd", "notes.csv", "folder/notes"])
def test_a_record_can_not_call_a_file_of_this_machine_a_dataset_on_the_hub(
    tagged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    for path in ("notes.csv", "folder/notes"):
        Path(path).write_text("secret\tO\n")
    run, record = tmp_path / "run", runs.read(tagged)
    shutil.copytree(tagged, run)
    (run / pull.ORIGIN).write_text('{"id": "user/tagger", "revision": "c"}')
    record["dataset"]["sources"] = [
        {"name": name, "sha256": "0", "url": "https://huggingface.co/datasets/x", "version": "0"}
    ]
    elsewhere = record["dataset"]["arguments"] | {"train": [str(Path(name).absolute())]}
    forged = record | {"dataset": record["dataset"] | {"arguments": elsewhere}}
    (tmp_path / "mine").mkdir()
    with pytest.raises(BioftError, match=f"mine/{Path(name).name} does not exist"):
        recorded_data(run, forged, tmp_path / "mine")
    for read in (recorded_configuration, recorded_data):
        with pytest.raises(BioftError, match="as a dataset on the Hub: it is none, or a file of this machine"):
            read(run, record)


def test_sentences_with_0_and_1_become_a_run_whose_f1_scikit_learn_counts_too(tmp_path: Path, encoder: Path) -> None:
    train = write(tmp_path / "train.tsv", [(text, n % 2) for n, text in enumerate(texts(80, "train"))])
    rows = [(n, text, n % 2) for n, text in enumerate(texts(30, "test"))]
    test = write(tmp_path / "test.tsv", [*rows, (30, rows[0][1], 1)], ("index", "sentence", "label"))
    built = tmp_path / "built"
    words = [
        "build",
        "labels",
        "--train",
        str(train),
        "--test",
        str(test),
        "--title",
        "Own relations",
        "-o",
        str(built),
    ]
    answer = CliRunner().invoke(cli.app, [*words, "--license", "cc-by-4.0", "--terms", "Ask us."])
    assert answer.exit_code == 0, answer.output
    assert "no validation split was given" in " ".join(answer.output.split())
    card = (built / "README.md").read_text()
    assert "Own relations" in card and "license: cc-by-4.0" in card and "Ask us." in card
    options = {"model_name_or_path": encoder, "dataset": built, "num_train_epochs": 2, "max_length": 32}
    run_recipe(load_recipe("text_classification"), *command_line(**TRAINING, **options, output_dir=tmp_path / "run"))
    record = runs.read(tmp_path / "run")
    table = pd.read_parquet(tmp_path / "run" / "predictions.parquet")
    truth, found = ([label for (label,) in table[name]] for name in ("label", "prediction"))
    assert truth == [str(n % 2) for n in range(30)] + ["1"]
    assert record["metrics"]["1_f1"]["value"] == pytest.approx(f1_score(truth, found, pos_label="1"))
    assert record["metrics"]["macro_f1"]["value"] == pytest.approx(f1_score(truth, found, average="macro"))
    card = (tmp_path / "run" / "README.md").read_text()
    assert "Own relations" in card and "clinical trial" not in card and "clinical-trial" not in card


def test_a_dry_run_says_which_types_training_has_not(
    tmp_path: Path, encoder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train = write_bioc_xml(documents(12), tmp_path)
    test = tmp_path / "held_out.xml"
    write_bioc_xml(documents()[12:], tmp_path).rename(test)
    test.write_text(test.read_text().replace("SpecificDisease", "Modifier"))
    write_bioc_xml(documents(12), tmp_path)
    options = command_line(
        model_name_or_path=encoder, dataset=train, test=test, output_dir=tmp_path / "run", **WINDOWS
    )
    run_recipe(load_recipe("token_classification"), *options, "--dry_run")
    assert "In the test split and not in training: Modifier" in caplog.text


def test_an_option_that_the_data_do_not_take_is_refused(tmp_path: Path, encoder: Path) -> None:
    train = write(tmp_path / "own.tsv", [(text, n % 2) for n, text in enumerate(texts(80, "train"))])
    with pytest.raises(BioftError, match="--text_column is for"):
        run_recipe(load_recipe("text_classification"), *command_line(dataset="sample", text_column="text"))
    with pytest.raises(BioftError, match="--dataset_path is for"):
        run_recipe(load_recipe("text_classification"), *command_line(dataset=train, dataset_path=train))
