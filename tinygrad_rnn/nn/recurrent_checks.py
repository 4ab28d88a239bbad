"""Checks for recurrent layers.

They check the function that makes the cells, the input, and the outputs of the cells.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from .. import check, tree
from ..errors import argument_error, describe
from ..errors.argument_names import name_error
from ..tensor import Tensor
from .cells import Cell
from .layers import check_last_axis
from .module import Module, as_input

MAKER = "a function that makes a cell"
MAKER_FIX = "pass a function of (input_size, rng) that returns the cell"

FURTHER = ("input_dropout", "state_dropout", "zoneout")
"""The settings of `Recurrent` that an RNN, a GRU and an LSTM take as ``**more``."""


def require_further_settings(kind: type, settings: dict[str, Any]) -> dict[str, Any]:
    """Return `settings`; raise TypeError for one that layers of this kind do not have."""
    known = [*list(inspect.signature(kind).parameters)[:-1], *FURTHER]
    for name in settings:
        if name not in known:
            raise name_error(kind.__name__, name, known)
    return settings


def require_cell_maker(operation: str, cell: Any) -> None:
    """Raise TypeError unless `cell` is a function that makes a cell.

    A Module is rejected because it is a cell already. A class like `GRUCell` is rejected because
    it also needs a `hidden_size`.
    """
    fix = MAKER_FIX
    is_cell_class = isinstance(cell, type) and issubclass(cell, Cell)
    if is_cell_class and "hidden_size" in inspect.signature(cell).parameters:
        fix = f"pass lambda size, rng: tg.nn.{cell.__name__}(size, 8, rng=rng), for example"
    elif callable(cell) and not isinstance(cell, Module):
        return
    raise argument_error(operation, "cell", MAKER, describe(cell), fix, TypeError)


def hidden_size_of(operation: str, cell: Any, known: int | None) -> int:
    """Return the hidden size of a cell, or `known` if the cell has no attribute ``hidden_size``.

    Raises
    ------
    TypeError
        If the cell is not callable, or the size is missing or not an integer.
    ValueError
        If the cell's size differs from `known`, or is not positive.
    """
    check.callable(operation, "cell", cell, MAKER, MAKER_FIX)
    size = check.count(operation, "hidden_size", getattr(cell, "hidden_size", known))
    if known is not None and size != known:
        expected, got = f"cells of hidden_size {known}", f"a cell of hidden_size {size}"
        fix = "give all cells the same size, or use one Recurrent for each layer"
        raise argument_error(operation, "cell", expected, got, fix)
    return size


def as_sequences(
    operation: str, x: Any, dtype: np.dtype, input_size: int, batch_first: bool
) -> Tensor:
    """Return the input of a layer as a Tensor of shape (T, B, I), (B, T, I) or (T, I).

    Raises
    ------
    TypeError
        If the dtype of `x` differs from that of the parameters.
    ValueError
        If the shape of `x` does not fit, or `x` has no time steps.
    """
    x = as_input(operation, x, dtype)
    if x.ndim not in (2, 3):
        batch = "B, T" if batch_first else "T, B"
        expected = f"shape ({batch}, {input_size}) or (T, {input_size})"
        raise argument_error(operation, "x", expected, describe(x), "reshape x")
    check_last_axis(operation, x, input_size, "input_size")
    if x.shape[1 if batch_first and x.ndim == 3 else 0] == 0:
        fix = "skip the call, and keep the state"
        raise argument_error(operation, "x", "at least one time step", describe(x), fix)
    return x


def require_one_array(operation: str, output: Any) -> None:
    """Raise ValueError if the output of a layer is a tuple, because the next layer reads one array.

    The caller does not check the last layer, which may return a tuple.
    """
    if isinstance(output, tuple):
        expected = "one array as the output of each layer but the last"
        got, fix = f"a tuple, {tree.describe(output)}", "concatenate its arrays, or use one layer"
        raise argument_error(operation, "cell", expected, got, fix)


def require_batch_axis(operation: str, outputs: Any, shape: tuple[int, ...]) -> None:
    """Raise ValueError unless each output starts with the axes in `shape` and has a feature axis.

    `shape` is (T, B), or (T,) if the input has no batch axis.

    Without a batch axis, the sequences cannot be told apart. Without a feature axis, the outputs
    of the two directions cannot be concatenated.
    """
    for part in tree.leaves(outputs):
        if part.ndim <= len(shape) or part.shape[: len(shape)] != shape:
            axes = ", ".join([*map(str, shape[1:]), "..."])
            expected = f"an output of shape ({axes}) at each step"
            fix = "keep the batch axis, and a feature axis even if its size is 1"
            got = f"{part.dtype} {part.shape[1:]}"
            raise argument_error(operation, "cell", expected, got, fix)
