"""Options of the recipe joint_ner_re."""

from dataclasses import dataclass

from bioft.datasets.options import argument
from bioft.tasks.relations.arguments import THRESHOLD


@dataclass
class JointArguments:
    """How much each head of a joint model is trained, and what the finished model is compared with."""

    entity_loss_weight: float = argument(1.0, "Weight of the entity head's loss; 0 trains the relation head only.")
    relation_loss_weight: float = argument(1.0, "Weight of the relation head's loss; 0 trains the entity head only.")
    positive_weight: float = argument(1.0, "How much a related pair counts in the loss; an unrelated one counts 1.")
    start_from: str | None = argument(
        None, "Finished run of token_classification on these data: go on from its encoder and its tags."
    )
    trained_layers: int | None = argument(
        None, "Train the last N layers of the encoder and the heads only; 0 trains the heads alone."
    )
    relation_layer: int | None = argument(
        None, "Layer of the encoder that the relation head reads, from 1; by default the last one."
    )
    relation_words: bool = argument(
        False, "Let the relation head also read the words at, around and between two mentions."
    )
    relation_dropout: float = argument(0.3, "Share of what the relation head reads that is hidden in training.")
    threshold: float | None = argument(None, THRESHOLD)
    compare_with: list[str] | None = argument(
        None, "Finished runs on the same test documents, each compared by a paired test."
    )

    def __post_init__(self) -> None:
        weights = (self.entity_loss_weight, self.relation_loss_weight)
        if min(weights) < 0 or not any(weights):
            raise ValueError("entity_loss_weight and relation_loss_weight must be 0 or more, and one of them more")

    def model_options(self) -> dict[str, float | None]:
        """Those that are part of the model's configuration."""
        names = (
            "entity_loss_weight", "relation_loss_weight", "positive_weight", "relation_layer", "relation_words",
            "relation_dropout",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}
