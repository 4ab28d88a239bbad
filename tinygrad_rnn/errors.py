"""One form for every error: operation, argument, what was expected, what came, and the remedy."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["NoEngineError", "NonFiniteError", "NotCompilable", "WrittenError"]


def complaint(operation: str, argument: str, *, expected: str, got: str, remedy: str) -> str:
    """The text of an error that a user can act on.

    Examples
    --------
    >>> print(complaint("gru", "x", expected="(T, B, 4)", got="(3, 2, 5)", remedy="check input_size"))
    gru: argument x: expected (T, B, 4), got (3, 2, 5); check input_size
    """
    return f"{operation}: argument {argument}: expected {expected}, got {got}; {remedy}"


def describe(x: Any) -> str:
    """What a message says about an argument: an array's dtype and shape, anything else's own text."""
    array = getattr(x, "array", x)
    if isinstance(array, np.ndarray):
        return f"{array.dtype} {array.shape}"
    text = repr(x)
    return f"{type(x).__name__} {text if len(text) <= 40 else text[:37] + '...'}"


def plural(n: int, noun: str) -> str:
    """A count and its noun: ``1 epoch``, ``2 epochs``."""
    return f"{n:,} {noun}" + ("" if n == 1 else "s")


class NoEngineError(RuntimeError):
    """There is nothing on this machine that draws: neither a system ``dot`` nor `pygraphviz`."""


class WrittenError(RuntimeError):
    """An array was written to in place that a live graph needs; found inside of `tinygrad_rnn.debug`."""


class NonFiniteError(FloatingPointError):
    """The first NaN or Inf, found inside of `tinygrad_rnn.debug`."""


class NotCompilable(TypeError):
    """A cell does something that a program written down in advance cannot: look at numbers, draw random ones, say."""
