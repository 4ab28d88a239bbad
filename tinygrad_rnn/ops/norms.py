"""Norms of vectors and matrices."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from .. import check
from ..dtypes import widen
from ..errors import argument_error, describe
from ..graph import expect, unwrap
from .composition import composition
from .decompositions import svdvals
from .elementwise import abs, sign, sqrt, square
from .indexing import where
from .linear_algebra import inv
from .operands import as_operand, in_dtype_of
from .reductions import max, min, sum
from .shapes import expand_dims, moveaxis, ravel, reshape, squeeze

SMALL = {char: np.finfo(char).tiny / np.finfo(char).eps for char in "fdg"}
"""By dtype: a sum of powers below this number may lack digits."""


@composition(
    np.linalg.norm,
    sample=lambda r: [
        (r(3),),
        (r(2, 3, 2),),
        *[(r(4), p) for p in (1, 2, 3.5, -1, -2.5, np.inf, -np.inf, 0)],
        *[(r(3, 4), p) for p in ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)],
        (r(2, 3), None, 1),
        (r(2, 3), {"ord": 3, "axis": -1, "keepdims": True}),
        (r(3, 2, 4), "nuc", (2, 0)),
        (r(3, 2, 4), {"ord": 1, "axis": (-1, 0), "keepdims": True}),
        (r(2, 3), {"keepdims": True}),
    ],
)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """Return a norm of vectors (`axis` is one axis) or of matrices (`axis` is a pair of axes).

    Without `axis`, `x` is one vector or one matrix. Without `ord`, the norm is the square root of
    the sum of squares of all entries. For a vector, other orders are: a number p for
    ``(Σ |x|^p)^(1/p)``, inf and −inf for the largest and smallest absolute value, and 0 for the
    number of entries that are not 0. For a matrix: "fro" (the default), "nuc" for the sum of the
    singular values, 2 and −2 for the largest and smallest of them, 1 and −1 for the largest and
    smallest sum of absolute values in a column, and inf and −inf for that in a row.

    A sum that overflows, or is too small, is computed with scaled entries; float16 is computed in
    float32. A norm has a kink where it is 0. There, its gradient is taken to be 0.

    Raises
    ------
    ValueError
        If `ord` is not an order of that kind of norm, or `axis` is neither one axis nor two.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.norm(tg.Tensor([3.0, 4.0]))
    Tensor(5.)
    >>> tg.norm(tg.Tensor([[3.0, 4.0], [0.0, 0.0]]), 1)
    Tensor(4.)
    """
    x = as_operand("norm", "x", x)
    expected, fix = "a number, 'fro' or 'nuc'", "use ord=None for the square root of squares"
    check.instance("norm", "ord", ord, int | float | np.number | str | None, expected, fix)
    if x.dtype.kind != "f" or x.dtype == np.float16:
        return in_dtype_of(x, norm(_widen(x), ord, axis, keepdims))
    if axis is None and ord is None:
        y = _root_of_sum(square, ravel(x), 2, None, keepdims=False)
        return reshape(y, (1,) * x.ndim) if keepdims else y
    axes = range(x.ndim) if axis is None else axis
    axes = normalize_axis_tuple(axes, x.ndim, "norm: axis")
    if len(axes) not in (1, 2):
        got, fix = f"{len(axes)} axes of {describe(x)}", "pass axis=-1 or axis=(-2, -1)"
        raise argument_error("norm", "axis", "one axis or two", got, fix)
    y = _vector_norm(x, ord, axes) if len(axes) == 1 else _matrix_norm(x, ord, *axes)
    return y if keepdims else squeeze(y, axes)


def _vector_norm(x: Any, ord: Any, axis: Any) -> Any:
    """Return the norm of the vectors along `axis`, which stays with size 1."""
    if ord in (None, 2):
        return _root_of_sum(square, x, 2, axis)
    if isinstance(ord, str):
        expected, fix = "a number", "use None or 2 for the Euclidean norm"
        raise argument_error("norm", "ord", expected, repr(ord), fix)
    size = abs(x)
    if ord in (inf, -inf):
        return (max if ord > 0 else min)(size, axis=axis, keepdims=True)
    if ord == 0:
        return sum(sign(size), axis=axis, keepdims=True)
    return _root_of_sum(lambda size: _powers(size, ord), size, ord, axis)


def _powers(size: Any, p: float) -> Any:
    """Return the p-th powers of numbers that are not negative, with the derivative 0 at 0."""
    is_zero = size == 0
    return where(is_zero, 0 if p > 0 else inf, where(is_zero, 1, size) ** p)


def _root_of_sum(
    power: Callable[..., Any], x: Any, p: float, axis: Any, keepdims: bool = True
) -> Any:
    """Return the p-th root of Σ power(x) over `axis`.

    If a sum overflows or is too small for its dtype, `x` is first divided by a power of 2. It is
    near the entry that decides: the largest one, or the smallest one if p is negative.
    """
    with np.errstate(over="ignore", under="ignore"):
        total = sum(power(x), axis=axis, keepdims=keepdims)
    values = unwrap(total)
    if expect(((values < inf) & (values > SMALL[x.dtype.char])).all()):
        return _root(total, p)
    reduction, first = (np.max, 0) if p > 0 else (np.min, inf)
    entry = reduction(np.abs(unwrap(x)), axis, keepdims=True, initial=first)
    exponent = np.frexp(np.where((entry > 0) & (entry < inf), entry, 1))[1] - 1
    scale = np.ldexp(np.ones(exponent.shape, x.dtype), exponent)
    with np.errstate(under="ignore"):
        total = sum(power(x / scale), axis=axis, keepdims=keepdims)
    return _root(total, p) * scale.reshape(total.shape)


def _widen(x: Any) -> Any:
    """Return integers in float64, and float16 in float32."""
    return widen(x) if x.dtype.kind == "f" else x.astype(np.float64)


def _root(total: Any, p: float) -> Any:
    """Return the p-th root, with the derivative 0 where `total` is 0."""
    is_zero = total == 0
    base = where(is_zero, 1, total)
    return where(is_zero, 0, sqrt(base) if p == 2 else base ** (1 / p))


def _matrix_norm(x: Any, ord: Any, row: int, column: int) -> Any:
    """Return the norm of the matrices in the plane of two axes, which stay with size 1."""
    if ord in (None, "fro", "f"):
        return _root_of_sum(square, x, 2, (row, column))
    if ord in (1, -1, inf, -inf):
        summed, compared = (row, column) if ord in (1, -1) else (column, row)
        sums = sum(abs(x), axis=summed, keepdims=True)
        return (max if ord > 0 else min)(sums, axis=compared, keepdims=True)
    if ord in ("nuc", 2, -2):
        values = abs(svdvals(moveaxis(x, (row, column), (-2, -1))))  # abs: the gradient 0 at 0
        reduction = sum if ord == "nuc" else max if ord == 2 else min
        return expand_dims(reduction(values, axis=-1), (row, column))
    expected, fix = "'fro', 'nuc', 1, −1, 2, −2, inf or −inf", "pass axis= for norms of vectors"
    raise argument_error("norm", "ord", expected, repr(ord), fix)


@composition(np.linalg.vector_norm, sample=lambda r: [(r(2, 3),), (r(2, 3), {"axis": 1, "ord": 3})])
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    """Return the norm of all entries, or of the vectors along `axis`; see `norm`.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.vector_norm(tg.Tensor([[3.0], [4.0]]))
    Tensor(5.)
    """
    x = as_operand("vector_norm", "x", x)
    if x.dtype.kind != "f" or x.dtype == np.float16:
        y = vector_norm(_widen(x), axis=axis, keepdims=keepdims, ord=ord)
        return in_dtype_of(x, y)
    axes = normalize_axis_tuple(
        range(x.ndim) if axis is None else axis, x.ndim, "vector_norm: axis"
    )
    others = [i for i in range(x.ndim) if i not in axes]
    rows = reshape(moveaxis(x, axes, range(-len(axes), 0)), (*[x.shape[i] for i in others], -1))
    y = _vector_norm(rows, ord, -1)
    shape = [1 if i in axes else n for i, n in enumerate(x.shape)]
    return reshape(y, tuple(shape)) if keepdims else squeeze(y, -1)


@composition(np.linalg.matrix_norm, sample=lambda r: [(r(2, 2, 3),), (r(2, 3), {"ord": "nuc"})])
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """Return the norm of a matrix, or of a stack of matrices; see `norm`.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.matrix_norm(tg.Tensor([[3.0, 0.0], [0.0, 4.0]]), ord="nuc")
    Tensor(7.)
    """
    return norm(as_operand("matrix_norm", "x", x), ord, (-2, -1), keepdims)


@composition(np.linalg.cond, sample=lambda r: [(3 * np.eye(2) + r(2, 2), p) for p in (None, -2, 1)])
def cond(x: Any, p: Any = None) -> Any:
    """Return the condition number of a matrix, the norm of `x` times the norm of its inverse.

    Without `p`, it is the largest singular value divided by the smallest.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.cond(tg.Tensor([[3.0, 0.0], [0.0, 1.0]]))
    Tensor(3.)
    """
    x = as_operand("cond", "x", x)
    if p in (None, 2, -2):
        values = svdvals(x)
        first, last = values[..., 0], values[..., -1]
        return last / first if p == -2 else first / last
    return norm(x, p, (-2, -1)) * norm(inv(x), p, (-2, -1))
