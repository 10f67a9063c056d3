"""What the metric modules of this package share: each is an `evaluate.Metric` whose figures come with intervals."""

import tomllib
from abc import ABC, abstractmethod
from importlib import resources
from typing import Any, ClassVar

import evaluate

from bioft.metrics import bootstrap


class BootstrappedMetric(evaluate.Metric, ABC):
    """An `evaluate.Metric` of which a module states the features, `texts.toml` the words, and `measure` the rest."""

    FEATURES: ClassVar[Any]

    def _info(self) -> evaluate.MetricInfo:
        texts = tomllib.loads(resources.files("bioft.metrics").joinpath("texts.toml").read_text(encoding="utf-8"))
        # `evaluate.load` gives a module a longer name, with the same end.
        about = texts[type(self).__module__.rpartition(".")[2]]
        return evaluate.MetricInfo(
            description=about["description"],
            citation="".join(texts["citations"][key] for key in about["citations"]),
            inputs_description="\n" + about["inputs"].replace("\nReturns:", f"{texts['resampling']}\nReturns:"),
            features=self.FEATURES,
            reference_urls=about["reference_urls"],
        )

    @abstractmethod
    def measure(self, predictions: Any, references: Any) -> bootstrap.Measured:
        """Return the metrics as functions of how often each example counts; may take options of `compute`."""

    def _compute(self, predictions: Any, references: Any, **options: Any) -> dict[str, float]:
        resampling = {name: options.pop(name) for name in ("n_resamples", "seed", "confidence") if name in options}
        measured = self.measure(predictions, references, **options)
        return {**bootstrap.figures(measured, **resampling), "n": measured.n}
