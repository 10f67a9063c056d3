"""Indexes that `bioft serve` serves, on this machine or others, searched as one."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import requests

from bioft.datasets.rank import fuse_ranks
from bioft.errors import BioftError
from bioft.search.searchable import CONSTANT, WEIGHT_OF_MEANING, Hit, Vectors, depth_of, hits_of

TOKEN = "BIOFT_TOKEN"
"""The variable with what the servers ask for."""
AT_ONCE = 64
"""Queries of a request."""
TIMEOUT = 120.0
_EACH = 1 << 40
"""More rows than an index has: a row here says the index too."""


def is_address(name: str) -> bool:
    """Whether an index is named by where it is served."""
    return name.startswith(("http://", "https://"))


class RemoteIndexes:
    """Served indexes of one encoder as one: what each finds by words and by meaning is merged, then fused.

    The scores are those of `ShardedIndex`: cosines are the same as in one index, BM25 is that of the index of an
    article. An article that several indexes have is found once.
    """

    def __init__(self, addresses: Sequence[str]) -> None:
        """Ask each index what it is, such as http://127.0.0.1:8000/indexes/articles.

        BioftError: one can't be reached, refuses the token, or is of another model than the first.
        """
        self.addresses = [each.rstrip("/") for each in addresses]
        self.directory: Any = ", ".join(self.addresses)
        self._threads = ThreadPoolExecutor(len(self.addresses))
        about = self._all("", None)
        self.manifest: dict[str, Any] = about[0]
        self._count = sum(each["count"] for each in about)
        if len({(each["model"]["identity"], each["dimensions"]) for each in about}) > 1:
            raise BioftError(
                f"The indexes {self.directory} are of different models: their articles can't be compared."
            )

    def __len__(self) -> int:
        return self._count

    def search(self, vector: Vectors | None, k: int = 10, query: str = "", **filters: Any) -> list[Hit]:
        """As `Searchable.search`."""
        vectors = None if vector is None else np.asarray(vector)[None]
        return self.search_all(vectors, [query] if query else None, k, **filters)[0]

    def search_all(
        self, vectors: Vectors | None, queries: Sequence[str] | None, k: int = 10, **filters: Any
    ) -> list[list[Hit]]:
        """As `Searchable.search_all`; a MeSH term must be in one of the indexes."""
        n, hits = len(vectors if queries is None else queries), []  # type: ignore[arg-type]
        depth = depth_of(vectors, queries, k)
        for first in range(0, n, AT_ONCE):
            part = slice(first, first + AT_ONCE)
            body = filters | {
                "queries": None if queries is None else list(queries[part]),
                "vectors": None if vectors is None else np.asarray(vectors[part]).tolist(),
                "depth": depth,
            }
            answers = self._all("search", body | {"mesh": list(filters.get("mesh", ()))})
            if all(each["lacking"] for each in answers):
                raise BioftError(answers[0]["lacking"])
            found = [
                each["found"] or [{"by_words": [], "by_meaning": []}] * (min(n, part.stop) - first) for each in answers
            ]
            hits += [_merged(each, depth, k) for each in zip(*found, strict=True)]
        return hits

    def texts(self, rows: Sequence[int]) -> list[str]:
        """As `Searchable`, of articles that were found."""
        found: dict[int, str] = {}
        for server, address in enumerate(self.addresses):
            if own := [row for row in rows if row // _EACH == server]:
                texts = self._ask(f"{address}/texts", {"rows": [row % _EACH for row in own]})["texts"]
                found.update(zip(own, texts, strict=True))
        return [found[row] for row in rows]

    def _all(self, what: str, body: Any) -> list[Any]:
        """What each index answers, asked at the same time."""
        return list(self._threads.map(lambda each: self._ask(f"{each}/{what}".rstrip("/"), body), self.addresses))

    def _ask(self, address: str, body: Any) -> Any:
        token = os.environ.get(TOKEN)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            answer = requests.request(
                "GET" if body is None else "POST", address, json=body, headers=headers, timeout=TIMEOUT
            )
            told = answer.json()
        except (requests.RequestException, ValueError) as error:
            reason = str(error).splitlines()[0][:200]
            raise BioftError(f"No index of `bioft serve` answers at {address}: {reason}") from None
        if answer.status_code == 401:
            raise BioftError(f"{address} asks for a token: set {TOKEN}.")
        if answer.status_code != 200:
            raise BioftError(f"{address}: {told.get('detail', answer.status_code)}")
        return told


def _merged(found: Sequence[dict[str, Any]], depth: int, k: int) -> list[Hit]:
    """The k best of what the indexes found for a query, each article once."""
    articles: dict[str, tuple[int, dict[str, Any]]] = {}
    halves = []
    for half in ("by_words", "by_meaning"):
        scores: dict[str, float] = {}
        for server, its in enumerate(found):
            for article in its[half]:
                identifier = article["id"]
                scores[identifier] = max(article.pop("of_half"), scores.get(identifier, -np.inf))
                articles.setdefault(identifier, (server * _EACH + article.pop("row"), article))
        halves.append(sorted(scores, key=lambda each: -scores[each])[:depth])
    by_words, by_meaning = ([articles[each][0] for each in half] for half in halves)
    rows = fuse_ranks(by_meaning, by_words, WEIGHT_OF_MEANING, CONSTANT)[:k]
    told = dict(articles.values())
    cosines = [told[row].pop("cosine") for row in rows]
    return hits_of(rows, by_words, by_meaning, cosines, [told[row] for row in rows])


def open_named(name: str) -> Any:
    """Open an index by its folder, that of its shards, or by addresses of served ones joined by commas.

    BioftError: as `shards.open_searchable` and `RemoteIndexes`.
    """
    from bioft.search import shards

    if is_address(name):
        return RemoteIndexes([each.strip() for each in name.split(",") if each.strip()])
    return shards.open_searchable(Path(name))
