"""The masked-language-model head computed at the masked positions only: usually it runs over every token.

One token in seven is predicted, and in a small encoder the head, which scores every entry of the vocabulary, costs as
much as all layers together.
"""

import types
from typing import Any

import torch
from transformers.modeling_outputs import MaskedLMOutput

HEADS = ("cls", "lm_head")
"""The names of heads that make logits of hidden states in one call: BERT's and RoBERTa's."""


def use_masked_head(model: Any) -> Any:
    """Let a masked language model run its head where there are labels only; returns the model.

    With labels its logits are those of the masked positions, shape (masked tokens, vocabulary), in the order of
    `labels[labels != -100]`; without labels everything stays as it was. The loss is the mean over the masked tokens,
    over `num_items_in_batch` of them where given (steps that accumulate batches of unequal numbers). A model with
    another kind of head computes all logits, and gives the same.
    """
    masked_lm = model.get_base_model() if hasattr(model, "get_base_model") else model
    head = next((name for name in HEADS if isinstance(getattr(masked_lm, name, None), torch.nn.Module)), None)
    usual_forward = masked_lm.forward

    def forward(self: Any, *args: Any, labels: Any = None, num_items_in_batch: Any = None, **options: Any) -> Any:
        if labels is None:
            return usual_forward(*args, **options)
        masked = labels != -100
        if head is None:
            logits = usual_forward(*args, **options).logits[masked]
        else:
            logits = getattr(self, head)(self.base_model(*args, **options).last_hidden_state[masked])
        total = torch.nn.functional.cross_entropy(logits.float(), labels[masked], reduction="sum")
        count = masked.sum().clamp(min=1) if num_items_in_batch is None else num_items_in_batch
        return MaskedLMOutput(loss=total / count, logits=logits)

    masked_lm.forward = types.MethodType(forward, masked_lm)
    return model
