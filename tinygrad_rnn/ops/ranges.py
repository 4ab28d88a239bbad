"""Arrays of numbers from one end to the other, where the ends may be Tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import check
from ..dtypes import widen
from .arithmetic import lerp
from .composition import composition
from .indexing import where
from .operands import as_floats, as_operands, in_dtype_of
from .shapes import broadcast_to, expand_dims, moveaxis


@composition(
    np.linspace,
    sample=lambda r: [
        (r(), r(), 5),
        (r(2), 1.0, {"num": 4, "endpoint": False}),
        (0, r(2, 2), 3, {"axis": -1}),
        (r(), r(), 4, {"retstep": True}),
        (r(), r(), 1),
    ],
)
def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    axis: int = 0,
) -> Any:
    """Return `num` numbers in equal steps from `start` to `stop`.

    Each number is start + w (stop − start) with a weight w between 0 and 1. The last one is exactly
    `stop`. float16 is computed in float32.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.linspace(tg.Tensor(1.0), 2.0, 3)
    Tensor([1. , 1.5, 2. ])
    """
    ends = as_operands("linspace", start=start, stop=stop)
    start, stop = map(widen, as_floats(*ends))
    w = _weights(start, stop, num, endpoint)
    y = where(w == 1, stop, lerp(start, stop, w))
    y = in_dtype_of(_floating(ends), moveaxis(y, 0, axis))
    step = (stop - start) / ((num - 1 if endpoint else num) or np.nan)
    return (y, in_dtype_of(_floating(ends), step)) if retstep else y


@composition(
    np.logspace,
    sample=lambda r: [
        (r(), r(), 4),
        (r(2), 1.0, 3, {"base": 2.0}),
        (r(2), 0.5, 3, {"base": r.positive(2), "axis": -1}),
    ],
)
def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0, axis: int = 0
) -> Any:
    """Return `num` numbers from base^start to base^stop whose logarithms have equal steps.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.logspace(tg.Tensor(0.0), 2.0, 3)
    Tensor([  1.,  10., 100.])
    """
    given = as_operands("logspace", start=start, stop=stop, base=base)
    start, stop, base = map(widen, as_floats(*given))
    shape = np.broadcast_shapes(start.shape, stop.shape, base.shape)
    exponents = linspace(broadcast_to(start, shape), stop, num, endpoint, axis=axis)
    return in_dtype_of(_floating(given), expand_dims(broadcast_to(base, shape), axis) ** exponents)


@composition(
    np.geomspace,
    sample=lambda r: [
        (r.positive(), r.positive(), 4),
        (-r.positive(2), -2.0, 3, {"axis": -1, "endpoint": False}),
    ],
)
def geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, axis: int = 0) -> Any:
    """Return `num` numbers from `start` to `stop`, each the same multiple of the one before.

    `start` and `stop` have the same sign. Each number is start (stop / start)^w with a
    weight w between 0 and 1. The last one is exactly `stop`. float16 is computed in float32.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.geomspace(tg.Tensor(1.0), 4.0, 3)
    Tensor([1., 2., 4.])
    """
    ends = as_operands("geomspace", start=start, stop=stop)
    start, stop = map(widen, as_floats(*ends))
    w = _weights(start, stop, num, endpoint)
    y = where(w == 1, stop, start * (stop / start) ** w)
    return in_dtype_of(_floating(ends), moveaxis(y, 0, axis))


def _floating(arrays: Any) -> Any:
    """Return an array that has the floating dtype of `arrays`, or the first one if none has."""
    floats = [a for a in arrays if a.dtype.kind == "f"]
    return max(floats, key=lambda a: a.dtype.itemsize, default=arrays[0])


def _weights(start: Any, stop: Any, num: int, endpoint: bool) -> np.ndarray:
    """Return numbers from 0 to 1 along a new first axis, in the dtype of the ends."""
    floating = [x.dtype for x in (start, stop) if x.dtype.kind == "f"] or [float]
    num = check.count("linspace", "num", num, low=0)
    w = np.linspace(0, 1, num, endpoint, dtype=np.result_type(*floating))
    return w.reshape(-1, *(1,) * max(start.ndim, stop.ndim))
