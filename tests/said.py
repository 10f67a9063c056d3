"""All that a recipe says: kept while it runs in the process of a test, and told apart from what libraries say."""

import io
import logging
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TextIO

TIME = r"(a few seconds|about \d+ \w+)"
KNOWN = [
    # Stages, and how far the longer ones are.
    rf"[1-7]/7 [a-z -]+(, validation|, test|, [\d,]+ steps|, steps [\d,]+ to [\d,]+)?(, (usually )?{TIME})?",
    rf"    \w+(, random negatives)?, {TIME}",
    r"    step [\d,]+ of [\d,]+: ((validation )?[\w ,@-]+ -?\d+\.\d{3}, )*[\d.e+-]+ s a step(, .* left)?",
    rf"    \w+(, random negatives)?: [\d,]+ of [\d,]+, {TIME} left",
    # What it works with.
    r"Base model \S+, from .* \((torch\.)?\w+(, NF4)?\)",
    r"Dataset .*, built by .*",
    r"(The threshold is|Thresholds are|The thresholds? of) .*: validation has .*",
    r"\S+ has no head for masked tokens: a new one, tied to its embeddings, is trained\.",
    r"Prompts give context \(context\.json\): .*\.",
    r"The model and the namespaces .*|Reading the [\d,]+ names of the namespace once.*",
    r"Texts are cut at their end where they do not fit .* tokens with a question: .*\.",
    r"\w+ can't read a text once for several questions: each gets the text of its own, which takes longer\.",
    r"Mining negatives among [\d,]+ texts",
    r"\w+ learns from the scores of pairs: no negatives are mined\.",
    # What was found.
    r"The fine-tuned model (is significantly|does not differ) .* \(paired test.*n = [\d,]+\)\.",
    r"To all baselines together the model adds .*\.",
    r"Random negatives: against pairs drawn at random, .*",
    r"Has the base model read the data\? .*\.",
    r"Accuracy on hidden tokens of held-out texts: .*\.",
    r"[\d,]+ of [\d,]+ test texts have a near neighbour in training \(.*\)\..*",
    r"[\w ,]+: \S+, against \S+ of the run .*\.",
    r"These figures rest on .*",
    # A table: its title, its rule, its headings and rows, whose columns are three spaces apart.
    r" +(Test split, n = .* intervals|Test pairs with scores, n = .* intervals|Outcomes by type|By .*) *",
    r" ─+ *",
    r"  \S.*(  +(\S.*)?)",
    r" *",
    r"Run recorded in .*",
    r"Next:",
    r"  bioft (predict|align|verify|analyze|push-adapter) .*",
]
"""The lines that bioft chose to print."""
_SAID: dict[Path, str] = {}


def said(directory: Path) -> str:
    """All that the last run of a recipe into this directory said on stdout and stderr."""
    return _SAID[directory]


def unknown_lines(text: str) -> list[str]:
    """The lines that bioft did not choose to print."""
    # A carriage return and an escape code are of a bar that draws over itself.
    return [line for line in re.split(r"[\n\r]", text) if not any(re.fullmatch(known, line) for known in KNOWN)]


def check(directory: Path) -> None:
    """Assert that a recipe said nothing but what bioft chose to print: each stage in turn, and three next commands."""
    text = said(directory)
    assert unknown_lines(text) == []
    assert re.findall(r"^(\d)/7 ", text, re.MULTILINE) == list("1234567")
    assert len(re.findall(rf"^  bioft .*{re.escape(str(directory))}", text, re.MULTILINE)) == 3


@contextmanager
def keeping(directory: Path) -> Iterator[None]:
    """Keep what is said meanwhile for `said`, as a user of the recipe would see it; tests see it too."""
    kept = io.StringIO()
    handler = logging.StreamHandler(kept)
    handler.setFormatter(logging.Formatter("%(message)s"))
    # Loggers that do not hand on what they are told, and the root of all others.
    loggers = [logging.getLogger(name) for name in ("", "transformers", "datasets", "huggingface_hub", "optuna")]
    loggers = [logger for logger in loggers if not logger.parent or not logger.propagate]
    ours = logging.getLogger("bioft")
    level = ours.level
    for logger in loggers:
        logger.addHandler(handler)
    ours.setLevel(logging.INFO)
    try:
        with redirect_stdout(_Both(sys.stdout, kept)), redirect_stderr(_Both(sys.stderr, kept)), _as_users_see():
            yield
    finally:
        ours.setLevel(level)
        for logger in loggers:
            logger.removeHandler(handler)
        _SAID[directory] = kept.getvalue()


@contextmanager
def _as_users_see() -> Iterator[None]:
    """Warnings that Python shows outside of tests go to stderr."""
    with warnings.catch_warnings():
        warnings.resetwarnings()
        for kind in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
            warnings.simplefilter("ignore", kind)
        warnings.showwarning = lambda message, kind, name, line, *_: print(  # type: ignore[assignment]
            warnings.formatwarning(message, kind, name, line), file=sys.stderr
        )
        yield


class _Both(io.TextIOBase):
    """A stream that writes to two, and is no terminal."""

    def __init__(self, first: TextIO, second: TextIO) -> None:
        self.streams = first, second

    def write(self, text: str) -> int:
        for stream in self.streams:
            stream.write(text)
        return len(text)

    def flush(self) -> None:
        for stream in self.streams:
            stream.flush()
