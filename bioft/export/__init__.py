"""Runs as other programs load them: merged, ONNX; each compared with the run before it is kept."""
