"""Functions that stack the states of all layers and directions along a new first axis.

A part of a state is one leaf of its nested structure: an array, a number or None.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ops, tree
from ..errors import argument_error
from ..graph import unwrap
from ..tensor import Tensor
from .step_wrappers import is_array, keep_name


def initial_states(
    operation: str,
    cells: Sequence[Any],
    state: Any,
    batch: tuple[int, ...],
    hidden_size: int,
    dtype: np.dtype,
) -> list[Any]:
    """Return the initial state of each cell: its slice of `state`, or zeros if `state` is None.

    If a cell has a method ``zero_state``, that method makes its default state.
    """

    def zero_state(cell: Any) -> Any:
        if hasattr(cell, "zero_state"):
            return cell.zero_state(batch)
        return Tensor(np.zeros((*batch, hidden_size), dtype), name="h")

    if state is None:
        return [zero_state(cell) for cell in cells]
    if hasattr(cells[0], "check_state"):
        whole = cells[0].check_state(operation, state, (len(cells), *batch, hidden_size))

        def select(i: int) -> Any:
            return tree.map(lambda part: keep_name(part[i], part), whole)

        return [select(i) for i in range(len(cells))]
    return unstack_states(operation, state, zero_state(cells[0]), len(cells))


def stack_states(operation: str, states: Sequence[Any]) -> Any:
    """Stack n states of the same structure, part by part, into one state.

    Arrays are stacked along a new first axis, and numbers become an array of shape (n,). A part
    that is None in all states stays None.

    Raises
    ------
    ValueError
        If two states differ in the kind or the shape of a part.
    """

    def stack(*parts: Any) -> Any:
        if all(map(is_array, parts)) and all(part.shape == parts[0].shape for part in parts[1:]):
            return ops.stack(parts) if len(parts) > 1 else ops.expand_dims(*parts, axis=0)
        if all(isinstance(part, bool | int | float | np.generic) for part in parts):
            return np.array(parts)
        if any(part is not None for part in parts):
            expected = "arrays of the same shape in all layers, or numbers, or None"
            got, fix = " and ".join(map(tree.describe, parts)), "use one Recurrent for each layer"
            raise argument_error(operation, "state", expected, got, fix)
        return None

    return tree.map(stack, *states)


def unstack_states(operation: str, state: Any, zeros: Any, n: int) -> list[Any]:
    """Split `state` into the n states that were stacked. This is the inverse of `stack_states`.

    Raises
    ------
    ValueError
        If `state` is not a stack of n states with the structure, shapes and dtypes of `zeros`.
    """
    whole = tree.map(
        lambda part: part if part is None or isinstance(part, Tensor) else Tensor(part), state
    )
    expected = tree.map(lambda part: _repeat(n, part), zeros)
    has_n_rows = all(part.shape[:1] == (n,) for part in tree.leaves(whole))
    if not (tree.same_structure(expected, whole) and has_n_rows):
        fix = "stack one state for each layer and direction, because states are not broadcast"
        got = tree.describe(whole)
        raise argument_error(operation, "state", tree.describe(expected), got, fix)

    def unstack(i: int) -> Any:
        def select(zero: Any, part: Any) -> Any:
            if zero is None or part is None:
                return tree.map(lambda inner: None if inner is None else inner[i], part)
            return keep_name(part[i], part) if is_array(zero) else part[i].item()

        return tree.map(select, zeros, whole)

    return [unstack(i) for i in range(n)]


def _repeat(n: int, part: Any) -> Any:
    """Return a view that repeats `part` n times along a new first axis; return None for None."""
    array = unwrap(part)
    return None if array is None else np.broadcast_to(array, (n, *np.shape(array)))
