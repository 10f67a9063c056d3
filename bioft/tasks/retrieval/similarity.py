"""How well cosines tell related texts from unrelated ones, on pairs with scores: Spearman correlation, separation."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from datasets import Dataset
from scipy import stats

from bioft.metrics import bootstrap
from bioft.tasks.retrieval.encoder import RELATED

MEASURES = ("spearman", "auroc", "cosine_related", "cosine_unrelated")
"""Rank correlation of cosine and score; how often a related pair is nearer than an unrelated one; mean cosines."""


def measure(rows: Dataset, encoders: Mapping[str, Any], *, n_resamples: int = 1000, seed: int = 0) -> dict[str, Any]:
    """Return for each encoder (a `SentenceTransformer`) the `MEASURES`, each with value, low, high and n.

    The intervals (95 %) are bootstrapped over the groups of the pairs, since pairs of a group share texts. Rows
    without the columns sentence1, sentence2 and score, or of which all or none are related, give an empty dict.
    """
    related = np.array(rows["score"][:]) >= RELATED if "score" in rows.features else np.array([])
    if not (related.any() and not related.all()):
        return {}
    scores = np.array(rows["score"][:], float)
    _, group_index = np.unique(rows["group"][:], return_inverse=True)
    drawn = [
        np.repeat(np.arange(len(rows)), weights.astype(int))
        for chunk in bootstrap.resample_weights(len(rows), n_resamples, seed, group_index)
        for weights in chunk
    ]
    return {name: _with_intervals(cosines(rows, encoder), scores, drawn) for name, encoder in encoders.items()}


def cosines(rows: Dataset, encoder: Any) -> np.ndarray:
    """The cosine of sentence1 and sentence2 in each row, shape (rows,)."""
    texts = list(dict.fromkeys([*rows["sentence1"][:], *rows["sentence2"][:]]))
    vectors = encoder.encode(texts, normalize_embeddings=True, show_progress_bar=False)
    row_of = {text: row for row, text in enumerate(texts)}
    first, second = (vectors[[row_of[text] for text in rows[column][:]]] for column in ("sentence1", "sentence2"))
    return (first * second).sum(axis=1)


def _with_intervals(cosines: np.ndarray, scores: np.ndarray, drawn: list[np.ndarray]) -> dict[str, Any]:
    values = _values(cosines, scores)
    # A resample of one kind only says nothing of the other.
    both = [each for each in drawn if len(np.unique(scores[each] >= RELATED)) == 2]
    resampled = np.array([_values(cosines[each], scores[each]) for each in both]).reshape(-1, len(MEASURES))
    found = {}
    for column, (name, value) in enumerate(zip(MEASURES, values, strict=True)):
        low, high = bootstrap.percentiles(resampled[:, column], 0.95, value)
        found[name] = {"value": value, "low": low, "high": high, "n": len(scores)}
    return found


def _values(cosines: np.ndarray, scores: np.ndarray) -> tuple[float, float, float, float]:
    # From ranks: SciPy's and scikit-learn's own functions take several times as long, for each resample.
    related, ranks = scores >= RELATED, stats.rankdata(cosines)
    n, n_related = len(scores), related.sum()
    above = ranks[related].sum() - n_related * (n_related + 1) / 2
    return (
        float(np.corrcoef(ranks, stats.rankdata(scores))[0, 1]),
        float(above / (n_related * (n - n_related))),
        float(cosines[related].mean()),
        float(cosines[~related].mean()),
    )
