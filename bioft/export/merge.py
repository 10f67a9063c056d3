"""The adapter of a finished run merged into its base model, and checked to compute the same as the two apart."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from transformers import AutoModelForMaskedLM, AutoTokenizer

from bioft import task as tasks
from bioft.cards import words
from bioft.errors import BioftError
from bioft.export import parity as derived_models
from bioft.export.parity import ADAPTER
from bioft.models import base as models
from bioft.storage import files as new_outputs, runs
from bioft.tasks.entities import predict as entity_prediction
from bioft.tasks.gene_disease.prompts import PairPrompts
from bioft.tasks.relations import predict as relation_prediction
from bioft.tasks.retrieval import encoder as contrastive
from bioft.tasks.text_labels import models as text_models

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
# SmolLM2-135M from NF4 differed by 0.013 in bfloat16 and by 0.0024 in float16 (the worst of 30 test pairs).
TOLERANCE = {"float32": 0.001, "bfloat16": 0.05, "float16": 0.01}
"""How far the outputs of the merged model may be from those of adapter and base, in standard deviations of these."""
MAX_TOKENS, KEPT_POSITIONS = 128, 16
"""Tokens of an example that are read, and its last positions whose outputs are compared."""


@dataclass(frozen=True)
class Merged:
    """A merged model on disk, and how far it is from adapter and base.

    `drift` is by how much the outputs (logits, or the activations of a text encoder) differ on the worst of `examples`
    test examples: the root mean square, in standard deviations of the outputs. `tolerance` is what is allowed for the
    type of the weights.
    """

    directory: Path
    dtype: str
    dequantized: bool
    examples: int
    drift: float
    tolerance: float


@dataclass(frozen=True)
class _Loaded:
    """Adapter and base; `tokens` reads examples, `save` writes the merged model to a folder."""

    model: Any
    tokens: Callable[[Any], list[list[int]]]
    save: Callable[[Any, Path], None]


def merge(run: str | Path, output: Path, *, dtype: str | None = None, dataset_path: Path | None = None) -> Merged:
    """Merge the adapter of a finished run into its base model, and save the whole as safetensors with its tokenizer.

    A base that the adapter was trained on in 4 bits is dequantised first: the adapter fits these weights, not the
    original ones. On a CPU everything is computed in float32, whatever the type that is saved.

    Args:
        run: a run directory, or `user/name` on the Hub.
        output: a new folder.
        dtype: of the saved weights: float32, bfloat16 or float16; by default what is fast here.
        dataset_path: the data, if they are elsewhere now (see `recorded_configuration`): the test examples are read.

    Raises:
        BioftError: no finished run, one without an adapter, files changed since, a base model or data that are missing
            or not the recorded ones, a folder that holds something, or a merged model that computes something else.
            Nothing is left behind then.
    """
    if dtype is not None and dtype not in DTYPES:
        raise BioftError(f"{dtype!r} is no type to save weights in. Give {', '.join(DTYPES)}.")
    new_outputs.check_new(output)
    directory, record = derived_models.open_run(run)
    if ADAPTER not in record["files"]:
        raise BioftError(
            f"The run in {directory} has no adapter: its model was trained whole, and can be used as it is."
        )
    if record["recipe"] not in LOADERS:
        raise BioftError(f"Runs of {record['recipe']!r} can't be merged. Those of {', '.join(LOADERS)} can.")
    saved = DTYPES[dtype] if dtype else models.compute_dtype()
    computed = saved if torch.cuda.is_available() else torch.float32
    examples = derived_models.test_examples(directory, record, dataset_path)

    loaded = LOADERS[record["recipe"]](directory, record, computed)
    inputs = loaded.tokens(examples)
    before = _outputs(loaded.model.to(computed), inputs)
    try:
        whole = loaded.model.merge_and_unload(safe_merge=True).to(saved)
    except ValueError as error:
        raise BioftError(f"The adapter of {directory} can't be merged: {error}.") from error
    with new_outputs.new_folder(output) as partial:
        loaded.save(whole, partial)
        # What was written is read again: this is the model that others get.
        again = type(whole).from_pretrained(partial, dtype=computed).to(models.local_device())
        name = str(saved).removeprefix("torch.")
        drift = derived_models.drift(before, _outputs(again, inputs))
        dequantized = record["base_model"]["quantization"] is not None
        merged = Merged(output, name, dequantized, len(inputs), drift, TOLERANCE[name])
        if not drift <= merged.tolerance:  # also where it is not a number
            raise BioftError(
                f"The merged model computes something else than adapter and base: on the worst "
                f"of {len(inputs)} test examples the outputs differ by {drift:.2g} of their standard deviation; "
                f"{merged.tolerance:g} is allowed in {name}. It was not saved."
            )
        (partial / runs.CARD).write_text(_card(directory, record, merged), encoding="utf-8")
    return merged


@torch.inference_mode()
def _outputs(model: Any, inputs: Sequence[list[int]]) -> list[np.ndarray]:
    """The first output of a model (logits, or the last hidden state) for each input, flat and in float32."""
    model.eval()
    values = []
    for ids in inputs:
        output = model(input_ids=torch.tensor([ids], device=model.device))[0][0]
        values.append((output[-KEPT_POSITIONS:] if output.ndim == 2 else output).float().cpu().numpy().ravel())
    return values


def _load_gene_disease(directory: Path, record: dict[str, Any], dtype: torch.dtype) -> _Loaded:
    recorded = record["base_model"]
    quantization = models.nf4(dtype) if recorded["quantization"] == "nf4" else None
    if recorded["quantization"] == "nf4" and quantization is None:
        raise BioftError("This run was trained on a 4-bit base model: install bitsandbytes to merge it.")
    base, _ = models.load_causal_lm(models.resolve_recorded(recorded), quantization, dtype)
    if quantization is not None:
        base = base.dequantize(dtype)
    tokenizer = AutoTokenizer.from_pretrained(directory)
    prompts = PairPrompts(record["scoring"]["prompt_style"], tokenizer)
    model = PeftModel.from_pretrained(base.to(models.local_device()), str(directory))
    return _Loaded(model, lambda rows: prompts.token_ids(list(rows["gene"]), list(rows["disease"])), _saver(tokenizer))


def _load_encoder(directory: Path, record: dict[str, Any], dtype: torch.dtype) -> _Loaded:
    model: Any
    if record["recipe"] == "mlm":
        model, tokenizer = models.load_trained_encoder(directory, record["base_model"], AutoModelForMaskedLM)
        model = model.to(models.local_device())
    else:
        kind = {
            "token_classification": entity_prediction,
            "sequence_classification": relation_prediction,
            "text_classification": text_models,
        }
        model, tokenizer, *_ = kind[record["recipe"]].load_run(directory)
    return _Loaded(model, lambda rows: _tokens(tokenizer, rows["text"][:]), _saver(tokenizer))


def _load_sentence_encoder(directory: Path, record: dict[str, Any], dtype: torch.dtype) -> _Loaded:
    model, _ = contrastive.load_run(directory)

    def tokens(rows: Any) -> list[list[int]]:
        column = next(name for name in ("anchor", "sentence1", "text") if name in rows.column_names)
        return _tokens(model.tokenizer, rows[column][:])

    def save(whole: Any, folder: Path) -> None:
        model[0].model = whole
        model.save(str(folder), create_model_card=False)

    return _Loaded(model[0].model, tokens, save)


def _tokens(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    return tokenizer(texts, truncation=True, max_length=min(MAX_TOKENS, tokenizer.model_max_length))["input_ids"]


def _saver(tokenizer: Any) -> Callable[[Any, Path], None]:
    def save(whole: Any, folder: Path) -> None:
        whole.save_pretrained(folder)
        tokenizer.save_pretrained(folder)

    return save


LOADERS: dict[str, Callable[[Path, dict[str, Any], torch.dtype], _Loaded]] = {
    "sft_gda": _load_gene_disease,
    "mlm": _load_encoder,
    "token_classification": _load_encoder,
    "sequence_classification": _load_encoder,
    "text_classification": _load_encoder,
    "contrastive": _load_sentence_encoder,
}
"""How adapter and base of each recipe that trains adapters are loaded."""


def _card(directory: Path, record: dict[str, Any], merged: Merged) -> str:
    """The model card: what was merged into what, and how far it is from the two apart."""
    task, base = tasks.find(record, pulled=False), words.without_local_paths(record)["base_model"]
    metadata = derived_models.card_metadata(record, task.library or "transformers", "finetune", "merged")
    dequantized = (
        "\nThe adapter was trained on the base model in 4 bits (NF4). It was merged into those weights, dequantised: "
        "they are not equal to the base model's own.\n"
        if merged.dequantized
        else ""
    )
    head = ""
    if (record.get("classifier") or {}).get("head") == "two_layer":
        head = (
            "\nIts head has two layers, which Transformers has no class for: `classifier_class` of bioft makes it.\n"
        )
    return f"""---
{metadata}
---

# {base["id"]} with the adapter of {record["name"]} merged into it

For {task.title}. The weights are in {merged.dtype}.

{derived_models.sources(directory, record)}
{dequantized}{head}
On the worst of {merged.examples} test examples of the run the outputs of this model differ from those of adapter and
base by {merged.drift:.2g} of their standard deviation (root mean square; {merged.tolerance:g} is allowed). What was
measured on the test split, the limits of the model and how to ask it stand on the card of the run.

{task.purpose} {tasks.NOT_FOR_PATIENTS}
"""
