"""A configuration in YAML, read with messages that name the file and the line."""

import math
from pathlib import Path
from typing import Any

import yaml

from bioft.errors import BioftError

MOST_VALUES = 100_000
"""Of a configuration."""


def load_config(path: Path) -> dict[str, Any]:
    """Read a YAML configuration into a dict.

    BioftError: when the file is missing, is not UTF-8, is not valid YAML (with line and column), is not a mapping, or
    names a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BioftError(f"Configuration file {path} does not exist.") from None
    except IsADirectoryError:
        raise BioftError(f"{path} is a folder, not a YAML configuration file.") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise BioftError(f"{path}, line {line}: not valid UTF-8. Save the file as UTF-8.") from None
    try:
        _check_size(text)
        lines: dict[str, int] = {}
        for key, line in key_lines(text):
            if key in lines:
                raise BioftError(
                    f"{path}, line {line}: the key {key!r} was set on line {lines[key]} already. Keep one."
                )
            lines[key] = line
        config = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise BioftError(f"{path}{where}: not valid YAML: {error.problem or error.context}.") from None
    except yaml.YAMLError as error:
        raise BioftError(f"{path}: not valid YAML: {error}.") from None
    except RecursionError:
        raise BioftError(f"{path}: its values are nested too deeply.") from None
    if config is None:
        return {}
    if not isinstance(config, dict):
        raise BioftError(f"{path}: expected lines of the form `key: value`, found a {type(config).__name__}.")
    return config


def _check_size(text: str) -> None:
    """Raise YAMLError for a text whose anchors, by which a few lines can name billions of values, hold too much."""
    sizes: dict[int, float] = {}

    def size(node: yaml.Node) -> float:
        if id(node) not in sizes:
            sizes[id(node)] = math.inf  # of one that holds itself
            parts = node.value if isinstance(node, yaml.CollectionNode) else []
            each = [one for part in parts for one in (part if isinstance(part, tuple) else (part,))]
            sizes[id(node)] = 1 + sum(map(size, each))
        return sizes[id(node)]

    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if root is not None and size(root) > MOST_VALUES:
        raise yaml.YAMLError(f"its anchors make more than {MOST_VALUES:,} values of it")


def key_lines(text: str) -> list[tuple[str, int]]:
    """Return the top-level keys of a YAML text with their line numbers, counted from 1."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        return []
    return [(str(key.value), key.start_mark.line + 1) for key, _ in root.value]
