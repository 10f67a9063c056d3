"""The tab with the map of the articles, its topics, and the heatmap of chosen articles."""

from functools import cache
from typing import Any

import gradio as gr

from bioft.demo import article_map, heatmap
from bioft.demo.article_map import ArticleMap
from bioft.errors import BioftError
from bioft.search.index import SearchIndex
from bioft.storage.pages import html
from bioft.tasks import tabs

TOPICS, CHOSEN = 8, 5


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
        return heatmap.to_html(index, ids or [])

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
            choices, multiselect=True, label=f"Articles to compare (2 to {heatmap.MOST})", max_choices=heatmap.MOST
        )
        compared = gr.HTML(label="Heatmap", elem_id="heatmap")
    options = {"concurrency_id": "map", "concurrency_limit": 1}
    inputs, outputs = [n_topics, chosen], [plot, legend, chosen]
    tab.select(draw, inputs, outputs, api_name="map", **options)
    n_topics.change(draw, inputs, outputs, api_name=False, **options)
    chosen.change(compare, chosen, compared, api_name="heatmap")
