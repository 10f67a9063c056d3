"""Options of the recipe mlm."""

from dataclasses import dataclass
from typing import ClassVar

from bioft.datasets.arguments import with_own
from bioft.datasets.formats import TEXTS
from bioft.datasets.options import argument
from bioft.task import Source
from bioft.tasks.masked_lm import TASK


@dataclass
class TextArguments(with_own(TEXTS)):  # type: ignore[misc]
    """Which texts to adapt a model to."""

    sources: ClassVar[tuple[Source, ...]] = TASK.sources

    dataset: str = argument(
        "hpo_definitions",
        "hpo_definitions (ships with bioft), trials, your own file, a folder written by `bioft build`, or "
        "user/name on the Hub.",
    )
    dataset_path: str | None = argument(
        None, "Trials: file, zip file or folder, from `bioft download trials` or the site."
    )
    exclude: str | None = argument(None, "File of NCT ids to leave out: trials that the base model has seen.")
    strip_symbols: bool = argument(False, "Remove brackets, % and other symbols, as was done for a published model.")
    skip_bad: bool = argument(False, "Leave out records that are not valid, and count them.")


@dataclass
class MaskingArguments:
    """How texts become blocks, and which of their tokens are to be predicted."""

    block_length: int = argument(256, "Tokens of a block, into which several texts are packed.")
    mask_probability: float = argument(0.15, "Share of the tokens to be predicted.")
    whole_words: bool = argument(False, "Mask all tokens of a word, or none.")

    def __post_init__(self) -> None:
        """Refuse a share that leaves nothing to predict, or nothing to predict it from."""
        if not 0 < self.mask_probability < 1:
            raise ValueError(f"mask_probability is a share between 0 and 1, not {self.mask_probability}")
