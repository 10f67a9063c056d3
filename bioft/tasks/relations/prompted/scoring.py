"""How probable a language model finds "yes" to the question about each candidate."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bioft.models import base as models, precision, scoring
from bioft.models.progress import track
from bioft.tasks.relations.candidates import Arguments, Candidate
from bioft.tasks.relations.prompted import prompts
from bioft.tasks.relations.prompted.prompts import Prompt


def load(directory: Path, recorded: dict[str, Any], dtype: torch.dtype | None = None) -> tuple[Any, Any]:
    """The model of a run, its adapter on the base model `recorded`, and its tokenizer.

    It computes in `dtype`, by default that which is preferred, or in which the run was evaluated.

    BioftError: as `models.load_recorded_causal_lm`.
    """
    dtype = dtype or models.compute_dtype(precision.preferred() or recorded["dtype"])
    base, tokenizer = models.load_recorded_causal_lm(recorded, dtype, "use")
    return models.load_adapter(base, directory).eval(), tokenizer


def probabilities(
    model: Sequence[Any],
    texts: Sequence[str],
    found: Sequence[Candidate],
    arguments: Arguments,
    prompt: Prompt,
    progress: str | None = None,
) -> np.ndarray:
    """Of each candidate and type `P(yes) / (P(yes) + P(no))`, shape `(candidates, types)`; 0 for types it can't have.

    `model` is a causal language model and its tokenizer. What the prompts of a document begin with is computed once,
    if the prompt says that the model can share it.
    """
    causal_lm, tokenizer = model[:2]
    result = np.zeros((len(found), len(arguments)))
    asked = prompts.encode(prompt, tokenizer, texts, found, arguments)
    if not prompt.share_text:  # all prompts together, in batches of like lengths
        whole = [its.text + question for its in asked for question in its.questions]
        scores = scoring.score(
            causal_lm, tokenizer, whole, prompt.positive, prompt.negative, reuse_prefix=False, progress=progress
        )
        for place, value in zip((place for its in asked for place in its.places), scores, strict=True):
            result[place] = value
        return result
    for its in track(asked, progress):
        whole = [its.text + question for question in its.questions]
        scores = scoring.score(causal_lm, tokenizer, whole, prompt.positive, prompt.negative)
        result[tuple(zip(*its.places, strict=True))] = scores
    return result
