"""Batches in several processes: the answers of one process, and an end of all of them whatever happens."""

import json
import multiprocessing
import os
import re
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from bioft.cli.main import app
from bioft.errors import BioftError
from bioft.models import batches
from bioft.models.batches import computed, in_processes
from bioft.tasks.joint import predict as joint
from tests import warm_process
from tests.models.functions import MODEL, failing, killed, told
from tests.recipe import command_line, load_recipe, run_recipe
from tests.tiny import write_encoder

RUNS = Path(__file__).parents[1] / "golden" / "runs"


@pytest.fixture
def warm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that need not import the libraries: those of other tests begin anew, as users' do."""
    monkeypatch.setattr(batches, "multiprocessing", SimpleNamespace(get_context=lambda _: warm_process.context()))


def test_threads_are_divided_and_an_interrupt_ends_the_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 6)
    found = []
    with pytest.raises(KeyboardInterrupt), in_processes(2):
        for each in computed(partial(told, MODEL), range(40)):
            found.append(each)
            if len(found) == 20:
                raise KeyboardInterrupt
    numbers, processes, threads, without_gradients = zip(*found, strict=True)
    assert numbers == tuple(range(20)) and os.getpid() not in processes
    assert set(threads) == {3} and set(without_gradients) == {True}
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize(
    ("function", "message"), [(failing, r"^Text 1 can't be read\.$"), (killed, r"ended before its time.*fewer")]
)
def test_what_goes_wrong_in_one_process_ends_all(function: object, message: str, warm: None) -> None:
    with pytest.raises(BioftError, match=message), in_processes(2):
        list(computed(partial(function, MODEL), range(9)))  # type: ignore[arg-type]
    assert multiprocessing.active_children() == []


def test_what_no_other_process_can_compute_is_refused() -> None:
    with pytest.raises(BioftError, match=r"^One process fills a GPU: leave out --processes\.$"), in_processes(2):
        list(computed(partial(told, SimpleNamespace(device=torch.device("cuda"))), range(2)))
    with pytest.raises(BioftError, match=r"^This model can't be sent"), in_processes(2):
        list(computed(partial(told, MODEL, lambda: 0), range(2)))


@pytest.fixture(scope="module")
def adapted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of text_classification with a LoRA adapter, and a head that was trained whole."""
    folder = tmp_path_factory.mktemp("adapted")
    options = {"model_name_or_path": write_encoder(folder / "model"), "output_dir": folder / "run", "use_peft": True}
    options |= {"dataset": "sample", "lora_r": 4, "max_steps": 2, "learning_rate": 0.02, "max_length": 64}
    options |= {"eval_strategy": "no", "save_strategy": "no", "load_best_model_at_end": False}
    run_recipe(load_recipe("text_classification"), *command_line(**options))
    assert (folder / "run" / "adapter_model.safetensors").is_file()
    return folder / "run"


@pytest.mark.parametrize("task", ["entities", "joint", "relations", "text_labels", "adapted"])
def test_predictions_are_those_of_one_process_to_the_byte(
    task: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = request.getfixturevalue("adapted") if task == "adapted" else RUNS / task
    if task != "entities":
        request.getfixturevalue("warm")
    texts = [f"Drug {n} causes pain, and reverses clonidine. " * (1 + n % 5) for n in range(40)]
    rows, asked, options = (
        [json.dumps({"id": n, "text": text.strip()}) for n, text in enumerate(texts)],
        "in.jsonl",
        [],
    )
    if task == "relations":
        asked = "in.pubtator"
        rows = [f"{n}|t|{text}\n{n}|a|\n" for n, text in enumerate(texts)]
        for n, text in enumerate(texts):
            for word, kind in (("Drug", "Chemical"), ("pain", "Disease"), ("clonidine", "Chemical")):
                start = text.index(word)
                rows[n] += f"{n}\t{start}\t{start + len(word)}\t{word}\t{kind}\t{word[:2]}1\n"
    else:
        rows, options = [*rows, "{}"], ["--skip-bad"]
    (tmp_path / asked).write_text("\n".join(rows) + "\n")
    monkeypatch.setattr(batches, "CPU_BATCH_TOKENS", 256)
    monkeypatch.setattr(joint, "BATCH_TOKENS", 256)
    used, ask = [], batches._Processes.results

    def results(processes: batches._Processes, function: Any, parts: list[Any]) -> Any:
        used.append((processes.number, len(parts)))
        return ask(processes, function, parts)

    monkeypatch.setattr(batches._Processes, "results", results)
    said = []
    for number in "12":
        words = ["predict", str(run), *options, "--input", str(tmp_path / asked), "--processes", number]
        ended = CliRunner().invoke(app, [*words, "--output", str(tmp_path / "out.jsonl"), "--overwrite"])
        assert ended.exit_code == 0, ended.output
        messages = re.sub(r"(?m)^ {4}.*\n", "", ended.stderr)  # how long it takes, where that is long
        said.append((ended.stdout, messages, (tmp_path / "out.jsonl").read_bytes()))
    assert said[0] == said[1] and said[0][2].count(b"\n") == 40 and "40" in said[0][1]
    ((processes, parts),) = used
    assert processes == 2 and parts > 2


def test_a_run_that_is_asked_otherwise_takes_no_processes() -> None:
    asked = CliRunner().invoke(
        app, ["predict", str(RUNS / "gene_disease"), "--gene", "A", "--disease", "B", "--processes", "2"]
    )
    assert asked.exit_code == 2 and "--processes is no question for a run on" in asked.output
    assert batches._processes is None
