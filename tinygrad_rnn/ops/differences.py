"""Differences of neighbours, the numerical derivative `gradient`, and integrals."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from ..errors import argument_error, describe
from ..graph import Value
from .composition import composition
from .operands import as_floats, as_operand, as_sequence, in_dtype_of
from .reductions import sum
from .shapes import broadcast_to, concatenate, moveaxis, ravel, reshape


@composition(
    np.diff,
    sample=lambda r: [
        (r(3, 4),),
        (r(4, 2), {"n": 2, "axis": 0}),
        (r(3),),
        (r(2, 3), {"n": 0}),
        (r(2, 3), {"prepend": r(2, 1), "append": 0.5}),
        (r(2), {"n": 3}),
    ],
)
def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """Return the differences of neighbours along `axis`, taken `n` times.

    Before that, `prepend` is put in front of `a`, and `append` after it. A number counts as one
    entry along `axis`.

    Raises
    ------
    ValueError
        If `a` has no axes, or `n` is negative.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.diff(tg.Tensor([1.0, 4.0, 9.0]))
    Tensor([3., 5.])
    """
    a = as_operand("diff", "a", a)
    if not a.ndim or n < 0:
        argument, got = ("a", describe(a)) if not a.ndim else ("n", str(n))
        expected = "an array with an axis" if not a.ndim else "0 or more"
        raise argument_error("diff", argument, expected, got, "take the difference of an axis")
    axis = normalize_axis_index(axis, a.ndim, "diff: axis")
    parts = [_as_part("prepend", prepend, a, axis), a, _as_part("append", append, a, axis)]
    parts = [part for part in parts if part is not None]
    a = moveaxis(concatenate(parts, axis=axis) if len(parts) > 1 else a, axis, 0)
    for _ in range(n):
        a = a[1:] - a[:-1]
    return moveaxis(a, 0, axis)


def _as_part(argument: str, x: Any, a: Any, axis: int) -> Any:
    """Return `x` as something to concatenate with `a`; a number is one entry along `axis`."""
    x = None if x is None else as_operand("diff", argument, x, a)
    if x is None or x.ndim:
        return x
    shape = tuple(1 if i == axis else n for i, n in enumerate(a.shape))
    return broadcast_to(x, shape)


@composition(
    np.ediff1d, sample=lambda r: [(r(2, 3),), (r(4), {"to_end": r(2), "to_begin": 0.5}), (r(1),)]
)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """Return `to_begin`, then the differences of neighbours in the flattened array, then `to_end`.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.ediff1d(tg.Tensor([1.0, 4.0, 9.0]), to_begin=0.0)
    Tensor([0., 3., 5.])
    """
    a = ravel(as_operand("ediff1d", "ary", ary))
    parts = [a[1:] - a[:-1]]
    if to_begin is not None:
        parts.insert(0, ravel(as_operand("ediff1d", "to_begin", to_begin, a)))
    if to_end is not None:
        parts.append(ravel(as_operand("ediff1d", "to_end", to_end, a)))
    return concatenate(parts)


@composition(
    np.trapezoid,
    *([np.trapz] if hasattr(np, "trapz") else []),  # pyright: ignore
    sample=lambda r: [
        (r(4),),
        (r(3, 4), {"dx": 0.5, "axis": 0}),
        (r(3, 4), r(4)),
        (r(3, 4), r(3, 4), 1.0, 0),
    ],
)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """Return the integral of `y` along `axis` by the trapezoidal rule.

    The rule is Σ (x[i+1] − x[i]) (y[i+1] + y[i]) / 2. Without `x`, the points are `dx` apart.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.trapezoid(tg.Tensor([1.0, 2.0, 3.0]), dx=0.5)
    Tensor(2.)
    """
    y = as_operand("trapezoid", "y", y)
    axis = normalize_axis_index(axis, y.ndim, "trapezoid: axis")
    if x is not None:
        x = as_operand("trapezoid", "x", x, y)
        steps = diff(x, axis=axis if x.ndim > 1 else 0)
        dx = moveaxis(steps, axis, 0) if x.ndim > 1 else _along_first(steps, y.ndim)
    y = moveaxis(y, axis, 0)
    return sum(dx * (y[1:] + y[:-1]) / 2, axis=0)


def _along_first(steps: Any, ndim: int) -> Any:
    """Return a vector as an array of `ndim` axes that has its entries along the first axis."""
    return reshape(steps, (-1,) + (1,) * (ndim - 1))


@composition(
    np.gradient,
    sample=lambda r: [
        (r(5),),
        (r(4, 3), 0.5),
        (r(4, 3), 0.5, 2.0, {"edge_order": 2}),
        (r(4, 3), {"axis": 0}),
        (r(4, 3), np.array([0.0, 1.0, 3.0]), {"axis": -1, "edge_order": 2}),
        (r(3, 4), np.array([0.0, 1.0, 3.0]), 0.5),
        (r(3, 3, 2), {"axis": (2, 0)}),
    ],
)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """Return the numerical derivative of the values `f` along each axis, as `numpy.gradient` does:
    differences of the neighbours on both sides, and one-sided differences at the edges.

    `varargs` are the distances between points. By default, they are 1. One number is the distance
    along every axis. Otherwise, there is one entry for each axis: a number, or the coordinates of
    the points. To differentiate a function, use ``tg.grad``.

    Raises
    ------
    TypeError
        If `varargs` is neither empty, nor one number, nor one entry for each axis.
    ValueError
        If an axis has fewer than ``edge_order + 1`` points, or `edge_order` is neither 1 nor 2.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.gradient(tg.Tensor([1.0, 4.0, 9.0, 16.0]))
    Tensor([3., 4., 6., 7.])
    """
    f = as_operand("gradient", "f", f)
    axes = range(f.ndim) if axis is None else normalize_axis_tuple(axis, f.ndim, "gradient: axis")
    spacings = as_sequence("gradient", "varargs", varargs or (1.0,))
    if len(spacings) == 1 and not spacings[0].ndim:
        spacings *= len(axes)
    if len(spacings) != len(axes):
        expected, got = f"none, one number, or one for each of {len(axes)} axes", len(varargs)
        fix = "pass one distance for each axis"
        raise argument_error("gradient", "varargs", expected, str(got), fix, TypeError)
    if edge_order not in (1, 2):
        raise argument_error("gradient", "edge_order", "1 or 2", describe(edge_order), "pass 1")
    results = [_slope(f, i, h, edge_order) for i, h in zip(axes, spacings, strict=True)]
    return results[0] if len(results) == 1 else tuple(results)


def _slope(f: Any, axis: int, spacing: Any, edge_order: int) -> Any:
    """Return the derivative of `f` along one axis."""
    f = moveaxis(f, axis, 0)
    n = len(f)
    if n < edge_order + 1:
        got, fix = f"{n} along axis {axis}", "pass more points"
        raise argument_error("gradient", "f", f"at least {edge_order + 1} points", got, fix)
    if not isinstance(spacing, Value) and f.dtype.kind == "f":
        spacing = spacing.astype(f.dtype)
    is_number = isinstance(spacing, np.ndarray) and not spacing.ndim
    given = f if f.dtype.kind == "f" or is_number else spacing
    f, spacing = as_floats(f, spacing)
    steps = diff(spacing) if spacing.ndim else broadcast_to(spacing, (n - 1,))  # pyright: ignore
    h = _along_first(steps, f.ndim)
    slopes = (f[1:] - f[:-1]) / h
    before, after = h[:-1], h[1:]
    inner = (after * slopes[:-1] + before * slopes[1:]) / (before + after)
    first, last = slopes[:1], slopes[-1:]
    if edge_order == 2:  # the parabola through three points has these slopes at its ends
        first = first + (first - slopes[1:2]) * h[:1] / (h[:1] + h[1:2])
        last = last + (last - slopes[-2:-1]) * h[-1:] / (h[-1:] + h[-2:-1])
    return in_dtype_of(given, moveaxis(concatenate([first, inner, last]), 0, axis))
