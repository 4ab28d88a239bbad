"""Conversion of weights from and to other libraries, and export to ONNX: `tg.interop`.

A pair of functions ``from_…`` and ``to_…`` converts between the weights of another source and our
state dict. There is a pair for PyTorch, Keras, ONNX, the book "Dive into Deep Learning", and the
tutorial on the text "MathMath", which the command ``tinygrad-rnn mathmath`` prints. An impossible
conversion raises an error that gives the reason.
"""

from .d2l import from_d2l, from_tutorial, to_d2l, to_tutorial
from .keras import from_keras, to_keras
from .onnx.export import to_onnx
from .onnx.weights import from_onnx_weights, to_onnx_weights
from .pytorch import from_pytorch, to_pytorch
from .report import Report, compare, load_into

__all__ = [
    "Report", "compare", "from_d2l", "from_keras", "from_onnx_weights", "from_pytorch",
    "from_tutorial", "load_into", "to_d2l", "to_keras", "to_onnx", "to_onnx_weights",
    "to_pytorch", "to_tutorial",
]  # fmt: skip


def __dir__() -> list[str]:
    return __all__
