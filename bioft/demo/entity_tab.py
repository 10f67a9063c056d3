"""The tab in which a run of token_classification or joint_ner_re marks the entities of a text."""

from collections.abc import Callable
from html import escape
from pathlib import Path

import gradio as gr

from bioft.demo import page
from bioft.errors import BioftError
from bioft.storage import runs
from bioft.tasks.entities import highlight as highlighting, predict as entity_prediction, tagging
from bioft.tasks.entities.files import InputDocument
from bioft.tasks.entities.tagging import Entity
from bioft.tasks.joint import model as joint, predict as document_prediction
from bioft.tasks.joint.predict import Found

EXAMPLE = "Naloxone reverses the antihypertensive effect of clonidine in rats with hypertension."

Finder = Callable[[str], Found]


def add(run: Path, label: str) -> None:
    """Load the run and add its tab to the page that is being built.

    Raises:
        BioftError: as `entity_prediction.load_run` and `joint.load_run`.
    """
    record = runs.read(run)
    find = _joint_finder(run) if record["recipe"] == "joint_ner_re" else _entity_finder(run)
    types = tagging.types_of(record["labels"])
    colours = {kind: highlighting.COLOURS[at % len(highlighting.COLOURS)] for at, kind in enumerate(types)}

    @page.explained
    def show(text: str) -> str:
        if not (text or "").strip():
            raise BioftError("The text is empty. Type or paste one.")
        found = find(text)
        n = len(found.entities)
        parts = [marked(text, found.entities, colours), f"<p>{n} {'entity' if n == 1 else 'entities'}</p>"]
        if found.relations is not None:
            statements = document_prediction.statements(InputDocument("text", text), found) or ["No relations"]
            parts.append(f'<ul class="topics">{"".join(f"<li>{escape(each)}</li>" for each in statements)}</ul>')
        return page.block(*parts)

    with gr.Tab(label):
        gr.HTML(page.about_run(record))
        text = gr.Textbox(label="Text", lines=5, value=EXAMPLE, max_length=page.MAX_CHARACTERS)
        button = gr.Button("Find entities", variant="primary")
        shown = gr.HTML(label="Entities")
    button.click(show, text, shown, api_name="entities", **page.MODEL)


def marked(text: str, entities: list[Entity], colours: dict[str, str]) -> str:
    """Return a text as HTML in which each entity has the colour of its type and is followed by it."""
    parts = []
    place = 0
    for entity in entities:
        parts.append(escape(text[place : entity.start]))
        parts.append(
            f'<mark style="background:{colours[entity.type]}" title="probability {entity.score:.2f}">'
            f"{escape(text[entity.start : entity.end])}<span>{escape(entity.type)}</span></mark>"
        )
        place = entity.end
    return f'<div class="entities">{"".join(parts)}{escape(text[place:])}</div>'


def _entity_finder(run: Path) -> Finder:
    loaded = entity_prediction.load_run(run)
    return lambda text: Found(entity_prediction.find_as_recorded(*loaded, [text])[0])


def _joint_finder(run: Path) -> Finder:
    model, tokenizer, dictionary, record = joint.load_run(run)

    def find(text: str) -> Found:
        found = joint.predict(model, tokenizer, [text], dictionary, name_unlinked=True, **record["windows"])
        (related,) = found.end_to_end.found(1, record["relations"]["threshold"])
        return Found(found.entities[0], [entity["id"] for entity in found.linked[0]], related)

    return find
