"""The check of the presets on a GPU: that it works, on small models, and what it says where there is no GPU."""

import io
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from bioft.storage import yaml_config
from bioft.training import presets
from tests import warm_process
from tests.gpu import check
from tests.tiny import ARCHITECTURES, PRESETS

SCRIPT = Path(check.__file__)


def test_the_check_runs_on_small_models_and_fails_where_a_figure_is_not_reached(
    part_of_hpo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Training, a kill, resumption, reloading, bare TRL, `generate()` and each kind of attention: a row of each.

    The recipe has processes of its own, and the check has this one, where the libraries are imported already.
    """

    def run(words: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        if "--one" not in words:
            return subprocess.CompletedProcess(words, *warm_process.run(check.ROOT, words))
        with redirect_stdout(io.StringIO()) as shown:
            ask(*words[2:])
        return subprocess.CompletedProcess(words, 0, shown.getvalue())

    def ask(*words: str) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", [str(SCRIPT), *words])
            check.main()

    monkeypatch.setattr(check, "subprocess", SimpleNamespace(**vars(subprocess) | {"run": run}))
    ask("--tiny", "--presets", "mistral_7b")
    shown = capsys.readouterr().out
    rows = [line.split(" | ") for line in shown.splitlines() if line.startswith("| mistral_7b")]
    # How fast one way is beside another says here how busy the machine is.
    assert len(rows) == 10 and all(row[5] == "yes" for row in rows if "against" not in row[0]), shown
    said = {row[0].split(": ", 1)[1]: row[1] for row in rows}
    assert said["goes on from a checkpoint after a kill at step 4"] == "step 3"
    assert float(said["the adapter loaded again, largest difference of a score"]) < 0.005
    import run as benchmarks

    worse = {"measured": "loss", "ratio": 1.0, "must reach": "<= 0.97"}
    assert benchmarks.as_kept([worse])["loss"]["reached"] == "no"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_one_sentence_says_so() -> None:
    ran = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, cwd=check.ROOT)
    assert ran.returncode == 1 and ran.stderr.strip().splitlines()[-1] == (
        "There is no GPU that PyTorch sees. --tiny tries the check itself on small models."
    )


@pytest.mark.parametrize(("preset", "billions"), [("llama3_8b", 8.03), ("mistral_7b", 7.25), ("phi3_mini", 3.82)])
def test_sizes_are_those_of_the_models(preset: str, billions: float) -> None:
    """As many parameters as the models' pages say, and the layers that the preset adapts."""
    config_type, _ = ARCHITECTURES[PRESETS[preset]]
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config_type(**check.FULL[preset], pad_token_id=0))
    assert sum(each.numel() for each in model.parameters()) / 1e9 == pytest.approx(billions, abs=0.006)
    assert model.config.vocab_size >= check.VOCABULARY
    targets = yaml_config.load_config(presets.resolve_config("sft_gda", preset))["lora_target_modules"]
    assert all(any(name.endswith(target) for name, _ in model.named_modules()) for target in targets)
