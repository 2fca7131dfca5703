"""The winner on disk: folder, loading, ONNX."""
