"""docs/add_your_own_task.md is followed word by word, on sentences made up here; then commands take its run.

That the run is recorded, analysed and published as any other is in `tests/test_contract.py`.
"""

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import gradio
import pytest
from typer.testing import CliRunner, Result

from bioft import task as tasks
from bioft.cli.main import app
from bioft.demo import app as demo_app
from bioft.errors import BioftError
from bioft.storage import datasets as storage
from tests import own_task, warm_process

RUN = str(own_task.RUN)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's files, and the run that its first command makes."""
    folder = tmp_path_factory.mktemp("page")
    own_task.train(folder)
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
@pytest.mark.parametrize("command", own_task.COMMANDS)
def test_the_other_commands_of_the_page(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program, *words = shlex.split(command)
    if words[0] == "train":
        exit_code, output = warm_process.run(Path.cwd(), [str(Path(sys.executable).with_name(program)), *words])
        assert exit_code == 0 and "Steps:" in output and "Run recorded" not in output, output
        return
    warm_process.instead_of_subprocess("bioft.training.recipe_process", monkeypatch)
    result = bioft(*words)
    assert result.exit_code == 0, result.output


@pytest.mark.slow
def test_a_metric_of_ones_own(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("encoder", "sentences.csv", "abstract_sections.yaml"):
        (tmp_path / name).symlink_to(folder / name)
    (tmp_path / "section_metrics.py").write_text(own_task.METRIC_OF_ONES_OWN)
    module, words = re.findall(r"^`(import \w+ as evaluate)`.*and `(metrics=\{.*?\})`", own_task.PAGE, re.M | re.S)[0]
    script = own_task.TASK.replace("demo, evaluate, export, predict\n", f"demo, export, predict\n{module}\n")
    script = script.replace("    unit=", f"    {words},\n    unit=")
    (tmp_path / "abstract_sections.py").write_text(script)
    monkeypatch.chdir(tmp_path)
    words = [str(Path(sys.executable).with_name("bioft")), "train", "abstract_sections.py", "--max_steps", "2"]
    exit_code, output = warm_process.run(tmp_path, words)
    assert exit_code == 0, output
    assert "| share of wrong labels |" in (tmp_path / RUN / "README.md").read_text()
    for command in ("verify", "compare"):
        result = bioft(command, RUN)
        assert result.exit_code == 0, result.output
    sys.modules.pop("section_metrics", None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "exit_code", "shown"),
    [
        (["leaderboard", RUN, "-o", "board"], 0, "1 run, written"),
        (["seeds", RUN], 0, "rest on 1 seed and 1 split"),
        (["merge", RUN, "-o", "merged"], 1, "has no adapter: its model was trained whole"),
        (["export", RUN, "-o", "onnx"], 0, "onnx"),
        (["inspect", "dataset"], 0, "No leakage found"),
        (["baselines", "dataset"], 0, "TF-IDF|tfidf"),
        (["baselines", "dataset", "--task", "abstract_sections"], 0, "Task: abstract-sections"),
        (["baselines", "dataset", "--task", "nothing"], 1, "no baselines of the task 'nothing'"),
    ],
    ids=lambda value: "-".join(value[::3]) if isinstance(value, list) else "",
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
    warm_process.instead_of_subprocess("bioft.training.reproduce", monkeypatch)
    result = bioft("reproduce", RUN, "-o", "again")
    assert result.exit_code == 0, result.output
    assert "reproduced; the new run is again" in " ".join(result.output.split())


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
