"""Options of the recipe contrastive."""

from dataclasses import dataclass, field
from typing import ClassVar

from bioft.datasets import metabolites
from bioft.datasets.arguments import with_own
from bioft.datasets.formats import PAIRS
from bioft.datasets.options import argument
from bioft.task import Source
from bioft.tasks.retrieval import TASK


@dataclass
class PairArguments(with_own(PAIRS)):  # type: ignore[misc]
    """Which pairs of texts to train and test on."""

    sources: ClassVar[tuple[Source, ...]] = (*TASK.sources, *metabolites.SOURCES)

    dataset: str = argument(
        "hpo_synonyms",
        "hpo_synonyms (ships with bioft), metabolites, pubmed, pubmed_headings, pubmed_pairs, your own file, a "
        "folder written by `bioft build`, or user/name on the Hub.",
    )
    dataset_path: str | None = argument(None, "PubMed: file or folder of articles or pairs.")
    split: str = argument("component", "PubMed articles: component, article or time (the newest are to be found).")
    namespace: str = argument(
        "cobra", "Metabolites: cobra (ships with it), or a file such as that of `bioft download bigg`."
    )
    modelseed: str | None = argument(None, "Metabolites: folder of `bioft download modelseed`, for real synonyms.")
    held_out_models: list[str] | None = field(
        default=None, metadata={"help": "Metabolites: models to test on; none of their compounds is trained on."}
    )
    kinds: list[str] | None = field(
        default=None, metadata={"help": "Metabolites: kinds of pairs (by default all; see metabolite_pairs.KINDS)."}
    )
    max_compounds: int = argument(10_000, "Metabolites: compounds of a split, at most.")
    split_seed: int = argument(0, "Seed of splits and pairs.")
