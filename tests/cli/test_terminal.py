"""The command on terminals of any width and encoding, without a home, and into a pipe that nobody reads."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from bioft.cli.main import PANELS, app
from tests.cli.test_cli import REPOSITORY, bioft_command, invoke

HELP_OF_ALL = """
import sys
from typer.main import get_command
from typer.testing import CliRunner
from bioft.cli.main import app
from bioft.errors import any_output

with any_output():
    for words in [[name] for name in get_command(app).commands] + [["build", "ctd"], ["download", "pubmed"]]:
        try:
            app([*words, "--help"])
        except SystemExit as left:
            assert left.code == 0, words
"""


def helps() -> Iterator[str]:
    """The help of every command, and of those of a group one."""
    for words in [[name] for name in get_command(app).commands] + [["build", "ctd"], ["download", "pubmed"]]:
        yield invoke(*words, "--help").output


def test_every_command_stands_in_a_panel_of_the_help() -> None:
    lines = invoke("--help").output.splitlines()
    panels = [line.split()[1] for line in lines if line.startswith("╭─")]
    assert panels == ["Options", *PANELS]
    assert set(get_command(app).commands) <= {name for names in PANELS.values() for name in names}


@pytest.mark.usefixtures("part_of_hpo")
def test_options_are_taken_in_both_spellings_and_shown_in_one(tmp_path: Path) -> None:
    shown = [option for text in helps() for option in re.findall(r"^│ +(--\S+)", text, re.MULTILINE)]
    assert "--dry-run" in shown and not [option for option in shown if "_" in option]
    for dash in "-_":
        result = invoke("push-adapter", tmp_path, "user/name", f"--dry{dash}run", f"--create{dash}pr")
        assert "run.json" in result.stderr, result.output
    # Only the names of options: not their values.
    result = invoke("build", "hpo", "--output", tmp_path / "a_b", "--split", "disease_held_out", "--test_size=0.3")
    assert result.exit_code == 0 and (tmp_path / "a_b" / "manifest.json").is_file(), result.output


@pytest.mark.parametrize(
    "variables", [{"PYTHONIOENCODING": "ascii", "COLUMNS": "40"}, {"LC_ALL": "C", "NO_COLOR": "1"}], ids=str
)
def test_any_encoding_and_width(variables: dict[str, str]) -> None:
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "HOME": "/nonexistent"} | variables
    found = subprocess.run([sys.executable, "-c", HELP_OF_ALL], env=environment, capture_output=True)
    assert found.returncode == 0, found.stderr.decode()
    lines = found.stdout.decode().splitlines()
    assert max(map(len, lines)) <= int(variables.get("COLUMNS", 80))
    assert not re.findall(r"--[\w-]+…", found.stdout.decode()), "names of options are whole"
    assert b"\x1b" not in found.stdout


@pytest.mark.parametrize("words", [["train"], ["recipes", "list"]], ids=" ".join)
def test_lists_break_no_word_on_a_narrow_terminal(words: list[str]) -> None:
    wide, *narrow = (CliRunner().invoke(app, words, env={"COLUMNS": str(width)}).output for width in (400, 80, 48))
    for width, text in zip((80, 48), narrow, strict=True):
        shown = [line for line in text.splitlines() if "recipes" not in line]
        assert max(map(len, shown)) <= width
        assert set(re.findall(r"[^\s/_-]+", "\n".join(shown))) <= set(re.findall(r"[^\s/_-]+", wide))


@pytest.mark.skipif(os.name != "posix", reason="pipes as on POSIX")
@pytest.mark.parametrize("words", [["--help"], ["recipes", "list"], ["recipes", "show", "mlm"]], ids=" ".join)
def test_a_pipe_that_nobody_reads(words: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    program = "from bioft.cli.main import main; main()"
    found = subprocess.run([sys.executable, "-c", program, *words], stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert found.stderr == ""


def test_no_home() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "bioft", "recipes", "list"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), "HOME": "/dev/null"},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stderr
    assert bioft_command("--version").returncode == 0
