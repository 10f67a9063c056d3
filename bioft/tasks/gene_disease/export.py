"""A run on gene–disease pairs, as `bioft merge` takes it."""

from pathlib import Path
from typing import Any

from bioft.datasets.hpo import context
from bioft.models import base as models
from bioft.tasks.exported import ForMerge, saver
from bioft.tasks.gene_disease.predict import recorded_prompts


def for_merge(directory: Path, record: dict[str, Any], dtype: Any) -> ForMerge:
    """The adapter on its base, weights in 4 bits dequantised; BioftError where these lack bitsandbytes."""
    base, _ = models.load_recorded_causal_lm(record["base_model"], dtype, "merge")
    if record["base_model"]["quantization"] == "nf4":
        base = base.dequantize(dtype)
    tokenizer = models.load_tokenizer(directory)
    prompts = recorded_prompts(directory, record, tokenizer)
    model = models.load_adapter(base, directory)

    def save(whole: Any, folder: Path) -> None:
        saver(tokenizer)(whole, folder)
        context.write(folder, prompts.context)

    return ForMerge(model, lambda rows: prompts.token_ids(list(rows["gene"]), list(rows["disease"])), save)
