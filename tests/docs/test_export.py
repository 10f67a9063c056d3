"""docs/export.md is followed word by word, but for llama.cpp's own commands, on runs of tiny models."""

import re
import shlex
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM
from typer.testing import CliRunner

from bioft.cli.main import app
from bioft.storage import runs
from tests import warm_process
from tests.tiny import write_encoder

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")


def run(folder: Path, words: list[str]) -> None:
    code, shown = warm_process.run(folder, words)
    assert code == 0, shown


@pytest.mark.slow
def test_the_page_gives_models_for_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("recipes", "tests"):  # the golden run has its base model and data from tests
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "runs/sft_gda").mkdir(parents=True)
    (tmp_path / "runs/sft_gda/default").symlink_to(ROOT / "tests/golden/runs/gene_disease")
    encoder = write_encoder(tmp_path / "encoder")
    short = ["--max_steps=1", "--report_to=none", "--use_cpu"]
    run(tmp_path, [sys.executable, "recipes/text_classification.py", f"--model_name_or_path={encoder}", *short])
    commands = [
        line for block in re.findall(r"```bash\n(.*?)```", PAGE, flags=re.DOTALL) for line in block.splitlines()
    ]
    assert len(commands) == 3
    monkeypatch.chdir(tmp_path)
    for command in commands:  # in this process: what exports takes long to import
        program, *words = shlex.split(command)
        result = CliRunner().invoke(app, words)
        assert (program, result.exit_code) == ("bioft", 0), result.output
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    (tmp_path / "snippet.py").write_text(f"{code}\nassert abs(float(probabilities.sum()) - 1) < 1e-4\n")
    run(tmp_path, [sys.executable, "snippet.py"])
    recorded = runs.read(tmp_path / "runs/sft_gda/default")["base_model"]["dtype"]
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype="auto")
    assert merged.dtype == getattr(torch, recorded), "the type of the base model"
    assert (tmp_path / "onnx-int8" / "model.onnx").stat().st_size < (tmp_path / "onnx" / "model.onnx").stat().st_size
