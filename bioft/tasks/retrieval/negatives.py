"""Hard negatives: texts that the base model takes for an anchor's positives, though nothing says that they are."""

import io
import logging
import sys
from collections import defaultdict
from collections.abc import Iterable
from contextlib import redirect_stderr
from typing import Any

import numpy as np
from datasets import Dataset
from sentence_transformers import SentenceTransformer
from sentence_transformers.util import mine_hard_negatives

from bioft.datasets.rank import random_order
from bioft.errors import BioftError
from bioft.models import progress
from bioft.storage.text_lines import normalise
from bioft.tasks.retrieval.encoder import MINED, ContrastiveArguments

logger = logging.getLogger(__name__)
CANDIDATES = 100
"""Texts nearest to an anchor that are looked at."""


class Relations:
    """Which texts are never negatives of which, by rows with anchor, positive and group."""

    def __init__(self, rows: Dataset) -> None:
        self._pairs: dict[str, set[str]] = defaultdict(set)
        self._groups: dict[str, set[str]] = defaultdict(set)
        self._texts: dict[str, set[str]] = defaultdict(set)
        for *texts, group in zip(rows["anchor"][:], rows["positive"][:], rows["group"][:], strict=True):
            anchor, positive = map(normalise, texts)
            self._pairs[anchor].add(positive)
            self._pairs[positive].add(anchor)
            for text in (anchor, positive):
                self._groups[text].add(group)
                self._texts[group].add(text)

    def of(self, text: str) -> set[str]:
        """The texts, normalised, that are related to one: itself, its pairs, their pairs, and those of its groups."""
        key = normalise(text)
        related = {key, *self._pairs[key]}
        for other in self._pairs[key]:
            related |= self._pairs[other]
        return related.union(*(self._texts[group] for group in self._groups[key]))


def with_negatives(
    rows: Dataset, model: SentenceTransformer, args: ContrastiveArguments, corpus: Iterable[str], seed: int
) -> tuple[Dataset, dict[str, int]]:
    """Return training rows with `args.hard_negatives` more columns, `negative_1` and so on; and what was counted.

    By the library's `mine_hard_negatives` among the texts of training, which are in the columns `corpus`: the nearest
    to the anchor that are less similar to it than each of its positives (`hard_negatives_margin`), at most
    `hard_negatives_max_score`, and not related to it (`Relations`). Where there are too few, texts that are not
    related are drawn. No row is lost. The counts are `mined`, `drawn` in their place, and `related`, candidates that
    were refused for that. `rows` are as `encoder.training_rows` returns them for a ranking loss. BioftError: all texts
    are related to an anchor.
    """
    if not args.hard_negatives:
        return rows, {}
    relations, rng = Relations(rows), np.random.default_rng(seed)
    texts = list(dict.fromkeys(text for column in corpus for text in rows[column][:]))
    anchors = list(dict.fromkeys(rows["anchor"][:]))
    progress.say(f"Mining negatives among {len(texts):,} texts")
    spoken_to, hidden = sys.stderr, io.StringIO()
    with progress.Work("mining", len(texts) + len(anchors)) as work, redirect_stderr(hidden):  # bars of the library

        def count(_module: Any, _texts: Any, output: Any) -> None:
            with redirect_stderr(spoken_to):
                work.advance(len(output["sentence_embedding"]))

        counted = model.register_forward_hook(count)
        found = mine_hard_negatives(
            rows.select_columns(["anchor", "positive"]),
            model,
            corpus=texts,
            range_max=CANDIDATES,
            num_negatives=CANDIDATES,
            relative_margin=args.hard_negatives_margin,
            max_score=args.hard_negatives_max_score,
            output_format="labeled-list",
            verbose=False,
        )
    counted.remove()
    candidates = dict(zip(found["anchor"][:], (each[1:] for each in found["positive"][:]), strict=True))
    counts = {"mined": 0, "drawn": 0, "related": 0}
    negatives: dict[str, list[str]] = {}
    for anchor in anchors:
        related = relations.of(anchor)
        near = candidates.get(anchor, [])
        chosen = [text for text in near if normalise(text) not in related]
        counts["related"] += len(near) - len(chosen)
        negatives[anchor] = chosen[: args.hard_negatives]
        counts["mined"] += len(negatives[anchor])
        for text in (texts[index] for index in random_order(len(texts), rng)):
            if len(negatives[anchor]) == args.hard_negatives:
                break
            if normalise(text) not in related and text not in negatives[anchor]:
                negatives[anchor].append(text)
                counts["drawn"] += 1
        if len(negatives[anchor]) < args.hard_negatives:
            raise BioftError(
                f"There are no {args.hard_negatives} texts in training that are not related to {anchor[:80]!r}: no "
                "negatives can be mined. Give fewer --hard_negatives, or more data."
            )
    for number in range(args.hard_negatives):
        rows = rows.add_column(f"{MINED}{number + 1}", [negatives[anchor][number] for anchor in rows["anchor"][:]])
    logger.info(
        "Hard negatives of %d anchors: %d mined, %d drawn at random where too few were found; %d candidates refused "
        "as related to their anchor",
        len(negatives),
        *counts.values(),
    )
    return rows, counts
