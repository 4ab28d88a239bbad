"""Export of layers to ONNX: one function for each kind of layer adds the layer's nodes.

Each function in `LAYERS` returns the names of the layer's outputs in the ONNX graph.

Each layer of an `nn.RNN`, `nn.GRU` or `nn.LSTM` becomes one ONNX node, even if it is bidirectional.
Further nodes rearrange axes, split and join states, and handle empty sequences.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...nn import RNNCell
from .graph_builder import ExportedCall
from .weights import to_onnx_weights


def _embedding(call: ExportedCall) -> list[str]:
    weight = _add_parameter(call, "weight")
    dtype = call.array().dtype
    index = call.input(0, dtype if dtype == np.int32 else np.dtype(np.int64))
    return [call.add("Gather", weight, index, axis=0)]


def _layer_norm(call: ExportedCall) -> list[str]:
    layer: Any = call.first.module
    weight, bias = (_add_parameter(call, name) for name in ("weight", "bias"))
    attributes = {"axis": -len(layer.normalized_shape), "epsilon": float(layer.eps)}
    return [call.add("LayerNormalization", call.input(0), weight, bias, **attributes)]


def _add_parameter(call: ExportedCall, name: str) -> str:
    """Add the layer's parameter `name` in the dtype of the layer's output; return its ONNX name."""
    parameter = getattr(call.first.module, name).array
    return call.builder.resolve(call.first.name, name, parameter, parameter, call.dtype)


def _recurrent(call: ExportedCall) -> list[str]:
    """Add nodes for all layers of a stack; return the names of its output and last states."""
    layer: Any = call.first.module
    _require_exportable(call, layer)
    add, ints = call.add, call.ints
    single = call.array().ndim == 2  # one sequence, without a batch axis
    x, *states, lengths = _add_inputs(call, layer, single)
    finals: list[list[str]] = []
    for k in range(layer.num_layers):
        initial = states
        if layer.num_layers > 1:
            start = k * layer.directions
            initial = [_add_rows(call, s, start, layer.directions) for s in states]
        Y, *final = _add_layer(call, layer, k, x, lengths, initial)
        if lengths and initial:
            pairs = zip(initial, final, strict=True)
            final = [_keep_initial_if_empty(call, lengths, *pair) for pair in pairs]
        finals.append(final)
        if layer.bidirectional:  # Y is (T, directions, B, H)
            batch_first = add("Transpose", Y, perm=[0, 2, 1, 3])
            x = add("Reshape", batch_first, ints(0, 0, 2 * layer.hidden_size))
        else:
            x = add("Squeeze", Y, ints(1))
    last = finals[0]
    if layer.num_layers > 1:
        last = [add("Concat", *parts, axis=0) for parts in zip(*finals, strict=True)]
    if single:
        return [add("Squeeze", value, ints(1)) for value in (x, *last)]
    return [add("Transpose", x, perm=[1, 0, 2]) if layer.batch_first else x, *last]


def _require_exportable(call: ExportedCall, layer: Any) -> None:
    """Raise ValueError if a recurrent layer needs a feature that ONNX or its runtimes lack."""
    zoneout = getattr(layer, "zoneout", 0)
    fix = "train without zoneout, or build nn.Recurrent with the same cell and fix the number of "
    fix += "time steps with to_onnx(axes=)"
    call.require(not zoneout, "zoneout", "0", repr(zoneout), fix)
    fix = "runtimes have no recurrent layers in float64: export after model.astype(np.float32), "
    fix += "with an example in float32"
    call.require(call.dtype != np.float64, "dtype", "float32 or float16", "float64", fix)


def _add_inputs(call: ExportedCall, layer: Any, single: bool) -> list[str]:
    """Return the names of x (T, B, I), the states (layers · directions, B, H) and the lengths.

    States that the call omits are left out. If there are no lengths, their name is "".
    """
    x, last = call.input(0), len(call.first.inputs) - 1
    if single:
        x = call.add("Unsqueeze", x, call.ints(1))
    elif layer.batch_first:
        x = call.add("Transpose", x, perm=[1, 0, 2])
    states = [call.input(i) for i in range(1, last)]
    if single:
        states = [call.add("Unsqueeze", s, call.ints(1)) for s in states]
    has_lengths = call.first.inputs[last] is not None
    return [x, *states, call.input(last, np.dtype(np.int32)) if has_lengths else ""]


def _add_layer(
    call: ExportedCall, layer: Any, k: int, x: str, lengths: str, initial: list[str]
) -> list[str]:
    """Add the node of layer k; return the names of its output, last h and (of an LSTM) last c."""
    kind = call.first.name
    attributes: dict[str, Any] = {"hidden_size": layer.hidden_size}
    form: dict[str, Any] = {}
    if kind == "GRU":
        attributes["linear_before_reset"] = int(layer.reset == "after")
        form = {"reset": layer.reset, "linear_before_reset": attributes["linear_before_reset"]}
    if kind == "RNN":
        cell = next(module for module in layer.modules() if isinstance(module, RNNCell))
        attributes["activations"] = [cell.nonlinearity.title()] * layer.directions
    if layer.bidirectional:
        attributes["direction"] = "bidirectional"
    weights = to_onnx_weights(layer.state_dict(), layer=k, **form)
    prefix = call.builder.paths[layer] or kind.lower()
    W, R, B = (
        call.builder.add_constant(weights[name], f"{prefix}.{name}_l{k}") if name in weights else ""
        for name in "WRB"
    )
    inputs, outputs = [x, W, R, B, lengths, *initial], 3 if kind == "LSTM" else 2
    return call.builder.add_multiple(kind, inputs, outputs, **attributes)


def _add_rows(call: ExportedCall, state: str, start: int, count: int) -> str:
    """Add a node that takes `count` rows of a state from row `start`; return the result's name.

    The state has shape (layers · directions, B, H).
    """
    return call.add("Slice", state, call.ints(start), call.ints(start + count), call.ints(0))


def _keep_initial_if_empty(call: ExportedCall, lengths: str, initial: str, final: str) -> str:
    """Add nodes that give each empty sequence its initial state as its last state.

    ONNX does not specify the last state of an empty sequence. Return the name of the result.
    """
    empty = call.add("Equal", lengths, call.builder.add_constant(np.zeros(1, np.int32)))
    return call.add("Where", call.add("Unsqueeze", empty, call.ints(-1)), initial, final)


LAYERS: dict[str, Callable[[ExportedCall], list[str]]] = {
    "Embedding": _embedding,
    "LayerNorm": _layer_norm,
    **dict.fromkeys(("RNN", "GRU", "LSTM"), _recurrent),
}
