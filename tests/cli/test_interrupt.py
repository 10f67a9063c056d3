"""Ctrl-C while libraries are imported: one line, and no traceback."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ONE_LINE = "Interrupted before anything was begun.\n"
PREDICT = ["predict", "tests/golden/runs/entities", "--text", "x"]


@pytest.mark.parametrize(
    ("package", "words", "said"),
    [
        ("typer", ["-m", "bioft", "--help"], ONE_LINE),
        ("torch", ["-m", "bioft", *PREDICT], "Interrupted. What was finished is kept, nothing is half-written.\n"),
        ("peft", ["recipes/token_classification.py"], ONE_LINE),
    ],
)
def test_an_import_that_is_interrupted_ends_in_one_line(
    package: str, words: list[str], said: str, tmp_path: Path
) -> None:
    """A package of this name, found first, is interrupted while it is imported."""
    (tmp_path / f"{package}.py").write_text("import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\n" * 2)
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})"
    (tmp_path / "sitecustomize.py").write_text(code)
    found = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT, env={"PATH": "", "PYTHONPATH": f"{tmp_path}:{ROOT}"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (found.returncode in (-2, 130), found.stdout, found.stderr) == (True, "", said)
