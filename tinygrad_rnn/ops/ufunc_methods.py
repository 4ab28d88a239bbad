"""The methods of NumPy's ufuncs on Tensors: `reduce`, `accumulate`, `outer` and `reduceat`.

A sum, product, maximum and minimum is one op. Any other reduction calls the ufunc's op once for
each entry along the axis, as its definition says: ``subtract.reduce`` of a, b, c is (a − b) − c.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce as fold
from itertools import accumulate as running
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from ..errors import argument_error, describe
from ..graph import unwrap
from .cumulative import cumprod
from .indexing import where as choose
from .operands import as_operand, as_operands
from .reductions import cumsum, logsumexp, max, min, prod, sum
from .shapes import expand_dims, moveaxis, reshape, stack

Op = Callable[..., Any]

reductions: dict[Any, Op] = {
    np.add: sum, np.multiply: prod, np.maximum: max, np.minimum: min, np.logaddexp: logsumexp,
}  # fmt: skip
"""The ufuncs whose reduction is one op."""

neutral = {
    np.add: 0, np.multiply: 1, np.maximum: -math.inf, np.minimum: math.inf,
    np.fmax: -math.inf, np.fmin: math.inf, np.hypot: 0,
    np.logaddexp: -math.inf, np.logaddexp2: -math.inf,
}  # fmt: skip
"""The number that changes nothing, by ufunc. These ufuncs may take their entries in any order."""


KEEP_INTEGERS = (np.add, np.multiply, np.maximum, np.minimum)
"""The ufuncs that `initial` is for, and whose result for integers is an integer."""


def reduce(
    ufunc: np.ufunc,
    op: Op,
    array: Any,
    axis: Any = 0,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    """Return ``ufunc.reduce(array, axis, ...)``. `op` computes the ufunc of two arguments.

    Entries where `where` is False are left out. `initial` counts as the first entry.

    Raises
    ------
    ValueError
        If there is no entry and no `initial`, if there is a mask and no number to begin with, or if
        there are several axes and the ufunc must take its entries in order.
    """
    a = as_operand(_name(ufunc), "array", array)
    axes = _axes(a, axis)
    if ufunc in KEEP_INTEGERS and a.dtype.kind != "f" and isinstance(initial, float):
        initial = _whole(ufunc, initial)
    if where is not True:
        where = np.broadcast_to(unwrap(as_operand(_name(ufunc), "where", where)), a.shape)
        a = choose(where, a, _number_left_out(ufunc, a, initial))
    if len(axes) > 1 and ufunc not in neutral:
        got, fix = describe(axis), "reduce one axis after the other"
        raise argument_error(_name(ufunc), "axis", "one axis", got, fix)
    if ufunc not in reductions:
        return _fold(ufunc, op, a, axes, keepdims, initial, where)
    first = ufunc.identity if initial is None else initial
    if first is not None and not a.size:
        return sum(a, axis=axes, keepdims=keepdims) + first  # the sum is zeros of the right shape
    result = reductions[ufunc](a, axis=axes, keepdims=keepdims)
    return result if initial is None else op(initial, result)


def _name(ufunc: np.ufunc, method: str = "reduce") -> str:
    """Return the name of a method of a ufunc, for messages: ``np.add.reduce``."""
    return f"np.{ufunc.__name__}.{method}"


def _axes(a: Any, axis: Any) -> tuple[int, ...]:
    """Return the axes to reduce, counted from the front.

    An array without axes counts as one entry, so axis 0 or −1 selects no axis.
    """
    if axis is None or (not a.ndim and axis in (0, -1)):
        return tuple(range(a.ndim))
    return normalize_axis_tuple(axis, a.ndim)


def _whole(ufunc: np.ufunc, initial: float) -> int:
    """Return `initial` as an integer; raise ValueError if NumPy would round it."""
    if not initial.is_integer():
        operation, expected = _name(ufunc), "a whole number, as in the array"
        fix = "use array.astype(float) for floats"
        raise argument_error(operation, "initial", expected, describe(initial), fix)
    return int(initial)


def _number_left_out(ufunc: np.ufunc, a: Any, initial: Any) -> Any:
    """Return the number to put where an entry of `a` is left out: one that changes nothing, or 1.

    Raise ValueError if `ufunc` needs `initial` and it is None.
    """
    if initial is None and ufunc.identity is None:
        fix = "pass initial=, the number to begin with"
        expected = "a mask together with initial="
        raise argument_error(_name(ufunc), "where=", expected, "a mask", fix)
    return neutral.get(ufunc, 1) if a.dtype.kind == "f" or initial is None else initial


def _fold(
    ufunc: np.ufunc, op: Op, a: Any, axes: tuple[int, ...], keepdims: bool, initial: Any, where: Any
) -> Any:
    """Return the reduction of `a` along `axes`, by a call of `op` for each entry.

    If no number can stand for an entry that is left out, such a call is undone.
    """
    kept = [n for i, n in enumerate(a.shape) if i not in axes]
    count = math.prod(a.shape[i] for i in axes)
    moved = reshape(moveaxis(a, axes, range(len(axes))), (count, *kept))
    entries = [moved[i] for i in range(len(moved))]
    first = ufunc.identity if initial is None and not entries else initial
    entries = entries if first is None else [first, *entries]
    if not entries:
        operation, fix = _name(ufunc), "pass initial="
        raise argument_error(operation, "array", "at least one entry", describe(a), fix)
    if where is True or ufunc in neutral:
        result = fold(op, entries)
    else:
        result = entries[0]
        for x, is_chosen in zip(entries[1:], np.moveaxis(where, axes[0], 0), strict=True):
            result = choose(is_chosen, op(result, x), result)
    if len(entries) == 1 and first is not None:
        result = sum(moved, axis=0) + first  # the sum of no entries is zeros of the right shape
    return expand_dims(result, tuple(sorted(axes))) if keepdims else result


def accumulate(ufunc: np.ufunc, op: Op, array: Any, axis: int = 0) -> Any:
    """Return ``ufunc.accumulate(array, axis)``: the reductions of the first 1, 2, … entries."""
    a = as_operand(_name(ufunc, "accumulate"), "array", array)
    axis = normalize_axis_index(axis, a.ndim)
    if ufunc in (np.add, np.multiply):
        return (cumsum if ufunc is np.add else cumprod)(a, axis=axis)
    moved = moveaxis(a, axis, 0)
    results = list(running([moved[i] for i in range(len(moved))], op))
    return stack(results, axis=axis) if results else a


def outer(ufunc: np.ufunc, op: Op, a: Any, b: Any) -> Any:
    """Return ``ufunc.outer(a, b)``: the ufunc of each entry of `a` with each entry of `b`."""
    a, b = as_operands(_name(ufunc, "outer"), a=a, b=b)
    return op(reshape(a, a.shape + (1,) * b.ndim), b)


def reduceat(ufunc: np.ufunc, op: Op, array: Any, indices: Any, axis: int = 0) -> Any:
    """Return ``ufunc.reduceat(array, indices, axis)``: the reduction of each slice of `array`.

    A slice goes from one index to the next. If the next index is not larger, the slice has one
    entry.

    Raises
    ------
    IndexError
        If an index is negative, or not below the size of `axis`.
    """
    a = as_operand(_name(ufunc, "reduceat"), "array", array)
    axis = normalize_axis_index(axis, a.ndim)
    moved, starts = moveaxis(a, axis, 0), [int(i) for i in indices]
    if not starts:
        return moveaxis(moved[:0], 0, axis)
    outside = [i for i in starts if not 0 <= i < len(moved)]
    if outside:
        operation, expected = _name(ufunc, "reduceat"), f"integers from 0 to {len(moved) - 1}"
        fix = "count from the front, and leave out what lies behind the end"
        got = f"{outside[0]} for {describe(a)}"
        raise argument_error(operation, "indices", expected, got, fix, IndexError)
    stops = [
        stop if stop > i else i + 1
        for i, stop in zip(starts, [*starts[1:], len(moved)], strict=True)
    ]
    parts = [reduce(ufunc, op, moved[i:stop]) for i, stop in zip(starts, stops, strict=True)]
    return stack(parts, axis=axis)
