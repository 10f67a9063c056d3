"""The int8 backend: its embeddings are near to the model's, an index keeps to it, and queries find what it made."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from peft import PeftModel
from trl import ModelConfig
from typer.testing import CliRunner

from bioft.cli.main import app
from bioft.models.embed import encode_texts
from bioft.search import index as search_index
from bioft.search.articles import IndexedArticle
from bioft.search.encoder import load_encoder
from bioft.tasks.retrieval import encoder as contrastive
from tests.tiny import write_encoder


def run(*arguments: object, code: int = 0) -> str:
    result = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"}).invoke(app, [str(each) for each in arguments])
    assert result.exit_code == code, result.output + result.stderr
    return result.stdout if code == 0 else result.stderr


def test_an_index_in_int8_is_near_the_model_and_keeps_to_its_backend(tmp_path: Path) -> None:
    """The adapter counts, the model stays as it is, and what another backend gives is not mixed in."""
    encoder = load_encoder(str(write_encoder(tmp_path / "model")), "onnx-int8")
    contrastive.add_adapter(
        encoder.model, ModelConfig(use_peft=True, lora_r=4, lora_target_modules=["query", "value"])
    )
    for name, parameter in encoder.model.named_parameters():
        if "lora_B" in name:
            parameter.data += 0.05
    texts = ["heart pain " * n for n in (3, 0, 70, 1, 12, 40)]
    exact = encode_texts(encoder.model, texts)
    articles = [IndexedArticle(str(i), text, text, None, (), False) for i, text in enumerate(texts)]
    index, _ = search_index.index_articles(tmp_path / "index", encoder, articles)
    found, unit = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (index.embeddings(), exact))
    assert ((found * unit).sum(axis=1) > 0.98).all() and abs(found - unit).max() > 1e-3
    assert isinstance(encoder.model[0].model, PeftModel)
    np.testing.assert_array_equal(encode_texts(encoder.model, texts), exact)
    with encoder.model[0].model.disable_adapter():
        alone = encode_texts(encoder.model, texts)
    assert abs(alone - exact).max() > 4 * abs(found - unit).max(), "the adapter was merged"
    np.testing.assert_allclose(encoder.encode_query(texts[0]), exact[0], atol=1e-5)

    table, before = tmp_path / "a.csv", sorted(path.name for path in index.directory.iterdir())
    table.write_text("id,text\n9,QT prolongation\n")
    message = run("index", tmp_path / "model", table, "-o", index.directory, "--add", code=1)
    assert "encoded by onnx-int8, not by pytorch" in message and "--backend onnx-int8" in message
    assert sorted(path.name for path in index.directory.iterdir()) == before


def test_an_index_can_be_opened_before_onnx_runtime_is_loaded() -> None:
    """In a process of its own, as the order in which libraries are loaded is what this is about."""
    code = "from bioft.search import layout; layout.index_class(); import onnxruntime, sys; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "torch" not in result.stdout.split(), "which would hide it"


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("bioft.models.onnx.find_spec", lambda name: None if name == "onnxruntime" else object())
    table = tmp_path / "a.csv"
    table.write_text("id,text\n1,heart pain\n")
    message = run(
        "index", write_encoder(tmp_path / "model"), table, "-o", tmp_path / "x", "--backend", "onnx-int8", code=1
    )
    assert "pip install 'bioft[onnx]'" in message and not (tmp_path / "x").exists()
