"""Elementwise functions of one array, each with its derivative.

A derivative is written in terms of the output y where that is cheaper.
"""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from .. import check
from ..dtypes import as_ndarray
from ..graph import Value
from .definition import op
from .half_precision import compute_in_float32
from .indexing import keep_where, where


@op("exp({a})", shapes="(…) → (…)", reference=np.exp)
@np.errstate(under="ignore")
def exp(a: Any) -> Any:
    """Return e to the power `a`. If `a` is above 88.7 in float32 (709.7 in float64), the result is
    inf, with NumPy's warning. A result too small for the dtype is 0, without a warning.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> tg.exp(tg.Tensor([0.0, -np.inf]))
    Tensor([1., 0.])
    """
    return np.exp(a)


exp.vjps(a=lambda g, y, a: g * y)


@op("expm1({a})", shapes="(…) → (…)", reference=np.expm1)
def expm1(a: Any) -> Any:
    """Return exp(a) − 1. It is accurate near a = 0, where the subtraction would lose all
    digits. It overflows to inf where `exp` does.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.expm1(tg.Tensor([0.0, 1e-8]))
    Tensor([0.e+00, 1.e-08])
    """
    return np.expm1(a)


expm1.vjps(a=lambda g, y, a: g * (y + 1))


@op("log({a})", shapes="(…) → (…)", reference=np.log, domain=(0, inf))
def log(a: Any) -> Any:
    """Return the natural logarithm of `a`. It is −inf at 0 and NaN for negative numbers, with
    NumPy's warning.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> tg.log(tg.Tensor([1.0, np.inf]))
    Tensor([ 0., inf])
    """
    return np.log(a)


log.vjps(a=lambda g, y, a: g / a)


@op("log1p({a})", shapes="(…) → (…)", reference=np.log1p, domain=(-1, inf))
def log1p(a: Any) -> Any:
    """Return log(1 + a). It is accurate near a = 0, where the sum 1 + a would lose the digits of
    `a`. It is −inf at −1 and NaN below −1, with NumPy's warning.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.log1p(tg.Tensor([0.0, 1e-8]))
    Tensor([0.e+00, 1.e-08])
    """
    return np.log1p(a)


log1p.vjps(a=lambda g, y, a: g / (1 + a))


@op("√{a}", shapes="(…) → (…)", reference=np.sqrt, domain=(0, inf))
def sqrt(a: Any) -> Any:
    """Return the square root of `a`. It is NaN for negative numbers, with NumPy's warning. Its
    derivative is inf at 0.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.sqrt(tg.Tensor([4.0, 9.0]))
    Tensor([2., 3.])
    """
    return np.sqrt(a)


sqrt.vjps(a=lambda g, y, a: g * (0.5 / y))


@op("{a}²", shapes="(…) → (…)", reference=np.square)
def square(a: Any) -> Any:
    """Return the elementwise square a ⊙ a. If `a` is beyond ±1.8e19 in float32, the result is inf,
    with NumPy's warning.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.square(tg.Tensor([2.0, -3.0]))
    Tensor([4., 9.])
    """
    return np.square(a)


square.vjps(a=lambda g, y, a: g * (2 * a))


@op("sign({a})", shapes="(…) → (…)", reference=np.sign)
def sign(a: Any) -> Any:
    """Return the sign of `a`: −1, 0 or 1. Its derivative is taken to be 0 everywhere, even at 0,
    where the sign jumps.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.sign(tg.Tensor([2.0, 0.0, -3.0]))
    Tensor([ 1.,  0., -1.])
    """
    return np.sign(a)


sign.vjps(a=lambda g, y, a: where(False, g, 0))


@op("|{a}|", shapes="(…) → (…)", reference=np.abs)
def abs(a: Any) -> Any:
    """Return the absolute value of `a`. At 0 its derivative is taken to be 0.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.abs(tg.Tensor([2.0, -3.0]))
    Tensor([2., 3.])
    """
    return np.abs(a)


abs.vjps(a=lambda g, y, a: keep_where(a != 0, g) * sign(a))


@op("sin({a})", shapes="(…) → (…)", reference=np.sin)
def sin(a: Any) -> Any:
    """Return the sine of `a`, an angle in radians. The sine of inf is NaN, with NumPy's warning.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.sin(tg.Tensor([0.0]))
    Tensor([0.])
    """
    return np.sin(a)


sin.vjps(a=lambda g, y, a: g * cos(a))


@op("cos({a})", shapes="(…) → (…)", reference=np.cos)
def cos(a: Any) -> Any:
    """Return the cosine of `a`, an angle in radians. The cosine of inf is NaN, with NumPy's
    warning.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.cos(tg.Tensor([0.0]))
    Tensor([1.])
    """
    return np.cos(a)


cos.vjps(a=lambda g, y, a: g * -sin(a))


@op("tanh({a})", shapes="(…) → (…)", reference=np.tanh)
def tanh(a: Any) -> Any:
    """Return the hyperbolic tangent y of `a`, between −1 and 1. Its derivative is 1 − y². If `a` is
    beyond ±10 in float32 (±20 in float64), y rounds to ±1, so the derivative is 0.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.tanh(tg.Tensor([0.0, 50.0]))
    Tensor([0., 1.])
    """
    return np.tanh(a)


tanh.vjps(a=lambda g, y, a: g * (1 - y * y))


@op("σ({a})", shapes="(…) → (…)", reference=lambda a: np.exp(-np.logaddexp(0, -a)))
@compute_in_float32
@np.errstate(over="ignore", under="ignore")
def sigmoid(a: Any) -> Any:
    """Return the logistic function y = 1 / (1 + exp(−a)), between 0 and 1. Its derivative is
    y (1 − y).

    The result is correct for every `a`: if exp(−a) overflows to inf, y is 1 / (1 + inf) = 0, which
    is the limit. If `a` is above 17 in float32 (37 in float64), y rounds to 1, so the derivative
    is 0.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.sigmoid(tg.Tensor([0.0, -1e4, 1e4]))
    Tensor([0.5, 0. , 1. ])
    """
    return np.reciprocal(1 + np.exp(-a))


sigmoid.vjps(a=lambda g, y, a: g * (y * (1 - y)))


@op("relu({a})", shapes="(…) → (…)", reference=lambda a: np.where(a > 0, a, 0))
def relu(a: Any) -> Any:
    """Return `a` where `a` is positive, and 0 elsewhere. At 0 its derivative is taken to be 0.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.relu(tg.Tensor([2.0, -3.0]))
    Tensor([2., 0.])
    """
    return np.maximum(a, 0)


relu.vjps(a=lambda g, y, a: keep_where(y > 0, g))


@op("softplus({a})", shapes="(…) → (…)", reference=lambda a: np.log(1 + np.exp(a)))
@np.errstate(under="ignore", invalid="ignore")  # logaddexp would warn about NaN
def softplus(a: Any) -> Any:
    """Return log(1 + exp(a)). It cannot overflow: the result is `a` for large `a`, and 0 for
    very negative `a`. The logarithm of σ(a) is −softplus(−a).

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.softplus(tg.Tensor([1e4, -1e4]))
    Tensor([10000.,     0.])
    """
    return np.logaddexp(a, 0)


softplus.vjps(a=lambda g, y, a: g * sigmoid(a))


@op(
    "clip({a}, {min}, {max})",
    shapes="(…) → (…)",
    sample=lambda r: [(r(3, 4), {"min": -0.5, "max": 0.7}), (r(5), {"max": 0.1})],
    reference=np.clip,
)
def clip(a: Any, *, min: Any = None, max: Any = None) -> Any:
    """Return `a` with its entries limited to the interval from `min` to `max`. The bounds are
    constants: numbers or arrays. The derivative is 0 where `a` is outside the interval.

    If a bound needs a gradient, use `maximum` and `minimum`.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.clip(tg.Tensor([2.0, -3.0]), -1, 1)
    Tensor([ 1., -1.])
    """
    bounds = {"min": min, "max": max}
    for name, bound in bounds.items():
        if isinstance(bound, Value):
            bounds[name] = check.real_array("clip", name, bound)
    return np.clip(a, bounds["min"], bounds["max"])


clip.vjps(a=lambda g, y, a, min, max: keep_where(y == a, g))


@op("{a}", shapes="(…) → (…)", reference=np.copy)
def copy(a: Any) -> Any:
    """Return a copy of `a` in new memory. Gradients flow back through the copy, as through any op.

    For a copy without gradients, use ``x.detach().copy()``. For a new parameter with the same
    values, use Python's `copy.deepcopy`.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.copy(tg.Tensor([1.0, 2.0], requires_grad=True))
    Tensor([1., 2.], has graph: copy)
    """
    return as_ndarray(a).copy()


copy.vjps(a=lambda g, y, a: g)


@op(
    "{a}",
    shapes="(…) → (…)",
    sample=lambda r: (r(3, 4), {"dtype": np.dtype(np.float64)}),
    reference=lambda a, dtype: a.astype(dtype.newbyteorder("=")),
)
def astype(a: Any, *, dtype: Any) -> Any:
    """Return `a` in another dtype. The gradient is cast back to the dtype of `a`. A number too
    large for a floating dtype becomes inf, with NumPy's warning.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.astype(tg.Tensor([1.0, 2.0]), "float64").dtype
    dtype('float64')
    """
    return as_ndarray(a).astype(check.real_dtype(dtype))


astype.vjps(a=lambda g, y, a, dtype: g)
