"""NumPy's functions as instructions of a trace: those that have a form of their own."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

import numpy as np

from ..dtypes import StandIn
from .untraceable import Untraceable, read_error


def with_entries(a: Any, index: Any, value: Any) -> Any:
    """Return a copy of `a` with other entries at an index."""
    a = a.copy()
    a[index] = value
    return a


def reduce(a: Any, function: str, axis: Any, keepdims: bool) -> Any:
    """Record a reduction along axes."""
    n = a.ndim
    axes = range(n) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    settings = {"axis": tuple(sorted(int(i) % n for i in axes)) if n else (), "keepdims": keepdims}
    return a.tracer.emit(function, (a,), **settings)


def _sum(a: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
    wide = np.add.reduce(np.empty(1, a.dtype)).dtype if dtype is None else np.dtype(dtype)
    a = a if a.dtype == wide else a.astype(wide)
    return reduce(a, "sum", axis, keepdims)


def _mean(a: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
    if a.dtype.kind != "f" or a.dtype == np.float16 or dtype is not None:
        return a.tracer.emit_call(np.mean, (a, axis), {"keepdims": keepdims, "dtype": dtype})
    total = _sum(a, axis, keepdims=keepdims)
    return total / (a.size / max(total.size, 1))


def takes(form: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> bool:
    """Return True if a form knows all arguments of a call."""
    try:
        signature(form).bind(*args, **kwargs)
    except TypeError:
        return False
    return True


def _shaped(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that records a change of shape; NumPy says to which."""

    def record(a: Any, *args: Any, **more: Any) -> Any:
        order = next((x for x in (*args, *more.values()) if isinstance(x, str)), "C")
        if order not in ("C", "F"):
            got, fix = f"order={order!r}", "use 'C' or 'F'"
            raise Untraceable("an order that does not depend on the memory", got, fix)
        if order == "F":
            return a.tracer.emit_call(function, (a, *args), more)
        shape = function(np.broadcast_to(0, a.shape), *args, **more).shape
        return a.tracer.emit("reshape", (a,), shape=shape)

    return record


def _transposed(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that records an order of axes; NumPy says which."""

    def record(a: Any, *args: Any, **more: Any) -> Any:
        marked = function(np.empty(tuple(range(2, 2 + a.ndim)), "V0"), *args, **more)
        return a.tracer.emit("transpose", (a,), axes=tuple(n - 2 for n in marked.shape))

    return record


def _flip(a: Any, axis: Any = None) -> Any:
    axes = range(a.ndim) if axis is None else np.atleast_1d(axis) % a.ndim
    return a[tuple(slice(None, None, -1 if i in axes else None) for i in range(a.ndim))]


def _clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    low, high = a_min if min is None else min, a_max if max is None else max
    a = a if low is None else np.maximum(a, low)
    return a if high is None else np.minimum(a, high)


def _join(arrays: Any, axis: Any = 0) -> Any:
    trace = next(a.tracer for a in arrays if isinstance(a, StandIn))
    if axis is None:
        return trace.emit_call(np.concatenate, (list(arrays), axis), {})
    n = np.ndim(arrays[0])
    return trace.emit("concatenate", tuple(arrays), axis=int(axis) % n)


def _stack(arrays: Any, axis: int = 0) -> Any:
    return _join([np.expand_dims(a, axis) for a in arrays], axis)


def _zeros(a: Any, dtype: Any = None) -> Any:
    return a.tracer.emit("zeros", (), shape=a.shape, dtype=np.dtype(dtype or a.dtype))


def _ones(a: Any, dtype: Any = None) -> Any:
    one = a.tracer.emit("astype", (1,), dtype=np.dtype(dtype or a.dtype))
    return np.broadcast_to(one, a.shape) if a.ndim else one


def _where(condition: Any, *choices: Any) -> Any:
    trace = next(x.tracer for x in (condition, *choices) if isinstance(x, StandIn))
    if not choices:
        raise read_error("np.where without choices", condition)
    return trace.emit("where", (condition, *choices))


def _broadcast(a: Any, shape: Any) -> Any:
    shape = tuple(int(n) for n in np.atleast_1d(shape))
    return a.tracer.emit("broadcast_to", (a,), shape=shape)


FORMS: dict[Any, Callable[..., Any]] = {
    np.sum: _sum, np.mean: _mean, np.clip: _clip, np.flip: _flip, np.where: _where,
    np.prod: lambda a, axis=None, keepdims=False: reduce(a, "prod", axis, keepdims),
    np.max: lambda a, axis=None, keepdims=False: reduce(a, "max", axis, keepdims),
    np.min: lambda a, axis=None, keepdims=False: reduce(a, "min", axis, keepdims),
    np.any: lambda a, axis=None, keepdims=False: reduce(a, "any", axis, keepdims),
    np.all: lambda a, axis=None, keepdims=False: reduce(a, "all", axis, keepdims),
    **{f: _shaped(f) for f in (np.reshape, np.squeeze, np.expand_dims, np.ravel)},
    **{f: _transposed(f) for f in (np.transpose, np.swapaxes, np.moveaxis, np.rollaxis)},
    np.broadcast_to: _broadcast, np.concatenate: _join, np.stack: _stack,
    np.copy: lambda a: a.copy(),
    np.zeros_like: _zeros, np.empty_like: _zeros, np.ones_like: _ones,
    np.shape: lambda a: a.shape, np.ndim: lambda a: a.ndim, np.size: lambda a: a.size,
    np.dot: lambda a, b: a.tracer.emit("matmul", (a, b)) if np.ndim(a) == np.ndim(b) == 2
        else (a if isinstance(a, StandIn) else b).tracer.emit_call(np.dot, (a, b), {}),
    np.result_type: lambda *xs: np.result_type(
        *[x.numbers if isinstance(x, StandIn) else x for x in xs]),
}  # fmt: skip
"""The functions that have a form of their own. Any other function is called by the program."""
