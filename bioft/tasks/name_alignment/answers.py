"""What a run of name alignment answered, from its stored predictions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioft.task import FINE_TUNED
from bioft.tasks import answers as shared
from bioft.tasks.answers import Answers, Outcomes, Probabilities
from bioft.tasks.embedded import Embedded, Sampled
from bioft.tasks.retrieval.answers import embed_together

COLUMNS = {"score": shared.NUMBERS} | dict.fromkeys(
    ("id", "label", "kind", "prediction", "ranked", "base?", "baseline_"), shared.TEXTS
)


def read(directory: Path, record: Mapping[str, Any]) -> pd.DataFrame:
    """The stored predictions of a run."""
    return shared.read_table(directory, COLUMNS)


def names_share(table: pd.DataFrame) -> tuple[np.ndarray]:
    """The compound of each name; names without one in the namespace are independent of the others."""
    return (np.where(table["label"] == "", table["id"], table["label"]),)


def systems(table: pd.DataFrame, record: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """The stored predictions of each system, as if it were the run; those of others are answers alone."""
    return shared.systems_of(table, "prediction", ["id", "kind", "label"], ["score", "ranked"])


def differences(made: pd.DataFrame, stored: pd.DataFrame, record: Mapping[str, Any]) -> pd.DataFrame:
    """Whether each name has another answer or other candidates, and how far its probability is from the stored one."""
    changed = (made["prediction"].to_numpy() != stored["prediction"].to_numpy()).astype(bool)
    words = [
        f"{name}: {now or 'no match'}, not {then or 'no match'}"
        for name, now, then in zip(made["id"], made["prediction"], stored["prediction"], strict=True)
    ]
    off = np.zeros(len(made))
    if "ranked" in made and "ranked" in stored:
        changed |= made["ranked"].to_numpy() != stored["ranked"].to_numpy()
        off = np.abs(made["score"].to_numpy(float) - stored["score"].to_numpy(float))
    return pd.DataFrame({"difference": off, "changed": changed, "words": words})


def outcomes(table: pd.DataFrame) -> Outcomes:
    """The ids of the test examples and the metrics of the run on them, the main one first."""
    from bioft.tasks.name_alignment.scorer import is_right

    right = np.array([is_right(found, gold) for found, gold in zip(table["prediction"], table["label"], strict=True)])
    ids, truth = shared.numbered(table["id"].to_list()), table["label"].to_list()
    return Outcomes(ids, {"accuracy": shared.mean_of(right)}, names_share(table), truth)


def measured(table: pd.DataFrame, record: Mapping[str, Any]) -> Outcomes:
    """As `outcomes`, and how probabilities rank right answers and fit them, where they are stored."""
    found = outcomes(table)
    if "score" in table:
        right, score = found.metrics["accuracy"].numerator, table["score"].to_numpy(np.float64)  # type: ignore[union-attr]
        found.metrics["auroc of right answers"] = shared.Ranking(right.astype(np.int64), score)
        found.metrics["squared error"] = shared.mean_of(-((score - right) ** 2))
    return found


def answers(table: pd.DataFrame, record: Mapping[str, Any]) -> Answers:
    """What all systems of the run answered."""
    columns = shared.columns_of(table, "prediction", "base")
    values = shared.correctness(table, outcomes, columns)
    right = values[FINE_TUNED].to_numpy(np.int64)
    truth = np.where(table["label"] == "", "not in the namespace", "in the namespace")
    answered = {
        system: np.where(table[column] == "", "no match", np.where(values[system] == 1, "right id", "wrong id"))
        for system, column in columns.items()
    }
    return Answers(
        "names",
        "accuracy",
        table["id"].astype(str).to_list(),
        values,
        table[["label", *columns.values()]].replace("", "no match").set_axis(["truth", *columns], axis=1),
        np.ones(len(table)),
        names_share(table),
        probabilities={FINE_TUNED: Probabilities(right, table["score"].to_numpy(float), names_share(table))},
        confusion={
            system: pd.crosstab(truth, its).reindex(columns=["right id", "wrong id", "no match"], fill_value=0)
            for system, its in answered.items()
        },
        properties=pd.DataFrame({"kind of name": table["kind"], "characters of the name": table["id"].str.len()}),
        missing={
            "errors by frequency": "By frequency in training: the compounds of the test names are held out of it."
        },
    )


def embed(run: Sampled) -> Embedded:
    """Names with the same id, two each."""
    names = pd.DataFrame({"name": run.answers.ids, "id": run.answers.given["truth"].tolist()}).drop_duplicates()
    together: list[tuple[str, str, str]] = []
    for identifier, its in names[names["id"] != "no match"].groupby("id")["name"]:
        together += [(its.iloc[0], other, str(identifier)) for other in its.iloc[1:]]
    return embed_together(run, together)
