"""Products of vectors and of arrays with more axes than a matrix, composed of matrix products."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from .. import check
from ..errors import argument_error, describe
from ..graph import Value
from ..op import apply
from .composition import composition
from .elementwise import astype
from .operands import as_operands
from .products import _matmul, matmul
from .reductions import sum
from .shapes import expand_dims, moveaxis, ravel, reshape, stack, transpose


@composition(
    np.tensordot,
    np.linalg.tensordot,
    sample=lambda r: [
        (r(2, 3, 4), r(3, 4, 2)),
        (r(3, 2), r(2), {"axes": 1}),
        (r(2), r(3), {"axes": 0}),
        (r(2, 3), r(4, 3, 2), {"axes": ([0, 1], [2, 1])}),
        (r(2, 3), r(3, 2), {"axes": (-1, 0)}),
    ],
)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """Return the sum of the products of `a` and `b` over pairs of axes.

    `axes` is a pair, the axes of `a` and the axes of `b`; or a number n, for the last n axes of `a`
    and the first n axes of `b`. The other axes remain, first those of `a`.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.tensordot(tg.Tensor([1.0, 2.0]), tg.Tensor([3.0, 4.0]), 1)
    Tensor(11.)
    """
    a, b = as_operands("tensordot", a=a, b=b)
    if np.ndim(axes) if isinstance(axes, np.ndarray) else isinstance(axes, list | tuple):
        first, second = axes
    else:
        count = check.count("tensordot", "axes", axes, low=0)
        first, second = range(-count, 0), range(count)
    first = normalize_axis_tuple(first, a.ndim, "tensordot: axes of a")
    second = normalize_axis_tuple(second, b.ndim, "tensordot: axes of b")
    summed = [a.shape[i] for i in first]
    if summed != [b.shape[i] for i in second]:
        got = f"{describe(a)} and {describe(b)}"
        fix = "choose axes of equal sizes"
        raise argument_error("tensordot", "axes", "pairs of axes of equal sizes", got, fix)
    free_a = [i for i in range(a.ndim) if i not in first]
    free_b = [i for i in range(b.ndim) if i not in second]
    shape = [*[a.shape[i] for i in free_a], *[b.shape[i] for i in free_b]]
    rows, columns = prod(shape[: len(free_a)]), prod(shape[len(free_a) :])
    left = reshape(transpose(a, (*free_a, *first)), (rows, prod(summed)))
    right = reshape(transpose(b, (*second, *free_b)), (prod(summed), columns))
    return reshape(matmul(left, right), tuple(shape))


@composition(
    np.dot,
    sample=lambda r: [
        (r(3), r(3)),
        (r(2, 3), r(3, 2)),
        (r(2, 3), r(3)),
        (r(2), r(3, 2, 2)),
        (r(2, 3), r(2, 3, 2)),
        (r(2, 2), 1.5),
        (r(), r(3)),
    ],
)
def dot(a: Any, b: Any) -> Any:
    """Return the sum of products over the last axis of `a` and the second to last axis of `b`.

    A vector `b` has only one axis. A number multiplies the other argument.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.dot(tg.Tensor([1.0, 2.0]), tg.Tensor([3.0, 4.0]))
    Tensor(11.)
    """
    are_tensors = isinstance(a, Value) and isinstance(b, Value)
    if are_tensors and a.array.ndim > 1 and b.array.ndim == 2:
        return apply(_matmul, (a, b), {})
    a, b = as_operands("dot", a=a, b=b)
    if a.ndim and 0 < b.ndim < 3:
        return matmul(a, b)
    return tensordot(a, b, (-1, -2)) if a.ndim and b.ndim else a * b


@composition(
    np.inner,
    sample=lambda r: [
        (r(3), r(3)),
        (r(2, 3), r(3)),
        (r(2, 3), r(4, 1, 3)),
        (r(2), 1.5),
        (r(), r()),
    ],
)
def inner(a: Any, b: Any, /) -> Any:
    """Return the sum of products over the last axis of both arguments.

    A number multiplies the other argument.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.inner(tg.Tensor([[1.0, 2.0]]), tg.Tensor([3.0, 4.0]))
    Tensor([11.])
    """
    a, b = as_operands("inner", a=a, b=b)
    return tensordot(a, b, (-1, -1)) if a.ndim and b.ndim else a * b


@composition(np.vdot, sample=lambda r: [(r(3), r(3)), (r(2, 3), r(3, 2)), (r(), 2.0)])
def vdot(a: Any, b: Any, /) -> Any:
    """Return the sum of the products of all entries, in row-major order.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.vdot(tg.Tensor([[1.0, 2.0]]), tg.Tensor([3.0, 4.0]))
    Tensor(11.)
    """
    a, b = as_operands("vdot", a=a, b=b)
    return matmul(ravel(a), ravel(b))


@composition(np.linalg.vecdot, np.vecdot, sample=lambda r: [(r(3), r(3)), (r(2, 1, 3), r(4, 3))])
def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """Return the sum of products along one axis. The other axes broadcast.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.vecdot(tg.Tensor([[1.0, 2.0], [0.0, 1.0]]), tg.Tensor([3.0, 4.0]))
    Tensor([11.,  4.])
    """
    x1, x2 = as_operands("vecdot", x1=x1, x2=x2)
    x1, x2 = moveaxis(x1, axis, -1), moveaxis(x2, axis, -1)
    if x1.shape[-1] != x2.shape[-1]:
        expected, got = f"{x1.shape[-1]} entries along the axis, as in x1", describe(x2)
        raise argument_error("vecdot", "x2", expected, got, "give both the same size there")
    products = x1 * x2
    total = sum(products, axis=-1)
    if total.dtype == products.dtype:
        return total
    return astype(total, dtype=products.dtype)  # NumPy adds small integers in their own dtype


@composition(
    np.kron,
    sample=lambda r: [
        (r(2), r(3)),
        (r(2, 2), r(3, 1)),
        (r(2), r(2, 2)),
        (r(2, 1, 2), r(2)),
        (r(), r(2)),
    ],
)
def kron(a: Any, b: Any) -> Any:
    """Return the Kronecker product: every entry of `a` times the whole of `b`, in blocks.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.kron(tg.Tensor([1.0, 10.0]), tg.Tensor([1.0, 2.0]))
    Tensor([ 1.,  2., 10., 20.])
    """
    a, b = as_operands("kron", a=a, b=b)
    axes = max(a.ndim, b.ndim)
    outer, inner_ = ((1,) * (axes - x.ndim) + x.shape for x in (a, b))
    blocks = expand_dims(reshape(a, outer), tuple(range(1, 2 * axes, 2)))
    within = expand_dims(reshape(b, inner_), tuple(range(0, 2 * axes, 2)))
    return reshape(blocks * within, tuple([m * n for m, n in zip(outer, inner_, strict=True)]))


@composition(
    np.cross,
    sample=lambda r: [
        (r(3), r(3)),
        (r(4, 3), r(3)),
        (r(3, 2), r(3, 2), {"axis": 0}),
        (r(3, 2), r(2, 3), 0, 1, 0),
    ],
)
def cross(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Any:
    """Return the cross product of vectors of three entries, along `axis` or the last axis.

    The third entry of a vector of two entries is 0. Of two vectors of two entries, only the third
    entry of the product is returned, because the others are 0.

    Raises
    ------
    ValueError
        If the vectors have neither two nor three entries.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.cross(tg.Tensor([1.0, 0.0, 0.0]), tg.Tensor([0.0, 1.0, 0.0]))
    Tensor([0., 0., 1.])
    """
    a, b = as_operands("cross", a=a, b=b)
    if axis is not None:
        axisa = axisb = axisc = axis
    a = moveaxis(a, normalize_axis_index(axisa, a.ndim, "cross: axisa"), -1)
    b = moveaxis(b, normalize_axis_index(axisb, b.ndim, "cross: axisb"), -1)
    for name, x in (("a", a), ("b", b)):
        if x.shape[-1] not in (2, 3):
            fix = "select three entries, or name the axis of the vectors with axis="
            raise argument_error("cross", name, "2 or 3 entries along the axis", describe(x), fix)
    (a0, a1, a2), (b0, b1, b2) = ([*moveaxis(x, -1, 0), 0][:3] for x in (a, b))
    if a.shape[-1] == b.shape[-1] == 2:
        return a0 * b1 - a1 * b0
    return moveaxis(stack([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0], -1), -1, axisc)
