"""Functions of square matrices: solving, inverse, determinant, and the Cholesky factor.

Leading axes are stacks of matrices, as in `numpy.linalg`. float16 is computed in float32, because
LAPACK has no smaller precision.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce, wraps
from typing import Any, NamedTuple

import numpy as np

from .. import check
from ..errors import argument_error, describe
from .composition import composition
from .definition import op
from .indexing import where
from .operands import as_operand, as_operands, as_sequence
from .products import matmul
from .rearranging import tril
from .shapes import expand_dims, squeeze, swapaxes


def widened(forward: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function compute float16 in float32, and return its result in float16."""

    @wraps(forward)
    def compute(*arrays: Any, **settings: Any) -> Any:
        arrays = tuple([np.asarray(a) for a in arrays])
        is_half = [a.dtype == np.float16 for a in arrays]
        if not any(is_half):
            return forward(*arrays, **settings)
        wide = [a.astype(np.float32) if h else a for a, h in zip(arrays, is_half, strict=True)]
        y = forward(*wide, **settings)
        return y.astype(np.float16) if all(is_half) else y

    return compute


def sample_square(r: Any) -> list[Any]:
    """Return sample calls with matrices that are far from singular."""
    return [(4 * np.eye(3) + r(3, 3),), (4 * np.eye(2) + r(2, 2, 2),)]


def sample_symmetric(r: Any) -> list[Any]:
    """Return sample calls with symmetric matrices whose eigenvalues are positive and distinct."""
    return [(_symmetric(r, 3),), (np.stack([_symmetric(r, 2), _symmetric(r, 2)]),)]


def _symmetric(r: Any, n: int) -> Any:
    """Return a symmetric matrix with eigenvalues near 2, 4, 6, …"""
    a = r(n, n) / 4
    return np.diag(2.0 * np.arange(1, n + 1)) + (a + a.T) / 2


def require_square(operation: str, a: Any) -> Any:
    """Return `a` as an array or Tensor; raise ValueError unless its last two axes are equal."""
    a = as_operand(operation, "a", a)
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        expected = "a square matrix, or a stack of them"
        fix = "pass an array whose last two axes have the same size"
        raise argument_error(operation, "a", expected, describe(a), fix)
    return a


# -- solving ---------------------------------------------------------------------------------------


@op(
    "{a}⁻¹ @ {b}",
    shapes="(…, n, n), (…, n, k) → (…, n, k)",
    sample=lambda r: [
        (4 * np.eye(3) + r(3, 3), r(3, 2)),
        (4 * np.eye(2) + r(3, 2, 2), r(2, 3)),
        (4 * np.eye(2) + r(2, 2), r(3, 2, 1)),
    ],
    fix="pass a square matrix a that has an inverse, and b with as many rows",
    reference=lambda a, b: np.linalg.inv(a) @ b,
)
@widened
def _solve(a: Any, b: Any) -> Any:
    """Return the y with a @ y = b, where `b` is a matrix. LAPACK solves by the LU factors with
    partial pivoting. A singular matrix raises LinAlgError."""
    return np.linalg.solve(a, b)


_solve.vjps(a=lambda g, y, a, b: -(_solve(a.mT, g) @ y.mT), b=lambda g, y, a, b: _solve(a.mT, g))


@composition(
    np.linalg.solve,
    sample=lambda r: [
        (4 * np.eye(3) + r(3, 3), r(3)),
        (4 * np.eye(3) + r(3, 3), r(3, 2)),
        (4 * np.eye(2) + r(3, 2, 2), r(2)),
        (4 * np.eye(2) + r(2, 2), r(3, 2, 1)),
    ],
)
def solve(a: Any, b: Any) -> Any:
    """Return the x with a @ x = b, where `b` is a vector, a matrix, or a stack of matrices.

    Raises
    ------
    numpy.linalg.LinAlgError
        If a matrix is singular.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.solve(tg.Tensor([[2.0, 0.0], [0.0, 4.0]]), [1.0, 1.0])
    Tensor([0.5 , 0.25])
    """
    a, b = as_operands("solve", a=a, b=b)
    return squeeze(_solve(a, expand_dims(b, 1)), -1) if b.ndim == 1 else _solve(a, b)


@composition(np.linalg.inv, sample=sample_square)
def inv(a: Any) -> Any:
    """Return the inverse of a square matrix.

    To multiply the inverse with something, use `solve`: it is faster and more accurate.

    Raises
    ------
    numpy.linalg.LinAlgError
        If a matrix is singular.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.inv(tg.Tensor([[2.0, 0.0], [0.0, 4.0]]))
    Tensor([[0.5 , 0.  ],
            [0.  , 0.25]])
    """
    a = require_square("inv", a)
    return _solve(a, np.eye(a.shape[-1], dtype=a.dtype))


@op(
    "pinv({a})",
    shapes="(…, m, n) → (…, n, m)",
    sample=lambda r: [(r(3, 2) / 8 + 2 * np.eye(3, 2),), (r(2, 2, 3) / 8 + 2 * np.eye(2, 3),)],
    reference=lambda a, rtol: (
        np.linalg.inv(a.swapaxes(-1, -2) @ a) @ a.swapaxes(-1, -2)
        if a.shape[-2] >= a.shape[-1]
        else a.swapaxes(-1, -2) @ np.linalg.inv(a @ a.swapaxes(-1, -2))
    ),
)
@widened
def _pinv(a: Any, *, rtol: Any = None) -> Any:
    """Return the pseudoinverse. The rule holds while the rank stays the same (Golub and Pereyra,
    1973)."""
    return np.linalg.pinv(a, rtol)


_pinv.vjps(a=lambda g, y, a, rtol: pseudoinverse_cotangent(g, y, a))


def pseudoinverse_cotangent(g: Any, y: Any, a: Any) -> Any:
    """Return the cotangent of `a` for y = pinv(a): −yᵀ g yᵀ, and terms that vanish if y is a⁻¹."""
    left = g.mT @ (y @ y.mT)
    right = (y.mT @ y) @ g.mT
    return left - a @ (y @ left) + right - (right @ y) @ a - y.mT @ g @ y.mT


@composition(
    np.linalg.pinv,
    sample=lambda r: [(r(3, 2) + 2 * np.eye(3, 2),), (r(2, 2, 3) + 2 * np.eye(2, 3), 1e-9)],
)
def pinv(a: Any, rcond: Any = None, *, rtol: Any = None) -> Any:
    """Return the Moore–Penrose pseudoinverse, which solves least squares: x = pinv(a) @ b.

    Singular values of at most `rtol` times the largest one count as 0. `rcond` is another name of
    `rtol`. The gradient is right where the rank of `a` does not change.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.pinv(tg.Tensor([[2.0], [0.0]]))
    Tensor([[0.5, 0. ]])
    """
    return _pinv(as_operand("pinv", "a", a), rtol=rcond if rtol is None else rtol)


@composition(
    np.linalg.matrix_power,
    sample=lambda r: [(r(3, 3), 3), (r(2, 2, 2), 4), (4 * np.eye(2) + r(2, 2), -2), (r(2, 2), 0)],
)
def matrix_power(a: Any, n: int) -> Any:
    """Return the n-th power of a square matrix. A negative `n` inverts the matrix first.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.matrix_power(tg.Tensor([[1.0, 1.0], [0.0, 1.0]]), 3)
    Tensor([[1., 3.],
            [0., 1.]])
    """
    a = require_square("matrix_power", a)
    times = abs(check.count("matrix_power", "n", n, low=-(10**6)))
    if n < 0:
        a = inv(a)
    power = where(np.ones(a.shape, bool), np.eye(a.shape[-1], dtype=a.dtype), a)
    while times:
        if times % 2:
            power = matmul(power, a)
        a, times = matmul(a, a) if times > 1 else a, times // 2
    return power


@composition(
    np.linalg.multi_dot, sample=lambda r: [([r(2, 3), r(3, 2), r(2, 4)],), ([r(3), r(3, 2), r(2)],)]
)
def multi_dot(arrays: Any) -> Any:
    """Return the product of several matrices, in order. The first and the last may be vectors.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.multi_dot([tg.Tensor([[1.0, 2.0]]), tg.Tensor([[3.0], [4.0]]), tg.Tensor([[2.0]])])
    Tensor([[22.]])
    """
    return reduce(matmul, as_sequence("multi_dot", "arrays", arrays))


# -- determinants ----------------------------------------------------------------------------------


@op(
    "det({a})",
    shapes="(…, n, n) → (…)",
    sample=lambda r: [*sample_square(r), (np.ones((3, 3)),), (np.outer([1.0, 2.0], [3.0, 4.0]),)],
    fix="pass a square matrix, or a stack of them",
    reference=lambda a: np.prod(np.linalg.eigvals(a), axis=-1).real,
)
@widened
def _det(a: Any) -> Any:
    """Return the determinant of a square matrix. The derivative is the matrix of cofactors. It
    is right for singular matrices too, but a singular matrix with more than 8 rows raises
    LinAlgError in the backward pass. The result for a large matrix may overflow; see `slogdet`."""
    return np.linalg.det(a)


_det.vjps(a=lambda g, y, a: g[..., None, None] * cofactors(a, y))


@composition(np.linalg.det, sample=sample_square)
def det(a: Any) -> Any:
    """Return the determinant of a square matrix, or of a stack of them; see `slogdet`.

    It has a gradient at singular matrices too. Only in a backward pass through more than 8 rows
    does a singular matrix raise LinAlgError.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.det(tg.Tensor([[3.0, 1.0], [-1.0, 2.0]]))
    Tensor(7.)
    """
    return _det(require_square("det", a))


def cofactors(a: Any, y: Any) -> Any:
    """Return the derivative of y = det(a). For a small matrix, each entry is, up to its sign, the
    determinant of `a` without one row and one column. For a larger matrix, the derivative is y
    times the transposed inverse."""
    n = a.shape[-1]
    if n > MINORS or not n:
        return y[..., None, None] * swapaxes(inv(a), -1, -2)
    others = np.array([[j for j in range(n) if j != i] for i in range(n)], int).reshape(n, n - 1)
    minors = a[..., others[:, None, :, None], others[None, :, None, :]]
    signs = np.where(np.add.outer(np.arange(n), np.arange(n)) % 2, -1, 1).astype(a.dtype)
    return signs * _det(minors)


MINORS = 8
"""The largest number n of rows for which `cofactors` computes n² smaller determinants. For a larger
matrix, it computes the inverse instead."""


@op(
    "slogdet({a})",
    shapes="(…, n, n) → (…, 2)",
    sample=sample_square,
    fix="pass a square matrix, or a stack of them",
    reference=lambda a: np.stack([np.sign(np.linalg.det(a)), np.log(abs(np.linalg.det(a)))], -1),
)
@widened
def _slogdet(a: Any) -> Any:
    """Return the sign of the determinant and the logarithm of its absolute value, along a new last
    axis. The sign has the derivative 0. A singular matrix gives 0 and −inf."""
    return np.stack(np.linalg.slogdet(a), axis=-1)


_slogdet.vjps(a=lambda g, y, a: g[..., 1, None, None] * swapaxes(inv(a), -1, -2))


class SlogdetResult(NamedTuple):
    """The sign of a determinant, and the logarithm of its absolute value."""

    sign: Any
    logabsdet: Any


@composition(np.linalg.slogdet, sample=sample_square)
def slogdet(a: Any) -> SlogdetResult:
    """Return the sign of the determinant, and the logarithm of its absolute value.

    The logarithm does not overflow for large matrices. The gradient of the sign is 0.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.slogdet(tg.Tensor([[-1.0, 0.0], [0.0, 1.0]]))
    SlogdetResult(sign=Tensor(-1.), logabsdet=Tensor(0.))
    """
    both = _slogdet(require_square("slogdet", a))
    return SlogdetResult(both[..., 0], both[..., 1])


# -- symmetric matrices ----------------------------------------------------------------------------


def fold_triangle(s: Any) -> Any:
    """Return the cotangent of the lower triangle of a symmetric matrix, whose cotangent is `s`.

    An entry below the diagonal gets the cotangent of its mirror image too.
    """
    return tril(s) + tril(s.mT, -1)


@op(
    "cholesky({a})",
    shapes="(…, n, n) → (…, n, n)",
    sample=sample_symmetric,
    fix="pass a symmetric matrix with positive eigenvalues; add a small multiple of np.eye",
    reference=np.linalg.cholesky,
)
@widened
def _cholesky(a: Any) -> Any:
    """Return the lower triangular matrix y with y yᵀ = a. Only the lower triangle of `a` is read,
    and only it gets a gradient. A matrix that is not positive definite raises LinAlgError."""
    return np.linalg.cholesky(a)


_cholesky.vjps(a=lambda g, y, a: cholesky_cotangent(g, y))


def cholesky_cotangent(g: Any, y: Any) -> Any:
    """Return the cotangent of `a` for y = cholesky(a) (Murray, 2016)."""
    product = tril(y.mT @ tril(g))
    halved = product - where(np.eye(y.shape[-1], dtype=bool), product / 2, 0)
    symmetric = (halved + halved.mT) / 2
    inner = _solve(y.mT, symmetric)
    return fold_triangle(swapaxes(_solve(y.mT, swapaxes(inner, -1, -2)), -1, -2))


@composition(
    np.linalg.cholesky, sample=lambda r: [*sample_symmetric(r), (_symmetric(r, 3), {"upper": True})]
)
def cholesky(a: Any, /, *, upper: bool = False) -> Any:
    """Return the triangular matrix y with y yᵀ = a.

    The matrix `a` is symmetric and positive definite. Only its lower triangle is read. With
    `upper`, only the upper triangle is read, and the result is the upper triangular matrix y with
    yᵀ y = a. The other triangle gets the gradient 0.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the matrix is not positive definite.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.cholesky(tg.Tensor([[4.0, 0.0], [2.0, 2.0]]))
    Tensor([[2., 0.],
            [1., 1.]])
    """
    a = require_square("cholesky", a)
    return swapaxes(_cholesky(swapaxes(a, -1, -2)), -1, -2) if upper else _cholesky(a)
