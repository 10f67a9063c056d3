"""The encoder that an index is made and searched with, and by what it is told from every other one."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bioft.errors import BioftError
from bioft.models import embed as encoding, onnx as onnx_models, precision
from bioft.tasks.retrieval import named


@dataclass(frozen=True)
class SearchEncoder:
    """An encoder with its name and identity."""

    model: Any
    name: str
    """What `load_encoder` finds it by: the absolute path of a run, or the name of a base model."""
    identity: str
    """SHA-256 over what decides its embeddings: weights and number of tokens read."""
    backend: str = encoding.PYTORCH
    """What computes the embeddings of articles, one of `encoding.BACKENDS`; those of queries are PyTorch's."""
    first: int | None = None
    """As many dimensions of an embedding are kept, the first; by default all. The cosine needs no unit length."""

    @property
    def dimensions(self) -> int:
        """Of an embedding."""
        return self.first or self.model.get_embedding_dimension()

    def encode(self, texts: Sequence[str], progress: str | None = None) -> NDArray[np.float32]:
        """Return the embeddings of articles, shape (articles, dimensions).

        BioftError: the model can't be exported to the backend.
        """
        forward = encoding.int8_forward(self.model) if self.backend == encoding.ONNX_INT8 else None
        return self._cut(encoding.encode_texts(self.model, texts, progress, forward))

    def encode_queries(self, queries: Sequence[str]) -> NDArray[np.float32]:
        """Return the embeddings of queries, shape (queries, dimensions).

        BioftError: a query is empty.
        """
        if not all(query.strip() for query in queries):
            raise BioftError('The query is empty. Say what to look for, such as "lung cancer treatment options".')
        return self._cut(encoding.encode_texts(self.model, queries))

    def _cut(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        return embeddings if self.first is None else np.ascontiguousarray(embeddings[:, : self.first])

    def encode_query(self, query: str) -> NDArray[np.float32]:
        """Return the embedding of a query, shape (dimensions,), as `encode_queries`."""
        return self.encode_queries([query])[0]


def load_encoder(name: str, backend: str = encoding.PYTORCH, first: int | None = None) -> SearchEncoder:
    """Load the encoder of a finished run of `contrastive` (its folder), or a base model with mean pooling.

    It computes in the fast type here, whatever the figures of a run were made in. With a `backend` other than PyTorch
    articles are encoded sooner and a little less exactly (`encoding.BACKENDS`). With `first` an embedding is cut to so
    many dimensions. BioftError: as `named.load`; the backend is not installed; the model has fewer dimensions.
    """
    if backend == encoding.ONNX_INT8:
        onnx_models.check_installed()
    dtype = torch.float32 if backend == encoding.ONNX_INT8 else precision.of_index()
    model, told_by = named.load(name, dtype, whole=backend == encoding.ONNX_INT8)
    dimensions = model.get_embedding_dimension() or 0
    if first is not None and not 0 < first <= dimensions:
        raise BioftError(f"{first} dimensions were asked for: {name} has {dimensions}; give a number up to that.")
    identity = hashlib.sha256(json.dumps(told_by, sort_keys=True).encode()).hexdigest()
    folder = Path(name)
    return SearchEncoder(model, str(folder.resolve()) if folder.is_dir() else name, identity, backend, first)
