"""Options of the recipe sft_gda."""

from dataclasses import dataclass
from typing import ClassVar

from bioft.datasets.arguments import with_own
from bioft.datasets.formats import GENE_DISEASE
from bioft.datasets.options import argument
from bioft.metrics.thresholds import LEAST_ROWS
from bioft.models.arguments import RecipeArguments
from bioft.task import Source
from bioft.tasks.gene_disease import TASK


@dataclass
class GeneDiseaseArguments(with_own(GENE_DISEASE)):  # type: ignore[misc]
    """Which gene–disease pairs to train and test on."""

    sources: ClassVar[tuple[Source, ...]] = TASK.sources

    dataset: str = argument(
        "hpo",
        "hpo (ships with bioft), ctd, your own file, a folder written by `bioft build`, or user/name on the Hub.",
    )
    dataset_path: str | None = argument(None, "CTD file, for example from `bioft download ctd`.")
    split: str = argument("pair", "pair, gene_held_out, disease_held_out, both_held_out or time.")
    known_until: float | None = argument(
        None, "Of the split time: last PubMed id of training, or the share of the pairs known by then."
    )
    negatives: str = argument("degree_matched", "degree_matched or uniform.")
    negatives_per_positive: int = argument(1, "Negatives drawn for each positive.")
    validation_size: float = argument(0.1, "Share of the positives for validation.")
    test_size: float = argument(0.2, "Share of the positives for the test split.")
    least_validation_rows: int = argument(
        LEAST_ROWS, "Of the split both_held_out: hold out more genes and diseases until validation has them."
    )
    split_seed: int = argument(0, "Seed of splits and negatives.")
    max_train_pairs: int | None = argument(None, "Train on the first N pairs of the shuffled training split.")


@dataclass
class PromptArguments(RecipeArguments):
    """The same for a recipe that prompts a language model."""

    prompt_style: str = argument("auto", "auto, chat, plain or alpaca.")
    context: str = argument(
        "none",
        "What the prompt says beside the names: none, graph (what training knows of the gene and of the disease), "
        "definition (of the disease in HPO, of the gene in gene_context) or both.",
    )
    gene_context: str | None = argument(None, "Table with the columns gene and text, for the context of genes.")
    few_shot: int = argument(
        0, "Also ask the base model with so many training pairs and their answers in the prompt (even; 0: don't)."
    )
    memorisation_probe: int = argument(
        0, "Of so many associations of the data ask the base model for the gene: has it read them (0: don't)?"
    )
    start_from: str | None = argument(
        None,
        "Finished run of sft_gda on the same split, or user/name on the Hub: its adapter is trained further, whatever "
        "lora_* say.",
    )
