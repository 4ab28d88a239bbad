"""Functions of `numpy.linalg` that do the same as functions of `numpy`, on the last two axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from .composition import composition
from .inner_products import cross
from .operands import as_operand, as_operands
from .products import matmul, outer
from .rearranging import diagonal, trace
from .shapes import swapaxes


@composition(np.linalg.trace, sample=lambda r: [(r(2, 3, 3),), (r(3, 4), {"offset": 1})])
def _trace(x: Any, /, *, offset: int = 0) -> Any:
    """Return the sum of the diagonal of each matrix."""
    return trace(as_operand("linalg.trace", "x", x), offset, -2, -1)


@composition(np.linalg.diagonal, sample=lambda r: [(r(2, 3, 3),), (r(3, 4), {"offset": 1})])
def _diagonal(x: Any, /, *, offset: int = 0) -> Any:
    """Return the diagonal of each matrix."""
    return diagonal(as_operand("linalg.diagonal", "x", x), offset, -2, -1)


@composition(
    np.linalg.cross, sample=lambda r: [(r(2, 3), r(2, 3)), (r(3, 2), r(3, 2), {"axis": 0})]
)
def _cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """Return the cross product of vectors of three entries."""
    return cross(*as_operands("linalg.cross", x1=x1, x2=x2), axis=axis)


@composition(np.linalg.outer, sample=lambda r: (r(2), r(3)))
def _outer(x1: Any, x2: Any, /) -> Any:
    """Return the product of every entry of one vector with every entry of another."""
    return outer(*as_operands("linalg.outer", x1=x1, x2=x2))


@composition(np.linalg.matmul, sample=lambda r: (r(2, 3), r(3, 2)))
def _matmul(x1: Any, x2: Any, /) -> Any:
    """Return the product of two matrices."""
    return matmul(*as_operands("linalg.matmul", x1=x1, x2=x2))


@composition(np.matrix_transpose, np.linalg.matrix_transpose, sample=lambda r: (r(2, 3, 4),))
def _matrix_transpose(x: Any, /) -> Any:
    """Return the transpose of each matrix."""
    return swapaxes(as_operand("matrix_transpose", "x", x), -2, -1)
