"""What a finished run of masked-language-model training makes of masked tokens."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from datasets import Dataset
from transformers import AutoModelForMaskedLM, set_seed

from bioft.models import base as models, precision
from bioft.storage import runs
from bioft.tasks.masked_lm import TASK
from bioft.tasks.masked_lm.evaluate import answer, fixed_questions, with_ids
from bioft.tasks.masked_lm.models import load_masked_lm, use_masked_head


def load(directory: str | Path, dtype: torch.dtype | None = None) -> tuple[Any, Any]:
    """The model of a finished run, and its tokenizer: `dtype` and errors are as of `entities.predict.load`."""
    record = runs.read_trained(directory, TASK.name)
    model, tokenizer = models.load_trained_encoder(Path(directory), record["base_model"], AutoModelForMaskedLM)
    return use_masked_head(model.to(models.local_device(), dtype or precision.of_run(record))), tokenizer


def predict(
    model: tuple[Any, Any], rows: Dataset, record: Mapping[str, Any], progress: str | None = None
) -> pd.DataFrame:
    """The predictions table of texts, which decide what is masked: id and what `evaluate.answer` counts."""
    questions = fixed_questions(rows["text"], model[1], record["masking"]["block_length"])
    return with_ids(answer(*model, questions, progress), rows)


def predict_base(model: Any, dataset: Any, record: Mapping[str, Any], progress: str | None = None) -> pd.DataFrame:
    """The same of the test split by the base model, with the head that the recorded seed gives where it has none."""
    set_seed(record["seed"])
    base = models.resolve_recorded(record["base_model"])
    before, tokenizer, _ = load_masked_lm(base, record["masking"]["block_length"])
    before.to(models.local_device(), precision.of_run(record))
    return predict((use_masked_head(before), tokenizer), dataset["test"], record, progress)
