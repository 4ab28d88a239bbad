"""Logarithms and powers of other bases, roots, and sums of numbers given by their logarithms."""

from __future__ import annotations

from math import inf, log
from typing import Any

import numpy as np

from .arithmetic import BROADCAST
from .definition import op
from .elementwise import abs, sigmoid
from .indexing import where

LN2, LN10 = log(2), log(10)  # g / LN10 / a, because a · LN10 may overflow


@op("log₂({a})", shapes="(…) → (…)", reference=np.log2, domain=(0, inf))
def log2(a: Any) -> Any:
    """Return the logarithm of `a` to base 2. It is −inf at 0 and NaN for negative numbers, with
    NumPy's warning.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.log2(tg.Tensor([8.0]))
    Tensor([3.])
    """
    return np.log2(a)


log2.vjps(a=lambda g, y, a: g / LN2 / a)


@op("log₁₀({a})", shapes="(…) → (…)", reference=np.log10, domain=(0, inf))
def log10(a: Any) -> Any:
    """Return the logarithm of `a` to base 10. It is −inf at 0 and NaN for negative numbers, with
    NumPy's warning.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.log10(tg.Tensor([1.0]))
    Tensor([0.])
    """
    return np.log10(a)


log10.vjps(a=lambda g, y, a: g / LN10 / a)


@op("exp₂({a})", shapes="(…) → (…)", reference=np.exp2)
@np.errstate(under="ignore")
def exp2(a: Any) -> Any:
    """Return 2 to the power `a`. If `a` is 128 or more in float32 (1024 in float64), the result is
    inf, with NumPy's warning.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.exp2(tg.Tensor([3.0, -1.0]))
    Tensor([8. , 0.5])
    """
    return np.exp2(a)


exp2.vjps(a=lambda g, y, a: g * (y * LN2))


@op("∛{a}", shapes="(…) → (…)", reference=np.cbrt)
def cbrt(a: Any) -> Any:
    """Return the cube root of `a`, which is negative for negative numbers. Its derivative is inf
    at 0.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.cbrt(tg.Tensor([1.0, -1.0]))
    Tensor([ 1., -1.])
    """
    return np.cbrt(a)


cbrt.vjps(a=lambda g, y, a: g / (3 * y * y))


@op("logaddexp({a}, {b})", shapes="(…), (…) → (…)", fix=BROADCAST, reference=np.logaddexp)
@np.errstate(under="ignore")
def logaddexp(a: Any, b: Any) -> Any:
    """Return log(exp(a) + exp(b)), which cannot overflow. It is accurate near 0 too, because it is
    computed as max(a, b) + log1p(exp(−|a − b|)). Where `a` and `b` are equal, even if infinite,
    each gets half of the gradient.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.logaddexp(tg.Tensor([0.0, 1e4]), tg.Tensor([-10.0, 1e4]))
    Tensor([4.5398901e-05, 1.0000693e+04])
    """
    return np.logaddexp(a, b)


logaddexp.vjps(
    a=lambda g, y, a, b: g * sigmoid(finite_difference(a, b)),
    b=lambda g, y, a, b: g * sigmoid(finite_difference(b, a)),
)


def finite_difference(a: Any, b: Any) -> Any:
    """Return a − b; or 0 where both are the same infinity, because there a − b is NaN."""
    is_same = (a == b) & (abs(a) == inf)
    return where(is_same, 0, a) - where(is_same, 0, b)


@op("logaddexp2({a}, {b})", shapes="(…), (…) → (…)", fix=BROADCAST, reference=np.logaddexp2)
@np.errstate(under="ignore")
def logaddexp2(a: Any, b: Any) -> Any:
    """Return log₂(2ᵃ + 2ᵇ), which cannot overflow. Where `a` and `b` are equal, even if infinite,
    each gets half of the gradient.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.logaddexp2(tg.Tensor([1.0, 1e4]), tg.Tensor([1.0, 1e4]))
    Tensor([2.0000e+00, 1.0001e+04])
    """
    return np.logaddexp2(a, b)


logaddexp2.vjps(
    a=lambda g, y, a, b: g * sigmoid(LN2 * finite_difference(a, b)),
    b=lambda g, y, a, b: g * sigmoid(LN2 * finite_difference(b, a)),
)
