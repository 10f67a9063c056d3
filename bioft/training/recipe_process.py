"""A recipe that runs as a program of its own, and what its run is judged by."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bioft.hub.pull import task_of

PR_SET_PDEATHSIG = 1
"""Of `prctl(2)`: which signal a process gets when the one that started it ends."""


def run_recipe(script: Path, words: Sequence[str], environment: Mapping[str, str] | None = None) -> int:
    """Run the script of a recipe with these words of a command line and return its exit code; its output is shown.

    Of one that a signal ended this says so; its exit code is below 0 then.

    It does not outlive this process, also where that is killed (on Linux): else the same command, given again, would
    train into the same folder. `environment` are variables beside those of this process.
    """
    command = [sys.executable, str(script), *words]
    code = subprocess.run(command, env=os.environ | dict(environment or {}), preexec_fn=_end_with_parent()).returncode
    if code < 0:  # then it could not say so itself
        name = signal.Signals(-code).name
        why = ", as where memory runs out" if -code == signal.SIGKILL else ""
        print(f"{script.stem} was ended by another program or the system ({name}{why}).", file=sys.stderr)
    return code


def options(words: Sequence[str]) -> dict[str, str]:
    """What the words of a command line set, as text; several values of one key are one text with spaces."""
    values: dict[str, str] = {}
    name = ""
    for word in words:
        if word.startswith("--"):
            name, _, values[name] = word.removeprefix("--").partition("=")
        else:
            values[name] = f"{values.get(name, '')} {word}".strip()
    return values


def main_metric(directory: str | Path, record: Mapping[str, Any]) -> str:
    """What a finished run is judged by: the metric of its comparison with baselines, else the main one of its task."""
    return (record.get("comparison") or {}).get("metric") or task_of(directory, record).main_metric


def _end_with_parent() -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # found before the fork: after it nothing may be loaded
    return lambda: prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
