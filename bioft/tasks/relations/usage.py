"""What the card of a run says on asking its model without bioft."""

from collections.abc import Mapping
from typing import Any

from bioft.tasks.relations.candidates import NO_RELATION
from bioft.tasks.relations.marking import RANKS, TIMES, Markers
from bioft.tasks.relations.prompted.prompts import Prompt

SENTENCE = "{head} caused {tail} in two patients."
HEAD, TAIL = "Lidocaine", "seizures"


def values(record: Mapping[str, Any]) -> dict[str, Any]:
    """A sentence as `marking.mark` writes it for this run's model, or its prompt; {} for an older record."""
    kept = record.get("relations") or {}
    if "prompt" in kept:
        relation, ((head, tail), *_) = next(iter(kept["arguments"].items()))
        return {
            "prompt": Prompt(**kept["prompt"]),
            "defaults": {"head_type": head.lower(), "tail_type": tail.lower(), "relation": relation},
            "text": SENTENCE.format(head=HEAD, tail=TAIL),
            "names": (HEAD, TAIL),
            "auto_class": "AutoModelForCausalLM",
            "needs_torch": True,
        }
    if "markers" not in kept:
        return {}
    markers = Markers(**kept["markers"])
    head, tail = next(iter(kept["arguments"].values()))[0]
    shown = {}
    for role, kind, name in (("head", head, HEAD), ("tail", tail, TAIL)):
        before, after = markers.around(role, kind)
        shown[role] = before + after if markers.style == "masked" else f"{before}{name}{after}"
    summary = "; ".join(f"{kind.lower()} {RANKS[0]}, in title" for kind in (head, tail)) + f"; {TIMES[1]}. "
    labels = list(record["labels"])
    return {
        "example": (summary if markers.summary else "") + SENTENCE.format(**shown),
        "markers": markers,
        "head": f"the {head.lower()} {HEAD}",
        "tail": f"the {tail.lower()} {TAIL}",
        "no_relation": NO_RELATION,
        "no_relations": labels.index(NO_RELATION) if NO_RELATION in labels else None,
        "needs_torch": True,
    }
