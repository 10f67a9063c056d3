"""`bioft export --to gguf` writes a file that computes what adapter and base do, or nothing: a run of a tiny Llama."""

import json
import shutil
from pathlib import Path
from typing import Any

import gguf
import pytest
import torch
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
from typer.testing import CliRunner

from bioft.cli.main import app
from bioft.errors import BioftError
from bioft.export import gguf as export_gguf, parity as derived_models
from bioft.storage import runs
from bioft.tasks.gene_disease import predict as prediction
from tests.recipe import write_quantized_run
from tests.tiny import write_model


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_quantized_run(tmp_path_factory.mktemp("sft"))


def test_the_file_is_read_again_as_the_same_model_and_tokenizer(finished: Path, tmp_path: Path) -> None:
    """Scores of pairs are those of the run itself, which the base alone does not give."""
    out = tmp_path / "model.gguf"
    result = CliRunner().invoke(app, ["export", str(finished), "--to", "gguf", "-o", str(out), "--dtype", "float32"])
    assert result.exit_code == 0, result.output
    assert "GGUF, float32" in result.output and "100.0% of the predictions are the same" in result.output
    model, prompts, record = prediction.load_run(finished, torch.float32)
    pairs = {"gene": ["GEN1", "GEN22", "GEN3"], "disease": ["Syndrome B1, familial", "Syndrome C2, familial", "x"]}
    options = {"gguf_file": out.name, "dtype": torch.float32, "quantization_config": GgufConfig(dequantize=True)}
    again = AutoModelForCausalLM.from_pretrained(tmp_path, **options)
    with torch.no_grad():
        expected, found = prediction.score_pairs(model, prompts, pairs), prediction.score_pairs(again, prompts, pairs)
        with model.disable_adapter():
            alone = prediction.score_pairs(model, prompts, pairs)
    assert found == pytest.approx(expected, abs=1e-4) and abs(expected - alone).max() > 0.01
    tokenizer = AutoTokenizer.from_pretrained(tmp_path, gguf_file=out.name)
    assert tokenizer.get_vocab().items() >= prompts.tokenizer.get_vocab().items()
    assert tokenizer.chat_template == prompts.tokenizer.chat_template
    fields = gguf.GGUFReader(out).fields
    assert fields["tokenizer.ggml.pre"].contents() == "gpt-2"
    assert record["files"][derived_models.ADAPTER] in fields["general.description"].contents()
    assert [path.name for path in tmp_path.iterdir()] == [out.name]
    with pytest.raises(BioftError, match="exists already"):
        export_gguf.export(finished, out)


def test_matrices_are_rounded_to_16_bits_and_a_wrong_one_is_refused(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = export_gguf.export(finished, tmp_path / "half.gguf")
    assert found.format == "GGUF, float16" and 1e-5 < found.parity.drift <= found.parity.tolerance
    types = {tensor.tensor_type.name for tensor in gguf.GGUFReader(tmp_path / "half.gguf").tensors}
    assert types == {"F16", "F32"}
    add = gguf.GGUFWriter.add_tensor

    def damaged(writer: gguf.GGUFWriter, name: str, values: Any) -> None:
        add(writer, name, values[::-1].copy() if name == "blk.1.attn_q.weight" else values)

    monkeypatch.setattr(gguf.GGUFWriter, "add_tensor", damaged)
    with pytest.raises(BioftError, match=r"something else than the run.*0\.01 is allowed"):
        export_gguf.export(finished, tmp_path / "wrong.gguf")
    assert [path.name for path in tmp_path.iterdir()] == ["half.gguf"]


def test_what_can_not_be_written_is_refused_with_the_reason(finished: Path, tmp_path: Path) -> None:
    with pytest.raises(BioftError, match=r"does not end with \.gguf"):
        export_gguf.export(finished, tmp_path / "model")
    run = shutil.copytree(finished, tmp_path / "run")
    record = json.loads((run / runs.RECORD).read_text())
    mistral = write_model(tmp_path / "mistral", "mistral")
    record["base_model"] |= {"name_or_path": str(mistral), "sha256": None}
    (run / runs.RECORD).write_text(json.dumps(record))
    with pytest.raises(BioftError, match=r"'mistral'; only 'llama'.*SentencePiece"):
        export_gguf.export(run, tmp_path / "model.gguf")
    (run / runs.RECORD).write_text(json.dumps(record | {"recipe": "token_classification"}))
    with pytest.raises(BioftError, match="Export an encoder with --to onnx"):
        export_gguf.export(run, tmp_path / "model.gguf")
    result = CliRunner().invoke(app, ["export", str(finished), "--to", "gguf", "-o", "x.gguf", "--quantize", "int8"])
    assert result.exit_code == 2 and not Path("x.gguf").exists()


def test_the_way_of_splitting_words_is_told_from_the_tokenizer_itself(tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(write_model(tmp_path))
    assert export_gguf._pre_tokenizer(tokenizer) == "gpt-2"
    digits = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(digits)
    assert export_gguf._pre_tokenizer(tokenizer) == "smollm"
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    with pytest.raises(BioftError, match="convert_hf_to_gguf"):
        export_gguf._pre_tokenizer(tokenizer)
