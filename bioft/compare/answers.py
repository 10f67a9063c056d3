"""What a finished run, its base model and its baselines answered in each test example, from the stored predictions."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]

from bioft.compare.outcomes import PREDICTIONS, READERS, Ratio
from bioft.errors import BioftError
from bioft.task import FINE_TUNED

BASE = "base model"
NONE = "none"
"""A mention that is not there, or was not found."""
NO_BASE = (
    "The base model's answers are not among the predictions: its head is drawn at random before training. The best "
    "baseline stands in its place."
)
ALONE = "Only the fine-tuned model's answers are among the predictions."


@dataclass
class Answers:
    """What each system answered: the fine-tuned model, the base model where it was stored, and the baselines.

    A row of every table is a unit: a pair, a mention, a text, a query, … The columns are the systems.
    """

    units: str
    measure: str
    """What `values` say, such as "accuracy"."""
    ids: list[str]
    values: pd.DataFrame
    """How right each answer is, 0 to 1."""
    given: pd.DataFrame
    """The answers in words, after a column `truth`; no columns where they weren't stored."""
    weights: np.ndarray
    """How much each unit counts, shape (n,)."""
    documents: np.ndarray
    """Units with the same value are not independent, shape (n,)."""
    scores: pd.DataFrame = field(default_factory=pd.DataFrame)
    """Numbers that systems gave, for correlations."""
    labels: np.ndarray | None = None
    """0 or 1, for areas under the curve of `scores`; None where there is no such label."""
    probabilities: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    """By system whether something is so (0 or 1) and the probability that the system gave it."""
    confusion: dict[str, pd.DataFrame] = field(default_factory=dict)
    """By system how often (columns) was answered where (rows) is true."""
    properties: pd.DataFrame = field(default_factory=pd.DataFrame)
    """What may explain errors: numbers or categories."""
    missing: dict[str, str] = field(default_factory=dict)
    """What can't be analysed, with the reason."""


def read_answers(directory: Path, record: Mapping[str, Any]) -> Answers:
    """Read what all systems of a finished run answered.

    Raises:
        BioftError: a task that this bioft does not know, or predictions that can't be read.
    """
    if record["task"] not in TASKS:
        raise BioftError(f"Runs on the task {record['task']!r} can't be analysed. Known: {', '.join(TASKS)}.")
    path = directory / PREDICTIONS
    try:
        table = pd.read_parquet(path)
        return TASKS[record["task"]](table, record)
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise BioftError(f"{path} can't be read as predictions on {record['task']} ({error!r}).") from error


def _columns(table: pd.DataFrame, fine_tuned: str, base: str) -> dict[str, str]:
    """By system its column: the fine-tuned model, then the base model, if stored whole, then the baselines."""
    found = {FINE_TUNED: fine_tuned}
    if base in table and table[base].notna().all():
        found[BASE] = base
    return found | {
        str(column).removeprefix("baseline_"): str(column) for column in table if str(column).startswith("baseline_")
    }


def _rightness(table: pd.DataFrame, task: str, columns: Mapping[str, str], fine_tuned: str) -> pd.DataFrame:
    """The main metric of `run_outcomes` in each row, as if each system were the run."""
    values = {}
    for system, column in columns.items():
        (metric, *_) = READERS[task](table.assign(**{fine_tuned: table[column]})).metrics.values()
        assert isinstance(metric, Ratio)
        values[system] = metric.numerator / metric.denominator
    return pd.DataFrame(values)


def _of_pairs(table: pd.DataFrame, record: Mapping[str, Any]) -> Answers:
    columns, scoring = _columns(table, "score", "base_score"), record["scoring"]
    thresholds = {FINE_TUNED: scoring["threshold"], BASE: scoring.get("base_model_threshold")}
    thresholds |= scoring.get("baseline_thresholds", {})
    given = {system: table[column].to_numpy(float) for system, column in columns.items()}
    truth = table["label"].to_numpy(np.int64)
    answers = {
        system: (scores >= threshold).astype(np.int64)
        for system, scores in given.items()
        if (threshold := thresholds.get(system)) is not None
    }
    words = np.array(["not associated", "associated"])
    missing = {}
    if without := [system for system in given if system not in answers]:
        missing["changed predictions"] = (
            f"The record names no threshold of {', '.join(without)}: their scores can be ranked, but are no answers."
        )
    return Answers(
        "pairs",
        "accuracy",
        [f"{gene} – {disease}" for gene, disease in zip(table["gene"], table["disease"], strict=True)],
        pd.DataFrame({system: (its == truth).astype(float) for system, its in answers.items()}),
        pd.DataFrame({"truth": words[truth], **{system: words[its] for system, its in answers.items()}}),
        np.ones(len(table)),
        np.arange(len(table)),
        scores=pd.DataFrame(given),
        labels=truth,
        probabilities={system: (truth, scores) for system, scores in given.items()},
        confusion={system: _crosstab(words[truth], words[its], list(words)) for system, its in answers.items()},
        properties=pd.DataFrame(
            {
                "characters of the gene's name": table["gene"].str.len(),
                "words of the disease's name": table["disease"].str.split().str.len(),
            }
        ),
        missing=missing,
    )


def _of_candidates(table: pd.DataFrame, record: Mapping[str, Any]) -> Answers:
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
        confusion={FINE_TUNED: _crosstab(words[truth], words[answer], list(words))},
        properties=pd.DataFrame({"type of the relation": table["type"]}),
        missing={"base model": ALONE},
    )


def _of_mentions(table: pd.DataFrame, record: Mapping[str, Any]) -> Answers:
    if "label" not in table:
        raise BioftError("The run looks for relations only; mentions are what is analysed of a joint model.")
    columns = _columns(table, "prediction", "base")
    labels = [_items(cell) for cell in table["label"]]
    found = {
        system: [{item[:2]: item for item in _items(cell)} for cell in table[column]]
        for system, column in columns.items()
    }
    units = [(row, *mention) for row, mentions in enumerate(labels) for mention in mentions]
    types = sorted({mention[3] for mention in units})
    given = {"truth": [mention[3] for mention in units]} | {
        system: [its[row].get((start, end), (0, 0, NONE))[2] for row, start, end, _ in units]
        for system, its in found.items()
    }
    confusion, probabilities = {}, {}
    for system, its in found.items():
        there = [{mention[:2] for mention in mentions} for mentions in labels]
        spurious = [item[2] for row, items in enumerate(its) for span, item in items.items() if span not in there[row]]
        confusion[system] = _crosstab(
            [*given["truth"], *[NONE] * len(spurious)],
            [*given[system], *spurious],
            [*sorted({*types, *spurious}), NONE],
        )
        scored = [
            (tuple(item[:3]) in mentions, item[3])
            for items, mentions in zip(its, map(set, labels), strict=True)
            for item in items.values()
            if len(item) > 3
        ]
        if scored:
            right, scores = zip(*scored, strict=True)
            probabilities[system] = np.array(right, dtype=np.int64), np.array(scores, dtype=float)
    frame = pd.DataFrame(given)
    ids = table["id"].astype(str).to_list()
    missing = {} if BASE in columns else {"base model": NO_BASE if len(columns) > 1 else ALONE}
    return Answers(
        "mentions",
        "recall",
        [f"{ids[row]}:{start}-{end}" for row, start, end, _ in units],
        pd.DataFrame({system: (frame[system] == frame["truth"]).astype(float) for system in columns}),
        frame,
        np.ones(len(units)),
        np.array([row for row, *_ in units]),
        probabilities=probabilities,
        confusion=confusion,
        properties=pd.DataFrame(
            {"type": frame["truth"], "characters of the mention": [end - start for _, start, end, _ in units]}
        ),
        missing=missing,
    )


def _items(cell: str) -> list[tuple[Any, ...]]:
    return [tuple(item) for item in json.loads(cell)]


def _of_texts(table: pd.DataFrame, record: Mapping[str, Any]) -> Answers:
    columns, names = _columns(table, "prediction", "base"), list(record["labels"])
    multi_label = record["classifier"]["multi_label"]
    truth = [set(cell) for cell in table["label"]]
    answers = {system: [set(cell) for cell in table[column]] for system, column in columns.items()}
    scores = np.stack(table["scores"].tolist())
    there = np.array([[name in each for name in names] for each in truth], dtype=np.int64)
    if multi_label:
        probabilities = {FINE_TUNED: (there.ravel(), scores.ravel())}
        confusion = {system: _label_counts(truth, its, names) for system, its in answers.items()}
    else:
        best = scores.argmax(axis=1)
        probabilities = {FINE_TUNED: (there[np.arange(len(table)), best], scores.max(axis=1))}
        known = [name for name in names if there[:, names.index(name)].any() or any(name in each for each in truth)]
        confusion = {
            system: _crosstab(
                [min(each) for each in truth],
                [min(each, default=NONE) for each in its],
                known + sorted({min(each, default=NONE) for each in its} - set(known)),
            )
            for system, its in answers.items()
        }
    share = (there * scores).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    return Answers(
        "texts",
        "exact match" if multi_label else "accuracy",
        table["id"].astype(str).to_list(),
        pd.DataFrame(
            {
                system: [float(one == other) for one, other in zip(truth, its, strict=True)]
                for system, its in answers.items()
            }
        ),
        pd.DataFrame(
            {"truth": list(map(_joined, truth)), **{s: list(map(_joined, its)) for s, its in answers.items()}}
        ),
        np.ones(len(table)),
        np.arange(len(table)),
        scores=pd.DataFrame({FINE_TUNED: share}),
        probabilities=probabilities,
        confusion=confusion,
        properties=pd.DataFrame(
            {
                "texts with the label in training": _label_frequency(truth, record),
                "label": list(map(_joined, truth)),
            }
        ),
        missing={"base model": NO_BASE},
    )


def _label_frequency(truth: Sequence[set[str]], record: Mapping[str, Any]) -> list[float]:
    """The training texts of the rarest label of each text; NaN for a text without one."""
    train = record["dataset"]["rows"]["train"]
    return [min((float(train.get(label, np.nan)) for label in each), default=np.nan) for each in truth]


def _label_counts(truth: Sequence[set[str]], found: Sequence[set[str]], names: Sequence[str]) -> pd.DataFrame:
    rows = {
        name: {
            "right": sum(name in one and name in other for one, other in zip(truth, found, strict=True)),
            "missed": sum(name in one and name not in other for one, other in zip(truth, found, strict=True)),
            "wrongly given": sum(name not in one and name in other for one, other in zip(truth, found, strict=True)),
        }
        for name in names
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def _joined(labels: Iterable[str]) -> str:
    return ", ".join(sorted(labels)) or NONE


def _of_hidden_tokens(table: pd.DataFrame, record: Mapping[str, Any]) -> Answers:
    table = table[table["hidden"] > 0].reset_index(drop=True)
    columns = _columns(table.drop(columns=[c for c in table if str(c).endswith("_loss")]), "correct", "base_correct")
    columns = {system.removesuffix("_correct"): column for system, column in columns.items()}
    hidden = table["hidden"].to_numpy(float)
    losses = {s: table[column.replace("correct", "loss")] / hidden for s, column in columns.items()}
    return Answers(
        "texts",
        "share of hidden tokens found",
        table["id"].astype(str).to_list(),
        _rightness(table, "masked-language-model", columns, "correct"),
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


def _of_names(table: pd.DataFrame, record: Mapping[str, Any]) -> Answers:
    columns = _columns(table, "prediction", "base")
    values = _rightness(table, "name-alignment", columns, "prediction")
    truth = np.where(table["label"] == "", "not in the namespace", "in the namespace")
    outcomes = {
        system: np.where(table[column] == "", "no match", np.where(values[system] == 1, "right id", "wrong id"))
        for system, column in columns.items()
    }
    return Answers(
        "names",
        "accuracy",
        table["id"].astype(str).to_list(),
        values,
        pd.DataFrame(
            {
                "truth": table["label"].replace("", "no match"),
                **{system: table[column].replace("", "no match") for system, column in columns.items()},
            }
        ),
        np.ones(len(table)),
        np.arange(len(table)),
        probabilities={FINE_TUNED: (values[FINE_TUNED].to_numpy(np.int64), table["score"].to_numpy(float))},
        confusion={
            system: pd.crosstab(truth, its).reindex(columns=["right id", "wrong id", "no match"], fill_value=0)
            for system, its in outcomes.items()
        },
        properties=pd.DataFrame({"kind of name": table["kind"], "characters of the name": table["id"].str.len()}),
        missing={
            "errors by frequency": "By frequency in training: the compounds of the test names are held out of it."
        },
    )


def _of_queries(table: pd.DataFrame, record: Mapping[str, Any]) -> Answers:
    columns = _columns(table, "prediction", "base")
    right = [json.loads(cell) for cell in table["label"]]
    first = {system: [(json.loads(cell) or [NONE])[0] for cell in table[column]] for system, column in columns.items()}
    words = [_words(query) for query in table["id"]]
    shared = [
        max(len(its & other) / len(its | other) for other in map(_words, texts))
        for its, texts in zip(words, right, strict=True)
    ]
    return Answers(
        "queries",
        "nDCG@10",
        table["id"].astype(str).to_list(),
        _rightness(table, "text-retrieval", columns, "prediction"),
        pd.DataFrame({"truth": [" | ".join(texts) for texts in right], **first}),
        np.ones(len(table)),
        np.arange(len(table)),
        properties=pd.DataFrame(
            {
                "share of words in common with a right text": _in_words(shared),
                "words of the query": [len(query.split()) for query in table["id"]],
                "right texts": [len(texts) for texts in right],
            }
        ),
        missing={
            "confusion": "A ranking has no classes that could be confused.",
            "calibration": "The similarities of what was found are not among the predictions. With --embeddings the "
            "separation of right and other texts is measured.",
        },
    )


def _words(text: str) -> frozenset[str]:
    return frozenset(text.lower().split()) or frozenset([""])


def _in_words(shares: Sequence[float]) -> pd.Categorical:
    """Shares as groups in their order: most queries have no word in common, which a quantile would hide."""
    names = ["none", "up to 1/4", "1/4 to 1/2", "more than 1/2"]
    return pd.Categorical(
        [names[int(np.searchsorted([0, 0.25, 0.5], share))] for share in shares], names, ordered=True
    )


def _crosstab(truth: Sequence[str], answers: Sequence[str], names: Sequence[str]) -> pd.DataFrame:
    table = pd.crosstab(
        np.asarray(truth, dtype=object), np.asarray(answers, dtype=object), rownames=["truth"], colnames=["answer"]
    )
    rows = [name for name in names if name in set(truth)]
    return table.reindex(index=rows, columns=list(dict.fromkeys(names)), fill_value=0)


TASKS: dict[str, Callable[[pd.DataFrame, Mapping[str, Any]], Answers]] = {
    "gene-disease-association": _of_pairs,
    "entity-recognition": _of_mentions,
    "relation-extraction": _of_candidates,
    "joint-entity-relation": _of_mentions,
    "text-classification": _of_texts,
    "masked-language-model": _of_hidden_tokens,
    "name-alignment": _of_names,
    "text-retrieval": _of_queries,
}
"""By task, how the answers of all systems are read."""
