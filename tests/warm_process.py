"""Run command lines in processes forked from one that has imported the large libraries already.

Importing them takes most of the time of a short command. What is shared is the state after import: each command still
has a process, environment, working directory, arguments and exit code of its own.
"""

import gc
import importlib
import multiprocessing
import os
import runpy
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import datasets.config
import evaluate.config
import huggingface_hub.constants
import huggingface_hub.hf_api

from tests.drawing import is_left_out, without_drawing

if TYPE_CHECKING:  # not in the process itself
    import pytest

PRELOADED = [
    "accelerate",
    "bioft.cli.main",
    "bioft.compare.analyze",
    "bioft.datasets.load",
    "bioft.training.steps",
    "bioft.verify.verify",
    "bitsandbytes",
    "datasets",
    "evaluate",
    "matplotlib.pyplot",
    "peft",
    "scipy.stats",
    "sentence_transformers",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "torch._inductor.compile_fx",
    "trackio",
    "transformers.trainer",
    "trl.trainer.sft_trainer",
]
READ_AT_IMPORT = (huggingface_hub.constants, datasets.config, evaluate.config)
"""Modules that hold what the environment said when they were imported."""


class Started:
    """A process that runs a command line; what it prints can be read while it runs."""

    def __init__(self, process: BaseProcess, output: Connection) -> None:
        self.kill = process.kill
        self._process, self._output = process, output

    def lines(self) -> Iterator[str]:
        """The lines that it prints, until it ends."""
        with self._output, open(self._output.fileno(), closefd=False) as stream:
            yield from stream

    def wait(self) -> int:
        """Its exit code, negative for the signal that killed it."""
        self._process.join()
        assert self._process.exitcode is not None
        return self._process.exitcode


def run(folder: Path, words: Sequence[str], environment: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run `python SCRIPT …`, `-m MODULE` or `-c CODE`, or a console script in `folder`: exit code and what it said."""
    started = start(folder, words, environment)
    text = "".join(started.lines())
    return started.wait(), text


def start(folder: Path, words: Sequence[str], environment: Mapping[str, str] | None = None) -> Started:
    """As `run`, but come back at once."""
    reader, writer = (warm := context()).Pipe(duplex=False)
    given = dict(os.environ if environment is None else environment)
    process = warm.Process(target=_run, args=(str(folder), list(words), given, writer, is_left_out()))
    process.start()
    writer.close()
    return Started(process, reader)


def context() -> ForkServerContext:
    """What makes processes that have imported `PRELOADED`."""
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(PRELOADED)
    return found


def run_in_parallel(folder: Path, words: Sequence[str], processes: int) -> list[tuple[int, str]]:
    """Run a command line in as many processes that know of each other, as `torchrun` does."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    known = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    known |= dict.fromkeys(("WORLD_SIZE", "LOCAL_WORLD_SIZE"), str(processes))
    ranks = [dict.fromkeys(("RANK", "LOCAL_RANK"), str(rank)) for rank in range(processes)]
    started = [start(folder, words, os.environ | known | rank) for rank in ranks]
    printed = ["".join(process.lines()) for process in started]
    return [(process.wait(), text) for process, text in zip(started, printed, strict=True)]


def instead_of_subprocess(module: str, patch: "pytest.MonkeyPatch") -> None:
    """Let commands of this Python that a module gives to `subprocess.run` run in warm processes."""
    really = subprocess.run

    def run_words(words: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        if words[0] != sys.executable:
            return really(words, **options)
        exit_code, output = run(Path.cwd(), words)
        print(output)
        return subprocess.CompletedProcess(words, exit_code)

    patch.setattr(f"{module}.subprocess.run", run_words)


def _run(folder: str, words: list[str], environment: dict[str, str], output: Connection, undrawn: bool) -> None:
    gc.freeze()  # what was imported need not be looked through for garbage, nor its pages copied
    for stream in (1, 2):
        os.dup2(output.fileno(), stream)
    output.close()
    # Anew: those that are there were opened on a file, in which they could seek.
    sys.stdout, sys.stderr = (open(stream, "w", buffering=1, closefd=False) for stream in (1, 2))  # noqa: SIM115
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for module in READ_AT_IMPORT:
        importlib.reload(module)
    huggingface_hub.hf_api.api.endpoint = huggingface_hub.constants.ENDPOINT
    sys.path[:0] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    if Path(words[0]).name.startswith("python"):
        words = words[1:]
        if words[0] not in ("-c", "-m"):
            sys.path.insert(0, str(Path(words[0]).resolve().parent))
    sys.argv = {"-m": words[1:], "-c": ["-c", *words[2:]]}.get(words[0], words)
    try:
        with without_drawing() if undrawn else nullcontext():
            if words[0] == "-m":
                runpy.run_module(words[1], run_name="__main__")
            elif words[0] == "-c":
                exec(words[1], {"__name__": "__main__"})
            else:
                runpy.run_path(words[0], run_name="__main__")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
