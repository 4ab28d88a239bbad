"""ONNX: export a model, and exchange the weights of its recurrent layers."""
