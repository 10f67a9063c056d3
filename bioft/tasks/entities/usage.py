"""What the card of a run says on asking its model without bioft."""

from collections.abc import Mapping
from typing import Any

MARKING_WORDS = ("bert", "convbert", "distilbert", "electra", "megatron-bert", "mobilebert")
"""Architectures whose tokens say that they continue a word, by which the pipeline of Transformers finds words."""


def values(record: Mapping[str, Any]) -> dict[str, Any]:
    """Whether that pipeline finds the words that were tagged; else the card shows code that does."""
    pipelined = record["base_model"].get("model_type", "bert") in MARKING_WORDS
    return {"pipelined": pipelined, "needs_torch": not pipelined}
