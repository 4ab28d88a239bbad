"""Matrix products."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..errors import argument_error, describe
from ..graph import Value
from ..op import apply
from .composition import composition
from .definition import op
from .operands import as_operands
from .shapes import expand_dims, reshape, squeeze


def merge_leading_axes(a: Any) -> Any:
    """Return `a` with all axes but the last merged into one: (T, B, H) becomes (T·B, H)."""
    return a if a.ndim == 2 else a.reshape(prod(a.shape[:-1]), a.shape[-1])


def matrix_product(a: Any, b: Any) -> Any:
    """Return a @ b. For two matrices, `dot` gives the same result at half the overhead."""
    return a.dot(b) if type(a) is type(b) and a.ndim == 2 == b.ndim else a @ b


@op(
    "{a} @ {b}",
    shapes="(…, m, k), (…, k, n) → (…, m, n)",
    sample=lambda r: [
        (r(3, 4), r(4, 2)),
        (r(2, 3, 4), r(4, 2)),
        (r(2, 3, 4), r(2, 4, 3)),
        (r(3, 4), r(2, 4, 3)),
    ],
    fix=(
        "transpose a or b, for example with .mT, so that a.shape[-1] equals b.shape[-2], or "
        "b.shape[0] if b is a vector"
    ),
    reference=np.matmul,
)
def _matmul(a: Any, b: Any) -> Any:
    """Return the product of two matrices, or of stacks of matrices whose leading axes broadcast.
    NumPy's BLAS library chooses the order of summation, so the last digits may differ between
    machines."""
    return matrix_product(a, b)


_matmul.vjps(
    a=lambda g, y, a, b: matrix_product(g, b.mT),
    b=lambda g, y, a, b: (
        matrix_product(merge_leading_axes(a).mT, merge_leading_axes(g)) if b.ndim == 2 else a.mT @ g
    ),
)


def matmul(a: Any, b: Any) -> Any:
    """Return the matrix product a @ b, as `numpy.matmul` does.

    Leading axes broadcast. If `a` is a vector, it counts as a row. If `b` is a vector, it counts as
    a column.

    Parameters
    ----------
    a : array of shape (..., m, k) or (k,)
    b : array of shape (..., k, n) or (k,)

    Returns
    -------
    array of shape (..., m, n), without m if `a` is a vector, and without n if `b` is a vector

    Raises
    ------
    ValueError
        If the sizes k differ, or an argument has no axes.

    Notes
    -----
    ∂L/∂a = g @ bᵀ and ∂L/∂b = aᵀ @ g, where g = ∂L/∂y.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.matmul(tg.Tensor([[1.0, 2.0]]), tg.Tensor([[3.0], [4.0]]))
    Tensor([[11.]])
    """
    if isinstance(a, Value) and isinstance(b, Value) and a.array.ndim > 1 and b.array.ndim > 1:
        return apply(_matmul, (a, b), {})
    a, b = as_operands("matmul", a=a, b=b)
    a_axes, b_axes = a.ndim, b.ndim
    if a_axes > 1 and b_axes > 1:
        return _matmul(a, b)
    if a_axes == 0 or b_axes == 0:
        name, got = ("b", describe(b)) if a_axes else ("a", describe(a))
        expected, fix = "an array with at least one axis", "use * to multiply by a number"
        raise argument_error("matmul", name, expected, got, fix)
    y = _matmul(expand_dims(a, 0) if a_axes == 1 else a, expand_dims(b, 1) if b_axes == 1 else b)
    return squeeze(y, tuple(axis for axis, n in ((-2, a_axes), (-1, b_axes)) if n == 1))


@op(
    "{x} @ {weight}ᵀ + {bias}",
    shapes="(…, in), (out, in), (…, out) → (…, out)",
    sample=lambda r: [
        (r(3, 4), r(2, 4), r(2)),
        (r(2, 3, 4), r(2, 4), r(2)),
        (r(4), r(2, 4), r(2)),
        (r(3, 4), r(2, 4), r(3, 2)),
    ],
    fix="pass x (..., in), weight (out, in), bias (out,) or (..., out)",
    reference=lambda x, weight, bias=0.0: np.einsum("...i,oi->...o", x, weight) + bias,
)
def _linear(x: Any, weight: Any, bias: Any) -> Any:
    """Return x Wᵀ + b, recorded as one node of the graph. The order of summation is that of
    `matmul`."""
    y = merge_leading_axes(x).dot(weight.T)
    y = y if x.ndim == 2 else y.reshape(*x.shape[:-1], len(weight))
    if getattr(bias, "dtype", y.dtype) is not y.dtype:
        return y + bias
    y += bias
    return y


_linear.vjps(
    x=lambda g, y, x, weight, bias: matrix_product(g, weight),
    weight=lambda g, y, x, weight, bias: matrix_product(
        merge_leading_axes(g).mT, merge_leading_axes(x)
    ),
    bias=lambda g, y, x, weight, bias: g,
)


def linear(x: Any, weight: Any, bias: Any = None) -> Any:
    """Return y = x Wᵀ + b, where W is `weight` in PyTorch's layout and b is `bias`.

    Parameters
    ----------
    x : array of shape (..., in)
    weight : array of shape (out, in)
    bias : array that broadcasts to the result, optional
        It usually has shape (out,). With shape (..., out), it can be any other term to add.

    Returns
    -------
    array of shape (..., out)

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> tg.linear(tg.Tensor([1.0, 2.0]), np.eye(2, dtype="float32"), np.ones(2, dtype="float32"))
    Tensor([2., 3.])
    """
    if bias is not None:
        return apply(_linear, (x, weight, bias), {})
    x, weight = as_operands("linear", x=x, weight=weight)
    return matmul(x, weight.mT)


@composition(np.outer, sample=lambda r: [(r(3), r(4)), (r(2, 2), r(3)), (r(), r(2))])
def outer(a: Any, b: Any) -> Any:
    """Return the product of every entry of `a` with every entry of `b`, as `numpy.outer` does.

    The result has the shape (a.size, b.size).

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.outer(tg.Tensor([1.0, 2.0]), tg.Tensor([3.0, 4.0]))
    Tensor([[3., 4.],
            [6., 8.]])
    """
    a, b = as_operands("outer", a=a, b=b)
    return reshape(a, (-1, 1)) * reshape(b, (1, -1))
