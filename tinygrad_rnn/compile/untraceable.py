"""What a trace cannot follow: reads of numbers into Python, and writes that it does not see."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


class Untraceable(Exception):  # becomes NotCompilable, which names the function
    """Something that a trace cannot follow: what was expected, what came, and what to do.

    If it is a read of numbers into Python, `what` says which.
    """

    what = ""

    def __init__(self, expected: str, got: str, fix: str):
        super().__init__(f"expected {expected}, got {got}; {fix}")
        self.expected, self.got, self.fix = expected, got, fix


def read_error(what: str, x: Any) -> Untraceable:
    """Return the error for a read of the numbers of `x` into Python."""
    name = f" of {x.variable.name}" if x.variable.name else ""
    got = f"{what}{name}, whose numbers differ from call to call"
    fix = "write it with ops (tg.where, tg.maximum, tg.clip), or do it outside of the function"
    if what == "np.asarray()":
        fix = f"if it is an index of a plain array, make that array a Tensor; else {fix}"
    error = Untraceable("numbers that only ops read", got, fix)
    error.what = what
    x.tracer.error = x.tracer.error or error  # the function may catch it
    return error


class UnknownShape(Untraceable):
    """An operation whose result has a shape that depends on numbers."""


def read_only(x: Any) -> Any:
    """Return a view of an array that cannot be written into."""
    if isinstance(x, np.ndarray):
        x = x.view()
        x.flags.writeable = False
    return x


@contextmanager
def no_writes(function: Any) -> Iterator[None]:
    """Raise Untraceable in place of NumPy's error for a write into an array of the trace."""
    try:
        yield
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        got = f"a write by {getattr(function, '__name__', 'a function')}"
        fix = "make a new array"
        raise Untraceable("arrays that are not written into", got, fix) from error
