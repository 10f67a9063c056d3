"""Options of the recipe contrastive."""

from dataclasses import dataclass, field
from typing import ClassVar

from bioft.datasets import metabolites
from bioft.datasets.arguments import DataArguments
from bioft.task import Source
from bioft.tasks.retrieval import TASK


@dataclass
class PairArguments(DataArguments):
    """Which pairs of texts to train and test on."""

    sources: ClassVar[tuple[Source, ...]] = (*TASK.sources, *metabolites.SOURCES)

    dataset: str = field(
        default="hpo_synonyms",
        metadata={
            "help": "hpo_synonyms (ships with bioft), metabolites, pubmed, pubmed_headings, pubmed_pairs, a folder "
            "written by `bioft build`, or user/name on the Hub."
        },
    )
    dataset_path: str | None = field(default=None, metadata={"help": "PubMed: file or folder of articles or pairs."})
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
