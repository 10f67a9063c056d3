"""The tab with the map of the articles, its topics, and the heatmap of chosen articles."""

from functools import cache
from typing import Any

import gradio as gr
import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from bioft.demo import article_map, page
from bioft.demo.article_map import ArticleMap
from bioft.errors import BioftError
from bioft.metrics.report import decimals
from bioft.search.index import SearchIndex
from bioft.storage.pages import html
from bioft.tasks import tabs

TOPICS, CHOSEN = 8, 5
MOST_COMPARED = 8
"""Articles side by side that a phone has room for."""


def add(index: SearchIndex) -> None:
    """Add the tab to the page that is being built; the map is drawn when the tab is first opened."""
    articles = ArticleMap(index)
    choices = [
        (f"{title or id_} ({id_})", id_)
        for title, id_ in zip(articles.articles["title"], articles.articles["id"], strict=True)
    ]

    drawn = cache(articles.draw)

    def draw(n_topics: int, ids: list[str] | None) -> tuple[Any, str, Any]:
        try:
            table, topics = drawn(int(n_topics))
        except BioftError as error:
            return gr.skip(), tabs.message(str(error)), gr.skip()
        shown = set(articles.articles["id"])
        middles = [topic.id for topic in topics if topic.id in shown][:CHOSEN]
        coloured = list(zip(topics, article_map.COLOURS, strict=False))
        legend = html(__package__, "topics.html.j2", topics=coloured, drawn=len(articles.rows), n=len(index))
        # What a reader has chosen stays.
        return table, legend, gr.skip() if ids else middles

    @tabs.explained
    def compare(ids: list[str] | None) -> str:
        return heatmap(index, ids or [])

    with gr.Tab("Map") as tab:
        n_topics = gr.Slider(2, len(article_map.COLOURS), value=TOPICS, step=1, label="Topics")
        plot = gr.ScatterPlot(
            x="x",
            y="y",
            color="Topic",
            tooltip=["Title", "Topic", "Year"],
            color_map={str(number): colour for number, colour in enumerate(article_map.COLOURS, 1)},
            colors_in_legend=[],
            x_title=" ",
            y_title=" ",
            x_axis_labels_visible=False,
            height=440,
            show_label=False,
            elem_id="map",
        )
        legend = gr.HTML(label="Topics", elem_id="topics")
        chosen = gr.Dropdown(
            choices, multiselect=True, label=f"Articles to compare (2 to {MOST_COMPARED})", max_choices=MOST_COMPARED
        )
        compared = gr.HTML(label="Heatmap", elem_id="heatmap")
    options = {"concurrency_id": "map", "concurrency_limit": 1}
    inputs, outputs = [n_topics, chosen], [plot, legend, chosen]
    tab.select(draw, inputs, outputs, api_name="map", **options)
    n_topics.change(draw, inputs, outputs, api_name=False, **options)
    chosen.change(compare, chosen, compared, api_name="heatmap")


def heatmap(index: SearchIndex, ids: list[str]) -> str:
    """Return the cosine of each two of these articles as a table, and the list of their titles.

    Raises:
        BioftError: fewer than two articles or more than `MOST_COMPARED`, or one that is not in the index.
    """
    if not 2 <= len(ids) <= MOST_COMPARED:
        raise BioftError(f"{len(ids)} articles are chosen: choose 2 to {MOST_COMPARED} to compare them.")
    rows = pc.index_in(pa.array(ids, pa.string()), value_set=index.articles["id"].combine_chunks())
    if rows.null_count:
        raise BioftError(f"No article of the index has the id {ids[rows.is_null().index(True).as_py()]!r}.")
    vectors = index.embeddings(rows.to_numpy().astype(np.int64))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = np.clip(vectors @ vectors.T, -1, 1)
    titles = index.articles["title"].take(rows).to_pylist()
    return html(
        __package__,
        "heatmap.html.j2",
        cells=[list(map(_cell, values)) for values in cosines],
        articles=list(zip(titles, ids, strict=True)),
        address_of=page.address_of,
    )


def _cell(cosine: float) -> dict[str, str]:
    """A cell whose colour goes from white at 0 (and below) to dark teal at 1, with letters that stand out."""
    share = max(float(cosine), 0.0)
    red, green, blue = (round(255 + share * (end - 255)) for end in (15, 118, 110))
    letters = "#fff" if share > 0.6 else "#111"
    shown = decimals(cosine, 2) if abs(cosine) < 0.995 else "1"
    return {"shown": shown, "colour": f"rgb({red},{green},{blue})", "letters": letters}
