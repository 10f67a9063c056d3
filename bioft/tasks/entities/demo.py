"""What the tab of a run shows: the entities marked in the text, and relations in words."""

from collections.abc import Mapping
from typing import Any

from bioft.storage.pages import html
from bioft.tasks.entities import files, tagging
from bioft.tasks.entities.files import Found, FoundRelation
from bioft.tasks.entities.tagging import Entity

TAB = "Entities"
EXAMPLES = [
    ["Naloxone reverses the antihypertensive effect of clonidine in rats with hypertension."],
    ["Two patients on lithium carbonate developed nephrotic syndrome, which went when lithium was withdrawn."],
]


def show(answer: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    """What a run answers (`files.to_row`), as HTML."""
    types = tagging.types_of(record["labels"])
    found = Found(
        [Entity(each["start"], each["end"], each["type"], each["score"]) for each in answer["entities"]],
        [each.get("id", "") for each in answer["entities"]],
        [FoundRelation(**each) for each in answer.get("relations", ())],
    )
    return html(
        __package__,
        "tab.html.j2",
        text=answer["text"],
        entities=found.entities,
        statements=found.statements(answer["text"]) if "relations" in answer else None,
        colours={kind: files.COLOURS[at % len(files.COLOURS)] for at, kind in enumerate(types)},
    )
