"""What the card of a run says on asking its model without bioft."""

import inspect
from collections.abc import Mapping
from typing import Any

from bioft.datasets.hpo import context
from bioft.tasks.gene_disease.prompts import STYLES


def values(record: Mapping[str, Any]) -> dict[str, Any]:
    """The prompt as text, or as messages for the chat template, over {gene} and {disease}; {} where none is known."""
    scoring = record.get("scoring") or {}
    style = STYLES.get(scoring.get("prompt_style", ""))
    if "prompt" in scoring:
        found = {"prompt": scoring["prompt"], "needs_torch": True}
        if "context" in scoring:
            source = "\n\n".join(inspect.getsource(each) for each in (context.grams, context.about))
            found |= {
                "about": source.replace(": Any = ", "=").replace(": Any", "").rstrip(),
                "context_file": context.FILE,
            }
        return found
    # Before prompts were recorded: of a chat template it is not known how it takes an instruction.
    if style is None or style.system is not None:
        return {}
    return {"prompt": style.template.replace("{context}", ""), "needs_torch": True}
