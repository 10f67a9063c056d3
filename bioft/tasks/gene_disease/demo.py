"""What the tab of a run shows: whether a gene is associated with a disease, beside the threshold."""

from collections.abc import Mapping
from typing import Any

from bioft.storage.pages import html

TAB = "Gene–disease"
EXAMPLES = [["FBN1", "Marfan syndrome"], ["CFTR", "Marfan syndrome"]]


def show(answer: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    """What a run answers (`predict.answer_pairs`), as HTML."""
    return html(__package__, "answer.html.j2", **answer)
