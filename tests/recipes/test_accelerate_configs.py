"""Every shipped accelerate configuration is one that accelerate reads, and trains two steps where its hardware is."""

import importlib.util
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from accelerate.commands import launch
from accelerate.commands.config.config_args import load_config_from_file

from bioft.storage import runs
from tests import warm_process
from tests.tiny import write_ctd, write_model

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted((ROOT / "recipes" / "configs" / "accelerate").glob("*.yaml"))


def test_the_configurations_of_the_design_are_there() -> None:
    names = {path.stem for path in CONFIGS}
    assert names == {"cpu", "single_gpu", "multi_gpu", "multi_node", "fsdp_qlora", "deepspeed_zero3"}


def warm(command: list[str], env: Mapping[str, str]) -> Any:
    """What Accelerate starts, in a process that has imported the libraries; it has ended."""
    exit_code, output = warm_process.run(ROOT, command, env)
    print(output)
    return SimpleNamespace(wait=lambda: exit_code, returncode=exit_code)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_two_steps_where_the_hardware_is(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_config_from_file(str(path))
    needed = 0 if config.use_cpu else max(1, min(2, config.num_processes))
    if torch.cuda.device_count() < needed:
        pytest.skip(f"{path.stem} needs {needed} GPU(s)")
    if config.num_machines > 1:
        pytest.skip(f"{path.stem} needs {config.num_machines} machines")
    if path.stem.startswith("deepspeed") and importlib.util.find_spec("deepspeed") is None:
        pytest.skip("deepspeed is not installed")
    model, ctd = write_model(tmp_path / "model"), write_ctd(tmp_path / "ctd.csv")
    command = ["--config_file", str(path), "--num_processes", str(max(1, needed))]
    command += [str(ROOT / "recipes" / "sft_gda.py"), "--max_steps=2"]
    command += ["--config=llama3_8b", f"--model_name_or_path={model}", f"--dataset_path={ctd}", "--report_to=none"]
    command += [f"--output_dir={tmp_path / 'run'}", "--validation_size=0.1", "--per_device_train_batch_size=2"]
    monkeypatch.setattr(launch, "subprocess", SimpleNamespace(**vars(subprocess) | {"Popen": warm}))
    launch.launch_command(launch.launch_command_parser().parse_args(command))
    record = runs.read(tmp_path / "run")
    assert record["training"]["steps"] == 2
    assert record["hardware"]["num_processes"] == max(1, needed)
