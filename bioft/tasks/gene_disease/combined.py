"""Pairs scored by all baselines and the model together, as a run's validation split weighed them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from datasets import Dataset, DatasetDict

from bioft.datasets.gene_disease.baselines import SIDES
from bioft.datasets.recorded import recorded_splits
from bioft.errors import BioftError
from bioft.hub import pull
from bioft.metrics import combination
from bioft.storage import runs
from bioft.storage.text_lines import normalise
from bioft.task import FINE_TUNED
from bioft.tasks.gene_disease import TASK, evaluate, predict as prediction

NOT_TRAINED = "not_in_training"
MODEL = "model"
SHOWN = 10
RESTS_ON = {
    "gene": "the names, and what training knows of the disease",
    "disease": "the names, and what training knows of the gene",
    "gene and disease": "the names alone",
}
"""By what training never saw of a pair: what its score rests on."""


def columns() -> list[str]:
    """What `score_pairs` says of a pair beside its names and answer: the model, each baseline, what is unknown."""
    return [MODEL, *TASK.baselines, NOT_TRAINED]


def score_pairs(
    run: str | Path, pairs: Sequence[tuple[str, str]], batch_size: int | None = None
) -> tuple[list[dict[str, Any]], list[str]]:
    """Score (gene, disease) pairs, by name or id, by the combination on record; the baselines are fitted again.

    Returns for each pair a dict of gene, disease, score (0 to 1), threshold and prediction of the combination, the
    scores of the model and of each baseline, and which of the two training never saw (`NOT_TRAINED`, "" for none); and
    notes for the user.

    BioftError: a run without such weights, data that can't be had, or a name of several ids.
    """
    directory = pull.run_directory(str(run))
    record = runs.read_trained(directory, TASK.name)
    if (weights := record["scoring"].get("combination")) is None:
        raise BioftError(
            f"The record of {run} has no weights of model and baselines: validation was too small, or the run is of "
            "an earlier bioft. Leave out --combined."
        )
    splits = recorded_splits(directory, record)
    given = dict(zip(SIDES, zip(*pairs, strict=True), strict=True))
    rows: dict[str, list[str]] = {}
    for side, names in given.items():
        known = identified(names, names_of(splits, side), f"--{side}")
        rows |= {f"{side}_id": [id_ for id_, _ in known], side: [name for _, name in known]}
    asked = Dataset.from_dict(rows | {"label": [0] * len(pairs)})
    dataset = DatasetDict({**{split: splits[split] for split in ("train", "validation")}, "test": asked})
    scores = {name: its["test"] for name, its in evaluate.fit_baselines(dataset, record)}
    read = prediction.predict_pairs(directory, list(zip(asked["gene"], asked["disease"], strict=True)), batch_size)
    table = pd.DataFrame({MODEL: [its["score"] for its in read], **scores})
    table.insert(0, "score", combination.score(weights, {FINE_TUNED: table[MODEL].to_numpy(), **scores}))
    table.insert(1, "threshold", weights["threshold"])
    table.insert(2, "prediction", (table["score"] >= weights["threshold"]).astype(int))
    trained = {side: set(splits["train"][f"{side}_id"]) for side in SIDES}
    table[NOT_TRAINED] = [
        " and ".join(side for side, id_ in zip(SIDES, ids, strict=True) if id_ not in trained[side])
        for ids in zip(asked["gene_id"], asked["disease_id"], strict=True)
    ]
    found = [
        {"gene": gene, "disease": disease, **{str(key): value for key, value in its.items()}}
        for (gene, disease), its in zip(pairs, table.to_dict("records"), strict=True)
    ]
    return found, list(_notes(found))


def _notes(found: Sequence[Mapping[str, Any]]) -> list[str]:
    notes = []
    for missing, what in RESTS_ON.items():
        its = [row for row in found if row[NOT_TRAINED] == missing]
        names = dict.fromkeys(" and ".join(row[side] for side in missing.split(" and ")) for row in its)
        if names:
            more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
            notes.append(
                f"Training never saw the {missing} of {len(its):,} of {len(found):,} pairs ("
                f"{', '.join(list(names)[:SHOWN])}{more}): these scores rest on {what}."
            )
    return notes


def names_of(splits: Mapping[str, Any], side: str) -> pd.DataFrame:
    """The genes or the diseases of all splits, each once: id and name."""
    rows = pd.concat([rows.select_columns([f"{side}_id", side]).to_pandas() for rows in splits.values()])
    return rows.set_axis(["id", "name"], axis=1).drop_duplicates("id").sort_values("id", ignore_index=True)


def identified(given: Sequence[str], known: pd.DataFrame, source: Any) -> list[tuple[str, str]]:
    """The id and name of each of some names or ids; of what is not known (`names_of`) twice what was given.

    BioftError: a name of several; `source` says where it stands.
    """
    by_name = {normalise(name): (id_, name) for id_, name in zip(known["id"], known["name"], strict=True)}
    by_id = {id_: (id_, name) for id_, name in zip(known["id"], known["name"], strict=True)}
    folded = known["name"].map(normalise)
    several = set(folded[folded.duplicated()]) & {normalise(each) for each in given if each not in by_id}
    if several:
        raise BioftError(f"{source}: names of several in the data: {', '.join(sorted(several)[:10])}. Give their ids.")
    return [by_id.get(each) or by_name.get(normalise(each)) or (each, each) for each in given]
