"""Candidates for a name: the most similar names of a namespace by character n-grams, and by embeddings as well."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bioft.datasets.metabolites.baselines import TfIdf, embed, largest
from bioft.datasets.metabolites.names import plain_text
from bioft.errors import BioftError
from bioft.storage.files import cache_directory, new_file

logger = logging.getLogger(__name__)

Floats = NDArray[np.floating[Any]]

BY_N_GRAMS, BY_EMBEDDING = 20, 10
"""How many names of the namespace are taken by each."""
_CHUNK = 256
"""Names compared to the whole namespace at a time: 100 MB for 100,000 names."""


@dataclass(frozen=True)
class Candidates:
    """The candidates of one name: rows of the namespace, without order, and how similar their names are."""

    rows: NDArray[np.int64]
    n_grams: Floats
    embeddings: Floats | None
    """Cosines; None without an encoder."""


class CandidateFinder:
    """Finds candidates in a namespace with the columns id and name; BioftError if no row has a name.

    Rows without a name are never candidates. `encoder` is a `SentenceTransformer`, or None for n-grams only; `cache`
    names the file that keeps the namespace's embeddings, None keeps them in memory only.
    """

    def __init__(self, namespace: pd.DataFrame, encoder: Any = None, cache: str | None = None) -> None:
        texts = [plain_text(name) for name in namespace["name"]]
        self.rows = np.flatnonzero([bool(text) for text in texts])
        if not len(self.rows):
            raise BioftError("The namespace has no names to be matched to.")
        self.texts = [texts[row] for row in self.rows]
        self.n_grams = TfIdf().fit(namespace.iloc[self.rows])
        self.encoder = encoder
        self.embeddings = None if encoder is None else _namespace_embeddings(encoder, self.texts, cache)

    def find(self, names: Sequence[str]) -> list[Candidates]:
        """Return the candidates of each name; none for one that is empty."""
        texts = [plain_text(name) for name in names]
        vectors = None if self.encoder is None else embed(self.encoder, texts)
        found: list[Candidates] = []
        for start in range(0, len(texts), _CHUNK):
            part = slice(start, start + _CHUNK)
            similar = self.n_grams.similarities(list(names[part]))
            chosen = largest(similar, BY_N_GRAMS)
            cosines: Floats | None = None
            if vectors is not None and self.embeddings is not None:
                cosines = vectors[part] @ self.embeddings.T
                chosen = [
                    np.union1d(*pair) for pair in zip(chosen, largest(cosines, BY_EMBEDDING, above=-2.0), strict=True)
                ]
            for index, (text, columns) in enumerate(zip(texts[part], chosen, strict=True)):
                columns = columns if text else columns[:0]
                embeddings = None if cosines is None else cosines[index, columns]
                found.append(Candidates(self.rows[columns], similar[index, columns], embeddings))
        return found


def _namespace_embeddings(encoder: Any, texts: Sequence[str], cache: str | None) -> Floats:
    if cache is None:
        return embed(encoder, texts)
    digest = hashlib.sha256("\n".join([cache, *texts]).encode()).hexdigest()[:32]
    path = cache_directory() / "name_embeddings" / f"{digest}.npy"
    if path.is_file():
        return np.load(path, allow_pickle=False)
    logger.info("Reading the %s names of the namespace once; their embeddings are kept in %s", f"{len(texts):,}", path)
    vectors = embed(encoder, texts)
    with new_file(path) as partial:
        np.save(partial, vectors, allow_pickle=False)
    return vectors
