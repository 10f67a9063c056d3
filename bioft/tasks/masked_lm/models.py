"""Masked language models: loaded, with a new head where the checkpoint has none, and their encoder for other tasks."""

import hashlib
import logging
import types
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoModel, AutoModelForMaskedLM
from transformers.modeling_outputs import MaskedLMOutput

from bioft.errors import BioftError
from bioft.models import base as models, embedded
from bioft.storage import files as storage_files, runs
from bioft.tasks.entities.windows import longest_input
from bioft.tasks.masked_lm import TASK

logger = logging.getLogger(__name__)

HEADS = ("cls", "lm_head")
"""The names of heads that make logits of hidden states in one call: BERT's and RoBERTa's."""


def load_masked_lm(base: embedded.BaseModel, block_length: int) -> tuple[Any, Any, list[str]]:
    """Load a masked language model and its tokenizer; the third value names the modules of the head that are new.

    A checkpoint without a head (a plain encoder, such as a sentence encoder) gets one: a random transformation, whose
    result is scored against the encoder's own word embeddings. Seed the random numbers before. BioftError: as
    `models.load_encoder`; no mask token; a model that does not read `block_length` tokens at once.
    """
    model, tokenizer, loading = models.load_with_info(base, AutoModelForMaskedLM)
    if tokenizer.mask_token is None:
        raise BioftError(f"{base.id} has no mask token, so it is no masked language model. Choose an encoder.")
    if block_length > (limit := longest_input(tokenizer, model)):
        raise BioftError(f"block_length is {block_length}; this model reads at most {limit} tokens at once.")
    modules = dict(model.named_modules())
    # The scores of the vocabulary are the word embeddings again: there is nothing new in them.
    tied = model.get_output_embeddings()
    parents = {name.rpartition(".")[0] for name in loading["missing_keys"]}
    new = sorted(name for name in parents if modules[name] is not tied and not list(modules[name].children()))
    if new:
        logger.info("%s has no head for masked tokens: a new one, tied to its embeddings, is trained.", base.id)
    return model, tokenizer, new


def load_adapted_encoder(run: str | Path) -> embedded.BaseModel:
    """The encoder of a finished run of `recipes/mlm.py` as a base model for other tasks; an adapter is merged.

    Everything that the run did not train (such as BERT's pooler) is as in the run's own base model. The merged
    encoder is kept in bioft's cache. BioftError: no finished run of that task, changed files, or another base model.
    """
    directory = Path(run)
    record = runs.read_trained(directory, TASK.name)
    base = models.resolve_recorded(record["base_model"])
    weights = sorted((name, digest) for name, digest in record["files"].items() if name.endswith(".safetensors"))
    digest = hashlib.sha256(repr((base.id, base.revision, base.sha256, weights)).encode()).hexdigest()
    folder = storage_files.cache_directory() / "adapted" / digest[:24]
    if not folder.is_dir():
        _write_encoder(directory, record, base, folder)
    source = f"{base.id} ({base.source}), adapted by the run {directory.name} of recipes/mlm.py"
    return embedded.BaseModel(str(directory), str(folder), None, source, base.license, digest)


def _write_encoder(directory: Path, record: dict[str, Any], base: embedded.BaseModel, folder: Path) -> None:
    masked_lm, _ = models.load_trained_encoder(directory, record["base_model"], AutoModelForMaskedLM)
    if isinstance(masked_lm, PeftModel):
        masked_lm = masked_lm.merge_and_unload()
    encoder, _ = models.load_encoder(base, AutoModel)
    _, unexpected = encoder.load_state_dict(masked_lm.base_model.state_dict(), strict=False)
    if unexpected:
        raise BioftError(
            f"The encoder of {directory} does not fit {base.id}: {', '.join(unexpected[:3])} has no place."
        )
    with storage_files.new_folder(folder, existing="keep") as partial:
        encoder.save_pretrained(partial)
        models.load_tokenizer(directory).save_pretrained(partial)


def use_masked_head(model: Any) -> Any:
    """Let a masked language model run its head where there are labels only; returns the model.

    With labels its logits are those of the masked positions, shape (masked tokens, vocabulary), in the order of
    `labels[labels != -100]`; without labels everything stays as it was. The loss is the mean over the masked tokens,
    over `num_items_in_batch` of them where given (steps that accumulate batches of unequal numbers). A model with
    another kind of head computes all logits, and gives the same. Usually the head runs over every token: one in seven
    is predicted, and in a small encoder it costs as much as all layers together.
    """
    masked_lm = model.get_base_model() if hasattr(model, "get_base_model") else model
    head = next((name for name in HEADS if isinstance(getattr(masked_lm, name, None), torch.nn.Module)), None)
    usual_forward = type(masked_lm).forward  # of the class: a copy of the model must call its own

    def forward(self: Any, *args: Any, labels: Any = None, num_items_in_batch: Any = None, **options: Any) -> Any:
        if labels is None:
            return usual_forward(self, *args, **options)
        masked = labels != -100
        if head is None:
            logits = usual_forward(self, *args, **options).logits[masked]
        else:
            logits = getattr(self, head)(self.base_model(*args, **options).last_hidden_state[masked])
        total = torch.nn.functional.cross_entropy(logits.float(), labels[masked], reduction="sum")
        count = masked.sum().clamp(min=1) if num_items_in_batch is None else num_items_in_batch
        return MaskedLMOutput(loss=total / count, logits=logits)

    masked_lm.forward = types.MethodType(forward, masked_lm)
    return model
