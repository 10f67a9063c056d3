"""Scoring gives the probabilities that the full model gives, whatever shortcut it takes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from bioft.errors import BioftError
from bioft.models.own import llama
from bioft.models.scoring import LAST_LAYER_SHORTENED, backbone_of, score, shared_prefix
from tests.tiny import write_model

PROMPTS = [
    "Is the gene associated with the disease? Answer yes or no. Gene: GEN1",
    "Is the gene associated with the disease? Answer yes or no. Gene: GEN12, Disease: Syndrome of a long name",
    "Is the gene associated with the disease? Answer yes or no. BRCA1",
]


@pytest.fixture(scope="module")
def model_and_tokenizer(tmp_path_factory: pytest.TempPathFactory):
    folder = write_model(tmp_path_factory.mktemp("model"))
    return AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)


def log_probability(model, tokenizer, prompt: list[int], answer: str) -> float:
    """The definition, one unpadded example at a time, over the whole vocabulary."""
    tokens = tokenizer(answer, add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        logits = model(torch.tensor([prompt + tokens])).logits[0].log_softmax(-1)
    return sum(logits[len(prompt) - 1 + i, token].item() for i, token in enumerate(tokens))


@pytest.mark.parametrize("answers", [("yes", "no"), ("qz", "zq"), ("true", "no")])
@pytest.mark.parametrize("reuse_prefix", [True, False])
@pytest.mark.parametrize("batch_tokens", [1, 10_000])
def test_scores_equal_the_definition(model_and_tokenizer, answers, reuse_prefix, batch_tokens) -> None:
    model, tokenizer = model_and_tokenizer
    prompts = [tokenizer(text)["input_ids"] for text in PROMPTS]
    expected = []
    for prompt in prompts:
        positive, negative = (log_probability(model, tokenizer, prompt, answer) for answer in answers)
        expected.append(positive - negative)
    actual = score(model, tokenizer, prompts, *answers, batch_tokens=batch_tokens, reuse_prefix=reuse_prefix)
    np.testing.assert_allclose(np.log(actual / (1 - actual)), expected, atol=1e-3)
    assert np.ptp(expected) > 1e-2, "the tiny model must tell the prompts apart, else this proves nothing"


def test_multi_token_answers_are_exercised(model_and_tokenizer) -> None:
    _, tokenizer = model_and_tokenizer
    assert len(tokenizer("yes")["input_ids"]) == 1
    assert len(tokenizer("qz")["input_ids"]) > 1


def test_pairs_do_not_tie_in_bfloat16(tmp_path: Path) -> None:
    """Logits of two answers that are rounded to bfloat16 have few differences: many of 2,000 pairs would tie."""
    folder = write_model(tmp_path / "model")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    prompts = [tokenizer(f"{PROMPTS[0]}{number}")["input_ids"] for number in range(2000)]
    assert len(tokenizer("yes")["input_ids"]) == len(tokenizer("no")["input_ids"]) == 1
    scores = score(model, tokenizer, prompts, "yes", "no")
    assert len(np.unique(scores)) > 1990


def test_same_answers_and_empty_prompts_are_refused(model_and_tokenizer) -> None:
    model, tokenizer = model_and_tokenizer
    with pytest.raises(BioftError, match="same tokens"):
        score(model, tokenizer, [[5]], "yes", "yes")
    with pytest.raises(BioftError, match="empty prompt"):
        score(model, tokenizer, [[5], []], "yes", "no")
    assert score(model, tokenizer, [], "yes", "no").shape == (0,)


def test_scoring_leaves_the_training_mode_as_it_was(model_and_tokenizer) -> None:
    model, tokenizer = model_and_tokenizer
    model.train()
    score(model, tokenizer, [[5, 6]], "yes", "no")
    assert model.training


TOKENS = st.lists(st.integers(0, 3), min_size=1, max_size=8)


@given(st.lists(TOKENS, min_size=1, max_size=8))
def test_shared_prefix_is_the_longest_that_leaves_a_token(prompts: list[list[int]]) -> None:
    prefix = shared_prefix(prompts)
    assert all(prompt[: len(prefix)] == prefix and len(prompt) > len(prefix) for prompt in prompts)
    longer = len(prefix) + 1
    assert any(len(p) <= longer or p[:longer] != prompts[0][:longer] for p in prompts)


@pytest.mark.parametrize("architecture", LAST_LAYER_SHORTENED)
@pytest.mark.parametrize("adapter", [False, True])
def test_models_of_every_preset_architecture_are_scored(
    architecture: str, adapter: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by the definition, also where the last layer computes less; with an adapter on every linear layer too.

    This is Transformers' way; ours has tests of its own.
    """
    monkeypatch.setattr(llama, "last_states", lambda *_: None)
    folder = write_model(tmp_path / "model", architecture)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    if adapter:
        model = get_peft_model(model, LoraConfig(target_modules="all-linear", init_lora_weights=False))
    prompts = [tokenizer(text)["input_ids"] for text in PROMPTS]
    model.eval()
    expected = [
        log_probability(model, tokenizer, p, "yes") - log_probability(model, tokenizer, p, "no") for p in prompts
    ]
    seen = []
    backbone_of(model).layers[-1].mlp.register_forward_hook(lambda _, inputs, output: seen.append(output.shape))
    actual = score(model, tokenizer, prompts, "yes", "no")
    np.testing.assert_allclose(np.log(actual / (1 - actual)), expected, atol=1e-4)
    assert np.ptp(expected) > 1e-2, "the tiny model must tell the prompts apart, else this proves nothing"
    assert seen[-1][:2] == (len(prompts), 1), "one token of each row"
    # Nothing of it stays behind.
    assert model(torch.tensor([prompts[0]])).logits.shape[1] == len(prompts[0])
    assert seen[-1][:2] == (1, len(prompts[0]))
