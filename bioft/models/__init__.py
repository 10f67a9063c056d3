"""Base models and what all tasks do with them: loading, LoRA, batches, embeddings, ONNX."""

from dataclasses import field
from typing import Any


def argument(default: Any, help: str) -> Any:
    """A field of a recipe's options, with its default and its help text."""
    return field(default=default, metadata={"help": help})
