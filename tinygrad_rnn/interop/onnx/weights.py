"""Conversion of the weights of ONNX's RNN, GRU and LSTM nodes: their inputs W, R and B."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ... import check
from ...errors import describe
from .. import layout

ORDER = {1: "h", 3: "zrn", 4: "iofg"}
"""The gates in ONNX's order, written with our letters, by the number of gates.

ONNX's own letters are z, r, h for a GRU and i, o, f, c for an LSTM.
"""


def from_onnx_weights(
    weights: Mapping[str, Any],
    *,
    reset: str | None = None,
    linear_before_reset: int | None = None,
    layer: int = 0,
) -> dict[str, np.ndarray]:
    """Convert the inputs W, R and B of an ONNX RNN, GRU or LSTM node to our state dict.

    W has shape (D, gates · H, I) and R has shape (D, gates · H, H). B has shape (D, 2 · gates · H)
    and holds the biases for x, then those for h. D is 2 for ``direction="bidirectional"`` and
    otherwise 1, I is the size of x, and H is the size of h. An RNN has 1 gate, a GRU has 3, and an
    LSTM has 4. The layout is described at onnx.ai/onnx/operators, on the pages RNN, GRU and LSTM.

    Parameters
    ----------
    weights : mapping of str to array
        "W", "R" and, if the node has biases, "B". A node with ``direction="reverse"`` has the same
        layout as a forward node, but reads the sequence backwards: flip the input and the output
        of our layer along time.
    reset : {"after", "before"}
        The `reset` setting of our GRU; None for other layers.
    linear_before_reset : int
        The attribute of a GRU node, or 0 if the node does not have it; None for other nodes. 0
        means ``reset="before"``, and any other number means ``reset="after"``.
    layer : int
        The number k in our names ``weight_ih_l{k}``, if the node is one layer of a stack.

    Returns
    -------
    dict of str to ndarray
        The state dict for ``load_state_dict``. Merge the dicts of several layers with ``|``.

    Raises
    ------
    ValueError
        If a name is missing or unknown, a shape does not fit, or `reset` and `linear_before_reset`
        contradict each other. The name "P" is unknown, because our LSTM has no peephole weights.
    TypeError
        If a weight is not an array of real numbers, or the node is a GRU and `linear_before_reset`
        is not an integer.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> ones, zeros = np.ones((1, 6, 3), "float32"), np.zeros((1, 12), "float32")
    >>> node, form = {"W": ones, "R": ones[..., :2], "B": zeros}, {"reset": "before"}
    >>> gru = tg.nn.GRU(3, 2, **form)
    >>> gru.load_state_dict(tg.interop.from_onnx_weights(node, linear_before_reset=0, **form))
    """
    name = "from_onnx_weights"
    arrays = layout.copy_arrays(name, "weights", weights, 'pass {"W": ..., "R": ..., "B": ...}')
    _require_names(name, arrays)
    W, R, B = arrays["W"], arrays["R"], arrays.get("B")
    stacked, expected = R.ndim == 3 and len(R) in (1, 2), "shape (1 or 2, gates · H, H)"
    fix = "keep the first axis, which numbers the directions"
    check.require(stacked, name, "R", expected, describe(R), fix)
    directions, gates = len(R), layout.count_gates(name, "R", R[0])
    rows = R.shape[1]
    layout.require_shape(name, "W", W, (directions, rows, None), "(D, gates · H, I)")
    if B is not None:
        layout.require_shape(name, "B", B, (directions, 2 * rows), "(D, 2 · gates · H)")
    _require_form(name, gates, reset, linear_before_reset)
    biases = [() if B is None else np.split(B[d], 2) for d in range(directions)]
    layers = [layout.LayerWeights(W[d], R[d], *biases[d]) for d in range(directions)]
    layers = [weights.reorder_gates(ORDER[gates], layout.LETTERS[gates]) for weights in layers]
    return layout.build_state_dict(name, layers, layer)


def _require_names(operation: str, arrays: Mapping[str, Any]) -> None:
    """Raise ValueError unless the names are W, R and optionally B."""
    unknown = sorted(str(name) for name in arrays if name not in ("W", "R", "B"))
    got = f"only {', '.join(map(repr, arrays))}" if arrays else "nothing"
    fix = "pass both W and R of the node"
    if unknown:
        got = f"unknown {unknown[0]!r}"
        fix = "leave it out: sequence_lens and the initial states are not weights, and our LSTM "
        fix += "has no peepholes (P)"
    is_valid = not unknown and "W" in arrays and "R" in arrays
    check.require(is_valid, operation, "weights", "'W', 'R' and optionally 'B'", got, fix)


def to_onnx_weights(
    state: Mapping[str, Any],
    *,
    reset: str | None = None,
    linear_before_reset: int | None = None,
    layer: int = 0,
) -> dict[str, np.ndarray]:
    """Convert one layer of our state dict to the inputs W, R and B of an ONNX node.

    `from_onnx_weights` describes the layout.

    Parameters
    ----------
    state : mapping of str to array
        ``layer.state_dict()`` of an RNN, a GRU or an LSTM.
    reset : {"after", "before"}
        The `reset` setting of our GRU; None for other layers.
    linear_before_reset : int
        The attribute that the GRU node will have: 0 for ``reset="before"``, 1 for
        ``reset="after"``, and None for other layers.
    layer : int
        The layer's number in the stack.

    Returns
    -------
    dict of str to ndarray
        "W" (D, gates · H, I), "R" (D, gates · H, H) and, if our layer has biases, "B"
        (D, 2 · gates · H).

    Raises
    ------
    ValueError
        If a name is missing, a shape does not fit, or `reset` and `linear_before_reset` contradict
        each other.
    TypeError
        If a weight is not an array of real numbers, or the node is a GRU and `linear_before_reset`
        is not an integer.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> node = tg.interop.to_onnx_weights(tg.nn.LSTM(3, 2, bidirectional=True).state_dict())
    >>> {name: array.shape for name, array in node.items()}
    {'W': (2, 8, 3), 'R': (2, 8, 2), 'B': (2, 16)}
    """
    name = "to_onnx_weights"
    directions: list[Any] = layout.read_layer(name, state, layer)
    gates = directions[0].gates
    _require_form(name, gates, reset, linear_before_reset)
    ours = layout.LETTERS[gates]
    directions = [weights.reorder_gates(ours, ORDER[gates]) for weights in directions]
    arrays = {
        "W": np.stack([weights.W for weights in directions]),
        "R": np.stack([weights.U for weights in directions]),
    }
    if directions[0].b_i is not None:
        arrays["B"] = np.stack([np.concatenate(weights[2:]) for weights in directions])
    return arrays


def _require_form(
    operation: str, gates: int, reset: str | None, linear_before_reset: int | None
) -> None:
    """Raise an error unless `reset` and `linear_before_reset` mean the same form of a GRU.

    For other layers, both must be None.

    Raises
    ------
    ValueError
        If the forms differ, or either argument is given for a layer that is not a GRU.
    TypeError
        If the layer is a GRU and `linear_before_reset` is not an integer.
    """
    layout.require_form(operation, gates, reset)
    argument, value = "linear_before_reset", linear_before_reset
    if gates != 3:
        absent, expected = value is None, "None, because the layer is not a GRU"
        check.require(absent, operation, argument, expected, repr(value), "leave it out")
        return
    fix = "pass this attribute of the GRU node, or 0 if the node does not have the attribute"
    check.instance(operation, argument, value, int | np.integer, "0 or 1 for a GRU", fix)
    stored = "after" if value else "before"
    because = f"linear_before_reset={value:d} means that form"
    layout.require_form(operation, gates, reset, stored, because)
