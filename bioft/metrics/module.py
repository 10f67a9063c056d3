"""What the metric modules of this package share: each is an `evaluate.Metric` whose figures come with intervals."""

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any, ClassVar

import evaluate
from datasets import Dataset
from datasets.table import InMemoryTable

from bioft.metrics import TEXTS
from bioft.metrics.estimation import estimates


class MetricWithIntervals(evaluate.Metric, ABC):
    """An `evaluate.Metric` of which a module states the features, `texts.toml` the words, and `measure` the rest."""

    FEATURES: ClassVar[Any]
    writer: Any

    def _info(self) -> evaluate.MetricInfo:
        # `evaluate.load` gives a module a longer name, with the same end.
        about = TEXTS[type(self).__module__.rpartition(".")[2]]
        return evaluate.MetricInfo(
            description=about["description"],
            citation="".join(TEXTS["citations"][key] for key in about["citations"]),
            inputs_description="\n" + about["inputs"].replace("\nReturns:", f"{TEXTS['options']}\nReturns:"),
            features=self.FEATURES,
            reference_urls=about["reference_urls"],
        )

    def _finalize(self) -> None:
        if not self.keep_in_memory:
            super()._finalize()
            return
        # As `evaluate` does, but with a name: `datasets` would make one for a cache that nothing uses, of a hash of
        # all that it holds, which takes longer than most metrics.
        if self.writer is not None:
            self.writer.finalize()
        self.writer = None
        self.data = Dataset(InMemoryTable.from_buffer(self.buf_writer.getvalue()), fingerprint="metric")

    @abstractmethod
    def measure(self, predictions: Any, references: Any) -> estimates.Measured:
        """Return the metrics as estimates over examples; may take options of `compute`."""

    def _compute(self, predictions: Any, references: Any, **options: Any) -> dict[str, float]:
        ours = {name: options.pop(name) for name in ("groups", "confidence") if name in options}
        measured = self.measure(predictions, references, **options)
        return {**self.figures(measured, **ours), "n": measured.n}

    def figures(self, measured: estimates.Measured, groups: Any = None, **options: Any) -> dict[str, float]:
        """Return what was measured with intervals; `groups` has one value per example, or is a tuple of such."""
        kinds = () if groups is None else groups if isinstance(groups, tuple) else (groups,)
        return estimates.figures(replace(measured, groups=kinds), **options)
