"""Functions that join arrays, and that add axes so that arrays can be joined."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import tree
from ..errors import argument_error, describe, messages
from ..graph import unwrap
from .composition import composition
from .elementwise import astype
from .operands import as_index, as_operands, as_sequence
from .rearranging import rearrange
from .shapes import concatenate, ravel, reshape

ATLEAST = {1: np.atleast_1d, 2: np.atleast_2d, 3: np.atleast_3d}


def _with_axes(operation: str, argument: str, arrays: Any, count: int) -> list[Any]:
    """Return the arrays with at least `count` axes each, as `numpy.atleast_3d` does for 3."""
    return [
        a if a.ndim >= count else reshape(a, ATLEAST[count](np.broadcast_to(0, a.shape)).shape)
        for a in as_sequence(operation, argument, arrays)
    ]


def _one_or_all(arrays: list[Any]) -> Any:
    """Return the only array, or a tuple of several, as `numpy.atleast_1d` does."""
    return arrays[0] if len(arrays) == 1 else tuple(arrays)


@composition(np.atleast_1d, sample=lambda r: [(r(),), (r(2, 2),), (r(), r(3))])
def atleast_1d(*arys: Any) -> Any:
    """Return each array with at least one axis: a number becomes a vector of one entry.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.atleast_1d(tg.Tensor(2.0))
    Tensor([2.])
    """
    return _one_or_all(_with_axes("atleast_1d", "arys", arys, 1))


@composition(np.atleast_2d, sample=lambda r: [(r(),), (r(3),), (r(2), r(2, 2, 2))])
def atleast_2d(*arys: Any) -> Any:
    """Return each array with at least two axes: a vector becomes a row.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.atleast_2d(tg.Tensor([1.0, 2.0])).shape
    (1, 2)
    """
    return _one_or_all(_with_axes("atleast_2d", "arys", arys, 2))


@composition(np.atleast_3d, sample=lambda r: [(r(),), (r(3),), (r(2, 3),), (r(2, 2, 2), r(1))])
def atleast_3d(*arys: Any) -> Any:
    """Return each array with at least three axes: a matrix gets a last axis of size 1.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.atleast_3d(tg.Tensor([[1.0, 2.0]])).shape
    (1, 2, 1)
    """
    return _one_or_all(_with_axes("atleast_3d", "arys", arys, 3))


@composition(np.vstack, sample=lambda r: [([r(3), r(2, 3)],), ([r(), r()],), (r(2, 3),)])
def vstack(tup: Any) -> Any:
    """Return the arrays below each other. A vector counts as a row.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.vstack([tg.Tensor([1.0, 2.0]), tg.Tensor([3.0, 4.0])])
    Tensor([[1., 2.],
            [3., 4.]])
    """
    return concatenate(_with_axes("vstack", "tup", tup, 2), 0)


@composition(np.hstack, sample=lambda r: [([r(), r(2)],), ([r(2, 1), r(2, 3)],), (r(2, 3),)])
def hstack(tup: Any) -> Any:
    """Return the arrays side by side. Vectors are joined to a longer vector, and so are numbers.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.hstack([tg.Tensor([1.0, 2.0]), 3.0])
    Tensor([1., 2., 3.])
    """
    arrays = _with_axes("hstack", "tup", tup, 1)
    return concatenate(arrays, 1 if arrays and arrays[0].ndim > 1 else 0)


@composition(np.dstack, sample=lambda r: [([r(2), r(2)],), ([r(2, 3), r(2, 3, 2)],)])
def dstack(tup: Any) -> Any:
    """Return the arrays one behind the other, along a third axis.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.dstack([tg.Tensor([1.0, 2.0]), tg.Tensor([3.0, 4.0])]).shape
    (1, 2, 2)
    """
    return concatenate(_with_axes("dstack", "tup", tup, 3), 2)


@composition(np.column_stack, sample=lambda r: [([r(2), r(2)],), ([r(2), r(2, 3)],)])
def column_stack(tup: Any) -> Any:
    """Return the arrays side by side. A vector counts as a column.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.column_stack([tg.Tensor([1.0, 2.0]), tg.Tensor([3.0, 4.0])])
    Tensor([[1., 3.],
            [2., 4.]])
    """
    arrays = as_sequence("column_stack", "tup", tup)
    return concatenate([reshape(a, (-1, 1)) if a.ndim < 2 else a for a in arrays], 1)


@composition(
    np.block,
    sample=lambda r: [
        ([r(2), r(3)],),
        ([[r(2, 2), r(2, 1)], [r(1, 2), r(1, 1)]],),
        ([[r(), 2.0]],),
        (r(2),),
    ],
)
def block(arrays: Any) -> Any:
    """Return one array that is joined from nested lists of blocks.

    For a matrix of blocks, each inner list is a row.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> a = tg.Tensor([[1.0, 2.0]])
    >>> tg.block([[a, a], [a, a]]).shape
    (2, 4)
    """

    def nest(*blocks: np.ndarray) -> np.ndarray:
        remaining = iter(blocks)
        return np.block(tree.map(lambda _: next(remaining), arrays))

    blocks: list[Any] = []
    tree.map(blocks.append, arrays)
    return rearrange("block", nest, *as_sequence("block", "arrays", blocks))


@composition(
    np.append, sample=lambda r: [(r(2, 2), r(3)), (r(2, 2), r(1, 2), 0), (r(2), 1.5), ([1.0], r())]
)
def append(arr: Any, values: Any, axis: int | None = None) -> Any:
    """Return `arr` with `values` after its last entry. Without `axis`, both are flattened first.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.append(tg.Tensor([1.0, 2.0]), 3.0)
    Tensor([1., 2., 3.])
    """
    arrays = as_operands("append", arr=arr, values=values)
    if axis is None:
        return concatenate([ravel(a) for a in arrays])
    return concatenate(arrays, axis)


@composition(
    np.insert,
    sample=lambda r: [
        (r(3), 1, r()),
        (r(3), [0, 0, 3], r(3)),
        (r(2, 3), 1, r(2), 1),
        (r(2, 3), [2, -1], 1.5, {"axis": -1}),
        (r(2, 2), slice(0, 4, 2), r(2)),
    ],
)
def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    """Return `arr` with `values` put before the positions `obj` along `axis`.

    Without `axis`, `arr` is flattened first.

    Raises
    ------
    TypeError
        If `arr` has no floating dtype and `values` have one, because they would be rounded.
    ValueError
        If the integer dtype of `arr` cannot hold one of the `values`.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.insert(tg.Tensor([1.0, 3.0]), 1, 2.0)
    Tensor([1., 2., 3.])
    """
    arr, values = as_operands("insert", arr=arr, values=values)
    if values.dtype != arr.dtype:
        if values.dtype.kind == "f" and arr.dtype.kind != "f":
            expected, fix = "a floating dtype, as values has", "use arr.astype(values.dtype)"
            raise argument_error("insert", "arr", expected, describe(arr), fix, TypeError)
        if arr.dtype.kind != "f":
            messages.fits("insert", "values", unwrap(values), arr.dtype)
        values = astype(values, dtype=arr.dtype)
    obj = as_index("insert", "obj", obj)
    return rearrange("insert", lambda arr, values: np.insert(arr, obj, values, axis), arr, values)
