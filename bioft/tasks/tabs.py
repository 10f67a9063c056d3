"""What the tabs of tasks in the demo share. Their templates extend `status.html.j2`."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from markupsafe import Markup

from bioft.errors import BioftError

MODEL = {"concurrency_id": "model", "concurrency_limit": 1}
"""Options of every event that asks a model: one at a time, as a tokenizer must not be used by two threads at once."""
MAX_CHARACTERS = 20_000
"""Of a text that is typed in: some pages."""


def explained(function: Callable[..., str]) -> Callable[..., Any]:
    """Make a function that returns HTML show the message of a BioftError in its place."""

    @wraps(function)
    def wrapped(*values: Any) -> str:
        try:
            return function(*values)
        except BioftError as error:
            return message(str(error))

    return wrapped


def message(text: str) -> str:
    """A note to the reader as HTML."""
    return Markup('<div class="bioft" role="status"><div class="message">{}</div></div>').format(text)


def about_run(record: Mapping[str, Any]) -> str:
    """Which run a tab asks, as HTML."""
    told = f"Run {record['name']} of {record['recipe']}, trained on {record['base_model']['id']}"
    return Markup('<div class="bioft about">{}</div>').format(told)


def given(text: str | None) -> str:
    """A text that was typed in; BioftError if there is none."""
    if not (text or "").strip():
        raise BioftError("The text is empty. Type or paste one.")
    return str(text)
