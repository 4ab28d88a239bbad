"""Conversions of weights: the kinds of recurrent layers, and comparisons bit for bit."""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

from tinygrad_rnn import nn

KINDS = {
    "rnn": (nn.RNN, {}),
    "gru_after": (nn.GRU, {"reset": "after"}),
    "gru_before": (nn.GRU, {"reset": "before"}),
    "lstm": (nn.LSTM, {}),
}
"""For each kind its class and the setting that names its form."""

BARE = {"prefixes": ("", "output.")}
"""The prefixes of a recurrent layer by itself."""


def has_same_bits(a, b):
    """Return True if two arrays have the same dtype, shape and bits: -0.0 is not 0.0."""
    bits = [np.ascontiguousarray(array).tobytes() for array in (a, b)]
    return (a.dtype, a.shape) == (b.dtype, b.shape) and bits[0] == bits[1]


def assert_same_dicts(a, b):
    """Assert that two dicts of arrays have the same names and bits."""
    assert a.keys() == b.keys()
    assert all(has_same_bits(a[name], b[name]) for name in a)


def run_node(kind, feeds, **attributes):
    """Return Y and Y_h, and Y_c of an LSTM, that onnxruntime computes with one recurrent node.

    `feeds` has the arrays X, W, R and, where given, B, initial_h and initial_c.
    """
    outputs = ["Y", "Y_h", "Y_c"][: 3 if kind == "LSTM" else 2]
    attributes["hidden_size"] = feeds["R"].shape[2]
    states = [name for name in ("initial_h", "initial_c") if name in feeds]
    inputs = ["X", "W", "R", "B" if "B" in feeds else "", "", *states]
    node = helper.make_node(kind, inputs, outputs, **attributes)
    info, shapes = helper.make_tensor_value_info, {"Y": [None] * 4}
    graph = helper.make_graph(
        [node],
        "one",
        [info(name, TensorProto.FLOAT, array.shape) for name, array in feeds.items()],
        [info(name, TensorProto.FLOAT, shapes.get(name, [None] * 3)) for name in outputs],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model)
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, feeds)
