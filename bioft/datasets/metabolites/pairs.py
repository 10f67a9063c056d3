"""Pairs of metabolite names for contrastive training: the same compound, or one that looks like it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import NamedTuple

import numpy as np
import pandas as pd
from datasets import Dataset

from bioft.datasets.metabolites.baselines import TfIdf
from bioft.datasets.metabolites.names import agreement, normalise, plain_text, read_chemistry, standard_name
from bioft.datasets.metabolites.perturbations import remove_functional_group, rewrite_notation, substitute_delimiters

POSITIVES = ("synonym", "delimiter", "notation")
NEGATIVES = ("functional group", "chain length", "locant", "stereo", "phosphate", "oxidation", "n-grams")
KINDS = (*POSITIVES, *NEGATIVES)
"""Kinds of pairs. Positives: real synonyms; other delimiters; another notation. Negatives: one functional group
removed; another compound that differs in the aspect named; another one that shares most n-grams."""
NEIGHBOURS = 12
"""Most similar names of other compounds that are looked at for hard negatives."""

_KIND_OF_ASPECT = {
    "chains": "chain length", "locants": "locant", "stereo": "stereo", "phosphates": "phosphate",
    "oxidation": "oxidation",
}  # fmt: skip


class Pair(NamedTuple):
    """A row of the contrastive dataset; `score` is 1 for the same compound, `group` that of the first name."""

    sentence1: str
    sentence2: str
    score: int
    group: str
    kind: str


def make_pairs(
    compounds: pd.DataFrame,
    known: Set[str],
    rng: np.random.Generator,
    *,
    kinds: Sequence[str] = KINDS,
    pairs_per_compound: int = 4,
) -> list[Pair]:
    """Make pairs of the names of one split, compound by compound.

    `compounds` has the columns group, compound and name, one row for each name: names with the same compound are
    synonyms, negatives are names of another group. `known` are normalised names of all splits, and whatever else must
    not be made of a name by a perturbation. There are `pairs_per_compound` positives at most, and as many negatives
    where there are.
    """
    anchors = compounds.drop_duplicates("compound")
    synonyms = {compound: list(names) for compound, names in compounds.groupby("compound", sort=False)["name"]}
    neighbours = _neighbours(anchors) if set(kinds) - set(POSITIVES) - {"functional group"} else {}
    pairs: dict[tuple[str, str], Pair] = {}
    for group, compound, name in zip(anchors["group"], anchors["compound"], anchors["name"], strict=True):
        positives = _positives(name, synonyms[compound], known, rng)
        drawn = _draw([pair for pair in positives if pair[1] in kinds], pairs_per_compound, rng)
        negatives = _negatives(name, neighbours.get(compound, []), known, rng)
        other = _draw([pair for pair in negatives if pair[1] in kinds], len(drawn), rng)
        for score, texts in ((1, drawn), (0, other)):
            for text, kind in texts:
                # Ids with the same name would repeat it.
                pairs.setdefault((name, text), Pair(name, text, score, group, kind))
    return list(pairs.values())


def triplets(pairs: Dataset) -> Dataset:
    """Return the pairs of one split as anchor, positive and negative (and group), for losses that take those.

    Each positive goes with a negative of the same first name, in the order of the rows; without a partner none is
    there.
    """
    frame = pairs.select_columns(["sentence1", "sentence2", "score", "group"]).with_format(None).to_pandas()
    frame["turn"] = frame.groupby(["sentence1", "score"], sort=False).cumcount()
    positive, negative = (frame[frame["score"] == score] for score in (1, 0))
    joined = positive.merge(negative, on=["sentence1", "turn"], suffixes=("", "_negative"))
    names = {"sentence1": "anchor", "sentence2": "positive", "sentence2_negative": "negative", "group": "group"}
    return Dataset.from_dict({name: joined[column].tolist() for column, name in names.items()})


def _positives(name: str, names: Iterable[str], known: Set[str], rng: np.random.Generator) -> list[tuple[str, str]]:
    key = normalise(name)
    found = [(other, "synonym") for other in names if normalise(other) != key]
    for kind, perturb in (("delimiter", substitute_delimiters), ("notation", rewrite_notation)):
        text = perturb(plain_text(name), rng)
        if text and (normalise(text) == key or normalise(text) not in known):
            found.append((text, kind))
    return found


def _negatives(
    name: str, neighbours: Iterable[str], known: Set[str], rng: np.random.Generator
) -> list[tuple[str, str]]:
    chemistry = read_chemistry(name)
    found = []
    for other in neighbours:
        if standard_name(other) == standard_name(name):
            continue  # most likely the same compound, which the databases don't link
        compared = agreement(chemistry, read_chemistry(other))
        differing = [aspect for aspect, value in compared.items() if value < 0]
        # What differs in one way only teaches that way.
        kind = _KIND_OF_ASPECT.get(differing[0], "n-grams") if len(differing) == 1 else "n-grams"
        found.append((other, kind))
    text = remove_functional_group(plain_text(name), rng)
    if text and normalise(text) not in known:
        found.append((text, "functional group"))
    return found


def _draw(candidates: list[tuple[str, str]], n: int, rng: np.random.Generator) -> list[tuple[str, str]]:
    """Draw n candidates (text, kind), of as many kinds as there are, without repeating a text."""
    seen: Counter[str] = Counter()
    turns = []
    for text, kind in (candidates[i] for i in rng.permutation(len(candidates))):
        seen[kind] += 1
        turns.append((seen[kind], text, kind))
    # One of each kind first, then a second of each.
    turns.sort(key=lambda each: each[0])
    chosen: dict[str, str] = {}
    for _, text, kind in turns:
        if len(chosen) < n:
            chosen.setdefault(text, kind)
    return list(chosen.items())


def _neighbours(anchors: pd.DataFrame) -> Mapping[str, list[str]]:
    """Per compound the most similar names of other groups, by character n-grams."""
    names = anchors["name"].to_numpy()
    index = pd.DataFrame({"id": [str(i) for i in range(len(anchors))], "name": names})
    groups = anchors["group"].to_numpy()
    ranked = TfIdf().fit(index).predict(list(names), k=NEIGHBOURS)
    return {
        compound: [names[int(i)] for i, _ in ranking if groups[int(i)] != group]
        for compound, group, ranking in zip(anchors["compound"], groups, ranked, strict=True)
    }
