"""A run on names as `bioft merge` and `bioft export` take it: it is a text encoder."""

from bioft.tasks.retrieval.export import for_merge, for_onnx

__all__ = ["for_merge", "for_onnx"]
