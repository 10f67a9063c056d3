"""Llama's last states, computed once where prompts have tokens in common, are those that Transformers gives."""

from itertools import takewhile
from pathlib import Path

import pytest
import torch
from hypothesis import given, strategies as st
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from bioft.models import base as base_models
from bioft.models.own import llama
from bioft.models.scoring import backbone_of
from tests.tiny import write_model

PROMPTS = [[5, 6, 7, *rest] for rest in ([8], [8, 9], [8, 9, 4, 3], [9, 9], [8, 9], [4, 4, 4, 4, 4, 8])]
TOKENS = st.lists(st.integers(0, 2), min_size=1, max_size=6)


def expected(backbone, prompts: list[list[int]]) -> torch.Tensor:
    with torch.inference_mode():
        return torch.cat([backbone(torch.tensor([ids])).last_hidden_state[:, -1] for ids in prompts])


def computed(backbone, prompts: list[list[int]], prefix: int, batch_tokens: int = 512) -> torch.Tensor:
    found = torch.full((len(prompts), backbone.config.hidden_size), torch.nan, dtype=backbone.dtype)
    with torch.inference_mode():
        for places, states in llama.last_states(backbone, prompts, prefix)(prompts, prefix, batch_tokens, None):
            found[places] = states
    return found


@pytest.mark.parametrize("architecture", llama.ARCHITECTURES)
@pytest.mark.parametrize("prefix", [0, 3])
@pytest.mark.parametrize("batch_tokens", [1, 6, 512])
def test_states_are_those_of_transformers(architecture: str, prefix: int, batch_tokens: int, tmp_path: Path) -> None:
    backbone = AutoModelForCausalLM.from_pretrained(write_model(tmp_path, architecture)).base_model.eval()
    found = computed(backbone, PROMPTS, prefix, batch_tokens)
    torch.testing.assert_close(found, expected(backbone, PROMPTS), atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("rank_stabilized", [False, True])
def test_adapters_and_packed_weights_are_those_of_transformers(
    packed: bool, rank_stabilized: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those that are switched off; a few prompts, for which unpacking does not pay, go the usual way."""
    base = base_models.resolve_base_model(str(write_model(tmp_path)))
    quantization = base_models.nf4(torch.float32) if packed else None
    model, _ = base_models.load_causal_lm(base, quantization, torch.float32)
    adapter = LoraConfig(target_modules="all-linear", init_lora_weights=False, use_rslora=rank_stabilized)
    model = get_peft_model(model, adapter).eval()
    backbone = backbone_of(model)
    before = {name: values.clone() for name, values in model.state_dict().items()}
    assert llama.last_states(backbone, PROMPTS, 0) is None
    monkeypatch.setattr(llama, "PAYING_TOKENS", 1)
    with_it = expected(backbone, PROMPTS)
    torch.testing.assert_close(computed(backbone, PROMPTS, 3), with_it, atol=1e-4, rtol=1e-3)
    with model.disable_adapter():
        without = expected(backbone, PROMPTS)
        torch.testing.assert_close(computed(backbone, PROMPTS, 3), without, atol=1e-4, rtol=1e-3)
    assert (with_it - without).abs().max() > 0.1, "the adapter must do something, else this proves nothing"
    assert all(torch.equal(values, before[name]) for name, values in model.state_dict().items())


def test_what_an_adapter_adds_is_not_rounded_away_with_the_weights() -> None:
    """In bfloat16 1 + 2 ** -10 is 1: beside the weight, what an adapter adds to an output counts."""
    model = torch.nn.Sequential(torch.nn.Linear(1024, 2, bias=False, dtype=torch.bfloat16))
    torch.nn.init.ones_(model[0].weight)
    model = get_peft_model(model, LoraConfig(r=1, lora_alpha=1, target_modules=["0"]))
    layer = model.base_model.model[0]
    states = torch.ones(1, 1024)
    states[:, ::2] = -1  # so that the weight itself gives 0
    with torch.inference_mode():
        layer.lora_A["default"].weight.copy_(states)
        layer.lora_B["default"].weight.fill_(2**-10)
        found = llama._product(layer, torch.bfloat16).of(states.bfloat16())
    assert found.tolist() == [[1.0, 1.0]]


def test_what_it_does_not_compute_is_left_to_transformers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llama, "PAYING_TOKENS", 1)
    load = AutoModelForCausalLM.from_pretrained
    folder = write_model(tmp_path / "llama")
    for option in ({"use_dora": True}, {"lora_bias": True}):
        adapted = get_peft_model(load(folder), LoraConfig(target_modules="all-linear", **option))
        assert llama.last_states(backbone_of(adapted), PROMPTS, 0) is None
    merged = get_peft_model(load(folder), LoraConfig(target_modules="all-linear"))
    merged.merge_adapter()
    assert llama.last_states(backbone_of(merged), PROMPTS, 0) is None
    assert llama.last_states(load(write_model(tmp_path / "phi3", "phi3")).base_model, PROMPTS, 0) is None
    mistral = load(write_model(tmp_path / "mistral", "mistral")).base_model
    mistral.config.sliding_window = max(map(len, PROMPTS))
    assert llama.last_states(mistral, PROMPTS, 0) is not None
    mistral.config.sliding_window -= 1
    assert llama.last_states(mistral, PROMPTS, 0) is None


@given(st.lists(TOKENS, min_size=1, max_size=8), st.integers(1, 12))
def test_batches_hold_every_prompt_once_and_what_they_share_once(prompts: list[list[int]], batch_tokens: int) -> None:
    pairs = list(zip(min(prompts), max(prompts), strict=False))
    prefix = min(len(list(takewhile(lambda pair: pair[0] == pair[1], pairs))), min(map(len, prompts)) - 1)
    batches = llama.batches(prompts, prefix, batch_tokens)
    assert sorted(place for batch in batches for place in batch) == list(range(len(prompts)))
    for batch in batches:
        asked = [prompts[place][prefix:] for place in batch]
        tokens, depths, rows = llama.tree(asked)
        different = {tuple(ids[: end + 1]) for ids in asked for end in range(len(ids))}
        assert len(tokens) == len(different)
        assert len(batch) == 1 or len(tokens) <= batch_tokens
        for ids, row in zip(asked, rows, strict=True):
            assert [tokens[place] for place in row] == ids
            assert [depths[place] for place in row] == list(range(len(ids)))


def test_prompts_that_begin_alike_are_computed_once(tmp_path: Path) -> None:
    backbone = AutoModelForCausalLM.from_pretrained(write_model(tmp_path)).base_model.eval()
    seen: list[int] = []
    backbone.embed_tokens.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0].numel()))
    computed(backbone, PROMPTS, 3)
    assert seen == [3, llama.MULTIPLE]  # 12, rounded up
