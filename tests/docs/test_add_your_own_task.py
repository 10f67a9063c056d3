"""docs/add_your_own_task.md is followed word by word, on sentences made up here; then every command takes its run."""

import csv
import itertools
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio
import pytest
from typer.testing import CliRunner, Result

from bioft import task as tasks
from bioft.cli.main import app
from bioft.demo import app as demo_app
from bioft.errors import BioftError
from bioft.hub import pull, push
from bioft.storage import datasets as storage, runs
from tests import warm_process
from tests.hub_server.server import HubServer

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "add_your_own_task.md").read_text(encoding="utf-8")
SENTENCES = {
    "background": ("{} is common after the age of {}", "Little is known about {} before {} years of age"),
    "methods": ("We enrolled {1} patients with {0}", "Participants with {} were randomised in {} centres"),
    "results": ("{} became rarer by {} percent", "We found {1} further cases of {0}"),
}
DISEASES = ("diabetes", "asthma", "stroke", "gout", "anaemia", "psoriasis", "migraine", "sepsis", "eczema", "lupus")
RUN = "runs/abstract_sections"


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)
    return found


def run_here(words: Sequence[str]) -> tuple[int, str]:
    """A command line in a process of its own, in the current folder."""
    return warm_process.run(Path.cwd(), [str(Path(sys.executable).with_name(words[0])), *words[1:]])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's files, and the run that its first command makes; one epoch instead of six."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "abstract_sections.py").write_text(block("python"))
    (folder / "abstract_sections.yaml").write_text(block("yaml").replace("num_train_epochs: 6", "num_train_epochs: 1"))
    with (folder / "sentences.csv").open("w", newline="") as file:
        file.write(block("csv"))
        numbered = enumerate(itertools.product(SENTENCES, DISEASES, (0, 1)), 40)
        csv.writer(file).writerows(
            [SENTENCES[label][form].format(disease, number), label] for number, (label, disease, form) in numbered
        )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        exit_code, shown = run_here(shlex.split(block("bash").splitlines()[0]))
    assert exit_code == 0, shown
    return folder


@pytest.fixture(autouse=True)
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Commands are given in the folder of the page; its module is forgotten afterwards."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield
    sys.modules.pop("abstract_sections", None)


def bioft(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.mark.slow
def test_the_run_is_recorded(folder: Path) -> None:
    record = runs.read(folder / RUN)
    assert (record["schema_version"], record["task"], record["module"]) == (
        2,
        "abstract-sections",
        "abstract_sections",
    )
    assert set(record["baselines"]) == {"majority", "label_priors", "tfidf_svm", "tfidf_logistic"}
    assert record["metrics"]["f1"]["n"] == record["dataset"]["rows"]["test"]["documents"] > 10
    assert record["audit"]["checks"] == {"ids_across_splits": 0, "normalised_texts_across_splits": 0}
    assert "difference in Micro F1" in record["comparison"]["sentence"]
    card = (folder / RUN / runs.CARD).read_text()
    assert "which part of an abstract" in card and 'bioft predict model --text "We enrolled 120 patients."' in card


@pytest.mark.slow
@pytest.mark.parametrize("command", block("bash").splitlines()[1:])
def test_the_other_commands_of_the_page(command: str) -> None:
    result = bioft(*shlex.split(command)[1:])
    assert result.exit_code == 0, result.output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "exit_code", "shown"),
    [
        (["analyze", RUN, "-o", "analysis"], 0, "Written to analysis"),
        (["compare", RUN, "-o", "comparison"], 0, "abstract-sections: f1"),
        (["leaderboard", RUN, "-o", "board"], 0, "1 runs, written"),
        (["seeds", RUN], 0, "One seed"),
        (["merge", RUN, "-o", "merged"], 1, "has no adapter: its model was trained whole"),
        (["export", RUN, "-o", "onnx"], 0, "onnx"),
        (["inspect", "dataset"], 0, "No leakage found"),
        (["baselines", "dataset"], 0, "TF-IDF|tfidf"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_every_command_takes_the_run(words: list[str], exit_code: int, shown: str, folder: Path) -> None:
    if not Path("dataset").exists():
        storage.save(*tasks.import_own("abstract_sections").build("sentences.csv"), Path("dataset"))
    result = bioft(*words)
    assert result.exit_code == exit_code, result.output
    assert re.search(shown, result.output), result.output


@pytest.mark.slow
def test_the_demo_has_a_tab_for_the_run(folder: Path) -> None:
    with gradio.Blocks() as page:
        demo_app.add_runs([Path(RUN)])
    assert page.fns


@pytest.mark.slow
def test_the_run_is_reproduced(monkeypatch: pytest.MonkeyPatch) -> None:
    really = subprocess.run

    def run(words: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        if words[0] != sys.executable:
            return really(words, **options)
        exit_code, output = warm_process.run(Path.cwd(), words)
        print(output)
        return subprocess.CompletedProcess(words, exit_code)

    monkeypatch.setattr("bioft.training.reproduce.subprocess.run", run)
    result = bioft("reproduce", RUN, "-o", "again")
    assert result.exit_code == 0, result.output
    assert "reproduced; the new run is again" in " ".join(result.output.split())


@pytest.mark.slow
def test_a_pulled_run_does_not_choose_code_of_this_machine(
    folder: Path, tmp_path: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is pushed and pulled as any other; its module is not even imported, by whatever command."""
    access = {"endpoint": hub.endpoint, "token": hub.tokens["write"]}
    pushed = push.push_adapter(RUN, "user/sections", **access)
    pulled = pull.pull_adapter("user/sections", tmp_path / "pulled", **access)
    assert pull.origin(pulled) == {"id": "user/sections", "revision": pushed.commit}
    sys.modules.pop("abstract_sections", None)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "abstract_sections.py").write_text("open('imported', 'w').close()\n")
    monkeypatch.chdir(elsewhere)
    for words in (
        ["verify"],
        ["predict", "--text", "a"],
        ["analyze", "-o", "o"],
        ["export", "-o", "x"],
        ["reproduce"],
    ):
        result = bioft(words[0], pulled, *words[1:])
        assert result.exit_code != 0, words
        assert "may not choose code of this machine" in " ".join(result.output.split()), (words, result.output)
    with pytest.raises(BioftError, match="is not part of bioft"):
        push.push_adapter(pulled, "user/again", **access)
    assert not Path("imported").exists()


def test_records_whose_task_is_not_here_or_lacks_something(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BioftError, match="no task 'gene-desease' in this bioft"):
        tasks.find({"task": "gene-desease"}, pulled=False)
    with pytest.raises(BioftError, match=r"in the module 'nowhere', which is not here.*holds nowhere\.py"):
        tasks.find({"task": "x", "module": "nowhere"}, pulled=False)
    (tmp_path / "bare_task.py").write_text("from bioft.tasks.text_labels import predict\n")
    with pytest.raises(BioftError, match="bare_task has no TASK"):
        tasks.find({"task": "x", "module": "bare_task"}, pulled=False)
    (tmp_path / "lacking_task.py").write_text(
        "from dataclasses import replace\nfrom types import ModuleType\nfrom bioft.tasks import text_labels\n"
        "TASK = replace(text_labels.TASK, name='lacking', module='lacking_task')\nevaluate = ModuleType('evaluate')\n"
    )
    with pytest.raises(BioftError, match="is of the task 'lacking'; the record names 'x'"):
        tasks.find({"task": "x", "module": "lacking_task"}, pulled=False)
    lacking = tasks.find({"task": "lacking", "module": "lacking_task"}, pulled=False)
    with pytest.raises(BioftError, match="evaluate lacks the function `figures`"):
        tasks.function(lacking, "evaluate", "figures", "can be verified")
    with pytest.raises(BioftError, match="can not be verified: lacking_task has no `answers`"):
        tasks.function(lacking, "answers", "read", "can be verified")


def test_two_tasks_or_sources_of_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "same_task.py").write_text("from bioft.tasks.joint import TASK\n")
    (tmp_path / "same_source.py").write_text(
        "from dataclasses import replace\nfrom bioft.tasks.joint import TASK\n"
        "TASK = replace(TASK, name='other', sources=(replace(TASK.sources[0], title='another'),))\n"
    )
    for module, message in (("same_task", "Two tasks are called"), ("same_source", "Two sources are called")):
        monkeypatch.setattr(tasks, "REGISTERED", (*tasks.REGISTERED[:8], module))
        tasks.registered.cache_clear()
        with pytest.raises(BioftError, match=message):
            tasks.registered()
    monkeypatch.undo()
    tasks.registered.cache_clear()
