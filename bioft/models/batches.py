"""Batches of inputs of like lengths, so that little of a batch is padding, computed in one process or in several."""

import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch

from bioft.errors import BioftError
from bioft.models import precision
from bioft.models.progress import track

Batch = TypeVar("Batch")
Result = TypeVar("Result")
CPU_BATCH_TOKENS, GPU_BATCH_TOKENS = 2048, 32768
"""Padded tokens in one forward pass. More fill a GPU; a processor is full already."""


def batches_by_length(lengths: Sequence[int], batch_tokens: int) -> list[list[int]]:
    """Indices in batches of like lengths, of at most `batch_tokens` padded tokens or of one input.

    The longest come first, so that memory runs out at once or never.
    """
    order = np.argsort([-length for length in lengths], kind="stable").tolist()
    batches: list[list[int]] = []
    for index in order:
        if not batches or (len(batches[-1]) + 1) * lengths[batches[-1][0]] > batch_tokens:
            batches.append([])
        batches[-1].append(index)
    return batches


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """Switch what is random in training off, such as dropout, for as long as it is needed."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


@torch.inference_mode()
def logits_of(
    model: Any, tokenizer: Any, inputs: Sequence[list[int]], progress: str | None = None
) -> list[np.ndarray]:
    """The logits of each input in float32, in their order: of a tagger (tokens, labels), of a classifier (labels,).

    Inputs are vocabulary ids with special tokens; `progress` is the text of a progress bar.
    """
    on_gpu = model.device.type != "cpu"
    batches = batches_by_length([len(ids) for ids in inputs], GPU_BATCH_TOKENS if on_gpu else CPU_BATCH_TOKENS)
    logits: list[np.ndarray] = [np.empty(0)] * len(inputs)
    with evaluating(model):
        rows = [[inputs[index] for index in batch] for batch in batches]
        for batch, found in zip(batches, computed(partial(_logits, model, tokenizer), rows, progress), strict=True):
            for index, values in zip(batch, found, strict=True):
                logits[index] = values
    return logits


def _logits(model: Any, tokenizer: Any, rows: list[list[int]]) -> list[np.ndarray]:
    # On the right, whatever the tokenizer says: encoders count positions from the left.
    padded = tokenizer.pad({"input_ids": rows}, padding_side="right", return_tensors="pt")
    found = model(**padded.to(model.device)).logits.float().cpu().numpy()
    values = (its[: len(ids)] if its.ndim == 2 else its for ids, its in zip(rows, found, strict=True))
    return [precision.checked(its, model) for its in values]


def computed(function: "partial[Result]", batches: Sequence[Batch], progress: str | None = None) -> Iterator[Result]:
    """What a function gives for each batch, in their order, without gradients; `progress` as of `logits_of`.

    Its first argument given is the model. Within `in_processes` it is sent to the processes, which then compute.
    BioftError: as `in_processes`.
    """
    results: Iterable[Result] = map(torch.inference_mode()(function), batches)
    if _processes is not None and len(batches) > 1:
        results = _processes.results(function, batches)
    for _, result in zip(track(batches, progress), results, strict=True):
        yield result


@contextmanager
def in_processes(number: int) -> Iterator[None]:
    """Let `computed` use so many processes, each with its part of this one's threads; they end with the context.

    Batches are the same as in one process, and so are the results. BioftError: the model is on a GPU or can't be sent
    to a process, or one of them ended.
    """
    global _processes
    _processes = _Processes(number)
    try:
        yield
    except BrokenProcessPool:
        raise BioftError(
            "One of the processes ended before its time, as where memory runs out. Ask with fewer --processes."
        ) from None
    finally:
        _processes.end()
        _processes = None


def check_one_process(why: str) -> None:
    """Raise BioftError within `in_processes`, for what can't be computed in several."""
    if _processes is not None:
        raise BioftError(f"{why}: leave out --processes.")


class _Processes:
    """Processes that hold one function at a time."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._function: partial[Any] | None = None
        self._pool: ProcessPoolExecutor | None = None

    def results(self, function: "partial[Result]", batches: Sequence[Batch]) -> Iterator[Result]:
        """As the function itself, by processes that begin where they hold another one."""
        if self._function is None or _parts(self._function) != _parts(function):
            self.end()
            if function.args[0].device.type != "cpu":
                check_one_process("One process fills a GPU")
            try:
                sent = pickle.dumps(function)
            except (pickle.PicklingError, AttributeError, TypeError):
                raise BioftError("This model can't be sent to other processes: leave out --processes.") from None
            threads = max(1, torch.get_num_threads() // self.number)
            context = multiprocessing.get_context("spawn")  # a copy of a process that computes may hang
            self._function = function
            self._pool = ProcessPoolExecutor(self.number, context, _begin, (sent, threads))
        assert self._pool is not None
        # They begin with the first batch. Ctrl-C reaches this process alone, which ends them.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return self._pool.map(_answer, batches)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def end(self) -> None:
        """Let what is being computed finish, and nothing else begin."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def _parts(function: "partial[Any]") -> list[int]:
    return list(map(id, (function.func, *function.args)))


_processes: _Processes | None = None
_function: Callable[[Any], Any]
"""In a process that `_Processes` began: what it computes."""


def _begin(sent: bytes, threads: int) -> None:
    global _function
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    _function = pickle.loads(sent)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _answer(batch: Any) -> Any:
    with torch.inference_mode():
        return _function(batch)
