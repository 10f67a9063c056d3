"""The tab in which an index is searched."""

import gradio as gr
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from bioft.demo import page
from bioft.demo.calibration import Calibration
from bioft.errors import BioftError
from bioft.search.encoder import SearchEncoder
from bioft.search.index import SearchIndex
from bioft.storage.pages import html
from bioft.tasks import tabs

OFFERED_TERMS = 1000
"""The most frequent MeSH terms, which a list offers; others can be typed in."""
SHOWN_TERMS = 6


def add(index: SearchIndex, encoder: SearchEncoder, calibration: Calibration) -> None:
    """Add the tab to the page that is being built; filters are offered for what the index knows."""
    years = pc.min_max(index.articles["year"]).as_py()
    several = years["min"] != years["max"]
    # A slider that does not show has a scale too.
    earliest, latest = (years["min"], years["max"]) if several else (0, 1)
    terms = frequent_terms(index)

    @tabs.explained
    def search(query: str, k: int, from_year: int, to_year: int, mesh: list[str] | None) -> str:
        hits = index.search(
            encoder.encode_query(query or ""),
            int(k),
            # At the ends of the scale they are no filter: articles without a year pass too.
            from_year=int(from_year) if from_year > earliest else None,
            to_year=int(to_year) if to_year < latest else None,
            mesh=mesh or (),
        )
        if not hits:
            raise BioftError("No article passes the filters. Widen the years, or take a MeSH term away.")
        ids = pc.index_in(pa.array([hit.id for hit in hits]), value_set=index.articles["id"].combine_chunks())
        return html(
            __package__,
            "results.html.j2",
            hits=hits,
            mesh=index.mesh.take(ids).to_pylist(),
            far=calibration.is_far(hits[0].score),
            shown_terms=SHOWN_TERMS,
            is_pmid=page.is_pmid,
            address_of=page.address_of,
        )

    with gr.Tab("Search"):
        query = gr.Textbox(
            label="What to look for",
            placeholder="In your own words, such as: lung cancer treatment options",
            max_lines=1,
            max_length=tabs.MAX_CHARACTERS,
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
        found = gr.HTML(label="Results", elem_id="results")
    gr.on([query.submit, button.click], search, [query, k, first, last, mesh], found, api_name="search", **tabs.MODEL)


def frequent_terms(index: SearchIndex) -> list[str]:
    """Return the MeSH terms that most articles have, the most frequent first."""
    counts = pc.value_counts(pc.list_flatten(index.mesh))
    order = pc.select_k_unstable(counts.field("counts"), OFFERED_TERMS, [("counts", "descending")])
    return counts.field("values").take(order).to_pylist()
