"""Every shipped accelerate configuration is one that accelerate reads, and trains two steps where its hardware is."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from accelerate.commands.config.config_args import load_config_from_file

from bioft.storage import runs
from tests.tiny import write_ctd, write_model

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted((ROOT / "recipes" / "configs" / "accelerate").glob("*.yaml"))


def test_the_configurations_of_the_design_are_there() -> None:
    names = {path.stem for path in CONFIGS}
    assert names == {"cpu", "single_gpu", "multi_gpu", "multi_node", "fsdp_qlora", "deepspeed_zero3"}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_two_steps_where_the_hardware_is(path: Path, tmp_path: Path) -> None:
    config = load_config_from_file(str(path))
    needed = 0 if config.use_cpu else max(1, min(2, config.num_processes))
    if torch.cuda.device_count() < needed:
        pytest.skip(f"{path.stem} needs {needed} GPU(s)")
    if config.num_machines > 1:
        pytest.skip(f"{path.stem} needs {config.num_machines} machines")
    if path.stem.startswith("deepspeed") and importlib.util.find_spec("deepspeed") is None:
        pytest.skip("deepspeed is not installed")
    model, ctd = write_model(tmp_path / "model"), write_ctd(tmp_path / "ctd.csv")
    command = [str(Path(sys.executable).with_name("accelerate")), "launch", "--config_file", str(path)]
    command += ["--num_processes", str(max(1, needed)), str(ROOT / "recipes" / "sft_gda.py"), "--max_steps=2"]
    command += ["--config=llama3_8b", f"--model_name_or_path={model}", f"--dataset_path={ctd}", "--report_to=none"]
    command += [f"--output_dir={tmp_path / 'run'}", "--validation_size=0.1", "--per_device_train_batch_size=2"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    record = runs.read(tmp_path / "run")
    assert record["training"]["steps"] == 2
    assert record["hardware"]["num_processes"] == max(1, needed)
