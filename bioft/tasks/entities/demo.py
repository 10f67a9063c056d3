"""The tab in which a run marks the entities of a text."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from bioft.storage.pages import html
from bioft.tasks import tabs
from bioft.tasks.entities import files, predict as prediction, tagging
from bioft.tasks.entities.files import Found, InputDocument

TAB = "Entities"
EXAMPLE = "Naloxone reverses the antihypertensive effect of clonidine in rats with hypertension."

Finder = Callable[[Sequence[Any], Sequence[InputDocument], Mapping[str, Any]], list[Found]]
"""The `find` of a task's `predict` module."""


def add(run: Path, label: str) -> None:
    """Load the run and add its tab to the page that is being built; BioftError as `predict.load`."""
    add_finder(label, prediction.load(run), prediction.find)


def add_finder(label: str, model: Sequence[Any], find: Finder) -> None:
    """Add a tab that marks what a model, whose record comes last, finds in a text."""
    record = model[-1]
    types = tagging.types_of(record["labels"])
    colours = {kind: files.COLOURS[at % len(files.COLOURS)] for at, kind in enumerate(types)}

    @tabs.explained
    def show(text: str) -> str:
        (found,) = find(model, [InputDocument("text", tabs.given(text))], record)
        statements = None if found.relations is None else found.statements(text)
        values = {"text": text, "entities": found.entities, "statements": statements, "colours": colours}
        return html("bioft.tasks.entities", "tab.html.j2", **values)

    with gr.Tab(label):
        gr.HTML(tabs.about_run(record))
        text = gr.Textbox(label="Text", lines=5, value=EXAMPLE, max_length=tabs.MAX_CHARACTERS)
        button = gr.Button("Find entities", variant="primary")
        shown = gr.HTML(label="Entities")
    button.click(show, text, shown, api_name="entities", **tabs.MODEL)
