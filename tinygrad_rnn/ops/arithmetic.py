"""Sums, products and powers. Shapes broadcast as in NumPy; rules ignore that, the engine undoes it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..op import op
from .elementwise import log
from .indexing import where

BROADCAST = "two shapes fit if, counted from the right, sizes are equal or one of them is 1; use reshape or expand_dims"


@op(
    "{a} + {b}",
    shapes="(…), (…) → (…)",
    sample=lambda r: [(r(3, 4), r(4)), (r(2, 1), r(1, 3))],
    fix=BROADCAST,
)
def add(a: Any, b: Any) -> Any:
    """a + b. Rounded once; of opposite infinities it is nan.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.add(tg.Tensor([1.0, 2.0]), 1)
    Tensor([2., 3.])
    """
    return a + b


add.vjps(a=lambda g, y, a, b: g, b=lambda g, y, a, b: g)


@op(
    "{a} − {b}",
    shapes="(…), (…) → (…)",
    sample=lambda r: [(r(3, 4), r(4)), (r(2, 1), r(1, 3))],
    fix=BROADCAST,
)
def subtract(a: Any, b: Any) -> Any:
    """a − b. Rounded once; where the two nearly agree, the digits that they share are lost.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> 1 - tg.Tensor([0.25, 1.0])
    Tensor([0.75, 0.  ])
    """
    return a - b


subtract.vjps(a=lambda g, y, a, b: g, b=lambda g, y, a, b: -g)


@op(
    "{a} ⊙ {b}",
    shapes="(…), (…) → (…)",
    sample=lambda r: [(r(3, 4), r(4)), (r(2, 1), r(1, 3))],
    fix=BROADCAST,
)
def multiply(a: Any, b: Any) -> Any:
    """The elementwise product a ⊙ b. Rounded once; 0 times inf is nan.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.Tensor([1.0, 2.0]) * tg.Tensor([3.0, 4.0])
    Tensor([3., 8.])
    """
    return a * b


multiply.vjps(a=lambda g, y, a, b: g * b, b=lambda g, y, a, b: g * a)


@op(
    "{a} / {b}",
    shapes="(…), (…) → (…)",
    sample=lambda r: [(r(3, 4), r(4)), (r(2, 1), r(1, 3))],
    fix=BROADCAST,
)
def divide(a: Any, b: Any) -> Any:
    """a / b. Division by zero gives what NumPy gives: inf or nan, and its warning.

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
)
def power(a: Any, b: Any) -> Any:
    """a to the power b.

    The derivatives are b a^(b−1) and a^b log a. Where a and b are 0 the first is 0, and where a is 0 the
    second is 0, not the nan of 0 · inf.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.Tensor([1.0, 3.0]) ** 2
    Tensor([1., 9.])
    """
    return a**b


power.vjps(
    a=lambda g, y, a, b: g * (b * a ** (b - 1 + ((a == 0) & (b == 0)))),
    b=lambda g, y, a, b: g * (y * log(where(a == 0, 1, a))),
)


@op("−{a}", shapes="(…) → (…)", sample=lambda r: (r(3, 4),))
def negative(a: Any) -> Any:
    """−a. Exact.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> -tg.Tensor([1.0, -2.0])
    Tensor([-1.,  2.])
    """
    return np.negative(a)


negative.vjps(a=lambda g, y, a: -g)


@op(
    "max({a}, {b})",
    shapes="(…), (…) → (…)",
    sample=lambda r: [(r(3, 4), r(4)), (r(2, 1), r(1, 3))],
    fix=BROADCAST,
)
def maximum(a: Any, b: Any) -> Any:
    """The larger of a and b, element by element. Where they are equal each gets half of the gradient.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.maximum(tg.Tensor([1.0, -2.0]), 0)
    Tensor([1., 0.])
    """
    return np.maximum(a, b)


# Where one is nan they are not unlike either: both get a share, so that a nan that arrives goes on.
maximum.vjps(
    a=lambda g, y, a, b: where(a > b, g, where(a < b, 0, g / 2)),
    b=lambda g, y, a, b: where(a < b, g, where(a > b, 0, g / 2)),
)


@op(
    "min({a}, {b})",
    shapes="(…), (…) → (…)",
    sample=lambda r: [(r(3, 4), r(4)), (r(2, 1), r(1, 3))],
    fix=BROADCAST,
)
def minimum(a: Any, b: Any) -> Any:
    """The smaller of a and b, element by element. Where they are equal each gets half of the gradient.

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
    sample=lambda r: [(r(3, 4), r(3, 4), r(3, 4)), (r(3, 1), r(4), r(3, 4))],
    fix=BROADCAST,
)
def lerp(a: Any, b: Any, w: Any) -> Any:
    """Linear interpolation from a (w = 0) to b (w = 1): (1 − w) ⊙ a + w ⊙ b. At w = 1 it is b up to rounding.

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
