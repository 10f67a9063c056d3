"""Dataset builders: one module per source, each with a function build(...). `sources.toml` lists them."""

import tomllib
from functools import cache
from importlib import resources
from typing import Any

from bioft.task import Source


@cache
def data(file: str, package: str = __name__) -> dict[str, Any]:
    """What a file of TOML beside the code of a package says."""
    return tomllib.loads(resources.files(package).joinpath(file).read_text(encoding="utf-8"))


def sources(*names: str) -> tuple[Source, ...]:
    """Sources by their names in `sources.toml`."""
    told = ({**data("sources.toml")[name]} for name in names)
    return tuple(
        Source(name, columns=tuple(its.pop("columns", ())), **its) for name, its in zip(names, told, strict=True)
    )


def corpus(name: str) -> tuple[str, str, str, dict[str, str]]:
    """The address, terms, citation and licence of what data come from, as `corpora.toml` has them."""
    its = data("corpora.toml")[name]
    return its["url"], its["terms"], its["citation"], its.get("license", {})
