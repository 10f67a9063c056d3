"""What a joint model answered, from its stored predictions."""

from pathlib import Path

import pandas as pd

from bioft.storage.runs import PREDICTIONS
from bioft.tasks.answers import TEXTS, Outcomes, read_table
from bioft.tasks.embedded import Embedded, Sampled
from bioft.tasks.entities import predictions
from bioft.tasks.entities.answers import answers, embed_mentions, outcomes_of_documents, properties
from bioft.tasks.entities.predictions import Record
from bioft.tasks.relations.answers import systems

__all__ = ["answers", "embed", "outcomes", "properties", "systems"]  # of mentions: as for entities alone

FOUND = {"prediction": "entities", "relation_prediction": "relations", "end_to_end_prediction": "end to end"}
"""The columns of what was found, each with its words."""


COLUMNS = dict.fromkeys(("id", "label?", "relation_label?", *(f"{name}?" for name in FOUND)), TEXTS)


def write(directory: Path, table: pd.DataFrame) -> None:
    """Write `predictions.parquet`: the predictions table, as `predict.table_of` gives it."""
    table.to_parquet(directory / PREDICTIONS, index=False)


def read(directory: Path, record: Record) -> pd.DataFrame:
    """The predictions table of what `write` wrote, a row a document; BioftError: it can't be read, lacks a column."""
    return read_table(directory, COLUMNS)


def differences(made: pd.DataFrame, stored: pd.DataFrame, record: Record) -> pd.DataFrame:
    """How far predictions made again are from the stored ones of the same documents: see `predictions.differences`."""
    return predictions.differences(made, stored, FOUND)


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
    from bioft.tasks.joint import predict as joint_prediction

    model, tokenizer, *_ = joint_prediction.load(run.directory)
    return embed_mentions(run, model.encoder, tokenizer)
