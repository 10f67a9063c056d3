"""A map of articles: where each lies in two dimensions, and the topic that gives it its colour."""

from functools import cached_property
from typing import NamedTuple

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
from numpy.typing import NDArray
from sklearn.manifold import TSNE

from bioft.errors import BioftError
from bioft.search.index import SearchIndex
from bioft.search.topics import Topic, find_topics

MAP_ARTICLES = 1000
"""As many are drawn, of a larger index a random sample: more take t-SNE minutes, and crowd the map."""
PERPLEXITY, FEWEST = 30.0, 5
COLOURS = (
    "#0f9488", "#ea580c", "#8b5cf6", "#a16207", "#3b82f6", "#db2777",
    "#5a8f0a", "#64748b", "#0891b2", "#dc2626", "#15803d", "#c026d3",
)  # fmt: skip
"""Each stands out from a white and from a dark page."""


class Point(NamedTuple):
    """An article on the map, at x and y from 0 to 1; topics are numbered from 1."""

    id: str
    title: str
    year: int | None
    x: float
    y: float
    topic: int


class ArticleMap:
    """The map of an index; what takes long is computed once, when it is first asked for."""

    def __init__(self, index: SearchIndex, what: str = "articles", seed: int = 0) -> None:
        self.index = index
        self.rows = np.arange(len(index))
        if len(index) > MAP_ARTICLES:
            chosen = np.random.default_rng(seed).choice(len(index), MAP_ARTICLES, replace=False)
            self.rows = np.sort(chosen)
        taken = index.articles.take(pa.array(self.rows)).select(["id", "title", "year"]).to_pylist()
        self.articles = [(each["id"], each["title"], each["year"]) for each in taken]
        self._seed, self._what = seed, what

    @cached_property
    def positions(self) -> NDArray[np.float32]:
        """Where the articles lie by t-SNE of cosines (van der Maaten and Hinton 2008), from 0 to 1, shape (n, 2)."""
        if len(self.rows) < FEWEST:
            raise BioftError(f"A map needs at least {FEWEST} {self._what}; the index has {len(self.rows)}.")
        perplexity = min(PERPLEXITY, (len(self.rows) - 1) / 3)
        method = TSNE(2, perplexity=perplexity, metric="cosine", init="pca", random_state=self._seed)
        found = method.fit_transform(self.index.embeddings(self.rows))
        low = found.min(axis=0)
        return (found - low) / np.maximum(found.max(axis=0) - low, 1e-9)

    def draw(self, n_topics: int) -> tuple[list[Point], list[Topic]]:
        """A point for each article on the map, and the topics of the whole index. BioftError: as `positions`."""
        positions = self.positions
        topics = find_topics(self.index, min(n_topics, len(self.index)))
        topic_of = np.zeros(len(self.index), int)
        for number, topic in enumerate(topics, 1):
            topic_of[list(topic.rows)] = number
        points = zip(self.articles, positions.tolist(), topic_of[self.rows].tolist(), strict=True)
        return [Point(id_, title or id_, year, x, y, topic) for (id_, title, year), (x, y), topic in points], topics
