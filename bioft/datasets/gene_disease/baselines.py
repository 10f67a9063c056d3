"""Baselines that need no language model, with the interface of one: fit on a training split, score another.

A model is worth its training only where it beats these. Each of the first three measures one shortcut that a
dataset of gene–disease pairs may leave open; the graph is the signal that is there without reading.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from datasets import Dataset
from numpy.typing import NDArray
from scipy import sparse
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import StandardScaler, normalize
from sklearn.utils.extmath import randomized_svd

from bioft.datasets import surface
from bioft.errors import BioftError
from bioft.storage.datasets import remembered
from bioft.storage.files import forget

Floats = NDArray[np.float64]

COLUMNS = ("gene", "gene_id", "disease", "disease_id")
"""The columns that a baseline may look at, beside `label` in training."""

SIDES = ("gene", "disease")
CHUNK = 100_000
"""Pairs that are scored at once, which bounds the memory."""
FEW = 10_000
"""The same of those with many features."""
CELLS = 4_000_000
"""Pairs of a row and what is known that are looked at together: 32 MB for each number of them."""
BLOCK = 20_000
"""The same for those of several ids, of each of which little is known: a product for each would take longer."""
FOLDS = 10
"""Parts of the training split for cross-fitting: see `Popularity`."""


class Baseline(ABC):
    """Scores gene–disease pairs after being fitted on a training split (contract columns of the dataset)."""

    def fit(self, train: Dataset) -> Self:
        """Fit on a training split and return the baseline itself; BioftError: it is empty or has one class only."""
        frame = _frame(train, (*COLUMNS, "label"))
        labels = frame["label"]
        wrong = ~labels.isin([0, 1])
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise BioftError(f"Labels must be 0 or 1: row {row} of the training split has {labels[row]}.")
        positives = int(labels.sum())
        if positives in (0, len(frame)):
            found = f"all {len(frame):,} of its rows have label {labels[0]}" if len(frame) else "it has no rows"
            raise BioftError(
                f"The {type(self).__name__} baseline needs positives and negatives in the training split, but "
                f"{found}. Check the split and evidence arguments of the build."
            )
        self.prior = positives / len(frame)
        """Fraction of positives in training: the score where a baseline knows nothing."""
        self._fit(frame)
        return self

    def predict(self, dataset: Dataset) -> Floats:
        """Return one score per row, shape (n,), in [0, 1]: the probability that the pair is associated; labels are not
        read.
        """
        frame = _frame(dataset, COLUMNS)
        parts = (self._predict(frame.iloc[at : at + CHUNK]) for at in range(0, len(frame), CHUNK))
        return np.clip(np.concatenate([np.empty(0), *parts]), 0, 1)

    @abstractmethod
    def _fit(self, train: pd.DataFrame) -> None: ...

    @abstractmethod
    def _predict(self, frame: pd.DataFrame) -> Floats: ...


class Majority(Baseline):
    """The fraction of positives in training, for every pair."""

    def _fit(self, train: pd.DataFrame) -> None:
        pass

    def _predict(self, frame: pd.DataFrame) -> Floats:
        return np.full(len(frame), self.prior)


class Popularity(Baseline):
    """How many training positives the gene has and how many the disease has, and nothing else.

    Two features, log(1 + degree), go to a classifier. Degrees come from training positives only. A training
    row must not count itself: a positive would then have a degree of at least 1, which test positives need
    not have, and boosted trees fall for it (CTD, uniform negatives: accuracy .80 instead of .85). Leaving
    out only the row itself is no better: then degree 0 occurs with positives only, and held-out genes
    (degree 0) come out inverted (AUROC .54 instead of .90). So the degrees of a training row are counted in the
    other nine tenths of the split (cross-fitting), where both classes have entities of degree 0.
    """

    def __init__(self, classifier: Any) -> None:
        """Take any scikit-learn classifier with ``predict_proba``."""
        self.classifier = classifier

    def _fit(self, train: pd.DataFrame) -> None:
        positive = train[train["label"] == 1]
        self.degrees = {column: positive[column].value_counts() for column in ("gene_id", "disease_id")}
        folds = _folds(len(train))
        features = np.empty((len(train), len(self.degrees)))
        for i, (column, degrees) in enumerate(self.degrees.items()):
            codes = degrees.index.get_indexer(pd.Index(train[column]))
            # Entities without a positive (code -1) share the last row, which no positive adds to.
            counts = np.zeros((len(degrees) + 1, FOLDS))
            is_positive = train["label"].to_numpy() == 1
            np.add.at(counts, (codes[is_positive], folds[is_positive]), 1)
            features[:, i] = np.log1p(counts.sum(axis=1)[codes] - counts[codes, folds])
        self.classifier.fit(features, train["label"])

    def _predict(self, frame: pd.DataFrame) -> Floats:
        degrees = [frame[column].map(counts).fillna(0) for column, counts in self.degrees.items()]
        return self.classifier.predict_proba(np.log1p(np.stack(degrees, axis=1)))[:, 1]


class TfIdf(Baseline):
    """What the two names give away each by itself: TF-IDF of their words and characters, logistic regression.

    The gene's and the disease's name are separate features, so the model adds up what it thinks of each: it
    finds names that are frequent among positives (or negatives), not which gene belongs to which disease.
    """

    def _fit(self, train: pd.DataFrame) -> None:
        self.vectorizers = {"gene": _names_vectorizer(), "disease": _names_vectorizer()}
        sides = []
        for column, vectorizer in self.vectorizers.items():
            try:
                codes, names = pd.factorize(train[column])  # each name is taken apart once
                sides.append((sparse.csr_array(vectorizer.fit_transform(names)), codes))
            except ValueError as error:  # scikit-learn's "empty vocabulary"
                raise BioftError(
                    f"No {column} name in the training split has a letter or digit in it: is column {column!r} filled?"
                ) from error
        # liblinear takes seconds where the default solver takes a minute, on 100,000 sparse features.
        classifier = LogisticRegression(solver="liblinear")
        self.classifier = classifier.fit(_side_by_side(sides, slice(None)), train["label"])

    def _predict(self, frame: pd.DataFrame) -> Floats:
        sides = []
        for column, vectorizer in self.vectorizers.items():
            codes, names = pd.factorize(frame[column])
            sides.append((sparse.csr_array(vectorizer.transform(names)), codes))
        scores = np.empty(len(frame))
        for at in range(0, len(frame), FEW):  # a hundred numbers for each row, twice
            rows = slice(at, at + FEW)
            scores[rows] = self.classifier.predict_proba(_side_by_side(sides, rows))[:, 1]
        return scores


class Surface(Baseline):
    """What the two names look like: their length, case, digits and punctuation, and the first letters of symbols.

    Boosted trees, which find what several of these say together. Nothing of it is knowledge of genes or diseases.
    """

    def _features(self, frame: pd.DataFrame) -> pd.DataFrame:
        found = []
        for column in ("gene", "disease"):
            codes, names = pd.factorize(frame[column])  # each name is looked at once
            its = surface.features(pd.DataFrame({column: names}), [column])
            found.append(its.drop(columns=f"{column}: rows with it").iloc[codes].reset_index(drop=True))
        return pd.concat(found, axis=1)

    def _fit(self, train: pd.DataFrame) -> None:
        features = self._features(train)
        self.columns = list(features)
        self.classifier = HistGradientBoostingClassifier(random_state=0).fit(features, train["label"])

    def _predict(self, frame: pd.DataFrame) -> Floats:
        return self.classifier.predict_proba(self._features(frame).reindex(columns=self.columns))[:, 1]


class Graph(Baseline):
    """How near gene and disease are in the graph of training positives: link prediction without any text.

    The gene × disease matrix of training positives, each entry divided by the fourth root of both degrees (which
    lessens the pull of popular entities), is factorised by a truncated SVD. The score is the cosine of the gene's and
    the disease's vector, made a probability by a logistic regression. It is fitted by cross-fitting, on cosines from
    graphs that lack the row's tenth of the split, since a training positive is an edge of the full graph and would
    look far nearer than a test positive can. Pairs with a gene or disease without a training positive get the training
    prior.
    """

    def __init__(self, factors: int = 64) -> None:
        """Keep that many singular vectors, or as many as the graph has; fewer suit a graph of a few hundred."""
        self.factors = factors

    def _fit(self, train: pd.DataFrame) -> None:
        labels = train["label"].to_numpy()
        folds = _folds(len(train))
        cosines = np.full(len(train), np.nan)
        for fold in range(FOLDS):
            inside = folds == fold
            edges = train[~inside & (labels == 1)]
            if len(edges):
                cosines[inside] = _Embedding(edges, self.factors).cosines(train[inside])
        self.embedding = _Embedding(train[labels == 1], self.factors)
        known = ~np.isnan(cosines)
        counts = np.bincount(labels[known], minlength=2)
        self.calibration: LogisticRegression | None = None
        if counts.all():
            # A positive whose gene has no other is unknown here, a negative with that gene is not. Weights
            # give the known rows the prior of all, so that being known is no evidence by itself.
            weights = np.array([1 - self.prior, self.prior]) * counts.sum() / counts
            self.calibration = LogisticRegression().fit(
                cosines[known, None], labels[known], sample_weight=weights[labels[known]]
            )

    def _predict(self, frame: pd.DataFrame) -> Floats:
        cosines = self.embedding.cosines(frame)
        known = ~np.isnan(cosines)
        scores = np.full(len(frame), self.prior)
        if self.calibration is not None and known.any():
            scores[known] = self.calibration.predict_proba(cosines[known, None])[:, 1]
        return scores


class Likeness(Baseline):
    """How alike the disease is to the known diseases of the gene, and the gene to the known genes of the disease.

    Alike by name (TF-IDF of characters: the largest cosine, the mean, the mean of the three largest) and by the graph
    of training positives (the share of genes, or of diseases, that two have in common). Boosted trees learn from these
    and from how many are known. A training positive is no test positive: its gene knows its disease. So what the pair
    itself adds is taken away, and from a negative, whose gene and disease would else know one more than those of a
    positive do, one known disease and one known gene at random.
    """

    def _fit(self, train: pd.DataFrame) -> None:
        edges = train.loc[train["label"] == 1, ["gene_id", "disease_id"]].drop_duplicates()
        self.ids = {column: pd.Index(train[f"{column}_id"].unique()) for column in SIDES}
        places = [self.ids[column].get_indexer(pd.Index(edges[f"{column}_id"])) for column in SIDES]
        shape = tuple(len(ids) for ids in self.ids.values())
        self.graph = sparse.csr_array((np.ones(len(edges)), places), shape=shape)
        self.vectorizers, self.names = {}, {}
        for column in SIDES:
            first = train.drop_duplicates(f"{column}_id")[column]
            self.vectorizers[column] = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True)
            self.names[column] = sparse.csr_array(self.vectorizers[column].fit_transform(first))
        features = self._features(train, train["label"].to_numpy() == 1)
        features[:, np.isnan(features).all(axis=0)] = 0  # such a column breaks the trees
        self.classifier = HistGradientBoostingClassifier(random_state=0).fit(features, train["label"])

    def _predict(self, frame: pd.DataFrame) -> Floats:
        return self.classifier.predict_proba(self._features(frame))[:, 1]

    def _features(self, frame: pd.DataFrame, is_edge: NDArray[np.bool_] | None = None) -> Floats:
        """Of the disease and the diseases of the gene, then of the gene and the genes of the disease: shape (n, 12).

        `is_edge` says of training rows which are positives.
        """
        gene, disease = SIDES
        return np.hstack(
            [
                self._of_side(frame, disease, gene, self.graph, is_edge),
                self._of_side(frame, gene, disease, sparse.csr_array(self.graph.T), is_edge),
            ]
        )

    def _of_side(
        self, frame: pd.DataFrame, own: str, other: str, graph: sparse.csr_array, is_edge: NDArray[np.bool_] | None
    ) -> Floats:
        codes, names = pd.factorize(frame[own])
        vectors = sparse.csr_array(self.vectorizers[own].transform(names))[codes]
        places = self.ids[own].get_indexer(pd.Index(frame[f"{own}_id"]))
        by = graph.tocsc()
        degrees = np.diff(by.indptr)
        random = np.random.default_rng(0)
        features = np.full((len(frame), 6), np.nan)
        features[:, 5] = 0
        ids = self.ids[other].get_indexer(pd.Index(frame[f"{other}_id"]))
        for block in _blocks(ids, np.diff(graph.indptr)):
            rows = np.concatenate(block)
            of_block = [
                graph.indices[graph.indptr[at] : graph.indptr[at + 1]] for at in (ids[its[0]] for its in block)
            ]
            known, sizes = np.concatenate(of_block), list(map(len, of_block))
            numbers = np.arange(len(block))
            kept = np.repeat(numbers, list(map(len, block)))[:, None] == np.repeat(numbers, sizes)
            mine = places[rows]
            shared = np.zeros(kept.shape)
            seen = mine >= 0
            shared[seen] = (by[:, mine[seen]].T @ by[:, known]).toarray()
            own_degree = np.where(seen, degrees[mine], 0).astype(float)
            if is_edge is not None:
                positive = is_edge[rows]
                kept[positive] &= known != mine[positive, None]
                negatives = [int((~is_edge[its]).sum()) for its in block]
                drawn = [random.integers(size, size=n) for size, n in zip(sizes, negatives, strict=True)]
                starts = np.repeat(np.cumsum([0, *sizes[:-1]]), negatives)
                kept[np.flatnonzero(~positive), starts + np.concatenate(drawn)] = False
                shared[positive] -= 1  # the row's own `other` is one that all of its known ones share
                own_degree -= 1
            n = kept.sum(axis=1)
            some = n > 0
            cosines = np.where(kept, (vectors[rows] @ self.names[own][known].T).toarray(), 0)
            together = np.where(kept, shared / np.sqrt(np.maximum(own_degree, 1)[:, None] * degrees[known]), 0)
            three = np.sort(cosines, axis=1)[:, -3:].sum(axis=1) / np.clip(n, 1, 3)
            found = (
                cosines.max(axis=1),
                cosines.sum(axis=1) / np.maximum(n, 1),
                three,
                together.sum(axis=1) / np.sqrt(np.maximum(n, 1)),
                together.max(axis=1),
                n,
            )
            features[rows[some]] = np.stack(found, axis=1)[some]
        return features


GENE_DISEASE: dict[str, Callable[[], Baseline]] = {
    "majority": Majority,
    "popularity_logistic": lambda: Popularity(make_pipeline(StandardScaler(), LogisticRegression())),
    "popularity_boosted": lambda: Popularity(HistGradientBoostingClassifier(random_state=0)),
    "surface": Surface,
    "tfidf": TfIdf,
    "graph": Graph,
    "likeness": Likeness,
}
"""The baselines of gene–disease association by name, each a function that makes an unfitted one."""


@remembered
def scores(name: str, train: Dataset, *splits: Dataset) -> list[Floats]:
    """What the baseline of this name, fitted on a training split, scores the rows of other splits; shape (n,) each."""
    fitted = GENE_DISEASE[name]().fit(train)
    return [fitted.predict(rows) for rows in splits]


class _Embedding:
    """Unit vectors of genes and diseases from the truncated SVD of their graph."""

    def __init__(self, edges: pd.DataFrame, factors: int) -> None:
        genes, self.genes = pd.factorize(edges["gene_id"])
        diseases, self.diseases = pd.factorize(edges["disease_id"])
        scale = np.bincount(genes)[genes] * np.bincount(diseases)[diseases]
        matrix = sparse.csr_array((scale**-0.25, (genes, diseases)), shape=(len(self.genes), len(self.diseases)))
        left, values, right = randomized_svd(matrix, min(factors, *matrix.shape), n_iter=5, random_state=0)
        self.gene_vectors = normalize(left * np.sqrt(values))
        self.disease_vectors = normalize(right.T * np.sqrt(values))

    def cosines(self, frame: pd.DataFrame) -> Floats:
        """Return the cosine for each row, shape (n,); NaN where the gene or the disease has no edge."""
        genes = self.genes.get_indexer(pd.Index(frame["gene_id"]))
        diseases = self.diseases.get_indexer(pd.Index(frame["disease_id"]))
        cosines = np.einsum("ij,ij->i", self.gene_vectors[genes], self.disease_vectors[diseases])
        return np.where((genes >= 0) & (diseases >= 0), cosines, np.nan)


def _blocks(ids: NDArray[np.int64], degrees: NDArray[np.int64]) -> Iterator[list[NDArray[np.int64]]]:
    """The rows of each id, of several ids together: as many as have `BLOCK` cells with what is known of them.

    An id of -1, and one of which nothing is known, has none; one of which much is known comes in several parts.
    """
    order = np.argsort(ids, kind="stable")
    block: list[NDArray[np.int64]] = []
    n_rows = n_known = 0
    for rows in np.split(order, np.flatnonzero(np.diff(ids[order])) + 1):
        degree = int(degrees[ids[rows[0]]]) if len(rows) and ids[rows[0]] >= 0 else 0
        for part in np.array_split(rows, min(len(rows), 1 + len(rows) * degree // CELLS)) if degree else ():
            if block and (n_rows + len(part)) * (n_known + degree) > BLOCK:
                yield block
                block, n_rows, n_known = [], 0, 0
            block.append(part)
            n_rows, n_known = n_rows + len(part), n_known + degree
    if block:
        yield block


def _side_by_side(sides: Sequence[tuple[sparse.csr_array, NDArray[np.int64]]], rows: slice) -> sparse.csr_array:
    """The features of rows: of each side those of its names, and which name each row has."""
    return sparse.hstack([names[codes[rows]] for names, codes in sides], format="csr")


def _names_vectorizer() -> FeatureUnion:
    words = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b", sublinear_tf=True)
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True)
    return make_union(words, characters)


def _folds(n: int) -> NDArray[np.int64]:
    """Return a fold for each of n rows, at random (seeded) and of equal sizes."""
    return np.random.default_rng(0).permutation(n) % FOLDS


def _frame(dataset: Dataset, columns: tuple[str, ...]) -> pd.DataFrame:
    frame = dataset.select_columns(list(columns)).with_format(None).to_pandas()
    forget()
    for column in columns:
        if column != "label" and (dataset.features[column].dtype != "string" or frame[column].isna().any()):
            frame[column] = frame[column].astype(object).fillna("").astype(str)
    return frame
