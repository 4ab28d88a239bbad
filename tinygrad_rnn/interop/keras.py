"""Conversion of Keras weights: the lists for `layer.get_weights()` and `layer.set_weights()`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np

from .. import check
from ..serialize.file_kinds import path_error
from . import layout

ORDER = {1: "h", 3: "zrn", 4: "ifgo"}
"""The gates in Keras's order, in our letters. Keras calls them z, r, h and i, f, c, o."""


def from_keras(
    weights: Sequence[Any], *, reset: str | None = None, layer: int = 0
) -> dict[str, np.ndarray]:
    """Convert the weights of a Keras `SimpleRNN`, `GRU` or `LSTM` to our state dict.

    The layer may be wrapped in `Bidirectional`. I is the number of inputs, and H is the number of
    hidden units. Keras stores ``kernel`` (I, gates · H), ``recurrent_kernel`` (H, gates · H) and
    ``bias``. The gates of a GRU are in the order z, r, h, and those of an LSTM in the order
    i, f, c, o. A GRU with ``reset_after=True`` has a bias (2, 3H): one row for x and one for h. All
    other layers have a bias (gates · H,), which becomes ``bias_ih``; ``bias_hh`` becomes zero.
    Keras's inputs are (batch, time, I), so build our layer with ``batch_first=True``. The
    conventions are those of keras.io/api/layers/recurrent_layers. Tests check them against outputs
    recorded from Keras.

    Parameters
    ----------
    weights : sequence of arrays
        ``layer.get_weights()``: two arrays without biases, three with biases. `Bidirectional`
        returns the arrays of the forward layer, then those of the backward layer.
    reset : {"after", "before"}
        For a GRU: the ``reset`` of our GRU, "after" if Keras's layer has ``reset_after=True``. For
        other layers: None.
    layer : int
        The number k in our names ``weight_ih_l{k}``, if the Keras layer is one of a stack.

    Returns
    -------
    dict of str to ndarray
        ``weight_ih_l{k}`` (gates · H, I) and so on, for ``load_state_dict``. Merge the dicts of
        several layers with ``|``.

    Raises
    ------
    ValueError
        If a shape does not fit, the number of arrays is wrong, or the two directions do not belong
        to one layer. It is also raised if `reset` is missing for a GRU, or contradicts the shape of
        the bias, because "after" and "before" cannot be converted into each other.
    TypeError
        If `weights` is not a list of arrays.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> ones, zeros = np.ones((3, 6), "float32"), np.zeros((2, 6), "float32")
    >>> gru = tg.nn.GRU(3, 2)
    >>> gru.load_state_dict(tg.interop.from_keras([ones, ones[:2], zeros], reset="after"))
    """
    name, fix = "from_keras", "pass layer.get_weights() of one layer"
    if isinstance(weights, str | bytes | PathLike):
        raise path_error(name, "weights", weights, "a list of arrays", fix)
    check.instance(name, "weights", weights, Sequence, "a list of arrays", fix)
    n, expected = len(weights), "2 or 3 arrays for one direction, 4 or 6 for two"
    check.require(n in (2, 3, 4, 6), name, "weights", expected, f"{n}", fix)
    arrays = [layout.copy_array(name, f"weights[{i}]", array) for i, array in enumerate(weights)]
    each = 3 if n % 3 == 0 else 2
    directions = [_read_direction(name, arrays[i : i + each], i, reset) for i in range(0, n, each)]
    if len(directions) == 2:
        names = [f"weights[{i}]" for i in range(each, n)]
        layout.require_equal_shapes(name, names, arrays[:each], arrays[each:])
    return layout.build_state_dict(name, directions, layer)


def _read_direction(
    operation: str, arrays: list[np.ndarray], first: int, reset: str | None
) -> layout.LayerWeights:
    """Return the weights of one direction from its kernel, recurrent kernel and bias.

    Error messages use `first`, the index of the kernel in the whole list.
    """
    kernel, recurrent = arrays[:2]
    gates = layout.count_gates(operation, f"weights[{first + 1}]", recurrent, axis=1)
    columns = recurrent.shape[1]
    layout.require_shape(operation, f"weights[{first}]", kernel, (None, columns), "(I, gates · H)")
    layout.require_form(operation, gates, reset)
    bias = arrays[2] if len(arrays) == 3 else None
    biases = layout.split_into_two_biases(bias)
    if bias is not None and gates == 3 and bias.shape in ((2, columns), (columns,)):
        after = bias.ndim == 2
        because = f"a bias of shape {bias.shape} belongs to reset_after={after}"
        layout.require_form(operation, gates, reset, "after" if after else "before", because)
        biases = (bias[0], bias[1]) if after else biases
    elif bias is not None:
        shape, letters = (columns,), "(gates · H,)"
        if reset == "after":
            shape, letters = (2, columns), "(2, 3H)"
        layout.require_shape(operation, f"weights[{first + 2}]", bias, shape, letters)
    weights = layout.LayerWeights(kernel.T.copy(), recurrent.T.copy(), *biases)
    return weights.reorder_gates(ORDER[gates], layout.LETTERS[gates])


def to_keras(
    state: Mapping[str, Any],
    *,
    reset: str | None = None,
    layer: int = 0,
    merge_biases: bool = False,
) -> list[np.ndarray]:
    """Convert one layer of our state dict to the arrays for Keras's ``layer.set_weights``.

    `from_keras` describes the layout.

    Parameters
    ----------
    state : mapping of str to array
        ``layer.state_dict()`` of an RNN, a GRU or an LSTM.
    reset : {"after", "before"}
        For a GRU: the ``reset`` of our GRU. For other layers: None. Build the Keras layer with
        ``reset_after=(reset == "after")``.
    layer : int
        The layer's number in the stack.
    merge_biases : bool
        If True, add our two biases where Keras has only one bias: in all layers except a GRU with
        ``reset="after"``. The network computes the same function, but converting back is not exact,
        because it gives the sum as ``bias_ih`` and zeros as ``bias_hh``. If False, our ``bias_hh``
        must be zero, as after `from_keras`, and converting back is exact.

    Returns
    -------
    list of ndarray
        ``kernel``, ``recurrent_kernel`` and, if our layer has biases, ``bias``. A bidirectional
        layer gives these arrays twice, in the order of `Bidirectional`.

    Raises
    ------
    ValueError
        If a name is missing, a shape does not fit, or `reset` is missing for a GRU. It is also
        raised if `merge_biases` is False, Keras has only one bias, and ``bias_hh`` is not zero.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> keras = tg.interop.to_keras(tg.nn.GRU(3, 2).state_dict(), reset="after")
    >>> [array.shape for array in keras]
    [(3, 6), (2, 6), (2, 6)]
    >>> keras = tg.interop.to_keras(tg.nn.LSTM(3, 2).state_dict(), merge_biases=True)
    >>> [array.shape for array in keras]
    [(3, 8), (2, 8), (8,)]
    """
    name = "to_keras"
    arrays = []
    for weights in layout.read_layer(name, state, layer):
        gates = weights.gates
        layout.require_form(name, gates, reset)
        weights = weights.reorder_gates(layout.LETTERS[gates], ORDER[gates])
        arrays += [weights.W.T.copy(), weights.U.T.copy()]
        if weights.b_i is not None and weights.b_h is not None:
            if reset == "after":
                arrays.append(np.stack([weights.b_i, weights.b_h]))
            else:
                arrays.append(layout.merge_into_one_bias(name, weights, merge_biases))
    return arrays
