"""Options of the recipe sft_gda."""

from dataclasses import dataclass, field
from typing import ClassVar

from bioft.datasets.arguments import DataArguments
from bioft.models.arguments import RecipeArguments
from bioft.task import Source
from bioft.tasks.gene_disease import TASK


@dataclass
class GeneDiseaseArguments(DataArguments):
    """Which gene–disease pairs to train and test on."""

    sources: ClassVar[tuple[Source, ...]] = TASK.sources

    dataset: str = field(
        default="hpo",
        metadata={"help": "hpo (ships with bioft), ctd, a folder written by `bioft build`, or user/name on the Hub."},
    )
    dataset_path: str | None = field(
        default=None, metadata={"help": "CTD file, for example from `bioft download ctd`."}
    )
    split: str = field(default="pair", metadata={"help": "pair, gene_held_out, disease_held_out or both_held_out."})
    negatives: str = field(default="degree_matched", metadata={"help": "degree_matched or uniform."})
    negatives_per_positive: int = field(default=1, metadata={"help": "Negatives drawn for each positive."})
    validation_size: float = field(default=0.1, metadata={"help": "Share of the positives for validation."})
    test_size: float = field(default=0.2, metadata={"help": "Share of the positives for the test split."})
    split_seed: int = field(default=0, metadata={"help": "Seed of splits and negatives."})
    max_train_pairs: int | None = field(
        default=None, metadata={"help": "Train on the first N pairs of the shuffled training split."}
    )


@dataclass
class PromptArguments(RecipeArguments):
    """The same for a recipe that prompts a language model."""

    prompt_style: str = field(default="auto", metadata={"help": "auto, chat, plain or alpaca."})
    start_from: str | None = field(
        default=None,
        metadata={
            "help": "Finished run of sft_gda on the same split, or user/name on the Hub: its adapter is trained "
            "further, whatever lora_* say."
        },
    )
