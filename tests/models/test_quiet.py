"""What libraries say without news is kept back, and what is news is not."""

import ast
import io
import logging
import sys
from pathlib import Path

import pytest
from transformers.utils import logging as transformers_logging
from typer.testing import CliRunner

import bioft
from bioft.cli.main import app
from bioft.models import quiet
from bioft.tasks.retrieval import named
from tests.docs.pages import blocks
from tests.recipe import RECIPES
from tests.tiny import write_encoder


@pytest.mark.parametrize(
    ("name", "level", "message", "kept"),
    [
        ("bitsandbytes.backends.cpu.ops", logging.WARNING, "Failed to load CPU gemm_4bit_forward: %s", False),
        ("bitsandbytes.backends.cpu.ops", logging.WARNING, "The library is of another CPU", True),
        ("transformers.modeling_utils", logging.WARNING, "BertModel LOAD REPORT from: here", False),
        ("transformers.integrations.bitsandbytes", logging.WARNING, "The modules are dequantized in float32", False),
        ("transformers.modeling_utils", logging.WARNING, "This checkpoint seem corrupted. The tied weights", False),
        ("transformers.modeling_utils", logging.WARNING, "The weights are of another type", True),
        ("bm25s", logging.DEBUG, "Building index from IDs objects", False),
        ("bm25s", logging.WARNING, "An empty vocabulary", True),
    ],
)
def test_only_what_is_no_news_is_kept_back(name: str, level: int, message: str, kept: bool) -> None:
    quiet.quieten()
    quiet.quieten()
    logger = logging.getLogger(name)
    assert bool(logger.filter(logging.LogRecord(name, level, "", 0, message, (), None))) is kept
    assert len(logger.filters) == 1


@pytest.mark.parametrize("command", ["analyze", "merge", "export"])
def test_commands_switch_off_the_bars_of_libraries(command: str, tmp_path: Path) -> None:
    transformers_logging.enable_progress_bar()
    answer = CliRunner().invoke(app, [command, str(tmp_path / "none"), "--output", str(tmp_path / "out")])
    assert answer.exit_code == 1 and not transformers_logging.is_progress_bar_enabled()


def test_an_encoder_is_loaded_without_a_bar(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    transformers_logging.enable_progress_bar()
    named.load(str(write_encoder(tmp_path / "encoder")), whole=False)
    assert "Loading" not in capfd.readouterr().err


OWN_TASK = blocks("docs/add_your_own_task.md", "python")[0]
SOURCES = {path.stem: path.read_text() for path in sorted(RECIPES.glob("*.py"))} | {"the page on own tasks": OWN_TASK}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_a_recipe_imports_bioft_before_what_speaks_while_it_is_imported(source: str) -> None:
    imports = [node for node in ast.parse(source).body if isinstance(node, ast.Import | ast.ImportFrom)]
    modules = [node.module if isinstance(node, ast.ImportFrom) else node.names[0].name for node in imports]
    speaking = {"datasets", "numpy", "peft", "sentence_transformers", "transformers", "trl"}
    assert modules.index(bioft.__name__) < min(modules.index(name) for name in speaking & set(modules))


def test_output_that_has_no_dash_gets_a_question_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    quiet.quieten()
    stream.write(".790–.833")
    stream.flush()
    assert stream.buffer.getvalue() == b".790?.833"  # type: ignore[attr-defined]
