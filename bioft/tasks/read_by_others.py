"""Whether those who load the files of a run without bioft read texts, and the scores of its labels, as it did."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bioft.models import base as models

PROBLEM_TYPES = {True: "multi_label_classification", False: "single_label_classification"}
"""How Transformers calls classifiers that may give several labels, and those that give one."""


def other_classifier(directory: Path, *, several: bool, thresholds: Mapping[str, float] | None = None) -> list[str]:
    """Why others take the scores of a whole model's labels for another kind than they are: that of its config.json.

    So it is if its `thresholds`, where it holds any, are others than these.
    """
    path = directory / "config.json"
    stated = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    kind, wanted = stated.get("problem_type"), PROBLEM_TYPES[several]
    # Without a word Transformers takes labels for such as exclude each other.
    of_transformers = str(stated.get("architectures")).endswith("ForSequenceClassification']")
    meant = kind or (PROBLEM_TYPES[False] if several and of_transformers else wanted)
    reasons = [] if meant == wanted else [f"config.json says {kind}: this model is one of {wanted}."]
    if (theirs := stated.get("thresholds")) not in (None, thresholds):
        reasons.append(f"config.json holds the thresholds {theirs}; those of the run are {thresholds}.")
    return reasons


def other_tokenizer(directory: Path, recorded: dict[str, Any], texts: list[str]) -> list[str]:
    """Why others read texts in another way than a run on the base model `recorded` did: by a tokenizer of its own.

    `texts` are what the model was asked, with all words of its prompts.
    """
    from transformers import AutoTokenizer

    if not any((directory / name).is_file() for name in ("tokenizer.json", "tokenizer_config.json")):
        return []
    base = models.resolve_recorded(recorded)
    ours = AutoTokenizer.from_pretrained(base.path, revision=base.hub_revision)
    try:
        theirs = AutoTokenizer.from_pretrained(directory)
        same = theirs.chat_template == ours.chat_template and theirs.get_vocab() == ours.get_vocab()
        same = same and theirs(texts)["input_ids"] == ours(texts)["input_ids"]
    except Exception:  # whatever is wrong with its files, which are somebody else's
        same = False
    return [] if same else ["The tokenizer of the run is not that of its base model, by which it was asked."]
