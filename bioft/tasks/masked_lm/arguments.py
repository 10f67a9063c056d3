"""Options of the recipe mlm."""

from dataclasses import dataclass, field
from typing import ClassVar

from bioft.datasets.arguments import DataArguments
from bioft.task import Source
from bioft.tasks.masked_lm import TASK


@dataclass
class TextArguments(DataArguments):
    """Which texts to adapt a model to."""

    sources: ClassVar[tuple[Source, ...]] = TASK.sources

    dataset: str = field(
        default="hpo_definitions",
        metadata={
            "help": "hpo_definitions (ships with bioft), trials, a folder written by `bioft build trials`, or "
            "user/name on the Hub."
        },
    )
    dataset_path: str | None = field(
        default=None, metadata={"help": "Trials: file, zip file or folder, from `bioft download trials` or the site."}
    )
    exclude: str | None = field(
        default=None, metadata={"help": "File of NCT ids to leave out: trials that the base model has seen."}
    )
    strip_symbols: bool = field(
        default=False, metadata={"help": "Remove brackets, % and other symbols, as was done for a published model."}
    )
    skip_bad: bool = field(default=False, metadata={"help": "Leave out records that are not valid, and count them."})


@dataclass
class MaskingArguments:
    """How texts become blocks, and which of their tokens are to be predicted."""

    block_length: int = field(
        default=256, metadata={"help": "Tokens of a block, into which several texts are packed."}
    )
    mask_probability: float = field(default=0.15, metadata={"help": "Share of the tokens to be predicted."})
    whole_words: bool = field(default=False, metadata={"help": "Mask all tokens of a word, or none."})

    def __post_init__(self) -> None:
        """Refuse a share that leaves nothing to predict, or nothing to predict it from."""
        if not 0 < self.mask_probability < 1:
            raise ValueError(f"mask_probability is a share between 0 and 1, not {self.mask_probability}")
