"""What the surface of documents gives away: which words are mentions, and which pairs of concepts are related.

As `bioft.datasets.surface` for texts: a small forest reads no word. It sees what words look like, where they and the
mentions are, how many there are, and in what order documents and ids come.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from datasets import Dataset

from bioft.datasets.documents.concept_pairs import Concept, argument_types, candidates, smallest_gap
from bioft.datasets.near_duplicates import at_most
from bioft.datasets.surface import looks, predicted
from bioft.errors import BioftError
from bioft.storage.datasets import remembered

MOST_CHARACTERS = 500_000
"""Of the documents of a split that are looked at, at even distances: as many as 400 abstracts have."""
_WORD = re.compile(r"\w+|[^\w\s]")
_DIGITS = re.compile(r"\d{1,15}")
MOST_WORDS = 20_000
_PAIR = [
    "characters between",
    *(f"mentions of the {side}" for side in ("head", "tail")),
    *(f"first mention of the {side}" for side in ("head", "tail")),
    "head first",
    *("characters of the text", "pairs in the text"),
    *(f"number of the {side}'s id" for side in ("head", "tail")),
    *("order of the documents", "labels"),
]


@remembered
def surface(train: Dataset, test: Dataset) -> dict[str, Any]:
    """How well mentions and relations are predicted from the surface; the part of an audit that JSON can hold.

    Returns `entity_surface`, of the types of the mention that a word is in, from what it and the words beside it look
    like and where it is; and, where documents have relations, `relation_surface`, of the types of relation that two
    concepts have, from the distance, the order and the number of their mentions and the numbers of their ids. The
    order of the documents is known to both. Each: see `bioft.datasets.surface.predicted`.
    """
    splits = [_some(rows) for rows in (train, test)]
    found = {"entity_surface": _predicted([_words(rows) for rows in splits])}
    try:
        arguments = argument_types(splits[0])
    except BioftError:  # no relations
        return found
    pairs = [pd.DataFrame(_pairs_of(rows, arguments), columns=_PAIR) for rows in splits]
    return found | {"relation_surface": _predicted(pairs)}


def _predicted(tables: Sequence[pd.DataFrame]) -> dict[str, Any]:
    """What the other columns predict of the column `labels`."""
    train, test = tables
    return predicted(train.drop(columns="labels"), train["labels"], test.drop(columns="labels"), test["labels"])


def _some(rows: Dataset) -> list[dict[str, Any]]:
    """The documents that are looked at, each with its place among all."""
    size = sum(map(len, rows["text"])) / max(len(rows), 1)
    chosen = at_most(rows, max(1, int(MOST_CHARACTERS / max(size, 1))))
    return [row | {"place": place / len(chosen)} for place, row in enumerate(chosen)]


def _words(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """A row for each word: what it looks like, and the words before and after it; at even distances if many."""
    texts, labels, places, orders, ends = [], [], [], [], []
    for row in rows:
        text = row["text"]
        kinds: dict[int, str] = {}
        for entity in row["entities"]:
            kinds |= dict.fromkeys(range(entity["start"], entity["end"]), entity["type"])
        for word in _WORD.finditer(text):
            texts.append(word[0])
            labels.append([kinds[word.start()]] if word.start() in kinds else [])
            places.append(word.start() / len(text))
            orders.append(row["place"])
        ends.append(len(texts))
    its = {f"word: {what}": values for what, values in looks(texts).items() if what != "spaces"}
    first = np.array([text[:1].isupper() for text in texts], dtype=np.float64)
    its["word: begins with a capital"] = first
    inside = np.ones(len(texts), dtype=bool)
    inside[[end - 1 for end in ends if end]] = False  # the last of a document has none after it
    for what, values in list(its.items()):
        beside = np.where(inside, np.roll(values, -1), np.nan)
        its[what.replace("word", "the next", 1)] = beside
        its[what.replace("word", "the one before", 1)] = np.where(np.roll(inside, 1), np.roll(values, 1), np.nan)
    its |= {"place in the text": np.array(places), "order of the documents": np.array(orders)}
    table = pd.DataFrame(its).assign(labels=pd.Series(labels, dtype=object))
    return table.iloc[:: -(-len(table) // MOST_WORDS) or 1].reset_index(drop=True)


def _pairs_of(rows: Sequence[Mapping[str, Any]], arguments: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    """What `_PAIR` names of each pair of concepts that a relation may hold between."""
    found = candidates(rows, arguments)
    number = np.bincount([each.document for each in found], minlength=len(rows))
    for document, head, tail, types in found:
        row = rows[document]
        yield (
            smallest_gap(head.places, tail.places),
            *(len(head.places), len(tail.places)),
            *(head.places[0][0] / len(row["text"]), tail.places[0][0] / len(row["text"])),
            head.places[0] < tail.places[0],
            *(len(row["text"]), number[document]),
            *(_number(head), _number(tail), row["place"]),
            sorted(types),
        )


def _number(concept: Concept) -> float:
    found = _DIGITS.search(concept.id)
    return float(found[0]) if found else np.nan
