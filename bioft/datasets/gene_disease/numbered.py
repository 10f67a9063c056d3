"""The columns of gene–disease pairs that the audit compares, as numbers: millions of texts would fill the memory."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]
from datasets import Dataset

from bioft.storage.text_lines import normalise

Integers = npt.NDArray[np.int64]
Names = tuple[Sequence[str] | npt.NDArray[np.object_], Sequence[str] | npt.NDArray[np.object_]]
"""Of genes, and of as many diseases."""
SIDES = ("gene", "disease")


class Texts:
    """A column in all splits: its different texts, in the order of the alphabet, and which of them each row has."""

    def __init__(self, dataset: Mapping[str, Dataset], column: str, fold: Callable[[str], str] = str) -> None:
        encoded = {name: _encoded(rows, column) for name, rows in dataset.items()}
        folded = {name: list(map(fold, texts)) for name, (texts, _) in encoded.items()}
        self.each = sorted({text for texts in folded.values() for text in texts})
        self.places = {text: place for place, text in enumerate(self.each)}
        self.codes = {
            name: np.array([self.places[text] for text in folded[name]], np.int64)[codes]
            for name, (_, codes) in encoded.items()
        }

    def of(self, split: str) -> list[str]:
        """The different ones of a split."""
        return [self.each[code] for code in np.unique(self.codes[split]).tolist()]

    def find(self, names: Sequence[str] | npt.NDArray[np.object_]) -> Integers:
        """The numbers of names, folded; -1 for what is in no split."""
        codes, different = pd.factorize(np.asarray(names, object))
        return np.array([self.places.get(normalise(name), -1) for name in different], np.int64)[codes]


class Pairs:
    """The names (folded) or the ids of the pair in each row."""

    def __init__(self, gene: Texts, disease: Texts) -> None:
        self.sides = {"gene": gene, "disease": disease}
        self.keys = {name: self._keys(codes, disease.codes[name]) for name, codes in gene.codes.items()}
        """One number for each row, by split."""

    def _keys(self, gene: Integers, disease: Integers) -> Integers:
        return gene * len(self.sides["disease"].each) + disease

    def texts(self, keys: Integers) -> list[tuple[str, str]]:
        """What these are the numbers of."""
        gene, disease = self.sides.values()
        return [(gene.each[key // len(disease.each)], disease.each[key % len(disease.each)]) for key in keys.tolist()]

    def numbers(self, *names: Sequence[str] | npt.NDArray[np.object_]) -> Integers:
        """Those of pairs of names that are no rows; of the pairs in which both names are known here."""
        codes = [texts.find(its) for texts, its in zip(self.sides.values(), names, strict=True)]
        return self._keys(*codes)[np.minimum(*codes) >= 0]


def _encoded(rows: Dataset, column: str) -> tuple[list[str], Integers]:
    """The different texts of a column, and which of them each row has."""
    values = rows.with_format("arrow")[column][:].cast(pa.string()).combine_chunks().dictionary_encode()
    return values.dictionary.to_pylist(), values.indices.to_numpy()
