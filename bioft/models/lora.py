"""Adapters and frozen layers: what of a model is trained, and how it is saved."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from bioft.errors import BioftError
from bioft.models.embedded import BaseModel
from bioft.storage.environment import is_sharded

if TYPE_CHECKING:
    from peft import LoraConfig
    from trl import ModelConfig

CLASSIFIER_HEADS = ("classifier", "score")


def lora_config(
    model: Any, model_args: "ModelConfig", task_type: str | None = "CAUSAL_LM", heads: Sequence[str] = ()
) -> "LoraConfig":
    """The LoRA configuration of TRL's model arguments, checked against this architecture.

    Args:
        task_type: of PEFT; None for a model class of one's own.
        heads: names of modules that are new with the task: trained whole and saved with the adapter. `classifier`
            and `score` are for `TOKEN_CLS` and `SEQ_CLS`.

    Raises:
        BioftError: a target module that does not exist here, with the names that do. PEFT itself complains
            only when *none* fits, so that one wrong name would be left untrained.
    """
    from peft import LoraConfig
    from transformers.pytorch_utils import Conv1D

    targets = model_args.lora_target_modules or "all-linear"
    if targets in ("all-linear", ["all-linear"]):
        names: str | list[str] = "all-linear"
    else:
        names = [targets] if isinstance(targets, str) else list(targets)
        # Linear4bit is a torch.nn.Linear too.
        modules = model.named_modules()
        linear = {name.rsplit(".", 1)[-1] for name, its in modules if isinstance(its, torch.nn.Linear | Conv1D)}
        if missing := [name for name in names if name not in linear]:
            raise BioftError(
                f"lora_target_modules: {', '.join(missing)} not in {type(model).__name__}. "
                f"Its linear layers: {', '.join(sorted(linear - {'lm_head'}))}."
            )
    heads = [*heads, *(CLASSIFIER_HEADS if task_type in ("TOKEN_CLS", "SEQ_CLS") else ())]
    return LoraConfig(
        r=model_args.lora_r,
        lora_alpha=model_args.lora_alpha,
        lora_dropout=model_args.lora_dropout,
        use_rslora=model_args.use_rslora,
        use_dora=model_args.use_dora,
        target_modules=names,
        # PEFT cannot train a head whole that "all-linear" gave an adapter.
        exclude_modules=rf"(.*\.)?({'|'.join(heads)})(\..*)?" if heads else None,
        modules_to_save=[*heads, *(model_args.lora_modules_to_save or [])] or None,
        task_type=task_type,
    )


def freeze_lower_layers(model: Any, trained_layers: int) -> None:
    """Leave the embeddings and all but the last `trained_layers` layers of an encoder as they are.

    Below a head 0 leaves the whole encoder; an encoder without one would then have nothing to train.

    Nothing is computed for what is below the lowest trained layer on the way back: with half of six layers frozen,
    training MiniLM on a CPU took 0.6 times as long. BioftError: the encoder has fewer layers, or nothing would be
    trained.
    """
    stacks = [module for module in model.base_model.modules() if isinstance(module, torch.nn.ModuleList)]
    layers = max(stacks, key=len, default=torch.nn.ModuleList())
    fewest = 1 if model.base_model is model else 0
    if not fewest <= trained_layers <= len(layers):
        raise BioftError(f"trained_layers is {trained_layers}; {type(model).__name__} has {len(layers)} layers.")
    kept = {id(parameter) for layer in layers[len(layers) - trained_layers :] for parameter in layer.parameters()}
    for name, parameter in model.base_model.named_parameters():
        if id(parameter) not in kept and not name.startswith("pooler"):
            parameter.requires_grad_(False)


def keep_adapter_in_float32(model: Any) -> None:
    """Undo TRL's cast of the trained weights of a quantized model to bfloat16.

    With 8 bits of mantissa small updates are lost.
    """
    if is_sharded():
        return  # a sharded group of parameters must be of one type
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def parameter_counts(model: Any) -> tuple[int, int]:
    """How many parameters are trained, and how many there are, with those that are packed in 4 bits counted whole."""
    from peft import PeftModel

    if isinstance(model, PeftModel):
        return model.get_nb_trainable_parameters()
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    return sum(size for size, trained in sizes if trained), sum(size for size, _ in sizes)


def save_adapter(model: Any, tokenizer: Any, base: BaseModel, directory: Path) -> None:
    """Save adapter (safetensors) and tokenizer; `adapter_config.json` names the base by its Hub id and commit."""
    config = model.peft_config["default"]
    config.base_model_name_or_path, config.revision = base.id, base.revision
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    # PEFT's card says nothing about this run.
    (directory / "README.md").unlink(missing_ok=True)
