"""A map of articles: where each lies in two dimensions, and the topic that gives it its colour."""

from threading import Lock

import numpy as np
import pandas as pd
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
    "#0f766e", "#ea580c", "#7c3aed", "#ca8a04", "#2563eb", "#db2777",
    "#65a30d", "#64748b", "#0891b2", "#b91c1c", "#a16207", "#f472b6",
)  # fmt: skip


class ArticleMap:
    """The map of an index; what takes long is computed once, when it is first asked for."""

    def __init__(self, index: SearchIndex, seed: int = 0) -> None:
        self.index = index
        self.rows = np.arange(len(index))
        if len(index) > MAP_ARTICLES:
            chosen = np.random.default_rng(seed).choice(len(index), MAP_ARTICLES, replace=False)
            self.rows = np.sort(chosen)
        self.articles = index.articles.take(pa.array(self.rows)).select(["id", "title", "year"]).to_pandas()
        self._seed = seed
        self._lock = Lock()
        self._positions: NDArray[np.float32] | None = None

    def positions(self) -> NDArray[np.float32]:
        """Return where the articles lie by t-SNE over cosine distances (van der Maaten and Hinton 2008), shape (n, 2).

        Raises:
            BioftError: too few articles for a map.
        """
        if len(self.rows) < FEWEST:
            raise BioftError(f"A map needs at least {FEWEST} articles; the index has {len(self.rows)}.")
        with self._lock:
            if self._positions is None:
                perplexity = min(PERPLEXITY, (len(self.rows) - 1) / 3)
                method = TSNE(2, perplexity=perplexity, metric="cosine", init="pca", random_state=self._seed)
                self._positions = method.fit_transform(self.index.embeddings(self.rows))
            return self._positions

    def draw(self, n_topics: int) -> tuple[pd.DataFrame, list[Topic]]:
        """Return a row for each article on the map (x, y, Title, Topic, Year), and the topics of the whole index.

        Raises:
            BioftError: as `positions`.
        """
        positions = self.positions()
        topics = find_topics(self.index, min(n_topics, len(self.index)))
        topic_of = np.zeros(len(self.index), int)
        for number, topic in enumerate(topics, 1):
            topic_of[list(topic.rows)] = number
        table = pd.DataFrame(positions, columns=["x", "y"])
        table["Title"] = [title or id_ for title, id_ in zip(self.articles["title"], self.articles["id"], strict=True)]
        table["Topic"] = [str(number) for number in topic_of[self.rows]]
        table["Year"] = ["" if pd.isna(year) else str(int(year)) for year in self.articles["year"]]
        return table, topics
