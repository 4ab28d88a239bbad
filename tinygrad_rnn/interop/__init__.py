"""Weights of other libraries, and models for other runtimes: `tg.interop`.

Each source has a pair of functions that convert between its weights and our state dict: PyTorch,
Keras, ONNX, "Dive into Deep Learning" and the MathMath tutorial. A conversion that is impossible
raises an error that says why.
"""

from .d2l import from_d2l, from_tutorial, to_d2l, to_tutorial
from .keras import from_keras, to_keras
from .onnx.export import to_onnx
from .onnx.weights import from_onnx_weights, to_onnx_weights
from .pytorch import from_pytorch, to_pytorch
from .report import Report, compare, load_into

__all__ = [
    "Report",
    "compare",
    "from_d2l",
    "from_keras",
    "from_onnx_weights",
    "from_pytorch",
    "from_tutorial",
    "load_into",
    "to_d2l",
    "to_keras",
    "to_onnx",
    "to_onnx_weights",
    "to_pytorch",
    "to_tutorial",
]
