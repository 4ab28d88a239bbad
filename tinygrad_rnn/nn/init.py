"""Initialisers: constant arrays, and random arrays drawn from a given Generator or seed."""

from __future__ import annotations

from math import prod, sqrt
from typing import Any, TypeAlias

import numpy as np

from .. import check
from ..dtypes import get_default_dtype
from ..errors import argument_error

__all__ = [
    "generator",
    "kaiming_uniform",
    "normal",
    "ones",
    "orthogonal",
    "uniform",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
]
# This is a string, so that numpy.random is imported only when it is used.
Rng: TypeAlias = "np.random.Generator | int | None"


def generator(rng: Rng) -> np.random.Generator:
    """Return `rng` if it is a Generator, else a new Generator.

    If `rng` is an integer, it is the seed of the new Generator. If `rng` is None, the new Generator
    is unseeded.

    Parameters
    ----------
    rng : numpy.random.Generator, int or None

    Returns
    -------
    numpy.random.Generator

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> float(tg.nn.init.generator(0).random()) == float(tg.nn.init.generator(0).random())
    True
    """
    if rng is None or isinstance(rng, np.random.Generator):
        return rng or np.random.default_rng()
    return np.random.default_rng(check.count("generator", "rng (a seed)", rng, low=0))


def uniform(shape: tuple[int, ...], bound: float, rng: Rng = None) -> np.ndarray:
    """Return numbers drawn uniformly from [−bound, bound).

    ::

        W_ij ~ U(−bound, bound)

    Parameters
    ----------
    shape : tuple of int
    bound : float
        The largest absolute value, at least 0.
    rng : numpy.random.Generator or int, optional
        A Generator or a seed. The default is a new unseeded Generator.

    Returns
    -------
    ndarray
        An array of the default dtype. All initialisers return this dtype.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.nn.init.uniform((2, 3), 0.1, rng=0).shape
    (2, 3)
    """
    bound = check.number("init", "bound", bound)
    return generator(rng).uniform(-bound, bound, as_shape(shape)).astype(get_default_dtype())


def normal(shape: tuple[int, ...], std: float = 1.0, rng: Rng = None) -> np.ndarray:
    """Return numbers from a normal distribution with mean 0.

    ::

        W_ij ~ N(0, std²)

    Parameters
    ----------
    shape : tuple of int
    std : float
        The standard deviation, at least 0.
    rng : numpy.random.Generator or int, optional

    Returns
    -------
    ndarray

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> round(float(tg.nn.init.normal((1000, 10), 0.5, rng=0).std()), 2)
    0.5
    """
    std = check.number("init", "std", std)
    return (generator(rng).standard_normal(as_shape(shape)) * std).astype(get_default_dtype())


def zeros(shape: tuple[int, ...]) -> np.ndarray:
    """Return an array of zeros.

    ::

        W_ij = 0

    Parameters
    ----------
    shape : tuple of int

    Returns
    -------
    ndarray

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.nn.init.zeros((2,))
    array([0., 0.], dtype=float32)
    """
    return np.zeros(as_shape(shape), get_default_dtype())


def ones(shape: tuple[int, ...]) -> np.ndarray:
    """Return an array of ones.

    ::

        W_ij = 1

    Parameters
    ----------
    shape : tuple of int

    Returns
    -------
    ndarray

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.nn.init.ones((2,))
    array([1., 1.], dtype=float32)
    """
    return np.ones(as_shape(shape), get_default_dtype())


def xavier_uniform(shape: tuple[int, ...], gain: float = 1.0, rng: Rng = None) -> np.ndarray:
    """Return uniform weights that preserve the variance of signals and gradients.

    A linear layer preserves both variances only if in = out; otherwise this is a compromise.

    ::

        W_ij ~ U(−b, b),   b = gain · √(6 / (in + out))

    Parameters
    ----------
    shape : tuple of int
        (out, in, ...). Sizes of further axes are multiplied into `in`.
    gain : float
        A factor that multiplies all weights, chosen for the nonlinearity that follows: 5/3 is
        common for tanh.
    rng : numpy.random.Generator or int, optional

    Returns
    -------
    ndarray

    References
    ----------
    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks"
    (2010), equation 16.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> bool(abs(tg.nn.init.xavier_uniform((2, 4), rng=0)).max() <= 1)
    True
    """
    return uniform(
        shape, check.number("init", "gain", gain) * sqrt(6 / max(sum(fans(shape)), 1)), rng
    )


def xavier_normal(shape: tuple[int, ...], gain: float = 1.0, rng: Rng = None) -> np.ndarray:
    """Return normally distributed weights with the variance of `xavier_uniform`.

    ::

        W_ij ~ N(0, s²),   s = gain · √(2 / (in + out))

    Parameters
    ----------
    shape : tuple of int
        (out, in, ...). Sizes of further axes are multiplied into `in`.
    gain : float
        A factor that multiplies all weights.
    rng : numpy.random.Generator or int, optional

    Returns
    -------
    ndarray

    References
    ----------
    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks"
    (2010), equation 12.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> round(float(tg.nn.init.xavier_normal((100, 100), rng=0).std()), 2)
    0.1
    """
    return normal(
        shape, check.number("init", "gain", gain) * sqrt(2 / max(sum(fans(shape)), 1)), rng
    )


def kaiming_uniform(shape: tuple[int, ...], gain: float = sqrt(2), rng: Rng = None) -> np.ndarray:
    """Return uniform weights that preserve the variance of signals in networks with relu.

    The gain √2 compensates for the relu, which halves the mean square.

    ::

        W_ij ~ U(−b, b),   b = gain · √(3 / in)

    Parameters
    ----------
    shape : tuple of int
        (out, in, ...). Sizes of further axes are multiplied into `in`.
    gain : float
        A factor that multiplies all weights: √2 for a relu.
    rng : numpy.random.Generator or int, optional

    Returns
    -------
    ndarray

    References
    ----------
    He et al., "Delving deep into rectifiers: surpassing human-level performance on ImageNet
    classification" (2015), equation 10.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> bool(abs(tg.nn.init.kaiming_uniform((2, 6), rng=0)).max() <= 1)
    True
    """
    return uniform(
        shape, check.number("init", "gain", gain) * sqrt(3 / max(fans(shape)[1], 1)), rng
    )


def orthogonal(shape: tuple[int, ...], gain: float = 1.0, rng: Rng = None) -> np.ndarray:
    """Return a matrix with orthonormal rows or columns, times `gain`.

    With gain 1 and out ≥ in, the matrix preserves the norm of every vector, for example of a state.

    ::

        W Wᵀ = gain² I if out ≤ in,   Wᵀ W = gain² I if out ≥ in

    Parameters
    ----------
    shape : tuple of int
        (out, in, ...). Sizes of further axes are multiplied into `in`.
    gain : float
        A factor that multiplies all weights.
    rng : numpy.random.Generator or int, optional
        The source of the matrix, which is uniformly distributed over all such matrices.

    Returns
    -------
    ndarray

    References
    ----------
    Saxe, McClelland and Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep
    linear neural networks" (2014). The correction of signs that makes the distribution uniform is
    from Mezzadri, "How to generate random matrices from the classical compact groups" (2007).

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> w = tg.nn.init.orthogonal((3, 3), rng=0)
    >>> bool(np.allclose(w @ w.T, np.eye(3), atol=1e-6))
    True
    """
    (rows, columns), gain = fans(shape), check.number("init", "gain", gain)
    q, r = np.linalg.qr(generator(rng).standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diag(r))
    return (gain * (q if rows >= columns else q.T)).reshape(shape).astype(get_default_dtype())


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return (out, in) for a weight of this shape."""
    shape = as_shape(shape)
    if len(shape) < 2:
        expected, fix = "at least two axes (out, in)", "use tg.nn.init.uniform or tg.nn.init.normal"
        raise argument_error("init", "shape", expected, str(shape), fix)
    return shape[0], prod(shape[1:])


def as_shape(shape: Any) -> tuple[int, ...]:
    """Return `shape` as a tuple of sizes; an integer becomes a shape with one axis."""
    if isinstance(shape, int | np.integer):
        shape = (shape,)
    fix = "pass a tuple, for example weight.shape"
    check.instance("init", "shape", shape, tuple | list, "a tuple of integers", fix)
    return tuple(check.count("init", "shape", n, low=0) for n in shape)


def __dir__() -> list[str]:
    return __all__
