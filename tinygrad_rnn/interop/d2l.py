"""Weights with one matrix a gate: "Dive into Deep Learning", and the MathMath tutorial.

Both sources compute x @ W with W (I, H), have one bias a gate, and put a linear layer behind the
recurrent one. Their GRU multiplies the state by the reset gate before the product.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from .. import check
from ..errors import argument_error, describe
from .layout import (
    LayerWeights,
    build_state_dict,
    copy_arrays,
    merge_into_one_bias,
    read_layer,
    require_form,
    require_shape,
    split_into_two_biases,
)


class MatrixNames(NamedTuple):
    """Names that a source gives to the matrices of one kind of layer.

    Attributes
    ----------
    gates : dict
        For each of our gates the names of its matrix for x, its matrix for h, and its bias.
    output : tuple
        The names of the linear layer's matrix and bias.
    """

    gates: dict[str, tuple[str, str, str]]
    output: tuple[str, str]

    @property
    def recurrent(self) -> list[str]:
        """Return the names of the recurrent layer, gate by gate in our order."""
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
BEFORE = "this source resets the state before the product"


def from_d2l(
    weights: Mapping[str, Any], *, reset: str | None = None, prefixes: tuple[str, str] = PREFIXES
) -> dict[str, np.ndarray]:
    """Return our state dict of an RNN, GRU or LSTM written out in "Dive into Deep Learning".

    A GRU has ``W_xz W_hz b_z W_xr W_hr b_r W_xh W_hh b_h`` and, with the linear layer,
    ``W_hq b_q``: eleven arrays. An LSTM has the letters i, f, o and c, an RNN only h. ``W_x·`` is
    (I, H), ``W_h·`` (H, H), ``b_·`` (H,), ``W_hq`` (H, O), ``b_q`` (O,). The bias becomes
    ``bias_ih``, and ``bias_hh`` is zero. Conventions: d2l.ai, chapters "Recurrent Neural Networks"
    and "Modern Recurrent Neural Networks", the sections that implement each from scratch.

    Parameters
    ----------
    weights : mapping of str to array
    reset : {"before"}
        The form of our GRU, which must be "before"; None for other layers.
    prefixes : tuple of two str
        The prefixes of the recurrent layer and of the linear layer in our model's state dict.

    Returns
    -------
    dict of str to ndarray
        For ``load_state_dict``. It has no linear layer if `weights` has none.

    Raises
    ------
    ValueError
        If a name is missing or unknown, a shape does not fit, or `reset` is "after", because that
        form cannot be converted.

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
    """Return the matrices of "Dive into Deep Learning" from our model with one recurrent layer.

    The names are described at `from_d2l`.

    Parameters
    ----------
    state : mapping of str to array
    reset, prefixes
        As `from_d2l`.
    merge_biases : bool
        Add our two biases, because the other side has one. The network is the same, because both
        biases of the candidate are outside of the reset. But the round trip is not exact: it
        returns the sum as ``bias_ih``, and zeros as ``bias_hh``. If False, our ``bias_hh`` must be
        zero, as `from_d2l` makes it.

    Returns
    -------
    dict of str to ndarray
        Without ``W_hq`` and ``b_q`` if `state` has no linear layer.

    Raises
    ------
    ValueError
        If a name is missing, a shape does not fit, two biases would have to become one, or there
        are none. If `reset` is "after": that form has a b_hn, which the reset gate multiplies, and
        the other side has no place for it.

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
    """Return our state dict of the tutorial's network: a GRU and a linear layer.

    Its eleven matrices are those of `tinygrad_rnn.app.mathmath.network`: ``Wz Wr Wh`` are (I, H),
    ``Uz Ur Uh`` (H, H), ``bz br bh`` (H,), ``Wy`` (H, O) and ``by`` (O,).

    Parameters
    ----------
    weights : mapping of str to array
    reset : {"before"}
        The form of our GRU, which must be "before".
    prefixes : tuple of two str
        The prefixes of the GRU and of the linear layer in our model's state dict.

    Returns
    -------
    dict of str to ndarray
        For ``load_state_dict``. It has no linear layer if `weights` has none.

    Raises
    ------
    ValueError
        As `from_d2l`.

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
    """Return the tutorial's eleven matrices from our model with a GRU and a linear layer.

    The names are described at `from_tutorial`.

    Parameters
    ----------
    state : mapping of str to array
    reset, prefixes
        As `from_tutorial`.
    merge_biases : bool
        Add our two biases, because the tutorial has one; as `to_d2l`.

    Returns
    -------
    dict of str to ndarray
        Nine matrices if `state` has no linear layer.

    Raises
    ------
    ValueError
        As `to_d2l`. If the recurrent layer is not a GRU.

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
    """Return our state dict from the matrices of a source whose names are in `table`."""
    recurrent, linear = _require_prefixes(operation, prefixes)
    arrays = copy_arrays(operation, "weights", weights, "pass the matrices by name")
    # The kind is the first whose own gate is there. The error names what is missing then.
    own_gates = ((n, names.recurrent[0]) for n, names in table.items())
    gates = next((n for n, name in own_gates if name in arrays), next(iter(table)))
    names = table[gates]
    _require_names(operation, arrays, names)
    require_form(operation, gates, reset, "before", BEFORE)
    W_x, W_h = (arrays[name] for name in names.recurrent[:2])
    inputs, hidden = W_x.shape[0] if W_x.ndim else 0, W_h.shape[-1] if W_h.ndim else 0
    shapes = {"(I, H)": (inputs, hidden), "(H, H)": (hidden, hidden), "(H,)": (hidden,)}
    for matrices in names.gates.values():
        for name, (letters, shape) in zip(matrices, shapes.items(), strict=True):
            require_shape(operation, name, arrays[name], shape, letters)
    W, U, b = (np.concatenate([arrays[name].T for name in names.recurrent[i::3]]) for i in range(3))
    layer = LayerWeights(W, U, *split_into_two_biases(b))
    state = build_state_dict(operation, [layer], 0, recurrent)
    if names.output[0] not in arrays:
        return state
    matrix, bias = (arrays[name] for name in names.output)
    outputs = len(bias) if bias.ndim else 0
    require_shape(operation, names.output[0], matrix, (hidden, outputs), "(H, O)")
    return state | {f"{linear}weight": matrix.T.copy(), f"{linear}bias": bias}


def _require_names(operation: str, arrays: Mapping[str, Any], names: MatrixNames) -> None:
    """Raise ValueError unless the arrays are those of one layer, with or without a linear layer."""
    has_output = any(name in arrays for name in names.output)
    needed = [*names.recurrent, *(names.output if has_output else ())]
    wrong = [f"missing {name}" for name in needed if name not in arrays]
    wrong += [f"unexpected {name}" for name in arrays if name not in needed]
    expected = f"{', '.join(names.recurrent)} and perhaps {' and '.join(names.output)}"
    fix = "add what is missing and leave out what is not expected"
    check.require(not wrong, operation, "weights", expected, "; ".join(wrong), fix)


def _write_matrices(
    operation: str,
    state: Mapping[str, Any],
    table: dict[int, MatrixNames],
    reset: str | None,
    prefixes: tuple[str, str],
    merge: bool,
) -> dict[str, np.ndarray]:
    """Return the matrices of a source, whose names are in `table`, from our state dict."""
    recurrent, linear = _require_prefixes(operation, prefixes)
    directions = read_layer(operation, state, 0, recurrent)
    layer, gates = directions[0], directions[0].gates
    fix = "use to_d2l, which takes every kind of layer"
    known = gates in table
    check.require(known, operation, "state", "a GRU (3 gates)", f"{gates} gates", fix)
    second = f"{recurrent}weight_ih_l1"
    single = len(directions) == 1 and second not in state
    got = second if len(directions) == 1 else "two directions"
    fix = "convert a model with one layer, because there are no names for more"
    check.require(single, operation, "state", "one layer in one direction", got, fix)
    require_form(operation, gates, reset, "before", BEFORE)
    bias = merge_into_one_bias(operation, layer, merge)
    expected, fix = "biases, because each gate has one", "add biases of zeros to the state dict"
    if bias is None:
        raise argument_error(operation, f"{recurrent}bias_ih_l0", expected, "none", fix)
    blocks = zip(*(np.split(a, gates) for a in (layer.W, layer.U, bias)), strict=True)
    arrays = {
        name: block.T.copy()
        for names, of_gate in zip(table[gates].gates.values(), blocks, strict=True)
        for name, block in zip(names, of_gate, strict=True)
    }
    return arrays | dict(_write_linear(operation, state, linear, table[gates].output))


def _write_linear(
    operation: str, state: Mapping[str, Any], prefix: str, names: tuple[str, str]
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the matrix and the bias of the linear layer under these names, if there is one."""
    weight, bias = f"{prefix}weight", f"{prefix}bias"
    if weight in state:
        expected, fix = "an array of this name", "add zeros if the layer has no bias"
        check.require(bias in state, operation, bias, expected, "none", fix)
        arrays = copy_arrays(operation, "state", {weight: state[weight], bias: state[bias]}, "")
        yield names[0], arrays[weight].T.copy()
        yield names[1], arrays[bias]


def _require_prefixes(operation: str, prefixes: Any) -> tuple[str, str]:
    """Return the two prefixes; raise TypeError unless they are two str."""
    pair = isinstance(prefixes, tuple | list) and len(prefixes) == 2
    valid = pair and all(isinstance(prefix, str) for prefix in prefixes)
    expected = "two str, one for the recurrent layer and one for the linear one"
    fix = 'use ("", "output.") for a layer by itself'
    check.require(valid, operation, "prefixes", expected, describe(prefixes), fix, TypeError)
    recurrent, linear = prefixes
    return recurrent, linear
