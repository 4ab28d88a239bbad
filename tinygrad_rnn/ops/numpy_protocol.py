"""NumPy's functions on Tensors: `np.tanh(t)` is `tg.tanh(t)`.

When a NumPy function gets a Tensor, NumPy calls the Tensor's method `__array_ufunc__` or
`__array_function__` (NEP 13, NEP 18). This module defines both methods. With them, a function that
has a derivative in tinygrad_rnn returns a Tensor, and a function that needs no derivative returns a
plain array. Every other function raises a TypeError that names an alternative, so that no function
silently drops the graph.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import ops
from ..errors import argument_error, describe
from ..graph import Value

value_functions = {
    np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal,
    np.isnan, np.isinf, np.isfinite, np.signbit, np.logical_and, np.logical_or, np.logical_not,
    np.argmax, np.argmin, np.argsort, np.nonzero, np.count_nonzero, np.any, np.all,
    np.searchsorted, np.allclose, np.isclose, np.array_equal, np.shape, np.ndim, np.size,
    np.zeros_like, np.ones_like, np.empty_like, np.array_repr, np.array_str, np.array2string,
    np.result_type, np.iscomplexobj,
}  # fmt: skip
"""NumPy functions whose results have no gradient: comparisons, indices, shapes, new arrays, text.

On Tensors, these functions return what NumPy returns, without a graph.
"""

same_name = {getattr(np, name): getattr(ops, name) for name in ops.__all__ if hasattr(np, name)}
differentiable: dict[Any, Callable[..., Any]] = {
    f: function for f, function in same_name.items() if f not in value_functions
} | {
    np.absolute: ops.abs,
    np.amax: ops.max,
    np.amin: ops.min,
    np.true_divide: ops.divide,
    np.logaddexp: lambda a, b: ops.logsumexp(ops.stack(_broadcast_together(a, b)), axis=0),
    np.dot: lambda a, b: ops.matmul(a, b) if np.ndim(b) < 3 else _reject_dot(),
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
        _without_tensors(a), fill_value, **settings
    ),  # raises TypeError if fill_value is a Tensor
    np.reciprocal: lambda a: 1 / a,
    np.positive: lambda a: a,
}
"""The NumPy functions with a derivative in tinygrad_rnn, each with the function to call instead."""

alternatives = {
    "multiply.reduce": "prod",
    "multiply.outer": "outer",
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
    "median": "the middle entry of x[np.argsort(x.data)]",
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
"""The expression to use in place of each NumPy function without a derivative in tinygrad_rnn."""


def array_ufunc(self: Any, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """Return ``ufunc(*inputs)``. This is the method `__array_ufunc__` of Tensor."""
    name = ufunc.__name__
    if method != "__call__":
        if ufunc is np.add and method == "reduce":
            return ops.sum(*inputs, **{"axis": 0, **kwargs})
        raise _no_derivative_error(f"{name}.{method}")
    if kwargs:
        names = ", ".join(f"{key}=" for key in kwargs)
        expected = "no such argument in a call with a Tensor"
        fix = f"leave out {names}; instead of an operator like +=, write y = np.{name}(...)"
        raise argument_error(f"np.{name}", names, expected, "a value", fix, TypeError)
    return _call_replacement(ufunc, inputs, {}, name)


def array_function(self: Any, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
    """Return ``func(*args, **kwargs)``. This is the method `__array_function__` of Tensor."""
    return _call_replacement(func, args, kwargs, "")


def _call_replacement(
    func: Callable[..., Any], args: Any, kwargs: dict[str, Any], name: str
) -> Any:
    """Call the replacement for NumPy's `func`, or `func` itself if its result has no gradient.

    `name` is the name of the ufunc. It is empty for other functions.

    Raises
    ------
    TypeError
        If there is no replacement, or if the replacement does not accept one of the arguments.
    """
    if func in differentiable:
        try:
            return differentiable[func](*args, **kwargs)
        except TypeError as error:
            if "unexpected keyword argument" not in str(error):
                raise
            same = name or func.__name__
            expected = f"the arguments of tg.{same}" if hasattr(ops, same) else "no such argument"
            names = ", ".join(f"{key}=" for key in kwargs)
            got, fix = "an argument that Tensors do not support", f"leave out {names}"
            raise argument_error(
                f"np.{func.__name__}", names, expected, got, fix, TypeError
            ) from error
    if func in value_functions:
        return func(*_without_tensors(args), **_without_tensors(kwargs))
    module = getattr(func, "__module__", "numpy").removeprefix("numpy").lstrip(".")
    raise _no_derivative_error(name or f"{module}.{func.__name__}".lstrip("."))


def _take(a: Any, indices: Any, axis: int) -> Any:
    """Return ``numpy.take(a, indices, axis)``; raise TypeError unless the indices are integers."""
    index = np.asarray(indices)
    if index.dtype.kind not in "iu":
        got, fix = describe(index), "pass integers, or use a[mask] with booleans"
        raise argument_error("np.take", "indices", "integers", got, fix, TypeError)
    return a[(slice(None),) * range(np.ndim(a))[axis] + (index,)]


def _broadcast_together(*arrays: Any) -> list[Any]:
    """Return the arrays, broadcast to their common shape."""
    shape = np.broadcast_shapes(*(np.shape(a) for a in arrays))
    return [ops.broadcast_to(a, shape) for a in arrays]


def _without_tensors(x: Any) -> Any:
    """Return `x`, which may be nested, with a read-only array in place of each Tensor."""
    if isinstance(x, Value):
        array = x.array.view()
        array.flags.writeable = False
        return array
    if isinstance(x, list | tuple):
        return type(x)(_without_tensors(item) for item in x)
    return {key: _without_tensors(item) for key, item in x.items()} if isinstance(x, dict) else x


def _no_derivative_error(name: str) -> Exception:
    """Return a TypeError for a function without a derivative; the message names an alternative."""
    fix = f"use {alternatives.get(name, 'an op that you define with tg.op')}"
    fix += "; or x.detach().numpy() if no gradient is needed"
    expected = "plain arrays, because tinygrad_rnn has no derivative of this function"
    return argument_error(f"np.{name}", "x", expected, "a Tensor", fix, TypeError)


def _reject_dot() -> Any:
    """Raise TypeError, because `numpy.dot` does not multiply stacks of matrices pairwise."""
    raise argument_error("np.dot", "b", "at most two axes", "more axes", "use tg.matmul", TypeError)
