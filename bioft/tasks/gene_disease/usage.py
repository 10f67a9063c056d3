"""What the card of a run says on asking its model without bioft."""

from collections.abc import Mapping
from typing import Any

from bioft.tasks.gene_disease.prompts import STYLES


def values(record: Mapping[str, Any]) -> dict[str, Any]:
    """The prompt as text, or as messages for the chat template, over {gene} and {disease}; {} where none is known."""
    scoring = record.get("scoring") or {}
    style = STYLES.get(scoring.get("prompt_style", ""))
    if "prompt" in scoring:
        return {"prompt": scoring["prompt"], "needs_torch": True}
    # Before prompts were recorded: of a chat template it is not known how it takes an instruction.
    return {} if style is None or style.system else {"prompt": style.template, "needs_torch": True}
