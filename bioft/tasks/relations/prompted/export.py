"""A run on relations by a language model, as `bioft merge` takes it."""

from pathlib import Path
from typing import Any

from bioft.models import base as models
from bioft.tasks.exported import MAX_TOKENS, ForMerge, saver
from bioft.tasks.relations import candidates as relations
from bioft.tasks.relations.predict import recorded_arguments
from bioft.tasks.relations.prompted import prompts
from bioft.tasks.relations.prompted.prompts import Prompt


def for_merge(directory: Path, record: dict[str, Any], dtype: Any) -> ForMerge:
    """The adapter on its base, weights in 4 bits dequantised; BioftError where these lack bitsandbytes.

    It reads the end of a text and the first question about it.
    """
    from peft import PeftModel

    base, tokenizer = models.load_recorded_causal_lm(record["base_model"], dtype, "merge")
    if record["base_model"]["quantization"] == "nf4":
        base = base.dequantize(dtype)
    prompt, arguments = Prompt(**record["relations"]["prompt"]), recorded_arguments(record)

    def tokens(rows: Any) -> list[list[int]]:
        found = relations.candidates(rows, arguments)
        asked = prompts.encode(prompt, tokenizer, rows["text"][:], found, arguments)
        return [(its.text + its.questions[0])[-MAX_TOKENS:] for its in asked]

    model = PeftModel.from_pretrained(base, str(directory))
    return ForMerge(model, tokens, saver(tokenizer))
