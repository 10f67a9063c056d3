"""The tab in which a run is asked whether a gene is associated with a disease."""

from pathlib import Path

import gradio as gr

from bioft.errors import BioftError
from bioft.storage.pages import html
from bioft.tasks import tabs
from bioft.tasks.gene_disease import predict as prediction

TAB = "Gene–disease"
MAX_CHARACTERS = 200
"""Of a name."""


def add(run: Path, label: str) -> None:
    """Load the run and add its tab to the page that is being built; BioftError as `prediction.load_run`."""
    model, prompts, record = prediction.load_run(run)
    threshold = record["scoring"]["threshold"]

    @tabs.explained
    def ask(gene: str, disease: str) -> str:
        names = {"gene": (gene or "").strip(), "disease": (disease or "").strip()}
        if empty := [name for name, value in names.items() if not value]:
            raise BioftError(f"The {' and the '.join(empty)} is empty. Name a gene and a disease.")
        score = float(prediction.score_pairs(model, prompts, {name: [value] for name, value in names.items()})[0])
        return html(__package__, "answer.html.j2", score=score, threshold=threshold, **names)

    with gr.Tab(label):
        gr.HTML(tabs.about_run(record))
        with gr.Row():
            gene = gr.Textbox(label="Gene", placeholder="Its symbol, such as BRCA1", max_length=MAX_CHARACTERS)
            disease = gr.Textbox(label="Disease", placeholder="Its name", max_length=MAX_CHARACTERS)
        button = gr.Button("Ask", variant="primary")
        shown = gr.HTML(label="Answer")
        gr.Examples([["FBN1", "Marfan syndrome"], ["CFTR", "Marfan syndrome"]], [gene, disease])
    asked = [gene.submit, disease.submit, button.click]
    gr.on(asked, ask, [gene, disease], shown, api_name="gene_disease", **tabs.MODEL)
