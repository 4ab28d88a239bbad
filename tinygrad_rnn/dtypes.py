"""Which dtype an array gets: arrays keep theirs, Python floats take the default, integers never widen floats.

Beside a Tensor, Python's numbers and NumPy's scalars are weak: ``np.float64(2) * t`` has the dtype of t. An array is not,
one without axes neither: ``np.array(2.0) * t`` is float64, as in NumPy. Without a Tensor an op is NumPy's function, and what
it makes of a Python float is NumPy's float64: ``tg.tanh(1.0)`` is ``np.tanh(1.0)``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .errors import complaint, describe

SCALARS = frozenset(np.dtype(code).type for code in "?bhilqBHILQefdg")
"""NumPy's real scalars."""

PLAIN = frozenset({np.ndarray, float, int, bool, list, tuple})
"""What most arrays are made of."""

FROM_NUMPY = (np.ndarray, np.generic)

_default = np.dtype(np.float32)


def get_default_dtype() -> np.dtype:
    """The dtype that Python floats take: float32 unless `set_default_dtype` said otherwise.

    Returns
    -------
    numpy.dtype

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.get_default_dtype()
    dtype('float32')
    """
    return _default


def set_default_dtype(dtype: DTypeLike) -> None:
    """Choose the dtype that Python floats take from now on.

    Initialisers and `one_hot` use it too. Arrays keep theirs, and so do Tensors and modules that exist already.

    Parameters
    ----------
    dtype : numpy.dtype or str
        A floating one, or its name: ``"float64"``.

    Raises
    ------
    TypeError
        If it is none. Nothing has changed then.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.set_default_dtype("float64")
    >>> tg.Tensor([0.5]).dtype
    dtype('float64')
    >>> tg.set_default_dtype("float32")
    """
    global _default
    chosen = as_dtype("set_default_dtype", dtype)
    if chosen.kind != "f":
        raise TypeError(
            complaint("set_default_dtype", "dtype", expected="a floating dtype", got=str(chosen), remedy="use float32 or float64")
        )
    _default = chosen


def as_dtype(operation: str, dtype: DTypeLike) -> np.dtype:
    """What NumPy understands by `dtype`."""
    try:
        return np.dtype(dtype)
    except TypeError as error:
        remedy = "use float32, float64, int64 or bool"
        raise TypeError(complaint(operation, "dtype", expected="a dtype", got=describe(dtype), remedy=remedy)) from error


def as_array(data: Any, dtype: DTypeLike | None = None) -> np.ndarray:
    """`data` as a real, native-endian array. An ndarray is not copied unless its dtype must change.

    Lists of Python floats take the default dtype; anything that came from NumPy keeps its own.
    """
    if type(data) not in PLAIN and hasattr(data, "mask"):
        wanted, remedy = "an array without a mask", "use data.filled(0), say"
        raise TypeError(complaint("Tensor", "data", expected=wanted, got="a masked array", remedy=remedy))
    try:
        array = np.asarray(data)
    except ValueError as error:  # rows of different lengths
        raise TypeError(not_numbers("Tensor", "data", data)) from error
    if array.dtype.kind not in "biuf":
        raise TypeError(not_numbers("Tensor", "data", data))
    if dtype is None:
        dtype = _default if array.dtype.kind == "f" and not _from_numpy(data) else array.dtype
    dtype = real(dtype)
    if dtype.kind in "iu" and dtype is not array.dtype:
        _require_range(array, dtype)
    return array.astype(dtype, copy=False)


def _require_range(array: np.ndarray, dtype: np.dtype) -> None:
    """Refuse what an integer dtype cannot hold: nan and inf, and what would come out as another number."""
    limits = np.iinfo(dtype)
    fits = (array >= limits.min) & (array < limits.max + 1.0 if array.dtype.kind == "f" else array <= limits.max)
    if not fits.all():
        wrong, remedy = array[~fits].ravel()[0], "use a wider dtype, or a floating one"
        raise ValueError(complaint("Tensor", "data", expected=f"numbers that {dtype} holds", got=str(wrong), remedy=remedy))


def real(dtype: DTypeLike, operation: str = "Tensor") -> np.dtype:
    """`dtype` in the byte order of the machine; refused if its numbers are not real."""
    chosen = as_dtype(operation, dtype)
    if chosen.kind not in "biuf":
        raise TypeError(
            complaint(operation, "dtype", expected="a dtype of real numbers", got=str(chosen), remedy="use float32, float64, int64 or bool")
        )
    return np.dtype(chosen.type)  # the one object for it, so that dtypes can be compared by `is`


def not_numbers(operation: str, argument: str, x: Any) -> str:
    """The refusal of what NumPy makes no array of real numbers of."""
    remedy = "use tg.stack for a list of Tensors, and arrays of bool, int or float dtype otherwise"
    if isinstance(x, np.ndarray) and type(x) is not np.ndarray:
        remedy = "use np.asarray(x), or x.filled(0) where entries are masked"
        return complaint(operation, argument, expected="a plain array", got=f"a {type(x).__name__}", remedy=remedy)
    return complaint(operation, argument, expected="real numbers of one shape", got=describe(x), remedy=remedy)


def as_constant(x: Any, inputs: Sequence[Any]) -> Any:
    """A plain argument of an op on `inputs`: numbers stay weak, and lists of them follow, so that the Tensors decide the dtype.

    Without a Tensor among the inputs it is what NumPy makes of it.
    """
    if type(x) in SCALARS:
        for v in inputs:
            if hasattr(v, "array"):
                return x.item()
        return x
    if isinstance(x, bool | int | float | np.ndarray):
        return _without_subclass(x) if isinstance(x, np.ndarray) and type(x) is not np.ndarray else x
    tensors = [v.array.dtype for v in inputs if hasattr(v, "array")]
    if not tensors:
        array = np.asarray(x)
        if array.dtype.kind not in "biufc":
            raise TypeError("expected numbers")  # whoever asked says of which argument
        return array
    floating = [dtype for dtype in tensors if dtype.kind == "f"]
    if floating and not _from_numpy(x) and np.asarray(x).dtype.kind == "f":
        return as_array(x, np.result_type(*floating))
    return as_array(x)


def _without_subclass(x: np.ndarray) -> np.ndarray:
    """The plain array in one of NumPy's subclasses, refused if that calculates by rules of its own."""
    if isinstance(x, np.matrix) or hasattr(x, "mask"):
        raise TypeError("expected a plain array")  # whoever asked says of which argument
    return np.asarray(x)


def as_numpy(arrays: list[Any]) -> list[Any]:
    """The arguments of an op without Tensors. Python's numbers among themselves become arrays; beside one they stay weak."""
    for x in arrays:
        if isinstance(x, FROM_NUMPY):
            return arrays
    return [np.asarray(x) for x in arrays]


def settle(forward: Callable[..., Any], arrays: Sequence[Any], params: dict[str, Any], result: np.ndarray) -> np.ndarray:
    """`result` in the dtype of the floating inputs. NumPy makes float32 with int64 a float64; here it stays float32.

    Floats that were made of integers alone are made once more, in float64: NumPy takes float16 for small ones, and −1 of an
    unsigned one is a large number.
    """
    if result.dtype.kind != "f":
        return result.astype(real(result.dtype), copy=False)
    floating = [a.dtype for a in arrays if isinstance(a, np.ndarray) and a.dtype.kind == "f"]
    if floating:
        return result.astype(np.result_type(*floating), copy=False)
    wide = [a.astype(np.float64) if isinstance(a, np.ndarray) else a for a in arrays]
    return np.asarray(forward(*wide, **params)).astype(_default)


def require_floating(operation: str, argument: str, array: np.ndarray) -> None:
    """Refuse an array that cannot have a gradient."""
    if array.dtype.kind != "f":
        raise TypeError(
            complaint(
                operation,
                argument,
                expected="a floating dtype, for only that has gradients",
                got=describe(array),
                remedy="write 1.0 instead of 1, or give dtype=np.float32",
            )
        )


def require_number(
    operation: str,
    argument: str,
    value: Any,
    expected: str = "a finite number, at least 0",
    *,
    low: float = 0.0,
    below: float = inf,
    remedy: str = "see its documentation",
) -> float:
    """A setting as a Python number, for that leaves dtypes as they are; refused if it is none, or not in [low, below)."""
    number = value.item() if isinstance(value, np.ndarray | np.generic) and value.ndim == 0 else value
    if not isinstance(number, int | float) or isinstance(number, bool):
        raise TypeError(complaint(operation, argument, expected=expected, got=describe(value), remedy=remedy))
    if not low <= number < below:
        raise ValueError(complaint(operation, argument, expected=expected, got=repr(number), remedy=remedy))
    return number


def require_count(operation: str, argument: str, value: Any, low: int = 1) -> int:
    """A size or a number of steps as a Python integer, refused if it is none or below `low`."""
    expected = "a positive integer" if low == 1 else f"an integer, at least {low}"
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        raise TypeError(complaint(operation, argument, expected=expected, got=describe(value), remedy="give a whole number"))
    if value < low:
        raise ValueError(complaint(operation, argument, expected=expected, got=str(value), remedy="check it"))
    return int(value)


def require_flag(operation: str, argument: str, value: Any) -> bool:
    """A choice between two, refused if it is not True or False: the text "no" counts as true in Python."""
    if not isinstance(value, bool | np.bool_):
        remedy = "write True or False, without quotes"
        raise TypeError(complaint(operation, argument, expected="True or False", got=describe(value), remedy=remedy))
    return bool(value)


def require_mapping(operation: str, argument: str, value: Any, remedy: str) -> Mapping[str, Any]:
    """What has names and values, refused if it is something else."""
    if not isinstance(value, Mapping):
        raise TypeError(complaint(operation, argument, expected="a mapping of names to arrays", got=describe(value), remedy=remedy))
    return value


def require_callable(operation: str, argument: str, value: Any, expected: str, remedy: str) -> None:
    """Refuse what cannot be called."""
    if not callable(value):
        raise TypeError(complaint(operation, argument, expected=expected, got=describe(value), remedy=remedy))


def check_probability(operation: str, argument: str, p: float) -> None:
    """Refuse what is not in [0, 1)."""
    require_number(operation, argument, p, "a probability in [0, 1)", below=1, remedy="0.5 is common")


def check_classes(operation: str, argument: str, index: np.ndarray, classes: int) -> np.ndarray:
    """`index`, refused if something in it is not an integer in [0, classes); −1 never means the last one. None at all are integers too."""
    if index.dtype.kind not in "iu" and index.size:
        wanted, remedy = f"integers in [0, {classes})", "use an integer dtype, np.int64 for example"
        raise TypeError(complaint(operation, argument, expected=wanted, got=describe(index), remedy=remedy))
    wrong = (index < 0) | (index >= classes)
    if wrong.any():
        position = tuple(int(i) for i in np.argwhere(wrong)[0])
        wanted, got = f"integers in [0, {classes}), for there are {classes} classes", f"{index[position]} at position {position}"
        remedy = "correct it, or use ignore_index for what should not count" if argument == "target" else "correct it"
        raise ValueError(complaint(operation, argument, expected=wanted, got=got, remedy=remedy))
    return index if index.size else index.astype(np.intp)


def as_numbers(operation: str, argument: str, x: Any) -> np.ndarray:
    """A constant as a plain array of native numbers, refused if NumPy makes none of it, or if it is masked or has gradients."""
    if getattr(x, "tracked", False) and x.dtype.kind == "f":  # integers are followed, but have no gradients, where a model is recorded
        wanted, got = "a constant", f"a Tensor with gradients, {describe(x)}"
        raise TypeError(complaint(operation, argument, expected=wanted, got=got, remedy=f"use {argument}.detach()"))
    try:
        array = np.asarray(x.data if hasattr(x, "tracked") else x)
    except ValueError:  # rows of different lengths
        array = np.array(None)
    if array.dtype.kind not in "biuf" or hasattr(x, "mask"):
        raise TypeError(not_numbers(operation, argument, x))
    return array.astype(real(array.dtype), copy=False)


def _from_numpy(data: Any) -> bool:
    """Whether the first number in nested lists is NumPy's, and so brings a dtype along."""
    while isinstance(data, list | tuple) and data:
        data = data[0]
    return isinstance(data, np.ndarray | np.generic) or hasattr(data, "__array__")
