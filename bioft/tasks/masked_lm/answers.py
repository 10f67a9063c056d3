"""What a masked language model answered, from its stored predictions."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from bioft.errors import BioftError
from bioft.tasks.answers import Answers, Outcomes, Ratio, columns_of, correctness, words_of_texts
from bioft.tasks.embedded import Embedded, Sampled


def outcomes(table: pd.DataFrame) -> Outcomes:
    """The ids of the test examples and the metrics of the run on them, the main one first."""
    correct, hidden = (table[column].to_numpy(np.float64) for column in ("correct", "hidden"))
    return Outcomes(list(table["id"].astype(str)), {"masked_accuracy": Ratio(correct, hidden)})


def answers(table: pd.DataFrame, record: Mapping[str, Any]) -> Answers:
    """What all systems of the run answered."""
    table = table[table["hidden"] > 0].reset_index(drop=True)
    columns = columns_of(table.drop(columns=[c for c in table if str(c).endswith("_loss")]), "correct", "base_correct")
    columns = {system.removesuffix("_correct"): column for system, column in columns.items()}
    hidden = table["hidden"].to_numpy(float)
    losses = {s: table[column.replace("correct", "loss")] / hidden for s, column in columns.items()}
    return Answers(
        "texts",
        "share of hidden tokens found",
        table["id"].astype(str).to_list(),
        correctness(table, outcomes, columns, "correct"),
        pd.DataFrame(index=table.index),
        hidden,
        np.arange(len(table)),
        scores=pd.DataFrame(losses),
        properties=pd.DataFrame({"hidden tokens": table["hidden"]}),
        missing={
            "confusion": "Which token was taken for which is not among the predictions, only counts for each text.",
            "calibration": "The probability of each token is not among the predictions, only sums for each text.",
            "errors by frequency": "By frequency of the tokens: which were hidden is not among the predictions.",
        },
    )


def properties(answers: Answers, table: pd.DataFrame, splits: Any) -> pd.DataFrame:
    """What the splits tell of each text: its length."""
    return words_of_texts(answers, splits)


def embed(run: Sampled) -> Embedded:
    """Nothing can be embedded."""
    raise BioftError("The texts have no classes that a probe could tell apart.")
