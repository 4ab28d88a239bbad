"""Functions that move, repeat or drop entries, or fill in zeros, and compute nothing.

NumPy does the moving. Its function is called with the positions 1, 2, 3, … of the entries in place
of their values. The result is an index, and indexing has a derivative.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import describe
from .composition import composition
from .indexing import where
from .operands import as_index, as_operand, with_axes
from .reductions import sum
from .shapes import concatenate, flip, ravel


def rearrange(operation: str, function: Callable[..., np.ndarray], *operands: Any) -> Any:
    """Return ``function(*operands)`` for a function that only moves entries and fills in zeros.

    The function is called with the numbers 1, 2, 3, … in place of the entries of all operands. Each
    number in its result says which entry belongs there, and 0 says that a zero does.

    Raises
    ------
    ValueError, TypeError, IndexError
        If `function` raises it. The message then names the operation and the operands.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn.ops.rearranging import rearrange
    >>> rearrange("tril", np.tril, tg.Tensor([[1.0, 2.0], [3.0, 4.0]]))
    Tensor([[1., 0.],
            [3., 4.]])
    """
    numbers, count = [], 0
    for a in operands:
        numbers.append(np.arange(count + 1, count + a.size + 1).reshape(a.shape))
        count += a.size
    try:
        places = function(*numbers)
    except (ValueError, TypeError, IndexError) as error:
        text, got = str(error).rstrip("."), ", ".join(map(describe, operands))
        raise type(error)(f"{operation}: {text}; got {got}") from error
    entries = [ravel(a) for a in operands]
    if (places == 0).any():
        return concatenate([np.zeros(1, np.result_type(*[a.dtype for a in operands])), *entries])[
            places
        ]
    return (entries[0] if len(entries) == 1 else concatenate(entries))[places - 1]


@composition(
    np.diag, sample=lambda r: [(r(3),), (r(3, 4), 1), (r(3, 4), {"k": -1}), (r(2), -2), (r(2, 0),)]
)
def diag(v: Any, k: int = 0) -> Any:
    """Return the matrix with `v` on its k-th diagonal, or the k-th diagonal of a matrix `v`.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.diag(tg.Tensor([1.0, 2.0]))
    Tensor([[1., 0.],
            [0., 2.]])
    """
    return rearrange("diag", lambda v: np.diag(v, k), as_operand("diag", "v", v))


@composition(np.diagflat, sample=lambda r: [(r(2, 2),), (r(3), 1), (r(), {"k": -1})])
def diagflat(v: Any, k: int = 0) -> Any:
    """Return the matrix with the entries of `v` in row-major order on its k-th diagonal.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.diagflat(tg.Tensor([1.0, 2.0]), 1).shape
    (3, 3)
    """
    return rearrange("diagflat", lambda v: np.diagflat(v, k), as_operand("diagflat", "v", v))


@composition(
    np.diagonal,
    sample=lambda r: [
        (r(3, 4),),
        (r(3, 4), -1),
        (r(2, 3, 3), {"axis1": -1, "axis2": 1}),
        (r(2, 3, 2), 1, 0, 2),
        (r(2, 2), 5),
    ],
)
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Return the diagonal of `a` in the plane of two axes, as the last axis of the result.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.diagonal(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]))
    Tensor([1., 4.])
    """
    a = as_operand("diagonal", "a", a)
    return rearrange("diagonal", lambda a: np.diagonal(a, offset, axis1, axis2), a)


@composition(np.fft.fftshift, sample=lambda r: [(r(5),), (r(3, 4), 1), (r(2, 3), (0, -1))])
def _fftshift(x: Any, axes: Any = None) -> Any:
    """Return `x` rolled by half of its size along `axes`, so that the frequency 0 is central."""
    return rearrange("fftshift", lambda a: np.fft.fftshift(a, axes), as_operand("fftshift", "x", x))


@composition(np.fft.ifftshift, sample=lambda r: [(r(5),), (r(3, 4), 1), (r(2, 3), (0, -1))])
def _ifftshift(x: Any, axes: Any = None) -> Any:
    """Return `x` rolled back, from the order of `fftshift`."""
    return rearrange(
        "ifftshift", lambda a: np.fft.ifftshift(a, axes), as_operand("ifftshift", "x", x)
    )


@composition(
    np.trace,
    sample=lambda r: [(r(3, 4),), (r(3, 3), {"offset": 1}), (r(2, 3, 3), 0, 1, 2), (r(2, 2), 5)],
)
def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Return the sum of the diagonal of `a` in the plane of two axes.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.trace(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]))
    Tensor(5.)
    """
    return sum(diagonal(as_operand("trace", "a", a), offset, axis1, axis2), axis=-1)


@composition(np.tril, sample=lambda r: [(r(3, 4),), (r(3, 3), 1), (r(2, 3, 2), {"k": -1}), (r(3),)])
def tril(m: Any, k: int = 0) -> Any:
    """Return `m` with zeros above its k-th diagonal.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.tril(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]))
    Tensor([[1., 0.],
            [3., 4.]])
    """
    m = with_axes("tril", "m", m)
    return where(np.tril(np.ones(m.shape[-2:], bool), k), m, 0)


@composition(np.triu, sample=lambda r: [(r(3, 4),), (r(3, 3), 1), (r(2, 3, 2), {"k": -1}), (r(3),)])
def triu(m: Any, k: int = 0) -> Any:
    """Return `m` with zeros below its k-th diagonal.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.triu(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]))
    Tensor([[1., 2.],
            [0., 4.]])
    """
    m = with_axes("triu", "m", m)
    return where(np.triu(np.ones(m.shape[-2:], bool), k), m, 0)


@composition(
    np.tile,
    sample=lambda r: [(r(2, 3), 2), (r(2, 3), (2, 1)), (r(2), (2, 1, 2)), (r(), {"reps": 3})],
)
def tile(A: Any, reps: Any) -> Any:
    """Return `A` repeated `reps` times along each axis.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.tile(tg.Tensor([1.0, 2.0]), 2)
    Tensor([1., 2., 1., 2.])
    """
    A, reps = as_operand("tile", "A", A), as_index("tile", "reps", reps)
    return rearrange("tile", lambda A: np.tile(A, reps), A)


@composition(
    np.roll,
    sample=lambda r: [(r(4), 1), (r(2, 3), -2), (r(2, 3), 1, -1), (r(2, 3), (1, 2), (0, 1))],
)
def roll(a: Any, shift: Any, axis: Any = None) -> Any:
    """Return `a` shifted along `axis`; what leaves at one end comes in at the other.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.roll(tg.Tensor([1.0, 2.0, 3.0]), 1)
    Tensor([3., 1., 2.])
    """
    return rearrange("roll", lambda a: np.roll(a, shift, axis), as_operand("roll", "a", a))


@composition(
    np.rot90,
    sample=lambda r: [(r(2, 3),), (r(2, 3), 2), (r(2, 3), -1, (1, 0)), (r(2, 3, 2), 1, (0, 2))],
)
def rot90(m: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    """Return `m` turned `k` times by 90 degrees in the plane of two axes.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.rot90(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]))
    Tensor([[2., 4.],
            [1., 3.]])
    """
    return rearrange("rot90", lambda m: np.rot90(m, k, axes), as_operand("rot90", "m", m))


@composition(np.fliplr, sample=lambda r: [(r(2, 3),), (r(2, 3, 2),)])
def fliplr(m: Any) -> Any:
    """Return `m` with its columns in reverse order.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.fliplr(tg.Tensor([[1.0, 2.0]]))
    Tensor([[2., 1.]])
    """
    return flip(with_axes("fliplr", "m", m, 2), 1)


@composition(np.flipud, sample=lambda r: [(r(3),), (r(2, 3),)])
def flipud(m: Any) -> Any:
    """Return `m` with its rows in reverse order.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.flipud(tg.Tensor([1.0, 2.0]))
    Tensor([2., 1.])
    """
    return flip(with_axes("flipud", "m", m), 0)


@composition(
    np.resize, sample=lambda r: [(r(2, 3), (4, 2)), (r(2), 5), (r(2, 3), {"new_shape": (2,)})]
)
def resize(a: Any, new_shape: Any) -> Any:
    """Return an array of `new_shape` that repeats the entries of `a` as often as they are needed.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.resize(tg.Tensor([1.0, 2.0]), 3)
    Tensor([1., 2., 1.])
    """
    return rearrange("resize", lambda a: np.resize(a, new_shape), as_operand("resize", "a", a))
