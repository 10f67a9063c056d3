"""Groups of examples that are not independent of each other, and the variance that this leaves to a sum over them.

Examples may share one thing (the mentions of a document) or several crossed ones (pairs of a gene and a disease share
genes and diseases). The variance is cluster-robust: with one kind of group the sum of the squared sums of groups, with
two that of either kind less that of their crossing (Cameron, Gelbach and Miller 2011).
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bioft.errors import BioftError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Groups:
    """The groups of n examples: none, of one kind, or of several crossed kinds.

    `kinds` have for each kind of group one value per example, shape (n,), else BioftError; examples with the same
    value belong together. Without any each example is independent of the others.
    """

    def __init__(self, n: int, kinds: Sequence[ArrayLike] = ()) -> None:
        for values in kinds:
            if np.shape(values) != (n,):
                raise BioftError(
                    f"One group per example is needed: groups have shape {np.shape(values)}, expected ({n},)."
                )
        self.n = n
        self.kinds = tuple(_codes(np.asarray(values)) for values in kinds) or (np.arange(n),)
        self.terms = list(self._terms())

    def _terms(self) -> Iterator[tuple[int, Integers]]:
        """Each kind and each crossing of kinds, with the sign of its part in the variance."""
        for size in range(1, len(self.kinds) + 1):
            for some in combinations(self.kinds, size):
                codes = some[0]
                for more in some[1:]:
                    codes = _codes(codes * (int(more.max()) + 1) + more)
                yield (1 if size % 2 else -1), codes

    @property
    def degrees(self) -> int:
        """The number of groups of the kind with the fewest, less one: degrees of freedom of the variance."""
        return min(int(codes.max()) for codes in self.kinds)

    def count(self, concerned: Mask) -> int:
        """How many groups have an example that is concerned, of the kind with the fewest."""
        return min(len(np.unique(codes[concerned])) for codes in self.kinds)

    def variance(self, influence: Floats) -> float:
        """The variance of a sum over examples, each of which adds its influence, shape (n,), to it.

        Never less than that of one kind of groups alone. Infinite where there is one group only.
        """
        parts = []
        for sign, codes in self.terms:
            sums = np.bincount(codes, influence)
            squares = float(sums @ sums) * len(sums) / (len(sums) - 1) if len(sums) > 1 else np.inf
            parts.append((sign, squares))
        total = sum(sign * part for sign, part in parts)
        return max(total, *(part for _, part in parts[: len(self.kinds)]))

    def effective_degrees(self, influence: Floats) -> float:
        """Degrees of freedom of the variance by Satterthwaite's approximation, of the kind with the fewest.

        A few groups that do all the moving make it small, whatever the number of the others.
        """
        found = []
        for codes in self.kinds:
            squares = np.bincount(codes, influence).astype(np.float64) ** 2
            total = squares.sum()
            rest = squares @ squares - total**2 / len(squares)
            found.append(max(1.0, float(2 * total**2 / rest)) if rest > 0 else float(len(squares)))
        return min(found)

    def moving(self, influence: Floats) -> int:
        """How many groups have an influence that is not 0, of the kind with the fewest."""
        limit = 1e-12 * float(np.abs(influence).max(initial=0))
        return min(int((np.abs(np.bincount(codes, influence)) > limit).sum()) for codes in self.kinds)


def _codes(values: NDArray[Any]) -> Integers:
    return np.unique(values, return_inverse=True)[1].reshape(values.shape).astype(np.int64)
