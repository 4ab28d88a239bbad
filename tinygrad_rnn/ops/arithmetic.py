"""Sums, products and powers. Shapes broadcast as in NumPy.

The derivative rules do not sum over broadcast axes, because the backward pass does.
"""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from .. import tree
from ..errors import argument_error, describe
from ..graph import Value
from .composition import composition
from .definition import op
from .elementwise import abs, astype, clip, log
from .indexing import where
from .operands import as_operand, as_operands

BROADCAST = "use reshape or expand_dims so that axis sizes, counted from the last, are equal or 1"


@op("{a} + {b}", shapes="(…), (…) → (…)", fix=BROADCAST, reference=np.add)
def add(a: Any, b: Any) -> Any:
    """Return the sum a + b. The result is rounded once; the sum of inf and −inf is NaN.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.add(tg.Tensor([1.0, 2.0]), 1)
    Tensor([2., 3.])
    """
    return a + b


add.vjps(a=lambda g, y, a, b: g, b=lambda g, y, a, b: g)


@op("{a} − {b}", shapes="(…), (…) → (…)", fix=BROADCAST, reference=np.subtract)
def subtract(a: Any, b: Any) -> Any:
    """Return the difference a − b. The result is rounded once. Where `a` and `b` are nearly equal,
    cancellation loses their common digits.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> 1 - tg.Tensor([0.25, 1.0])
    Tensor([0.75, 0.  ])
    """
    return a - b


subtract.vjps(a=lambda g, y, a, b: g, b=lambda g, y, a, b: -g)


@op("{a} ⊙ {b}", shapes="(…), (…) → (…)", fix=BROADCAST, reference=np.multiply)
def multiply(a: Any, b: Any) -> Any:
    """Return the elementwise product a ⊙ b. The result is rounded once; 0 times inf is NaN.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.Tensor([1.0, 2.0]) * tg.Tensor([3.0, 4.0])
    Tensor([3., 8.])
    """
    return a * b


multiply.vjps(a=lambda g, y, a, b: g * b, b=lambda g, y, a, b: g * a)


@op("{a} / {b}", shapes="(…), (…) → (…)", fix=BROADCAST, reference=np.divide)
def divide(a: Any, b: Any) -> Any:
    """Return the quotient a / b. Division by zero gives inf or NaN, with NumPy's warning.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.Tensor([1.0, 2.0]) / 2
    Tensor([0.5, 1. ])
    """
    return a / b


divide.vjps(a=lambda g, y, a, b: g / b, b=lambda g, y, a, b: g * (-y / b))


@op(
    "{a} ** {b}",
    shapes="(…), (…) → (…)",
    sample=lambda r: [(r.positive(3, 4), r(4)), (r(3), 2), (r.positive(3), 1.5)],
    fix=BROADCAST,
    reference=np.power,
    domain={"a": (0, inf)},
)
def power(a: Any, b: Any) -> Any:
    """Return `a` to the power `b`. The derivative with respect to `a` is b a^(b−1); it is taken
    to be 0 where `a` and `b` are both 0. The derivative with respect to `b` is a^b log a; it is
    taken to be 0 where `a` is 0 and `b` is not negative, although log 0 is −inf. Where `a` is 0
    and `b` is negative, a^b is inf, and both derivatives are −inf.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.Tensor([1.0, 3.0]) ** 2
    Tensor([1., 9.])
    """
    return a**b


# At a = 0, the rules choose terms whose second derivatives have the right limits.
power.vjps(
    a=lambda g, y, a, b: g * (power_factor(a, b) * a ** (b - 1 + both_zero(a, b))),
    b=lambda g, y, a, b: g * (y * (log(where((a == 0) & (b >= 0), 1, a)) - ((a == 0) & (b > 0)))),
)


def both_zero(a: Any, b: Any) -> Any:
    """Return 1 where a and b are both 0, and 0 elsewhere."""
    return 0 if isinstance(b, int | float) and b else (a == 0) & (b == 0)


def power_factor(a: Any, b: Any) -> Any:
    """Return the factor b of b a^(b−1), or 1 if 0 < b < 1 where a is 0. With both, the product is
    inf."""
    between: Any = b  # the checker of types knows no comparison of a Value
    return where((a == 0) & (between > 0) & (between < 1), 1, b) if isinstance(b, Value) else b


@op("−{a}", shapes="(…) → (…)", reference=np.negative)
def negative(a: Any) -> Any:
    """Return −a. The result is exact.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> -tg.Tensor([1.0, -2.0])
    Tensor([-1.,  2.])
    """
    return np.negative(a)


negative.vjps(a=lambda g, y, a: -g)


@op("max({a}, {b})", shapes="(…), (…) → (…)", fix=BROADCAST, reference=np.maximum)
def maximum(a: Any, b: Any) -> Any:
    """Return the elementwise maximum of `a` and `b`. Where `a` and `b` are equal, each gets half of
    the gradient.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.maximum(tg.Tensor([1.0, -2.0]), 0)
    Tensor([1., 0.])
    """
    return np.maximum(a, b)


# Where `a` or `b` is NaN, both comparisons are False. Both inputs then get g / 2, which is NaN if g
# is NaN.
maximum.vjps(
    a=lambda g, y, a, b: where(a > b, g, where(a < b, 0, g / 2)),
    b=lambda g, y, a, b: where(a < b, g, where(a > b, 0, g / 2)),
)


@op("min({a}, {b})", shapes="(…), (…) → (…)", fix=BROADCAST, reference=np.minimum)
def minimum(a: Any, b: Any) -> Any:
    """Return the elementwise minimum of `a` and `b`. Where `a` and `b` are equal, each gets half of
    the gradient.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.minimum(tg.Tensor([1.0, -2.0]), 0)
    Tensor([ 0., -2.])
    """
    return np.minimum(a, b)


minimum.vjps(
    a=lambda g, y, a, b: where(a < b, g, where(a > b, 0, g / 2)),
    b=lambda g, y, a, b: where(a > b, g, where(a < b, 0, g / 2)),
)


@op(
    "{a} + {w} ⊙ ({b} − {a})",
    shapes="(…), (…), (…) → (…)",
    fix=BROADCAST,
    reference=lambda a, b, w: (1 - w) * a + w * b,
)
def lerp(a: Any, b: Any, w: Any) -> Any:
    """Return the linear interpolation (1 − w) ⊙ a + w ⊙ b, from `a` at w = 0 to `b` at w = 1. At
    w = 1, the result equals `b` up to rounding. Where w is 0 and b − a is infinite, the result is
    NaN, because 0 · inf is NaN; to choose between `a` and `b`, use `where`.

    The new state of a GRU, h' = z ⊙ h + (1 − z) ⊙ n, is ``lerp(n, h, z)``.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.lerp(tg.Tensor([0.0, 0.0]), tg.Tensor([4.0, 8.0]), 0.25)
    Tensor([1., 2.])
    """
    return a + w * (b - a)


lerp.vjps(
    a=lambda g, y, a, b, w: g * (1 - w),
    b=lambda g, y, a, b, w: g * w,
    w=lambda g, y, a, b, w: g * (b - a),
)


@composition(np.reciprocal, sample=lambda r: (r(3, 4),))
def reciprocal(x: Any) -> Any:
    """Return 1 / x. It is infinite at 0, with NumPy's warning.

    Raises
    ------
    TypeError
        If `x` holds integers, because `numpy.reciprocal` rounds their reciprocals to 0.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.reciprocal(tg.Tensor([4.0, -2.0]))
    Tensor([ 0.25, -0.5 ])
    """
    x = as_operand("reciprocal", "x", x)
    if x.dtype.kind != "f":
        expected, fix = "a floating dtype, because NumPy rounds to 0", "use 1 / x"
        raise argument_error("reciprocal", "x", expected, describe(x), fix, TypeError)
    return divide(1, x)


@composition(np.positive, sample=lambda r: (r(3, 4),))
def positive(x: Any) -> Any:
    """Return `x` as it is. It is the operator ``+x``.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.positive(tg.Tensor([-1.0]))
    Tensor([-1.])
    """
    return as_operand("positive", "x", x)


@composition(np.fabs, sample=lambda r: (r(3, 4),))
def fabs(x: Any) -> Any:
    """Return the absolute value of `x` as a floating number; see `abs`.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.fabs(tg.Tensor([2, -3]))
    Tensor([2., 3.])
    """
    return abs(multiply(as_operand("fabs", "x", x), 1.0))


@composition(np.float_power, sample=lambda r: [(r.positive(3, 4), r(4)), (r(3), 2), (2.0, r(3))])
def float_power(a: Any, b: Any) -> Any:
    """Return `a` to the power `b`, computed in float64; see `power`.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.float_power(tg.Tensor([2.0]), -1)
    Tensor([0.5], dtype=float64)
    """
    a, b = as_operands("float_power", a=a, b=b)
    return power(astype(a, dtype=np.float64), astype(b, dtype=np.float64))


@composition(
    np.clip,
    sample=lambda r: [
        (r(3, 4), -0.77, 0.91),
        (r(3, 4), {"a_min": -0.77, "a_max": None}),
        (r(3, 4), {"min": -0.77, "max": [0.91, 0.92, 0.93, 0.94]}),
        (r(3, 4), r(4), 0.91),
    ],
)
def _clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    """Return `a` with its entries limited to the interval from `a_min` to `a_max`, or from `min` to
    `max`. A limit that is a Tensor gets the gradient where the result is this limit."""
    a = as_operand("clip", "a", a)
    low, high = a_min if min is None else min, a_max if max is None else max
    if not any(isinstance(limit, Value) for limit in tree.leaves([low, high])):
        return clip(a, min=low, max=high)
    a = a if low is None else maximum(a, as_operand("clip", "min", low, a))
    return a if high is None else minimum(a, as_operand("clip", "max", high, a))
