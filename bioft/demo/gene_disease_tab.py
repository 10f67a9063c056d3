"""The tab in which a run of sft_gda is asked whether a gene is associated with a disease."""

from html import escape
from pathlib import Path

import gradio as gr

from bioft.demo import page
from bioft.errors import BioftError
from bioft.tasks.gene_disease import predict as prediction

MAX_CHARACTERS = 200
"""Of a name."""


def add(run: Path, label: str) -> None:
    """Load the run and add its tab to the page that is being built.

    Raises:
        BioftError: as `prediction.load_run`.
    """
    model, prompts, record = prediction.load_run(run)
    threshold = record["scoring"]["threshold"]

    @page.explained
    def ask(gene: str, disease: str) -> str:
        names = {"gene": (gene or "").strip(), "disease": (disease or "").strip()}
        if empty := [name for name, value in names.items() if not value]:
            raise BioftError(f"The {' and the '.join(empty)} is empty. Name a gene and a disease.")
        pair = {name: [value] for name, value in names.items()}
        score = float(prediction.score_pairs(model, prompts, pair)[0])
        answer = "Yes" if score >= threshold else "No"
        return page.block(
            f'<p><span class="large">{answer}</span> {escape(names["gene"])} and {escape(names["disease"])}: '
            f"probability of “yes” {score:.3f}</p>",
            page.bar(score, threshold),
            f'<p class="about">“Yes” from {threshold:.3f} on (the line), the threshold of the run.</p>',
        )

    with gr.Tab(label):
        gr.HTML(page.about_run(record))
        with gr.Row():
            gene = gr.Textbox(label="Gene", placeholder="Its symbol, such as BRCA1", max_length=MAX_CHARACTERS)
            disease = gr.Textbox(label="Disease", placeholder="Its name", max_length=MAX_CHARACTERS)
        button = gr.Button("Ask", variant="primary")
        shown = gr.HTML(label="Answer")
        gr.Examples([["FBN1", "Marfan syndrome"], ["CFTR", "Marfan syndrome"]], [gene, disease])
    gr.on(
        [gene.submit, disease.submit, button.click], ask, [gene, disease], shown, api_name="gene_disease", **page.MODEL
    )
