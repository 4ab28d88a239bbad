"""ONNX: export of models, and conversion of the weights of recurrent nodes."""
