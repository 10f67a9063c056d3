"""A launch that silently gets fewer processes than it was asked for is an error."""

import subprocess
import sys
from pathlib import Path

import pytest


def accelerate_launch(script: str, *options: str) -> subprocess.CompletedProcess[str]:
    # Started as users start it, through the entry point of the same environment.
    command = [str(Path(sys.executable).with_name("accelerate")), "launch"]
    return subprocess.run([*command, *options, script], capture_output=True, text=True)


@pytest.fixture
def script(tmp_path) -> str:
    path = tmp_path / "script.py"
    path.write_text(
        "import sys\nfrom bioft.errors import BioftError\nfrom bioft.training.launch import check_process_count\n"
        "try:\n    print('started', check_process_count())\nexcept BioftError as error:\n    sys.exit(str(error))\n"
    )
    return str(path)


def test_two_cpu_processes_asked_for_but_one_started(script: str) -> None:
    result = accelerate_launch(script, "--cpu", "--num_processes", "2")
    assert result.returncode != 0
    assert "asked for 2 processes but 1 started" in result.stderr
    assert "bioft train RECIPE --processes 2" in result.stderr
    assert "started 1" not in result.stdout


def test_one_process_asked_for_is_fine(script: str) -> None:
    result = accelerate_launch(script, "--cpu", "--num_processes", "1")
    assert result.stdout.strip() == "started 1", result.stderr


def test_no_launcher_is_fine(script: str) -> None:
    result = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert result.stdout.strip() == "started 1", result.stderr
