"""Conversion of PyTorch's state dicts: a copy of the arrays, and a check of recurrent layers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import check
from .layout import copy_arrays, read_layer, require_form

RECURRENT = re.compile(
    r"(?P<prefix>.*?)(?:weight|bias)_(?P<matrix>ih|hh|hr)_l(?P<layer>\d+)(?:_reverse)?"
)


def from_pytorch(weights: Mapping[str, Any], *, reset: str = "after") -> dict[str, np.ndarray]:
    """Check a PyTorch state dict, and return it as plain arrays under the same names.

    Our layers have the parameter names and the layout of `torch.nn.RNN`, `LSTM`, `GRU`, `Linear`,
    `Embedding` and `LayerNorm`. PyTorch's documentation of these classes describes the layout.
    `torch.nn.GRU` computes the same as our GRU with ``reset="after"``.

    Parameters
    ----------
    weights : mapping of str to array or tensor
        The state dict of one layer or of a whole model.
    reset : {"after"}
        The `reset` setting of our GRUs. If the state dict contains a GRU, "before" raises
        ValueError, because PyTorch's GRU only has the form "after".

    Returns
    -------
    dict of str to ndarray
        Copies of the arrays, for ``load_state_dict``.

    Raises
    ------
    ValueError
        If a recurrent layer lacks an array or its shapes do not fit together, if a layer has
        projections (``weight_hr``), which our layers do not have, or if a layer is a GRU and
        `reset` is not "after".
    TypeError
        If `weights` is not a mapping, or an entry is not an array of real numbers.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> gru = tg.nn.GRU(3, 2, rng=0)
    >>> list(tg.interop.from_pytorch(gru.state_dict()))
    ['weight_ih_l0', 'weight_hh_l0', 'bias_ih_l0', 'bias_hh_l0']
    """
    return _copy_checked("from_pytorch", "weights", weights, reset)


def to_pytorch(state: Mapping[str, Any], *, reset: str = "after") -> dict[str, np.ndarray]:
    """Check our state dict, and return it for PyTorch: copies of the arrays under the same names.

    Load it with ``module.load_state_dict({name: torch.from_numpy(array) for name, array in
    to_pytorch(state).items()})``. The arrays do not show which `reset` setting a GRU has. If
    your GRU has ``reset="before"``, pass it here too: the call then raises ValueError instead of
    returning weights that PyTorch's GRU would misread.

    Parameters
    ----------
    state : mapping of str to array
        The state dict of one layer or of a whole model.
    reset : {"after"}
        The `reset` setting of our GRUs. If the state dict contains a GRU, "before" raises
        ValueError.

    Returns
    -------
    dict of str to ndarray
        Copies of the arrays.

    Raises
    ------
    ValueError, TypeError
        In the same cases as `from_pytorch`.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.interop.to_pytorch(tg.nn.Linear(3, 2, rng=0).state_dict())["weight"].shape
    (2, 3)
    """
    return _copy_checked("to_pytorch", "state", state, reset)


def _copy_checked(
    operation: str, argument: str, weights: Mapping[str, Any], reset: str
) -> dict[str, np.ndarray]:
    """Check every recurrent layer in a state dict, and return copies of all its arrays."""
    arrays = copy_arrays(operation, argument, weights, "pass module.state_dict()")
    expected, got = "a layer without projections", "proj_size > 0"
    fix = "train without proj_size, because our LSTM has no projections"
    layers: dict[tuple[str, int], None] = {}
    for name in arrays:
        match = RECURRENT.fullmatch(str(name))
        if match:
            check.require(match["matrix"] != "hr", operation, name, expected, got, fix)
            layers[match["prefix"], int(match["layer"])] = None
    for prefix, layer in layers:
        if read_layer(operation, arrays, layer, prefix)[0].gates == 3:
            require_form(operation, 3, reset, "after", "torch.nn.GRU has that form")
    return arrays
