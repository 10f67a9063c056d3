"""What long work says of itself: stages with estimates, a line every 30 seconds at most, bars on terminals alone."""

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest

from bioft.models import progress


class Clock:
    """Seconds that go by when the test says so."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    # What a run of another test took is none of these.
    monkeypatch.setattr(progress._Now, "last", {})
    yield clock
    progress.end()


def test_a_measured_stage_is_named_with_its_estimate(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """Once, when two seconds of work have shown how fast it is; others are named at once."""
    progress.stage(2)
    assert capsys.readouterr().err == "2/7 fitting the baselines, usually a few seconds\n"
    progress.stage(3)
    for _ in progress.track(range(60), ""):
        clock.now += 1
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["3/7 scoring the base model, about 1 minute", "    30 of 60, about 30 seconds left"]


def test_a_stage_that_is_not_counted_is_told_by_the_last_run(
    clock: Clock, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the same command, as far as that came; a file that is none, or can't be written, is as if there were none."""
    monkeypatch.setenv("BIOFT_CACHE", str(tmp_path / "cache"))
    usual = "1/7 reading the data, usually a few seconds\n"
    for expected in (f"{usual}2/7 fitting the baselines, usually a few seconds\n",
                     "1/7 reading the data, about 1 minute\n2/7 fitting the baselines, a few seconds\n"):  # fmt: skip
        progress.begin("mlm config=a.yaml")
        for number, seconds in ((1, 60), (2, 3)):
            progress.stage(number)
            clock.now += seconds
        progress.finished()
        assert capsys.readouterr().err == expected
    progress.begin("mlm config=b.yaml")
    progress.stage(1)
    progress.end()  # it failed
    assert capsys.readouterr().err == usual
    kept = tmp_path / "cache" / progress.TIMES
    assert json.loads(kept.read_text()) == {"mlm config=a.yaml": {"1": 60, "2": 3}}
    kept.write_text("[1]")
    monkeypatch.setattr(progress, "write_json", Mock(side_effect=PermissionError))
    progress.begin("mlm config=a.yaml")
    progress.stage(1)
    progress.finished()
    assert capsys.readouterr().err == usual


def test_a_file_gets_a_line_every_30_seconds_at_most(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """How long a training takes is not told from its first step, which warms up and has the longest texts."""
    progress.stage(5)
    with progress.Work("1,000 steps", 1000, unit="step ") as work:
        for step in range(1000):
            clock.now += 0.5 if step else 20
            work.found = "loss 0.412"
            work.advance()
        work.finish()
    first, *lines = capsys.readouterr().err.splitlines()
    assert first == "5/7 training, 1,000 steps, about 8 minutes"
    assert len(lines) == 519 / progress.LINE_SECONDS // 1 + 1
    assert lines[0] == "    step 21 of 1,000: loss 0.412, 0.5 s a step, about 8 minutes left"
    assert lines[-1] == "    step 1,000 of 1,000: loss 0.412, 0.5 s a step"
    assert progress.where() == "5/7 training, step 1000 of 1000"


def test_work_in_no_stage_is_told_only_where_it_is_long(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    for seconds, expected in ((0.1, []), (2, ["    Scoring, about 20 seconds"])):
        for _ in progress.track(range(10), "Scoring"):
            clock.now += seconds
        assert capsys.readouterr().err.splitlines() == expected
    for _ in progress.track(range(100), None):
        clock.now += 60
    assert capsys.readouterr().err == ""


def test_only_the_first_process_speaks(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RANK", "1")
    progress.stage(1)
    for _ in progress.track(range(3), "validation"):
        clock.now += 60
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar_that_goes_away_also_where_work_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    work = progress.Work("validation", 4)
    work.advance()
    progress.end()
    shown = terminal.getvalue()
    assert "validation" in shown and "━" in shown
    assert shown.endswith("\x1b[?25h") or "\x1b[?25h" in shown, "the cursor is shown again"
    work.close()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "a few seconds"), (14, "about 10 seconds"), (61, "about 1 minute"), (500, "about 8 minutes"),
     (10_000, "about 3 hours")],
)  # fmt: skip
def test_durations_claim_no_more_than_an_estimate_can(seconds: float, words: str) -> None:
    assert progress.duration(seconds) == words
