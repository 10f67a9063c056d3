"""What the tab of a run shows: the labels of a text, and how likely each of them is."""

from collections.abc import Mapping
from typing import Any

from bioft.storage.pages import html

TAB = "Labels"
EXAMPLES = [["Too few patients could be recruited."], ["The sponsor ended the study after deaths in one arm."]]


def show(answer: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    """What a run answers (`ask.load`), as HTML."""
    return html(__package__, "labels.html.j2", decided=answer["labels"], scores=list(answer["scores"].items()))
