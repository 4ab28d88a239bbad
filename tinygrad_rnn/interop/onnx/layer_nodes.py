"""How each layer is written in ONNX: a function of its `Site` that returns the names of its outputs.

A recurrent layer is one node GRU, LSTM or RNN for each layer of a stack, both directions in one; the other nodes put axes in order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...nn import RNNCell
from .graph_builder import Site
from .weights import to_onnx_weights


def _embedding(site: Site) -> list[str]:
    layer: Any = site.step.module
    index = site.array()
    table = site.writer.value("Embedding", "weight", layer.weight, layer.weight, site.dtype)
    return [
        site.node(
            "Gather",
            table,
            site.input(0, np.dtype(np.int64) if index.dtype != np.int32 else index.dtype),
            axis=0,
        )
    ]


def _layer_norm(site: Site) -> list[str]:
    layer: Any = site.step.module
    weight, bias = (
        site.writer.value("LayerNorm", "weight", p, p, site.dtype)
        for p in (layer.weight, layer.bias)
    )
    axis = -len(layer.normalized_shape)
    return [
        site.node(
            "LayerNormalization", site.input(0), weight, bias, axis=axis, epsilon=float(layer.eps)
        )
    ]


def _recurrent(site: Site) -> list[str]:
    """All layers of a stack, and their states."""
    layer: Any = site.step.module
    if getattr(layer, "zoneout", 0):
        site.refuse(
            "zoneout",
            "0",
            repr(layer.zoneout),
            "ONNX has no zoneout: leave it out, or export the cell with axes= for a fixed length",
        )
    if site.dtype == np.float64:
        fix = "runtimes have no double one: export after model.astype(np.float32), with an example in float32"
        site.refuse("dtype", "float32 or float16", "float64", fix)
    node, ints = site.node, site.writer.ints
    x, axes = site.input(0), site.array().ndim
    x = (
        node("Unsqueeze", x, ints(1))
        if axes == 2
        else node("Transpose", x, perm=[1, 0, 2])
        if layer.batch_first
        else x
    )
    given = [i for i in range(1, len(site.step.inputs) - 1) if site.step.inputs[i] is not None]
    states = [
        node("Unsqueeze", site.input(i), ints(1)) if axes == 2 else site.input(i) for i in given
    ]
    last = len(site.step.inputs) - 1
    lengths = "" if site.step.inputs[last] is None else site.input(last, np.dtype(np.int32))
    ends: list[list[str]] = []
    for k in range(layer.num_layers):
        initial = (
            [_rows(site, state, k * layer.directions, layer.directions) for state in states]
            if layer.num_layers > 1
            else states
        )
        Y, *end = _one_layer(site, layer, k, x, lengths, initial)
        ends.append(
            [_where_empty(site, lengths, *pair) for pair in zip(initial, end, strict=True)]
            if lengths and initial
            else end
        )
        if layer.bidirectional:  # Y is (T, directions, B, H)
            x = node(
                "Reshape",
                node("Transpose", Y, perm=[0, 2, 1, 3]),
                ints(0, 0, 2 * layer.hidden_size),
            )
        else:
            x = node("Squeeze", Y, ints(1))
    finals = [
        node("Concat", *parts, axis=0) if layer.num_layers > 1 else parts[0]
        for parts in map(list, zip(*ends, strict=True))
    ]
    if axes == 2:
        return [node("Squeeze", value, ints(1)) for value in (x, *finals)]
    return [node("Transpose", x, perm=[1, 0, 2]) if layer.batch_first else x, *finals]


def _one_layer(
    site: Site, layer: Any, k: int, x: str, lengths: str, initial: list[str]
) -> list[str]:
    """One node: Y, Y_h and, of an LSTM, Y_c."""
    kind = site.step.name
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
    prefix = site.writer.paths.get(layer, kind.lower())
    W, R, B = (
        site.writer.constant(weights[name], f"{prefix}.{name}_l{k}") if name in weights else ""
        for name in "WRB"
    )
    outputs = 3 if kind == "LSTM" else 2
    return site.writer.nodes_of(kind, [x, W, R, B, lengths, *initial], outputs, **attributes)


def _rows(site: Site, state: str, start: int, count: int) -> str:
    """The states of one layer, from those of all layers and directions along the first axis."""
    ints = site.writer.ints
    return site.node("Slice", state, ints(start), ints(start + count), ints(0))


def _where_empty(site: Site, lengths: str, initial: str, end: str) -> str:
    """The last state; of a sequence without steps the initial one, which the operators do not promise."""
    empty = site.node("Equal", lengths, site.writer.constant(np.zeros(1, np.int32)))
    return site.node("Where", site.node("Unsqueeze", empty, site.writer.ints(-1)), initial, end)


LAYERS: dict[str, Callable[[Site], list[str]]] = {
    "Embedding": _embedding,
    "LayerNorm": _layer_norm,
    **dict.fromkeys(("RNN", "GRU", "LSTM"), _recurrent),
}
