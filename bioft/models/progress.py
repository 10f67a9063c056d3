"""What a long computation says of itself on stderr: its stage, how far it is, and how long it will still take.

A terminal gets a bar; a file gets no bar, and a line every 30 seconds at most. Of several processes the first speaks.
"""

import json
import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import ClassVar, Self, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bioft.errors import BioftError
from bioft.storage.files import cache_directory, write_json

Item = TypeVar("Item")
STAGES = (
    "reading the data",
    "fitting the baselines",
    "scoring the base model",
    "preparing the training",
    "training",
    "scoring the fine-tuned model",
    "measuring and recording",
)
"""Of every recipe, in order."""
MEASURED = frozenset({3, 5, 6})
"""Stages whose work is counted: the first of it says how long the rest will take, and is waited for with the name.

The others are told by what they took in the last run of the same command here, before the first by `USUALLY`."""
USUALLY = "usually a few seconds"
"""Of the defaults of entities and of pairs none of them takes ten on two cores; large data take longer."""
TIMES, MOST_RUNS = "stage_seconds.json", 100
"""Of the cache: seconds of stages by command, of so many commands."""
LINE_SECONDS, ESTIMATE_SECONDS, WORTH_SAYING_SECONDS = 30, 2, 10
"""Between two lines; of work before how long it takes is told from it; shorter work of a stage is not told."""


class _Now:
    """What this process is at."""

    stage = ""
    pending = False
    """Whether the stage is still to be named, with its estimate."""
    step = ""
    command = ""
    """What is run, to know it again."""
    number, begun = 0, 0.0
    took: ClassVar[dict[str, float]] = {}
    """Seconds of the stages that have ended, by number."""
    last: ClassVar[dict[str, float]] = {}
    """The same of the last run."""
    bars: ClassVar[list[Progress]] = []
    """Those that a terminal shows now."""


def stage(number: int) -> None:
    """Name a stage of a recipe, from 1, with its place among all of them."""
    _name_pending()
    _note_seconds()
    _Now.number, _Now.begun = number, time.monotonic()
    _Now.stage, _Now.step = f"{number}/{len(STAGES)} {STAGES[number - 1]}", ""
    _Now.pending = number in MEASURED
    if not _Now.pending:
        last = _Now.last.get(str(number))
        _print(f"{_Now.stage}, {USUALLY if last is None else duration(last)}")


def begin(command: str) -> None:
    """A run of stages begins, which a command names that may have been run before."""
    _Now.command, _Now.number, _Now.took = command, 0, {}
    _Now.last = _times().get(command, {})


def finished() -> None:
    """The last stage has ended: keep how long each took for the next run of the command."""
    _note_seconds()
    if _Now.command and _speaks():
        others = {command: its for command, its in _times().items() if command != _Now.command}
        kept = dict([*others.items()][1 - MOST_RUNS :]) | {_Now.command: _Now.took}
        with suppress(OSError, BioftError):  # a run is no worse without
            cache_directory().mkdir(parents=True, exist_ok=True)
            write_json(cache_directory() / TIMES, kept)


def _note_seconds() -> None:
    if _Now.number:
        _Now.took[str(_Now.number)] = round(time.monotonic() - _Now.begun, 1)
    _Now.number = 0


def _times() -> dict[str, dict[str, float]]:
    try:
        found = json.loads((cache_directory() / TIMES).read_text(encoding="utf-8"))
        return {str(name): {key: float(its) for key, its in took.items()} for name, took in found.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def end() -> None:
    """There is no stage any more, and no bar, also where something went wrong."""
    _Now.pending, _Now.number = False, 0
    while _Now.bars:
        _Now.bars.pop().stop()
    _Now.stage = _Now.step = ""


def where() -> str:
    """Where this process is, for somebody who stops it: "5/7 training, step 40 of 120", or nothing outside stages."""
    return ", ".join(filter(None, (_Now.stage, _Now.step)))


def say(line: str) -> None:
    """Say a line on stderr, after the name of the stage that it belongs to."""
    _name_pending()
    _print(line)


class Work:
    """A number of steps of work, to be closed at its end, as by `with`; a name of None says nothing."""

    def __init__(self, name: str | None, total: int, done: int = 0, *, unit: str = "", bar: bool = True) -> None:
        """`done` steps of `total` are done already; `unit` is what a line calls a step ("step ").

        With a total of 0 nothing can be counted: the stage is named at once.
        """
        if not total and name is not None:
            _name_pending()
        self.name, self.total, self.done, self.unit = name, total, done, unit
        self.aside = 0.0
        """Seconds that went into something else than steps, such as validation."""
        self.found = ""
        """What is known by now, for the lines: "loss 0.412"."""
        self._first, self._begun = done, time.monotonic()
        self._warm = False
        """Whether the first step is done, which tells nothing of the rest: it has the longest texts, and warms up."""
        self._last_line, self._estimated = self._begun, False
        self._silent = name is None or not _speaks()
        console = Console(stderr=True)
        self._bar = None
        if bar and not self._silent and console.is_terminal:
            _name_pending()
            columns = (TextColumn("{task.description}"), BarColumn(20), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=console, transient=True)
            self._task = self._bar.add_task(name or _Now.stage, total=total or None, completed=done)
            self._bar.start()
            _Now.bars.append(self._bar)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Take the bar away."""
        if self._bar in _Now.bars:
            _Now.bars.remove(self._bar)
            self._bar.stop()

    def advance(self, steps: int = 1) -> None:
        """So many more steps are done."""
        self.done += steps
        if self.unit:
            _Now.step = f"{self.unit}{self.done} of {self.total}"
            if not self._warm and self.done < self.total:
                self._warm, self._first, self._begun = True, self.done, time.monotonic()
        if self._silent:
            return
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done)
        now = time.monotonic()
        if now - self._begun >= ESTIMATE_SECONDS or self.done >= self.total:
            self.estimate()
        due = now - self._last_line >= LINE_SECONDS and self.done < self.total
        if due and (self._bar is None or self.found):
            self._last_line = now
            self._say_line(f"{duration(self._seconds_a_step() * (self.total - self.done))} left")

    def finish(self) -> None:
        """Say what is known at the end."""
        self.estimate()
        if not self._silent and self.found:
            self._say_line()

    def _say_line(self, left: str = "") -> None:
        pace = f"{self._seconds_a_step(self.aside):.2g} s a step" if self.unit and self.done > self._first else ""
        place = f"{self.name}: " if self.name and not self.unit else ""
        words = ", ".join(filter(None, (self.found, pace, left)))
        say(f"    {place}{self.unit}{self.done:,} of {self.total:,}{': ' if self.unit else ', '}{words}")

    def _seconds_a_step(self, aside: float = 0) -> float:
        return (self.seconds() - aside) / max(1, self.done - self._first)

    def seconds(self) -> float:
        """Since its begin."""
        return time.monotonic() - self._begun

    def estimate(self) -> None:
        """Say, once, how long all of it takes, as far as can be told from what is done."""
        if self._silent or self._estimated or self.done == self._first:
            return
        self._estimated = True
        seconds = self._seconds_a_step() * (self.total - self._first)
        if _Now.pending:
            _Now.pending = False
            _print(", ".join(filter(None, (_Now.stage, self.name, duration(seconds)))))
        elif seconds >= WORTH_SAYING_SECONDS and self._bar is None:
            say(f"    {self.name or _Now.stage}, {duration(seconds)}")


def track(items: Sequence[Item], name: str | None) -> Iterator[Item]:
    """The items in turn, and how far they are; nothing is said without a name, which may be empty within a stage."""
    with Work(name, len(items)) as work:
        for item in items:
            yield item
            work.advance()


class Lines(logging.Handler):
    """What is logged, each message as a line that `say` says."""

    def emit(self, record: logging.LogRecord) -> None:
        """Say what the message says."""
        say(self.format(record))


def duration(seconds: float) -> str:
    """Some seconds in words that claim no more than an estimate can: "about 5 minutes"."""
    if seconds < 10:
        return "a few seconds"
    if seconds < 45:
        return f"about {round(seconds, -1):.0f} seconds"
    if seconds < 90:
        return "about 1 minute"
    return f"about {seconds / 60:.0f} minutes" if seconds < 5400 else f"about {seconds / 3600:.0f} hours"


def _speaks() -> bool:
    return os.environ.get("RANK", "0") == "0"


def _print(line: str) -> None:
    if _speaks():
        console = Console(stderr=True, markup=False, highlight=False)
        console.print(line, soft_wrap=not console.is_terminal)


def _name_pending() -> None:
    if _Now.pending:
        _Now.pending = False
        _print(_Now.stage)
