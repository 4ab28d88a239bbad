"""Checks of arguments: most return the value in the form that the caller needs, or raise an error.

They are called as ``check.count("GRU", "num_layers", value)``. Most take the names of the operation
and the argument first, because the error message contains both.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from difflib import get_close_matches
from math import inf
from sys import float_info
from typing import Any

import numpy as np

from .dtypes import as_dtype as dtype
from .dtypes import as_ndarray, real_dtype
from .errors import argument_error, describe
from .errors.messages import flag, floating, instance, numbers_error
from .graph import expect

__all__ = [
    "callable", "class_indices", "count", "dtype", "first_position", "flag", "floating",
    "floating_dtype", "instance", "iterable", "mapping", "number", "numbers_error",
    "one_of", "ordered", "probability", "real_array", "real_dtype", "require", "runs_at_once",
    "shape", "unique",
]  # fmt: skip

DEFERRED = inspect.isgeneratorfunction, inspect.iscoroutinefunction, inspect.isasyncgenfunction
"""Tests for functions whose body runs after the call."""

# -- settings --------------------------------------------------------------------------------------


def require(
    holds: Any,
    operation: str,
    argument: str,
    expected: str,
    got: str,
    fix: str,
    kind: type[Exception] = ValueError,
) -> None:
    """Raise an argument error of type `kind` unless `holds` is true.

    Do not use this function where speed matters, because the caller builds the texts of the message
    even if there is no error.
    """
    if not holds:
        raise argument_error(operation, argument, expected, got, fix, kind)


def shape(operation: str, argument: str, x: Any, expected: tuple[int, ...], fix: str) -> Any:
    """Return `x`, an array or Tensor, if its shape is `expected`, else raise ValueError."""
    if x.shape != expected:
        raise argument_error(operation, argument, f"shape {expected}", describe(x), fix)
    return x


def callable(operation: str, argument: str, value: Any, expected: str, fix: str) -> Any:
    """Return `value` if it can be called, else raise TypeError."""
    return instance(operation, argument, value, Callable, expected, fix)


def runs_at_once(block: str, function: Callable[..., Any]) -> None:
    """Raise TypeError for a generator or async function: its body runs after the block."""
    if any(is_deferred(function) for is_deferred in DEFERRED):
        expected = "a function that finishes its work before it returns"
        got = f"the generator or async function {getattr(function, '__name__', repr(function))}"
        fix = f"use `with tg.{block}:` inside the function, and not around a yield"
        raise argument_error(block.partition("(")[0], "function", expected, got, fix, TypeError)


def iterable(operation: str, argument: str, value: Any, expected: str, fix: str) -> Iterable[Any]:
    """Return `value` if it is an iterable other than a Tensor, else raise TypeError."""
    kinds = () if hasattr(value, "tracked") else Iterable
    return instance(operation, argument, value, kinds, expected, fix)


def ordered(operation: str, argument: str, value: Any, fix: str) -> list[Any]:
    """Return an iterable of Tensors as a list, else raise TypeError. A set has no fixed order."""
    expected = "an iterable of Tensors"
    kinds = () if isinstance(value, set | frozenset) else object
    instance(operation, argument, value, kinds, f"{expected} in a fixed order", fix)
    return list(iterable(operation, argument, value, expected, fix))


def mapping(operation: str, argument: str, value: Any, fix: str) -> Mapping[str, Any]:
    """Return `value` if it is a mapping, else raise TypeError."""
    return instance(operation, argument, value, Mapping, "a mapping of names to arrays", fix)


def one_of(operation: str, argument: str, value: Any, choices: Collection[str]) -> str:
    """Return `value` if it is one of the strings in `choices`, else raise ValueError."""
    if not isinstance(value, str) or value not in choices:
        *others, last = map(repr, choices)
        expected = f"{', '.join(others)} or {last}" if others else last
        close = get_close_matches(str(value), choices, 1)
        fix = f"write {argument}={repr(close[0]) if close else last}, for example"
        raise argument_error(operation, argument, expected, repr(value), fix)
    return value


def count(operation: str, argument: str, value: Any, low: int = 1) -> int:
    """Return an integer setting, such as a size, as an int.

    Raises
    ------
    TypeError
        If `value` is not an integer.
    ValueError
        If `value` is below `low`, or larger than any array that a machine can hold.
    """
    expected = "a positive integer" if low == 1 else f"an integer, at least {low}"
    kinds = None if isinstance(value, bool) else int | np.integer
    if kinds is None or not isinstance(value, kinds):
        fix = "give a whole number"
        raise argument_error(operation, argument, expected, describe(value), fix, TypeError)
    if value < low:
        raise argument_error(operation, argument, expected, str(value), f"give {low} or more")
    if value > sys.maxsize:
        expected = f"an integer up to {sys.maxsize}"
        got = f"a number of {int(value).bit_length()} bits"
        raise argument_error(operation, argument, expected, got, "give a smaller number")
    return int(value)


def number(
    operation: str,
    argument: str,
    value: Any,
    expected: str = "a finite number, at least 0",
    *,
    low: float = 0.0,
    below: float = inf,
    fix: str = "give a number in this range",
) -> float:
    """Return a number in [low, below) as a Python int or float.

    A Python number does not widen the floating dtype of an array that it is combined with.

    Raises
    ------
    TypeError
        If `value` is not a real number.
    ValueError
        If `value` is NaN, out of range, or an integer beyond the largest float.
    """
    scalar = isinstance(value, np.ndarray | np.generic) and value.ndim == 0
    plain = value.item() if scalar else value
    if isinstance(plain, bool) or not isinstance(plain, int | float):
        raise argument_error(operation, argument, expected, describe(value), fix, TypeError)
    is_too_large = isinstance(plain, int) and abs(plain) > float_info.max
    if is_too_large or not low <= plain < below:
        got = "an integer beyond the largest float" if is_too_large else repr(plain)
        raise argument_error(operation, argument, expected, got, fix)
    return plain


def probability(operation: str, argument: str, p: Any) -> float:
    """Return a probability in [0, 1)."""
    expected = "a probability in [0, 1)"
    return number(operation, argument, p, expected, below=1, fix="use 0.5, for example")


# -- arrays ----------------------------------------------------------------------------------------


def real_array(operation: str, argument: str, x: Any) -> np.ndarray:
    """Return a constant as a plain array of real numbers in the byte order of the machine.

    Raises
    ------
    TypeError
        If `x` is masked, is a Tensor with gradients, or cannot be converted to such an array.
    """
    if getattr(x, "tracked", False):
        got, fix = f"a Tensor with gradients, {describe(x)}", f"use {argument}.detach()"
        raise argument_error(operation, argument, "a constant", got, fix, TypeError)
    try:
        array = as_ndarray(x.data if hasattr(x, "tracked") else x)
    except ValueError:  # rows of different lengths
        array = np.array(None)
    if array.dtype.kind not in "biuf" or hasattr(x, "mask"):
        raise numbers_error(operation, argument, x)
    return array.astype(real_dtype(array.dtype), copy=False)


def class_indices(operation: str, argument: str, index: np.ndarray, classes: int) -> np.ndarray:
    """Return `index` if its entries are integers in [0, classes); −1 never means the last class.

    Raises
    ------
    TypeError
        If the dtype is not an integer dtype. An empty array may have any dtype.
    ValueError
        If an entry is out of range; the message names its position.
    """
    expected = f"integers in [0, {classes})"
    if index.dtype.kind not in "iu" and index.size:
        fix = "use an integer dtype, np.int64 for example"
        raise argument_error(operation, argument, expected, describe(index), fix, TypeError)
    right = (index >= 0) & (index < classes)
    if not expect(right.all()):
        position = first_position(~right)
        got = f"{index[position]} at position {position}"
        expected += f", because there are {classes} classes"
        fix = f"use an index in [0, {classes})"
        fix += ", or ignore_index for an entry that should not count" * (argument == "target")
        raise argument_error(operation, argument, expected, got, fix)
    return index if index.size else index.astype(np.intp)


def floating_dtype(operation: str, value: Any) -> np.dtype:
    """Return a floating dtype; raise TypeError for any other value."""
    return dtype(operation, value, "f", "a floating dtype")


def first_position(wrong: np.ndarray) -> tuple[int, ...]:
    """Return the index of the first True entry, as Python integers."""
    return tuple(int(i) for i in np.argwhere(wrong)[0])


# -- Tensors ---------------------------------------------------------------------------------------


def unique(operation: str, argument: str, tensors: Iterable[Any], fix: str) -> None:
    """Raise ValueError if the same Tensor is given twice. Different Tensors may share a name."""
    first: dict[Any, int] = {}
    for i, t in enumerate(tensors):
        j = first.setdefault(t, i)
        if j != i:
            got = f"{t.name or 'a Tensor'} of shape {t.array.shape}, which is {argument}[{j}] too"
            expected = "a Tensor that was not given before"
            raise argument_error(operation, f"{argument}[{i}]", expected, got, fix)
