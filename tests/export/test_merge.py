"""`bioft merge` writes a model that computes what adapter and base do, or nothing: two real runs of tiny models."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoModelForTokenClassification, AutoTokenizer
from typer.testing import CliRunner

from bioft.cli.main import app
from bioft.errors import BioftError
from bioft.export import merge as merging
from bioft.storage import runs
from bioft.tasks.entities import predict as entity_prediction
from bioft.tasks.gene_disease import predict as prediction
from bioft.verify import verify as verification
from tests import snippets
from tests.recipe import command_line, load_recipe, run_recipe, write_quantized_run
from tests.tiny import write_ctd, write_encoder


@pytest.fixture(scope="module")
def in_4_bits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_quantized_run(tmp_path_factory.mktemp("sft"))


def test_an_adapter_of_a_4_bit_base_is_merged_into_the_dequantised_weights(in_4_bits: Path, tmp_path: Path) -> None:
    """The merged model scores pairs as the run itself does, which the base alone does not."""
    out = tmp_path / "merged"
    result = CliRunner().invoke(app, ["merge", str(in_4_bits), "-o", str(out), "--dtype", "float32"])
    assert result.exit_code == 0, result.output
    assert "dequantised from 4 bits, in float32" in result.output and "of 86 test examples" in result.output
    model, prompts, record = prediction.load_run(in_4_bits, torch.float32)
    pairs = {"gene": ["GEN1", "GEN22", "GEN3"], "disease": ["Syndrome B1, familial", "Syndrome C2, familial", "x"]}
    merged = AutoModelForCausalLM.from_pretrained(out)
    with torch.no_grad():
        expected, alone = prediction.score_pairs(model, prompts, pairs), None
        with model.disable_adapter():
            alone = prediction.score_pairs(model, prompts, pairs)
    assert prediction.score_pairs(merged, prompts, pairs) == pytest.approx(expected, abs=1e-4)
    assert abs(expected - alone).max() > 0.01
    assert AutoTokenizer.from_pretrained(out).get_vocab() == prompts.tokenizer.get_vocab()
    assert {path.suffix for path in out.iterdir()} == {".json", ".safetensors", ".md", ".jinja"}
    card = (out / "README.md").read_text()
    assert "dequantised" in card and record["base_model"]["id"].rpartition("/")[2] in card
    assert hashlib.sha256((in_4_bits / merging.ADAPTER).read_bytes()).hexdigest() in card
    metadata = yaml.safe_load(card.split("---")[1])
    assert metadata["library_name"] == "transformers" and "base_model" not in metadata, "a local folder is no base"
    again = CliRunner().invoke(app, ["merge", str(in_4_bits), "-o", str(out)])
    assert again.exit_code == 1 and "not empty" in again.output


def test_a_merged_model_has_no_figures_of_its_own_and_tells_whether_it_was_changed(
    in_4_bits: Path, tmp_path: Path
) -> None:
    """Whatever command it is given to names the run; a record that is put beside it is not its own."""
    out = tmp_path / "merged"
    merging.merge(in_4_bits, out, dtype="float32")
    words = "it is the model of the run run (merged, float32), compared with that when it was made, and its files"
    board = ["leaderboard", out, "-o", tmp_path / "board"]
    for command in (["push-adapter", out, "user/name"], ["compare", out], board):
        result = CliRunner().invoke(app, list(map(str, command)))
        assert result.exit_code == 1 and words in " ".join(result.output.split()), result.output
    found = verification.verify(out, progress=False)
    assert (
        found.status == "cannot be checked"
        and f"{words} are as they were then. Figures are of that" in found.reasons[0]
    )
    (out / "README.md").write_text((out / "README.md").read_text() + "\nAUROC 0.97\n")
    assert f"{words} are as they were then, but for its card." in verification.verify(out, progress=False).reasons[0]
    weights = load_file(out / "model.safetensors")
    save_file({name: -its for name, its in weights.items()}, out / "model.safetensors", {"format": "pt"})
    found = verification.verify(out, progress=False)
    assert found.status == "not reproduced" and "model.safetensors was changed" in found.reasons[0]
    shutil.copy(in_4_bits / runs.RECORD, out)
    found = verification.verify(out, progress=False)
    assert found.status == "not reproduced" and "adapter_model.safetensors is missing" in found.reasons[0]


def test_no_figure_comes_to_a_card_in_the_words_of_a_record(in_4_bits: Path, tmp_path: Path) -> None:
    """The card of a merged model prints the name of its run."""
    forged = shutil.copytree(in_4_bits, tmp_path / "run")
    for name in ("AUROC 0.97 on patients", "run\n\n**Better than all others**"):
        (forged / runs.RECORD).write_text(json.dumps(runs.read(forged) | {"name": name}))
        with pytest.raises(BioftError, match="states a figure where none belongs: name is"):
            merging.merge(forged, tmp_path / "merged", dtype="float32")
        assert not (tmp_path / "merged").exists()


def test_what_drifts_is_refused_and_nothing_is_left(in_4_bits: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """A merge that loses the adapter stands for one that goes wrong."""
    monkeypatch.setattr("peft.PeftModel.merge_and_unload", lambda model, safe_merge: model.unload(), raising=False)
    with pytest.raises(BioftError, match=r"something else than adapter and base.*It was not saved"):
        merging.merge(in_4_bits, tmp_path / "merged", dtype="float32")
    assert list(tmp_path.iterdir()) == []


def test_sixteen_bit_weights_are_rounded_and_said_to_be(in_4_bits: Path, tmp_path: Path) -> None:
    merged = merging.merge(in_4_bits, tmp_path / "merged", dtype="bfloat16")
    assert (merged.dtype, merged.examples, merged.dequantized) == ("bfloat16", 86, True)
    assert 1e-4 < merged.drift <= merged.tolerance
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype="auto")
    assert model.dtype == torch.bfloat16


def test_an_adapter_with_a_trained_head_is_merged_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {
        "model_name_or_path": write_encoder(tmp_path / "model"),
        "output_dir": tmp_path / "run",
        "use_peft": True,
        "max_steps": 2,
        "eval_strategy": "no",
        "save_strategy": "no",
        "load_best_model_at_end": False,
        "window_length": 96,
        "window_overlap": 16,
        "learning_rate": 0.02,
    }
    run_recipe(load_recipe("token_classification"), *command_line(**options))
    run = tmp_path / "run"
    merged = merging.merge(run, tmp_path / "merged")
    assert merged.dtype == "float32", "that of the base model"
    assert all(path.stat().st_mode & 0o077 == 0o044 for path in (tmp_path / "merged").iterdir()), "others can read it"
    assert not merged.dequantized and merged.examples == len(pd.read_parquet(run / "predictions.parquet"))
    whole = AutoModelForTokenClassification.from_pretrained(tmp_path / "merged").eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "merged")
    model, _, record = entity_prediction.load(run)
    inputs = tokenizer("Naloxone reverses the effect of clonidine.", return_tensors="pt")
    with torch.no_grad():
        torch.testing.assert_close(whole(**inputs).logits, model(**inputs).logits, atol=1e-4, rtol=1e-4)
    assert list(whole.config.id2label.values()) == record["labels"]
    monkeypatch.chdir(tmp_path / "merged")  # as the lines on the card are run
    found: dict[str, Any] = {}
    exec(snippets.of(Path("README.md").read_text()), found)
    with torch.no_grad():
        assert torch.equal(found["model"](**inputs).logits, whole(**inputs).logits)
    assert found["find"]("Naloxone reverses the effect of clonidine.") is not None


def test_what_has_no_adapter_or_other_data_is_refused(in_4_bits: Path, tmp_path: Path) -> None:
    with pytest.raises(BioftError, match="has no adapter"):
        merging.merge(Path("tests/golden/runs/entities"), tmp_path / "merged")
    with pytest.raises(BioftError, match="is no type to save weights in"):
        merging.merge(in_4_bits, tmp_path / "merged", dtype="int8")
    other = write_ctd(tmp_path / "other.csv", n_pairs=100)
    with pytest.raises(BioftError, match=r"Here is another source: other\.csv"):
        merging.merge(in_4_bits, tmp_path / "merged", dataset_path=other)
    assert runs.read(in_4_bits)["base_model"]["quantization"] == "nf4" and not (tmp_path / "merged").exists()
