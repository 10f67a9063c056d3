"""A document as one training example: its text, and behind it each question with its answer.

Each question sees the text and itself, and its positions go on where the text ends: what is learnt is what a prompt
for each candidate would teach, in an eighth of the tokens on BC5CDR.
"""

import inspect
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from datasets import Dataset

from bioft.cards import words
from bioft.errors import BioftError
from bioft.models.batches import evaluating
from bioft.models.scoring import backbone_of
from bioft.storage.environment import is_sharded
from bioft.tasks.relations import candidates as relations
from bioft.tasks.relations.arguments import PromptedRelationArguments
from bioft.tasks.relations.candidates import Arguments
from bioft.tasks.relations.prompted import prompts
from bioft.tasks.relations.prompted.prompts import Prompt

logger = logging.getLogger(__name__)
IGNORED = -100
"""The label of a token that carries no loss."""
MOST_DIFFERENT = 0.05
"""How far hidden states may be from those of separate prompts, relative to their size: rounding, and no more.

Those of SmolLM2-135M differed by .011 in bfloat16 and by 6e-7 in float32; where one question sees the other, by .18.
"""


def prompt_for(
    model: Any, tokenizer: Any, arguments: Arguments, options: PromptedRelationArguments, max_length: int | None
) -> Prompt:
    """The prompt that the options of a recipe describe; the model then keeps questions apart that share a text.

    Where it cannot, that is said, and each question gets a text of its own. BioftError: as `prompts.prompt_of`, or no
    `max_length`.
    """
    if max_length is None:
        raise BioftError("max_length says where texts are cut: give a number of tokens.")
    shares = options.share_text and can_share_text(model, max_length)
    if options.share_text and not shares:
        logger.warning(
            "%s can't read a text once for several questions: each gets the text of its own, which takes longer.",
            type(model).__name__,
        )
    prompt = prompts.prompt_of(tokenizer, arguments, options.prompt_style, options.question, max_length, shares)
    if shares:
        share_text(model)
    return prompt


def examples(
    prompt: Prompt, tokenizer: Any, rows: Sequence[Mapping[str, Any]], arguments: Arguments
) -> tuple[Dataset, dict[str, int]]:
    """Training examples of documents as TRL takes them: `input_ids`, `labels` (of the answers), and `seq_lengths`.

    The latter are the lengths of the text and of each question with its answer; of an example with one question that
    of the whole. A document whose questions do not fit `max_length` makes several examples. Beside them counts: those
    of `count_labels`, `missed` (relations without a candidate), `examples`, `documents` (that hold a candidate) and
    `texts_cut`.
    """
    found, names = relations.candidates(rows, arguments), list(arguments)
    asked = prompts.encode(prompt, tokenizer, [row["text"] for row in rows], found, arguments)
    yes, no = prompt.answers(tokenizer)
    ids: list[list[int]] = []
    labels: list[list[int]] = []
    lengths: list[list[int]] = []
    for its in asked:
        begins = True
        for (row, column), question in zip(its.places, its.questions, strict=True):
            answer = yes if names[column] in found[row].types else no
            if begins or len(ids[-1]) + len(question) + len(answer) > prompt.max_length:
                ids.append(list(its.text))
                labels.append([IGNORED] * len(its.text))
                lengths.append([len(its.text)])
            ids[-1] += question + answer
            labels[-1] += [IGNORED] * len(question) + answer
            lengths[-1].append(len(question) + len(answer))
            begins = not prompt.share_text
    made = {
        "input_ids": ids,
        "labels": labels,
        "seq_lengths": [its if len(its) > 2 else [sum(its)] for its in lengths],
    }
    counts = relations.count_labels(found) | {"missed": relations.count_missed(rows, found), "examples": len(ids)}
    counts |= {"documents": len(asked), "texts_cut": sum(its.cut for its in asked)}
    return Dataset.from_dict(made), counts


def examples_of_splits(
    prompt: Prompt, tokenizer: Any, splits: Mapping[str, Dataset], arguments: Arguments, record: dict[str, Any]
) -> tuple[dict[str, Dataset], dict[str, int]]:
    """The `examples` of each split, and the counts of training; the record says how many texts were cut in each."""
    made = {split: examples(prompt, tokenizer, rows.to_list(), arguments) for split, rows in splits.items()}
    record["relations"]["texts_cut"] = cut = _cut({split: its for split, (_, its) in made.items()})
    if (sentence := words.texts_cut(prompt.max_length, cut)) is not None:
        record.setdefault("notes", []).append(sentence)
        logger.warning(sentence)
    return {split: its for split, (its, _) in made.items()}, made["train"][1]


def check_prompt(
    tokenizer: Any, splits: Mapping[str, "Dataset"], arguments: Arguments, recorded: Mapping[str, Any]
) -> list[str]:
    """Why a record describes a run's prompt, the texts that it cuts or the pairs trained on otherwise than they are.

    `splits` are those of the run, `recorded` is the part of its record on relations.
    """
    prompt = Prompt(**recorded["prompt"])
    ours = prompts.prompt_of(tokenizer, arguments, prompt.style, prompt.question, prompt.max_length, prompt.share_text)
    counts = {split: examples(prompt, tokenizer, rows.to_list(), arguments)[1] for split, rows in splits.items()}
    measured = {"prompt": vars(ours), "texts_cut": _cut(counts), "training_pairs": counts["train"]}
    others = [name for name, its in measured.items() if recorded.get(name) != its]
    words = f"The record describes how relations are asked for otherwise than it is: {', '.join(others)}."
    return [words] if others else []


def _cut(counts: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """By split how many texts are cut, of how many, as records hold it."""
    return {split: {"cut": its["texts_cut"], "of": its["documents"]} for split, its in counts.items()}


@dataclass(frozen=True)
class Collator:
    """Makes a batch of `examples`, padded on the right; `position_ids` go on after the text for each question."""

    pad_token_id: int

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """Return tensors of shape `(rows, longest)`; positions only where questions share a text."""
        width = max(len(row["input_ids"]) for row in rows)

        def padded(name: str, value: int) -> torch.Tensor:
            return torch.tensor([list(row[name]) + [value] * (width - len(row[name])) for row in rows])

        lengths = torch.tensor([len(row["input_ids"]) for row in rows])
        batch = {"input_ids": padded("input_ids", self.pad_token_id), "labels": padded("labels", IGNORED)}
        batch["attention_mask"] = (torch.arange(width) < lengths[:, None]).long()
        if any(len(row["seq_lengths"]) > 1 for row in rows):
            batch["position_ids"] = torch.stack([_positions(row["seq_lengths"], width) for row in rows])
        return batch


def _positions(lengths: Sequence[int], width: int) -> torch.Tensor:
    text, *questions = lengths
    parts = [torch.arange(text), *(torch.arange(text, text + length) for length in questions)]
    last = int(parts[-1][-1]) + 1
    return torch.cat([*parts, torch.arange(last, last + width - sum(lengths))])


def sees(position_ids: torch.Tensor) -> torch.Tensor:
    """Which token sees which, shape `(rows, 1, tokens, tokens)`, by positions that begin again for each question.

    Every token sees what stands before it in the text and in its own question. Padding, on the right, is seen by none.
    """
    n_rows, width = position_ids.shape
    begins_again = torch.nn.functional.pad(position_ids[:, 1:] <= position_ids[:, :-1], (1, 0))
    # All questions begin with the position after the text's last; without a second question a row is one text.
    after_text = torch.where(begins_again, position_ids, torch.iinfo(position_ids.dtype).max).amin(1, keepdim=True)
    question = (position_ids == after_text).cumsum(1)
    same = (question[:, None, :] == 0) | (question[:, None, :] == question[:, :, None])
    causal = torch.ones(width, width, dtype=torch.bool, device=position_ids.device).tril()
    return (same & causal).view(n_rows, 1, width, width)


def share_text(model: Any) -> Any:
    """Let a model keep questions apart whose positions begin again (`sees`); returns the handle that undoes it."""
    attention = model.config._attn_implementation

    def keep_apart(backbone: Any, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
        positions = options.get("position_ids")
        if positions is None or not bool((positions[:, 1:] <= positions[:, :-1]).any()):
            return None
        mask = sees(positions)
        if attention == "eager":  # which adds the mask to its scores
            low = torch.finfo(backbone.dtype).min
            mask = torch.zeros(mask.shape, dtype=backbone.dtype, device=mask.device).masked_fill(~mask, low)
        return inputs, options | {"attention_mask": mask}

    return backbone_of(model).register_forward_pre_hook(keep_apart, with_kwargs=True)


@torch.inference_mode()
def can_share_text(model: Any, max_length: int) -> bool:
    """Whether a model answers questions that share a text as it answers them apart.

    It is tried on two of a few tokens: state-space layers and some kinds of positions know no such mask. False under
    a launch that splits the model, and for texts that are longer than what its attention reaches.
    """
    window = getattr(model.config.get_text_config(), "sliding_window", None)
    takes = "position_ids" in inspect.signature(type(backbone_of(model)).forward).parameters
    if is_sharded() or not takes or (window is not None and window < max_length):
        return False
    if model.config._attn_implementation not in ("sdpa", "eager"):
        return False
    text, first, second = [10, 11, 12, 13, 14, 15, 16, 17], [18, 19, 20], [21, 22, 23]
    row = {"input_ids": text + first + second, "labels": [], "seq_lengths": [len(text), len(first), len(second)]}
    batch = Collator(0)([row])
    backbone, device = backbone_of(model), model.get_output_embeddings().weight.device
    handle = share_text(model)
    try:
        with evaluating(model):
            shared = backbone(
                input_ids=batch["input_ids"].to(device), position_ids=batch["position_ids"].to(device), use_cache=False
            ).last_hidden_state[0, -len(second) :]
            apart = backbone(input_ids=torch.tensor([text + second], device=device), use_cache=False)
    finally:
        handle.remove()
    alone = apart.last_hidden_state[0, -len(second) :].float()
    return bool((shared.float() - alone).norm() < MOST_DIFFERENT * alone.norm())
