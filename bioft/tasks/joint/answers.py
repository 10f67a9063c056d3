"""What a joint model answered, from its stored predictions."""

import pandas as pd

from bioft.tasks.answers import Outcomes
from bioft.tasks.embedded import Embedded, Sampled
from bioft.tasks.entities.answers import answers, embed_mentions, outcomes_of_documents, properties

__all__ = ["answers", "embed", "outcomes", "properties"]  # of mentions: as for entities alone


def outcomes(table: pd.DataFrame) -> Outcomes:
    """The ids of the test examples and the metrics of the run on them, the main one first."""
    columns = {
        "end_to_end_f1": ("relation_label", "end_to_end_prediction"),
        "f1": ("label", "prediction"),
        "relation_f1": ("relation_label", "relation_prediction"),
    }
    return outcomes_of_documents(table, columns)


def embed(run: Sampled) -> Embedded:
    """The mean of a mention's tokens in its document."""
    from bioft.tasks.joint import model as joint

    model, tokenizer, *_ = joint.load_run(run.directory)
    return embed_mentions(run, model.encoder, tokenizer)
