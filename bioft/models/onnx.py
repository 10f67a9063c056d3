"""Encoders in ONNX: written by the exporter of Transformers, in float32 or with int8 weights, run by ONNX Runtime."""

import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bioft.errors import BioftError

GRAPH = "model.onnx"


def check_installed() -> None:
    """Raise BioftError where what ONNX needs is not installed: says what to install."""
    if missing := [name for name in ("onnx", "onnxruntime", "onnxscript") if find_spec(name) is None]:
        raise BioftError(f"ONNX needs {' and '.join(missing)}: pip install 'bioft[onnx]'.")


def write(model: Any, pad_token_id: int, folder: Path, *, int8: bool = False) -> None:
    """Write an encoder as `model.onnx`, with its configuration and the exporter's `export.json`, into a folder.

    The model is one of Transformers on the CPU, in float32 and without an adapter. The graph takes `input_ids` and
    `attention_mask`, each of shape (texts, tokens), both of any size. With `int8` the embeddings of tokens and the
    weights of the matrix products are stored in 8 bits, of which 7 are used (with all 8 the sums of processors without
    VNNI instructions saturate), and what these are multiplied with is quantized while the model runs. A head that is a
    product with a bias stays in float32. BioftError: a package is missing, or this architecture can't be exported.
    """
    check_installed()
    from onnxruntime.quantization import QuantType
    from transformers.exporters import OnnxConfig, OnnxRuntimeDynamicConfig, OnnxRuntimeQuantizer
    from transformers.exporters.exporter_onnx import OnnxExporter

    rounding = OnnxRuntimeDynamicConfig(
        op_types_to_quantize=["MatMul", "Gather"], weight_type=QuantType.QInt8, per_channel=True, reduce_range=True
    )
    mask = torch.tensor([[1] * 8, [1] * 5 + [0] * 3])
    ids = torch.where(mask == 1, torch.arange(8) + 10, pad_token_id)
    config = OnnxConfig(dynamic=True, quantizer=OnnxRuntimeQuantizer(rounding) if int8 else None)
    with _quiet():
        try:
            exported = OnnxExporter().export(
                model.eval(), {"input_ids": ids, "attention_mask": mask.clone()}, config=config
            )
        except Exception as error:  # each architecture fails in its own way
            cause = str(error).strip().partition("\n")[0] or type(error).__name__
            raise BioftError(f"{type(model).__name__} can't be exported to ONNX: {cause}") from error
        exported.save_pretrained(folder)


def open_session(folder: Path) -> Any:
    """Open a written graph in ONNX Runtime, on the CPU, with as many threads as PyTorch has."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(str(folder / GRAPH), options, providers=["CPUExecutionProvider"])


def run(session: Any, tokenizer: Any, rows: Sequence[list[int]]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The first output of a graph for texts in one batch, and their attention mask, 1 where a text has a token.

    Outputs are of shape (texts, labels) or (texts, tokens, …); `rows` are vocabulary ids with special tokens.
    """
    padded = tokenizer.pad({"input_ids": list(rows)}, padding_side="right", return_tensors="np")
    feed = {name: padded[name].astype(np.int64) for name in ("input_ids", "attention_mask")}
    return session.run([session.get_outputs()[0].name], feed)[0], feed["attention_mask"]


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out what the exporter tells about its inside: nothing that a user can mend."""
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)
