"""The head on answer positions alone gives TRL's loss, metrics and gradients."""

from pathlib import Path

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTTrainer

from bioft.models.arguments import TrainingArguments
from bioft.models.scoring import use_completion_head
from tests.tiny import ARCHITECTURES, write_model


def first_step(folder: Path, completion_head: bool) -> tuple[dict[str, float], dict[str, torch.Tensor]]:
    """What one training step logs, and the adapter after it."""
    torch.manual_seed(0)
    rows = {
        "prompt": ["GEN1 and Syndrome:", "GEN20 and Syndrome of a long name:"] * 4,
        "completion": [" yes", " no"] * 4,
    }
    arguments = TrainingArguments(
        str(folder / "run"), max_steps=1, use_cpu=True, report_to="none", logging_steps=1, save_strategy="no", seed=1,
        per_device_train_batch_size=4, gradient_accumulation_steps=2, learning_rate=0.01, max_grad_norm=0.5,
    )  # fmt: skip
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(folder),
        args=arguments,
        train_dataset=Dataset.from_dict(rows),
        processing_class=AutoTokenizer.from_pretrained(folder),
        peft_config=LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False),
    )
    called = []
    if completion_head:
        use_completion_head(trainer)
        head = trainer.model.get_output_embeddings()
        head.register_forward_hook(lambda _module, _inputs, output: called.append(output.shape[0]))
    trainer.train()
    if completion_head:
        assert called and all(rows == 8 for rows in called), "two answer tokens of each of four examples"
    logged = {k: v for k, v in trainer.state.log_history[0].items() if k in {"loss", "grad_norm", "entropy"}}
    logged["accuracy"] = trainer.state.log_history[0]["mean_token_accuracy"]
    return logged, {n: p.detach() for n, p in trainer.model.named_parameters() if p.requires_grad}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_one_step_is_the_same_with_and_without(architecture: str, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", architecture)
    usual_log, usual_adapter = first_step(folder, completion_head=False)
    log, adapter = first_step(folder, completion_head=True)
    assert log == pytest.approx(usual_log, rel=1e-4)
    assert usual_adapter.keys() == adapter.keys()
    for name, weight in usual_adapter.items():
        torch.testing.assert_close(adapter[name], weight, atol=2e-5, rtol=1e-3)
