"""Attention of some texts at a time gives what PyTorch's own gives, its gradients, and a model trains with it."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional
from transformers import AutoModelForMaskedLM

from bioft.models import attention
from tests.tiny import write_encoder


@pytest.mark.parametrize("texts_at_once", [1, 2, 8])
@pytest.mark.parametrize("mask", ["none", "padding", "texts apart"])
def test_attention_and_its_gradients_are_those_of_pytorch(
    mask: str, texts_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts, heads, length, dimensions = 5, 3, 7, 4
    monkeypatch.setattr(attention, "SCORES", texts_at_once * heads * length**2)
    torch.manual_seed(0)
    shape = (texts, length, heads, dimensions)  # as a model has them: transposed, not contiguous
    asked = [torch.randn(shape, dtype=torch.float64).transpose(1, 2).requires_grad_() for _ in range(3)]
    seen = None
    if mask == "padding":
        seen = (torch.arange(length) < torch.tensor([7, 5, 3, 7, 1])[:, None])[:, None, None].expand(-1, 1, length, -1)
    elif mask == "texts apart":
        row = torch.tensor([0, 0, 0, 1, 1, 2, 2])
        seen = (row[:, None] == row)[None, None].expand(texts, 1, -1, -1)
    weights = torch.randn(texts, length, heads, dimensions, dtype=torch.float64)
    module = torch.nn.Module()
    found, _ = attention.forward(module, *asked, seen, scaling=0.3)
    expected = functional.scaled_dot_product_attention(*asked, seen, scale=0.3).transpose(1, 2)
    torch.testing.assert_close(found, expected)
    ours = torch.autograd.grad((found * weights).sum(), asked)
    theirs = torch.autograd.grad((expected * weights).sum(), asked)
    torch.testing.assert_close(ours, theirs)
    step = found.grad_fn
    while type(step).__name__ != "AttentionBackward":  # else the graph ends: it was not computed here
        step = step.next_functions[0][0]  # type: ignore[union-attr]
    assert len(step.parts) == -(-texts // texts_at_once)


def test_other_attention_and_that_without_gradients_is_pytorchs_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention.Attention, "apply", lambda *_: pytest.fail("computed here"))
    asked = [torch.randn(2, 3, 5, 4, requires_grad=True) for _ in range(3)]
    attention.forward(torch.nn.Module(), *asked, None, dropout=0.1)
    left_to_right = torch.nn.Module()
    left_to_right.is_causal = True  # type: ignore[assignment]
    found, _ = attention.forward(left_to_right, *asked, None)
    expected = functional.scaled_dot_product_attention(*asked, is_causal=True).transpose(1, 2)
    torch.testing.assert_close(found, expected)
    with torch.no_grad():
        attention.forward(torch.nn.Module(), *asked, None)


def test_a_model_has_the_same_loss_and_gradients_with_it(tmp_path: Path) -> None:
    model = AutoModelForMaskedLM.from_pretrained(write_encoder(tmp_path / "encoder")).eval()
    ids = torch.randint(5, 50, (4, 12))
    seen = torch.arange(12) < torch.tensor([12, 9, 4, 1])[:, None]
    gradients = []
    for name in ("sdpa", attention.NAME):
        model.set_attn_implementation(name)
        model.zero_grad()
        model(input_ids=ids, attention_mask=seen.long(), labels=ids.where(seen, -100)).loss.backward()
        gradients.append({key: its.grad.clone() for key, its in model.named_parameters() if its.grad is not None})
    torch.testing.assert_close(*gradients, atol=1e-6, rtol=1e-4)
