"""What a run of relation extraction answered, from its stored predictions."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioft.errors import BioftError
from bioft.storage.runs import PREDICTIONS
from bioft.task import FINE_TUNED
from bioft.tasks.answers import ALONE, NUMBERS, TEXTS, Answers, Outcomes, Probabilities, crosstab, f1_of, read_table
from bioft.tasks.embedded import Embedded, Sampled
from bioft.tasks.entities import predictions
from bioft.tasks.entities.answers import outcomes_of_documents
from bioft.tasks.entities.predictions import Record

CANDIDATES = "candidates"
KEY = ["document_id", "type", "head", "tail"]
"""The columns that say which relation a prediction is about."""
COLUMNS = dict.fromkeys(KEY, TEXTS) | dict.fromkeys(("label", "score", "prediction"), NUMBERS)
END_TO_END = "predictions_end_to_end.parquet"


def write(directory: Path, candidates: pd.DataFrame, table: pd.DataFrame) -> None:
    """Write `predictions.parquet`: the candidates with their scores, as `predict.candidates_table` gives them.

    Relations between found entities, where the predictions table has them, go to `predictions_end_to_end.parquet`.
    """
    candidates.to_parquet(directory / PREDICTIONS, index=False)
    if "end_to_end_prediction" in table:
        documents = zip(table["id"], predictions.items(table["end_to_end_prediction"]), strict=True)
        found = [(document, *each) for document, its in documents for each in its]
        pd.DataFrame(found, columns=[*KEY, "score"]).to_parquet(directory / END_TO_END, index=False)


def read(directory: Path, record: Record) -> pd.DataFrame:
    """The predictions table of what `write` wrote, a row for each document that is named there.

    Columns, with JSON lists of (type, head, tail): `id`, `label`, `prediction`, `candidates`, and where it was
    evaluated end to end `end_to_end_prediction`; of all but labels the score follows. BioftError: a file is missing or
    can't be read.
    """
    table = _once(read_table(directory, COLUMNS))
    rows = {"prediction": table[table["prediction"] == 1], CANDIDATES: table}
    if (directory / END_TO_END).is_file():
        kept = {name: COLUMNS[name] for name in (*KEY, "score")}
        rows["end_to_end_prediction"] = read_table(directory, kept, END_TO_END)
    ids = list(dict.fromkeys(document for its in (table, *rows.values()) for document in its["document_id"]))
    labels = [sorted({item[:3] for item in its}) for its in by_document(table[table["label"] == 1], ids)]
    found = {column: predictions.to_json(by_document(its, ids), digits=None) for column, its in rows.items()}
    return pd.DataFrame({"id": ids, "label": predictions.to_json(labels), **found})


def _once(table: pd.DataFrame) -> pd.DataFrame:
    """The candidates; BioftError: one is there twice, which would count as two."""
    if (twice := table.duplicated(KEY)).any():
        raise BioftError(f"{PREDICTIONS} has a candidate twice: {', '.join(map(str, table.loc[twice, KEY].iloc[0]))}.")
    return table


of_rows = predictions.of_rows
"""Makes of it a table with a row for each test document: one that holds no candidate is not in the file."""


def systems(table: pd.DataFrame, record: Record) -> dict[str, pd.DataFrame]:
    """By system its predictions table: only the model's is stored, whose answers are what reaches the threshold."""
    if CANDIDATES in table:
        every, threshold = predictions.items(table[CANDIDATES]), record["relations"]["threshold"]
        reached = [[item for item in its if item[3] >= threshold] for its in every]
        table = table.assign(prediction=predictions.to_json(reached, digits=None))
    return {FINE_TUNED: table}


def differences(made: pd.DataFrame, stored: pd.DataFrame, record: Record) -> pd.DataFrame:
    """How far predictions made again are from the stored ones of the same documents: see `predictions.differences`."""
    found = predictions.differences(made, stored, {"prediction": "relations", "end_to_end_prediction": "end to end"})
    if CANDIDATES in made and CANDIDATES in stored:  # of which most are no answers, by whose number flips are judged
        every = predictions.differences(made, stored, {CANDIDATES: "candidates"})
        found["difference"] = np.maximum(found["difference"], every["difference"])
        found["changed"] = np.maximum(found["changed"], every["changed"])
        found["words"] = found["words"].where(found["words"] != "", every["words"])
    return found


def by_document(table: pd.DataFrame, ids: Sequence[str]) -> list[predictions.Items]:
    """The candidates of a table like the stored one by document, each with its score."""
    found: dict[str, predictions.Items] = {identifier: [] for identifier in ids}
    for identifier, *item in table[[*KEY, "score"]].itertuples(index=False):
        found[identifier].append(tuple(item))
    return list(found.values())


def measured(table: pd.DataFrame, record: Record) -> Outcomes:
    """The metrics of the table that `read` gives, as `outcomes` of the file has them."""
    columns = {"f1": ("label", "prediction"), "end_to_end_f1": ("label", "end_to_end_prediction")}
    return outcomes_of_documents(table, columns)


def outcomes(table: pd.DataFrame) -> Outcomes:
    """A row of the table is a candidate; an example is a document, whose candidates are not independent."""
    right = _once(table)["label"] & table["prediction"]
    sums = table.assign(right=right).groupby("document_id", sort=False)[["right", "label", "prediction"]].sum()
    ids = list(sums.index.astype(str))
    stated = by_document(table[table["label"] == 1], ids)
    truth = ["\n".join(sorted("\t".join(item[:3]) for item in its)) for its in stated]
    return Outcomes(ids, {"f1": f1_of(*(sums[name].to_numpy() for name in sums))}, truth=truth)


def answers(table: pd.DataFrame, record: Record) -> Answers:
    """What all systems of the run answered."""
    words = np.array(["no relation", "relation"])
    documents = (table["document_id"].to_numpy(str),)
    truth, answer = table["label"].to_numpy(np.int64), table["prediction"].to_numpy(np.int64)
    return Answers(
        "candidates",
        "accuracy",
        table["id"].astype(str).to_list(),
        pd.DataFrame({FINE_TUNED: (truth == answer).astype(float)}),
        pd.DataFrame({"truth": words[truth], FINE_TUNED: words[answer]}),
        np.ones(len(table)),
        documents,
        scores=pd.DataFrame({FINE_TUNED: table["score"]}),
        labels=truth,
        probabilities={FINE_TUNED: Probabilities(truth, table["score"].to_numpy(float), documents)},
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
