"""The tab with the map of the articles, its topics, and the articles that are opened, with their similarity."""

from functools import cache
from typing import Any

import gradio as gr
import numpy as np

from bioft.demo import article_map, page
from bioft.demo.article_map import ArticleMap
from bioft.errors import BioftError
from bioft.metrics.report import decimals
from bioft.search.index import SearchIndex
from bioft.storage.pages import html

TOPICS, CHOSEN = 8, 5
MOST_COMPARED = 8
"""Articles side by side that a phone has room for."""
LETTERS, SIMILAR = "#111", (94, 234, 212)
"""Of a cell, and its colour at a cosine of 1: light enough for these letters, like all from white on."""
ON_CLICK = """
element.addEventListener('click', event => {
  const id = event.target.closest('[data-id]')?.dataset.id;
  if (id) trigger('select', {index: 0, value: id});
});
"""


def add(index: SearchIndex, what: str) -> None:
    """Add the tab to the page that is being built; the map is drawn when the tab is first opened."""
    articles = ArticleMap(index, what)
    choices = [(f"{title or id_} ({id_})", id_) for id_, title, _ in articles.articles]
    drawn = cache(articles.draw)

    def topics(n: int = TOPICS) -> dict:
        """The topics (size, name, terms, title, id, years), and each point (id, title, year, x, y, topic)."""
        points, found = drawn(int(n))
        told = [{**topic._asdict(), "terms": list(topic.terms)} for topic in found]
        for topic in told:
            del topic["rows"]
            topic["years"] = {str(year): count for year, count in topic["years"].items()}  # as JSON has them
        return {"topics": told, "points": [point._asdict() for point in points]}

    def draw(n_topics: int, ids: list[str] | None) -> tuple[str, Any]:
        points, found = drawn(int(n_topics))
        here = {point.id for point in points}
        middles = [topic.id for topic in found if topic.id in here][:CHOSEN]
        values = {"points": points, "topics": found, "colours": article_map.COLOURS, "n": len(index), "what": what}
        # What a reader has chosen stays.
        return html(__package__, "map.html.j2", **values), gr.skip() if ids else middles

    def open_point(ids: list[str] | None, event: gr.SelectData) -> list[str]:
        return [event.value, *(each for each in ids or () if each != event.value)][:MOST_COMPARED]

    def compare(ids: list[str] | None) -> str:
        return heatmap(index, ids or [], what)

    with gr.Tab("Map") as tab:
        n_topics = gr.Slider(2, len(article_map.COLOURS), value=TOPICS, step=1, label="Topics")
        plot = gr.HTML(label="Map", elem_id="map", js_on_load=ON_CLICK)
        chosen = gr.Dropdown(
            choices,
            multiselect=True,
            label=f"Opened {what}, up to {MOST_COMPARED} to compare",
            max_choices=MOST_COMPARED,
        )
        gr.Examples([[[id_ for _, id_ in choices[start : start + 3]]] for start in {0, len(choices) // 2}], chosen)
        compared = gr.HTML(label="Opened", elem_id="heatmap")
        page.add_endpoint(topics, "map", concurrency_id="map", concurrency_limit=1)
    options: dict[str, Any] = {"api_visibility": "private", "concurrency_id": "map", "concurrency_limit": 1}
    gr.on(
        [tab.select, n_topics.change], page.explained(draw, gr.skip()), [n_topics, chosen], [plot, chosen], **options
    )
    plot.select(open_point, chosen, chosen, api_visibility="private")
    chosen.change(page.explained(compare), chosen, compared, api_visibility="private")


def heatmap(index: SearchIndex, ids: list[str], what: str = "articles") -> str:
    """Return articles with their texts and links, and where they are several the cosine of each two as a table.

    BioftError: none or more than `MOST_COMPARED`, or one that is not in the index.
    """
    if not 1 <= len(ids) <= MOST_COMPARED:
        raise BioftError(f"{len(ids)} {what} are chosen: choose 1 to {MOST_COMPARED} to read and compare them.")
    rows = index.rows_of(ids)
    vectors = index.embeddings(np.array(rows))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return html(
        __package__,
        "heatmap.html.j2",
        cells=[list(map(cell, values)) for values in np.clip(vectors @ vectors.T, -1, 1).tolist()],
        letters=LETTERS,
        articles=page.shown(index, rows),
        is_pmid=page.is_pmid,
        marked=page.marked,
    )


def cell(cosine: float) -> dict[str, str]:
    """A cell whose colour goes from white at 0 (and below) to teal at 1."""
    red, green, blue = (round(255 + max(cosine, 0.0) * (end - 255)) for end in SIMILAR)
    return {"shown": decimals(cosine, 2) if abs(cosine) < 0.995 else "1", "colour": f"rgb({red},{green},{blue})"}
