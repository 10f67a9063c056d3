"""Questions that arrive together are answered together, by the one thread that uses the model."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from typing import Any

from bioft.errors import BioftError

Answer = dict[str, Any]


class TooBusyError(BioftError):
    """More questions are waiting than will be answered soon."""


class Batches:
    """The questions that wait for a model, at most `most_waiting`, and the model.

    `answer` is what answers rows, as a task's `ask.load` returns it; it is called in `thread`, an executor of one
    thread, with up to `most_rows` of several questions at once; one question may have as many.
    """

    def __init__(
        self, answer: Callable[[Sequence[Any]], list[Answer]], thread: Executor, most_rows: int, most_waiting: int = 64
    ) -> None:
        self._answer, self._thread = answer, thread
        self._most_rows, self._most_waiting = most_rows, most_waiting
        self._waiting: deque[tuple[Sequence[Any], Future[list[Answer]]]] = deque()

    def ask(self, rows: Sequence[Any]) -> "Future[list[Answer]]":
        """Put a question in line; its result are the answers in order. TooBusyError: too many are waiting already."""
        if len(self._waiting) >= self._most_waiting:
            raise TooBusyError(f"{self._most_waiting} requests are waiting already. Try again in a moment.")
        asked: Future[list[Answer]] = Future()
        self._waiting.append((rows, asked))
        self._thread.submit(self._answer_waiting)
        return asked

    def _answer_waiting(self) -> None:
        """Answer what waits, up to a batch. Each question calls this: those after a batch may find nothing left."""
        batch: list[tuple[Sequence[Any], Future[list[Answer]]]] = []
        n = 0
        while self._waiting and (not batch or n + len(self._waiting[0][0]) <= self._most_rows):
            rows, asked = self._waiting.popleft()
            if asked.set_running_or_notify_cancel():
                batch.append((rows, asked))
                n += len(rows)
        if len(batch) > 1:
            try:
                answers = iter(self._answer([row for rows, _ in batch for row in rows]))
            except Exception:
                pass  # a row of one question must not fail the others: each is asked alone
            else:
                for rows, asked in batch:
                    asked.set_result([next(answers) for _ in rows])
                return
        for rows, asked in batch:
            try:
                asked.set_result(self._answer(rows))
            except Exception as error:
                asked.set_exception(error)
