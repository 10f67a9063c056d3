"""Options of the recipes sequence_classification and sft_relations."""

from dataclasses import dataclass
from typing import ClassVar

from bioft.datasets.options import argument
from bioft.task import Source
from bioft.tasks.entities.arguments import DocumentArguments
from bioft.tasks.relations import TASK
from bioft.tasks.relations.marking import Markers

THRESHOLD = "Score from which on a relation is predicted; by default the best one on validation."
ENTITY_RUN = "Finished run of token_classification: evaluate end to end too, on the entities it finds."


@dataclass
class RelationDocumentArguments(DocumentArguments):
    """Which documents with relations to train and test on; by default their mentions may overlap."""

    sources: ClassVar[tuple[Source, ...]] = TASK.sources


@dataclass
class RelationArguments:
    """How pairs of concepts become texts for a classifier, and relations of its scores."""

    marker_style: str = argument(
        "typed",
        "typed (@ chemical: aspirin @), entity (@ aspirin @) or masked (@ chemical): how the mentions of the two "
        "concepts are marked.",
    )
    add_marker_tokens: bool = argument(False, "Add the markers to the vocabulary; they are saved with the model.")
    summary: bool = argument(
        True, "Begin each text with a few words on how often and where the document names the concepts."
    )
    max_length: int = argument(128, "Tokens of a text; sentences that do not fit are left out, and counted.")
    positive_weight: float = argument(1.0, "How much a related pair counts in the loss; an unrelated one counts 1.")
    trained_layers: int | None = argument(
        None, "Train the last N layers of the encoder and the head only, which saves time."
    )
    threshold: float | None = argument(None, THRESHOLD)
    entity_run: str | None = argument(None, ENTITY_RUN)

    def markers(self) -> Markers:
        """How mentions are marked."""
        return Markers(self.marker_style, self.add_marker_tokens, self.summary, self.max_length)


@dataclass
class PromptedRelationArguments:
    """How a language model is asked about pairs of concepts."""

    question: str = argument(
        "Is the {head_type} {head} related to the {tail_type} {tail} ({relation})?",
        "What is asked after the text of each pair and relation type: {head} and {tail} are their names, {head_type} "
        "and {tail_type} their types, {relation} the relation type.",
    )
    prompt_style: str = argument("plain", "plain (answers “ yes” and “ no”), or chat for the model's chat template.")
    share_text: bool = argument(
        True, "Read a text once for all questions about it, where the model can; False: once for each."
    )
    threshold: float | None = argument(None, THRESHOLD)
    entity_run: str | None = argument(None, ENTITY_RUN)
