"""NumPy's functions on Tensors: `np.tanh(t)` is `tg.tanh(t)`, and what has no derivative here says so.

NumPy asks a Tensor what to do through `__array_ufunc__` and `__array_function__` (NEP 13 and NEP 18).
The answer is ours or a TypeError; it is never a plain array that silently left the graph.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import ops
from ..errors import argument_error, describe
from ..graph import Value

about_values = {
    *(np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal),
    *(np.isnan, np.isinf, np.isfinite, np.signbit, np.logical_and, np.logical_or, np.logical_not),
    *(
        np.argmax,
        np.argmin,
        np.argsort,
        np.nonzero,
        np.count_nonzero,
        np.any,
        np.all,
        np.searchsorted,
    ),
    *(
        np.allclose,
        np.isclose,
        np.array_equal,
        np.shape,
        np.ndim,
        np.size,
        np.zeros_like,
        np.ones_like,
    ),
    *(np.empty_like, np.array_repr, np.array_str, np.array2string, np.result_type, np.iscomplexobj),
}
"""Functions whose answer is about the numbers (a comparison, an index, a shape): plain arrays, no gradient lost."""

shared = {getattr(np, name): getattr(ops, name) for name in ops.__all__ if hasattr(np, name)}
differentiable: dict[Any, Callable[..., Any]] = {
    f: ours for f, ours in shared.items() if f not in about_values
} | {
    np.absolute: ops.abs,
    np.amax: ops.max,
    np.amin: ops.min,
    np.true_divide: ops.divide,
    np.logaddexp: lambda a, b: ops.logsumexp(ops.stack(_stretched(a, b)), axis=0),
    np.dot: lambda a, b: ops.matmul(a, b) if np.ndim(b) < 3 else _refuse("dot", "matmul"),
    np.take: lambda a, indices, axis=None: (
        _take(a, indices, axis) if axis is not None else _take(ops.reshape(a, (-1,)), indices, 0)
    ),
    np.vstack: lambda arrays: ops.concatenate(
        [ops.reshape(a, (1, -1)) if np.ndim(a) < 2 else a for a in arrays]
    ),
    np.hstack: lambda arrays: ops.concatenate(arrays, axis=0 if np.ndim(arrays[0]) == 1 else 1),
    np.clip: lambda a, a_min=None, a_max=None, **bounds: ops.clip(
        a, **{"min": a_min, "max": a_max, **bounds}
    ),
    np.full_like: lambda a, fill_value, **settings: np.full_like(
        _plain(a), fill_value, **settings
    ),  # refuses a Tensor to fill with
    np.reciprocal: lambda a: 1 / a,
    np.positive: lambda a: a,
}
"""NumPy's function: ours."""

alternatives = {
    "multiply.reduce": "prod",
    "add.accumulate": "cumsum",
    "maximum.reduce": "max",
    "minimum.reduce": "min",
    "multiply.accumulate": "exp(cumsum(log(x))) for positive x",
    "cumprod": "exp(cumsum(log(x))) for positive x",
    "floor_divide": "divide",
    "remainder": "subtract and divide",
    "floor": "np.floor(x.data), whose derivative is 0 wherever it exists",
    "ceil": "np.ceil(x.data), whose derivative is 0 wherever it exists",
    "round": "np.round(x.data), whose derivative is 0 wherever it exists",
    "rint": "np.rint(x.data), whose derivative is 0 wherever it exists",
    "sort": "x[np.argsort(x.data)]",
    "diff": "x[1:] - x[:-1]",
    "average": "mean, or (w * x).sum() / w.sum()",
    "ptp": "max(x) - min(x)",
    "append": "concatenate",
    "atleast_1d": "reshape",
    "atleast_2d": "reshape",
    "nan_to_num": "where(np.isnan(x.data), 0, x)",
    "select": "where",
    "choose": "where",
    "delete": "x[mask] with an array of booleans",
    "insert": "concatenate",
    "column_stack": "stack(arrays, axis=1)",
    "rot90": "transpose and flip",
    "cross": "einsum",
    "hypot": "sqrt(a * a + b * b)",
    "fmax": "maximum",
    "fmin": "minimum",
    "nansum": "tg.sum(tg.where(np.isnan(x.data), 0, x))",
    "median": "x[np.argsort(x.data)] and pick the middle",
    "tensordot": "einsum",
    "inner": "einsum",
    "vdot": "einsum",
    "kron": "einsum and reshape",
    "trace": "einsum or x[i, i].sum()",
    "diagonal": "x[i, i] with i = np.arange(n)",
    "tile": "broadcast_to and reshape",
    "roll": "x[np.roll(np.arange(len(x)), shift)]",
    "pad": "concatenate",
    "log2": "log(x) / np.log(2)",
    "log10": "log(x) / np.log(10)",
    "exp2": "2 ** x",
    "tan": "sin(x) / cos(x)",
    "sinh": "(exp(x) - exp(-x)) / 2",
    "cosh": "(exp(x) + exp(-x)) / 2",
    "float_power": "power",
    "cbrt": "x ** (1 / 3)",
    "linalg.norm": "sqrt(square(x).sum())",
    "array": "tg.stack, or x.detach().numpy() for a plain array",
    "copyto": "where",
    "put": "where",
}


def array_ufunc(ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """The answer to `ufunc(*inputs)` where one of the inputs, or ``out=``, is a Tensor."""
    name = ufunc.__name__
    if method != "__call__":
        if ufunc is np.add and method == "reduce":
            return ops.sum(*inputs, **{"axis": 0, **kwargs})
        raise _no_derivative(f"{name}.{method}")
    if kwargs:
        given = ", ".join(f"{key}=" for key in kwargs)
        raise TypeError(
            f"np.{name}: argument {given}: expected none of it with Tensors, whose numbers are not changed in place, "
            f"got it; write y = {name}(...) instead of out= or an in-place operator on an array"
        )
    return array_function(ufunc, inputs, {}, name)


def array_function(
    func: Callable[..., Any], args: Any, kwargs: dict[str, Any], name: str = ""
) -> Any:
    """The answer to ``func(*args, **kwargs)`` where a Tensor is among the arguments."""
    if func in differentiable:
        try:
            return differentiable[func](*args, **kwargs)
        except TypeError as error:
            if "unexpected keyword argument" not in str(error):
                raise
            known = (
                f"the arguments of tg.{name or func.__name__}"
                if hasattr(ops, name or func.__name__)
                else "its other arguments"
            )
            got = ", ".join(f"{key}=" for key in kwargs)
            raise argument_error(
                f"np.{func.__name__}",
                got,
                expected=known,
                got="one that is unknown here",
                fix="leave it out",
                kind=TypeError,
            ) from error
    if func in about_values:
        return func(*_plain(args), **_plain(kwargs))
    module = getattr(func, "__module__", "numpy").removeprefix("numpy").lstrip(".")
    raise _no_derivative(name or f"{module}.{func.__name__}".lstrip("."))


def _take(a: Any, indices: Any, axis: int) -> Any:
    """`a`, indexed along one axis."""
    picked = np.asarray(indices)
    if picked.dtype.kind not in "iu":
        raise TypeError(
            f"np.take: argument indices: expected integers, got {describe(picked)}; use a[indices] for a mask"
        )
    return a[(slice(None),) * range(np.ndim(a))[axis] + (picked,)]


def _stretched(*arrays: Any) -> list[Any]:
    """The arrays, each broadcast to the shape that all of them have together."""
    shape = np.broadcast_shapes(*(np.shape(a) for a in arrays))
    return [ops.broadcast_to(a, shape) for a in arrays]


def _plain(x: Any) -> Any:
    """The same arguments with arrays, read-only, in the place of Tensors."""
    if isinstance(x, Value):
        array = x.array.view()
        array.flags.writeable = False
        return array
    if isinstance(x, list | tuple):
        return type(x)(_plain(item) for item in x)
    return {key: _plain(item) for key, item in x.items()} if isinstance(x, dict) else x


def _no_derivative(name: str) -> TypeError:
    """The refusal, with the nearest thing that has one."""
    similar = sorted((s for s in ops.__all__ if s in name), key=len, reverse=True)[:2]
    nearest = (
        alternatives.get(name)
        or " or ".join(f"tg.{s}" for s in similar)
        or "an op of your own made with tg.op"
    )
    return TypeError(
        f"np.{name}: argument x: expected plain arrays, for it has no derivative here, got a Tensor; "
        f"use {nearest}; or x.detach().numpy() if no gradient is needed"
    )


def _refuse(name: str, instead: str) -> Any:
    raise TypeError(f"np.{name}: argument b: expected at most two axes, got more; use tg.{instead}")
