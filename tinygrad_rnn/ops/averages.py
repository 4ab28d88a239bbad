"""Peak to peak, weighted means, and means and variances of entries that a mask selects."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ..dtypes import widen
from ..errors import argument_error, describe
from .composition import composition
from .indexing import where
from .operands import as_floats, as_operand, in_dtype_of
from .reductions import max, mean, min, sample_reduction, sum
from .shapes import broadcast_to, moveaxis, reshape


@composition(np.ptp, sample=sample_reduction)
def ptp(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the distance between the largest and the smallest entry over `axis`, "peak to peak".
    Entries that are equally large or small share the gradient, as in `max` and `min`.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.ptp(tg.Tensor([1.0, 4.0, 9.0]))
    Tensor(8.)
    """
    a = as_operand("ptp", "a", a)
    return max(a, axis=axis, keepdims=keepdims) - min(a, axis=axis, keepdims=keepdims)


@composition(
    np.average,
    sample=lambda r: [
        (r(3, 4),),
        (r(3, 4), 0, r.positive(3)),
        (r(3, 4), {"weights": r.positive(3, 4), "keepdims": True}),
        (r(2, 3, 4), (2, 0), r.positive(4, 2)),
        (r(3, 4), 1, r.positive(4), True),
    ],
)
def average(
    a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: bool = False
) -> Any:
    """Return the weighted mean Σ w a / Σ w over `axis`, or the plain mean without `weights`.

    The weights w have the shape of `a`, or the sizes of `a` along `axis`. If `returned` is True,
    also return Σ w.

    Raises
    ------
    ValueError
        If `weights` has another shape.
    ZeroDivisionError
        If weights have the sum 0.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.average(tg.Tensor([1.0, 5.0]), weights=[3.0, 1.0])
    Tensor(2.)
    """
    a = given = as_operand("average", "a", a)
    if weights is None:
        result = mean(a, axis=axis, keepdims=keepdims)
        total = np.full(result.shape, a.size / result.size, result.dtype)
    else:
        w = _align_weights(a, axis, weights)
        given = a if a.dtype.kind == "f" else w
        a, w = map(widen, as_floats(a, w))
        total = sum(w, axis=axis, keepdims=keepdims)
        if np.any(total == 0):
            expected, fix = "weights whose sum is not 0", "use tg.sum(a * w) for a sum"
            raise argument_error(
                "average", "weights", expected, "a sum of 0", fix, ZeroDivisionError
            )
        result = sum(a * w, axis=axis, keepdims=keepdims) / total
    result = in_dtype_of(given, result)
    return (result, broadcast_to(in_dtype_of(given, total), result.shape)) if returned else result


def _align_weights(a: Any, axis: Any, weights: Any) -> Any:
    """Return `weights` in the shape of `a`; raise ValueError if they do not fit."""
    w = as_operand("average", "weights", weights, a)
    if w.shape == a.shape:
        return w
    axes = normalize_axis_tuple(range(a.ndim) if axis is None else axis, a.ndim, "average: axis")
    if w.shape != tuple(a.shape[i] for i in axes):
        expected = f"the shape {a.shape} of a, or its sizes along axis"
        fix = "pass one weight for each entry along axis, and name the axis"
        raise argument_error("average", "weights", expected, describe(w), fix)
    w = reshape(w, w.shape + (1,) * (a.ndim - len(axes)))
    return broadcast_to(moveaxis(w, range(len(axes)), axes), a.shape)


def mean_where(a: Any, mask: Any, axis: Any, keepdims: bool) -> Any:
    """Return the mean over `axis` of the entries of `a` where `mask` is True."""
    wide = widen(a)
    total = sum(where(mask, wide, 0), axis=axis, keepdims=keepdims)
    return in_dtype_of(a, total / _count(wide, mask, axis, keepdims))


def var_where(a: Any, mask: Any, axis: Any, ddof: float, keepdims: bool, center: Any = None) -> Any:
    """Return the variance over `axis` of the entries of `a` where `mask` is True.

    `center` is their mean, if it is known; its axes are kept. If there are `ddof` such entries or
    fewer, the variance is NaN.
    """
    (wide,) = as_floats(widen(a))
    if center is None:
        center = mean_where(where(mask, wide, 0), mask, axis, True)
    deviation = where(mask, wide - center, 0)
    n = _count(wide, mask, axis, keepdims) - ddof
    total = sum(deviation * deviation, axis=axis, keepdims=keepdims)
    return in_dtype_of(a, total / np.where(n > 0, n, np.nan).astype(n.dtype))


def _count(a: Any, mask: Any, axis: Any, keepdims: bool) -> np.ndarray:
    """Count the entries over `axis` where `mask` is True, in the floating dtype of `a`."""
    dtype = a.dtype if a.dtype.kind == "f" else None
    n = np.sum(np.broadcast_to(mask, a.shape), axis, keepdims=keepdims)
    return np.asarray(n).astype(dtype or np.float64)
