"""The floating-point type that encoders are trained and asked in: bfloat16 where the hardware multiplies it.

Training keeps weights in float32 and multiplies in bfloat16 (autocast). What predicts has its weights in bfloat16,
also in a recipe, so that `bioft verify` can make the very same figures again. Without such hardware, or on request,
all is float32, and rankings always are (`retrieval.encoder.ContrastiveTrainingArguments`); an index is not. Language
models have a rule of their own (`base.compute_dtype`).
"""

import copy
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from bioft.errors import BioftError

logger = logging.getLogger(__name__)

AUTO = "auto"
NAMES = (AUTO, "bfloat16", "float32")
"""What an encoder may be asked for."""
RECORDED = ("bfloat16", "float16", "float32")
LEVELS_WITHOUT = ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI")
"""Values of ONEDNN_MAX_CPU_ISA that leave no products in bfloat16: oneDNN, CPU Dispatcher Control."""
SLOWER = "It works, but a product takes many times as long as in float32"
_preferred: str | None = None


def multiplies_bfloat16(*, on_gpu: bool | None = None) -> bool:
    """Whether the GPU (by default, if there is one) or the processor has instructions for products in bfloat16.

    A processor without them computes such a product many times slower than one in float32. Nor has one whose
    instructions the user keeps from the library with ONEDNN_MAX_CPU_ISA (the levels that oneDNN documents).
    """
    if torch.cuda.is_available() if on_gpu is None else on_gpu:
        return torch.cuda.is_bf16_supported()
    if os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper() in LEVELS_WITHOUT:
        return False
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def check_name(name: str) -> None:
    """Refuse a type that there is not: ValueError, as the dataclasses of a command line raise it."""
    if name not in NAMES:
        raise ValueError(f"dtype is {', '.join(NAMES[:-1])} or {NAMES[-1]}, not {name!r}")


def choose(name: str = AUTO, *, on_gpu: bool | None = None) -> torch.dtype:
    """The type of this name; `auto` is the fast one here. What the hardware lacks is said, with what it costs."""
    check_name(name)
    say_cost(name, on_gpu=on_gpu)
    is_lower = name == "bfloat16" or (name == AUTO and multiplies_bfloat16(on_gpu=on_gpu))
    return torch.bfloat16 if is_lower else torch.float32


def say_cost(name: str, *, on_gpu: bool | None = None) -> None:
    """Say of a type that the hardware lacks what it costs."""
    if name == "bfloat16" and not multiplies_bfloat16(on_gpu=on_gpu):
        logger.warning(
            "The hardware here does not multiply bfloat16. %s; --dtype float32, where it can be given, is better.",
            SLOWER,
        )


def checked(values: np.ndarray, model: Any) -> np.ndarray:
    """What a model gave; BioftError: a value is no number (NaN), as where a type overflows."""
    if np.isnan(values).any():
        name = str(next(its.dtype for its in model.parameters() if its.is_floating_point())).removeprefix("torch.")
        mend = "Give --dtype float32, which is slower and more exact."
        if name == "float32":
            mend = "Its weights are damaged, or its training went wrong: train it again with a lower --learning_rate."
        raise BioftError(f"The model gives what is no number (NaN), computed in {name}. {mend}")
    return values


def prefer(name: str | None) -> None:
    """Let this process ask runs and base models in this type, whatever their records say; None: as they say."""
    global _preferred
    if name is not None:
        check_name(name)
    _preferred = name


def preferred() -> str | None:
    """The name of the type that `prefer` was given."""
    return _preferred


def of_index() -> torch.dtype:
    """The type in which texts are encoded for an index, for which no figures were made."""
    return choose(_preferred or AUTO)


def evaluated_in(record: Mapping[str, Any]) -> str:
    """The name of the type that a run was evaluated in; records of before there was a choice are of float32.

    BioftError: a type that there is not.
    """
    name = (record.get("precision") or {}).get("evaluation") or record["base_model"].get("dtype") or "float32"
    if name not in RECORDED:
        raise BioftError(f"The record says that the run was evaluated in {name!r}; there are {', '.join(RECORDED)}.")
    return str(name)


def of_run(record: Mapping[str, Any]) -> torch.dtype:
    """The type in which the encoder of a run is asked: that of its figures and thresholds, if the hardware has it."""
    if _preferred is not None:
        return choose(_preferred)
    if evaluated_in(record) != "bfloat16":
        return torch.float32
    if not multiplies_bfloat16():
        logger.info("The run was evaluated in bfloat16, which the hardware here does not multiply: it uses float32.")
        return torch.float32
    return torch.bfloat16


def record_of(training_args: Any) -> dict[str, Any]:
    """What a record says of the types that an encoder is trained and evaluated in; nothing for a language model."""
    if not hasattr(training_args, "dtype"):
        return {}
    mixed = "bfloat16" if training_args.bf16 else "float16" if training_args.fp16 else "float32"
    return {"precision": {"training": mixed, "evaluation": training_args.evaluated_in}}


def is_lower(trainer: Any) -> bool:
    """Whether a training multiplies in less than float32."""
    args = trainer.args
    return bool(args.bf16 or args.fp16 or any(its.dtype != torch.float32 for its in trainer.model.parameters()))


@contextmanager
def trained(trainer: Any) -> Iterator[None]:
    """Compute attention as `bioft.models.attention` does in a training in bfloat16 on a processor, and only there.

    The gradient of PyTorch's own attention takes longer, and that of Transformers' more memory. Models that read from
    left to right take that of Transformers.
    """
    from transformers import PreTrainedModel

    from bioft.models import attention

    changed: list[tuple[Any, str]] = []
    if trainer.args.bf16 and trainer.args.device.type == "cpu":
        for module in trainer.model.modules():
            if isinstance(module, PreTrainedModel) and module.config._attn_implementation == "sdpa":
                changed.append((module, "sdpa"))
                causal = any(getattr(part, "is_causal", False) for part in module.modules())
                module.config._attn_implementation = "eager" if causal else attention.NAME
    try:
        yield
    finally:
        for module, usual in changed:
            module.config._attn_implementation = usual


def lowered(model: Any, dtype: torch.dtype | str) -> Any:
    """A copy of a model that predicts with weights in `dtype`; the model itself, if there is nothing to change.

    After a training in mixed precision the trainer's model still multiplies in it: the copy no longer does.
    """
    from accelerate.utils import extract_model_from_parallel
    from sentence_transformers import SentenceTransformer

    dtype = getattr(torch, dtype) if isinstance(dtype, str) else dtype
    if dtype == torch.float32 and not hasattr(model, "_original_forward"):
        return model
    if isinstance(model, SentenceTransformer):  # what else it holds, such as its trainer, is no part of the copy
        copied = SentenceTransformer(modules=[copy.deepcopy(module) for module in model], device=str(model.device))
    else:
        copied = extract_model_from_parallel(copy.deepcopy(model), keep_fp32_wrapper=False)
    return copied.to(dtype).eval()
