"""The tab in which two texts are compared, and their similarity is read against that of articles."""

import gradio as gr
import numpy as np

from bioft.demo import gauge
from bioft.demo.calibration import Calibration
from bioft.errors import BioftError
from bioft.search.encoder import SearchEncoder
from bioft.storage.pages import html
from bioft.tasks import tabs


def add(encoder: SearchEncoder, calibration: Calibration) -> None:
    """Add the tab to the page that is being built."""

    @tabs.explained
    def compare(first: str, second: str) -> str:
        texts = {"first": (first or "").strip(), "second": (second or "").strip()}
        if empty := [name for name, text in texts.items() if not text]:
            raise BioftError(f"The {' and the '.join(empty)} text is empty. Type or paste two texts to compare.")
        one, other = encoder.encode(list(texts.values()))
        score = float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))
        lengths = {
            name: len(encoder.model.tokenizer(text, verbose=False)["input_ids"]) for name, text in texts.items()
        }
        read = encoder.model.max_seq_length
        return html(
            __package__,
            "similarity.html.j2",
            score=score,
            gauge=gauge.to_html(score, calibration),
            words=calibration.in_words(score),
            cut=[(name, read, tokens) for name, tokens in lengths.items() if tokens > read],
        )

    with gr.Tab("Similarity"):
        with gr.Row():
            first = gr.Textbox(label="First text", lines=5, min_width=280, max_length=tabs.MAX_CHARACTERS)
            second = gr.Textbox(label="Second text", lines=5, min_width=280, max_length=tabs.MAX_CHARACTERS)
        button = gr.Button("Compare", variant="primary")
        shown = gr.HTML(label="Similarity", elem_id="similarity")
    button.click(compare, [first, second], shown, api_name="compare", **tabs.MODEL)
