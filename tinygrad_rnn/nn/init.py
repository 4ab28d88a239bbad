"""Initialisers: arrays of random numbers, from a Generator that is passed in."""

from __future__ import annotations

from math import prod, sqrt
from typing import Any, TypeAlias

import numpy as np

from ..dtypes import get_default_dtype, require_count, require_number
from ..errors import complaint, describe

# A string, for NumPy loads its random numbers only when they are asked for.
Rng: TypeAlias = "np.random.Generator | int | None"


def generator(rng: Rng) -> np.random.Generator:
    """A Generator: `rng` itself, one with that seed, or a fresh one for None."""
    if rng is None or isinstance(rng, np.random.Generator):
        return rng or np.random.default_rng()
    return np.random.default_rng(require_count("generator", "rng (a seed)", rng, low=0))


def uniform(shape: tuple[int, ...], bound: float, rng: Rng = None) -> np.ndarray:
    """Numbers between −bound and bound.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.nn.init.uniform((2, 3), 0.1, rng=0).shape
    (2, 3)
    """
    bound = require_number("init", "bound", bound)
    return generator(rng).uniform(-bound, bound, sizes(shape)).astype(get_default_dtype())


def normal(shape: tuple[int, ...], std: float = 1.0, rng: Rng = None) -> np.ndarray:
    """Numbers from a normal distribution with mean 0."""
    std = require_number("init", "std", std)
    return (generator(rng).standard_normal(sizes(shape)) * std).astype(get_default_dtype())


def zeros(shape: tuple[int, ...]) -> np.ndarray:
    """Zeros."""
    return np.zeros(sizes(shape), get_default_dtype())


def ones(shape: tuple[int, ...]) -> np.ndarray:
    """Ones."""
    return np.ones(sizes(shape), get_default_dtype())


def xavier_uniform(shape: tuple[int, ...], gain: float = 1.0, rng: Rng = None) -> np.ndarray:
    """Uniform, with bound gain · √(6 / (in + out)) for a weight of shape (out, in) (Glorot and Bengio, 2010)."""
    return uniform(shape, factor(gain) * sqrt(6 / max(sum(fans(shape)), 1)), rng)


def xavier_normal(shape: tuple[int, ...], gain: float = 1.0, rng: Rng = None) -> np.ndarray:
    """Normal, with standard deviation gain · √(2 / (in + out)) (Glorot and Bengio, 2010)."""
    return normal(shape, factor(gain) * sqrt(2 / max(sum(fans(shape)), 1)), rng)


def kaiming_uniform(shape: tuple[int, ...], gain: float = sqrt(2), rng: Rng = None) -> np.ndarray:
    """Uniform, with bound gain · √(3 / in), for layers before a relu (He et al., 2015)."""
    return uniform(shape, factor(gain) * sqrt(3 / max(fans(shape)[1], 1)), rng)


def orthogonal(shape: tuple[int, ...], gain: float = 1.0, rng: Rng = None) -> np.ndarray:
    """A matrix with orthonormal rows or columns, times gain (Saxe et al., 2014): a state keeps its length under it.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_rnn as tg
    >>> w = tg.nn.init.orthogonal((3, 3), rng=0)
    >>> bool(np.allclose(w @ w.T, np.eye(3), atol=1e-6))
    True
    """
    (rows, columns), gain = fans(shape), factor(gain)
    q, r = np.linalg.qr(generator(rng).standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diag(r))
    return (gain * (q if rows >= columns else q.T)).reshape(shape).astype(get_default_dtype())


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """(out, in) of a weight."""
    shape = sizes(shape)
    if len(shape) < 2:
        raise ValueError(f"init: argument shape: expected at least two axes (out, in), got {shape}; use uniform or normal")
    return shape[0], prod(shape[1:])


def sizes(shape: Any) -> tuple[int, ...]:
    """A shape as a tuple, refused if it is none; one integer is a shape of one axis."""
    if isinstance(shape, int | np.integer):
        shape = (shape,)
    if not isinstance(shape, tuple | list):
        raise TypeError(complaint("init", "shape", expected="a tuple of integers", got=describe(shape), remedy="pass weight.shape, say"))
    return tuple(require_count("init", "shape", n, low=0) for n in shape)


def factor(gain: Any) -> float:
    """The gain, refused if it is no number."""
    return require_number("init", "gain", gain)
