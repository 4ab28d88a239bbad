"""Ops that arrange the same entries in another shape or order."""

from __future__ import annotations

from itertools import accumulate
from operator import index
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from .. import check
from ..errors import argument_error, describe
from ..op import apply
from .composition import composition
from .definition import op
from .operands import as_operand, as_sequence


@op(
    "reshape({a}, {shape})",
    shapes="any shape → shape, with the same number of entries",
    sample=lambda r: [(r(3, 4), {"shape": (2, -1)}), (r(2, 2), {"shape": (4,)})],
    reference=np.reshape,
)
def reshape(a: Any, *, shape: Any) -> Any:
    """Return the entries of `a` in another shape, in row-major order. One size may be −1; it is
    then computed from the other sizes. The result is exact, and it is a view if NumPy can make one.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.reshape(tg.Tensor([1.0, 2.0, 3.0, 4.0]), (2, -1))
    Tensor([[1., 2.],
            [3., 4.]])
    """
    return np.reshape(a, shape)


reshape.vjps(a=lambda g, y, a, shape: g.reshape(a.shape))


@composition(
    np.reshape, sample=lambda r: [(r(2, 6), (3, -1)), (r(2, 3, 2), (4, 3), {"order": "F"})]
)
def _reshape(a: Any, shape: Any, order: str = "C") -> Any:
    """Return the entries of `a` in another shape, in row- or column-major order ("C", "F")."""
    a = as_operand("reshape", "a", a)
    if check.one_of("reshape", "order", order, ("C", "F")) == "C":
        return reshape(a, shape=shape)
    return transpose(reshape(transpose(a), shape=shape[::-1] if np.ndim(shape) else shape))


@composition(np.ravel, sample=lambda r: [(r(2, 3),), (r(),), (r(0, 2),), (r(2, 3), "F")])
def ravel(a: Any, order: str = "C") -> Any:
    """Return `a` flattened to one axis, in row-major order ("C") or in column-major order ("F").

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.ravel(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]))
    Tensor([1., 2., 3., 4.])
    """
    a = as_operand("ravel", "a", a)
    if check.one_of("ravel", "order", order, ("C", "F")) == "F":
        a = transpose(a)
    return apply(reshape, (a,), {"shape": (-1,)})


@op(
    "{a}ᵀ",
    shapes="(i, …, j) → (j, …, i), or in the order given by axes",
    sample=lambda r: [
        (r(3, 4),),
        (r(2, 3, 4), {"axes": (1, 2, 0)}),
        (r(2, 3, 4), {"axes": (0, -1, 1)}),
    ],
    reference=np.transpose,
)
def transpose(a: Any, *, axes: Any = None) -> Any:
    """Return `a` with its axes in reverse order, or in the order `axes`. The result is a view.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.transpose(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]))
    Tensor([[1., 3.],
            [2., 4.]])
    """
    return np.transpose(a, axes)


transpose.vjps(a=lambda g, y, a, axes: transpose(g, invert_permutation(axes)))


def invert_permutation(axes: Any) -> Any:
    """Return the permutation of axes that undoes the permutation `axes`."""
    if axes is None or np.ndim(axes) == 0:  # reversed, or a single axis
        return None
    return tuple(int(i) for i in np.argsort([axis % len(axes) for axis in axes]))


@composition(np.swapaxes, sample=lambda r: [(r(2, 3, 4), 0, -1), (r(2, 3), 1, 0)])
def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    """Return `a` with two axes exchanged.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.swapaxes(tg.Tensor([[1.0, 2.0]]), 0, 1).shape
    (2, 1)
    """
    a = as_operand("swapaxes", "a", a)
    n = a.ndim
    first = normalize_axis_index(axis1, n, "swapaxes: axis1")
    second = normalize_axis_index(axis2, n, "swapaxes: axis2")
    axes = list(range(n))
    axes[first], axes[second] = second, first
    return transpose(a, tuple(axes))


@composition(
    np.moveaxis,
    sample=lambda r: [
        (r(2, 3, 4), -1, 1),
        (r(2, 3, 4), [0, 1], [-1, 0]),
        (r(2, 3, 4), (2, 0, 1), (0, 1, -1)),
    ],
)
def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    """Return `a` with one or several axes moved to new positions; the other axes keep their order.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> tg.moveaxis(tg.Tensor(np.zeros((2, 3, 4))), 0, -1).shape
    (3, 4, 2)
    """
    a = as_operand("moveaxis", "a", a)
    n = a.ndim
    starts = normalize_axis_tuple(source, n, "moveaxis: source")
    ends = normalize_axis_tuple(destination, n, "moveaxis: destination")
    if len(starts) != len(ends):
        expected, got = f"{len(starts)} axes, as in source", f"{len(ends)}: {destination}"
        fix = "give one new position for each axis in source"
        raise argument_error("moveaxis", "destination", expected, got, fix)
    axes = [axis for axis in range(n) if axis not in starts]
    for end, start in sorted(zip(ends, starts, strict=True)):
        axes.insert(end, start)
    return transpose(a, tuple(axes))


@composition(
    np.rollaxis,
    sample=lambda r: [(r(2, 3, 4), 2), (r(2, 3, 4), 0, 3), (r(2, 3, 4), -1, {"start": -2})],
)
def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    """Return `a` with one axis moved to lie before the axis `start`; see `moveaxis`.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> tg.rollaxis(tg.Tensor(np.zeros((2, 3, 4))), 2).shape
    (4, 2, 3)
    """
    a = as_operand("rollaxis", "a", a)
    n = a.ndim
    axis = normalize_axis_index(axis, n, "rollaxis: axis")
    start = n if start == n else normalize_axis_index(start, n, "rollaxis: start")
    return moveaxis(a, axis, start - 1 if axis < start else start)


@op(
    "squeeze({a})",
    shapes="(…, 1, …) → (…)",
    sample=lambda r: [(r(3, 1, 2, 1),), (r(3, 1, 2, 1), {"axis": 1})],
    reference=np.squeeze,
)
def squeeze(a: Any, *, axis: Any = None) -> Any:
    """Return `a` without its axes of size 1. If `axis` is given, only these axes are removed. The
    result is a view.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.squeeze(tg.Tensor([[1.0, 2.0]]))
    Tensor([1., 2.])
    """
    return np.squeeze(a, axis)


squeeze.vjps(a=lambda g, y, a, axis: g.reshape(a.shape))


@op(
    "expand_dims({a}, {axis})",
    shapes="(…) → (…, 1, …)",
    sample=lambda r: [(r(3, 2), {"axis": 1}), (r(3), {"axis": (0, -1)})],
    reference=np.expand_dims,
)
def expand_dims(a: Any, *, axis: Any) -> Any:
    """Return `a` with new axes of size 1 at `axis`. The result is a view.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.expand_dims(tg.Tensor([1.0, 2.0]), 0)
    Tensor([[1., 2.]])
    """
    return np.expand_dims(a, axis)


expand_dims.vjps(a=lambda g, y, a, axis: g.reshape(a.shape))


@op(
    "broadcast({a}, {shape})",
    shapes="(…) → shape",
    sample=lambda r: [(r(3, 1), {"shape": (2, 3, 4)}), (r(), {"shape": (2,)})],
    reference=np.broadcast_to,
)
def broadcast_to(a: Any, *, shape: Any) -> Any:
    """Return `a` repeated along axes of size 1, and along new leading axes, so that it has `shape`.
    The result is a read-only view, not a copy.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.broadcast_to(tg.Tensor([1.0, 2.0]), (2, 2))
    Tensor([[1., 2.],
            [1., 2.]])
    """
    return np.broadcast_to(a, shape)


broadcast_to.vjps(a=lambda g, y, a, shape: g)


@composition(
    np.broadcast_arrays, sample=lambda r: [(r(3), r(2, 1)), (r(), r(2)), (r(2),), (r(0, 1), r(3))]
)
def broadcast_arrays(*args: Any) -> tuple[Any, ...]:
    """Return the arrays, each repeated along axes so that all have one shape; see `broadcast_to`.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.broadcast_arrays(tg.Tensor([1.0, 2.0]), tg.Tensor([[3.0]]))[1]
    Tensor([[3., 3.]])
    """
    arrays = as_sequence("broadcast_arrays", "args", args)
    shape = np.broadcast_shapes(*[a.shape for a in arrays])
    return tuple([broadcast_to(a, shape) for a in arrays])


@op(
    "flip({a})",
    shapes="(…) → (…)",
    sample=lambda r: [(r(3, 4),), (r(3, 4), {"axis": 0})],
    reference=np.flip,
)
def flip(a: Any, *, axis: Any = None) -> Any:
    """Return `a` in reverse order along `axis`, or along all axes if it is None. The result is a
    view.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.flip(tg.Tensor([1.0, 2.0]))
    Tensor([2., 1.])
    """
    return np.flip(a, axis)


flip.vjps(a=lambda g, y, a, axis: flip(g, axis))


@op(
    "concatenate({arrays})",
    shapes="(…, m, …), (…, n, …), … → (…, m + n + …, …)",
    sample=lambda r: [((r(2, 3), r(1, 3)),), ((r(2, 3), r(2, 1), r(2, 2)), {"axis": -1})],
    fix="give a list of at least one array; the arrays may differ in size only along axis",
    reference=lambda *arrays, axis: np.concatenate(arrays, axis),
)
def concatenate(*arrays: Any, axis: int = 0) -> Any:
    """Join arrays one after another along an existing axis. The result is an exact copy.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.concatenate([tg.Tensor([1.0, 2.0]), tg.Tensor([3.0])])
    Tensor([1., 2., 3.])
    """
    if axis is None:
        raise TypeError("axis must be an integer, not None; flatten the arrays with reshape(-1)")
    return np.concatenate(arrays, axis)


concatenate.vjps(arrays=lambda g, y, *arrays, axis: split(g, split_points(arrays, axis), axis))


def split_points(arrays: Any, axis: int) -> list[int]:
    """Return the indices along `axis` at which the second and later arrays begin in the result."""
    return list(accumulate(a.shape[axis] for a in arrays[:-1]))


@op(
    "stack({arrays})",
    shapes="k arrays of shape (…) → (…, k, …)",
    sample=lambda r: [((r(2, 3), r(2, 3)),), ((r(2, 3), r(2, 3), r(2, 3)), {"axis": -1})],
    fix="give a list of at least one array; all must have the same shape",
    reference=lambda *arrays, axis: np.moveaxis(np.array(arrays), 0, axis),
)
def stack(*arrays: Any, axis: int = 0) -> Any:
    """Join arrays of one shape along a new axis. The result is an exact copy.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.stack([tg.Tensor([1.0, 2.0]), tg.Tensor([3.0, 4.0])])
    Tensor([[1., 2.],
            [3., 4.]])
    """
    return np.stack(arrays, axis)


stack.vjps(arrays=lambda g, y, *arrays, axis: list(moveaxis(g, axis, 0) if axis else g))


@composition(np.split, sample=lambda r: [(r(2, 6), 3, 1), (r(2, 6), [1, 4], -1), (r(4), [2, 2])])
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Cut `ary` along `axis` and return the list of parts, as `numpy.split` does.

    If `indices_or_sections` is an integer, it is the number of equal sections. If it is a list, it
    has the indices to cut at.

    Raises
    ------
    ValueError
        If the axis cannot be cut into that many equal sections.
    TypeError
        If `indices_or_sections` is neither an integer nor a list of integers.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.split(tg.Tensor([1.0, 2.0, 3.0]), [1])
    [Tensor([1.]), Tensor([2., 3.])]
    """
    a = as_operand("split", "ary", ary)
    axis = normalize_axis_index(axis, a.ndim, "split: axis")
    given = np.asarray(indices_or_sections)
    if given.dtype.kind not in "iu" and given.size:
        expected, got = "an integer, or indices to cut at", describe(indices_or_sections)
        fix = "pass integers, [1, 3] for example"
        raise argument_error("split", "indices_or_sections", expected, got, fix, TypeError)
    size = a.shape[axis]
    if given.ndim == 0:
        sections = index(indices_or_sections)
        if sections < 1 or size % sections:
            expected, fix = f"a divisor of {size}", "pass a divisor, or a list of indices to cut at"
            raise argument_error("split", "indices_or_sections", expected, str(sections), fix)
        cuts = [size // sections * i for i in range(1, sections)]
    else:
        cuts = [index(i) for i in indices_or_sections]
    before = (slice(None),) * axis
    sections = [slice(start, stop) for start, stop in zip([0, *cuts], [*cuts, size], strict=True)]
    return [a[(*before, section) if before else section] for section in sections]
