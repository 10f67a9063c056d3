"""The tab in which a run labels a text, such as why a trial was stopped."""

from pathlib import Path

import gradio as gr

from bioft.storage.pages import html
from bioft.tasks import tabs
from bioft.tasks.text_labels.classifier import decide
from bioft.tasks.text_labels.predict import load, scores_of

TAB = "Labels"


def add(run: Path, label: str) -> None:
    """Load the run and add its tab to the page that is being built; BioftError as `models.load_run`."""
    _, _, record = model = load(run)
    names = record["labels"]

    @tabs.explained
    def classify(text: str) -> str:
        scores = scores_of(model, [tabs.given(text)], record)
        (decided,) = decide(scores, names, record["classifier"]["thresholds"])
        scored = list(zip(names, scores[0].tolist(), strict=True))
        return html(__package__, "labels.html.j2", decided=decided, scores=scored)

    with gr.Tab(label):
        gr.HTML(tabs.about_run(record))
        text = gr.Textbox(label="Text", lines=4, max_length=tabs.MAX_CHARACTERS)
        button = gr.Button("Label", variant="primary")
        shown = gr.HTML(label="Labels")
    button.click(classify, text, shown, api_name="labels", **tabs.MODEL)
