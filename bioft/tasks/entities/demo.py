"""The tab in which a run marks the entities of a text."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from bioft.storage.pages import html
from bioft.tasks import tabs
from bioft.tasks.entities import highlight as highlighting, predict as entity_prediction, tagging
from bioft.tasks.entities.tagging import Entity

TAB = "Entities"
EXAMPLE = "Naloxone reverses the antihypertensive effect of clonidine in rats with hypertension."

Finder = Callable[[str], tuple[list[Entity], list[str] | None]]
"""What finds the entities of a text, and its relations in words: None where it finds none of any text."""


def add(run: Path, label: str) -> None:
    """Load the run and add its tab to the page that is being built; BioftError as `entity_prediction.load_run`."""
    loaded = entity_prediction.load_run(run)
    add_finder(label, loaded[2], lambda text: (entity_prediction.find_as_recorded(*loaded, [text])[0], None))


def add_finder(label: str, record: Mapping[str, Any], find: Finder) -> None:
    """Add a tab that marks what is found in a text."""
    types = tagging.types_of(record["labels"])
    colours = {kind: highlighting.COLOURS[at % len(highlighting.COLOURS)] for at, kind in enumerate(types)}

    @tabs.explained
    def show(text: str) -> str:
        entities, statements = find(tabs.given(text))
        values = {"text": text, "entities": entities, "statements": statements, "colours": colours}
        return html("bioft.tasks.entities", "tab.html.j2", **values)

    with gr.Tab(label):
        gr.HTML(tabs.about_run(record))
        text = gr.Textbox(label="Text", lines=5, value=EXAMPLE, max_length=tabs.MAX_CHARACTERS)
        button = gr.Button("Find entities", variant="primary")
        shown = gr.HTML(label="Entities")
    button.click(show, text, shown, api_name="entities", **tabs.MODEL)
