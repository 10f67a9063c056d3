"""What `bioft predict` was asked: every task's `ask` takes what it can answer of it, and says which that is."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

from rich.console import Console
from rich.text import Text

from bioft.errors import BioftError
from bioft.storage.files import check_new_file
from bioft.storage.json_text import without_halves


class QuestionError(BioftError):
    """What was asked is incomplete, or a question for another kind of run."""


@dataclass(frozen=True)
class Asked:
    """The options of `bioft predict`, as they were given."""

    text: str | None = None
    gene: str | None = None
    disease: str | None = None
    nct_id: Sequence[str] = ()
    link: Any = None
    """A `bioft.tasks.name_alignment.linking.Linker`."""
    input: Path | None = None
    output: Path | None = None
    html: Path | None = None
    combined: bool = False
    skip_bad: bool = False
    batch_size: int | None = None
    overwrite: bool = False
    processes: int = 1

    def __post_init__(self) -> None:
        """Replace halves of characters, which Python makes of bytes of a command line that are not UTF-8."""
        for name in ("text", "gene", "disease"):
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, without_halves(value))

    def given(self) -> list[str]:
        """The names of the options that were given, as on the command line."""
        return [
            f"--{each.name.replace('_', '-')}" for each in fields(self) if getattr(self, each.name) != each.default
        ]

    def check_output(self, output: Path) -> None:
        """Raise BioftError where a file may not be written: see `bioft.storage.files.check_new_file`."""
        check_new_file(output, self.input, self.overwrite)


@dataclass
class Row:
    """A row of what `bioft serve` is asked: every task's `ask` has one, and `load`, which gives what answers it."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        """Refuse names and texts that are blank: ValueError, as pydantic takes it."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        if blank := [name for name, value in values.items() if isinstance(value, str) and not value.strip()]:
            raise ValueError(f"{blank[0]} is empty")


def in_words(problem: Mapping[str, Any], place: Sequence[Any]) -> str:
    """One thing that pydantic found wrong in rows, in one sentence: "rows.1.text: field required."."""
    message = problem["msg"].removeprefix("Value error, ")
    where = ".".join(map(str, place))
    return f"{where}: {message[:1].lower()}{message[1:]}." if where else f"{message[:1].upper()}{message[1:]}."


def places_apart(first: float, second: float, places: int) -> int:
    """How many decimals show which of two numbers is larger: `places`, or more where these round to the same."""
    return next((each for each in range(places, 10) if f"{first:.{each}f}" != f"{second:.{each}f}"), places)


def tell(message: str) -> None:
    """Say on standard error what is not an answer."""
    print(message, file=sys.stderr)


def tell_left_out(messages: Iterable[str]) -> None:
    """Say on standard error what was left out of the input."""
    for message in messages:
        Console(stderr=True, markup=False).print(Text(f"Left out: {message}", style="yellow"), soft_wrap=True)
