"""Attention as encoders are trained with in bfloat16 on a processor: some texts at a time.

All texts at once, one operation after the other, take much memory, which the system empties anew for each batch: on
abstracts a quarter of the whole time. The gradient of PyTorch's own attention takes little memory and longer.
"""

from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "some_texts_at_a_time"
SCORES = 1 << 20
"""Scores that are computed together: what a processor's cache holds."""


class Attention(torch.autograd.Function):
    """Softmax attention of queries, keys and values, each of shape (texts, heads, tokens, dimensions).

    `mask` is added to the scores, shape (texts or 1, heads or 1, tokens, tokens), or None.
    """

    @staticmethod
    def forward(ctx: Any, query: Any, key: Any, value: Any, mask: torch.Tensor | None, scale: float) -> Any:
        """What is found for each query, shape as of these."""
        query, key, value = query.contiguous() * scale, key.contiguous(), value.contiguous()
        texts, heads, length, _ = query.shape
        size = max(1, SCORES // (heads * length**2))
        ctx.parts = [slice(first, first + size) for first in range(0, texts, size)]
        found, saved = torch.empty_like(query), []
        for part in ctx.parts:
            scores = torch.matmul(query[part], key[part].transpose(2, 3))
            if mask is not None:
                scores += mask[part] if len(mask) == texts else mask
            saved.append(torch.softmax(scores, -1))
            torch.matmul(saved[-1], value[part], out=found[part])
        ctx.save_for_backward(query, key, value, *saved)
        ctx.scale = scale
        return found

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        """The gradients of query, key and value."""
        query, key, value, *saved = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        found = of_query, of_key, of_value = [torch.empty_like(its) for its in (query, key, value)]
        for part, weights in zip(ctx.parts, saved, strict=True):
            torch.matmul(weights.transpose(2, 3), gradient[part], out=of_value[part])
            of_weights = torch.matmul(gradient[part], value[part].transpose(2, 3))
            of_scores = torch._softmax_backward_data(of_weights, weights, -1, weights.dtype)
            torch.matmul(of_scores, key[part], out=of_query[part])
            torch.matmul(of_scores.transpose(2, 3), query[part], out=of_key[part])
        of_query *= ctx.scale
        return *found, None, None


def forward(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """What Transformers calls in the place of its own; without gradients, and for other attention, it is its own."""
    plain = query.shape == key.shape == value.shape and others.get("position_bias") is None
    causal = others.get("is_causal") or getattr(module, "is_causal", False)
    if dropout or causal or not plain or not torch.is_grad_enabled():
        return sdpa_attention_forward(module, query, key, value, attention_mask, dropout, scaling, **others)
    mask = attention_mask
    if mask is not None and mask.dtype == torch.bool:
        mask = torch.zeros_like(mask, dtype=query.dtype).masked_fill_(~mask, torch.finfo(query.dtype).min)
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    with torch.autocast(query.device.type, enabled=False):
        found = Attention.apply(query, key, value, mask, scale)
    return found.transpose(1, 2).contiguous(), None


AttentionInterface.register(NAME, forward)
AttentionMaskInterface.register(NAME, sdpa_mask)
