"""Metrics as `evaluate.Metric` modules that work without a network, and intervals for them.

`evaluate` takes seconds to import, so nothing is imported before `load` is called.
"""

from typing import TYPE_CHECKING, Any

from bioft.errors import BioftError, suggestion

if TYPE_CHECKING:
    import evaluate

NAMES = ("gda", "entity_f1", "relation_f1", "alignment", "retrieval", "multilabel")
"""The metrics that `load` knows; each is a module of this package."""


def load(name: str, **options: Any) -> "evaluate.Metric":
    """Return the metric called ``name``, as `evaluate.load` would, but from this package: no network.

    ``options`` go to `evaluate.Metric` (``experiment_id``, ``num_process``, ``process_id``, …).

    Raises:
        BioftError: an unknown name.
    """
    if name not in NAMES:
        raise BioftError(f"There is no metric {name!r} in bioft. {suggestion(name, NAMES)}")

    import importlib

    import evaluate

    module = importlib.import_module(f"bioft.metrics.{name}")
    for member in vars(module).values():
        # The module's own class, not one that it imports.
        if isinstance(member, type) and issubclass(member, evaluate.Metric) and member.__module__ == module.__name__:
            return member(**options)
    raise BioftError(f"bioft.metrics.{name} defines no evaluate.Metric.")
