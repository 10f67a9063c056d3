"""`bioft export --to onnx` writes graphs that answer as their runs do, or nothing: real runs of tiny encoders."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
import yaml
from onnx import numpy_helper
from transformers import AutoTokenizer
from transformers.exporters import ExportedModel
from typer.testing import CliRunner

from bioft.cli.main import app
from bioft.errors import BioftError
from bioft.export import onnx as export_onnx, parity as derived_models
from bioft.models import onnx as onnx_models
from bioft.tasks.entities import predict as entity_prediction
from bioft.verify import verify as verification
from tests.recipe import command_line, load_recipe, run_recipe
from tests.tiny import write_encoder

TRAINING = {"max_steps": 2, "eval_strategy": "no", "save_strategy": "no", "load_best_model_at_end": False}
TRAINING |= {"learning_rate": 0.02, "dataset": "sample"}


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with an adapter and a head that was trained whole."""
    folder = tmp_path_factory.mktemp("tagger")
    options = {"model_name_or_path": write_encoder(folder / "model"), "output_dir": folder / "run", "use_peft": True}
    options |= {"window_length": 96, "window_overlap": 16}
    run_recipe(load_recipe("token_classification"), *command_line(**options | TRAINING))
    return folder / "run"


@pytest.fixture(scope="module")
def exported(tagger: Path) -> tuple[Path, str]:
    """The export of that run, and what the command printed."""
    folder = tagger.parent / "onnx"
    result = CliRunner().invoke(app, ["export", str(tagger), "--to", "onnx", "-o", str(folder)])
    assert result.exit_code == 0, result.output
    return folder, result.output


def test_an_adapter_is_merged_and_the_graph_reads_batches_of_any_size(tagger: Path, exported: Any) -> None:
    folder, output = exported
    assert "100.0% of the predictions are the same" in output and "Run decompositions" not in output
    model, _, record = entity_prediction.load(tagger)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    texts = ["Naloxone reverses the effect of clonidine.", "Lithium.", "No severe QT prolongation followed " * 5]
    inputs = tokenizer(texts, padding=True, return_tensors="pt")
    graph = ExportedModel.from_pretrained(folder)
    with torch.no_grad():
        expected = model(**inputs).logits
        with model.disable_adapter():
            assert (model(**inputs).logits - expected).abs().max() > 0.01, "the adapter changes something"
    found = graph(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).logits
    there = inputs["attention_mask"].bool()
    torch.testing.assert_close(found[there], expected[there], atol=1e-4, rtol=1e-4)
    assert list(graph.config.id2label.values()) == record["labels"]


def test_card_and_record_name_base_adapter_and_run(tagger: Path, exported: Any) -> None:
    folder, _ = exported
    digest = hashlib.sha256((tagger / derived_models.ADAPTER).read_bytes()).hexdigest()
    card = (folder / "README.md").read_text()
    assert digest in card and "windows of 96 tokens" in card and str(tagger.parent) not in card
    metadata = yaml.safe_load(card.split("---")[1])
    assert metadata["library_name"] == "onnx" and "base_model" not in metadata, "a local folder is no base"
    kept = json.loads((folder / "export.json").read_text())["bioft"]
    assert kept["run"] == "run" and kept["trained"] == {derived_models.ADAPTER: digest}
    assert kept["parity"]["same_predictions"] == 1 and 0 < kept["parity"]["drift"] < kept["parity"]["tolerance"]
    assert not list(folder.glob("*.safetensors"))
    with pytest.raises(BioftError, match="not empty"):
        export_onnx.export(tagger, folder)


def test_a_graph_that_was_changed_is_found(exported: Any, tmp_path: Path) -> None:
    copy = shutil.copytree(exported[0], tmp_path / "copy")
    found = verification.verify(copy, progress=False)
    assert found.status == "cannot be checked" and "the model of the run run (onnx float32)" in found.reasons[0]
    with (copy / onnx_models.GRAPH).open("ab") as graph:
        graph.write(b"\0")
    found = verification.verify(copy, progress=False)
    assert found.status == "not reproduced" and "model.onnx was changed" in found.reasons[0]


def test_a_graph_with_a_wrong_weight_is_refused_and_nothing_is_left(
    tagger: Path, exported: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(model: Any, pad_token_id: int, folder: Path, *, int8: bool) -> None:
        shutil.copytree(exported[0], folder, dirs_exist_ok=True)
        graph = onnx.load(folder / onnx_models.GRAPH)
        (weight,) = (each for each in graph.graph.initializer if each.name == "classifier.bias")
        values = numpy_helper.to_array(weight).copy()
        values[0] += 0.1
        weight.CopyFrom(numpy_helper.from_array(values, weight.name))
        onnx.save(graph, folder / onnx_models.GRAPH)

    monkeypatch.setattr(onnx_models, "write", damaged)
    with pytest.raises(BioftError, match=r"something else than the run.*0\.001 is allowed"):
        export_onnx.export(tagger, tmp_path / "onnx")
    assert list(tmp_path.iterdir()) == []


def test_weights_in_int8_answer_nearly_the_same(tagger: Path, tmp_path: Path) -> None:
    found = export_onnx.export(tagger, tmp_path / "onnx", quantize="int8")
    assert found.format == "ONNX, int8" and 0.001 < found.parity.drift <= found.parity.tolerance
    types = {each.data_type for each in onnx.load(tmp_path / "onnx" / onnx_models.GRAPH).graph.initializer}
    assert onnx.TensorProto.INT8 in types and "7 bits" in (tmp_path / "onnx" / "README.md").read_text()


def test_other_formats_are_sent_to_who_writes_them(tagger: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["export", str(tagger), "--to", "gguf", "-o", str(tmp_path / "model.gguf")])
    assert result.exit_code == 2 and "llama.cpp" in result.output


@pytest.mark.parametrize("name", ["gene_disease", "joint"])
def test_what_has_no_export_is_told_without_names_of_modules(name: str, tmp_path: Path) -> None:
    with pytest.raises(BioftError, match=r"^No run on [\w-]+ can be exported to ONNX; docs/export\.md names other"):
        export_onnx.export(Path("tests/golden/runs") / name, tmp_path / "onnx")


def test_what_differs_too_much_or_in_too_many_predictions_is_refused() -> None:
    rng = np.random.default_rng(0)
    outputs = [rng.normal(size=(4, 3)) for _ in range(5)]
    near = [values + 1e-5 for values in outputs]
    parity = derived_models.Parity.of(outputs, near, np.array([True] * 20), 0.001, 0.99)
    assert parity.drift == pytest.approx(1e-5 / np.concatenate(outputs).std()) and parity.examples == 5
    one_off = [*near[:-1], near[-1] + 0.1]
    with pytest.raises(BioftError, match=r"0\.001 is allowed"):
        derived_models.Parity.of(outputs, one_off, np.array([True] * 20), 0.001, 0.99)
    with pytest.raises(BioftError, match=r"95\.0% of the predictions"):
        derived_models.Parity.of(outputs, near, np.array([True] * 19 + [False]), 0.001, 0.99)
    with pytest.raises(BioftError):
        derived_models.Parity.of(outputs, [values * np.nan for values in near], np.array([True] * 20), 0.001, 0.99)
