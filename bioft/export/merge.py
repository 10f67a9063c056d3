"""The adapter of a finished run merged into its base model, and checked to compute the same as the two apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bioft import task as tasks
from bioft.cards import words
from bioft.cards.model import how_to_use
from bioft.errors import BioftError
from bioft.export import parity as derived_models
from bioft.export.parity import ADAPTER
from bioft.hub.pull import open_run, task_of
from bioft.models import base as models
from bioft.storage import files, runs
from bioft.tasks.exported import ForMerge

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
# SmolLM2-135M from NF4 differed by 0.013 in bfloat16 and by 0.0024 in float16 (the worst of 30 test pairs).
TOLERANCE = {"float32": 0.001, "bfloat16": 0.05, "float16": 0.01}
"""How far the outputs of the merged model may be from those of adapter and base, in standard deviations of these."""
KEPT_POSITIONS = 16
"""The last positions of an example whose outputs are compared."""


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


def merge(run: str | Path, output: Path, *, dtype: str | None = None, dataset_path: Path | None = None) -> Merged:
    """Merge the adapter of a finished run into its base model, and save the whole as safetensors with its tokenizer.

    `export.json` beside it says what it came from, with checksums.

    A base that the adapter was trained on in 4 bits is dequantised first: the adapter fits these weights, not the
    original ones. On a CPU everything is computed in float32, whatever the type that is saved: `dtype`, by default
    that of the run's base model. `dataset_path` are the data, if they are elsewhere now (see `recorded_data`).

    BioftError: no finished run, one without an adapter, files changed since, a base model or data that are missing or
    not the recorded ones, a folder that holds something, or a merged model that computes something else. Nothing is
    left behind then.
    """
    if dtype is not None and dtype not in DTYPES:
        raise BioftError(f"{dtype!r} is no type to save weights in. Give {', '.join(DTYPES)}.")
    files.check_new(output)
    directory, record = open_run(run)
    if ADAPTER not in record["files"]:
        raise BioftError(
            f"The run in {directory} has no adapter: its model was trained whole, and can be used as it is."
        )
    task = task_of(directory, record)
    for_merge = tasks.function(task, "export", "for_merge", "can be merged")
    saved = DTYPES.get(dtype or record["base_model"]["dtype"]) or models.compute_dtype()
    computed = saved if torch.cuda.is_available() else torch.float32
    examples = derived_models.test_examples(directory, record, dataset_path)

    loaded: ForMerge = for_merge(directory, record, computed)
    inputs = loaded.tokens(examples)
    before = _outputs(loaded.model.to(computed), inputs)
    try:
        whole = loaded.model.merge_and_unload(safe_merge=True).to(saved)
    except ValueError as error:
        raise BioftError(f"The adapter of {directory} can't be merged: {error}.") from error
    with files.new_folder(output) as partial:
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
        title = f"{words.without_local_paths(record)['base_model']['id']} with the adapter of {record['name']} merged"
        kinds = (task.library or "transformers", "finetune", "merged")
        about = {"merged": merged, "usage": how_to_use(record, task, ".", adapter=False, dtype=name)}
        card = derived_models.card(directory, record, "merged.md.j2", f"{title} into it", kinds, **about)
        (partial / runs.CARD).write_text(card, encoding="utf-8")
        parity = {"examples": merged.examples, "drift": merged.drift, "tolerance": merged.tolerance}
        made = derived_models.describe(record, f"merged, {name}", parity, partial)
        files.write_json(partial / runs.EXPORT, {"bioft": made})
        for weights in partial.glob("*.safetensors"):
            weights.chmod(0o644)  # safetensors makes them private
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
