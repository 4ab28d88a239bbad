"""Which dtype an array gets: arrays keep theirs, Python floats take the default, integers never widen floats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .errors import complaint, describe

_default = np.dtype(np.float32)


def get_default_dtype() -> np.dtype:
    """The dtype that Python floats take: float32 unless `set_default_dtype` said otherwise."""
    return _default


def set_default_dtype(dtype: DTypeLike) -> None:
    """Choose the dtype that Python floats take from now on.

    Examples
    --------
    >>> import tinygrad_rnn as tg
    >>> tg.set_default_dtype("float64")
    >>> tg.Tensor([0.5]).dtype
    dtype('float64')
    >>> tg.set_default_dtype("float32")
    """
    global _default
    chosen = np.dtype(dtype)
    if chosen.kind != "f":
        raise TypeError(
            complaint("set_default_dtype", "dtype", expected="a floating dtype", got=str(chosen), remedy="use float32 or float64")
        )
    _default = chosen


def as_array(data: Any, dtype: DTypeLike | None = None) -> np.ndarray:
    """`data` as a real, native-endian array. An ndarray is not copied unless its dtype must change.

    Lists of Python floats take the default dtype; anything that came from NumPy keeps its own.
    """
    array = np.asarray(data)
    if array.dtype.kind not in "biuf":
        raise TypeError(
            complaint(
                "Tensor",
                "data",
                expected="real numbers of one shape",
                got=f"{type(data).__name__} of dtype {array.dtype}",
                remedy="use tg.stack for a list of Tensors, and arrays of bool, int or float dtype otherwise",
            )
        )
    if dtype is None:
        dtype = _default if array.dtype.kind == "f" and not _from_numpy(data) else array.dtype
    return array.astype(real(dtype), copy=False)


def real(dtype: DTypeLike) -> np.dtype:
    """`dtype` in the byte order of the machine; refused if its numbers are not real."""
    chosen = np.dtype(dtype)
    if chosen.kind not in "biuf":
        raise TypeError(
            complaint("Tensor", "dtype", expected="a dtype of real numbers", got=str(chosen), remedy="use float32, float64, int64 or bool")
        )
    return chosen.newbyteorder("=")


def as_constant(x: Any, inputs: Sequence[Any]) -> Any:
    """A plain argument of an op on `inputs`: numbers stay weak, and lists of them follow, so that the Tensors decide the dtype."""
    if isinstance(x, np.generic) and x.dtype.kind in "biuf":
        return x.item()
    if isinstance(x, bool | int | float | np.ndarray):
        return x
    floating = [v.array.dtype for v in inputs if hasattr(v, "array") and v.array.dtype.kind == "f"]
    if floating and not _from_numpy(x) and np.asarray(x).dtype.kind == "f":
        return as_array(x, np.result_type(*floating))
    return as_array(x)


def settle(result: np.ndarray, arrays: Sequence[Any]) -> np.ndarray:
    """`result` in the dtype of the floating inputs. NumPy makes float32 with int64 a float64; here it stays float32."""
    if result.dtype.kind != "f":
        return result.astype(real(result.dtype), copy=False)
    floating = [a.dtype for a in arrays if isinstance(a, np.ndarray) and a.dtype.kind == "f"]
    return result.astype(np.result_type(*floating) if floating else _default, copy=False)


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


def _from_numpy(data: Any) -> bool:
    """Whether the first number in nested lists is NumPy's, and so brings a dtype along."""
    while isinstance(data, list | tuple) and data:
        data = data[0]
    return isinstance(data, np.ndarray | np.generic) or hasattr(data, "__array__")
