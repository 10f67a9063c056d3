"""Questions that wait are answered in batches, each by its own rows."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bioft.errors import BioftError
from bioft.serve.batches import Batches, TooBusyError


class Model:
    """Answers numbers, notes what it was asked at once, and does nothing before it is let go."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.free = threading.Event()

    def __call__(self, rows: Sequence[Any]) -> list[dict[str, Any]]:
        self.free.wait(60)
        self.calls.append(list(rows))
        if -1 in rows:
            raise BioftError("Row of no use.")
        return [{"twice": 2 * row} for row in rows]


def test_what_waits_is_answered_together_up_to_a_batch() -> None:
    model = Model()
    with ThreadPoolExecutor(1) as thread:
        batches = Batches(model, thread, most_rows=4)
        thread.submit(model.free.wait, 60)
        asked = [batches.ask(rows) for rows in ([1], [2, 3], [4, 5], [6, 7, 8, 9, 10])]
        model.free.set()
        answers = [[each["twice"] for each in one.result(60)] for one in asked]
    assert answers == [[2], [4, 6], [8, 10], [12, 14, 16, 18, 20]]
    assert model.calls == [[1, 2, 3], [4, 5], [6, 7, 8, 9, 10]]


def test_a_bad_question_fails_alone_and_one_that_was_given_up_is_not_answered() -> None:
    model = Model()
    with ThreadPoolExecutor(1) as thread:
        batches = Batches(model, thread, most_rows=9)
        thread.submit(model.free.wait, 60)
        good, bad, given_up, other = (batches.ask(rows) for rows in ([1], [2, -1], [3], [4]))
        assert given_up.cancel()
        model.free.set()
        assert good.result(60) == [{"twice": 2}] and other.result(60) == [{"twice": 8}]
        with pytest.raises(BioftError, match="of no use"):
            bad.result(60)
    assert all(3 not in call for call in model.calls)


def test_only_so_many_may_wait() -> None:
    model = Model()
    with ThreadPoolExecutor(1) as thread:
        batches = Batches(model, thread, most_rows=9, most_waiting=2)
        thread.submit(model.free.wait, 60)
        asked = [batches.ask([1]), batches.ask([2])]
        with pytest.raises(TooBusyError, match="2 requests are waiting"):
            batches.ask([3])
        model.free.set()
        assert [one.result(60) for one in asked] == [[{"twice": 2}], [{"twice": 4}]]
        assert batches.ask([3]).result(60) == [{"twice": 6}]
