"""Ops that round to integers: their results are constant between jumps, so most derivatives are 0.

A rule that returns 0 uses `where`, not a product, because 0 · inf is NaN.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..op import op
from .arithmetic import BROADCAST
from .indexing import where

BETWEEN_JUMPS = {"a": (4, 6), "b": (3, 4)}
"""A domain in which 1 < a / b < 2, because difference quotients across a jump are no derivative."""


@op(
    "⌊{a} / {b}⌋",
    shapes="(…), (…) → (…)",
    fix=BROADCAST,
    reference=np.floor_divide,
    domain=BETWEEN_JUMPS,
)
def floor_divide(a: Any, b: Any) -> Any:
    """Return a / b, rounded down to an integer: ``a // b``. Division of a float by zero gives inf
    or NaN, with NumPy's warning. The derivatives are taken to be 0 everywhere, even at a jump.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.Tensor([7.0, -7.0]) // 2
    Tensor([ 3., -4.])
    """
    return np.floor_divide(a, b)


floor_divide.vjps(a=lambda g, y, a, b: where(False, g, 0), b=lambda g, y, a, b: where(False, g, 0))


@op(
    "{a} mod {b}",
    shapes="(…), (…) → (…)",
    fix=BROADCAST,
    reference=np.remainder,
    domain=BETWEEN_JUMPS,
)
def remainder(a: Any, b: Any) -> Any:
    """Return the remainder a − b ⌊a / b⌋, which has the sign of `b`: ``a % b``. The derivative with
    respect to `a` is 1, and with respect to `b` it is −⌊a / b⌋, even at a jump.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.Tensor([7.0, -7.0]) % 4
    Tensor([3., 1.])
    """
    return np.remainder(a, b)


remainder.vjps(a=lambda g, y, a, b: g, b=lambda g, y, a, b: g * -floor_divide(a, b))
