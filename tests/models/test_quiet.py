"""What libraries say without news is kept back, and what is news is not."""

import ast
import io
import logging
import sys

import pytest

import bioft
from bioft.models import quiet
from tests.recipe import RECIPES


@pytest.mark.parametrize(
    ("name", "level", "message", "kept"),
    [
        ("bitsandbytes.backends.cpu.ops", logging.WARNING, "Failed to load CPU gemm_4bit_forward: %s", False),
        ("bitsandbytes.backends.cpu.ops", logging.WARNING, "The library is of another CPU", True),
        ("transformers.modeling_utils", logging.WARNING, "BertModel LOAD REPORT from: here", False),
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


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.py")), ids=lambda path: path.stem)
def test_a_recipe_imports_bioft_before_what_speaks_while_it_is_imported(path: object) -> None:
    imports = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)]
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
