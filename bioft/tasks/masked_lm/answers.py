"""What a masked language model answered, from its stored predictions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioft.errors import BioftError
from bioft.task import BASE, FINE_TUNED
from bioft.tasks.answers import (
    BASE as BASE_MODEL,
    NUMBERS,
    TEXTS,
    Answers,
    Outcomes,
    Ratio,
    read_table,
    words_of_texts,
)
from bioft.tasks.embedded import Embedded, Sampled

properties = words_of_texts
COUNTS = ["hidden", "correct", "loss"]
"""What is stored of a text: how many tokens were masked, how many of them the first choice is correct for, and the sum
of their losses: negative log-probabilities (natural logarithm)."""


COLUMNS = {"id": TEXTS} | dict.fromkeys((*COUNTS, "base_correct", "base_loss", "baseline_"), NUMBERS)


def read(directory: Path, record: Mapping[str, Any]) -> pd.DataFrame:
    """The stored predictions; BioftError if they can't be read."""
    return read_table(directory, COLUMNS)


def systems(table: pd.DataFrame, record: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """By system the predictions table, as if that system were the run."""
    prefixes = [str(column).removesuffix("_correct") for column in table if str(column).endswith("_correct")]
    found = {FINE_TUNED: table[["id", *COUNTS]]}
    for prefix in prefixes:
        its = {name: table[f"{prefix}_{name}"] for name in ("correct", "loss")}
        found[BASE if prefix == "base" else prefix.removeprefix("baseline_")] = found[FINE_TUNED].assign(**its)
    return found


def differences(made: pd.DataFrame, stored: pd.DataFrame, record: Mapping[str, Any]) -> pd.DataFrame:
    """How far the mean loss of each text's masked tokens is from the stored one, and how many answers are others.

    `answers` are the masked tokens. Of a text of which other tokens are masked, all are taken for changed.
    """
    (masked, correct, loss), (before, its_correct, its_loss) = (
        table[COUNTS].to_numpy(float).T for table in (made, stored)
    )
    other, tokens = masked != before, np.maximum(masked, 1)
    words = np.where(other, "other masked tokens", "another loss or other answers to masked tokens")
    return pd.DataFrame(
        {
            "difference": np.where(other, np.maximum(before, 1), np.abs(loss - its_loss) / tokens),
            "changed": np.where(other, masked, np.abs(correct - its_correct)).astype(int),
            "answers": masked.astype(int),
            "words": [f"{text}: {its}" for text, its in zip(made["id"], words, strict=True)],
        }
    )


def measured(table: pd.DataFrame, record: Mapping[str, Any]) -> Outcomes:
    """As `outcomes`, and the mean loss of masked tokens, which perplexity follows from: the lower, the better."""
    found = outcomes(table)
    found.metrics["loss"] = Ratio(-table["loss"].to_numpy(np.float64), table["hidden"].to_numpy(np.float64))
    return found


def outcomes(table: pd.DataFrame) -> Outcomes:
    """The ids of the test examples and the metrics of the run on them, the main one first."""
    correct, masked = (table[column].to_numpy(np.float64) for column in ("correct", "hidden"))
    # How many tokens are masked says which: by another tokenizer, or in other pieces, it is another question.
    truth = [f"{n:.0f}" for n in masked]
    return Outcomes(list(table["id"].astype(str)), {"masked_accuracy": Ratio(correct, masked)}, truth=truth)


def answers(table: pd.DataFrame, record: Mapping[str, Any]) -> Answers:
    """What all systems of the run answered."""
    table = table[table["hidden"] > 0].reset_index(drop=True)
    found = {BASE_MODEL if name == BASE else name: its for name, its in systems(table, record).items()}
    masked = table["hidden"].to_numpy(float)
    return Answers(
        "texts",
        "share of hidden tokens found",
        table["id"].astype(str).to_list(),
        pd.DataFrame({name: its["correct"] / masked for name, its in found.items()}),
        pd.DataFrame(index=table.index),
        masked,
        scores=pd.DataFrame({name: its["loss"] / masked for name, its in found.items()}),
        properties=pd.DataFrame({"hidden tokens": table["hidden"]}),
        missing={
            "confusion": "Which token was taken for which is not among the predictions, only counts for each text.",
            "calibration": "The probability of each token is not among the predictions, only sums for each text.",
            "errors by frequency": "By frequency of the tokens: which were masked is not among the predictions.",
        },
    )


def embed(run: Sampled) -> Embedded:
    """Nothing can be embedded."""
    raise BioftError("The texts have no classes that a probe could tell apart.")
