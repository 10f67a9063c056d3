"""Checks that a distributed launch is the one that was asked for."""

import os

import psutil
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import launch_command_parser

from bioft.errors import BioftError


def check_process_count() -> int:
    """Compare the number of processes that `accelerate launch` was asked for with the number that started.

    `accelerate launch --cpu --num_processes 2` starts one process without a word: a run would then be half as fast,
    and its effective batch half as large, as its record says. Returns the number of processes of this run.

    Raises:
        BioftError: fewer processes run than were asked for.
    """
    actual = int(os.environ.get("WORLD_SIZE", "1"))
    requested = requested_processes()
    if requested is not None and requested != actual:
        raise BioftError(
            f"`accelerate launch` was asked for {requested} processes but {actual} started. On CPU use "
            f"`torchrun --nproc_per_node {requested} <recipe> --use_cpu --ddp_backend gloo`; on GPUs give "
            "`--multi_gpu` or one of recipes/configs/accelerate/."
        )
    return actual


def requested_processes() -> int | None:
    """What the `accelerate launch` above this process was asked for; None if there is none, or it did not say."""
    for parent in psutil.Process().parents():
        try:
            command = parent.cmdline()
        except psutil.Error:
            continue
        if "launch" not in command or not any("accelerate" in part for part in command[: command.index("launch")]):
            continue
        options, _ = launch_command_parser().parse_known_args(command[command.index("launch") + 1 :])
        if options.num_processes is None and options.config_file is not None:
            options.num_processes = load_config_from_file(options.config_file).num_processes
        return None if options.num_processes is None else int(options.num_processes)
    return None
