"""Stand-ins for arrays that depend on an input, while a model is traced.

An `ExportedArray` holds the numbers of the run, so that the model finds the shapes, dtypes and
results that it would find otherwise. But Python cannot read the numbers: whatever is computed from
them is recorded as a call, or raises an error that says what to write instead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from ...dtypes import StandIn
from ...errors import argument_error, describe
from ...graph import Value, recorder
from ...op import IMMUTABLE
from ...ops import elementwise, indexing, numpy_protocol
from ...ops.array_methods import ArrayMethods

ABOUT_SHAPES = {
    np.shape, np.ndim, np.size, np.result_type, np.can_cast, np.common_type, np.min_scalar_type,
    np.iscomplexobj, np.isrealobj, np.zeros_like, np.ones_like, np.empty_like, np.einsum_path,
    np.array_repr, np.array_str, np.array2string, np.shares_memory, np.may_share_memory,
}  # fmt: skip
"""Functions of shapes, dtypes and text. Their results are not recorded."""

SELECT = "select values with tg.where, also instead of Python's if"
COMPUTE = "compute with the Tensor itself, or with the array in its .data"
CONVERT = "do not call np.asarray or np.array on it; convert its dtype with x.astype(dtype)"


class ExportedArray(NDArrayOperatorsMixin, ArrayMethods, StandIn):
    """An array that depends on an input of the model.

    Attributes
    ----------
    numbers : ndarray
        The numbers in this run.
    trace : ModelTrace
        The run. When it is over, the numbers can be read as those of any array.
    call : TracedCall or None
        The call that computed the array; None for an input of the model.
    is_scalar : bool
        True if it stands for a NumPy scalar, whose dtype does not count beside a Tensor.
    """

    __slots__ = ("call", "is_scalar", "numbers", "trace")

    def __init__(self, numbers: Any, trace: Any, call: Any = None):
        self.numbers, self.trace, self.call = np.asarray(numbers), trace, call
        self.is_scalar = isinstance(numbers, np.generic)

    # For isinstance this is an array, so that a model takes the path that it takes with arrays.
    __class__ = property(lambda self: np.ndarray)  # type: ignore[assignment]
    __hash__ = object.__hash__  # type: ignore[assignment]

    shape = property(lambda self: self.numbers.shape)
    ndim = property(lambda self: self.numbers.ndim)
    size = property(lambda self: self.numbers.size)
    dtype = property(lambda self: self.numbers.dtype)
    nbytes = property(lambda self: self.numbers.nbytes)

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self.numbers)))

    def __getitem__(self, index: Any) -> Any:
        return indexing.getitem(self, index=indexing.frozen_index(index))

    def __deepcopy__(self, memo: Any) -> ExportedArray:
        return self  # nothing can write into it

    def astype(self, dtype: Any, **_: Any) -> Any:
        """Return the numbers in another dtype."""
        dtype = np.dtype(dtype)
        return self if dtype == self.dtype else elementwise.astype(self, dtype=dtype)

    def __repr__(self) -> str:
        return f"ExportedArray({describe(self)})"

    # -- functions of NumPy ------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
        if kwargs.get("out") is not None or method == "at":
            self._require_over(f"np.{name} that writes into an array", f"write y = np.{name}(...)")
        return self._dispatch(
            ufunc, name, getattr(ufunc, method), inputs, kwargs,
            lambda: numpy_protocol.array_ufunc(self, ufunc, method, *inputs, **kwargs),
        )  # fmt: skip

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if func in ABOUT_SHAPES:
            return func(*to_plain(args), **to_plain(kwargs))
        return self._dispatch(
            func, func.__name__, func, args, kwargs,
            lambda: numpy_protocol.array_function(self, func, types, args, kwargs),
        )  # fmt: skip

    def _dispatch(
        self, key: Any, name: str, function: Any, args: Any, kwargs: Any, ours: Callable[[], Any]
    ) -> Any:
        """Return ``function(*args, **kwargs)``, computed by ops if we have them, and record it."""
        trace = self.trace
        if not trace.is_running:
            return function(*to_plain(args), **to_plain(kwargs))
        has_op = key in numpy_protocol.differentiable and recorder() is trace
        if not has_op or key in trace.entered:  # an op of ours may call this function of NumPy
            return trace.compute(name, function, args, kwargs)
        trace.entered.add(key)
        try:
            return ours()
        finally:
            trace.entered.remove(key)

    # -- what would read the numbers ---------------------------------------------------------------

    def _require_over(self, got: str, fix: str, kind: type[Exception] = ValueError) -> None:
        """Raise an error, unless the trace is over."""
        if self.trace.is_running:
            raise read_error(got, fix, kind)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        self._require_over("np.asarray of values that depend on an input", CONVERT, TypeError)
        return np.array(self.numbers, dtype=dtype, copy=copy)

    def __bool__(self) -> bool:
        self._require_over("bool() of values that depend on an input", SELECT)
        return bool(self.numbers)

    def __contains__(self, item: Any) -> bool:
        self._require_over("the operator `in` on values that depend on an input", SELECT)
        return item in self.numbers

    def __setitem__(self, index: Any, value: Any) -> None:
        self._require_over("an assignment to entries that depend on an input", SELECT)
        self.numbers[index] = value

    def __format__(self, spec: str) -> str:
        if spec:
            self._require_over("a format of values that depend on an input", COMPUTE)
        return format(self.numbers, spec)

    def __getattr__(self, name: str) -> Any:
        """Raise an error for the attributes of an array that are not listed above."""
        if name.startswith("__") or not hasattr(np.ndarray, name):
            raise AttributeError(f"a traced array has no attribute {name!r}")
        self._require_over(f".{name} of values that depend on an input", COMPUTE)
        return getattr(self.numbers, name)


def _make_conversion(name: str) -> Callable[[ExportedArray], Any]:
    """Return the method of a conversion to a Python number."""

    def method(self: ExportedArray) -> Any:
        self._require_over(f"{name.strip('_')}() of values that depend on an input", COMPUTE)
        return getattr(self.numbers, name)()

    return method


for each in ("__float__", "__int__", "__complex__", "__index__"):
    setattr(ExportedArray, each, _make_conversion(each))


def read_error(got: str, fix: str, kind: type[Exception] = ValueError) -> Exception:
    """Return the error for a model that reads values of its inputs outside of ops."""
    expected = "a model that computes with ops of tinygrad_rnn only"
    return argument_error("to_onnx", "model", expected, got, fix, kind)


def to_plain(x: Any) -> Any:
    """Return `x`, which may be nested, with plain arrays in place of Tensors and TracedArrays."""
    if type(x) in IMMUTABLE:
        return x
    if isinstance(x, Value):
        x = x.array
    if isinstance(x, ExportedArray):
        return x.numbers
    if type(x) in (tuple, list):
        return type(x)(map(to_plain, x))
    if type(x) is dict:
        return {name: to_plain(part) for name, part in x.items()}
    return slice(*map(to_plain, (x.start, x.stop, x.step))) if type(x) is slice else x


def list_traced(x: Any) -> list[ExportedArray]:
    """Return the TracedArrays in `x`, which may be nested, and in its Tensors."""
    if type(x) in IMMUTABLE:
        return []
    x = getattr(x, "array", x) if isinstance(x, Value) else x
    if isinstance(x, ExportedArray):
        return [x]
    parts = x.values() if type(x) is dict else x if type(x) in (tuple, list) else ()
    parts = (x.start, x.stop, x.step) if type(x) is slice else parts
    return [traced for part in parts for traced in list_traced(part)]
