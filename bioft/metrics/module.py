"""What the metric modules of this package share: each is an `evaluate.Metric` whose figures come with intervals."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import evaluate

from bioft.metrics import bootstrap

_RESAMPLING = """\
    n_resamples: bootstrap resamples. Default 1000; 0 leaves the intervals out.
    seed: of the resampling. Default 0.
    confidence: of the intervals. Default 0.95.
"""


class BootstrappedMetric(evaluate.Metric, ABC):
    """An `evaluate.Metric` of which a module states texts and features (`ABOUT`), and what is measured (`measure`)."""

    ABOUT: ClassVar[Mapping[str, Any]]
    """Arguments of `evaluate.MetricInfo`; those of resampling are added to the description of the inputs."""

    def _info(self) -> evaluate.MetricInfo:
        words = self.ABOUT["inputs_description"].replace("\nReturns:", f"{_RESAMPLING}\nReturns:")
        return evaluate.MetricInfo(**{**self.ABOUT, "inputs_description": words})

    @abstractmethod
    def measure(self, predictions: Any, references: Any) -> bootstrap.Measured:
        """Return the metrics as functions of how often each example counts; may take options of `compute`."""

    def _compute(self, predictions: Any, references: Any, **options: Any) -> dict[str, float]:
        resampling = {name: options.pop(name) for name in ("n_resamples", "seed", "confidence") if name in options}
        measured = self.measure(predictions, references, **options)
        return {**bootstrap.figures(measured, **resampling), "n": measured.n}
