"""docs/export.md is followed word by word, but for llama.cpp's own commands, on runs of tiny models."""

import re
import shlex
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from bioft.storage import runs
from tests import warm_process
from tests.tiny import write_encoder, write_model

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
SHORT = ["--max_steps=1", "--report_to=none", "--use_cpu"]


def run(folder: Path, words: list[str]) -> None:
    code, shown = warm_process.run(folder, words)
    assert code == 0, shown


@pytest.mark.slow
def test_the_page_gives_models_for_elsewhere(tmp_path: Path) -> None:
    for name in ("recipes", "bioft"):
        (tmp_path / name).symlink_to(ROOT / name)
    small = ["--test_size=0.003", "--validation_size=0.01", "--max_length=512", "--load_in_4bit=false"]
    models = {"sft_gda": write_model(tmp_path / "llama"), "text_classification": write_encoder(tmp_path / "encoder")}
    for recipe, more in {"sft_gda": small, "text_classification": []}.items():
        words = [f"recipes/{recipe}.py", f"--model_name_or_path={models[recipe]}", *SHORT, *more]
        run(tmp_path, [sys.executable, *words])
    commands = [
        line for block in re.findall(r"```bash\n(.*?)```", PAGE, flags=re.DOTALL) for line in block.splitlines()
    ]
    assert len(commands) == 3
    for command in commands:
        words = shlex.split(command)
        run(tmp_path, [str(Path(sys.executable).with_name(words[0])), *words[1:]])
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    (tmp_path / "snippet.py").write_text(f"{code}\nassert abs(float(probabilities.sum()) - 1) < 1e-4\n")
    run(tmp_path, [sys.executable, "snippet.py"])
    recorded = runs.read(tmp_path / "runs/sft_gda/default")["base_model"]["dtype"]
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype="auto")
    assert merged.dtype == getattr(torch, recorded), "the type of the base model"
    assert (tmp_path / "onnx-int8" / "model.onnx").stat().st_size < (tmp_path / "onnx" / "model.onnx").stat().st_size
