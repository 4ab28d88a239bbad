"""A program as plain data: one `Line` for each call of a NumPy function, in execution order.

Lines describe one step. The `plan` says when they run, and for how many steps at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

ELEMENTWISE = """
add subtract multiply divide power negative reciprocal exp expm1 log log1p sqrt square sign absolute
sin cos tanh maximum minimum logaddexp equal not_equal less less_equal greater greater_equal
logical_and logical_or where
"""
UFUNCS = {name: getattr(np, name) for name in ELEMENTWISE.split()}
"""Elementwise functions. Their arguments broadcast, and all but `where` take ``out=``."""

SYMBOLS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**"}
COMPARED = {
    "equal": "==",
    "not_equal": "!=",
    "less": "<",
    "less_equal": "<=",
    "greater": ">",
    "greater_equal": ">=",
}
REDUCTIONS = {"sum": np.add, "prod": np.multiply, "max": np.maximum, "min": np.minimum}

Ref = str | float | int | bool
"""An argument of a line: the name of another line, or a number."""


@dataclass(frozen=True, slots=True)
class Line:
    """One call of a function.

    Attributes
    ----------
    name : str
        The name of the result.
    fn : str
        A key of `UFUNCS`, `REDUCTIONS` or `OTHERS`, such as ``dot``, ``index`` or ``call``.
    args : tuple of Ref
    settings : dict
        ``axis`` (counted from the end), ``axes``, ``shape``, ``index``. For a ``call``, the
        function and its keywords.
    shape, dtype
        The shape and dtype of the result in one step.
    """

    name: str
    fn: str
    args: tuple[Ref, ...]
    settings: dict[str, Any]
    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def uses(self) -> list[str]:
        """The names among its arguments."""
        return [arg for arg in self.args if isinstance(arg, str)]


def compute(fn: str, args: list[Any], settings: dict[str, Any]) -> np.ndarray:
    """Return the result of a line for these arguments."""
    if fn in UFUNCS:
        return np.asarray(UFUNCS[fn](*args))
    if fn in REDUCTIONS:
        return np.asarray(
            REDUCTIONS[fn].reduce(args[0], settings["axis"], keepdims=settings["keepdims"])
        )
    return np.asarray(OTHERS[fn](*args, **settings))


OTHERS: dict[str, Callable[..., Any]] = {
    "dot": lambda a, b: a @ b,
    "transpose": lambda a, axes: np.transpose(a, axes),
    "reshape": lambda a, shape: np.reshape(a, shape),
    "index": lambda a, index: a[index],
    "broadcast": lambda a, shape: np.broadcast_to(a, shape),
    "concatenate": lambda *arrays, axis: np.concatenate(arrays, axis),
    "copy": lambda a: np.array(a),
    "astype": lambda a, dtype: np.asarray(a).astype(dtype),
    "sum_over_time": lambda a, axis: np.sum(a, axis),
    "dot_over_time": lambda a, b: a.T @ b,
    "tensordot_over_time": lambda a, b: a @ b,
    "call": lambda *args, function, keywords: function(*args, **keywords),
}
VIEWS = frozenset({"transpose", "reshape", "index", "broadcast"})


def needed(lines: dict[str, Line], roots: Iterable[str]) -> dict[str, Line]:
    """Return the lines that the `roots` depend on, in their order."""
    wanted = set(roots)
    for line in reversed(list(lines.values())):
        if line.name in wanted:
            wanted.update(line.uses)
    return {name: line for name, line in lines.items() if name in wanted}


def axes_from_the_end(shape: tuple[int, ...], axis: Any) -> tuple[int, ...]:
    """Return NumPy's `axis` as a sorted tuple of negative axes; −1 is the last one.

    Counted from the end, axes keep their numbers when a time axis is added in front.
    """
    n = len(shape)
    axes = range(n) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return tuple(sorted(int(i) % n - n for i in axes)) if n else ()
