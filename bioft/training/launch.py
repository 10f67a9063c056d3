"""How a recipe is started, in one process or several, and whether as many run as were asked for."""

import logging
import os
import runpy
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from bioft import threads
from bioft.errors import BioftError

REQUESTED = "BIOFT_PROCESSES"
"""The variable that tells processes how many of them `start` asked for."""


def load(script: Path, name: str) -> dict[str, Any]:
    """Run a script under a name, with its folder among the places of modules, as Python does; returns its globals."""
    sys.path.insert(0, str(script.absolute().parent))
    return runpy.run_path(str(script), run_name=name)


def start(script: Path, words: Sequence[str], processes: int | None = None, config: Path | None = None) -> None:
    """Run the script of a recipe with these words of a command line: here or, for several processes or with a
    configuration of Accelerate, as `accelerate launch` does.

    BioftError: there are GPUs, but fewer than the processes. SystemExit: with the exit code of a recipe that failed.
    """
    if config is None and processes in (None, 1):
        sys.argv = [str(script), *words]
        load(script, "__main__")
        return
    import torch
    from accelerate.commands.launch import launch_command, launch_command_parser
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    if threads.THREADS in threads.CHOSEN:  # for one process: the launcher shares the cores out
        os.environ.pop(threads.THREADS, None)
    launch = [] if config is None else ["--config_file", str(config)]
    launch += [] if processes is None else ["--num_processes", str(processes)]
    if config is None:
        gpus = torch.cuda.device_count()
        if gpus and gpus < (processes or 0):
            raise BioftError(f"There are not {processes} GPUs here, but {gpus}.")
        launch += ["--multi_gpu", "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
        # Of several processes `accelerate launch --cpu` starts one.
        words = [*words, *([] if gpus else ["--use_cpu", "--ddp_backend", "gloo"])]
    options = launch_command_parser().parse_args([*launch, str(script), *words])
    os.environ[REQUESTED] = str(_number_of_processes(options) or "")
    # Its lines say which process failed; what went wrong, the process itself has said.
    for part in ("", ".agent.server.api"):  # the second has a level of its own
        logging.getLogger(f"torch.distributed.elastic{part}").setLevel(logging.CRITICAL)
    try:
        launch_command(options)
    except subprocess.CalledProcessError as error:
        raise SystemExit(error.returncode) from None
    except ChildFailedError as error:
        raise SystemExit(error.get_first_failure()[1].exitcode) from None
    except SignalException as error:
        raise SystemExit(128 + error.sigval) from None


def check_process_count() -> int:
    """Compare the number of processes that `accelerate launch` was asked for with the number that started.

    `accelerate launch --cpu --num_processes 2` starts one process without a word: a run would then be half as fast,
    and its effective batch half as large, as its record says. Returns the number of processes of this run; BioftError
    where fewer run than were asked for.
    """
    actual, requested = int(os.environ.get("WORLD_SIZE", "1")), requested_processes()
    if requested is not None and requested != actual:
        raise BioftError(
            f"`accelerate launch` was asked for {requested} processes but {actual} started. Start them with "
            f"`bioft train RECIPE --processes {requested}`, or name a configuration: --accelerate FILE."
        )
    return actual


def requested_processes() -> int | None:
    """What the `accelerate launch` above this process was asked for; None if there is none, or it did not say."""
    from accelerate.commands.launch import launch_command_parser

    if told := os.environ.get(REQUESTED):
        return int(told)
    for parent in psutil.Process().parents():
        try:
            command = parent.cmdline()
        except psutil.Error:
            continue
        if "launch" not in command or not any("accelerate" in part for part in command[: command.index("launch")]):
            continue
        return _number_of_processes(
            launch_command_parser().parse_known_args(command[command.index("launch") + 1 :])[0]
        )
    return None


def _number_of_processes(options: Any) -> int | None:
    """What options of `accelerate launch` say, themselves or in their configuration."""
    from accelerate.commands.config.config_args import load_config_from_file

    if options.num_processes is None and options.config_file is not None:
        options.num_processes = load_config_from_file(options.config_file).num_processes
    return None if options.num_processes is None else int(options.num_processes)
