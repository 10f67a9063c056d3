"""The tab in which a run labels a text, such as why a trial was stopped."""

from pathlib import Path

import gradio as gr

from bioft.storage.pages import html
from bioft.tasks import tabs
from bioft.tasks.text_labels import classifier as text_classification, models as text_models

TAB = "Labels"


def add(run: Path, label: str) -> None:
    """Load the run and add its tab to the page that is being built; BioftError as `text_models.load_run`."""
    model, tokenizer, record = text_models.load_run(run)
    kept, names = record["classifier"], record["labels"]
    options = {"max_length": kept["max_length"], "multi_label": kept["multi_label"]}

    @tabs.explained
    def classify(text: str) -> str:
        scores = text_classification.score_texts(model, tokenizer, [tabs.given(text)], **options)
        (decided,) = text_classification.decide(scores, names, kept["thresholds"])
        scored = list(zip(names, scores[0].tolist(), strict=True))
        return html(__package__, "labels.html.j2", decided=decided, scores=scored)

    with gr.Tab(label):
        gr.HTML(tabs.about_run(record))
        text = gr.Textbox(label="Text", lines=4, max_length=tabs.MAX_CHARACTERS)
        button = gr.Button("Label", variant="primary")
        shown = gr.HTML(label="Labels")
    button.click(classify, text, shown, api_name="labels", **tabs.MODEL)
