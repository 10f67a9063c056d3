"""A masked language model, as `bioft merge` takes it."""

from pathlib import Path
from typing import Any

from transformers import AutoModelForMaskedLM

from bioft.models import base as models
from bioft.tasks.exported import ForMerge


def for_merge(directory: Path, record: dict[str, Any], dtype: Any) -> ForMerge:
    """The adapter on its base; it reads texts."""
    model, tokenizer = models.load_trained_encoder(directory, record["base_model"], AutoModelForMaskedLM)
    return ForMerge.of_encoder(model.to(models.local_device()), tokenizer)
