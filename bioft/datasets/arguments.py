"""Options of every dataset that a recipe trains on."""

from collections.abc import Sequence
from dataclasses import dataclass, make_dataclass
from types import NoneType
from typing import Any, ClassVar, Literal, get_args, get_origin, get_type_hints

from bioft.datasets.load import SAID_ELSEWHERE
from bioft.datasets.options import argument, described
from bioft.task import Source


@dataclass
class DataArguments:
    """Which version of the data, and which split to evaluate on, whatever they are."""

    sources: ClassVar[tuple[Source, ...]] = ()
    """The datasets that a recipe builds itself, by their names; any other is a folder or on the Hub."""

    dataset_revision: str | None = argument(None, "Branch, tag or commit of a dataset on the Hub (by default main).")
    validation_only: bool = argument(
        False,
        "Evaluate on the validation split and use nothing of the test split, to choose between "
        "configurations; such a run can't be compared or published.",
    )


def with_own(source: Source) -> Any:
    """`DataArguments` with the options of what builds one's own data, each of which is None unless it is given.

    So `--dataset FILE` of a recipe takes the options that `bioft build` of that source takes.
    """
    build = source.builder()
    hints = get_type_hints(build)
    fields: list[Any] = []
    for name, about in described(build).items():
        if name not in ("paths", "train", "revision"):
            default = False if hints[name] is bool else None
            kind = bool if hints[name] is bool else _kind(hints[name])
            told = argument(default, about.help)
            fields.append((SAID_ELSEWHERE.get(name, name), kind, told))
    return make_dataclass("OwnDataArguments", fields, bases=(DataArguments,))


def _kind(hint: Any) -> Any:
    """What a parser of command lines makes of a hint: text, numbers, or a list of texts; or nothing."""
    parts = [each for each in get_args(hint) if each is not NoneType] if get_origin(hint) is not Literal else [str]
    if any(get_origin(each) is Sequence for each in (hint, *parts)):
        return list[str] | None
    kind = parts[0] if parts else hint
    return (kind if kind in (int, float) else str) | None
