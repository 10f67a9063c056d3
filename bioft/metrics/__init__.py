"""Metrics as `evaluate.Metric` modules that work without a network, and intervals for them.

`evaluate` takes seconds to import, so nothing is imported before `load` is called.
"""

from typing import TYPE_CHECKING, Any

from bioft.errors import BioftError, suggestion

if TYPE_CHECKING:
    import evaluate

_F1 = {"f1": ("f1", "F1"), "precision": ("precision", "precision"), "recall": ("recall", "recall")}
_ACCURACY = {"accuracy": ("accuracy", "accuracy")}
_ECE = {"ece": ("expected_calibration_error", "ECE")}
_AREAS = {"auroc": ("roc_auc", "AUROC"), "auprc": ("average_precision", "AUPRC")}
MEASURES: dict[str, dict[str, tuple[str, str]]] = {
    "gda": {**_ACCURACY, **_F1, **_AREAS, **_ECE, "mcc": ("matthews_correlation", "MCC")},
    "entity_f1": _F1,
    "relation_f1": _F1,
    "alignment": {
        **_ACCURACY,
        **_F1,
        **_ECE,
        "coverage_at_95_precision": ("coverage_at_95_precision", "coverage at 95 % precision"),
    },
    "retrieval": {
        "ndcg_at_10": ("ndcg_at_10", "nDCG@10"),
        "mrr_at_10": ("mrr_at_10", "MRR@10"),
        "recall_at_10": ("recall_at_10", "recall@10"),
        "recall_at_100": ("recall_at_100", "recall@100"),
        "map": ("map", "MAP"),
    },
    "multilabel": {**_ACCURACY, **_F1, **_AREAS},
}
"""By metric, each a module of this package, its measures with the Hub's names for them (those of the `evaluate`
modules, where there is one) and words. A group may stand before a measure: "chemical_f1", "macro_recall"."""
NAMES = tuple(MEASURES)
"""The metrics that `load` knows."""
WORDS = {measure: words for its in MEASURES.values() for measure, words in its.items()} | {
    "masked_accuracy": ("masked_accuracy", "accuracy on hidden tokens"),
    "perplexity": ("perplexity", "perplexity of hidden tokens"),
}
"""By measure, also of what masked language models are measured by, the Hub's name and words."""


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
    # The module's own class, not one that it imports.
    own = [its for its in vars(module).values() if isinstance(its, type) and its.__module__ == module.__name__]
    return next(member for member in own if issubclass(member, evaluate.Metric))(**options)
