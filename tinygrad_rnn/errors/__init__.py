"""The common form of argument errors: operation, argument, expected, got, and the fix."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["NoEngineError", "NonFiniteError", "NotCompilable", "WrittenError"]


def argument_error(
    operation: str, argument: str, expected: str, got: str, fix: str, kind: type = ValueError
) -> Exception:
    """Return an exception that a user can act on, to be raised by the caller.

    Examples
    --------
    >>> argument_error("gru", "x", "(T, B, 4)", "(3, 2, 5)", "use x[..., :4]")
    ValueError('gru: argument x: expected (T, B, 4), got (3, 2, 5); use x[..., :4]')
    """
    return kind(f"{operation}: argument {argument}: expected {expected}, got {got}; {fix}")


def describe(x: Any) -> str:
    """Describe an argument: an array by dtype and shape, anything else by its type and repr.

    Examples
    --------
    >>> describe(np.zeros((2, 3))), describe("no"), describe(None)
    ('float64 (2, 3)', "str 'no'", 'NoneType None')
    """
    array = getattr(x, "array", x)  # `x` may be a Value, a class that is not imported here
    if isinstance(array, np.ndarray):
        return f"{array.dtype} {array.shape}"
    text = repr(x).replace("\n", " ")
    return f"{type(x).__name__} {text if len(text) <= 40 else text[:37] + '...'}"


def format_count(n: int, noun: str) -> str:
    """Return a count with its noun: ``1 epoch``, ``2 epochs``."""
    return f"{n:,} {noun}" + ("" if n == 1 else "s")


class NoEngineError(RuntimeError):
    """A graph cannot be drawn, because neither ``dot`` (Graphviz) nor `pygraphviz` is installed."""


class WrittenError(RuntimeError):
    """A write to an array that a graph still needs. `tinygrad_rnn.debug` raises this error."""


class NonFiniteError(FloatingPointError):
    """NaN or Inf in a result or a gradient. `tinygrad_rnn.debug` raises this at the first one."""


class NotCompilable(TypeError):
    """A cell does something that cannot be compiled, such as reading the values of a Tensor."""
