"""Options of the recipes on documents."""

from dataclasses import dataclass
from typing import ClassVar

import transformers
from transformers.trainer_utils import IntervalStrategy

from bioft.datasets.arguments import with_own
from bioft.datasets.formats import ENTITIES
from bioft.datasets.options import argument
from bioft.task import Source
from bioft.tasks.entities import TASK


@dataclass
class DocumentArguments(with_own(ENTITIES)):  # type: ignore[misc]
    """Which documents with entities and relations to train and test on."""

    sources: ClassVar[tuple[Source, ...]] = TASK.sources

    dataset: str = argument(
        "sample",
        "sample (ships with bioft), bc5cdr, chemdisgene, your own file or folder, a folder written by "
        "`bioft build`, or user/name on the Hub.",
    )
    dataset_path: str | None = argument(None, "Folder of BC5CDR or file of ChemDisGene, from `bioft download`.")
    skip_bad: bool = argument(False, "Leave out documents that are not valid, and count them.")
    train_on: str = argument(
        "train", "train, or train+validation: then the last checkpoint is kept, as nothing is left to choose by."
    )

    def __post_init__(self) -> None:
        if self.train_on not in ("train", "train+validation"):
            raise ValueError(f"train_on is train or train+validation, not {self.train_on!r}")


@dataclass
class WindowArguments:
    """How documents are cut for the encoder: windows that overlap, so that nothing is lost."""

    window_length: int = argument(192, "Tokens of a window, with the special ones at its ends.")
    window_overlap: int = argument(48, "Tokens that neighbouring windows share (`stride` in Hugging Face tokenizers).")


def keep_last_checkpoint(training_args: transformers.TrainingArguments, train_on: str) -> None:
    """Turn off what needs validation data, for a training that uses them up."""
    if train_on == "train+validation":
        training_args.eval_strategy = IntervalStrategy.NO
        training_args.load_best_model_at_end = False
