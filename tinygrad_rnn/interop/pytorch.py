"""PyTorch's state dicts, which are ours: only the names and shapes of recurrent layers are checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import argument_error
from .layout import as_arrays, gates_of, parts_of, require_form

RECURRENT = re.compile(
    r"(?P<prefix>.*?)(?:weight|bias)_(?P<what>ih|hh|hr)_l(?P<layer>\d+)(?:_reverse)?"
)


def from_pytorch(weights: Mapping[str, Any], *, reset: str = "after") -> dict[str, np.ndarray]:
    """A state dict of PyTorch as plain arrays under the same names: the identity, checked.

    Names and layout of `torch.nn.RNN`, `LSTM`, `GRU`, `Linear`, `Embedding` and `LayerNorm` are those of our layers, and
    `torch.nn.GRU` is our GRU with ``reset="after"``. Conventions: the documentation of these classes.

    Parameters
    ----------
    weights : mapping of str to array or tensor
        Of one layer, or of a whole model.
    reset : {"after"}
        The form of our GRUs, if there are any: "before" is refused, for PyTorch has the other.

    Returns
    -------
    dict of str to ndarray
        Copies, for ``load_state_dict``.

    Raises
    ------
    ValueError
        If the arrays of a recurrent layer do not belong together, it has projections (``weight_hr``), which ours have not, or
        it is a GRU and `reset` is "before", which cannot be converted.
    TypeError
        If an entry cannot be read as an array.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> gru = tg.nn.GRU(3, 2, rng=0)
    >>> list(tg.interop.from_pytorch(gru.state_dict()))
    ['weight_ih_l0', 'weight_hh_l0', 'bias_ih_l0', 'bias_hh_l0']
    """
    return _checked("from_pytorch", "weights", weights, reset)


def to_pytorch(state: Mapping[str, Any], *, reset: str = "after") -> dict[str, np.ndarray]:
    """Our state dict for PyTorch: the same names and arrays, checked; see `from_pytorch`.

    ``module.load_state_dict({name: torch.from_numpy(array) for name, array in to_pytorch(state).items()})`` takes it. Say
    ``reset="before"`` if that is the form of your GRU: it is refused then, while the arrays alone do not tell.

    Parameters
    ----------
    state : mapping of str to array
        Of one layer, or of a whole model.
    reset : {"after"}
        The form of our GRUs, if there are any: "before" is refused.

    Returns
    -------
    dict of str to ndarray
        Copies.

    Raises
    ------
    ValueError, TypeError
        As `from_pytorch`.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.interop.to_pytorch(tg.nn.Linear(3, 2, rng=0).state_dict())["weight"].shape
    (2, 3)
    """
    return _checked("to_pytorch", "state", state, reset)


def _checked(
    operation: str, argument: str, weights: Mapping[str, Any], reset: str
) -> dict[str, np.ndarray]:
    arrays = as_arrays(operation, argument, weights, "pass module.state_dict()")
    layers: dict[tuple[str, int], None] = {}
    for name in arrays:
        found = RECURRENT.fullmatch(str(name))
        if found and found["what"] == "hr":
            wanted = "a layer without projections"
            raise argument_error(
                operation,
                name,
                expected=wanted,
                got="one with proj_size > 0",
                fix="ours hands on h as it is; train without",
            )
        if found:
            layers[found["prefix"], int(found["layer"])] = None
    for prefix, layer in layers:
        parts = parts_of(operation, arrays, layer, prefix)
        if gates_of(parts[0]) == 3:
            require_form(operation, 3, reset, "after", because="torch.nn.GRU has that form")
    return arrays
