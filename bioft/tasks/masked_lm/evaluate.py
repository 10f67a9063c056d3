"""How well a model predicts hidden tokens of held-out texts: accuracy and perplexity under a mask that stays the same.

Every text is read whole, in pieces, each alone; 15 % of its tokens are hidden, all of them behind the mask token, by a
seed. So models, baselines and later runs answer the very same questions.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from datasets import Dataset
from rich.progress import track

from bioft.metrics import bootstrap, report
from bioft.metrics.bootstrap import Measured, PairedDifference
from bioft.models.batches import batches_by_length
from bioft.tasks.masked_lm import packing
from bioft.tasks.masked_lm.masking import NOT_PREDICTED, MaskingCollator, collator_for

SHOWN = {"masked_accuracy": "Masked accuracy", "perplexity": "Perplexity"}
PROBABILITY = 0.15
_BATCH_TOKENS = 4096
Floats = np.ndarray


@dataclass(frozen=True)
class MaskedPredictions:
    """What a model made of the hidden tokens of each text; arrays of shape (texts,)."""

    hidden: Floats
    """How many tokens were hidden."""
    correct: Floats
    """How many of them the model's first choice was."""
    loss: Floats
    """The sum of their negative log-probabilities (natural logarithm)."""


@dataclass(frozen=True)
class Questions:
    """The hidden tokens of the texts to be tested on, as `fixed_questions` makes them."""

    texts: int
    pieces: list[tuple[int, dict[str, Any]]]
    """The number of the text, and the block that the collator masks by its seed."""


def fixed_questions(texts: Sequence[str], tokenizer: Any, block_length: int, seed: int = 0) -> Questions:
    """Cut the texts into pieces of at most `block_length` tokens, each with the seed of its mask."""
    found = packing.pieces(texts, tokenizer, block_length)
    blocks = [
        (
            text,
            {"input_ids": ids, "lengths": [len(ids)], "word_starts": starts, "mask_seed": seed * 1_000_003 + number},
        )
        for number, (text, ids, starts) in enumerate(found)
    ]
    return Questions(len(texts), blocks)


@torch.no_grad()
def answer(model: Any, tokenizer: Any, questions: Questions, progress: str | None = None) -> MaskedPredictions:
    """Let a model (with `use_masked_head`) predict every hidden token."""
    collator = collator_for(model, tokenizer, probability=PROBABILITY, always_mask=True)
    device = next(model.parameters()).device
    totals = np.zeros((3, questions.texts))
    was_training = model.training
    model.eval()
    for members in track(_batches(questions), progress or "", transient=True, disable=progress is None):
        batch = collator([block for _, block in members])
        labels = batch["labels"]
        logits = model(**{name: tensor.to(device) for name, tensor in batch.items()}).logits.float().cpu()
        hidden = labels != NOT_PREDICTED
        wanted = labels[hidden]
        loss = torch.nn.functional.cross_entropy(logits, wanted, reduction="none")
        text = torch.tensor([number for number, _ in members])[:, None].expand_as(labels)[hidden].numpy()
        for row, values in enumerate((np.ones(len(text)), (logits.argmax(-1) == wanted).numpy(), loss.numpy())):
            totals[row] += np.bincount(text, values, minlength=questions.texts)
    model.train(was_training)
    return MaskedPredictions(*totals)


def answer_by_frequency(train_blocks: Dataset, tokenizer: Any, questions: Questions) -> MaskedPredictions:
    """The baseline that reads nothing: always the most frequent token of the training texts (add-one smoothing)."""
    counts: Counter[int] = Counter()
    for batch in train_blocks.select_columns("input_ids").iter(batch_size=1000):
        for ids in batch["input_ids"]:
            counts.update(ids)
    frequency = np.ones(len(tokenizer))
    for token in counts.keys() - set(tokenizer.all_special_ids):
        frequency[token] += counts[token]
    loss = -np.log(frequency / frequency.sum())
    first = int(frequency.argmax())
    collator = MaskingCollator(tokenizer, probability=PROBABILITY, always_mask=True)
    totals = np.zeros((3, questions.texts))
    for members in _batches(questions):
        for (text, _), labels in zip(members, collator([block for _, block in members])["labels"], strict=True):
            wanted = labels[labels != NOT_PREDICTED].numpy()
            totals[:, text] += len(wanted), (wanted == first).sum(), loss[wanted].sum()
    return MaskedPredictions(*totals)


def evaluate(
    found: MaskedPredictions, *, n_resamples: int = 1000, seed: int = 0
) -> dict[str, dict[str, float | int | None]]:
    """Accuracy on hidden tokens and perplexity, each with value, low, high and n (texts).

    Whole texts are resampled: tokens of one text are not independent. Perplexity is the exponential of the mean loss
    of a hidden token.
    """
    measured = Measured(partial(_values, found), len(found.hidden))
    return bootstrap.nest({**bootstrap.figures(measured, n_resamples=n_resamples, seed=seed), "n": measured.n})


def compare_with_best(ours: MaskedPredictions, others: Mapping[str, MaskedPredictions]) -> dict[str, Any]:
    """Paired bootstrap of the accuracy on hidden tokens against the best of the others, with one sentence."""
    best = max(others, key=lambda name: others[name].correct.sum())
    return report.describe_difference(best, difference(ours, others[best]), "accuracy on hidden tokens")


def describe_adaptation(after: MaskedPredictions, before: MaskedPredictions) -> dict[str, Any]:
    """What the training changed, in numbers and one sentence."""
    result = difference(after, before)
    sentence = (
        f"Accuracy on hidden tokens of held-out texts: {result.second:.3f} before, {result.first:.3f} after: "
        f"{result.difference:+.3f}, 95% interval {result.low:+.3f} to {result.high:+.3f} (paired bootstrap, "
        f"n = {result.n} texts)."
    )
    return {**result._asdict(), "sentence": sentence}


def difference(
    first: MaskedPredictions, second: MaskedPredictions, *, n_resamples: int = 1000, seed: int = 0
) -> PairedDifference:
    """Paired bootstrap over texts of the difference in accuracy on hidden tokens, first minus second."""
    systems = [Measured(partial(_values, found), len(found.hidden)) for found in (first, second)]
    return bootstrap.paired("masked_accuracy", *systems, n_resamples=n_resamples, seed=seed)


def write_predictions(ids: Sequence[str], answers: Mapping[str, MaskedPredictions], directory: Path) -> None:
    """Write `predictions.parquet`: a row for each text, with what each model made of its hidden tokens."""
    table = pd.DataFrame({"id": list(ids)})
    for name, found in answers.items():
        table["hidden"] = found.hidden.astype(int)
        prefix = f"{name}_" if name else ""
        table[f"{prefix}correct"] = found.correct.astype(int)
        table[f"{prefix}loss"] = found.loss
    table.to_parquet(directory / "predictions.parquet", index=False)


def _batches(questions: Questions) -> list[list[tuple[int, dict[str, Any]]]]:
    lengths = [len(block["input_ids"]) for _, block in questions.pieces]
    return [[questions.pieces[index] for index in batch] for batch in batches_by_length(lengths, _BATCH_TOKENS)]


def _values(found: MaskedPredictions, weights: Floats) -> dict[str, Floats]:
    hidden, correct, loss = (weights @ column for column in (found.hidden, found.correct, found.loss))
    hidden = np.maximum(hidden, 1)
    return {"masked_accuracy": correct / hidden, "perplexity": np.exp(loss / hidden)}
