"""Whether those who load the files of a run without bioft read texts, and the scores of its labels, as it did."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bioft.errors import in_words
from bioft.models import base as models
from bioft.models.own import bert

PROBLEM_TYPES = {True: "multi_label_classification", False: "single_label_classification"}
"""How Transformers calls classifiers that may give several labels, and those that give one."""
ASKED, TOKENS = 8, 64
"""Texts that a model is asked as others would ask it, and tokens that are read of each."""
CLOSE = 1e-3
"""How far its answers may be off, as shares of them and at least."""


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


def other_model(directory: Path, auto_class: str, model: Any, texts: Sequence[str]) -> list[str]:
    """Why others get other answers from the files of a run, by a class of Transformers, than `model` gives.

    `model` is the network of a whole model and its tokenizer, as bioft loads both, in its own way where it can. The
    tokens of all texts are compared, and the answers to the first `ASKED`. Nothing is said of a class of bioft's own.
    """
    import torch
    import transformers

    network, tokenizer = model
    if not (isinstance(network, bert.Bert) or type(network).__module__.startswith("transformers.")):
        return []
    dtype = network.dtype
    try:
        theirs = transformers.AutoTokenizer.from_pretrained(directory)
        if theirs(list(texts), verbose=False)["input_ids"] != tokenizer(list(texts), verbose=False)["input_ids"]:
            return ["Others would read other tokens of the texts than this model was asked with."]
        # Of the same weights, both compute in float32: else rounding would be told from nothing.
        loaded = getattr(transformers, auto_class).from_pretrained(directory, dtype=dtype).to(network.float().device)
        asked = [texts[0][:TOKENS], *texts[:ASKED]]  # one shorter than the others, which is read with padding
        cut = {"truncation": True, "max_length": min(TOKENS, tokenizer.model_max_length)}
        tokens = theirs(asked, padding=True, return_tensors="pt", **cut).to(network.device)
        with torch.inference_mode():
            answers = loaded.float().eval()(**tokens).logits
            for text, ids, row in zip(asked, tokenizer(asked, **cut)["input_ids"], answers, strict=True):
                ours = network(torch.tensor([ids], device=network.device)).logits[0]
                found = row if ours.ndim == 1 else row[: len(ids)]  # of tokens without those of padding
                if found.shape != ours.shape or not torch.allclose(found, ours, rtol=CLOSE, atol=CLOSE):
                    return [f"Others get other answers from these files than were measured, as on {text[:60]!r}."]
    except Exception as error:  # whatever is wrong with these files, which are somebody else's
        return [f"{auto_class} can't load the files of the run, as others would: {in_words(error)}."]
    finally:
        network.to(dtype)
    return []
