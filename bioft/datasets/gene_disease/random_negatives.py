"""The positives of a dataset beside pairs that are drawn at random: what most published figures are measured against.

Of a dataset with degree-matched negatives: what counting tells there can be seen beside what it tells of these.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from datasets import Dataset, DatasetDict

from bioft.datasets.gene_disease import negatives
from bioft.datasets.gene_disease.baselines import COLUMNS, SIDES
from bioft.errors import BioftError

MOST = 300
"""Positives of validation and of test that are kept at most, beside as many negatives: a model reads these."""
HELD_OUT = {"gene": ("gene_held_out", "both_held_out"), "disease": ("disease_held_out", "both_held_out")}
"""By side the splits in which each part has its own."""
ROW = "row"
"""The column that says which row of the dataset a positive is; -1 of a negative."""


def draw(dataset: Mapping[str, Dataset], about: Mapping[str, Any]) -> DatasetDict | None:
    """The positives of each split and as many pairs of its genes and diseases, drawn at random (always the same).

    `about` is what a run's record says of the dataset. The columns are `COLUMNS`, label and `ROW`; no negative is a
    positive of any split or drawn twice. None for a dataset whose own negatives are not matched by degree, whose test
    split is hidden, or that has too few genes and diseases.
    """
    arguments = about.get("arguments", {})
    if arguments.get("negatives") != "degree_matched" or about.get("evaluated_on") == "validation":
        return None
    positives: dict[str, pd.DataFrame] = {}
    for split, rows in dataset.items():
        table = rows.select_columns([*COLUMNS, "label"]).with_format(None).to_pandas()
        positives[split] = table.assign(**{ROW: np.arange(len(table))})[table["label"] == 1]
    everything = pd.concat(positives.values())
    names = {side: everything.drop_duplicates(f"{side}_id")[[f"{side}_id", side]] for side in SIDES}
    codes = {side: pd.Index(its[f"{side}_id"]) for side, its in names.items()}
    n_diseases = len(names["disease"])

    def coded(rows: pd.DataFrame, side: str) -> negatives.Codes:
        return codes[side].get_indexer(pd.Index(rows[f"{side}_id"])).astype(np.int64)

    forbidden = np.unique(coded(everything, "gene") * n_diseases + coded(everything, "disease"))
    rng, drawn = np.random.default_rng(0), DatasetDict()
    for split, its in positives.items():
        kept = its if split == "train" or len(its) <= MOST else its.sample(MOST, random_state=0)
        held_out = {side: arguments.get("split") in strategies for side, strategies in HELD_OUT.items()}
        among = {side: np.unique(coded(its if held_out[side] else everything, side)) for side in SIDES}
        try:
            genes, diseases = negatives.uniform(
                len(kept), among["gene"], among["disease"], n_diseases=n_diseases, forbidden=forbidden, rng=rng
            )
        except BioftError:
            return None
        forbidden = np.union1d(forbidden, genes * n_diseases + diseases)
        sides = (names["gene"].iloc[genes], names["disease"].iloc[diseases])
        random = pd.concat([side.reset_index(drop=True) for side in sides], axis=1).assign(label=0, **{ROW: -1})
        drawn[split] = Dataset.from_pandas(pd.concat([kept, random]), preserve_index=False)
    return drawn
