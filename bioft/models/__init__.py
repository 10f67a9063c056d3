"""Base models and what all tasks do with them: loading, LoRA, batches, embeddings, ONNX."""
