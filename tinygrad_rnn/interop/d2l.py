"""Conversion of weights stored gate by gate: "Dive into Deep Learning" and the MathMath tutorial.

Both sources compute x @ W, where W has the shape (I, H): I inputs, H hidden units. They have one
bias for each gate, and a linear layer after the recurrent layer. Their GRU multiplies the state by
the reset gate before the matrix product. `from_tutorial` cites the tutorial.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from .. import check
from ..errors import argument_error, describe
from . import layout


class MatrixNames(NamedTuple):
    """The names of the matrices of one kind of layer in a source.

    Attributes
    ----------
    gates : dict
        A mapping from our letter of a gate to the names of the gate's matrix for x, its matrix for
        h, and its bias.
    output : tuple
        The names of the matrix and the bias of the linear layer.
    """

    gates: dict[str, tuple[str, str, str]]
    output: tuple[str, str]

    @property
    def recurrent(self) -> list[str]:
        """The names of the recurrent layer's matrices and biases, gate by gate in our order."""
        return [name for names in self.gates.values() for name in names]


def _name_like_d2l(ours: str, theirs: str) -> MatrixNames:
    pairs = zip(ours, theirs, strict=True)
    return MatrixNames({k: (f"W_x{g}", f"W_h{g}", f"b_{g}") for k, g in pairs}, ("W_hq", "b_q"))


D2L = {
    3: _name_like_d2l("rzn", "rzh"),
    4: _name_like_d2l("ifgo", "ifco"),
    1: _name_like_d2l("h", "h"),
}
TUTORIAL = {
    3: MatrixNames(
        {"r": ("Wr", "Ur", "br"), "z": ("Wz", "Uz", "bz"), "n": ("Wh", "Uh", "bh")}, ("Wy", "by")
    )
}
PREFIXES = ("recurrent.", "output.")
RESET_REASON = "this source applies the reset gate before the matrix product"


def from_d2l(
    weights: Mapping[str, Any], *, reset: str | None = None, prefixes: tuple[str, str] = PREFIXES
) -> dict[str, np.ndarray]:
    """Convert the weights of an RNN, GRU or LSTM from "Dive into Deep Learning" to our state dict.

    A GRU has the nine arrays ``W_xz W_hz b_z W_xr W_hr b_r W_xh W_hh b_h``. The linear layer, if
    there is one, adds ``W_hq b_q``. Instead of z, r and h, the names of an LSTM have the letters i,
    f, o and c, and the names of an RNN have only h. With I inputs, H hidden units and O outputs,
    ``W_x·`` is (I, H), ``W_h·`` (H, H), ``b_·`` (H,), ``W_hq`` (H, O) and ``b_q`` (O,). Each bias
    becomes ``bias_ih``; ``bias_hh`` becomes zero. These are the conventions of d2l.ai, in the
    sections that implement each layer from scratch, in the chapters "Recurrent Neural Networks" and
    "Modern Recurrent Neural Networks".

    Parameters
    ----------
    weights : mapping of str to array
    reset : {"before"}
        For a GRU: "before", because this source applies the reset gate before the matrix product,
        and only that form can be converted. For other layers: None.
    prefixes : tuple of two str
        The prefixes of the recurrent layer and of the linear layer in our model's state dict.

    Returns
    -------
    dict of str to ndarray
        The state dict for ``load_state_dict``, without a linear layer if `weights` has none.

    Raises
    ------
    ValueError
        If a name is missing or unknown, a shape does not fit, or `reset` does not fit the layer.
        "after" fits no layer, because that form cannot be converted.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> rnn = {"W_xh": np.ones((3, 2)), "W_hh": np.ones((2, 2)), "b_h": np.zeros(2)}
    >>> layer = tg.nn.RNN(3, 2).astype(np.float64)
    >>> layer.load_state_dict(tg.interop.from_d2l(rnn, prefixes=("", "output.")))
    """
    return _read_matrices("from_d2l", weights, D2L, reset, prefixes)


def to_d2l(
    state: Mapping[str, Any],
    *,
    reset: str | None = None,
    prefixes: tuple[str, str] = PREFIXES,
    merge_biases: bool = False,
) -> dict[str, np.ndarray]:
    """Convert our model with one recurrent layer to the matrices of "Dive into Deep Learning".

    `from_d2l` describes the names and shapes.

    Parameters
    ----------
    state : mapping of str to array
    reset, prefixes
        See `from_d2l`.
    merge_biases : bool
        If True, add our two biases, because the book has one bias for each gate. The network
        computes the same function, because the reset gate multiplies neither bias of the candidate.
        Converting back is not exact, because it gives the sum as ``bias_ih`` and zeros as
        ``bias_hh``. If False, our ``bias_hh`` must be zero, as after `from_d2l`.

    Returns
    -------
    dict of str to ndarray
        The arrays by name, without ``W_hq`` and ``b_q`` if `state` has no linear layer.

    Raises
    ------
    ValueError
        If a name is missing, a shape does not fit, there are no biases, or the model has more than
        one recurrent layer or direction. It is also raised if `merge_biases` is False and
        ``bias_hh`` is not zero, or if `reset` does not fit the layer. "after" fits no layer: in
        that form the reset gate multiplies b_hn, the candidate's part of ``bias_hh``, and the book
        has no such bias.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> state = tg.nn.GRU(3, 2, reset="before").state_dict()
    >>> settings = {"reset": "before", "prefixes": ("", "output."), "merge_biases": True}
    >>> list(tg.interop.to_d2l(state, **settings))
    ['W_xr', 'W_hr', 'b_r', 'W_xz', 'W_hz', 'b_z', 'W_xh', 'W_hh', 'b_h']
    """
    return _write_matrices("to_d2l", state, D2L, reset, prefixes, merge_biases)


def from_tutorial(
    weights: Mapping[str, Any], *, reset: str | None = None, prefixes: tuple[str, str] = PREFIXES
) -> dict[str, np.ndarray]:
    """Convert the weights of the MathMath tutorial, a GRU and a linear layer, to our state dict.

    The eleven arrays are those of `tinygrad_rnn.app.mathmath.network`. With I inputs, H hidden
    units and O outputs, ``Wz Wr Wh`` are (I, H), ``Uz Ur Uh`` (H, H), ``bz br bh`` (H,), ``Wy``
    (H, O) and ``by`` (O,).

    Parameters
    ----------
    weights : mapping of str to array
    reset : {"before"}
        "before", because the tutorial applies the reset gate before the matrix product, and only
        that form can be converted.
    prefixes : tuple of two str
        The prefixes of the GRU and of the linear layer in our model's state dict.

    Returns
    -------
    dict of str to ndarray
        The state dict for ``load_state_dict``, without a linear layer if `weights` has none.

    Raises
    ------
    ValueError
        In the same cases as in `from_d2l`.

    References
    ----------
    "Gated Recurrent Units explained with matrices" (Russell-Puleri and Puleri, 2019).

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn.app.mathmath.network import MathMath
    >>> weights, prefixes = MathMath().state_dict(), ("gru.", "output.")
    >>> state = tg.interop.from_tutorial(weights, reset="before", prefixes=prefixes)
    >>> {name: array.shape for name, array in state.items() if "bias" not in name}
    {'gru.weight_ih_l0': (6, 4), 'gru.weight_hh_l0': (6, 2), 'output.weight': (4, 2)}
    """
    return _read_matrices("from_tutorial", weights, TUTORIAL, reset, prefixes)


def to_tutorial(
    state: Mapping[str, Any],
    *,
    reset: str | None = None,
    prefixes: tuple[str, str] = PREFIXES,
    merge_biases: bool = False,
) -> dict[str, np.ndarray]:
    """Convert our model with a GRU and a linear layer to the MathMath tutorial's eleven arrays.

    `from_tutorial` describes the names and shapes.

    Parameters
    ----------
    state : mapping of str to array
    reset, prefixes
        See `from_tutorial`.
    merge_biases : bool
        If True, add our two biases, because the tutorial has one bias for each gate. See `to_d2l`.

    Returns
    -------
    dict of str to ndarray
        The arrays by name: eleven, or nine if `state` has no linear layer.

    Raises
    ------
    ValueError
        In the same cases as in `to_d2l`, and if the recurrent layer is not a GRU.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn.app.mathmath.network import MathMath
    >>> weights = MathMath().state_dict()
    >>> state = tg.interop.from_tutorial(weights, reset="before")
    >>> tg.interop.to_tutorial(state, reset="before").keys() == weights.keys()
    True
    """
    return _write_matrices("to_tutorial", state, TUTORIAL, reset, prefixes, merge_biases)


def _read_matrices(
    operation: str,
    weights: Mapping[str, Any],
    table: dict[int, MatrixNames],
    reset: str | None,
    prefixes: tuple[str, str],
) -> dict[str, np.ndarray]:
    """Convert matrices with the names in `table` to our state dict."""
    recurrent, linear = _require_prefixes(operation, prefixes)
    arrays = layout.copy_arrays(operation, "weights", weights, "pass the matrices by name")
    # Choose the kind of layer whose first matrix is present; `_require_names` checks the rest.
    first_names = ((n, names.recurrent[0]) for n, names in table.items())
    gates = next((n for n, name in first_names if name in arrays), next(iter(table)))
    names = table[gates]
    _require_names(operation, arrays, names)
    layout.require_form(operation, gates, reset, "before", RESET_REASON)
    W_x, W_h = (arrays[name] for name in names.recurrent[:2])
    inputs, hidden = W_x.shape[0] if W_x.ndim else 0, W_h.shape[-1] if W_h.ndim else 0
    shapes = {"(I, H)": (inputs, hidden), "(H, H)": (hidden, hidden), "(H,)": (hidden,)}
    for matrices in names.gates.values():
        for name, (letters, shape) in zip(matrices, shapes.items(), strict=True):
            layout.require_shape(operation, name, arrays[name], shape, letters)
    W, U, b = (np.concatenate([arrays[name].T for name in names.recurrent[i::3]]) for i in range(3))
    layer = layout.LayerWeights(W, U, *layout.split_into_two_biases(b))
    state = layout.build_state_dict(operation, [layer], 0, recurrent)
    if names.output[0] not in arrays:
        return state
    matrix, bias = (arrays[name] for name in names.output)
    outputs = len(bias) if bias.ndim else 0
    layout.require_shape(operation, names.output[0], matrix, (hidden, outputs), "(H, O)")
    return state | {f"{linear}weight": matrix.T.copy(), f"{linear}bias": bias}


def _require_names(operation: str, arrays: Mapping[str, Any], names: MatrixNames) -> None:
    """Raise ValueError unless the arrays are those of one layer, with or without a linear layer."""
    has_output = any(name in arrays for name in names.output)
    needed = [*names.recurrent, *(names.output if has_output else ())]
    wrong = [f"missing {name}" for name in needed if name not in arrays]
    wrong += [f"unexpected {name}" for name in arrays if name not in needed]
    expected = f"{', '.join(names.recurrent)} and optionally {' and '.join(names.output)}"
    fix = "add the missing arrays and leave out the unexpected ones"
    check.require(not wrong, operation, "weights", expected, "; ".join(wrong), fix)


def _write_matrices(
    operation: str,
    state: Mapping[str, Any],
    table: dict[int, MatrixNames],
    reset: str | None,
    prefixes: tuple[str, str],
    merge: bool,
) -> dict[str, np.ndarray]:
    """Convert our state dict to matrices with the names in `table`."""
    recurrent, linear = _require_prefixes(operation, prefixes)
    directions = layout.read_layer(operation, state, 0, recurrent)
    layer, gates = directions[0], directions[0].gates
    fix = "use to_d2l, which converts every kind of layer"
    check.require(gates in table, operation, "state", "a GRU (3 gates)", f"{gates} gates", fix)
    second_layer = f"{recurrent}weight_ih_l1"
    is_single = len(directions) == 1 and second_layer not in state
    got = second_layer if len(directions) == 1 else "two directions"
    fix = "convert a model with one layer and one direction; the source has no names for more"
    check.require(is_single, operation, "state", "one layer in one direction", got, fix)
    layout.require_form(operation, gates, reset, "before", RESET_REASON)
    bias = layout.merge_into_one_bias(operation, layer, merge)
    expected, fix = "biases, because each gate has a bias", "add biases of zeros to the state dict"
    if bias is None:
        raise argument_error(operation, f"{recurrent}bias_ih_l0", expected, "none", fix)
    blocks = zip(*(np.split(a, gates) for a in (layer.W, layer.U, bias)), strict=True)
    arrays = {
        name: block.T.copy()
        for names, gate_blocks in zip(table[gates].gates.values(), blocks, strict=True)
        for name, block in zip(names, gate_blocks, strict=True)
    }
    return arrays | dict(_write_linear(operation, state, linear, table[gates].output))


def _write_linear(
    operation: str, state: Mapping[str, Any], prefix: str, names: tuple[str, str]
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the matrix and the bias of the linear layer, if it exists, with their `names`."""
    weight, bias = f"{prefix}weight", f"{prefix}bias"
    if weight in state:
        expected, fix = "an array of this name", "add an array of zeros if the layer has no bias"
        check.require(bias in state, operation, bias, expected, "none", fix)
        linear = {name: state[name] for name in (weight, bias)}
        arrays = layout.copy_arrays(operation, "state", linear, "")
        yield names[0], arrays[weight].T.copy()
        yield names[1], arrays[bias]


def _require_prefixes(operation: str, prefixes: Any) -> tuple[str, str]:
    """Return the two prefixes; raise TypeError unless they are two strings."""
    pair = isinstance(prefixes, tuple | list) and len(prefixes) == 2
    valid = pair and all(isinstance(prefix, str) for prefix in prefixes)
    expected = "two strings, one for the recurrent layer and one for the linear layer"
    fix = 'pass ("", "output.") for a recurrent layer that is not part of a model'
    check.require(valid, operation, "prefixes", expected, describe(prefixes), fix, TypeError)
    recurrent, linear = prefixes
    return recurrent, linear
