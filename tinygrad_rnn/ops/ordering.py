"""Functions that order entries: `sort`, `partition`, `median` and quantiles.

The order is found by comparing, and has no derivative: the gradient of a result goes to the entry
that the result was taken from. `sort` keeps the order of equal entries.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from .. import check
from ..errors import argument_error, describe
from ..graph import unwrap
from .composition import composition
from .indexing import take_along_axis, where
from .operands import as_floats, as_operand, in_dtype_of
from .shapes import expand_dims, moveaxis, ravel, reshape

ENTRIES = ("lower", "higher", "nearest", "inverted_cdf", "closest_observation")
"""The methods of `quantile` whose result is one of the entries. It keeps the dtype of integers."""


@composition(
    np.sort,
    sample=lambda r: [(r(3, 4),), (r(3, 4), 0), (r(3, 4), None), (r(2, 3), {"kind": "stable"})],
)
def sort(a: Any, axis: int | None = -1, kind: Any = None, *, stable: bool | None = None) -> Any:
    """Return the entries of `a` in ascending order along `axis`.

    If `axis` is None, the array is flattened first. NaN comes last. `kind` and `stable` are
    accepted as in `numpy.sort`; the order is always stable.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.sort(tg.Tensor([3.0, 1.0, 2.0]))
    Tensor([1., 2., 3.])
    """
    a, axis = _flat_without_axis(as_operand("sort", "a", a), axis)
    return take_along_axis(a, _read(np.argsort, a, axis, "stable"), axis)


@composition(np.partition, sample=lambda r: [(r(5), 2), (r(3, 4), (1, 2), 0), (r(3, 4), -1, None)])
def partition(a: Any, kth: Any, axis: int | None = -1, kind: str = "introselect") -> Any:
    """Return the entries of `a` with the entry `kth` in its sorted place along `axis`, smaller
    entries before it and larger ones after it, as `numpy.partition` does.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.partition(tg.Tensor([3.0, 1.0, 2.0]), 1)[1]
    Tensor(2.)
    """
    a, axis = _flat_without_axis(as_operand("partition", "a", a), axis)
    return take_along_axis(a, _read(np.argpartition, a, kth, axis, kind), axis)


@composition(
    np.quantile,
    sample=lambda r: [
        (r(5), 0.3),
        (r(3, 4), [0.0, 0.5, 1.0], {"axis": 0}),
        (r(3, 4), np.array([[0.2], [0.9]]).tolist(), {"axis": (0, 1), "keepdims": True}),
        (r(3, 4), 0.4, {"method": "nearest"}),
        (r(2, 5), 0.45, -1, {"method": "midpoint"}),
        (r(7), 0.77, {"method": "weibull"}),
    ],
)
def quantile(
    a: Any, q: Any, axis: Any = None, *, method: Any = "linear", keepdims: bool = False
) -> Any:
    """Return the quantiles of `a` along `axis` for the fractions `q`, from 0 to 1.

    The fraction q of the entries lies below the quantile. `method` says how to interpolate,
    as in `numpy.quantile`. `q` is a constant. If an entry is NaN, the result is NaN.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.quantile(tg.Tensor([0.0, 10.0, 20.0]), 0.25)
    Tensor(5.)
    """
    a, q = as_operand("quantile", "a", a), check.real_array("quantile", "q", q)
    axes = tuple(range(a.ndim)) if axis is None else normalize_axis_tuple(axis, a.ndim, "axis")
    kept = [n for i, n in enumerate(a.shape) if i not in axes]
    count = math.prod(a.shape[i] for i in axes)
    if not count:
        fix = "test a.size first, because there is no entry in the middle"
        raise argument_error("quantile", "a", "at least one entry over axis", describe(a), fix)
    entries = sort(reshape(moveaxis(a, axes, range(len(axes))), (count, *kept)), axis=0)
    # The same quantile of 0, 1, 2, … is the place in the sorted entries, often between two.
    places = np.quantile(np.arange(len(entries), dtype=np.float64), q, method=method)
    below = np.floor(places).astype(int)
    fraction = (places - below).astype(a.dtype if a.dtype.kind == "f" else np.float64)
    fraction = fraction.reshape(q.shape + (1,) * len(kept))
    low, high = entries[below], entries[np.ceil(places).astype(int)]
    if a.dtype.kind != "f" and method in ENTRIES:
        result = low
    else:
        low, high = as_floats(low, high)
        high = where(fraction == 0, 0, high)  # because 0 · inf is NaN
        result = in_dtype_of(a, low * (1 - fraction) + high * fraction)
    result = where(entries[-1] == entries[-1], result, entries[-1])  # the last entry may be NaN
    axes = tuple(i + q.ndim for i in axes)
    return expand_dims(result, axes) if keepdims else result


@composition(
    np.percentile,
    sample=lambda r: [(r(5), 30), (r(3, 4), [0, 50], {"axis": 0}), (r(3, 4), 70.0, 1)],
)
def percentile(
    a: Any, q: Any, axis: Any = None, *, method: Any = "linear", keepdims: bool = False
) -> Any:
    """Return the quantiles of `a` for the fractions q / 100; see `quantile`.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.percentile(tg.Tensor([0.0, 10.0, 20.0]), 25)
    Tensor(5.)
    """
    a, q = as_operand("percentile", "a", a), check.real_array("percentile", "q", q)
    return quantile(a, q / 100, axis, method=method, keepdims=keepdims)


@composition(
    np.median,
    sample=lambda r: [(r(5),), (r(3, 4), 1), (r(4, 3), (0, 1)), (r(4, 3), 0, {"keepdims": True})],
)
def median(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """Return the middle one of the sorted entries along `axis`.

    If the number of entries is even, the median is the mean of the two entries in the middle. Each
    of them then gets half of the gradient.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.median(tg.Tensor([1.0, 4.0, 2.0, 8.0]))
    Tensor(3.)
    """
    return quantile(as_operand("median", "a", a), 0.5, axis, keepdims=keepdims)


def _flat_without_axis(a: Any, axis: int | None) -> tuple[Any, int]:
    """Return `a` and an axis to order it along: without `axis`, `a` is flattened."""
    return (ravel(a), -1) if axis is None else (a, axis)


def _read(look: Any, a: Any, *settings: Any) -> Any:
    """Return what `look` finds in the entries of a Tensor or array."""
    return look(unwrap(a), *settings)
