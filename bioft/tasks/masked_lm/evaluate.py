"""How well a model predicts masked tokens of held-out texts: accuracy and perplexity under a mask that stays the same.

Every text is read whole, in pieces, each alone; 15 % of its tokens are masked, all of them by the mask token, by a
seed. So models, baselines and later runs answer the very same questions.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from datasets import Dataset, DatasetDict
from transformers import AutoTokenizer

from bioft.datasets.texts import corpus
from bioft.metrics import report
from bioft.metrics.estimation import estimates
from bioft.metrics.estimation.estimates import LOGARITHM, Measured, PairedDifference, ratio
from bioft.models import base as models
from bioft.models.batches import batches_by_length, evaluating
from bioft.models.progress import track
from bioft.task import BASE
from bioft.tasks.choices import Checked
from bioft.tasks.masked_lm import packing
from bioft.tasks.masked_lm.answers import COUNTS, systems
from bioft.tasks.masked_lm.masking import NOT_PREDICTED, MaskingCollator, collator_for

SHOWN = {"masked_accuracy": "Masked accuracy", "perplexity": "Perplexity"}
PROBABILITY = 0.15
_BATCH_TOKENS = 4096
TEXTS_AT_ONCE = 1000


@dataclass(frozen=True)
class Questions:
    """The masked tokens of the texts to be tested on, as `fixed_questions` makes them."""

    texts: int
    pieces: list[tuple[int, dict[str, Any]]]
    """The number of the text, and the block that the collator masks by its seed."""


def fixed_questions(texts: Sequence[str], tokenizer: Any, block_length: int, seed: int = 0) -> Questions:
    """Cut the texts into pieces of at most `block_length` tokens, each with the seed of its mask."""
    found = packing.pieces(texts, tokenizer, block_length)
    blocks: list[tuple[int, dict[str, Any]]] = []
    for number, (text, ids, starts) in enumerate(found):
        block = {"input_ids": ids, "lengths": [len(ids)], "word_starts": starts}
        blocks.append((text, block | {"mask_seed": seed * 1_000_003 + number}))
    return Questions(len(texts), blocks)


@torch.no_grad()
def answer(model: Any, tokenizer: Any, questions: Questions, progress: str | None = None) -> pd.DataFrame:
    """Let a model (with `use_masked_head`) predict every masked token; returns the columns `COUNTS` for each text."""
    collator = collator_for(model, tokenizer, probability=PROBABILITY, always_mask=True)
    device = next(model.parameters()).device
    totals = np.zeros((3, questions.texts))
    with evaluating(model):
        for members in track(_batches(questions), progress):
            batch = collator([block for _, block in members])
            labels = batch["labels"]
            logits = model(**{name: tensor.to(device) for name, tensor in batch.items()}).logits.float().cpu()
            masked = labels != NOT_PREDICTED
            wanted = labels[masked]
            loss = torch.nn.functional.cross_entropy(logits, wanted, reduction="none")
            text = torch.tensor([number for number, _ in members])[:, None].expand_as(labels)[masked].numpy()
            for row, values in enumerate((np.ones(len(text)), (logits.argmax(-1) == wanted).numpy(), loss.numpy())):
                totals[row] += np.bincount(text, values, minlength=questions.texts)
    return pd.DataFrame(totals.T, columns=COUNTS)


def answer_by_frequency(texts: Sequence[str], tokenizer: Any, questions: Questions) -> pd.DataFrame:
    """The baseline that reads nothing: always the most frequent token of the training texts (add-one smoothing)."""
    frequency = np.ones(len(tokenizer))
    for start in range(0, len(texts), TEXTS_AT_ONCE):
        some = texts[start : start + TEXTS_AT_ONCE]
        encoded = tokenizer(some, add_special_tokens=False, return_attention_mask=False, verbose=False)
        counts = Counter(token for ids in encoded["input_ids"] for token in ids)
        frequency[list(counts)] += list(counts.values())
    frequency[tokenizer.all_special_ids] = 1
    loss = -np.log(frequency / frequency.sum())
    first = int(frequency.argmax())
    collator = MaskingCollator(tokenizer, probability=PROBABILITY, always_mask=True)
    totals = np.zeros((3, questions.texts))
    for members in _batches(questions):
        for (text, _), labels in zip(members, collator([block for _, block in members])["labels"], strict=True):
            wanted = labels[labels != NOT_PREDICTED].numpy()
            totals[:, text] += len(wanted), (wanted == first).sum(), loss[wanted].sum()
    return pd.DataFrame(totals.T, columns=COUNTS)


def baselines(dataset: DatasetDict, record: Mapping[str, Any], progress: bool = False) -> dict[str, pd.DataFrame]:
    """What the most frequent token (of the base model's tokenizer) would get right, as a predictions table by name."""
    base = models.resolve_recorded(record["base_model"])
    tokenizer = AutoTokenizer.from_pretrained(base.path, revision=base.revision if base.path == base.id else None)
    test = dataset["test"]
    questions = fixed_questions(test["text"], tokenizer, record["masking"]["block_length"])
    found = answer_by_frequency(dataset["train"]["text"][:], tokenizer, questions)
    return {"frequency": with_ids(found, test)}


def figures(table: pd.DataFrame, dataset: Any, record: Mapping[str, Any]) -> dict[str, dict[str, float | int | None]]:
    """Accuracy on masked tokens and perplexity, each with value, low, high and n (texts).

    Intervals are over whole texts: tokens of one text are not independent. Perplexity is the exponential of the mean
    loss of a masked token.
    """
    return measured(table).nested()


def comparisons(
    table: pd.DataFrame, baselines: Mapping[str, pd.DataFrame], dataset: Any, record: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Paired test of the accuracy on masked tokens against the best of base model and baselines, and `adaptation`."""
    base = systems(table, record)[BASE]
    results = {name: difference(table, its) for name, its in {"base model": base, **baselines}.items()}
    comparison = report.describe_best(results, "accuracy on hidden tokens")
    return {"comparison": comparison, "adaptation": describe_adaptation(table, base)}


def audit(dataset: DatasetDict, record: Mapping[str, Any]) -> dict[str, Any]:
    """The audit of texts, made again; LeakageError if a text is in two splits."""
    return corpus.audit(dataset)


def baseline_names(record: Mapping[str, Any]) -> list[str]:
    """The baselines that every run has."""
    return ["frequency"]


def check_choices(model: Any, dataset: DatasetDict, record: Mapping[str, Any], noise: float) -> Checked:
    """Whether the share of masked tokens, and what of the base model's head is new, are as the record says."""
    from bioft.tasks.masked_lm.models import load_masked_lm

    reasons, masking = [], record["masking"]
    if masking["evaluated_share"] != PROBABILITY:
        reasons.append(f"Of the test tokens {PROBABILITY:.0%} are masked, not {masking['evaluated_share']:.0%}.")
    *_, new = load_masked_lm(models.resolve_recorded(record["base_model"]), masking["block_length"])
    if sorted(new) != sorted(record.get("new_head") or []):
        reasons.append(f"Of the base model's head {', '.join(new) or 'nothing'} is new, other than the record says.")
    return reasons, []


def test_rows(dataset: DatasetDict) -> pd.DataFrame:
    """The texts that the predictions table of a run on this dataset is about."""
    return pd.DataFrame({"id": dataset["test"]["id"][:]})


def describe_adaptation(after: pd.DataFrame, before: pd.DataFrame) -> dict[str, Any]:
    """What the training changed, in numbers and one sentence."""
    result = difference(after, before)
    sentence = (
        f"Accuracy on hidden tokens of held-out texts: {result.second:.3f} before, {result.first:.3f} after: "
        f"{result.difference:+.3f}, 95% interval {result.low:+.3f} to {result.high:+.3f} (paired, "
        f"n = {result.n} texts)."
    )
    return {**result._asdict(), "sentence": sentence}


def difference(first: pd.DataFrame, second: pd.DataFrame) -> PairedDifference:
    """Paired test over texts of the difference in accuracy on masked tokens, first minus second."""
    return estimates.paired("masked_accuracy", measured(first), measured(second))


def with_ids(answers: pd.DataFrame, rows: Dataset) -> pd.DataFrame:
    """The predictions table of texts: their ids before what a model made of their masked tokens."""
    counts = answers.astype({"hidden": int, "correct": int})
    return pd.DataFrame({"id": rows["id"][:]}).join(counts)


def stored(table: pd.DataFrame, base: pd.DataFrame, baselines: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The table that `predictions.parquet` holds: a row for each text, with what each model made of its tokens."""
    others = {"base": base, **{f"baseline_{name}": its for name, its in baselines.items()}}
    return table.assign(**{f"{name}_{c}": its[c] for name, its in others.items() for c in ("correct", "loss")})


def _batches(questions: Questions) -> list[list[tuple[int, dict[str, Any]]]]:
    lengths = [len(block["input_ids"]) for _, block in questions.pieces]
    return [[questions.pieces[index] for index in batch] for batch in batches_by_length(lengths, _BATCH_TOKENS)]


def measured(table: pd.DataFrame) -> Measured:
    """Accuracy on masked tokens and perplexity as estimates over texts, of the columns `COUNTS`."""
    masked, correct, loss = (table[column].to_numpy(float) for column in COUNTS)
    mean = ratio(loss, masked, LOGARITHM)
    value = float(np.exp(mean.value))
    perplexity = replace(mean, value=value, influence=mean.influence * value)
    return Measured({"masked_accuracy": ratio(correct, masked), "perplexity": perplexity}, len(table))
