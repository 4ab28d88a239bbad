"""The promotion policy: the dtypes of new Tensors and of the results of ops.

A Tensor made from an array keeps the array's dtype. A Tensor made from Python floats has the
default dtype. In an op, integer inputs never widen floating ones: float32 and int64 give float32.

Next to a Tensor ``t``, Python numbers and NumPy scalars are weak, so they do not change the dtype:
``np.float64(2) * t`` has the dtype of ``t``. An array is not weak, even one without axes:
``np.array(2.0) * t`` is float64, as in NumPy. An op without Tensors follows NumPy:
``tg.tanh(1.0)`` is a float64, like ``np.tanh(1.0)``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .errors import argument_error, describe, messages

NUMPY_SCALARS = frozenset(np.dtype(code).type for code in "?bhilqBHILQefdg")
"""NumPy's real scalar types."""

FROM_NUMPY = (np.ndarray, np.generic)

PLAIN = frozenset({np.ndarray, float, int, bool, list, tuple})
"""The types of most data that arrays are made from."""

_default = np.dtype(np.float32)


def get_default_dtype() -> np.dtype:
    """Return the dtype that Python floats take: float32, or the one given to `set_default_dtype`.

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
    """Set the dtype that Python floats take from now on.

    Initialisers and `one_hot` use it too. Existing arrays, Tensors and modules keep their dtypes.

    Parameters
    ----------
    dtype : numpy.dtype or str
        A floating dtype or its name, for example ``"float64"``.

    Raises
    ------
    TypeError
        If the dtype is not floating. The default then stays as it was.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.set_default_dtype("float64")
    >>> tg.Tensor([0.5]).dtype
    dtype('float64')
    >>> tg.set_default_dtype("float32")
    """
    global _default
    _default = as_dtype("set_default_dtype", dtype, "f", "a floating dtype")


def as_dtype(operation: str, dtype: Any, kinds: str = "", expected: str = "a dtype") -> np.dtype:
    """Return `dtype` as a `numpy.dtype`; raise an error if its kind is not in `kinds`.

    If `kinds` is empty, every kind is allowed.

    Raises
    ------
    TypeError
        If NumPy knows no such dtype, or the dtype is of another kind.
    """
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = None
    if found is None or (kinds and found.kind not in kinds):
        got = describe(dtype) if found is None else str(found)
        fix = "use float32 or float64" if kinds == "f" else "use float32, float64, int64 or bool"
        raise argument_error(operation, "dtype", expected, got, fix, TypeError)
    return found


def real_dtype(value: Any, operation: str = "Tensor") -> np.dtype:
    """Return `value` as a dtype of real numbers in the byte order of the machine.

    NumPy has a single object for each such dtype, so two of them can be compared with ``is``.
    """
    return np.dtype(as_dtype(operation, value, "biuf", "a dtype of real numbers").type)


def as_array(data: Any, dtype: DTypeLike | None = None) -> np.ndarray:
    """Return `data` as an array of real numbers. An ndarray is copied only if its dtype changes.

    Python floats and lists of them take the default dtype. Data from NumPy keeps its own dtype.
    """
    if type(data) not in PLAIN and hasattr(data, "mask"):
        raise messages.numbers_error("Tensor", "data", data)
    try:
        array = as_ndarray(data)
    except ValueError as error:  # rows of different lengths
        raise messages.numbers_error("Tensor", "data", data) from error
    if array.dtype.kind not in "biuf":
        raise messages.numbers_error("Tensor", "data", data)
    if dtype is None:
        dtype = _default if array.dtype.kind == "f" and not _from_numpy(data) else array.dtype
    dtype = real_dtype(dtype)
    if dtype.kind in "iu" and dtype is not array.dtype:
        messages.fits("Tensor", "data", array, dtype)
    return array.astype(dtype, copy=False)


class StandIn:
    """Base class of what stands for an array while a function is traced."""

    __slots__ = ()

    numbers: Any
    variable: Any
    tracer: Any
    scalar: bool = False
    item: Callable[[], Any]


def as_ndarray(x: Any) -> Any:
    """Return `x` as an array. What stands for an array stays as it is."""
    return x if isinstance(x, StandIn) else np.asarray(x)


def as_constant(x: Any, arrays: Sequence[Any]) -> Any:
    """Convert an argument that is not a Tensor to the number or array that the op computes with.

    Parameters
    ----------
    x : array_like
    arrays : sequence
        The arrays of the Tensors among the op's arguments. If there are any, numbers stay weak, and
        lists of floats take the dtype of these arrays. If there are none, numbers stay as they are,
        and NumPy converts everything else.
    """
    if type(x) in NUMPY_SCALARS or (isinstance(x, StandIn) and x.scalar):
        return x.item() if arrays else x
    if isinstance(x, np.ndarray):
        if isinstance(x, np.matrix) or hasattr(x, "mask"):  # both have arithmetic of their own
            raise TypeError("expected a plain array")  # the caller names the argument
        return as_ndarray(x)
    if isinstance(x, bool | int | float):
        return x
    if not arrays:
        array = np.asarray(x)
        if array.dtype.kind not in "biufc":
            raise TypeError("expected numbers")  # the caller names the argument
        return array
    floating = [a.dtype for a in arrays if a.dtype.kind == "f"]
    weak = floating and not _from_numpy(x) and np.asarray(x).dtype.kind == "f"
    return as_array(x, np.result_type(*floating) if weak else None)


def as_numpy_arguments(arrays: list[Any]) -> list[Any]:
    """Convert the arguments of a call without Tensors to arrays, unless one is from NumPy."""
    for x in arrays:
        if isinstance(x, FROM_NUMPY):
            return arrays
    return [np.asarray(x) for x in arrays]


def cast_result(
    forward: Callable[..., Any], arrays: Sequence[Any], params: dict[str, Any], result: np.ndarray
) -> np.ndarray:
    """Return `result` in the dtype of the floating inputs; keep the dtype of other results.

    With NumPy, float32 and int64 give float64; here the result stays float32. If all inputs are
    integers but the result is floating, the op is computed again in float64, and that result is
    cast to the default dtype. The first result may be wrong: NumPy computes with int8 in float16,
    and unsigned integers wrap around in an op that negates its input, such as sigmoid.
    """
    if result.dtype.kind != "f":
        return result.astype(real_dtype(result.dtype), copy=False)
    floating = [a.dtype for a in arrays if isinstance(a, np.ndarray) and a.dtype.kind == "f"]
    if floating:
        return result.astype(np.result_type(*floating), copy=False)
    wide = [a.astype(np.float64) if isinstance(a, np.ndarray) else a for a in arrays]
    return as_ndarray(forward(*wide, **params)).astype(_default)


def widen(x: Any) -> Any:
    """Return float16 numbers in float32, and any other array or Tensor unchanged.

    A sum of float16 numbers overflows above 65,504. It also stops growing when each new entry is
    less than half of the last binary digit of the sum so far.
    """
    return x.astype(np.float32) if x.dtype == np.float16 else x


def _from_numpy(data: Any) -> bool:
    """Return whether `data`, or the first item of its nested lists, has a dtype of its own."""
    while isinstance(data, list | tuple) and data:
        data = data[0]
    return isinstance(data, FROM_NUMPY) or hasattr(data, "__array__")
