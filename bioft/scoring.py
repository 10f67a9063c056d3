"""Probability of one answer against another from a causal language model, without generating text.

The published way asks the model to `generate()` a few tokens and reads a word from them: slow, and with no score
to rank by. Here one forward pass over the prompt gives `P(positive) / (P(positive) + P(negative))`.
"""

import copy
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from rich.progress import track

from bioft.errors import BioftError

CPU_BATCH_TOKENS, GPU_BATCH_TOKENS = 512, 16384
"""Padded tokens in one forward pass. More fill a GPU; on a CPU they only add padding, as lengths differ more."""
PAYING_PREFIX = 8
"""Shared prompt tokens from which computing them once is faster than carrying them in each row."""
PAYING_STEMS = 0.05
"""Share of all tokens that stems must save: each stem length takes batches of its own, and smaller ones."""
STEMS_AT_ONCE = 256
"""Stems whose keys and values are in memory together."""

T = TypeVar("T")
Stem = tuple[int, ...]
"""Tokens that some prompts begin with, after what all prompts begin with; those of a gene, say."""
NO_STEM: Stem = ()


@torch.inference_mode()
def score(
    model: Any,
    tokenizer: Any,
    prompts: list[list[int]],
    positive: str,
    negative: str,
    *,
    batch_tokens: int | None = None,
    reuse_prefix: bool = True,
    progress: str | None = None,
) -> np.ndarray:
    """Score prompts by the two answers that may follow them.

    Args:
        model: a causal language model, with or without a PEFT adapter.
        tokenizer: its tokenizer.
        prompts: token ids of each prompt, for example from `PairPrompts.token_ids`.
        positive: the answer whose probability is wanted (one or several tokens).
        negative: the answer it is weighed against.
        batch_tokens: padded tokens in one forward pass; by default what suits the model's device.
        reuse_prefix: compute tokens that all prompts, or several, begin with once.
        progress: text of a progress bar; None shows none.

    Returns:
        Probabilities of `positive` among the two, shape `(len(prompts),)`, float64, in the order given.

    Raises:
        BioftError: an empty prompt, or answers that do not differ.
    """
    answers = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in (positive, negative)]
    if answers[0] == answers[1]:
        raise BioftError(f"The answers {positive!r} and {negative!r} are the same tokens.")
    if not prompts:
        return np.zeros(0)
    if any(not prompt for prompt in prompts):
        raise BioftError("An empty prompt cannot be scored.")
    if batch_tokens is None:
        on_cpu = model.get_output_embeddings().weight.device.type == "cpu"
        batch_tokens = CPU_BATCH_TOKENS if on_cpu else GPU_BATCH_TOKENS
    was_training = model.training
    model.eval()
    try:
        if len(answers[0]) == len(answers[1]) == 1:
            logits = _answer_logits(model, prompts, answers, batch_tokens, reuse_prefix, progress)
        else:
            # What two answers have in common changes nothing, but their lengths may differ: full log-probabilities.
            logits = _answer_log_probabilities(model, prompts, answers, batch_tokens, progress)
    finally:
        model.train(was_training)
    return 1 / (1 + np.exp(logits[:, 1] - logits[:, 0]))


def _answer_logits(
    model: Any,
    prompts: list[list[int]],
    answers: list[list[int]],
    batch_tokens: int,
    reuse_prefix: bool,
    progress: str | None,
) -> np.ndarray:
    """Logits of two one-token answers at the last position, shape `(n, 2)`."""
    prefix = shared_prefix(prompts) if reuse_prefix else []
    if len(prefix) < PAYING_PREFIX or len(prompts) < 2:
        prefix = []
    rows = [prompt[len(prefix) :] for prompt in prompts]
    stems = _stems(rows) if reuse_prefix else {NO_STEM: list(range(len(rows)))}
    backbone, head = backbone_of(model), model.get_output_embeddings()
    device = head.weight.device
    shared = None
    if prefix:
        shared = backbone(input_ids=torch.tensor([prefix], device=device), use_cache=True).past_key_values
    # Only two of some 50,000 rows of the head are needed.
    answer_ids = torch.tensor([answer[0] for answer in answers], device=device)
    weight, bias = head.weight[answer_ids], getattr(head, "bias", None)
    result = np.zeros((len(prompts), 2))
    cache, read = shared, None
    for batch in _progress(_stem_batches(stems, rows, batch_tokens), progress):
        if batch.stems is not read:
            cache, read = _read_stems(backbone, shared, batch.stems, device), batch.stems
        # Padding stands on the right and attention is causal, so no real token ever sees it.
        endings = [rows[index][len(batch.stems[0]) :] for index in batch.rows]
        options: dict[str, Any] = {"use_cache": False}
        if cache is not None:
            its_cache = copy.deepcopy(cache)
            its_cache.batch_select_indices(torch.tensor(batch.places, device=device))
            options = {"past_key_values": its_cache, "use_cache": True}
        hidden = backbone(input_ids=_pad(endings, device), **options).last_hidden_state
        last = torch.tensor([len(ending) - 1 for ending in endings], device=device)
        hidden = hidden[torch.arange(len(endings), device=device), last]
        logits = torch.nn.functional.linear(hidden, weight, None if bias is None else bias[answer_ids])
        result[batch.rows] = postprocess(model, logits.float()).cpu().numpy()
    return result


class _StemBatch(NamedTuple):
    """Rows for one forward pass: their indices, and the place of each one's stem among stems of the same length."""

    stems: list[Stem]
    rows: list[int]
    places: list[int]


def _stem_batches(stems: dict[Stem, list[int]], rows: list[list[int]], batch_tokens: int) -> list[_StemBatch]:
    """Every row once; batches of the same stems follow one another."""
    batches = []
    for length in sorted({len(stem) for stem in stems}):
        same_length = [stem for stem in stems if len(stem) == length]
        at_once = min(STEMS_AT_ONCE, max(1, batch_tokens // max(length, 1)))
        for start in range(0, len(same_length), at_once):
            chosen = same_length[start : start + at_once]
            own = [(index, place) for place, stem in enumerate(chosen) for index in stems[stem]]
            for batch in _batches([rows[index][length:] for index, _ in own], batch_tokens):
                batches.append(_StemBatch(chosen, [own[i][0] for i in batch], [own[i][1] for i in batch]))
    return batches


def _read_stems(backbone: Any, shared: Any, stems: list[Stem], device: torch.device) -> Any:
    """Keys and values of the shared prefix and each of some stems; None where there is neither."""
    if not stems[0]:
        return shared
    options: dict[str, Any] = {}
    if shared is not None:
        options = {"past_key_values": copy.deepcopy(shared)}
        options["past_key_values"].batch_repeat_interleave(len(stems))
    return backbone(input_ids=torch.tensor(stems, device=device), use_cache=True, **options).past_key_values


def _answer_log_probabilities(
    model: Any, prompts: list[list[int]], answers: list[list[int]], batch_tokens: int, progress: str | None
) -> np.ndarray:
    """Summed log-probabilities of two answers of any length, shape `(n, 2)`."""
    result = np.zeros((len(prompts), 2))
    backbone, head = backbone_of(model), model.get_output_embeddings()
    device = head.weight.device
    for column, answer in enumerate(answers):
        rows = [prompt + answer for prompt in prompts]
        for batch in _progress(_batches(rows, batch_tokens), progress):
            ids = _pad([rows[index] for index in batch], device)
            hidden = backbone(input_ids=ids, use_cache=False).last_hidden_state
            # The token at position p is predicted from position p - 1.
            first = torch.tensor([len(prompts[index]) - 1 for index in batch], device=device)
            positions = first[:, None] + torch.arange(len(answer), device=device)
            hidden = hidden[torch.arange(len(batch), device=device)[:, None], positions]
            log_probabilities = postprocess(model, head(hidden).float()).log_softmax(-1)
            tokens = torch.tensor(answer, device=device).expand(len(batch), -1)
            picked = log_probabilities.gather(-1, tokens[..., None]).squeeze(-1)
            result[batch, column] = picked.sum(-1).cpu().numpy()
    return result


def shared_prefix(prompts: list[list[int]]) -> list[int]:
    """The tokens that all prompts begin with; at least one token of each prompt is left over."""
    first, last = min(prompts), max(prompts)
    length = 0
    while length < min(len(first), len(last)) and first[length] == last[length]:
        length += 1
    return first[: min(length, min(map(len, prompts)) - 1)]


def _stems(rows: list[list[int]]) -> dict[Stem, list[int]]:
    """Stem → the rows that begin with it, chosen such that most tokens are read only once; each row has one.

    The stem of a row that shares nothing worth it is empty, and leaves at least one token of each other row.
    """
    order = sorted(range(len(rows)), key=rows.__getitem__)
    common = [len(shared_prefix([rows[first], rows[second]])) for first, second in pairwise(order)]

    def best(first: int, last: int) -> tuple[int, list[tuple[int, int, int]]]:
        """Tokens saved in a range of the sorted rows, and its parts: first row, last row, length of the stem."""
        length = min(common[first:last], default=0)
        together = (last - first) * length
        saved, start = 0, first
        parts: list[tuple[int, int, int]] = []
        for end in [*(place for place in range(first, last) if common[place] == length), last]:
            its_saved, its_parts = best(start, end) if end - start < last - first else (0, [(start, end, 0)])
            saved, parts, start = saved + its_saved, parts + its_parts, end + 1
        return (saved, parts) if saved > together else (together, [(first, last, length)])

    saved, parts = best(0, len(rows) - 1)
    if saved < PAYING_STEMS * sum(map(len, rows)):
        return {NO_STEM: list(range(len(rows)))}
    stems: dict[Stem, list[int]] = {}
    for first, last, length in parts:
        stems.setdefault(tuple(rows[order[first]][:length]), []).extend(order[first : last + 1])
    return stems


def _batches(rows: Sequence[Sequence[int]], batch_tokens: int) -> list[list[int]]:
    """Indices in batches of like length, longest first so that memory runs out at once or never."""
    batches: list[list[int]] = []
    for index in sorted(range(len(rows)), key=lambda index: -len(rows[index])):
        if batches and (len(batches[-1]) + 1) * len(rows[batches[-1][0]]) <= batch_tokens:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


def _pad(rows: list[list[int]], device: torch.device) -> torch.Tensor:
    width = max(map(len, rows))
    return torch.tensor([row + [0] * (width - len(row)) for row in rows], device=device)


def backbone_of(model: Any) -> Any:
    """The transformer below the language-model head, adapters included."""
    causal_lm = model.get_base_model() if hasattr(model, "get_base_model") else model
    return causal_lm.base_model


def postprocess(model: Any, logits: torch.Tensor) -> torch.Tensor:
    """What some architectures do to logits after the head (Gemma caps, Granite and Cohere scale)."""
    config = model.config.get_text_config()
    if (cap := getattr(config, "final_logit_softcapping", None)) is not None:
        logits = torch.tanh(logits / cap) * cap
    if (scale := getattr(config, "logit_scale", None)) is not None:
        logits = logits * scale
    if (scaling := getattr(config, "logits_scaling", None)) is not None:
        logits = logits / scaling
    return logits


def _progress(batches: Sequence[T], description: str | None) -> Iterable[T]:
    if description is None:
        return batches
    return track(batches, description=description, total=len(batches), transient=True)
