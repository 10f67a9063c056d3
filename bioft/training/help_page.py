"""The help of a recipe on two screens, of what `recipe_help` finds of its options.

What it finds of bioft's own recipes is kept in `help.json`: the classes that hold the options take seconds to import.
`python -m tests.recipe` writes it, and a test compares it.
"""

import json
import shutil
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bioft.storage import yaml_config

KEPT = Path(__file__).with_name("help.json")
NARROW = 60
"""Columns below which a text stands under its option."""


def kept(recipe: str, config: Path) -> str:
    """The help of a recipe of bioft with the values of a preset, a YAML file.

    BioftError: as `yaml_config.load_config`.
    """
    values = yaml_config.load_config(config)
    shown = [
        (title, [(name, text, values.get(name, value)) for name, text, value in options])
        for title, options in json.loads(KEPT.read_text(encoding="utf-8"))[recipe]
    ]
    return page(usage_of(recipe), presets_beside(config), shown)


def usage_of(recipe: str) -> str:
    """How a recipe is called."""
    return f"bioft train {recipe} [PRESET] [--key value …]"


def presets_beside(config: Path) -> str:
    """The names of a preset and of the others in its folder."""
    return ", ".join(sorted(path.stem for path in config.parent.glob("*.yaml")))


def page(usage: str, known: str, sections: Sequence[tuple[str, Sequence[tuple[str, str, Any]]]]) -> str:
    """The help with a line for each option: what it is for is cut between words, its default is whole.

    `known` are the names of presets; a section has a title and options, each with its name, what it is for, and its
    default. Of a section without options the title is a text to be shown.
    """
    width = min(shutil.get_terminal_size().columns, 120)
    column = max(len(name) for _, options in sections for name, *_ in options) + 6
    lines = [*textwrap.wrap(f"Usage: {usage}", width), *textwrap.wrap(f"Presets: {known}", width)]
    for title, options in sections:
        lines += [] if options else [""]
        lines += textwrap.wrap(f"{title}{':' * bool(options)}", width) if title else [""]
        for name, text, value in options:
            option, default = f"  --{name}", _shown(value)
            start = [f"{option:<{column}}"] if width >= NARROW else [option, " " * 6]
            start[-1] += (
                textwrap.shorten(text, max(width - len(start[-1]) - len(default), 1), placeholder="…") + default
            )
            lines += start
    return "\n".join(line if len(line) <= width else f"{line[: width - 1]}…" for line in lines) + "\n"


def _shown(value: Any) -> str:
    value = " ".join(map(str, value)) if isinstance(value, list) else value
    return "" if value is False or value in (None, "") else f" [{value}]"
