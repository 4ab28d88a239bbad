"""Keras: the lists of arrays that `layer.get_weights()` gives and `layer.set_weights()` takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import argument_error, describe
from .layout import (
    LETTERS,
    Part,
    as_array,
    count_gates,
    gates_of,
    in_order,
    one_bias,
    parts_of,
    require_directions,
    require_form,
    require_shape,
    two_biases,
    written,
)

ORDER = {1: "h", 3: "zrn", 4: "ifgo"}
"""Keras's order of the gates: z, r, h of a GRU; i, f, c, o of an LSTM, which is ours."""


def from_keras(
    weights: Sequence[Any], *, reset: str | None = None, layer: int = 0
) -> dict[str, np.ndarray]:
    """The weights of a Keras `SimpleRNN`, `GRU` or `LSTM`, or of `Bidirectional` around one, as the state dict of ours.

    Keras keeps ``kernel`` (I, gates · H), ``recurrent_kernel`` (H, gates · H) and ``bias``, the gates in the order z, r, h or
    i, f, c, o. A GRU's bias is (2, 3H) with ``reset_after=True``, for x and for h, and (3H,) with ``reset_after=False``; the
    bias of the others is (gates · H,). Where there is one bias it becomes ``bias_ih``, and ``bias_hh`` is zero. Our layer reads
    Keras's (B, T, I) with ``batch_first=True``. Conventions: keras.io/api/layers/recurrent_layers, checked against recorded outputs.

    Parameters
    ----------
    weights : sequence of arrays
        ``layer.get_weights()``: two arrays without biases, three with; of `Bidirectional` the forward ones, then the backward ones.
    reset : {"after", "before"}
        For a GRU, and for nothing else: the form of our layer. ``reset_after=True`` is "after".
    layer : int
        The number k in our names ``weight_ih_l{k}``: Keras stacks whole layers, ours are numbered.

    Returns
    -------
    dict of str to ndarray
        ``weight_ih_l{k}`` (gates · H, I) and so on, for ``load_state_dict``; several layers are joined by ``|``.

    Raises
    ------
    ValueError
        If shapes do not fit, those of two directions are not of one layer, or the bias is that of the other form of the GRU,
        which cannot be converted.
    TypeError
        If `weights` is no list of arrays.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> keras = [np.ones((3, 6), "float32"), np.ones((2, 6), "float32"), np.zeros((2, 6), "float32")]
    >>> gru = tg.nn.GRU(3, 2)
    >>> gru.load_state_dict(tg.interop.from_keras(keras, reset="after"))
    """
    name = "from_keras"
    if isinstance(weights, Mapping) or not isinstance(weights, Sequence):
        fix = "pass layer.get_weights()"
        raise argument_error(
            name,
            "weights",
            expected="a list of arrays",
            got=describe(weights),
            fix=fix,
            kind=TypeError,
        )
    if len(weights) not in (2, 3, 4, 6):
        wanted, fix = (
            "2 or 3 arrays for one direction, 4 or 6 for two",
            "pass layer.get_weights() of one layer",
        )
        raise argument_error(name, "weights", expected=wanted, got=f"{len(weights)}", fix=fix)
    arrays = [as_array(name, f"weights[{i}]", array) for i, array in enumerate(weights)]
    each = 3 if len(arrays) % 3 == 0 else 2
    parts = [_part(name, arrays[i : i + each], i, reset) for i in range(0, len(arrays), each)]
    if len(parts) == 2:
        require_directions(
            name, [f"weights[{i}]" for i in range(each, 2 * each)], arrays[:each], arrays[each:]
        )
    return written(name, parts, layer)


def _part(name: str, arrays: list[np.ndarray], first: int, reset: str | None) -> Part:
    """One direction, from kernel, recurrent kernel and bias; `first` is the place of its kernel in the whole list."""
    kernel, recurrent = arrays[:2]
    hidden = len(recurrent) if recurrent.ndim else 0
    gates = count_gates(name, f"weights[{first + 1}]", recurrent, hidden, 1)
    require_shape(
        name,
        f"weights[{first}]",
        kernel,
        (len(kernel) if kernel.ndim else 0, gates * hidden),
        "(I, gates · H)",
    )
    require_form(name, gates, reset)
    bias = arrays[2] if len(arrays) == 3 else None
    biases = two_biases(bias)
    if bias is not None and gates == 3 and bias.shape in ((2, 3 * hidden), (3 * hidden,)):
        theirs = "after" if bias.ndim == 2 else "before"
        require_form(
            name,
            gates,
            reset,
            theirs,
            because=f"a bias of shape {bias.shape} is that of reset_after={theirs == 'after'}",
        )
        biases = (bias[0], bias[1]) if bias.ndim == 2 else biases
    elif bias is not None:
        meaning = "(2, 3H)" if reset == "after" else "(gates · H,)"
        require_shape(
            name,
            f"weights[{first + 2}]",
            bias,
            (2, 3 * hidden) if reset == "after" else (gates * hidden,),
            meaning,
        )
    return in_order(
        Part(kernel.T.copy(), recurrent.T.copy(), *biases), ORDER[gates], LETTERS[gates]
    )


def to_keras(
    state: Mapping[str, Any],
    *,
    reset: str | None = None,
    layer: int = 0,
    merge_biases: bool = False,
) -> list[np.ndarray]:
    """One layer of our state dict as the list of arrays that Keras's ``layer.set_weights`` takes; see `from_keras`.

    Parameters
    ----------
    state : mapping of str to array
        ``layer.state_dict()`` of an RNN, a GRU or an LSTM.
    reset : {"after", "before"}
        For a GRU, and for nothing else: the form that our layer has. The Keras layer is made with ``reset_after=(reset == "after")``.
    layer : int
        Which layer of a stack.
    merge_biases : bool
        Where Keras has one bias, all but a GRU with ``reset="after"``, make it the sum of our two. That is the same network, but the
        round trip is not exact: what comes back has all of it in ``bias_ih``, and zeros in ``bias_hh``. Without it our
        ``bias_hh`` must be zero, as `from_keras` makes it, and the round trip is exact.

    Returns
    -------
    list of ndarray
        ``kernel``, ``recurrent_kernel`` and, if ours has biases, ``bias``; twice of a bidirectional layer, for `Bidirectional`.

    Raises
    ------
    ValueError
        If a name is missing, a shape does not fit, `reset` is missing for a GRU, or two biases would become one.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> [array.shape for array in tg.interop.to_keras(tg.nn.GRU(3, 2).state_dict(), reset="after")]
    [(3, 6), (2, 6), (2, 6)]
    >>> [array.shape for array in tg.interop.to_keras(tg.nn.LSTM(3, 2).state_dict(), merge_biases=True)]
    [(3, 8), (2, 8), (8,)]
    """
    arrays = []
    for part in parts_of("to_keras", state, layer):
        gates = gates_of(part)
        require_form("to_keras", gates, reset)
        part = in_order(part, LETTERS[gates], ORDER[gates])
        arrays += [part.W.T.copy(), part.U.T.copy()]
        if part.b_i is not None and part.b_h is not None:
            arrays.append(
                np.stack([part.b_i, part.b_h])
                if reset == "after"
                else one_bias("to_keras", part, merge_biases)
            )
    return arrays
