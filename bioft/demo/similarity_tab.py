"""The tab in which two texts are compared, and their similarity is read against that of articles."""

import gradio as gr
import numpy as np

from bioft.demo import page, search_tab
from bioft.demo.calibration import Calibration, Cosines
from bioft.errors import BioftError
from bioft.search.encoder import SearchEncoder
from bioft.search.index import SearchIndex
from bioft.storage.pages import html

WIDTH, HEIGHT, BASE, TOP, MARGIN = 480, 150, 118, 22, 20
"""Of the gauge."""
BINS = 60


def add(index: SearchIndex, encoder: SearchEncoder, calibration: Calibration, what: str) -> None:
    """Add the tab to the page that is being built."""

    def similarity(first: str, second: str) -> dict:
        """The cosine of two texts, and how it compares with those in the index."""
        texts = {"first": (first or "").strip(), "second": (second or "").strip()}
        if empty := [name for name, text in texts.items() if not text]:
            raise BioftError(f"The {' and the '.join(empty)} text is empty. Type or paste two texts to compare.")
        one, other = encoder.encode(list(texts.values()))
        score = float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))
        return {"cosine": score, "words": calibration.in_words(score, what)}

    def show(first: str, second: str) -> str:
        found = similarity(first, second)
        texts = {"first": first, "second": second}
        lengths = {
            name: len(encoder.model.tokenizer(text, verbose=False)["input_ids"]) for name, text in texts.items()
        }
        read = encoder.model.max_seq_length
        return html(
            __package__,
            "similarity.html.j2",
            score=found["cosine"],
            gauge=gauge(found["cosine"], calibration),
            words=found["words"],
            cut=[(name, read, tokens) for name, tokens in lengths.items() if tokens > read],
        )

    with gr.Tab("Similarity"):
        with gr.Row():
            first = gr.Textbox(label="First text", lines=5, min_width=280, max_length=page.MAX_CHARACTERS)
            second = gr.Textbox(label="Second text", lines=5, min_width=280, max_length=page.MAX_CHARACTERS)
        button = gr.Button("Compare", variant="primary")
        shown = gr.HTML(label="Similarity", elem_id="similarity")
        titles = search_tab.examples(index, 4)
        gr.Examples([titles[:2], titles[2:]], [first, second])
        page.add_endpoint(similarity, "similarity", **page.MODEL)
    button.click(page.explained(show), [first, second], shown, api_visibility="private", **page.MODEL)


def gauge(score: float, calibration: Calibration) -> str:
    """Return the gauge as a legend and SVG; it needs nothing from elsewhere and takes the colours of the page."""
    kinds = [("Random pairs", calibration.random, "currentColor", 0.28)]
    kinds += [("Pairs that share a specific MeSH heading", calibration.related, "var(--color-accent)", 0.5)]
    kinds = [kind for kind in kinds if len(kind[1])]
    low = min(0.0, score, *(float(cosines[0]) for _, cosines, _, _ in kinds))

    def x(cosine: float) -> float:
        return MARGIN + (WIDTH - 2 * MARGIN) * (cosine - low) / (1 - low)

    return html(
        __package__,
        "gauge.html.j2",
        curves=[
            {"name": name, "outline": _outline(cosines, low), "colour": colour, "opacity": opacity}
            for name, cosines, colour, opacity in kinds
        ],
        ticks=[(tick + 0.0, f"{x(tick):.1f}") for tick in np.arange(np.ceil(low * 4) / 4, 1.01, 0.25)],  # no "-0"
        at=f"{x(min(score, 1.0)):.1f}",
        score=score,
        low=low,
        width=WIDTH,
        height=HEIGHT,
        base=BASE,
        top=TOP,
        margin=MARGIN,
    )


def _outline(cosines: Cosines, low: float) -> str:
    """Return the outline of a histogram whose highest bar fills the gauge."""
    counts, _ = np.histogram(cosines, BINS, (low, 1))
    step = (WIDTH - 2 * MARGIN) / BINS
    tops = BASE - (BASE - TOP) * counts / max(counts.max(), 1)
    points = [f"L{MARGIN + step * i:.1f},{y:.1f}L{MARGIN + step * (i + 1):.1f},{y:.1f}" for i, y in enumerate(tops)]
    return f"M{MARGIN},{BASE}{''.join(points)}L{WIDTH - MARGIN},{BASE}Z"
