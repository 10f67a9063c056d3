"""The tab in which an index is searched."""

from typing import Any

import gradio as gr
import pyarrow.compute as pc  # type: ignore[import-untyped]

from bioft.demo import page
from bioft.demo.calibration import Calibration
from bioft.errors import BioftError
from bioft.search.encoder import SearchEncoder
from bioft.search.index import SearchIndex
from bioft.search.words import words_of
from bioft.storage.pages import html

OFFERED_TERMS = 1000
"""The most frequent MeSH terms, which a list offers; others can be typed in."""
EXAMPLES = ("Lung cancer treatment options", "High blood pressure", "Inherited deafness", "Fever of young children")


def add(index: SearchIndex, encoder: SearchEncoder, calibration: Calibration, what: str) -> None:
    """Add the tab to the page that is being built; filters are offered for what the index knows."""
    years = pc.min_max(index.articles["year"]).as_py()
    several = years["min"] != years["max"]
    # A slider that does not show has a scale too.
    earliest, latest = (years["min"], years["max"]) if several else (0, 1)
    terms = frequent_terms(index)

    def search(
        query: str,
        k: int = 10,
        from_year: int | None = None,
        to_year: int | None = None,
        mesh: list[str] | None = None,
    ) -> list[dict]:
        """What a query finds by words and meaning: rank, score (cosine), id, title, text, year, mesh, retracted, …"""
        vector = encoder.encode_query(query or "")
        hits = index.search(vector, int(k), query, from_year=from_year, to_year=to_year, mesh=mesh or ())
        found = page.shown(index, index.rows_of([hit.id for hit in hits]))
        return [
            {"rank": hit.rank, "score": round(hit.score or 0.0, 4), **article}
            for hit, article in zip(hits, found, strict=True)
        ]

    def show(query: str, k: int, from_year: int, to_year: int, mesh: list[str] | None) -> tuple[str, Any]:
        # At the ends of the scale they are no filter: articles without a year pass too.
        first = int(from_year) if from_year > earliest else None
        last = int(to_year) if to_year < latest else None
        hits = search(query, k, first, last, mesh)
        if not hits:
            raise BioftError(f"None of the {what} pass the filters. Widen the years, or take a MeSH term away.")
        far = calibration.is_far(best := max(hit["score"] for hit in hits))
        values = {"words": words_of(query), "best": best, "marked": page.marked, "is_pmid": page.is_pmid, "what": what}
        return html(__package__, "results.html.j2", hits=hits, far=far, **values), page.csv_file(page.table(hits))

    with gr.Tab("Search"):
        query = gr.Textbox(
            label="What to look for",
            placeholder="In your own words, such as: lung cancer treatment options",
            max_lines=1,
            max_length=page.MAX_CHARACTERS,
            autofocus=True,
        )
        with gr.Accordion("Number of results and filters", open=False):
            k = gr.Slider(1, 50, value=10, step=1, label="Results")
            with gr.Row():
                first = gr.Slider(earliest, latest, value=earliest, step=1, label="From year", visible=several)
                last = gr.Slider(earliest, latest, value=latest, step=1, label="To year", visible=several)
            mesh = gr.Dropdown(
                terms, multiselect=True, allow_custom_value=True, label="MeSH terms, all of them", visible=bool(terms)
            )
        button = gr.Button("Search", variant="primary")
        gr.Examples([[title] for title in examples(index, 3)], query)
        found = gr.HTML(label="Results", elem_id="results")
        download = gr.DownloadButton("Download as CSV", visible=False)
        page.add_endpoint(search, "search", **page.MODEL)
    asked, shown = [query, k, first, last, mesh], [found, download]
    events = [query.submit, button.click]
    gr.on(events, page.explained(show, page.NO_FILE), asked, shown, api_visibility="private", **page.MODEL)


def examples(index: SearchIndex, n: int) -> list[str]:
    """Titles of an index, far from each other in it; where they are too few, other texts."""
    titles = list(filter(None, index.articles["title"].to_pylist()))
    return titles[:: len(titles) // n][:n] if len(titles) >= n else list(EXAMPLES[:n])


def frequent_terms(index: SearchIndex) -> list[str]:
    """Return the MeSH terms that most articles have, the most frequent first."""
    counts = pc.value_counts(pc.list_flatten(index.mesh))
    order = pc.select_k_unstable(counts.field("counts"), OFFERED_TERMS, [("counts", "descending")])
    return counts.field("values").take(order).to_pylist()
