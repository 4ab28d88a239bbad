"""Checks of arguments. Each returns the value in the form that the caller uses, or raises an error.

They are called as ``check.count("GRU", "num_layers", value)``: the operation and the argument come
first, because an error names them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from math import inf
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from .errors import argument_error, describe


def instance(operation: str, argument: str, value: Any, kinds: Any, expected: str, fix: str) -> Any:
    """Return `value` if it is an instance of `kinds` (a type, or several joined by ``|``).

    Raises
    ------
    TypeError
        If it is not.
    """
    if not isinstance(value, kinds):
        raise argument_error(
            operation, argument, expected=expected, got=describe(value), fix=fix, kind=TypeError
        )
    return value


def require(
    holds: Any,
    operation: str,
    argument: str,
    expected: str,
    got: str,
    fix: str,
    kind: type[Exception] = ValueError,
) -> None:
    """Raise an argument error of type `kind` unless `holds`. For code that is not hot.

    The message is built in any case.
    """
    if not holds:
        raise argument_error(operation, argument, expected, got, fix, kind)


def callable(operation: str, argument: str, value: Any, expected: str, fix: str) -> Any:
    """Return `value` if it can be called; else raise TypeError."""
    return instance(operation, argument, value, Callable, expected, fix)


def iterable(operation: str, argument: str, value: Any, expected: str, fix: str) -> Iterable[Any]:
    """Return `value` if it is an iterable other than a Tensor; else raise TypeError."""
    kinds = () if hasattr(value, "tracked") else Iterable
    return instance(operation, argument, value, kinds, expected, fix)


def mapping(operation: str, argument: str, value: Any, fix: str) -> Mapping[str, Any]:
    """Return `value` if it is a mapping; else raise TypeError."""
    return instance(operation, argument, value, Mapping, "a mapping of names to arrays", fix)


def one_of(operation: str, argument: str, value: Any, choices: Collection[str]) -> str:
    """Return `value` if it is one of the strings in `choices`; else raise ValueError."""
    if not isinstance(value, str) or value not in choices:
        *others, last = map(repr, choices)
        listed = f"{', '.join(others)} or {last}" if others else last
        fix = f"write {argument}={next(iter(choices))!r}, for example"
        raise argument_error(operation, argument, expected=listed, got=repr(value), fix=fix)
    return value


def flag(operation: str, argument: str, value: Any) -> bool:
    """Return `value` as a bool; raise TypeError for anything else, because "no" counts as true."""
    fix = "write True or False, without quotes"
    return bool(instance(operation, argument, value, bool | np.bool_, "True or False", fix))


def count(operation: str, argument: str, value: Any, low: int = 1) -> int:
    """Return a size or a number of steps as an int, at least `low`.

    Raises
    ------
    TypeError
        If it is not an integer.
    ValueError
        If it is below `low`.
    """
    expected = "a positive integer" if low == 1 else f"an integer, at least {low}"
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        got, fix = describe(value), "give a whole number"
        raise argument_error(
            operation, argument, expected=expected, got=got, fix=fix, kind=TypeError
        )
    if value < low:
        fix = f"give {low} or more"
        raise argument_error(operation, argument, expected=expected, got=str(value), fix=fix)
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
    """Return a setting as a Python number in [low, below). Python numbers never change a dtype.

    Raises
    ------
    TypeError
        If it is not a real number.
    ValueError
        If it is NaN or out of range.
    """
    scalar = isinstance(value, np.ndarray | np.generic) and value.ndim == 0
    found = value.item() if scalar else value
    if isinstance(found, bool) or not isinstance(found, int | float):
        got = describe(value)
        raise argument_error(
            operation, argument, expected=expected, got=got, fix=fix, kind=TypeError
        )
    if not low <= found < below:
        raise argument_error(operation, argument, expected=expected, got=repr(found), fix=fix)
    return found


def probability(operation: str, argument: str, p: Any) -> float:
    """Return a probability in [0, 1)."""
    expected = "a probability in [0, 1)"
    return number(operation, argument, p, expected, below=1, fix="0.5 is common")


def shape(operation: str, argument: str, x: Any, expected: tuple[int, ...], fix: str) -> Any:
    """Return `x`, an array or Tensor, if it has this shape; else raise ValueError."""
    if x.shape != expected:
        raise argument_error(operation, argument, f"shape {expected}", describe(x), fix)
    return x


def floating(operation: str, argument: str, array: np.ndarray) -> None:
    """Raise TypeError if `array` cannot have a gradient, because its dtype is not floating."""
    if array.dtype.kind != "f":
        expected = "a floating dtype, because only that has gradients"
        fix = "write 1.0 instead of 1, or give dtype=np.float32"
        got = describe(array)
        raise argument_error(
            operation, argument, expected=expected, got=got, fix=fix, kind=TypeError
        )


def dtype(
    operation: str,
    value: Any,
    kinds: str = "",
    expected: str = "a dtype",
    fix: str = "use float32, float64, int64 or bool",
) -> np.dtype:
    """Return what NumPy understands by a dtype, of one of the `kinds` (all if empty).

    Raises
    ------
    TypeError
        If NumPy knows no such dtype, or it is of another kind.
    """
    try:
        found = np.dtype(value)
    except TypeError:
        found = None
    if found is None or (kinds and found.kind not in kinds):
        got = describe(value) if found is None else str(found)
        raise argument_error(
            operation, "dtype", expected=expected, got=got, fix=fix, kind=TypeError
        )
    return found


def floating_dtype(operation: str, value: Any) -> np.dtype:
    """Return a floating dtype; raise TypeError for any other."""
    return dtype(operation, value, "f", "a floating dtype", "use float32 or float64")


def real_dtype(value: Any, operation: str = "Tensor") -> np.dtype:
    """Return a dtype of real numbers in the byte order of the machine.

    NumPy has one object for each of these, so they can be compared with ``is``.
    """
    return np.dtype(dtype(operation, value, "biuf", "a dtype of real numbers").type)


def fits(operation: str, argument: str, array: np.ndarray, dtype: np.dtype) -> None:
    """Raise ValueError if an integer dtype cannot hold a number in `array`, NaN and inf included."""
    limits = np.iinfo(dtype)
    above = array >= limits.max + 1.0 if array.dtype.kind == "f" else array > limits.max
    held = (array >= limits.min) & ~above
    if not held.all():
        expected, got = f"numbers that {dtype} holds", str(array[~held].ravel()[0])
        fix = "use a wider dtype, or a floating one"
        raise argument_error(operation, argument, expected=expected, got=got, fix=fix)


def numbers_error(operation: str, argument: str, x: Any) -> Exception:
    """Return the TypeError for what NumPy cannot make an array of real numbers of."""
    expected, got = "real numbers of one shape", describe(x)
    fix = "use tg.stack for a list of Tensors, and arrays of bool, int or float dtype otherwise"
    if isinstance(x, np.ndarray) and type(x) is not np.ndarray:
        expected, got = "a plain array", f"a {type(x).__name__}"
        fix = "use np.asarray(x), or x.filled(0) where entries are masked"
    return argument_error(operation, argument, expected=expected, got=got, fix=fix, kind=TypeError)


def real_array(operation: str, argument: str, x: Any) -> np.ndarray:
    """Return a constant as a plain array of real numbers, in the byte order of the machine.

    Raises
    ------
    TypeError
        If NumPy makes no such array of it, or if it is masked or a Tensor with gradients.
    """
    # Integers are tracked while a model is exported, but they have no gradients.
    if getattr(x, "tracked", False) and x.dtype.kind == "f":
        got, fix = f"a Tensor with gradients, {describe(x)}", f"use {argument}.detach()"
        raise argument_error(
            operation, argument, expected="a constant", got=got, fix=fix, kind=TypeError
        )
    try:
        array = np.asarray(x.data if hasattr(x, "tracked") else x)
    except ValueError:  # rows of different lengths
        array = np.array(None)
    if array.dtype.kind not in "biuf" or hasattr(x, "mask"):
        raise numbers_error(operation, argument, x)
    return array.astype(real_dtype(array.dtype), copy=False)


def class_indices(operation: str, argument: str, index: np.ndarray, classes: int) -> np.ndarray:
    """Return `index` if every entry is an integer in [0, classes); −1 never means the last class.

    Raises
    ------
    TypeError
        If the dtype is not an integer dtype. An empty array may have any dtype.
    ValueError
        If an entry is out of range; the message names its position.
    """
    if index.dtype.kind not in "iu" and index.size:
        expected, fix = f"integers in [0, {classes})", "use an integer dtype, np.int64 for example"
        got = describe(index)
        raise argument_error(
            operation, argument, expected=expected, got=got, fix=fix, kind=TypeError
        )
    wrong = (index < 0) | (index >= classes)
    if wrong.any():
        position = first_position(wrong)
        expected = f"integers in [0, {classes}), because there are {classes} classes"
        got = f"{index[position]} at position {position}"
        fix = "correct it"
        if argument == "target":
            fix += ", or use ignore_index for what should not count"
        raise argument_error(operation, argument, expected=expected, got=got, fix=fix)
    return index if index.size else index.astype(np.intp)


def first_position(wrong: np.ndarray) -> tuple[int, ...]:
    """Return the index of the first True entry, as Python integers."""
    return tuple(int(i) for i in np.argwhere(wrong)[0])


def unique(operation: str, argument: str, tensors: Iterable[Any], fix: str) -> None:
    """Raise ValueError if a Tensor occurs twice. Two Tensors with equal names differ."""
    first: dict[Any, int] = {}
    for i, t in enumerate(tensors):
        if t in first:
            got = f"{t.name or 'a Tensor'} of shape {t.array.shape}, which is {argument}[{first[t]}] too"
            expected = "a parameter not given before"
            raise argument_error(operation, f"{argument}[{i}]", expected=expected, got=got, fix=fix)
        first[t] = i


def single_entry(operation: str, t: Any) -> Any:
    """Return the Tensor `t` if it has one entry; else raise ValueError."""
    if t.array.size != 1:
        expected, fix = (
            "a Tensor of one entry",
            "reduce it with .sum(), .any() or .all(), or take .tolist()",
        )
        raise argument_error(operation, "t", expected=expected, got=describe(t), fix=fix)
    return t


def has_axes(operation: str, t: Any) -> Any:
    """Return the Tensor `t` if it has an axis; else raise TypeError."""
    if not t.array.ndim:
        expected, fix = "a Tensor with an axis", "use t.item(), or t.reshape(1)"
        raise argument_error(
            operation, "t", expected=expected, got=describe(t), fix=fix, kind=TypeError
        )
    return t


def has_entries(operation: str, t: Any, axis: Any) -> Any:
    """Return the Tensor `t` if it has this axis (None: all axes) and entries along it."""
    array = t.array
    if axis is not None:
        axis = normalize_axis_index(axis, array.ndim, f"{operation}: axis")
    if not (array.size if axis is None else array.shape[axis]):
        expected, fix = "at least one entry", "test t.size first: there is no largest or smallest"
        raise argument_error(operation, "t", expected=expected, got=describe(t), fix=fix)
    return t


def gradient(operation: str, t: Any, i: int) -> np.ndarray | None:
    """Return ``t.grad`` if it is None or an array as `backward` leaves it; else raise ValueError."""
    g = t.grad
    wrong = not isinstance(g, np.ndarray) or g.shape != t.array.shape or g.dtype.kind not in "biuf"
    if g is not None and wrong:
        argument, expected = f"gradient of {t.name or i}", f"real numbers of shape {t.array.shape}"
        fix = "leave .grad to backward"
        raise argument_error(operation, argument, expected=expected, got=describe(g), fix=fix)
    return g
