"""Run command lines in processes forked from one that has imported the large libraries already.

Importing them takes most of the time of a short command. What is shared is the state after import: each command still
has a process, working directory, arguments and exit code of its own.
"""

import multiprocessing
import os
import runpy
import sys
from pathlib import Path

PRELOADED = [
    "accelerate",
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
    "transformers.trainer",
    "trl",
]


def run(folder: Path, words: list[str]) -> tuple[int, str]:
    """Run `python SCRIPT …` or a console script of this environment in `folder`: exit code and what it printed."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    output = folder / f".output-{os.getpid()}"
    process = context.Process(target=_run, args=(str(folder), words, str(output)))
    process.start()
    process.join()
    text = output.read_text()
    output.unlink()
    assert process.exitcode is not None
    return process.exitcode, text


def _run(folder: str, words: list[str], output: str) -> None:
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.chdir(folder)
    if Path(words[0]).name.startswith("python"):
        words = words[1:]
        sys.path.insert(0, str(Path(words[0]).resolve().parent))
    sys.argv = words
    try:
        runpy.run_path(words[0], run_name="__main__")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
