"""The predictions table of gene–disease pairs, and the thresholds that its predictions follow from."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bioft.task import BASE, FINE_TUNED

if TYPE_CHECKING:
    from datasets import Dataset

PAIR = ["gene", "gene_id", "disease", "disease_id", "label"]
"""The columns that say which pair a row of predictions is about."""


def predictions(rows: "Dataset", scores: np.ndarray, threshold: float | None) -> pd.DataFrame:
    """The predictions table of pairs: the columns `PAIR`, score and, with a threshold, the prediction (0 or 1)."""
    table = rows.select_columns(PAIR).to_pandas().assign(score=np.asarray(scores))
    return table if threshold is None else table.assign(prediction=(table["score"] >= threshold).astype(int))


def pairs_share(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """The gene and the disease of each pair: pairs that share one are not independent."""
    return table["gene_id"].astype(str).to_numpy(), table["disease_id"].astype(str).to_numpy()


def thresholds(record: Mapping[str, Any]) -> dict[str, float]:
    """By system the score from which on a pair is predicted to be associated, as far as it is on record."""
    scoring = record["scoring"]
    all_of_them = {FINE_TUNED: scoring["threshold"], BASE: scoring.get("base_model_threshold")}
    all_of_them |= scoring.get("baseline_thresholds", {})
    return {system: threshold for system, threshold in all_of_them.items() if threshold is not None}
