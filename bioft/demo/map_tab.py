"""The tab with the map of the articles, its topics, and the heatmap of chosen articles."""

from functools import cache
from html import escape
from typing import Any

import gradio as gr

from bioft.demo import article_map, heatmap, page
from bioft.demo.article_map import ArticleMap
from bioft.errors import BioftError
from bioft.search.index import SearchIndex
from bioft.search.topics import Topic

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
            return gr.skip(), page.block(page.message(str(error))), gr.skip()
        shown = set(articles.articles["id"])
        middles = [topic.id for topic in topics if topic.id in shown][:CHOSEN]
        # What a reader has chosen stays.
        return table, page.block(_legend(topics, len(articles.rows), len(index))), gr.skip() if ids else middles

    @page.explained
    def compare(ids: list[str] | None) -> str:
        return page.block(heatmap.to_html(index, ids or []))

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


def _legend(topics: list[Topic], drawn: int, n: int) -> str:
    rows = []
    for number, (topic, colour) in enumerate(zip(topics, article_map.COLOURS, strict=False), 1):
        named = ", ".join(topic.terms) or f"around “{topic.title or topic.id}”"
        rows.append(
            f'<li><i style="background:{colour}"></i><b>{number}</b> {escape(named)} '
            f'<span class="about">{topic.size:,} articles</span></li>'
        )
    sample = f" The map shows a random sample of {drawn:,} of them." if drawn < n else ""
    told = f"Articles that are alike lie near to each other. Topics are clusters of all {n:,} articles.{sample}"
    return f'<ul class="topics">{"".join(rows)}</ul><p class="about">{told}</p>'
