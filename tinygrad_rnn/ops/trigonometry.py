"""Angles: tangent, the inverse functions, and the length of a vector of two numbers.

Sine and cosine are in `elementwise`. A rule uses `hypot` where a sum of squares could overflow.
"""

from __future__ import annotations

from math import factorial, inf, pi
from typing import Any

import numpy as np

from ..dtypes import widen
from .arithmetic import BROADCAST, multiply
from .composition import composition
from .definition import op
from .elementwise import abs, cos, sign, sqrt
from .half_precision import compute_in_float32
from .indexing import where
from .operands import as_operand


@op("tan({a})", shapes="(…) → (…)", reference=np.tan, domain=(-pi / 2, pi / 2))
def tan(a: Any) -> Any:
    """Return the tangent y of `a`, an angle in radians. Its derivative is 1 + y².

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.tan(tg.Tensor([0.0]))
    Tensor([0.])
    """
    return np.tan(a)


tan.vjps(a=lambda g, y, a: g * (1 + y * y))


@op("arcsin({a})", shapes="(…) → (…)", reference=np.arcsin, domain=(-1, 1))
def arcsin(a: Any) -> Any:
    """Return the angle in [−π/2, π/2] whose sine is `a`. It is NaN outside of [−1, 1], with NumPy's
    warning. Its derivative is inf at −1 and 1.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.arcsin(tg.Tensor([0.0]))
    Tensor([0.])
    """
    return np.arcsin(a)


arcsin.vjps(a=lambda g, y, a: g / sqrt((1 - a) * (1 + a)))


@op("arccos({a})", shapes="(…) → (…)", reference=np.arccos, domain=(-1, 1))
def arccos(a: Any) -> Any:
    """Return the angle in [0, π] whose cosine is `a`. It is NaN outside of [−1, 1], with NumPy's
    warning. Its derivative is −inf at −1 and 1.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.arccos(tg.Tensor([1.0]))
    Tensor([0.])
    """
    return np.arccos(a)


arccos.vjps(a=lambda g, y, a: -g / sqrt((1 - a) * (1 + a)))


@op("arctan({a})", shapes="(…) → (…)", reference=np.arctan)
def arctan(a: Any) -> Any:
    """Return the angle in [−π/2, π/2] whose tangent is `a`. At inf it is π/2 and its derivative
    is 0.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.arctan(tg.Tensor([0.0]))
    Tensor([0.])
    """
    return np.arctan(a)


arctan.vjps(a=lambda g, y, a: g / hypot(1, a) / hypot(1, a))


@op("hypot({a}, {b})", shapes="(…), (…) → (…)", fix=BROADCAST, reference=np.hypot)
def hypot(a: Any, b: Any) -> Any:
    """Return the length √(a² + b²) of the vector (a, b). The squares cannot overflow. Where `a` and
    `b` are both 0, the length has a kink, and both derivatives are taken to be 0.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.hypot(tg.Tensor([3.0, 0.0]), 4)
    Tensor([5., 4.])
    """
    return np.hypot(a, b)


hypot.vjps(
    a=lambda g, y, a, b: g * slope_of_hypot(a, b, y),
    b=lambda g, y, a, b: g * slope_of_hypot(b, a, y),
)


def slope_of_hypot(a: Any, b: Any, y: Any) -> Any:
    """Return a / y. It is ±1 where only `a` is infinite, and 0 where y is 0."""
    is_limit = (abs(a) == inf) & (abs(b) != inf)
    return where(is_limit, sign(a * 1.0), divide_or_0(where(is_limit, 0, a), y))


def divide_or_0(a: Any, y: Any) -> Any:
    """Return a / y, and 0 where `y` is 0. There, the derivatives of the quotient are 0 too."""
    is_zero = y == 0
    return where(is_zero, 0, a / where(is_zero, 1, y))


@op("arctan2({a}, {b})", shapes="(…), (…) → (…)", fix=BROADCAST, reference=np.arctan2)
def arctan2(a: Any, b: Any) -> Any:
    """Return the angle in [−π, π] of the vector with the coordinates x = b and y = a. Where `a` and
    `b` are both 0, both derivatives are taken to be 0.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.arctan2(tg.Tensor([0.0]), tg.Tensor([1.0]))
    Tensor([0.])
    """
    return np.arctan2(a, b)


arctan2.vjps(
    a=lambda g, y, a, b: g * slope_of_arctan2(b, a),
    b=lambda g, y, a, b: g * -slope_of_arctan2(a, b),
)


def slope_of_arctan2(a: Any, b: Any) -> Any:
    """Return a / (a² + b²), and 0 where `a` and `b` are both 0."""
    y = hypot(a, b)
    return divide_or_0(slope_of_hypot(a, b, y), y)


@op("sinc({a})", shapes="(…) → (…)", reference=lambda a: np.sin(pi * a) / (pi * a))
@compute_in_float32
def sinc(a: Any) -> Any:
    """Return sin(π a) / (π a), as `numpy.sinc` does. It is 1 at 0, and its derivative there is 0.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.sinc(tg.Tensor([0.0]))
    Tensor([1.])
    """
    return np.sinc(a)


sinc.vjps(a=lambda g, y, a: g * slope_of_sinc(widen(a), y))


def slope_of_sinc(a: Any, y: Any) -> Any:
    """Return the derivative of y = sinc(a), which is (cos(π a) − y) / a.

    Near 0, this difference would lose all digits. There, the Taylor series of the derivative is
    summed instead. If `a` was widened, y is computed again, because it lost digits too.
    """
    y = y if y.dtype == a.dtype else sinc(a)
    is_small = abs(a) < 0.3
    small, large = where(is_small, a, 0), where(is_small, 1, a)
    square, series = (pi * small) * (pi * small), 0.0
    for k in range(9, 0, -1):
        series = series * square + (-1) ** k * 2 * k / factorial(2 * k + 1)
    return where(is_small, pi * pi * small * series, (cos(pi * large) - y) / large)


@composition(np.deg2rad, np.radians, sample=lambda r: (r(3, 4),))
def deg2rad(x: Any) -> Any:
    """Convert angles from degrees to radians: x π / 180. `numpy.radians` is the same.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.deg2rad(tg.Tensor([180.0]))
    Tensor([3.1415927])
    """
    return multiply(as_operand("deg2rad", "x", x), pi / 180)


@composition(np.rad2deg, np.degrees, sample=lambda r: (r(3, 4),))
def rad2deg(x: Any) -> Any:
    """Convert angles from radians to degrees: 180 x / π. `numpy.degrees` is the same.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.rad2deg(tg.Tensor([0.5]))
    Tensor([28.64789])
    """
    return multiply(as_operand("rad2deg", "x", x), 180 / pi)
