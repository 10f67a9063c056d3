"""What a run of relation extraction answered, from its stored predictions."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from bioft.errors import BioftError
from bioft.task import FINE_TUNED
from bioft.tasks.answers import ALONE, Answers, Outcomes, crosstab, f1_of
from bioft.tasks.embedded import Embedded, Sampled


def outcomes(table: pd.DataFrame) -> Outcomes:
    """A row of the table is a candidate; an example is a document, whose candidates are not independent."""
    right = table["label"] & table["prediction"]
    sums = table.assign(right=right).groupby("document_id")[["right", "label", "prediction"]].sum()
    return Outcomes(list(sums.index.astype(str)), {"f1": f1_of(*(sums[name].to_numpy() for name in sums))})


def answers(table: pd.DataFrame, record: Mapping[str, Any]) -> Answers:
    """What all systems of the run answered."""
    words = np.array(["no relation", "relation"])
    truth, answer = table["label"].to_numpy(np.int64), table["prediction"].to_numpy(np.int64)
    return Answers(
        "candidates",
        "accuracy",
        table["id"].astype(str).to_list(),
        pd.DataFrame({FINE_TUNED: (truth == answer).astype(float)}),
        pd.DataFrame({"truth": words[truth], FINE_TUNED: words[answer]}),
        np.ones(len(table)),
        table["document_id"].to_numpy(str),
        scores=pd.DataFrame({FINE_TUNED: table["score"]}),
        labels=truth,
        probabilities={FINE_TUNED: (truth, table["score"].to_numpy(float))},
        confusion={FINE_TUNED: crosstab(words[truth], words[answer], list(words))},
        properties=pd.DataFrame({"type of the relation": table["type"]}),
        missing={"base model": ALONE},
    )


def properties(answers: Answers, table: pd.DataFrame, splits: Any) -> pd.DataFrame:
    """What the splits tell of each candidate: how often its concepts are related in training."""
    concepts = Counter(
        concept
        for row in splits["train"].to_list()
        for each in row["relations"]
        for concept in (each["head"], each["tail"])
    )
    rarest = [min(concepts[head], concepts[tail]) for head, tail in zip(table["head"], table["tail"], strict=True)]
    return pd.DataFrame({"relations of the rarer concept in training": rarest})


def embed(run: Sampled) -> Embedded:
    """Nothing can be embedded."""
    raise BioftError("A candidate is a pair of places in a text, which has no embedding of its own.")
