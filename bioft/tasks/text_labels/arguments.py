"""Options of the recipe text_classification."""

from dataclasses import dataclass
from typing import ClassVar

from bioft.datasets.arguments import with_own
from bioft.datasets.formats import LABELS
from bioft.datasets.options import argument
from bioft.task import Source
from bioft.tasks.text_labels import TASK


@dataclass
class LabelledTextArguments(with_own(LABELS)):  # type: ignore[misc]
    """Which labelled texts to train and test on."""

    sources: ClassVar[tuple[Source, ...]] = TASK.sources

    dataset: str = argument(
        "sample",
        "sample (ships with bioft), stop_reasons (expert labels), stop_reasons_weak (predicted labels), gender, your "
        "own file, a folder written by `bioft build`, or user/name on the Hub.",
    )
    dataset_path: str | None = argument(
        None,
        "File of stop reasons (those with expert labels are fetched without it), or file or folder of trial records "
        "for gender.",
    )
    split_seed: int = argument(0, "Seed of the splits.")
    skip_bad: bool = argument(False, "Leave out rows that are not valid, and count them.")


@dataclass
class ClassifierArguments:
    """What a classifier of texts reads, how it is trained, and what it starts from."""

    max_length: int = argument(128, "Tokens of a text, with the special ones at its ends.")
    head: str = argument("linear", "linear, or two_layer: a hidden layer before it.")
    class_imbalance: str = argument(
        "none", "none; pos_weight: rare labels count more in the loss; focal: hard texts count more."
    )
    focal_gamma: float = argument(2.0, "How much less easy texts count with focal.")
    trained_layers: int | None = argument(
        None, "Train the last N layers of the encoder and the head only, which saves time."
    )
    mlm_run: str | None = argument(
        None, "Finished run of mlm, or user/name on the Hub: its adapter is merged into the base model."
    )
    start_from: str | None = argument(
        None, "Finished run of text_classification, or user/name on the Hub, to be trained further."
    )

    def __post_init__(self) -> None:
        """Refuse values that there are not."""
        if self.head not in ("linear", "two_layer"):
            raise ValueError(f"head is linear or two_layer, not {self.head!r}")
        if self.class_imbalance not in ("none", "pos_weight", "focal"):
            raise ValueError(f"class_imbalance is none, pos_weight or focal, not {self.class_imbalance!r}")
        if self.mlm_run and self.start_from:
            raise ValueError("give mlm_run or start_from: a run that is trained further has its encoder already")
