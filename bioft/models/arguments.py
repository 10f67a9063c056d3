"""Options of recipes that are the same for every task: the run, the base model, the training."""

from dataclasses import dataclass, field
from typing import Any

import torch
import transformers
from trl import ModelConfig, SFTConfig

from bioft.models import argument, precision


@dataclass
class RecipeArguments:
    """What a recipe does around the training itself."""

    dry_run: bool = argument(
        False, "Check the configuration and the data, show two examples, estimate; train nothing."
    )
    overwrite: bool = argument(False, "Replace a run that output_dir holds already.")
    push_to_hub: str | None = argument(
        None, "user/name of a model repository: push the run there at its end, as private."
    )
    seeds: str | None = argument(
        None,
        "Train once for each of these seeds, such as 1,2,3, each into a folder of output_dir, and report "
        "mean and interval over them. On the command line only.",
    )
    split_seeds: str | None = argument(
        None,
        "The same for seeds of the splits, such as 0,1,2, each with all of --seeds: how far the figures "
        "depend on which examples are tested. On the command line only.",
    )


@dataclass
class ModelArguments(ModelConfig):
    """TRL's arguments of the model, but for those that no recipe reads: an option that changes nothing is none."""

    lora_target_parameters: list[str] | None = field(default=None, init=False)
    lora_task_type: str = field(default="CAUSAL_LM", init=False)
    load_in_8bit: bool = field(default=False, init=False)
    bnb_4bit_quant_type: str = field(default="nf4", init=False)
    use_bnb_nested_quant: bool = field(default=True, init=False)
    bnb_4bit_quant_storage: str | None = field(default=None, init=False)


@dataclass
class EncoderModelArguments(ModelArguments):
    """The same for an encoder, whose weights are loaded in float32; `EncoderPrecision` says what it computes in."""

    dtype: str = field(default="float32", init=False)
    attn_implementation: str | None = field(default=None, init=False)
    load_in_4bit: bool = field(default=False, init=False)


@dataclass
class LanguageModelArguments(ModelArguments):
    """The same for a language model, which always gets an adapter; the type of its weights is chosen by hardware."""

    use_peft: bool = field(default=True, init=False)
    dtype: str = argument(
        "auto",
        "Type of the weights that are not in 4 bits, and of products; auto is bfloat16 where the hardware "
        "multiplies it, else float32 (float16 on an older GPU).",
    )

    def __post_init__(self) -> None:
        """Refuse a type that there is not."""
        if self.dtype not in ("auto", "bfloat16", "float16", "float32"):
            raise ValueError(f"dtype is auto, bfloat16, float16 or float32, not {self.dtype!r}")
        super().__post_init__()


@dataclass
class MixedPrecision:
    """Mixed precision by hardware: bfloat16 on GPUs that have it, else float16 there, and none on a CPU."""

    bf16: bool | None = argument(None, "bfloat16 mixed precision; by default if the GPU has it.")
    fp16: bool = argument(False, "float16 mixed precision, for GPUs without bfloat16.")
    # The trainer's own push would send its state and another card: `RecipeArguments.push_to_hub` pushes the run.
    push_to_hub: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        """Choose the precision where the user did not, before the trainer's own arguments check it."""
        trainer: Any = self  # whatever inherits is the arguments of a trainer too
        on_gpu = torch.cuda.is_available() and not trainer.use_cpu
        if self.bf16 is None and not self.fp16:
            self.bf16 = on_gpu and torch.cuda.is_bf16_supported()
            self.fp16 = on_gpu and not self.bf16
        super().__post_init__()  # type: ignore[misc]


@dataclass
class EncoderPrecision(MixedPrecision):
    """The type that an encoder computes in, by hardware: mixed precision in training, weights in it for evaluation."""

    dtype: str = argument(
        precision.AUTO,
        "Type of products in training, and of the weights in evaluation: auto is bfloat16 where the "
        "hardware multiplies it, else float32.",
    )

    @property
    def evaluated_in(self) -> str:
        """The type of the weights that figures are made with."""
        return self.dtype

    def __post_init__(self) -> None:
        """Choose the types, which the run's configuration then names."""
        trainer: Any = self
        precision.check_name(self.dtype)
        on_gpu = torch.cuda.is_available() and not trainer.use_cpu
        by_hardware = self.dtype == precision.AUTO
        if by_hardware and self.bf16 is False:
            self.dtype = "float32"
        self.dtype = str(precision.choose(self.dtype, on_gpu=on_gpu)).removeprefix("torch.")
        if self.bf16 is None and not self.fp16 and not (by_hardware and on_gpu):
            self.bf16 = self.dtype == "bfloat16"
        # Transformers takes bfloat16 on a processor only where that is asked for; a configuration must not say so.
        asked, trainer.use_cpu = trainer.use_cpu, trainer.use_cpu or (self.bf16 and not on_gpu)
        super().__post_init__()
        trainer.use_cpu = asked


@dataclass
class TrainingArguments(MixedPrecision, SFTConfig):
    """TRL's arguments, with mixed precision by hardware.

    TRL asks for bfloat16 everywhere, which fails on processors without it. On a CPU the weights themselves are loaded
    in the type that is fast there (`LanguageModelArguments.dtype`).
    """


@dataclass
class EncoderTrainingArguments(EncoderPrecision, transformers.TrainingArguments):
    """The arguments of Transformers' trainer, with the type that an encoder computes in."""
