"""A finished run of an encoder exported to ONNX, and checked to compute what the run's own model computes."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import PeftModel

from bioft import task as tasks
from bioft.errors import BioftError
from bioft.export import parity as derived_models
from bioft.export.parity import Exported, Parity
from bioft.models import onnx as onnx_models
from bioft.models.batches import CPU_BATCH_TOKENS, batches_by_length
from bioft.storage import files as new_outputs, runs
from bioft.tasks.entities import predict as entity_prediction, tagging, windows as entities_windows
from bioft.tasks.relations import candidates as relations, predict as relation_prediction
from bioft.tasks.retrieval import encoder as contrastive
from bioft.tasks.text_labels import classifier as text_classification, models as text_models

# MiniLM in float32 differed by 1e-6; in int8 by 0.08 (entities), 0.18 (labels) and 0.19 (embeddings), with 97.4 %,
# 98.9 % and 95 % of the predictions the same.
TOLERANCE = {"float32": 0.001, "int8": 0.3}
"""How far the outputs of the worst test example may be from the run's, in their standard deviations."""
LEAST_SAME = {"float32": 0.99, "int8": 0.9}
"""The share of predictions on the test examples that must be the same."""
MANIFEST = "export.json"

Outputs = list[np.ndarray]


@dataclass(frozen=True)
class _Loaded:
    """A run's model with what it reads and what it decides.

    `inputs` are vocabulary ids of test examples. `pool` makes what is compared (logits or an embedding) of the output
    for one of them, `predictions` an array of what the run would answer from all. `usage` says in the card how texts
    become inputs, and outputs answers.
    """

    model: Any
    tokenizer: Any
    inputs: list[list[int]]
    predictions: Callable[[Outputs], np.ndarray]
    usage: str
    pool: Callable[[np.ndarray], np.ndarray] = np.asarray


def export(
    run: str | Path, output: Path, *, quantize: str | None = None, dataset_path: Path | None = None
) -> Exported:
    """Export the encoder of a finished run, an adapter merged into its base model, to a folder with `model.onnx`.

    Beside the graph lie configuration, tokenizer, a card, and `export.json`: the exporter's manifest, which
    `transformers.exporters.ExportedModel.from_pretrained` reads, with the figures of the comparison under "bioft".
    The exported graph reads the test examples in padded batches, the run's own model one by one.

    Args:
        run: a run directory, or `user/name` on the Hub.
        output: a new folder.
        quantize: "int8" stores the weights of the matrix products in 8 bits.
        dataset_path: the data, if they are elsewhere now (see `recorded_configuration`): the test examples are read.

    Raises:
        BioftError: no finished run, one of another recipe, files changed since, a base model or data that are missing
            or not the recorded ones, a folder that holds something, an architecture that can't be exported, or a graph
            that computes something else. Nothing is left behind then.
    """
    if quantize not in (None, "int8"):
        raise BioftError(f"{quantize!r} is no way to quantize here. Give int8, or nothing for float32.")
    onnx_models.check_installed()
    new_outputs.check_new(output)
    directory, record = derived_models.open_run(run)
    if record["recipe"] not in LOADERS:
        raise BioftError(f"Runs of {record['recipe']!r} can't be exported to ONNX. Those of {', '.join(LOADERS)} can.")
    loaded = LOADERS[record["recipe"]](
        directory, record, derived_models.test_examples(directory, record, dataset_path)
    )
    if not loaded.inputs:
        raise BioftError("The test split of the run has nothing that its model reads: there is nothing to compare on.")
    model = loaded.model.cpu().float().eval()
    before = [loaded.pool(values) for values in _torch_outputs(model, loaded.inputs)]
    try:
        whole = model.merge_and_unload(safe_merge=True) if isinstance(model, PeftModel) else model
    except ValueError as error:
        raise BioftError(f"The adapter of {directory} can't be merged: {error}.") from error
    name = quantize or "float32"
    with new_outputs.new_folder(output) as partial:
        onnx_models.write(whole, loaded.tokenizer.pad_token_id, partial, int8=quantize == "int8")
        loaded.tokenizer.save_pretrained(partial)
        after = [loaded.pool(values) for values in _onnx_outputs(partial, loaded.tokenizer, loaded.inputs)]
        same = loaded.predictions(before) == loaded.predictions(after)
        parity = Parity.of(before, after, same, TOLERANCE[name], LEAST_SAME[name])
        manifest = json.loads((partial / MANIFEST).read_text(encoding="utf-8"))
        manifest["bioft"] = derived_models.describe(record, f"onnx {name}", parity)
        (partial / MANIFEST).write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        (partial / runs.CARD).write_text(_card(directory, record, name, parity, loaded.usage), encoding="utf-8")
    return Exported(output, f"ONNX, {name}", parity)


@torch.inference_mode()
def _torch_outputs(model: Any, inputs: Sequence[list[int]]) -> Outputs:
    """The first output of a model (logits, or the last hidden states) for each input, read alone."""
    return [model(input_ids=torch.tensor([ids]))[0][0].numpy() for ids in inputs]


def _onnx_outputs(folder: Path, tokenizer: Any, inputs: Sequence[list[int]]) -> Outputs:
    """The same from a written graph, which reads padded batches; what it gives for padding is left out."""
    session = onnx_models.open_session(folder)
    outputs: Outputs = [np.empty(0)] * len(inputs)
    for batch in batches_by_length([len(ids) for ids in inputs], CPU_BATCH_TOKENS):
        values, _ = onnx_models.run(session, tokenizer, [inputs[index] for index in batch])
        for index, row in zip(batch, values, strict=True):
            outputs[index] = row[: len(inputs[index])] if row.ndim == 2 else row
    return outputs


def _load_tagger(directory: Path, record: dict[str, Any], rows: Any) -> _Loaded:
    model, tokenizer, _ = entity_prediction.load_run(directory)
    length, overlap = (record["windows"][name] for name in ("window_length", "window_overlap"))
    documents = tagging.tokenize(tokenizer, rows["text"][:])
    size = entities_windows.window_size(tokenizer, model, length, overlap)
    windows = entities_windows.split_into_windows([len(tokens.ids) for tokens in documents], size, overlap)
    chosen = [windows[index] for index in derived_models.evenly(len(windows))]
    return _Loaded(
        model,
        tokenizer,
        entities_windows.window_inputs(tokenizer, documents, chosen),
        lambda outputs: np.concatenate([values.argmax(axis=1) for values in outputs]),
        f"It reads windows of {length} tokens, of which neighbouring ones share {overlap}. `logits` has the shape "
        "(windows, tokens, labels); the labels are in `config.json`.",
    )


def _load_relations(directory: Path, record: dict[str, Any], rows: Any) -> _Loaded:
    model, tokenizer, _ = relation_prediction.load_run(directory)
    kept = record["relations"]
    arguments = {kind: [tuple(pair) for pair in pairs] for kind, pairs in kept["arguments"].items()}
    found = relations.candidates(rows, arguments)
    found = [found[index] for index in derived_models.evenly(len(found))]
    labels = relation_prediction.labels_of(model)

    def predictions(outputs: Outputs) -> np.ndarray:
        return relations.type_scores(np.stack(outputs), found, arguments, labels) >= kept["threshold"]

    markers = relation_prediction.Markers(**kept["markers"])
    inputs, _ = markers.encode(tokenizer, rows["text"][:], found)
    usage = (
        f"It reads a text for each pair of concepts, at most {markers.max_length} tokens long, in which "
        "`bioft.tasks.relations.marking.mark` has marked the two as in the training. `logits` has the shape "
        f"(texts, labels); the labels are in `config.json`. A relation is found from "
        f"a score of {kept['threshold']:.4f} on."
    )
    return _Loaded(model, tokenizer, inputs, predictions, usage)


def _load_labels(directory: Path, record: dict[str, Any], rows: Any) -> _Loaded:
    model, tokenizer, _ = text_models.load_run(directory)
    kept = record["classifier"]
    inputs, _ = text_classification.encode(tokenizer, rows["text"][:], kept["max_length"])

    def predictions(outputs: Outputs) -> np.ndarray:
        logits = torch.from_numpy(np.stack(outputs)).double()
        scores = (logits.sigmoid() if kept["multi_label"] else logits.softmax(dim=1)).numpy()
        decided = text_classification.decide(scores, record["labels"], kept["thresholds"])
        return np.array([[label in its for label in record["labels"]] for its in decided])

    answer = (
        "a text has those labels whose sigmoid reaches the threshold of the run"
        if kept["multi_label"]
        else "the label with the highest logit is the answer"
    )
    usage = (
        f"It reads texts of at most {kept['max_length']} tokens. `logits` has the shape (texts, labels); the labels "
        f"are in `config.json`, and {answer}."
    )
    return _Loaded(model, tokenizer, inputs, predictions, usage)


def _load_text_encoder(directory: Path, record: dict[str, Any], rows: Any) -> _Loaded:
    model, _ = contrastive.load_run(directory)
    column = next(name for name in ("anchor", "sentence1", "text") if name in rows.column_names)
    texts = list(dict.fromkeys(rows[column][:]))
    length = model.max_seq_length

    def nearest(outputs: Outputs) -> np.ndarray:
        """Of each text the one that is nearest to it."""
        unit = np.stack([values / np.linalg.norm(values) for values in outputs])
        cosines = unit @ unit.T
        np.fill_diagonal(cosines, -np.inf)
        return cosines.argmax(axis=1)

    return _Loaded(
        model[0].model,
        model.tokenizer,
        model.tokenizer(texts, truncation=True, max_length=length)["input_ids"],
        nearest,
        f"It reads texts of at most {length} tokens. `last_hidden_state` has the shape (texts, tokens, dimensions); "
        "its mean over the tokens of a text, without padding, is the embedding. A prediction, in the comparison "
        "below, is which other example is nearest to an example.",
        pool=lambda values: values.mean(axis=0),
    )


LOADERS: dict[str, Callable[[Path, dict[str, Any], Any], _Loaded]] = {
    "token_classification": _load_tagger,
    "sequence_classification": _load_relations,
    "text_classification": _load_labels,
    "contrastive": _load_text_encoder,
}
"""How the model of each recipe is loaded, with inputs made of rows of its test split."""


def _card(directory: Path, record: dict[str, Any], name: str, parity: Parity, usage: str) -> str:
    """The model card: what was exported, how it is used, and how far it is from the run's own model."""
    task = tasks.find(record, pulled=False)
    kind = "quantized" if name == "int8" else "finetune"
    rounding = (
        "\nEmbeddings of tokens and weights of matrix products are in int8, of which 7 bits are used; the rest is in "
        "float32.\n"
        if name == "int8"
        else ""
    )
    return f"""---
{derived_models.card_metadata(record, "onnx", kind, "onnx")}
---

# {record["name"]} ({record["recipe"]}) in ONNX, {name}

For {task.title}.

{derived_models.sources(directory, record)}
{rounding}
```python
import onnxruntime
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(".")
session = onnxruntime.InferenceSession("{onnx_models.GRAPH}")
tokens = tokenizer(["A text."], padding=True, truncation=True, return_tensors="np")
output = session.run(None, {{name: tokens[name] for name in ("input_ids", "attention_mask")}})[0]
```

{usage}

{parity.sentence()} What was measured on the test split, and the limits of the model, stand on the card of the run.

{task.purpose} {tasks.NOT_FOR_PATIENTS}
"""
