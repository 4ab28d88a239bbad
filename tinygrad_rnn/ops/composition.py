"""Functions that are composed of ops and stand in for NumPy's functions on Tensors.

A composition needs no derivative rule, because its ops have them. The dict `compositions` holds all
compositions. It and the registry of ops determine which of NumPy's functions work on Tensors, what
the table in the documentation shows, and what is tested against NumPy and finite differences.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors.named_calls import explain_names

Function = Callable[..., Any]


@dataclass(frozen=True)
class Composition:
    """A function composed of ops, and how to test it.

    Attributes
    ----------
    function : callable
        The function. It has the argument names and the argument order of NumPy's function. It may
        leave out arguments such as ``out``; then a call with such an argument raises TypeError.
    numpy_functions : tuple of callables
        NumPy's functions that it stands in for: one function, and its other names.
    sample, reference : callable
        As given to `composition`.
    """

    function: Function
    numpy_functions: tuple[Function, ...]
    sample: Function
    reference: Function


compositions: dict[str, Composition] = {}
"""All compositions by the name of NumPy's function, for example ``"diff"`` or ``"linalg.norm"``."""


def composition(
    numpy_function: Function,
    *other_names: Function,
    sample: Function,
    reference: Function | None = None,
) -> Callable[[Function], Function]:
    """Return a decorator that registers a function in place of NumPy's function on Tensors.

    Parameters
    ----------
    numpy_function : callable
        NumPy's function, for example `numpy.diff`. With it, ``np.diff(t)`` of a Tensor calls the
        decorated function.
    *other_names : callable
        Other functions of NumPy that do the same, such as `numpy.amax` for `numpy.max`.
    sample : callable
        ``sample(r)`` returns arguments for checks: a tuple, or a list of such tuples. An argument
        may be an array, a list of arrays, or anything else that is not differentiated. If the last
        item is a dict, it holds the named arguments. ``r(3, 4)`` and ``r.positive(3, 4)`` draw
        arrays as in `op`.
    reference : callable, optional
        A function that computes the same on plain arrays. The default is `numpy_function`.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_rnn.ops.composition import composition, compositions
    >>> @composition(np.unwrap, sample=lambda r: (r(4),))
    ... def unwrap(p):
    ...     return p - 2 * np.pi * np.cumsum(np.round(np.diff(p, prepend=0) / (2 * np.pi)))
    >>> compositions.pop("unwrap").numpy_functions == (np.unwrap,)
    True
    """

    def register(function: Function) -> Function:
        function = explain_names(function)
        names = (numpy_function, *other_names)
        made = Composition(function, names, sample, reference or numpy_function)
        compositions[numpy_name(numpy_function)] = made
        return function

    return register


def numpy_name(function: Function) -> str:
    """Return the name of a NumPy function below ``np``: ``"tanh"`` or ``"linalg.norm"``."""
    module = (getattr(function, "__module__", None) or "numpy").removeprefix("numpy").lstrip(".")
    return f"{module}.{function.__name__}".lstrip(".")
