"""The type that encoders are trained and asked in."""

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import AutoModelForMaskedLM
from typer.testing import CliRunner

from bioft.cli.main import app
from bioft.errors import BioftError
from bioft.models import attention, base as models, batches, embed, precision, scoring
from bioft.models.arguments import EncoderTrainingArguments
from bioft.tasks.entities import predict as entity_prediction
from bioft.tasks.entities.files import InputDocument
from bioft.tasks.gene_disease import predict as pair_prediction
from bioft.tasks.joint import predict as joint_prediction
from bioft.tasks.masked_lm.models import use_masked_head
from bioft.tasks.retrieval import encoder
from bioft.tasks.text_labels import models as text_models
from tests.tiny import write_encoder

RUNS = Path("tests/golden/runs")
ENTITIES = RUNS / "entities"


def on_hardware(monkeypatch: pytest.MonkeyPatch, native: bool) -> None:
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda on_gpu=None: native)


@pytest.mark.parametrize(
    ("level", "expected"),
    [("SSE41", False), ("AVX2", False), ("avx512_core_vnni", False), ("AVX512_CORE_BF16", True), ("DEFAULT", True)],
)
def test_a_processor_lacks_what_the_user_keeps_from_the_library(
    level: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", level)
    assert precision.multiplies_bfloat16() is expected


@pytest.mark.parametrize(
    ("native", "given", "expected"),
    [
        (True, {}, ("bfloat16", True)),
        (False, {}, ("float32", False)),
        (True, {"dtype": "float32"}, ("float32", False)),
        (True, {"bf16": False}, ("float32", False)),  # as configurations say it that were written on a processor
        (True, {"dtype": "float32", "bf16": True}, ("float32", True)),
        (False, {"dtype": "bfloat16"}, ("bfloat16", True)),
    ],
)
def test_a_training_is_in_bfloat16_where_the_hardware_multiplies_it(
    native: bool,
    given: dict[str, Any],
    expected: tuple[str, bool],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    on_hardware(monkeypatch, native)
    with caplog.at_level(logging.WARNING, "bioft"):
        args = EncoderTrainingArguments(output_dir=str(tmp_path), report_to="none", **given)
    assert (args.dtype, args.bf16) == expected and not args.use_cpu, "a configuration must not keep a GPU out"
    trained = "bfloat16" if expected[1] else "float32"
    assert precision.record_of(args) == {"precision": {"training": trained, "evaluation": expected[0]}}
    assert ("many times as long" in caplog.text) is (given.get("dtype") == "bfloat16"), "said with what it costs"


@pytest.mark.parametrize("native", [True, False])
def test_what_bfloat16_costs_a_language_model_is_said_where_the_hardware_lacks_it(
    native: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    on_hardware(monkeypatch, native)
    with caplog.at_level(logging.WARNING, "bioft"):
        assert models.compute_dtype("auto") != torch.bfloat16 or native
        assert models.compute_dtype("float32") == torch.float32
        assert not caplog.text
        assert models.compute_dtype("bfloat16") == torch.bfloat16
    assert ("many times as long" in caplog.text) is not native


def test_other_types_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="dtype is auto, bfloat16 or float32, not 'float16'"):
        EncoderTrainingArguments(output_dir=str(tmp_path), dtype="float16")
    with pytest.raises(BioftError, match=r"evaluated in 'fp8'; there are bfloat16, float16, float32"):
        precision.of_run({"precision": {"evaluation": "fp8"}, "base_model": {}})
    result = CliRunner().invoke(app, ["predict", str(ENTITIES), "--text", "pain", "--dtype", "fp8"])
    assert result.exit_code == 2


def test_a_run_is_asked_in_the_type_of_its_figures(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    on_hardware(monkeypatch, True)
    record = {"precision": {"training": "bfloat16", "evaluation": "bfloat16"}, "base_model": {"dtype": "float32"}}
    assert precision.of_run(record) == precision.of_index() == torch.bfloat16
    assert precision.of_run({"base_model": {"dtype": "float32"}}) == torch.float32, "a run of before"
    assert precision.of_run({"base_model": {}}) == torch.float32
    on_hardware(monkeypatch, False)
    with caplog.at_level(logging.INFO, "bioft"):
        assert precision.of_run(record) == precision.of_index() == torch.float32
    assert "which the hardware here does not multiply" in caplog.text


@pytest.mark.parametrize("task", ["entities", "gene_disease", "joint", "name_alignment", "text_labels"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_what_is_no_number_is_no_answer(task: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a type overflows, or where weights are damaged; no threshold and no rank takes it."""
    given = getattr(torch, dtype)
    if task == "gene_disease":
        model, prompts, _ = pair_prediction.load_run(RUNS / task, given)

        def ask() -> Any:
            return scoring.score(model, prompts.tokenizer, [[1, 2], [1, 3]], "yes", "no")
    elif task == "name_alignment":
        model, _ = encoder.load_run(RUNS / task, given)

        def ask() -> Any:
            return embed.encode_texts(model, ["glucose", "ATP"])
    elif task == "joint":
        model, *others = loaded = joint_prediction.load(RUNS / task, given)
        documents = [InputDocument("1", "Aspirin relieves pain.")]

        def ask() -> Any:
            return joint_prediction.find(loaded, documents, others[-1])
    else:
        loads: Any = {"entities": entity_prediction.load, "text_labels": text_models.load_run}[task]
        model, tokenizer, _ = loads(RUNS / task, given)

        def ask() -> Any:
            return batches.logits_of(model, tokenizer, [[2, 5, 6, 3], [2, 7, 3]])

    ask()
    with torch.no_grad():
        for weights in model.parameters():
            weights.fill_(torch.nan)
    mend = "train it again with a lower --learning_rate" if dtype == "float32" else "Give --dtype float32"
    with pytest.raises(BioftError, match=rf"no number \(NaN\), computed in {dtype}\. .*{mend}"):
        ask()


def test_a_command_takes_another_type_for_itself_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[torch.dtype] = []
    usual = precision.of_run
    monkeypatch.setattr(precision, "of_run", lambda record: asked.append(usual(record)) or asked[-1])
    words = ["predict", str(ENTITIES), "--text", "Aspirin relieves pain."]
    for more in (["--dtype", "bfloat16"], []):
        assert CliRunner().invoke(app, [*words, *more]).exit_code == 0
    assert asked == [torch.bfloat16, torch.float32]


def test_a_lowered_copy_leaves_the_model_as_it_is_and_computes_itself(tmp_path: Path) -> None:
    """Also of a model whose `forward` was replaced, as for masked tokens, or wrapped, as by a training in bfloat16."""
    base = models.resolve_base_model(str(write_encoder(tmp_path / "model")))
    model, _ = models.load_encoder(base, AutoModelForMaskedLM)
    assert precision.lowered(model, "float32") is model
    ids = torch.arange(5, 13)[None]
    expected = model.eval()(ids).logits
    use_masked_head(model)
    usual = model.forward.__func__
    model._original_forward = model.forward
    wrapped = torch.autocast("cpu", torch.bfloat16)(usual)
    model.forward = wrapped.__get__(model)  # as accelerate does it
    copied = precision.lowered(model, "bfloat16")
    found = copied(ids).logits
    assert found.dtype == torch.bfloat16 and not hasattr(copied, "_original_forward")
    torch.testing.assert_close(found.float(), expected, atol=0.05, rtol=0.05)
    assert {each.dtype for each in model.parameters()} == {torch.float32}
    again = precision.lowered(model, torch.float32)
    assert torch.equal(again(ids).logits, expected), "in float32 too it no longer multiplies in bfloat16"


@pytest.mark.parametrize(("bf16", "name"), [(True, attention.NAME), (False, "sdpa")])
def test_attention_is_another_in_a_training_in_bfloat16_alone(bf16: bool, name: str, tmp_path: Path) -> None:
    model = AutoModelForMaskedLM.from_pretrained(write_encoder(tmp_path / "encoder"))
    trainer = SimpleNamespace(model=model, args=SimpleNamespace(bf16=bf16, device=torch.device("cpu")))
    with precision.trained(trainer):
        assert model.config._attn_implementation == name
    assert model.config._attn_implementation == "sdpa"
