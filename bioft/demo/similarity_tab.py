"""The tab in which two texts are compared, and their similarity is read against that of articles."""

from html import escape

import gradio as gr
import numpy as np

from bioft.demo import gauge, page
from bioft.demo.calibration import Calibration
from bioft.errors import BioftError
from bioft.search.encoder import SearchEncoder


def add(encoder: SearchEncoder, calibration: Calibration) -> None:
    """Add the tab to the page that is being built."""

    @page.explained
    def compare(first: str, second: str) -> str:
        texts = {"first": (first or "").strip(), "second": (second or "").strip()}
        if empty := [name for name, text in texts.items() if not text]:
            raise BioftError(f"The {' and the '.join(empty)} text is empty. Type or paste two texts to compare.")
        one, other = encoder.encode(list(texts.values()))
        score = float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))
        words = calibration.in_words(score)
        told = f"<p>This is {escape(words)}.</p>" if words else ""
        cut = "".join(_cut(name, text, encoder) for name, text in texts.items())
        shown = f'<p>Cosine similarity <span class="large">{score:.3f}</span></p>'
        return page.block(shown, gauge.to_html(score, calibration), told, cut)

    with gr.Tab("Similarity"):
        with gr.Row():
            first = gr.Textbox(label="First text", lines=5, min_width=280, max_length=page.MAX_CHARACTERS)
            second = gr.Textbox(label="Second text", lines=5, min_width=280, max_length=page.MAX_CHARACTERS)
        button = gr.Button("Compare", variant="primary")
        shown = gr.HTML(label="Similarity", elem_id="similarity")
    button.click(compare, [first, second], shown, api_name="compare", **page.MODEL)


def _cut(name: str, text: str, encoder: SearchEncoder) -> str:
    read, tokens = encoder.model.max_seq_length, len(encoder.model.tokenizer(text, verbose=False)["input_ids"])
    if tokens <= read:
        return ""
    return page.message(f"Of the {name} text the model read the first {read:,} of {tokens:,} tokens.")
