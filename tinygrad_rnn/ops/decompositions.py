"""Eigenvalues and singular values of matrices, with their vectors.

An op has one result. So the ops here return values and vectors below each other in one array, and
`eigh` and `svd` take that array apart.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import check
from ..errors import argument_error, describe
from .composition import composition
from .definition import op
from .indexing import where
from .linear_algebra import fold_triangle, require_square, sample_symmetric, widened
from .operands import as_operand
from .shapes import swapaxes


class EighResult(NamedTuple):
    """The eigenvalues of a symmetric matrix, and its eigenvectors as columns."""

    eigenvalues: Any
    eigenvectors: Any


class SVDResult(NamedTuple):
    """The factors of a matrix: U times the diagonal matrix of S times Vh."""

    U: Any
    S: Any
    Vh: Any


def inverse_differences(x: Any) -> Any:
    """Return the matrix of 1 / (x_j − x_i), with 0 where both are equal, as on the diagonal."""
    differences = x[..., None, :] - x[..., :, None]
    is_zero = differences == 0
    return where(is_zero, 0, 1 / where(is_zero, 1, differences))


# -- symmetric matrices ----------------------------------------------------------------------------


@op(
    "eigh({a})",
    shapes="(…, n, n) → (…, n + 1, n)",
    sample=sample_symmetric,
    reference=lambda a, uplo: np.concatenate(
        [np.linalg.eigvalsh(a, uplo)[..., None, :], np.linalg.eigh(a, uplo)[1]], -2
    ),
)
@widened
def _eigh(a: Any, *, uplo: Any = "L") -> Any:
    """Return the eigenvalues in ascending order, and below them the eigenvectors as columns. Only
    one triangle of `a` is read, and only it gets a gradient. Where eigenvalues are equal, their
    eigenvectors are not unique, and the part of the derivative that mixes them is taken to be 0."""
    values, vectors = np.linalg.eigh(a, uplo)
    return np.concatenate([values[..., None, :], vectors], -2)


_eigh.vjps(
    a=lambda g, y, a, uplo: eigh_cotangent(g, y) if uplo in "lL" else eigh_cotangent(g, y).mT
)


def eigh_cotangent(g: Any, y: Any) -> Any:
    """Return the cotangent of the lower triangle of `a` for y = eigh(a) (Giles, 2008)."""
    values, vectors = y[..., 0, :], y[..., 1:, :]
    mixed = inverse_differences(values) * (vectors.mT @ g[..., 1:, :])
    identity = np.eye(y.shape[-1], dtype=bool)
    inner = where(identity, g[..., :1, :], mixed)
    return fold_triangle(vectors @ inner @ vectors.mT)


@composition(
    np.linalg.eigh,
    sample=lambda r: [*sample_symmetric(r), (sample_symmetric(r)[0][0], {"UPLO": "U"})],
)
def eigh(a: Any, UPLO: str = "L") -> EighResult:
    """Return the eigenvalues of a symmetric matrix in ascending order, and its eigenvectors.

    Only one triangle of `a` is read, the lower one (L) or the upper one (U), and the other one gets
    the gradient 0. If eigenvalues are equal, a gradient is right only if it does not depend on
    which eigenvectors were chosen.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.eigh(tg.Tensor([[1.0, 0.0], [0.0, 3.0]])).eigenvalues
    Tensor([1., 3.])
    """
    a = require_square("eigh", a)
    check.one_of("eigh", "UPLO", UPLO, ("L", "U", "l", "u"))
    both = _eigh(a, uplo=UPLO)
    return EighResult(both[..., 0, :], both[..., 1:, :])


@composition(
    np.linalg.eigvalsh,
    sample=lambda r: [*sample_symmetric(r), (sample_symmetric(r)[0][0], {"UPLO": "U"})],
)
def eigvalsh(a: Any, UPLO: str = "L") -> Any:
    """Return the eigenvalues of a symmetric matrix in ascending order; see `eigh`.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.eigvalsh(tg.Tensor([[1.0, 0.0], [0.0, 3.0]]))
    Tensor([1., 3.])
    """
    return eigh(as_operand("eigvalsh", "a", a), UPLO).eigenvalues


# -- any matrices ----------------------------------------------------------------------------------


def sample_singular(r: Any) -> list[Any]:
    """Return sample calls with matrices whose singular values are distinct."""
    shapes = [(3, 3), (3, 2), (2, 2, 3)]
    return [
        (np.arange(2, 2 + shape[-1]) * np.eye(*shape[-2:]) + r(*shape) / 4,) for shape in shapes
    ]


@op(
    "svd({a})",
    shapes="(…, m, n) → (…, m + 1 + n, min(m, n))",
    sample=sample_singular,
    reference=lambda a: np.concatenate(
        [
            np.linalg.svd(a, False).U,
            np.linalg.svdvals(a)[..., None, :],
            np.linalg.svd(a, False).Vh.swapaxes(-1, -2),
        ],
        axis=-2,
    ),
)
@widened
def _svd(a: Any) -> Any:
    """Return the left singular vectors as columns, below them the singular values in descending
    order, and below these the right singular vectors as columns. Where singular values are equal or
    0, their vectors are not unique, and the part of the derivative that depends on the choice is
    taken to be 0."""
    u, s, vh = np.linalg.svd(a, full_matrices=False)
    return np.concatenate([u, s[..., None, :], np.swapaxes(vh, -1, -2)], axis=-2)


_svd.vjps(a=lambda g, y, a: svd_cotangent(g, y, a.shape[-2]))


def svd_cotangent(g: Any, y: Any, m: int) -> Any:
    """Return the cotangent of `a`, which has `m` rows, for y = svd(a) (Townsend, 2016)."""
    (u, s, v), (gu, gs, gv) = (
        (x[..., :m, :], x[..., m : m + 1, :], x[..., m + 1 :, :]) for x in (y, g)
    )
    k = s.shape[-1]
    f = inverse_differences(s[..., 0, :] ** 2)
    of_u, of_v = u.mT @ gu, v.mT @ gv
    inner = f * (of_u - of_u.mT) * s + s.mT * (f * (of_v - of_v.mT))
    inner = where(np.eye(k, dtype=bool), gs, inner)
    cotangent = u @ inner @ v.mT
    inverse = where(s == 0, 0, 1 / where(s == 0, 1, s))
    if m > k:  # the part of gu that no combination of columns of u gives
        cotangent = cotangent + (gu - u @ of_u) * inverse @ v.mT
    if v.shape[-2] > k:
        cotangent = cotangent + u @ ((gv - v @ of_v) * inverse).mT
    return cotangent


@composition(
    np.linalg.svd,
    sample=lambda r: [
        *[(*sample, False) for sample in sample_singular(r)],
        sample_singular(r)[0],
        (*sample_singular(r)[1], {"compute_uv": False}),
    ],
)
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """Return the singular value decomposition: U, the singular values S, and Vh.

    ``U @ np.diag(S) @ Vh`` is the matrix. The columns of U have length 1 and are perpendicular to
    each other, and so are the rows of Vh. If `compute_uv` is False, only S is returned. If singular
    values are equal or 0, a gradient is right only if it does not depend on which vectors were
    chosen.

    Raises
    ------
    ValueError
        If `full_matrices` and `compute_uv` are True and the matrix is not square, because the
        additional singular vectors have no derivative.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.svd(tg.Tensor([[3.0, 0.0], [0.0, 2.0]])).S
    Tensor([3., 2.])
    """
    a = as_operand("svd", "a", a)
    m, n = a.shape[-2:] if a.ndim > 1 else (0, 0)
    if full_matrices and compute_uv and m != n:
        fix = "pass full_matrices=False"
        raise argument_error("svd", "a", "a square matrix", describe(a), fix)
    parts = _svd(a)
    s = parts[..., m, :]
    if not compute_uv:
        return s
    return SVDResult(parts[..., :m, :], s, swapaxes(parts[..., m + 1 :, :], -1, -2))


@composition(np.linalg.svdvals, sample=sample_singular)
def svdvals(x: Any, /) -> Any:
    """Return the singular values of a matrix in descending order; see `svd`.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.svdvals(tg.Tensor([[3.0, 0.0], [0.0, 2.0]]))
    Tensor([3., 2.])
    """
    return svd(as_operand("svdvals", "x", x), compute_uv=False)
