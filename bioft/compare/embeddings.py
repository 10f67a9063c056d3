"""Embeddings of a sample of test examples by the base model and by the fine-tuned one: map, probe, separation.

The probe is a logistic regression on frozen embeddings, cross-validated within the test split, so that nothing that it
is asked about was trained on, neither by the encoder nor by itself.
"""

import numpy as np
import pandas as pd

from bioft.compare.errors import area, row, share, with_interval
from bioft.errors import BioftError
from bioft.metrics.estimation import estimates
from bioft.metrics.estimation.groups import Groups
from bioft.metrics.report import p_words
from bioft.task import FINE_TUNED
from bioft.tasks.answers import BASE
from bioft.tasks.embedded import Embedded, Floats

FOLDS = 5


def maps(embedded: Embedded, seed: int = 0) -> dict[str, Floats]:
    """By model the places of the examples in a plane by t-SNE (van der Maaten and Hinton 2008), shape (n, 2)."""
    from sklearn.manifold import TSNE

    n = len(embedded.labels)
    return {
        name: TSNE(
            perplexity=min(30, (n - 1) / 3), metric="cosine", init="pca", learning_rate="auto", random_state=seed
        ).fit_transform(values)
        for name, values in embedded.vectors.items()
    }


def measure(embedded: Embedded, seed: int = 0) -> tuple[pd.DataFrame, list[str]]:
    """Probe and separation of each model's embeddings: model, measure, n, value, low, high; and sentences on both.

    "probe accuracy": of logistic regression, `FOLDS`-fold cross-validation; examples of a group are in one fold.
    "majority": what always giving the most frequent class reaches. "silhouette": the mean of Rousseeuw (1987), -1 to
    1, by cosine. Of texts without classes the probe tells from |u - v| whether two texts u and v belong together, and
    "AUROC of the cosine" says how well their similarity does. BioftError: fewer than two classes with enough examples.
    """
    from sklearn.metrics import silhouette_samples

    rows, sentences, right = [], [], {}
    truth, groups = embedded.labels, embedded.groups
    if embedded.pairs is None:
        counts = pd.Series(truth).value_counts()
        kept = np.isin(truth, counts[counts >= FOLDS].index)
        truth, groups = truth[kept], groups[kept]
        if len(set(truth.tolist())) < 2:
            raise BioftError(f"Fewer than two classes have {FOLDS} examples.")
        if not kept.all():
            sentences.append(f"{(~kept).sum():,} examples of classes with fewer than {FOLDS} are left out.")
        vectors = {name: values[kept] for name, values in embedded.vectors.items()}
    else:
        first, second, truth = embedded.pairs.T
        groups = groups[first]
        vectors = {name: np.abs(values[first] - values[second]) for name, values in embedded.vectors.items()}
    names, most = np.unique(truth, return_counts=True)
    majority = share((truth == names[most.argmax()]).astype(float), *_of(groups))
    rows.append(row("majority", len(truth), majority, model="(no model)"))
    for name, values in vectors.items():
        right[name] = (_cross_validated(values, truth, groups, seed) == truth).astype(float)
        rows.append(row("probe accuracy", len(truth), share(right[name], *_of(groups)), model=name))
    for name, values in embedded.vectors.items():
        if embedded.pairs is not None:
            first, second, together = embedded.pairs.T
            unit = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
            # Pairs share their first texts and their second ones.
            shared = embedded.groups[first], embedded.groups[second]
            curve = area(together, (unit[first] * unit[second]).sum(axis=1), shared)
            assert curve is not None
            rows.append(row("AUROC of the cosine", len(together), curve, model=name))
        else:
            found = silhouette_samples(vectors[name], truth, metric="cosine")
            silhouette = with_interval(estimates.mean(found, estimates.CORRELATION), [groups])
            rows.append(row("silhouette", len(found), silhouette, model=name))
    ours, theirs = right[FINE_TUNED], right[BASE]
    compared = estimates.difference(
        "accuracy", estimates.mean(ours), estimates.mean(theirs), Groups(len(ours), [groups])
    )
    sentences.append(
        f"The probe gets {int((ours > theirs).sum()):,} right on the fine-tuned embeddings only and "
        f"{int((ours < theirs).sum()):,} on the base model's only ({p_words(compared.p_value)}, paired)."
    )
    return pd.DataFrame(rows), sentences


def _of(groups: np.ndarray) -> tuple[Floats, list[np.ndarray]]:
    return np.ones(len(groups)), [groups]


def _cross_validated(values: Floats, truth: np.ndarray, groups: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    # Strong regularisation: there are about as many dimensions as examples.
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    return cross_val_predict(probe, values, truth, groups=groups, cv=folds)
