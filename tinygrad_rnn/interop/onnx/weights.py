"""ONNX: the inputs W, R and B of its operators RNN, GRU and LSTM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...errors import argument_error, describe
from ..layout import (
    LETTERS,
    Part,
    as_arrays,
    count_gates,
    gates_of,
    in_order,
    parts_of,
    require_form,
    require_shape,
    written,
)

ORDER = {1: "h", 3: "zrn", 4: "iofg"}
"""ONNX's order of the gates: z, r, h of a GRU; i, o, f, c of an LSTM."""


def from_onnx_weights(
    weights: Mapping[str, Any],
    *,
    reset: str | None = None,
    linear_before_reset: int | None = None,
    layer: int = 0,
) -> dict[str, np.ndarray]:
    """The inputs W, R and B of an ONNX node RNN, GRU or LSTM as the state dict of our layer.

    W is (D, gates · H, I), R (D, gates · H, H) and B (D, 2 · gates · H), the biases for x before those for h, with D = 2 for
    ``direction="bidirectional"`` and else 1. Conventions: onnx.ai/onnx/operators, pages RNN, GRU and LSTM.

    Parameters
    ----------
    weights : mapping of str to array
        "W", "R" and, if the node has it, "B". A node with ``direction="reverse"`` has weights like any other, but our layer
        then reads the flipped sequence.
    reset : {"after", "before"}
        For a GRU, and for nothing else: the form of our layer.
    linear_before_reset : int
        For a GRU: the node's attribute, 0 if it is not there. Not 0 is ``reset="after"``, 0 is "before".
    layer : int
        The number k in our names ``weight_ih_l{k}``: ONNX has one node a layer, ours are numbered.

    Returns
    -------
    dict of str to ndarray
        For ``load_state_dict``; several layers are joined by ``|``.

    Raises
    ------
    ValueError
        If a name is missing or unknown (an LSTM's peepholes "P", which ours has not), a shape does not fit, or the node has the
        other form of the GRU, which cannot be converted.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> node = {"W": np.ones((1, 6, 3), "float32"), "R": np.ones((1, 6, 2), "float32"), "B": np.zeros((1, 12), "float32")}
    >>> gru = tg.nn.GRU(3, 2, reset="before")
    >>> gru.load_state_dict(tg.interop.from_onnx_weights(node, reset="before", linear_before_reset=0))
    """
    name = "from_onnx_weights"
    arrays = as_arrays(name, "weights", weights, 'pass {"W": ..., "R": ..., "B": ...}')
    unknown = sorted(str(key) for key in arrays if key not in ("W", "R", "B"))
    if unknown or "W" not in arrays or "R" not in arrays:
        got = (
            f"unknown {unknown[0]!r}"
            if unknown
            else f"only {', '.join(map(repr, arrays)) or 'nothing'}"
        )
        fix = "our LSTM has no peepholes (P); sequence_lens and initial states are no weights"
        raise argument_error(name, "weights", expected="'W', 'R' and perhaps 'B'", got=got, fix=fix)
    W, R, B = arrays["W"], arrays["R"], arrays.get("B")
    if R.ndim != 3 or len(R) not in (1, 2):
        fix = "keep the axis of the directions"
        raise argument_error(
            name, "R", expected="shape (1 or 2, gates · H, H)", got=describe(R), fix=fix
        )
    directions, hidden = len(R), R.shape[2]
    gates = count_gates(name, "R", R[0], hidden, 0)
    require_shape(
        name,
        "W",
        W,
        (directions, gates * hidden, W.shape[-1] if W.ndim else 0),
        "(D, gates · H, I)",
    )
    if B is not None:
        require_shape(name, "B", B, (directions, 2 * gates * hidden), "(D, 2 · gates · H)")
    _require_form(name, gates, reset, linear_before_reset)
    biases = [(None, None) if B is None else np.split(B[d], 2) for d in range(directions)]
    return written(
        name,
        [
            in_order(Part(W[d], R[d], *biases[d]), ORDER[gates], LETTERS[gates])
            for d in range(directions)
        ],
        layer,
    )


def to_onnx_weights(
    state: Mapping[str, Any],
    *,
    reset: str | None = None,
    linear_before_reset: int | None = None,
    layer: int = 0,
) -> dict[str, np.ndarray]:
    """One layer of our state dict as the inputs W, R and B of an ONNX node; see `from_onnx_weights`.

    Parameters
    ----------
    state : mapping of str to array
        ``layer.state_dict()`` of an RNN, a GRU or an LSTM.
    reset : {"after", "before"}
        For a GRU, and for nothing else: the form that our layer has.
    linear_before_reset : int
        For a GRU: the attribute that the node will have.
    layer : int
        Which layer of a stack.

    Returns
    -------
    dict of str to ndarray
        "W" (D, gates · H, I), "R" (D, gates · H, H) and, if ours has biases, "B" (D, 2 · gates · H).

    Raises
    ------
    ValueError
        If a name is missing, a shape does not fit, or the two forms of a GRU are mixed.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> node = tg.interop.to_onnx_weights(tg.nn.LSTM(3, 2, bidirectional=True).state_dict())
    >>> {name: array.shape for name, array in node.items()}
    {'W': (2, 8, 3), 'R': (2, 8, 2), 'B': (2, 16)}
    """
    name = "to_onnx_weights"
    parts = parts_of(name, state, layer)
    gates = gates_of(parts[0])
    _require_form(name, gates, reset, linear_before_reset)
    parts = [in_order(part, LETTERS[gates], ORDER[gates]) for part in parts]
    arrays = {"W": np.stack([part.W for part in parts]), "R": np.stack([part.U for part in parts])}
    biases = [
        np.concatenate([part.b_i, part.b_h])
        for part in parts
        if part.b_i is not None and part.b_h is not None
    ]
    return arrays | ({"B": np.stack(biases)} if biases else {})


def _require_form(
    name: str, gates: int, reset: str | None, linear_before_reset: int | None
) -> None:
    """Refuse a GRU whose form on either side is not named, or not the same on both."""
    require_form(name, gates, reset)
    if gates != 3:
        if linear_before_reset is not None:
            fix = "leave it out"
            raise argument_error(
                name,
                "linear_before_reset",
                expected="None, for it is no GRU",
                got=repr(linear_before_reset),
                fix=fix,
            )
        return
    if not isinstance(linear_before_reset, int | np.integer):
        fix = "pass that of the node, 0 if it has none, for the arrays do not tell"
        raise argument_error(
            name,
            "linear_before_reset",
            expected="0 or 1 for a GRU",
            got=describe(linear_before_reset),
            fix=fix,
            kind=TypeError,
        )
    theirs = "after" if linear_before_reset else "before"
    require_form(
        name,
        gates,
        reset,
        theirs,
        because=f"linear_before_reset={int(linear_before_reset)} is that form",
    )
