"""The tab in which a run marks the entities of a text, and says its relations in words."""

from pathlib import Path

from bioft.tasks.entities.demo import add_finder
from bioft.tasks.entities.files import InputDocument
from bioft.tasks.entities.tagging import Entity
from bioft.tasks.joint import model as joint, predict as document_prediction
from bioft.tasks.joint.predict import Found

TAB = "Entities and relations"


def add(run: Path, label: str) -> None:
    """Load the run and add its tab to the page that is being built; BioftError as `joint.load_run`."""
    model, tokenizer, dictionary, record = joint.load_run(run)

    def find(text: str) -> tuple[list[Entity], list[str] | None]:
        found = joint.predict(model, tokenizer, [text], dictionary, name_unlinked=True, **record["windows"])
        (related,) = found.end_to_end.found(1, record["relations"]["threshold"])
        document = Found(found.entities[0], [entity["id"] for entity in found.linked[0]], related)
        return document.entities, document_prediction.statements(InputDocument("text", text), document)

    add_finder(label, record, find)
