"""Metrics as `evaluate.Metric` modules that work without a network, and intervals for them.

`evaluate` takes seconds to import, so nothing is imported before `load` is called.
"""

import tempfile
import tomllib
from importlib import resources
from typing import TYPE_CHECKING, Any

from bioft.errors import BioftError, suggestion

if TYPE_CHECKING:
    import evaluate

TEXTS: dict[str, Any] = tomllib.loads(resources.files(__name__).joinpath("texts.toml").read_text(encoding="utf-8"))
"""What `texts.toml` says: of each metric, of measures and of works cited."""
WORDS: dict[str, list[str]] = TEXTS["measures"]
"""By measure the Hub's name (that of the `evaluate` module, where there is one) and words."""


def names() -> list[str]:
    """The metrics that `load` knows: each is a module of this package and an entry of `texts.toml`."""
    return [name for name, its in TEXTS.items() if isinstance(its, dict) and "description" in its]


def load(name: str, **options: Any) -> "evaluate.Metric":
    """Return the metric called ``name``, as `evaluate.load` would, but from this package: no network.

    ``options`` go to `evaluate.Metric` (``experiment_id``, ``num_process``, ``process_id``, …). BioftError: an unknown
    name.
    """
    if name not in names():
        raise BioftError(f"There is no metric {name!r} in bioft. {suggestion(name, names())}")

    import importlib

    import evaluate

    module = importlib.import_module(f"bioft.metrics.{name}")
    # The module's own class, not one that it imports.
    own = [its for its in vars(module).values() if isinstance(its, type) and its.__module__ == module.__name__]
    metric = next(member for member in own if issubclass(member, evaluate.Metric))
    # One process needs no files, which a home that is read-only could not take after a long training.
    options = {"keep_in_memory": options.get("num_process", 1) == 1} | options
    try:
        return metric(**options)
    except OSError:
        return metric(**{"cache_dir": tempfile.gettempdir()} | options)
