"""`bioft train` finds recipes and presets, starts them in one process or several, and says what is wrong at once."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bioft.cli.main import app
from bioft.training import presets
from tests.cli.test_cli import HEAVY, bioft_command, message

INTERRUPTIBLE = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
"""A shell without job control starts background jobs with SIGINT ignored, and children inherit that."""


def train(*words: str | Path) -> Any:
    return CliRunner().invoke(app, ["train", *map(str, words)], env={"COLUMNS": "160"})


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A script that prints its command line, and fails with code 3 if it is asked to."""
    monkeypatch.setattr("sys.argv", list(sys.argv))
    path = tmp_path / "own recipe.py"
    path.write_text(
        "import json, os, sys\n"
        "line = json.dumps([os.environ.get('WORLD_SIZE', '1'), *sys.argv[1:]])\n"
        "sys.stdout.write(line + chr(10))  # in one piece, whatever the other process writes\n"
        "sys.exit(3 if '--fail' in sys.argv else 0)\n"
    )
    return path


def test_alone_it_lists_the_recipes_and_imports_nothing_heavy() -> None:
    program = (
        "import sys\nfrom typer.testing import CliRunner\nfrom bioft.cli.main import app\n"
        "for words in ([], ['--help'], ['mlm', 'nonesuch'], ['sft-gda', 'llama3_8b', '-h']):\n"
        "    print(CliRunner().invoke(app, ['train', *words]).output)\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    for name, path in presets.scripts().items():
        assert f"{name} " in found.stdout and presets.about(path).split()[0] in found.stdout
    assert "--processes" in found.stdout and "Recipe 'mlm' has no preset" in found.stdout
    assert "Usage: bioft train sft_gda [PRESET]" in found.stdout and "[meta-llama/" in found.stdout
    assert found.stdout.splitlines()[-1] == "[]"


def test_what_is_mistyped_is_told_with_the_nearest_name() -> None:
    assert "Did you mean 'token_classification'?" in message(train("token_clasification"))
    assert "Did you mean 'bc5cdr'?" in message(train("token-classification", "bc5cd"))
    assert "There is no script own.py" in message(train("own.py"))
    assert "Give the preset once" in message(train("mlm", "default", "--config=default"))
    assert "Did you mean 'multi_gpu'?" in message(train("mlm", "--accelerate", "multi_gp"))


def test_a_script_gets_its_options_and_its_preset_and_gives_its_exit_code(script: Path) -> None:
    found = train(script, "mine.yaml", "--max-steps", "2", "--fail")
    assert (found.exit_code, json.loads(found.stdout)) == (
        3,
        ["1", "--config", "mine.yaml", "--max-steps", "2", "--fail"],
    )
    assert json.loads(train(script, "--processes", "1", "--help").stdout) == ["1", "--help"]


def test_several_processes_and_a_configuration_are_launched_by_accelerate(script: Path) -> None:
    found = bioft_command("train", str(script), "a.yaml", "--processes", "2", "--fail")
    words = ["2", "--config", "a.yaml", "--fail", "--use_cpu", "--ddp_backend", "gloo"]
    # The first process that fails ends the other, which may not have printed yet.
    assert (found.returncode, {tuple(json.loads(line)) for line in found.stdout.splitlines()}) == (3, {tuple(words)})
    assert "Traceback" not in found.stderr
    found = bioft_command("train", str(script), "--accelerate", "cpu", "--fail")
    assert (found.returncode, json.loads(found.stdout)) == (3, ["1", "--fail"])
    assert "Traceback" not in found.stderr


@pytest.mark.skipif(os.name != "posix", reason="signals as on POSIX")
def test_an_interrupt_is_one_line_and_130(tmp_path: Path) -> None:
    script = tmp_path / "recipe.py"
    script.write_text(f"{INTERRUPTIBLE}import os\nos.kill(os.getpid(), signal.SIGINT)\n")
    found = bioft_command("train", str(script))
    assert found.returncode == 130 and found.stderr.startswith("Interrupted.") and found.stderr.count("\n") == 1


def test_a_configuration_that_starts_fewer_processes_is_refused(tmp_path: Path) -> None:
    """`accelerate launch` with the configuration of one process on the CPU starts one, whatever was asked for."""
    script = tmp_path / "recipe.py"
    script.write_text(
        "import sys\nfrom bioft.errors import BioftError\nfrom bioft.training.launch import check_process_count\n"
        "try:\n    print('started', check_process_count())\nexcept BioftError as error:\n    sys.exit(str(error))\n"
    )
    found = bioft_command("train", str(script), "--accelerate", "cpu", "--processes", "2")
    assert found.returncode == 1 and "asked for 2 processes but 1 started" in found.stderr
