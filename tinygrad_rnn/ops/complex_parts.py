"""NumPy's functions of complex numbers, on Tensors, which are always real."""

from __future__ import annotations

from math import nan, pi
from typing import Any

import numpy as np

from .composition import composition
from .indexing import where
from .operands import as_operand


@composition(
    np.real, np.conjugate, np.real_if_close, sample=lambda r: (r(3, 4),), reference=np.positive
)
def _real(val: Any) -> Any:
    """Return `val` itself: the real part and the conjugate of a real number."""
    return as_operand("real", "val", val)


@composition(np.imag, sample=lambda r: (r(3, 4),))
def _imag(val: Any) -> Any:
    """Return 0, the imaginary part of a real number."""
    return where(False, as_operand("imag", "val", val), 0)


@composition(np.angle, sample=lambda r: [(r(3, 4),), (r(3), True)])
def _angle(z: Any, deg: bool = False) -> Any:
    """Return the angle of a real number in the complex plane: 0, or π if the number is negative.

    With `deg`, the angle is in degrees. Its derivative is 0.
    """
    z = as_operand("angle", "z", z)
    return where(z != z, nan, where(z < 0, 180.0 if deg else pi, where(False, z, 0)))
