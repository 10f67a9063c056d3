"""Probability of one answer against another from a causal language model, without generating text.

The published way asks the model to `generate()` a few tokens and reads a word from them: slow, and with no score
to rank by. Here one forward pass over the prompt gives `P(positive) / (P(positive) + P(negative))`.
"""

import copy
import types
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from typing import Any

import numpy as np
import torch

from bioft.errors import BioftError
from bioft.models import precision
from bioft.models.batches import batches_by_length, evaluating
from bioft.models.own import llama
from bioft.models.progress import track

CPU_BATCH_TOKENS, GPU_BATCH_TOKENS = 512, 16384
"""Padded tokens in one forward pass. More fill a GPU; on a CPU they only add padding, as lengths differ more."""
LAST_LAYER_SHORTENED = ("llama", "mistral", "phi3")
"""Architectures whose layers add attention and MLP to a residual, as `_last_layer_at` needs it; tested with each."""
PAYING_PREFIX = 8
"""Shared prompt tokens from which computing them once is faster than carrying them in each row."""


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
    """The probability of `positive` among two answers (of one or several tokens) to each prompt, shape (n,), float64.

    The model is a causal language model, with or without a PEFT adapter; `batch_tokens` are padded tokens in one
    forward pass, by default what suits its device. With `reuse_prefix` the tokens that all prompts begin with are
    computed once, and of some models (`bioft.models.own.llama`) those that several begin with. BioftError: an empty
    prompt, or answers that do not differ.
    """
    answers = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in (positive, negative)]
    if answers[0] == answers[1]:
        raise BioftError(f"The answers {positive!r} and {negative!r} are the same tokens.")
    if not prompts:
        return np.zeros(0)
    if any(not prompt for prompt in prompts):
        raise BioftError("An empty prompt cannot be scored.")
    with evaluating(model):
        if len(answers[0]) == len(answers[1]) == 1:
            prefix = shared_prefix(prompts) if reuse_prefix else None
            logits = _answer_logits(model, prompts, answers, batch_tokens, prefix, progress)
        else:
            # What two answers have in common changes nothing, but their lengths may differ: full log-probabilities.
            batch_tokens = batch_tokens or tokens_at_once(model)
            made = [completions(model, prompts, [its] * len(prompts), batch_tokens, progress)[0] for its in answers]
            logits = np.stack(made, axis=1)
    precision.checked(logits, model)
    return 1 / (1 + np.exp(logits[:, 1] - logits[:, 0]))


def tokens_at_once(model: Any) -> int:
    """Padded tokens in one forward pass that suit the device of a model."""
    on_cpu = model.get_output_embeddings().weight.device.type == "cpu"
    return CPU_BATCH_TOKENS if on_cpu else GPU_BATCH_TOKENS


def _answer_logits(
    model: Any,
    prompts: list[list[int]],
    answers: list[list[int]],
    batch_tokens: int | None,
    begins: list[int] | None,
    progress: str | None,
) -> np.ndarray:
    """Logits of two one-token answers at the last position, shape `(n, 2)`, of prompts.

    `begins` is what all of them begin with; None lets each be computed by itself.
    """
    prefix = begins or []
    if len(prefix) < PAYING_PREFIX or len(prompts) < 2:
        prefix = []
    backbone, head = backbone_of(model), model.get_output_embeddings()
    device = head.weight.device
    # Only two of some 50,000 rows of the head are needed, in float32: in bfloat16 a logit of 16 has steps of 1/8, and
    # many prompts would tie.
    answer_ids = torch.tensor([answer[0] for answer in answers], device=device)
    weight, bias = head.weight[answer_ids].float(), getattr(head, "bias", None)
    bias = None if bias is None else bias[answer_ids].float()
    ours = llama.last_states(backbone, prompts, len(prefix)) if begins is not None else None
    if ours is not None:
        states = ours(prompts, len(prefix), batch_tokens, progress)
    else:
        states = _last_states(backbone, prompts, prefix, batch_tokens or tokens_at_once(model), progress)
    result = np.zeros((len(prompts), 2))
    for places, hidden in states:
        logits = torch.nn.functional.linear(hidden.float(), weight, bias)
        result[places] = postprocess(model, logits).cpu().numpy()
    return result


def _last_states(
    backbone: Any, prompts: list[list[int]], prefix: list[int], batch_tokens: int, progress: str | None
) -> Iterator[tuple[list[int], torch.Tensor]]:
    """As `llama.LastStates`, of any transformer."""
    device = backbone.device
    rows = [prompt[len(prefix) :] for prompt in prompts]
    cache = None
    if prefix:
        cache = backbone(input_ids=torch.tensor([prefix], device=device), use_cache=True).past_key_values
    batches = batches_by_length(list(map(len, rows)), batch_tokens)
    for batch in track(batches, progress):
        # Padding stands on the right and attention is causal, so no real token ever sees it.
        ids = _pad([rows[index] for index in batch], device)
        options: dict[str, Any] = {"use_cache": False}
        if cache is not None:
            shared = copy.deepcopy(cache)
            shared.batch_repeat_interleave(len(batch))
            options = {"past_key_values": shared, "use_cache": True}
        last = torch.tensor([len(rows[index]) - 1 for index in batch], device=device)
        with _last_layer_at(backbone, last):
            hidden = backbone(input_ids=ids, **options).last_hidden_state
        yield batch, hidden[torch.arange(len(batch), device=device), last]


@torch.inference_mode()
def completions(
    model: Any, prompts: list[list[int]], answers: list[list[int]], batch_tokens: int, progress: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Of each prompt with its own answer the answer's log-probability, and whether it is what is most probable
    (greedily, token by token); both of shape `(n,)`.
    """
    sums, greedy = np.zeros(len(prompts)), np.zeros(len(prompts), dtype=bool)
    backbone, head = backbone_of(model), model.get_output_embeddings()
    device = head.weight.device
    rows = [prompt + answer for prompt, answer in zip(prompts, answers, strict=True)]
    for batch in track(batches_by_length(list(map(len, rows)), batch_tokens), progress):
        hidden = backbone(input_ids=_pad([rows[index] for index in batch], device), use_cache=False).last_hidden_state
        # The token at position p is predicted from position p - 1.
        lengths = torch.tensor([len(answers[index]) for index in batch], device=device)
        of_row = torch.repeat_interleave(torch.arange(len(batch), device=device), lengths)
        places = [len(prompts[index]) - 1 + place for index in batch for place in range(len(answers[index]))]
        tokens = torch.tensor([token for index in batch for token in answers[index]], device=device)
        logits = postprocess(model, head(hidden[of_row, torch.tensor(places, device=device)]).float())
        picked = logits.log_softmax(-1).gather(-1, tokens[:, None]).squeeze(-1)
        sums[batch] = torch.zeros(len(batch), device=device).index_add(0, of_row, picked).cpu().numpy()
        wrong = torch.zeros(len(batch), device=device).index_add(0, of_row, (logits.argmax(-1) != tokens).float())
        greedy[batch] = (wrong == 0).cpu().numpy()
    return sums, greedy


@contextmanager
def _last_layer_at(backbone: Any, positions: torch.Tensor) -> Iterator[None]:
    """Let the last layer compute what follows its attention for one token of each row only.

    That token's result is then added to the residual of every token, and right for the one whose result it is.
    """
    layer = backbone.layers[-1] if backbone.config.model_type in LAST_LAYER_SHORTENED else None

    def only_at(_module: torch.nn.Module, inputs: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        rows = torch.arange(len(positions), device=positions.device)
        return (inputs[0][rows, positions].unsqueeze(1),)

    modules = [layer.self_attn.o_proj, layer.mlp] if layer is not None else []
    hooks = [module.register_forward_pre_hook(only_at) for module in modules]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def shared_prefix(prompts: list[list[int]]) -> list[int]:
    """The tokens that all prompts begin with; at least one token of each prompt is left over."""
    pairs = zip(min(prompts), max(prompts), strict=False)
    shared = [token for token, _ in takewhile(lambda pair: pair[0] == pair[1], pairs)]
    return shared[: min(map(len, prompts)) - 1]


def _pad(rows: list[list[int]], device: torch.device) -> torch.Tensor:
    width = max(map(len, rows))
    return torch.tensor([row + [0] * (width - len(row)) for row in rows], device=device)


def causal_lm_of(model: Any) -> Any:
    """The language model itself, adapters included, with or without PEFT around it."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def backbone_of(model: Any) -> Any:
    """The transformer below the language-model head, adapters included."""
    return causal_lm_of(model).base_model


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


def use_completion_head(trainer: Any) -> None:
    """Let an `SFTTrainer`'s model run its head on the positions with loss only, where TRL does not (on a CPU).

    The loss, its gradients and the logged entropy and accuracy stay what they are; evaluation and generation go the
    usual way. TRL does the same on GPUs only: an answer has two tokens and the prompt before it fifteen, and the head
    of SmolLM2-135M holds a fifth of its weights.
    """
    from trl.trainer.utils import FusedCausalLMOutput

    model = trainer.model
    if next(model.parameters()).device.type != "cpu":
        return
    causal_lm = causal_lm_of(model)
    usual_forward = causal_lm.forward

    def forward(self: Any, *args: Any, fused_lm_head: bool = False, labels: Any = None, **options: Any) -> Any:
        if not fused_lm_head or labels is None:
            return usual_forward(*args, fused_lm_head=fused_lm_head, labels=labels, **options)
        options.pop("num_items_in_batch", None)
        hidden = backbone_of(self)(*args, **options | {"use_cache": False}).last_hidden_state[:, :-1]
        targets = labels[:, 1:]
        mask = targets != -100
        head = self.get_output_embeddings()
        # The states of some architectures, such as Mamba, are in float32 whatever the type of the weights.
        logits = postprocess(self, head(hidden[mask].to(head.weight.dtype)).float())
        log_probabilities = logits.log_softmax(-1)
        picked = log_probabilities.gather(-1, targets[mask][:, None]).squeeze(-1)
        with torch.no_grad():
            entropy = -(log_probabilities.exp() * log_probabilities).sum(-1)
            is_top1 = logits.argmax(-1) == targets[mask]
        empty = torch.zeros(mask.shape, dtype=picked.dtype)
        log_probs = empty.masked_scatter(mask, picked)
        return FusedCausalLMOutput(
            loss=-picked.sum() / mask.sum().clamp(min=1),
            log_probs=log_probs,
            entropy=empty.masked_scatter(mask, entropy),
            is_top1=torch.zeros_like(mask).masked_scatter(mask, is_top1),
            label_mask=mask,
        )

    causal_lm.forward = types.MethodType(forward, causal_lm)
