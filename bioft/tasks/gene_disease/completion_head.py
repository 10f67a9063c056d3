"""Training on short answers without computing the language-model head where no token carries loss.

TRL does this on GPUs. On other devices it runs the head over every position, though an answer has two tokens and the
prompt before it fifteen; the head of SmolLM2-135M holds a fifth of its weights.
"""

import types
from typing import Any

import torch
from trl.trainer.utils import FusedCausalLMOutput

from bioft.tasks.gene_disease.scoring import backbone_of, postprocess


def use_completion_head(trainer: Any) -> None:
    """Let an `SFTTrainer`'s model run its head on the positions with loss only, where TRL does not (on a CPU).

    The loss, its gradients and the logged entropy and accuracy stay what they are; evaluation and generation go the
    usual way.
    """
    model = trainer.model
    if next(model.parameters()).device.type != "cpu":
        return
    causal_lm = model.get_base_model() if hasattr(model, "get_base_model") else model
    usual_forward = causal_lm.forward

    def forward(self: Any, *args: Any, fused_lm_head: bool = False, labels: Any = None, **options: Any) -> Any:
        if not fused_lm_head or labels is None:
            return usual_forward(*args, fused_lm_head=fused_lm_head, labels=labels, **options)
        options.pop("num_items_in_batch", None)
        hidden = backbone_of(self)(*args, **options | {"use_cache": False}).last_hidden_state[:, :-1]
        targets = labels[:, 1:]
        mask = targets != -100
        logits = postprocess(self, self.get_output_embeddings()(hidden[mask]).float())
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
