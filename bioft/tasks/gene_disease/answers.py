"""What a run on gene–disease pairs answered, from its stored predictions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioft.metrics.report import WITH_MODEL
from bioft.task import BASE, FINE_TUNED
from bioft.tasks import answers as shared
from bioft.tasks.answers import BASE as BASE_MODEL, Answers, Outcomes, Probabilities, Ranking
from bioft.tasks.embedded import Embedded, Floats, Sampled, last_states
from bioft.tasks.gene_disease.table import PAIR, pairs_share, thresholds

COLUMNS = dict.fromkeys(PAIR, shared.TEXTS) | dict.fromkeys(
    ("label", "score", "prediction", "base_score?", "baseline_"), shared.NUMBERS
)


def read(directory: Path, record: Mapping[str, Any]) -> pd.DataFrame:
    """The stored predictions; BioftError if they can't be read."""
    return shared.read_table(directory, COLUMNS)


def systems(table: pd.DataFrame, record: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """By system the predictions table, with the predictions that follow from scores and recorded thresholds."""
    recorded, found = thresholds(record), {}
    for name, its in shared.systems_of(table, "score", PAIR, base="base_score").items():
        threshold = recorded.get(name)
        found[name] = its if threshold is None else its.assign(prediction=(its["score"] >= threshold).astype(np.int64))
    return found


def with_model(systems: Mapping[str, pd.DataFrame], record: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """The predictions table of all baselines with the model, by the weights on record; {} where it has none."""
    from bioft.metrics import combination  # which takes seconds

    weights = record["scoring"].get("combination")
    if weights is None:
        return {}
    baselines = {name: systems[name] for name in weights["weights"] if name != FINE_TUNED}
    return {WITH_MODEL: combination.table(weights, systems[FINE_TUNED], baselines)}


def differences(made: pd.DataFrame, stored: pd.DataFrame, record: Mapping[str, Any]) -> pd.DataFrame:
    """How far scores made again are from the stored ones of the same pairs, and which answers are others."""
    off = stored["score"].to_numpy() - made["score"].to_numpy()
    changed = np.zeros(len(made), dtype=bool)
    if "prediction" in made and "prediction" in stored:
        changed = made["prediction"].to_numpy() != stored["prediction"].to_numpy()
    words = [
        f"{gene} – {disease}: stored {then:.4f}, now {now:.4f}"
        for gene, disease, then, now in zip(made["gene"], made["disease"], stored["score"], made["score"], strict=True)
    ]
    return pd.DataFrame({"difference": np.abs(off), "changed": changed, "words": words})


def measured(table: pd.DataFrame, record: Mapping[str, Any]) -> Outcomes:
    """As `outcomes`, without predictions the ranking alone; and the squared error, which calibration shows in."""
    label, score = table["label"].to_numpy(np.int64), table["score"].to_numpy(np.float64)
    found = outcomes(table) if "prediction" in table else Outcomes([], {"auroc": Ranking(label, score)})
    found.metrics["squared error"] = shared.mean_of(-((score - label) ** 2))
    return found


def outcomes(table: pd.DataFrame) -> Outcomes:
    """The ids of the test examples and the metrics of the run on them, the main one first."""
    label, prediction = table["label"].to_numpy(), table["prediction"].to_numpy()
    return Outcomes(
        [f"{gene}\t{disease}" for gene, disease in zip(table["gene_id"], table["disease_id"], strict=True)],
        {
            "auroc": Ranking(label.astype(np.int64), table["score"].to_numpy(np.float64)),
            "accuracy": shared.mean_of(label == prediction),
            "f1": shared.f1_of(label & prediction, label, prediction),
        },
        pairs_share(table),
        table["label"].astype(str).to_list(),
    )


def answers(table: pd.DataFrame, record: Mapping[str, Any]) -> Answers:
    """What all systems of the run answered."""
    stored = {BASE_MODEL if name == BASE else name: its for name, its in systems(table, record).items()}
    given = {system: its["score"].to_numpy(float) for system, its in stored.items()}
    answers = {system: its["prediction"].to_numpy() for system, its in stored.items() if "prediction" in its}
    truth = table["label"].to_numpy(np.int64)
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
        pairs_share(table),
        scores=pd.DataFrame(given),
        labels=truth,
        probabilities={system: Probabilities(truth, scores, pairs_share(table)) for system, scores in given.items()},
        confusion={system: shared.crosstab(words[truth], words[its], list(words)) for system, its in answers.items()},
        properties=pd.DataFrame(
            {
                "characters of the gene's name": table["gene"].str.len(),
                "words of the disease's name": table["disease"].str.split().str.len(),
            }
        ),
        missing=missing,
    )


def properties(answers: Answers, table: pd.DataFrame, splits: Any) -> pd.DataFrame:
    """What the splits tell of each unit: frequencies in training, lengths, evidence."""
    train, test = splits["train"].to_pandas(), splits["test"].to_pandas()
    columns = ["gene_id", "disease_id", "label"]
    ours, theirs = (rows[columns].astype(str) for rows in (table, test))
    shared.check_same(len(table) == len(test) and bool((ours == theirs).all(axis=None)))
    positives = train[train["label"] == 1]
    found = {
        f"associations of the {side} in training": table[f"{side}_id"]
        .astype(str)
        .map(positives[f"{side}_id"].astype(str).value_counts())
        .fillna(0)
        for side in ("gene", "disease")
    }
    # Negatives are drawn, and have no evidence: they would be a group that is right by saying "not associated".
    evidence = test["evidence"].where(test["label"] == 1, np.nan).replace("", np.nan)
    articles = test["pmids"].str.split("|").str.len().where((test["label"] == 1) & (test["pmids"] != ""), np.nan)
    return pd.DataFrame(
        found
        | {"evidence (associated pairs)": evidence.to_numpy(), "articles (associated pairs)": articles.to_numpy()}
    )


def embed(run: Sampled) -> Embedded:
    """The state of the last token of the question, from which the answer is read."""
    import torch

    from bioft.models.scoring import backbone_of
    from bioft.tasks.gene_disease import predict as prediction

    table = run.table.iloc[run.drawn()]
    model, prompts, _ = prediction.load_run(run.directory)
    model.eval()
    ids = prompts.token_ids(table["gene"].tolist(), table["disease"].tolist())

    def states_of_questions() -> Floats:
        with torch.inference_mode():
            return np.stack([each[-1] for each in last_states(backbone_of(model), prompts.tokenizer, ids)])

    vectors = {FINE_TUNED: states_of_questions()}
    with model.disable_adapter():
        vectors = {BASE_MODEL: states_of_questions(), **vectors}
    labels = np.where(table["label"] == 1, "associated", "not associated")
    return Embedded("questions about pairs (state of the last token)", labels, table["gene_id"].to_numpy(str), vectors)
