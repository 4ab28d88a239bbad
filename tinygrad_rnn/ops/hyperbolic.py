"""Hyperbolic functions and their inverses; the hyperbolic tangent is in `elementwise`."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from .definition import op
from .elementwise import sqrt
from .trigonometry import hypot


@op("sinh({a})", shapes="(…) → (…)", reference=np.sinh)
def sinh(a: Any) -> Any:
    """Return the hyperbolic sine (exp(a) − exp(−a)) / 2. If `a` is beyond ±89.4 in float32, the
    result is infinite, with NumPy's warning.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.sinh(tg.Tensor([0.0]))
    Tensor([0.])
    """
    return np.sinh(a)


sinh.vjps(a=lambda g, y, a: g * cosh(a))


@op("cosh({a})", shapes="(…) → (…)", reference=np.cosh)
def cosh(a: Any) -> Any:
    """Return the hyperbolic cosine (exp(a) + exp(−a)) / 2. If `a` is beyond ±89.4 in float32, the
    result is inf, with NumPy's warning.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.cosh(tg.Tensor([0.0]))
    Tensor([1.])
    """
    return np.cosh(a)


cosh.vjps(a=lambda g, y, a: g * sinh(a))


@op("arcsinh({a})", shapes="(…) → (…)", reference=np.arcsinh)
def arcsinh(a: Any) -> Any:
    """Return the number whose hyperbolic sine is `a`.

    The derivative is 1 / √(1 + a²). It is computed without a², which could overflow.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.arcsinh(tg.Tensor([0.0]))
    Tensor([0.])
    """
    return np.arcsinh(a)


arcsinh.vjps(a=lambda g, y, a: g / hypot(1, a))


@op("arccosh({a})", shapes="(…) → (…)", reference=np.arccosh, domain=(1, inf))
def arccosh(a: Any) -> Any:
    """Return the number y ≥ 0 whose hyperbolic cosine is `a`. It is NaN below 1, with NumPy's
    warning. Its derivative is inf at 1.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.arccosh(tg.Tensor([1.0]))
    Tensor([0.])
    """
    return np.arccosh(a)


arccosh.vjps(a=lambda g, y, a: g / (sqrt(a - 1) * sqrt(a + 1)))


@op("arctanh({a})", shapes="(…) → (…)", reference=np.arctanh, domain=(-1, 1))
def arctanh(a: Any) -> Any:
    """Return the number whose hyperbolic tangent is `a`. It is infinite at −1 and 1, and NaN
    outside of [−1, 1], with NumPy's warning.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.arctanh(tg.Tensor([0.0]))
    Tensor([0.])
    """
    return np.arctanh(a)


arctanh.vjps(a=lambda g, y, a: g / ((1 - a) * (1 + a)))
