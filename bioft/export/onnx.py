"""A finished run of an encoder exported to ONNX, and checked to compute what the run's own model computes."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import PeftModel

from bioft import task as tasks
from bioft.errors import BioftError
from bioft.export import parity as derived_models
from bioft.export.parity import Exported, Parity
from bioft.hub.pull import open_run, task_of
from bioft.models import onnx as onnx_models
from bioft.models.batches import CPU_BATCH_TOKENS, batches_by_length
from bioft.storage import files, runs
from bioft.tasks.exported import ForOnnx, Outputs

# MiniLM in float32 differed by 1e-6; in int8 by 0.08 (entities), 0.18 (labels) and 0.19 (embeddings), with 97.4 %,
# 98.9 % and 95 % of the predictions the same.
TOLERANCE = {"float32": 0.001, "int8": 0.3}
"""How far the outputs of the worst test example may be from the run's, in their standard deviations."""
LEAST_SAME = {"float32": 0.99, "int8": 0.9}
"""The share of predictions on the test examples that must be the same."""


def export(
    run: str | Path, output: Path, *, quantize: str | None = None, dataset_path: Path | None = None
) -> Exported:
    """Export the encoder of a finished run, an adapter merged into its base model, to a folder with `model.onnx`.

    Beside the graph lie configuration, tokenizer, a card, and `export.json`: the exporter's manifest, which
    `transformers.exporters.ExportedModel.from_pretrained` reads, with the figures of the comparison and checksums
    under "bioft".

    The exported graph reads the test examples in padded batches, the run's own model one by one. `quantize` "int8"
    stores the weights of the matrix products in 8 bits; `dataset_path` are the data, if they are elsewhere now (see
    `recorded_data`).

    BioftError: no finished run, one of another recipe, files changed since, a base model or data that are missing or
    not the recorded ones, a folder that holds something, an architecture that can't be exported, or a graph that
    computes something else. Nothing is left behind then.
    """
    if quantize not in (None, "int8"):
        raise BioftError(f"{quantize!r} is no way to quantize here. Give int8, or nothing for float32.")
    onnx_models.check_installed()
    files.check_new(output)
    directory, record = open_run(run)
    for_onnx = tasks.function(
        task_of(directory, record), "export", "for_onnx", "can be exported to ONNX; docs/export.md names other ways"
    )
    loaded: ForOnnx = for_onnx(directory, record, derived_models.test_examples(directory, record, dataset_path))
    if not loaded.inputs:
        raise BioftError("The test split of the run has nothing that its model reads: there is nothing to compare on.")
    model = loaded.model.cpu().float().eval()
    with torch.inference_mode():  # the first output (logits, or the last hidden states) for each input, read alone
        outputs = [model(input_ids=torch.tensor([ids]))[0][0].numpy() for ids in loaded.inputs]
    before = [loaded.pool(values) for values in outputs]
    try:
        whole = model.merge_and_unload(safe_merge=True) if isinstance(model, PeftModel) else model
    except ValueError as error:
        raise BioftError(f"The adapter of {directory} can't be merged: {error}.") from error
    name = quantize or "float32"
    with files.new_folder(output) as partial:
        onnx_models.write(whole, loaded.tokenizer.pad_token_id, partial, int8=quantize == "int8")
        loaded.tokenizer.save_pretrained(partial)
        after = [loaded.pool(values) for values in _onnx_outputs(partial, loaded.tokenizer, loaded.inputs)]
        same = loaded.predictions(before) == loaded.predictions(after)
        parity = Parity.of(before, after, same, TOLERANCE[name], LEAST_SAME[name])
        kinds = ("onnx", "quantized" if quantize else "finetune", "onnx")
        title = f"{record['name']} ({record['recipe']}) in ONNX, {name}"
        about = {"format": name, "parity": parity, "usage": loaded.usage, "graph": onnx_models.GRAPH}
        card = derived_models.card(directory, record, "onnx.md.j2", title, kinds, **about)
        (partial / runs.CARD).write_text(card, encoding="utf-8")
        manifest = json.loads((partial / runs.EXPORT).read_text(encoding="utf-8"))
        manifest["bioft"] = derived_models.describe(record, f"onnx {name}", asdict(parity), partial)
        files.write_json(partial / runs.EXPORT, manifest)
    return Exported(output, f"ONNX, {name}", parity)


def _onnx_outputs(folder: Path, tokenizer: Any, inputs: Sequence[list[int]]) -> Outputs:
    """The first output of a written graph, which reads padded batches; what it gives for padding is left out."""
    session = onnx_models.open_session(folder)
    outputs: Outputs = [np.empty(0)] * len(inputs)
    for batch in batches_by_length([len(ids) for ids in inputs], CPU_BATCH_TOKENS):
        values, _ = onnx_models.run(session, tokenizer, [inputs[index] for index in batch])
        for index, row in zip(batch, values, strict=True):
            outputs[index] = row[: len(inputs[index])] if row.ndim == 2 else row
    return outputs
