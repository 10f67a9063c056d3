"""Splitting associations by time: what was known until a day is trained on, what became known after it is asked for.

The time of an association is its first (lowest) PubMed id. PubMed numbers articles as they arrive, so ids rise with
time; articles of before 1966, which were added later, are the exception. It is the time of the first article that is
cited, and not of its curation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bioft.datasets.gene_disease.known import Pairs
from bioft.datasets.gene_disease.on_disk import pieces
from bioft.datasets.splits import DROPPED, SPLITS, Assignment, IntArray, check_not_empty, check_sizes
from bioft.errors import BioftError

UNDATED = 0
"""The time of an association that names no article."""


def first_articles(pmids: Sequence[str]) -> IntArray:
    """The lowest PubMed id of each association, shape (n,), of ids joined by "|"; `UNDATED` for one without."""
    try:
        return np.array([min(map(int, each.split("|"))) if each else UNDATED for each in pmids], dtype=np.int64)
    except ValueError as error:
        raise BioftError(f"The split by time needs PubMed ids, which are whole numbers: {error}.") from None


@dataclass(frozen=True)
class Timeline:
    """When each known pair became known, and until when the pairs of each split did."""

    keys: IntArray
    """All known pairs, whether they become positives or not, sorted."""
    first: IntArray
    """The first article of each of them."""
    until: tuple[int, int]
    """The last article of training and that of validation; the test split is what comes after."""

    @classmethod
    def of(
        cls, known: Pairs, keys: IntArray, known_until: float | None, validation_size: float, test_size: float
    ) -> "Timeline":
        """Find the two days that divide the positive pairs `keys`; `known` are all pairs.

        `known_until`: the last PubMed id of training, or (below 1) the share of the dated pairs that it has; by
        default what the sizes leave. The pairs after it are divided in the proportion of the sizes. Pairs of one first
        article stay in one split. BioftError: no pair has a PubMed id, or a day with nothing before or after it.
        """
        check_sizes(validation_size, test_size)
        known = known.select(np.argsort(known.keys))
        articles = (known.pmids.take(known.places[piece]).to_pylist() for piece in pieces(len(known)))
        all_keys, first = known.keys, np.concatenate([first_articles(its) for its in articles])
        of_positives = first[np.searchsorted(all_keys, keys)]
        dated = np.sort(of_positives[of_positives != UNDATED])
        if not len(dated):
            raise BioftError("No association of this source names a PubMed id: it cannot be split by time.")
        if known_until is None:
            known_until = 1 - validation_size - test_size
        if known_until <= 0:
            raise BioftError(f"known_until is {known_until}: give a PubMed id, or a share between 0 and 1.")
        n_train = int(known_until * len(dated)) if known_until < 1 else int((dated <= known_until).sum())
        n_validation = round((len(dated) - n_train) * validation_size / (validation_size + test_size))
        if not 0 < n_train < len(dated) - 1:
            raise BioftError(
                f"known_until is {known_until:g}: {n_train:,} of {len(dated):,} dated associations have their first "
                f"article until then. Their PubMed ids go from {dated[0]} to {dated[-1]}."
            )
        until = int(dated[n_train - 1]), int(dated[min(n_train + max(n_validation, 1), len(dated)) - 1])
        return cls(all_keys, first, until)

    def known_by(self, split: int) -> IntArray:
        """The keys of the pairs that are known at the end of a split, sorted; the undated ones are among them."""
        if split == SPLITS.index("test"):
            return self.keys
        return self.keys[self.first <= self.until[split]]

    def assign(self, keys: IntArray, genes: IntArray, diseases: IntArray) -> tuple[Assignment, dict[str, Any]]:
        """Assign positive pairs to splits by their time, and count what is left out.

        Validation and test ask for links between genes and diseases that training knows: nothing but a name tells
        something of others, which `gene_held_out` and so on are about.
        """
        first = self.first[np.searchsorted(self.keys, keys)]
        rows = np.searchsorted(np.array(self.until), first)
        rows[first == UNDATED] = DROPPED
        of_training = rows == SPLITS.index("train")
        new = ~(np.isin(genes, genes[of_training]) & np.isin(diseases, diseases[of_training]))
        counts = {"without a PubMed id": int((first == UNDATED).sum())}
        counts["later, of a gene or a disease that training does not have"] = int((new & (rows > 0)).sum())
        rows[new & (rows > 0)] = DROPPED
        check_not_empty(rows, f"{len(rows):,} associations, known until PubMed id {self.until[0]} and {self.until[1]}")
        return Assignment(rows, among=of_training), counts

    def became_positive(self, drawn: IntArray) -> dict[str, float]:
        """How many of the negatives with these keys became known later, and their share."""
        found = int(np.isin(drawn, self.keys).sum())
        return {"negatives": len(drawn), "became_positive": found, "share": round(found / max(len(drawn), 1), 6)}
