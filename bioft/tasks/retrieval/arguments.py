"""Options of the recipe contrastive."""

from dataclasses import dataclass, field
from typing import ClassVar

from bioft.datasets import load
from bioft.datasets.arguments import DataArguments


@dataclass
class PairArguments(DataArguments):
    """Which pairs of texts to train and test on."""

    built_here: ClassVar[tuple[str, ...]] = load.TEXT_PAIRS

    dataset: str = field(
        default="hpo_synonyms",
        metadata={
            "help": "hpo_synonyms (ships with bioft), metabolites, a folder written by `bioft build`, or user/name on "
            "the Hub."
        },
    )
    dataset_revision: str | None = field(
        default=None, metadata={"help": "Branch, tag or commit of a dataset on the Hub (by default main)."}
    )
    namespace: str = field(
        default="cobra",
        metadata={"help": "Metabolites: cobra (ships with it), or a file such as that of `bioft download bigg`."},
    )
    modelseed: str | None = field(
        default=None, metadata={"help": "Metabolites: folder of `bioft download modelseed`, for real synonyms."}
    )
    held_out_models: list[str] | None = field(
        default=None,
        metadata={"help": "Metabolites: models to test on; none of their compounds is trained on."},
    )
    kinds: list[str] | None = field(
        default=None, metadata={"help": "Metabolites: kinds of pairs (by default all; see metabolite_pairs.KINDS)."}
    )
    max_compounds: int = field(default=10_000, metadata={"help": "Metabolites: compounds of a split, at most."})
    split_seed: int = field(default=0, metadata={"help": "Seed of splits and pairs."})
