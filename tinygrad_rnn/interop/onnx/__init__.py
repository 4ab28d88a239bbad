"""ONNX: export a model, and convert the weights of its recurrent layers."""
