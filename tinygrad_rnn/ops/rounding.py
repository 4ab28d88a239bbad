"""Ops that round to integers: their results are constant between jumps, so most derivatives are 0.

A rule that returns 0 uses `where`, not a product, because 0 · inf is NaN.
"""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from .arithmetic import BROADCAST
from .composition import composition
from .definition import op
from .elementwise import abs
from .indexing import where
from .operands import as_floats, as_operand, as_operands, in_dtype_of

BETWEEN_JUMPS = {"a": (4, 6), "b": (3, 4)}
"""A domain in which 1 < a / b < 2, because difference quotients across a jump are no derivative."""


@op(
    "{a} // {b}",
    shapes="(…), (…) → (…)",
    fix=BROADCAST,
    reference=np.floor_divide,
    domain=BETWEEN_JUMPS,
)
def floor_divide(a: Any, b: Any) -> Any:
    """Return a / b, rounded down to an integer: ``a // b``. The exact quotient is rounded down, so
    1 // 0.1 is 9 in float64, where 0.1 is a little more than 1/10 and 1 / 0.1 is rounded to 10.
    Division of a float by zero gives inf or NaN, with NumPy's warning. The derivatives are taken to
    be 0 everywhere, even at a jump.

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


@op("{a} fmod {b}", shapes="(…), (…) → (…)", fix=BROADCAST, reference=np.fmod, domain=BETWEEN_JUMPS)
def fmod(a: Any, b: Any) -> Any:
    """Return the remainder a − b q, where q is a / b rounded toward 0. The remainder has the sign
    of `a`. The derivative with respect to `b` is −q, even at a jump.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.fmod(tg.Tensor([7.0, -7.0]), 4)
    Tensor([ 3., -3.])
    """
    return np.fmod(a, b)


fmod.vjps(a=lambda g, y, a, b: g, b=lambda g, y, a, b: g * -rint((a - y) / b))


@op("⌊{a}⌋", shapes="(…) → (…)", reference=np.floor, domain=(1, 2))
def floor(a: Any) -> Any:
    """Return the largest integer that is not larger than `a`. The derivative is taken to be 0
    everywhere, even at a jump.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.floor(tg.Tensor([1.5, -1.5]))
    Tensor([ 1., -2.])
    """
    return np.floor(a)


floor.vjps(a=lambda g, y, a: where(False, g, 0))


@op("⌈{a}⌉", shapes="(…) → (…)", reference=np.ceil, domain=(1, 2))
def ceil(a: Any) -> Any:
    """Return the smallest integer that is not smaller than `a`. The derivative is taken to be 0
    everywhere, even at a jump.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.ceil(tg.Tensor([1.5, -1.5]))
    Tensor([ 2., -1.])
    """
    return np.ceil(a)


ceil.vjps(a=lambda g, y, a: where(False, g, 0))


@op("trunc({a})", shapes="(…) → (…)", reference=np.trunc, domain=(1, 2))
def trunc(a: Any) -> Any:
    """Return `a` without its digits after the point. The derivative is taken to be 0 everywhere,
    even at a jump.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.trunc(tg.Tensor([1.5, -1.5]))
    Tensor([ 1., -1.])
    """
    return np.trunc(a)


trunc.vjps(a=lambda g, y, a: where(False, g, 0))


@op("rint({a})", shapes="(…) → (…)", reference=np.rint, domain=(1.5, 2.5))
def rint(a: Any) -> Any:
    """Return the integer nearest to `a`, the even one of two that are equally near. The derivative
    is taken to be 0 everywhere, even at a jump.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.rint(tg.Tensor([1.5, 2.5, -1.2]))
    Tensor([ 2.,  2., -1.])
    """
    return np.rint(a)


rint.vjps(a=lambda g, y, a: where(False, g, 0))


@op(
    "round({a}, {decimals})",
    shapes="(…) → (…)",
    sample=lambda r: [
        (2 + r(3, 4) / 5,),
        (2 + r(3, 4) / 60, {"decimals": 1}),
        (20 + r(3, 4), {"decimals": -1}),
    ],
    reference=np.round,
    domain=(1.5, 2.5),
)
def round(a: Any, *, decimals: int = 0) -> Any:
    """Return `a` rounded to `decimals` digits after the point. A negative `decimals` counts digits
    before the point. Of two numbers that are equally near, the result is the one with an even last
    digit. The derivative is taken to be 0 everywhere, even at a jump.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.round(tg.Tensor([1.234, 2.5]), 1)
    Tensor([1.2, 2.5])
    """
    return np.round(a, decimals)


round.vjps(a=lambda g, y, a, decimals: where(False, g, 0))


@composition(np.fix, sample=lambda r: (r(3, 4),))
def fix(x: Any) -> Any:
    """Return `x` without its digits after the point, as `trunc` does.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.fix(tg.Tensor([1.5, -1.5]))
    Tensor([ 1., -1.])
    """
    return trunc(as_operand("fix", "x", x))


@composition(np.modf, sample=lambda r: (r(3, 4),))
def modf(x: Any) -> tuple[Any, Any]:
    """Return the digits of `x` after the point, and `x` without them. Both have the sign of `x`.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.modf(tg.Tensor([1.5, -1.5]))
    (Tensor([ 0.5, -0.5]), Tensor([ 1., -1.]))
    """
    given = as_operand("modf", "x", x)
    x = in_dtype_of(given, *as_floats(given))
    return where(abs(x) == inf, 0, fmod(x, 1)), trunc(x)


@composition(np.divmod, sample=lambda r: (4 + r.positive(3, 4), 3 + r.positive(4) / 8))
def divmod(a: Any, b: Any) -> tuple[Any, Any]:
    """Return the pair ``a // b, a % b``; see `floor_divide` and `remainder`.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.divmod(tg.Tensor([7.0, -7.0]), 4)
    (Tensor([ 1., -2.]), Tensor([3., 1.]))
    """
    a, b = as_operands("divmod", a=a, b=b)
    return floor_divide(a, b), remainder(a, b)
