"""Whether those who load the files of a run without bioft read texts, and the scores of its labels, as it did."""

import json
from pathlib import Path
from typing import Any

from bioft.models import base as models

PROBLEM_TYPES = {True: "multi_label_classification", False: "single_label_classification"}
"""How Transformers calls classifiers that may give several labels, and those that give one."""


def other_classifier(directory: Path, *, several: bool) -> list[str]:
    """Why others take the scores of a whole model's labels for another kind than they are: that of its config.json."""
    path = directory / "config.json"
    stated = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    kind, wanted = stated.get("problem_type"), PROBLEM_TYPES[several]
    return [] if kind in (None, wanted) else [f"config.json says {kind}: this model is one of {wanted}."]


def other_tokenizer(directory: Path, recorded: dict[str, Any], texts: list[str]) -> list[str]:
    """Why others read texts in another way than a run on the base model `recorded` did: by a tokenizer of its own."""
    from transformers import AutoTokenizer

    if not any((directory / name).is_file() for name in ("tokenizer.json", "tokenizer_config.json")):
        return []
    base = models.resolve_recorded(recorded)
    ours = AutoTokenizer.from_pretrained(base.path, revision=base.hub_revision)
    try:
        theirs = AutoTokenizer.from_pretrained(directory)
        same = theirs.chat_template == ours.chat_template and theirs(texts)["input_ids"] == ours(texts)["input_ids"]
    except Exception:  # whatever is wrong with its files, which are somebody else's
        same = False
    return [] if same else ["The tokenizer of the run is not that of its base model, by which it was asked."]
