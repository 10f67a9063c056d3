"""The tab in which an index is searched."""

from html import escape

import gradio as gr
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from bioft.demo import page
from bioft.demo.calibration import Calibration
from bioft.errors import BioftError
from bioft.search.encoder import SearchEncoder
from bioft.search.index import Hit, SearchIndex

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

    @page.explained
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
        return page.block(_doubt(hits[0].score, calibration), results(index, hits))

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
        found = gr.HTML(label="Results", elem_id="results")
    gr.on(
        [query.submit, button.click],
        search,
        [query, k, first, last, mesh],
        found,
        api_name="search",
        **page.MODEL,
    )


def frequent_terms(index: SearchIndex) -> list[str]:
    """Return the MeSH terms that most articles have, the most frequent first."""
    counts = pc.value_counts(pc.list_flatten(index.mesh))
    order = pc.select_k_unstable(counts.field("counts"), OFFERED_TERMS, [("counts", "descending")])
    return counts.field("values").take(order).to_pylist()


def results(index: SearchIndex, hits: list[Hit]) -> str:
    """Return the articles that were found as an HTML list, with score, title, year and MeSH terms."""
    ids = pc.index_in(pa.array([hit.id for hit in hits]), value_set=index.articles["id"].combine_chunks())
    rows = []
    for hit, mesh in zip(hits, index.mesh.take(ids).to_pylist(), strict=True):
        named = f"PMID {hit.id}" if page.is_pmid(hit.id) else hit.id
        about = [f"{hit.rank}.", named, str(hit.year or "")]
        retracted = ' <span class="retracted">Retracted</span>' if hit.retracted else ""
        terms = "".join(f'<span class="term">{escape(term)}</span>' for term in mesh[:SHOWN_TERMS])
        more = f'<span class="term">{len(mesh) - SHOWN_TERMS} more</span>' if len(mesh) > SHOWN_TERMS else ""
        rows.append(
            f'<li><div><span class="score">{hit.score:.3f}</span>{page.bar(hit.score)}</div>'
            f'<div><div class="title">{page.title_of(hit.title, hit.id)}</div>'
            f'<div class="about">{escape(" · ".join(filter(None, about)))}{retracted}</div>{terms}{more}</div></li>'
        )
    return f'<ol class="results">{"".join(rows)}</ol>'


def _doubt(best: float, calibration: Calibration) -> str:
    if not calibration.is_far(best):
        return ""
    return page.message(
        f"Nothing here is near to the query: the best score is {best:.3f}, and 99 % of the articles are nearer than "
        "that to another article. There may be no article on it in this index, or the model does not know the words "
        "or the language."
    )
