"""What `test_processes.py` asks other processes for: they import this, and so little that they begin soon."""

import os
import signal
from types import SimpleNamespace

import torch

from bioft.errors import BioftError

MODEL = SimpleNamespace(device=torch.device("cpu"))


def told(model: object, number: int) -> tuple[int, int, int, bool]:
    os.kill(os.getpid(), signal.SIGINT)  # which a terminal sends to all of them
    return number, os.getpid(), torch.get_num_threads(), torch.is_inference_mode_enabled()


def failing(model: object, number: int) -> int:
    if number == 1:
        raise BioftError("Text 1 can't be read.")
    return number


def killed(model: object, number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number
