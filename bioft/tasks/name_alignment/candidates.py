"""Candidates for a name: the most similar names of a namespace by character n-grams, and by embeddings as well."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bioft.datasets.metabolites.baselines import embed, largest
from bioft.errors import BioftError
from bioft.storage.files import cache_directory, new_file
from bioft.tasks.name_alignment.features import CHEMISTRY, Reading

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
    names the file that keeps the namespace's embeddings, None keeps them in memory only; `kept` is what `save` wrote
    of the same namespace.
    """

    def __init__(
        self,
        namespace: pd.DataFrame,
        encoder: Any = None,
        cache: str | None = None,
        reading: Reading = CHEMISTRY,
        kept: Path | None = None,
    ) -> None:
        self.reading, self.encoder, self.embeddings = reading, encoder, None
        self._names = namespace["name"].tolist()
        if kept is not None and kept.is_file():
            self._load(kept, len(namespace))
            return
        texts = list(map(reading.text, namespace["name"]))
        self.rows = np.flatnonzero([bool(text) for text in texts])
        if not len(self.rows):
            raise BioftError("The namespace has no names to be matched to.")
        self.texts = [texts[row] for row in self.rows]
        self.vectorizer = _vectorizer(reading)
        # By n-gram: a product with few names then touches what they have only.
        self.matrix = self.vectorizer.fit_transform(self.texts).T.tocsr()
        self.embeddings = None if encoder is None else _namespace_embeddings(encoder, self.texts, cache)

    @cached_property
    def rows_by_name(self) -> dict[str, list[int]]:
        """The rows of the namespace by the key of their name: equal for what counts as the same name."""
        rows: dict[str, list[int]] = {}
        for row in self.rows.tolist():
            rows.setdefault(self.reading.key(self._names[row]), []).append(row)
        return rows

    def save(self, path: Path) -> None:
        """Write the n-grams of the namespace, which take most of the time, into an .npz file (`kept`)."""
        parts = {name: getattr(self.matrix, name) for name in ("data", "indices", "indptr")}
        terms = self.vectorizer.get_feature_names_out().astype(str)
        np.savez(path, **parts, rows=self.rows, terms=terms, idf=self.vectorizer.idf_)

    def _load(self, path: Path, n_names: int) -> None:
        from scipy.sparse import csr_matrix

        try:
            with np.load(path, allow_pickle=False) as kept:
                self.rows, terms, idf = kept["rows"], kept["terms"], kept["idf"]
                parts = (kept["data"], kept["indices"], kept["indptr"])
            self.matrix = csr_matrix(parts, shape=(len(terms), len(self.rows)))
            self.vectorizer = _vectorizer(self.reading, terms.tolist())
            self.vectorizer.idf_ = idf
        except (OSError, ValueError, KeyError) as error:
            raise BioftError(f"{path} is damaged ({error}). Make the namespace again.") from None
        if len(self.rows) > n_names or self.rows.max(initial=0) >= n_names:
            raise BioftError(f"{path} is of other names. Make the namespace again with `bioft build namespace`.")

    def find(self, names: Sequence[str], n: int = BY_N_GRAMS) -> list[Candidates]:
        """Return the candidates of each name, n by n-grams and up to n of the same name; none for one that is empty.

        Those of the same name are nearly always near by n-grams as well. Runs on metabolites were fitted and measured
        without the others, and keep to that.
        """
        texts = [self.reading.text(name) for name in names]
        vectors = None if self.encoder is None else embed(self.encoder, texts)
        found: list[Candidates] = []
        for start in range(0, len(texts), _CHUNK):
            part = slice(start, start + _CHUNK)
            similar = self.vectorizer.transform(texts[part]) @ self.matrix
            if vectors is None or self.embeddings is None:
                found += [self._of_row(similar, index, names[start + index], n) for index in range(similar.shape[0])]
                continue
            dense = similar.toarray()
            cosines = vectors[part] @ self.embeddings.T
            by_meaning = largest(cosines, BY_EMBEDDING, above=-2.0)
            for index, pair in enumerate(zip(largest(dense, n), by_meaning, strict=True)):
                columns = np.union1d(*pair)[: None if texts[start + index] else 0]
                similarities = np.minimum(dense[index, columns], 1)
                found.append(Candidates(self.rows[columns], similarities, cosines[index, columns]))
        return found

    def _of_row(self, similar: Any, index: int, name: str, n: int) -> Candidates:
        """The n largest values of a row of a sparse matrix, and those of the rows that have this very name."""
        its = slice(similar.indptr[index], similar.indptr[index + 1])
        columns, values = similar.indices[its], similar.data[its]
        if len(values) > n:
            # Most rows share an n-gram or two only: few are left to be ordered.
            near = np.flatnonzero(values > values.max() / 2)
            if len(near) > n:
                columns, values = columns[near], values[near]
            chosen = np.argpartition(-values, n - 1)[:n]
            columns, values = columns[chosen], values[chosen]
        rows = self.rows[columns]
        own = [] if self.reading is CHEMISTRY else self.rows_by_name.get(self.reading.key(name), [])[:n]
        if len(rows) and (missing := sorted({*own} - {*rows.tolist()})):
            rows = np.append(rows, missing)
            values = np.append(values, similar[[index]].toarray()[0, np.searchsorted(self.rows, missing)])
        return Candidates(rows, np.minimum(values, 1), None)


def _vectorizer(reading: Reading, terms: list[str] | None = None) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(
        analyzer="char_wb", ngram_range=reading.n_grams, sublinear_tf=True, dtype=np.float32, vocabulary=terms
    )


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
