"""The tab in which a run of text_classification labels a text, such as why a trial was stopped."""

from html import escape
from pathlib import Path

import gradio as gr

from bioft.demo import page
from bioft.errors import BioftError
from bioft.tasks.text_labels import classifier as text_classification, models as text_models


def add(run: Path, label: str) -> None:
    """Load the run and add its tab to the page that is being built.

    Raises:
        BioftError: as `text_models.load_run`.
    """
    model, tokenizer, record = text_models.load_run(run)
    kept = record["classifier"]
    names = record["labels"]

    @page.explained
    def classify(text: str) -> str:
        if not (text or "").strip():
            raise BioftError("The text is empty. Type or paste one.")
        length, several = kept["max_length"], kept["multi_label"]
        scores = text_classification.score_texts(model, tokenizer, [text], max_length=length, multi_label=several)
        (decided,) = text_classification.decide(scores, names, kept["thresholds"])
        rows = []
        for name, score in sorted(zip(names, scores[0].tolist(), strict=True), key=lambda item: -item[1]):
            shown = escape(name.replace("_", " "))
            given = f"<b>{shown}</b>" if name in decided else shown
            rows.append(f'<li><div class="score">{score:.3f}{page.bar(score)}</div><div>{given}</div></li>')
        told = ", ".join(escape(name.replace("_", " ")) for name in decided) or "No label"
        return page.block(f'<h3>{told}</h3><ol class="results">{"".join(rows)}</ol>')

    with gr.Tab(label):
        gr.HTML(page.about_run(record))
        text = gr.Textbox(label="Text", lines=4, max_length=page.MAX_CHARACTERS)
        button = gr.Button("Label", variant="primary")
        shown = gr.HTML(label="Labels")
    button.click(classify, text, shown, api_name="labels", **page.MODEL)
