"""One matrix a gate, each by its name: the networks of "Dive into Deep Learning", and the eleven matrices of the MathMath tutorial.

Both multiply from the left, x @ W with W (I, H), have one bias a gate, and a linear layer behind the recurrent one. Their GRU
resets the state before the product.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ..errors import argument_error, describe
from .layout import (
    LETTERS,
    Part,
    as_arrays,
    gates_of,
    one_bias,
    parts_of,
    require_form,
    require_shape,
    two_biases,
    written,
)


class Names(NamedTuple):
    """What a source calls the matrices for x and for h and the bias of each of our gates, and its linear layer's two."""

    gates: dict[str, tuple[str, str, str]]
    output: tuple[str, str]


def _d2l(letters: str, theirs: str) -> Names:
    return Names(
        {ours: (f"W_x{t}", f"W_h{t}", f"b_{t}") for ours, t in zip(letters, theirs, strict=True)},
        ("W_hq", "b_q"),
    )


D2L = {3: _d2l("rzn", "rzh"), 4: _d2l("ifgo", "ifco"), 1: _d2l("h", "h")}
TUTORIAL = {
    3: Names(
        {"r": ("Wr", "Ur", "br"), "z": ("Wz", "Uz", "bz"), "n": ("Wh", "Uh", "bh")}, ("Wy", "by")
    )
}
PREFIXES = ("recurrent.", "output.")
BEFORE = "this source resets the state before the product"


def from_d2l(
    weights: Mapping[str, Any], *, reset: str | None = None, prefixes: tuple[str, str] = PREFIXES
) -> dict[str, np.ndarray]:
    """The matrices of an RNN, GRU or LSTM written out in "Dive into Deep Learning" as the state dict of a model of ours.

    A GRU has ``W_xz W_hz b_z W_xr W_hr b_r W_xh W_hh b_h`` and, with the linear layer, ``W_hq b_q``: eleven. An LSTM has the
    letters i, f, o and c, an RNN only h. ``W_x·`` is (I, H), ``W_h·`` (H, H), ``b_·`` (H,), ``W_hq`` (H, O), ``b_q`` (O,).
    The bias becomes ``bias_ih``, and ``bias_hh`` is zero. Conventions: d2l.ai, chapters "Recurrent Neural Networks" and
    "Modern Recurrent Neural Networks", the sections that implement each from scratch.

    Parameters
    ----------
    weights : mapping of str to array
    reset : {"before"}
        For a GRU, and for nothing else: the form of our layer, which must be "before".
    prefixes : tuple of two str
        What stands before the names of the recurrent layer and of the linear layer in our model's state dict.

    Returns
    -------
    dict of str to ndarray
        For ``load_state_dict``; without the linear layer if `weights` has none.

    Raises
    ------
    ValueError
        If a name is missing or unknown, a shape does not fit, or `reset` is "after", which cannot be converted.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> rnn = {"W_xh": np.ones((3, 2), "float32"), "W_hh": np.ones((2, 2), "float32"), "b_h": np.zeros(2, "float32")}
    >>> layer = tg.nn.RNN(3, 2)
    >>> layer.load_state_dict(tg.interop.from_d2l(rnn, prefixes=("", "output.")))
    """
    return _from("from_d2l", weights, D2L, reset, prefixes)


def to_d2l(
    state: Mapping[str, Any],
    *,
    reset: str | None = None,
    prefixes: tuple[str, str] = PREFIXES,
    merge_biases: bool = False,
) -> dict[str, np.ndarray]:
    """The state dict of a model with one recurrent layer as the matrices of "Dive into Deep Learning"; see `from_d2l`.

    Parameters
    ----------
    state : mapping of str to array
    reset, prefixes
        As `from_d2l`.
    merge_biases : bool
        There is one bias there. Make it the sum of our two: the same network, for where the state is reset before the product
        both biases of the candidate are outside of it. But the round trip is not exact: what comes back has all of it in
        ``bias_ih``, and zeros in ``bias_hh``. Without it our ``bias_hh`` must be zero, as `from_d2l` makes it.

    Returns
    -------
    dict of str to ndarray
        Without ``W_hq`` and ``b_q`` if `state` has no linear layer.

    Raises
    ------
    ValueError
        If a name is missing, a shape does not fit, two biases would become one, or there are none; or if `reset` is "after": that
        form does not exist there, and its b_hn, which the reset gate multiplies, has no place.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> gru = tg.nn.GRU(3, 2, reset="before")
    >>> list(tg.interop.to_d2l(gru.state_dict(), reset="before", prefixes=("", "output."), merge_biases=True))
    ['W_xr', 'W_hr', 'b_r', 'W_xz', 'W_hz', 'b_z', 'W_xh', 'W_hh', 'b_h']
    """
    return _to("to_d2l", state, D2L, reset, prefixes, merge_biases)


def from_tutorial(
    weights: Mapping[str, Any], *, reset: str | None = None, prefixes: tuple[str, str] = PREFIXES
) -> dict[str, np.ndarray]:
    """The eleven matrices of the tutorial (`tinygrad_rnn.app.mathmath.network`) as the state dict of a model with a GRU and a linear layer.

    ``Wz Wr Wh`` are (I, H), ``Uz Ur Uh`` (H, H), ``bz br bh`` (H,), ``Wy`` (H, O) and ``by`` (O,).

    Parameters
    ----------
    weights : mapping of str to array
    reset : {"before"}
        The form of our layer, which must be "before".
    prefixes : tuple of two str
        What stands before the names of the GRU and of the linear layer in our model's state dict.

    Returns
    -------
    dict of str to ndarray
        For ``load_state_dict``; without the linear layer if `weights` has none.

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
    >>> state = tg.interop.from_tutorial(MathMath().state_dict(), reset="before", prefixes=("gru.", "output."))
    >>> {name: array.shape for name, array in state.items() if "bias" not in name}
    {'gru.weight_ih_l0': (6, 4), 'gru.weight_hh_l0': (6, 2), 'output.weight': (4, 2)}
    """
    return _from("from_tutorial", weights, TUTORIAL, reset, prefixes)


def to_tutorial(
    state: Mapping[str, Any],
    *,
    reset: str | None = None,
    prefixes: tuple[str, str] = PREFIXES,
    merge_biases: bool = False,
) -> dict[str, np.ndarray]:
    """The state dict of a model with a GRU and a linear layer as the tutorial's eleven matrices; see `from_tutorial`.

    Parameters
    ----------
    state : mapping of str to array
    reset, prefixes
        As `from_tutorial`.
    merge_biases : bool
        Make the one bias there the sum of our two; as `to_d2l`.

    Returns
    -------
    dict of str to ndarray
        Nine of them if `state` has no linear layer.

    Raises
    ------
    ValueError
        As `to_d2l`; or if it is no GRU.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn.app.mathmath.network import MathMath
    >>> weights = MathMath().state_dict()
    >>> again = tg.interop.to_tutorial(tg.interop.from_tutorial(weights, reset="before"), reset="before")
    >>> again.keys() == weights.keys()
    True
    """
    return _to("to_tutorial", state, TUTORIAL, reset, prefixes, merge_biases)


def _from(
    operation: str,
    weights: Mapping[str, Any],
    table: dict[int, Names],
    reset: str | None,
    prefixes: tuple[str, str],
) -> dict[str, np.ndarray]:
    _require_prefixes(operation, prefixes)
    arrays = as_arrays(operation, "weights", weights, "pass the matrices by name")
    # The kind is the first whose own gate is there; what then lacks or is too much is named.
    gates = next(
        (n for n, names in table.items() if names.gates[LETTERS[n][0]][0] in arrays),
        next(iter(table)),
    )
    names = table[gates]
    wanted = [name for letter in LETTERS[gates] for name in names.gates[letter]]
    missing = [name for name in wanted if name not in arrays]
    missing += [
        name for name in names.output if name not in arrays and set(names.output) & set(arrays)
    ]
    unknown = [str(name) for name in arrays if name not in (*wanted, *names.output)]
    if missing or unknown:
        got = "; ".join(
            [f"missing {name}" for name in missing] + [f"unexpected {name}" for name in unknown]
        )
        expected = f"{', '.join(wanted)} and perhaps {' and '.join(names.output)}"
        raise argument_error(
            operation, "weights", expected=expected, got=got, fix="check the names"
        )
    require_form(operation, gates, reset, "before", because=BEFORE)
    hidden = arrays[wanted[1]].shape[-1] if arrays[wanted[1]].ndim else 0
    inputs = arrays[wanted[0]].shape[0] if arrays[wanted[0]].ndim else 0
    shapes = ((inputs, hidden), (hidden, hidden), (hidden,))
    for i, name in enumerate(wanted):
        require_shape(
            operation, name, arrays[name], shapes[i % 3], ("(I, H)", "(H, H)", "(H,)")[i % 3]
        )
    W, U, b = (np.concatenate([arrays[name].T for name in wanted[i::3]]) for i in range(3))
    state = written(operation, [Part(W, U, *two_biases(b))], 0, prefixes[0])
    if names.output[0] not in arrays:
        return state
    matrix, bias = (arrays[name] for name in names.output)
    outputs = len(bias) if bias.ndim else 0
    require_shape(operation, names.output[0], matrix, (hidden, outputs), "(H, O)")
    return state | {f"{prefixes[1]}weight": matrix.T.copy(), f"{prefixes[1]}bias": bias}


def _to(
    operation: str,
    state: Mapping[str, Any],
    table: dict[int, Names],
    reset: str | None,
    prefixes: tuple[str, str],
    merge: bool,
) -> dict[str, np.ndarray]:
    _require_prefixes(operation, prefixes)
    parts = parts_of(operation, state, 0, prefixes[0])
    gates = gates_of(parts[0])
    if gates not in table:
        wanted, got = "a GRU (3 gates)", f"{gates} gates"
        raise argument_error(
            operation,
            "state",
            expected=wanted,
            got=got,
            fix="use to_d2l, which has names for every kind",
        )
    layer, (weight, bias) = (
        f"{prefixes[0]}weight_ih_l1",
        (f"{prefixes[1]}{name}" for name in ("weight", "bias")),
    )
    if len(parts) == 2 or layer in state:
        got = "two directions" if len(parts) == 2 else layer
        raise argument_error(
            operation,
            "state",
            expected="one layer in one direction",
            got=got,
            fix="it has names for no more",
        )
    require_form(operation, gates, reset, "before", because=BEFORE)
    part, b = parts[0], one_bias(operation, parts[0], merge)
    if b is None:
        name, fix = (
            f"{prefixes[0]}bias_ih_l0",
            "build the layer with bias=True, and make its biases zeros",
        )
        raise argument_error(
            operation, name, expected="biases, for there is one for each gate", got="none", fix=fix
        )
    stacked = [part.W, part.U, b]
    arrays = {}
    for k, letter in enumerate(LETTERS[gates]):
        for name, array in zip(table[gates].gates[letter], stacked, strict=True):
            arrays[name] = np.split(array, gates)[k].T.copy()
    if weight not in state:
        return arrays
    if bias not in state:
        raise argument_error(
            operation,
            bias,
            expected="an array under this name",
            got="none",
            fix="pass zeros if it has none",
        )
    output = as_arrays(operation, "state", {weight: state[weight], bias: state[bias]}, "")
    return arrays | {
        table[gates].output[0]: output[weight].T.copy(),
        table[gates].output[1]: output[bias],
    }


def _require_prefixes(operation: str, prefixes: Any) -> None:
    if (
        not isinstance(prefixes, tuple | list)
        or len(prefixes) != 2
        or not all(isinstance(prefix, str) for prefix in prefixes)
    ):
        wanted, fix = (
            "two str, one for the recurrent layer and one for the linear one",
            'use ("", "output.") for a layer by itself',
        )
        raise argument_error(
            operation, "prefixes", expected=wanted, got=describe(prefixes), fix=fix, kind=TypeError
        )
