"""Baselines that match names to a namespace without a trained model: fit on the namespace, rank ids for names.

A model is worth its training only where it beats these. Names that differ in mark-up, case and delimiters only need
no model at all, and those that differ in a usual variant of nomenclature (-ate and -ic acid) need none either.
"""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bioft.datasets.metabolites.names import normalise, plain_text, standard_name
from bioft.errors import BioftError

Ranking = list[tuple[str, float]]
"""Ids with their scores, best first; each id once. Scores are in [0, 1]; an empty list is "nothing found"."""
Floats = NDArray[np.floating[Any]]

CANDIDATES = 20
"""Ids that are ranked for a name unless told otherwise."""
_CHUNK = 256
"""Names that are compared to the whole namespace at a time: 100 MB for 100,000 names."""


class NameBaseline(ABC):
    """Ranks the ids of a namespace for names."""

    def fit(self, namespace: pd.DataFrame) -> Self:
        """Take the namespace in (columns id and name; an id may have several names) and return the baseline itself."""
        named = namespace[namespace["name"].map(plain_text) != ""]
        if named.empty:
            raise BioftError("The namespace has no names to be matched to.")
        self.ids: list[str] = named["id"].tolist()
        self._fit(named["name"].tolist())
        return self

    def predict(self, names: Sequence[str], k: int = CANDIDATES) -> list[Ranking]:
        """Return the k best ids for each name; nothing for an empty name."""
        rankings: list[Ranking] = []
        for start in range(0, len(names), _CHUNK):
            chunk = list(names[start : start + _CHUNK])
            found = self._predict(chunk, k)
            rankings += [ranking if name.strip() else [] for name, ranking in zip(chunk, found, strict=True)]
        return rankings

    @abstractmethod
    def _fit(self, names: list[str]) -> None: ...

    @abstractmethod
    def _predict(self, names: list[str], k: int) -> list[Ranking]: ...

    def _distinct(self, rows: NDArray[np.int64], scores: Floats, k: int) -> Ranking:
        """Rank ids by the best of their rows; of equal scores the first in the namespace leads."""
        best: dict[str, float] = {}
        for i in np.lexsort((rows, -scores)):
            best.setdefault(self.ids[rows[i]], float(scores[i]))
        return list(best.items())[:k]


class Lookup(NameBaseline):
    """Finds names whose key is the same; scores are 1."""

    def __init__(self, key: Callable[[str], str]) -> None:
        self.key = key

    def _fit(self, names: list[str]) -> None:
        self.rows: dict[str, list[int]] = defaultdict(list)
        for row, name in enumerate(names):
            self.rows[self.key(name)].append(row)

    def _predict(self, names: list[str], k: int) -> list[Ranking]:
        found = (np.array(self.rows.get(self.key(name), []), np.int64) for name in names)
        return [self._distinct(rows, np.ones(len(rows)), k) for rows in found]


class _Similarity(NameBaseline):
    """Ranks the whole namespace by a matrix of similarities."""

    @abstractmethod
    def _similarities(self, names: list[str]) -> Floats:
        """Return similarities of shape (names, rows of the namespace)."""

    def _predict(self, names: list[str], k: int) -> list[Ranking]:
        similarities = self._similarities(names)
        # An id may have several names, so more rows than k are looked at.
        chosen = largest(similarities, 4 * k)
        return [self._distinct(rows, scores[rows], k) for rows, scores in zip(chosen, similarities, strict=True)]


class Fuzzy(_Similarity):
    """Edit similarity of plain names in lower case (rapidfuzz: insertions and deletions over both lengths)."""

    def _fit(self, names: list[str]) -> None:
        self.names = [plain_text(name).casefold() for name in names]

    def _similarities(self, names: list[str]) -> Floats:
        from rapidfuzz import fuzz, process

        queries = [plain_text(name).casefold() for name in names]
        return process.cdist(queries, self.names, scorer=fuzz.ratio, dtype=np.float32, workers=1) / 100


class TfIdf(_Similarity):
    """Cosine of TF-IDF weighted character n-grams (2 to 4, within words) of plain names."""

    def _fit(self, names: list[str]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        self.vectorizer = TfidfVectorizer(
            analyzer="char_wb",
            ngram_range=(2, 4),
            sublinear_tf=True,
            dtype=np.float32,
            preprocessor=lambda name: plain_text(name).casefold(),
        )
        # By n-gram: a product with few names then touches what they have only.
        self.matrix = self.vectorizer.fit_transform(names).T.tocsr()

    def _similarities(self, names: list[str]) -> Floats:
        return np.minimum((self.vectorizer.transform(names) @ self.matrix).toarray(), 1)


class Encoder(_Similarity):
    """Cosine of embeddings of plain names; negative ones count as 0."""

    def __init__(self, model: Any) -> None:
        """Take a `SentenceTransformer`: untrained it is a baseline."""
        self.model = model

    def _fit(self, names: list[str]) -> None:
        self.embeddings = embed(self.model, list(map(plain_text, names)))

    def _similarities(self, names: list[str]) -> Floats:
        return np.clip(embed(self.model, list(map(plain_text, names))) @ self.embeddings.T, 0, 1)


NAMES: dict[str, Callable[[], NameBaseline]] = {
    "exact": lambda: Lookup(str.strip),
    "normalised": lambda: Lookup(normalise),
    "standardised": lambda: Lookup(standard_name),
    "rapidfuzz": Fuzzy,
    "tfidf": TfIdf,
}
"""The baselines of name matching that need no weights, each a function that makes an unfitted one: the same name but
for spaces, for mark-up and delimiters, or for usual variants of nomenclature; similar names. `Encoder` needs some."""


def embed(encoder: Any, texts: Sequence[str]) -> Floats:
    """Return the embeddings of texts, of length 1, shape (texts, dimensions); a text that is repeated is read once."""
    distinct = list(dict.fromkeys(texts))
    vectors = encoder.encode(distinct, normalize_embeddings=True, show_progress_bar=False)
    index = {text: row for row, text in enumerate(distinct)}
    return np.asarray(vectors, np.float32)[[index[text] for text in texts]]


def largest(values: Floats, k: int, above: float = 0.0) -> list[NDArray[np.int64]]:
    """The columns of the k largest values of each row, without order; those not above a value are left out."""
    n = min(k, values.shape[1])
    columns = np.argpartition(-values, n - 1, axis=1)[:, :n]
    return [chosen[row[chosen] > above] for row, chosen in zip(values, columns, strict=True)]
