"""What a classifier of texts answered, from its stored predictions."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioft.task import FINE_TUNED
from bioft.tasks import answers as shared
from bioft.tasks.embedded import Embedded, Floats, Sampled, base_encoder, encoder_of, last_states

properties = shared.words_of_texts
COLUMNS = {"id": shared.TEXTS, "scores": shared.SCORES} | dict.fromkeys(
    ("label", "prediction", "baseline_"), shared.LISTS
)


def read(directory: Path, record: Mapping[str, Any]) -> pd.DataFrame:
    """The stored predictions; BioftError if they can't be read."""
    return shared.read_table(directory, COLUMNS)


def systems(table: pd.DataFrame, record: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """By system the predictions table; the model's labels are those that follow from its scores and thresholds."""
    from bioft.tasks.text_labels.classifier import decide

    found = shared.systems_of(table, "prediction", ["id", "label"], ["scores"])
    scores, thresholds = np.stack(table["scores"].tolist()), record["classifier"]["thresholds"]
    found[FINE_TUNED]["prediction"] = decide(scores, record["labels"], thresholds)
    return found


def differences(made: pd.DataFrame, stored: pd.DataFrame, record: Mapping[str, Any]) -> pd.DataFrame:
    """How far scores made again are from stored ones (the largest of a text's labels), and which answers differ."""
    off = np.zeros((len(made), len(record["labels"])))
    if "scores" in made and "scores" in stored:
        off = np.stack(stored["scores"].tolist()) - np.stack(made["scores"].tolist())
    new, old = (list(map(_joined, table["prediction"])) for table in (made, stored))
    return pd.DataFrame(
        {
            "difference": np.abs(off).max(axis=1),
            "changed": [one != other for one, other in zip(new, old, strict=True)],
            "words": [f"{row}: stored {a}, now {b}" for row, a, b in zip(made["id"], old, new, strict=True)],
        }
    )


def measured(table: pd.DataFrame, record: Mapping[str, Any]) -> shared.Outcomes:
    """As `outcomes`, and how the scores of all texts and labels rank those that are right, where there are scores."""
    found = outcomes(table)
    if "scores" in table:
        there = np.array([[name in its for name in record["labels"]] for its in table["label"]])
        scores = np.stack(table["scores"].tolist())
        found.metrics["auroc of all labels"] = shared.Ranking(there.ravel().astype(np.int64), scores.ravel())
    return found


def outcomes(table: pd.DataFrame) -> shared.Outcomes:
    """The ids of the test examples and the metrics of the run on them, the main one first.

    Of two labels that exclude each other that is F1 of the second: micro F1 is their accuracy.
    """
    there, found = ([set(cell) for cell in table[column]] for column in ("label", "prediction"))
    exact = np.array([one == other for one, other in zip(there, found, strict=True)])
    metrics: dict[str, shared.Metric] = {"f1": shared.f1_of_sets(there, found), "accuracy": shared.mean_of(exact)}
    # By the texts alone: an answer of another kind must not have all runs ranked by another metric.
    labels = sorted({label for its in there for label in its})
    if len(labels) == 2 and all(len(its) == 1 for its in there):
        positive = {labels[1]}
        of_positive = shared.f1_of_sets([its & positive for its in there], [its & positive for its in found])
        metrics = {f"{labels[1].lower()}_f1": of_positive, **metrics}
    truth = ["\t".join(sorted(its)) for its in there]
    return shared.Outcomes(list(table["id"].astype(str)), metrics, truth=truth)


def answers(table: pd.DataFrame, record: Mapping[str, Any]) -> shared.Answers:
    """What all systems of the run answered."""
    columns, names = shared.columns_of(table, "prediction", "base"), list(record["labels"])
    multi_label = record["classifier"]["multi_label"]
    truth = [set(cell) for cell in table["label"]]
    answers = {system: [set(cell) for cell in table[column]] for system, column in columns.items()}
    words = {system: list(map(_joined, its)) for system, its in {"truth": truth, **answers}.items()}
    scores = np.stack(table["scores"].tolist())
    there = np.array([[name in each for name in names] for each in truth], dtype=np.int64)
    if multi_label:
        texts = np.repeat(np.arange(len(table)), len(names))
        probabilities = {FINE_TUNED: shared.Probabilities(there.ravel(), scores.ravel(), (texts,))}
        confusion = {system: _label_counts(truth, its, names) for system, its in answers.items()}
    else:
        best = scores.argmax(axis=1)
        probabilities = {FINE_TUNED: shared.Probabilities(there[np.arange(len(table)), best], scores.max(axis=1))}
        known = [name for name in names if name in words["truth"]]
        confusion = {
            system: shared.crosstab(words["truth"], words[system], known + sorted(set(words[system]) - set(known)))
            for system in answers
        }
    share = (there * scores).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    # The training texts of the rarest label of each text; of one without a label none.
    train = record["dataset"]["rows"]["train"]
    rarest = [min((float(train.get(label, np.nan)) for label in each), default=np.nan) for each in truth]
    return shared.Answers(
        "texts",
        "exact match" if multi_label else "accuracy",
        table["id"].astype(str).to_list(),
        pd.DataFrame({system: (pd.Series(its) == pd.Series(truth)).astype(float) for system, its in answers.items()}),
        pd.DataFrame(words),
        np.ones(len(table)),
        scores=pd.DataFrame({FINE_TUNED: share}),
        probabilities=probabilities,
        confusion=confusion,
        properties=pd.DataFrame({"texts with the label in training": rarest, "label": words["truth"]}),
        missing={"base model": shared.NO_BASE},
    )


def _label_counts(truth: Sequence[set[str]], found: Sequence[set[str]], names: Sequence[str]) -> pd.DataFrame:
    there, given = (np.array([[name in its for name in names] for its in sets]) for sets in (truth, found))
    counts = {"right": there & given, "missed": there & ~given, "wrongly given": given & ~there}
    return pd.DataFrame({name: its.sum(axis=0) for name, its in counts.items()}, index=list(names))


def _joined(labels: Iterable[str]) -> str:
    return ", ".join(sorted(labels)) or shared.NONE


def embed(run: Sampled) -> Embedded:
    """The mean of a text's tokens; of texts with several labels none is taken."""
    import torch

    from bioft.tasks.text_labels import classifier as text_classification, models as text_models

    record, answers, test, drawn = run.record, run.answers, run.test(), run.drawn()
    texts = dict(zip(test["id"][:], test["text"][:], strict=True))
    truth = answers.given["truth"].to_numpy(str)
    drawn = np.array([row for row in drawn if truth[row] in record["labels"]], dtype=int)
    model, tokenizer, _ = text_models.load_run(run.directory, whole=True)
    base, base_tokenizer = base_encoder(record, record["classifier"]["mlm_run"])

    def means(encoder: Any, its: Any) -> Floats:
        chosen = [texts[answers.ids[row]] for row in drawn]
        ids, _ = text_classification.encode(its, chosen, record["classifier"]["max_length"])
        with torch.inference_mode():
            return np.stack([each.mean(axis=0) for each in last_states(encoder, its, ids)])

    vectors = {shared.BASE: means(base, base_tokenizer), FINE_TUNED: means(encoder_of(model), tokenizer)}
    return Embedded("texts with one label (mean of the tokens)", truth[drawn], drawn.astype(str), vectors)
