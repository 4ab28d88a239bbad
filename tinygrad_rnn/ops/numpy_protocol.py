"""NumPy's functions on Tensors: `np.tanh(t)` is `tg.tanh(t)`.

When a NumPy function gets a Tensor, NumPy calls the Tensor's method `__array_ufunc__` or
`__array_function__` (NEP 13, NEP 18). This module defines both methods. With them, a function that
has a derivative in tinygrad_rnn returns a Tensor, and a function that needs no derivative returns a
plain array. Every other function raises a TypeError that names an alternative, so that no function
silently drops the graph.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from .. import ops
from ..errors import argument_error
from ..graph import IMMUTABLE, Value
from ..op import registry
from .composition import compositions, numpy_name

value_functions = {
    np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal,
    np.isnan, np.isinf, np.isfinite, np.signbit,
    np.logical_and, np.logical_or, np.logical_xor, np.logical_not,
    np.argmax, np.argmin, np.argsort, np.nonzero, np.count_nonzero, np.any, np.all,
    np.searchsorted, np.allclose, np.isclose, np.array_equal, np.shape, np.ndim, np.size,
    np.zeros_like, np.ones_like, np.empty_like, np.array_repr, np.array_str, np.array2string,
    np.result_type, np.iscomplexobj,
}  # fmt: skip
"""NumPy functions whose results have no gradient: comparisons, indices, shapes, new arrays, text.

On Tensors, these functions return what NumPy returns, without a graph.
"""

differentiable: dict[Any, Callable[..., Any]] = {
    **{getattr(np, name): getattr(ops, name) for name in registry if hasattr(np, name)},
    **{f: made.function for made in compositions.values() for f in made.numpy_functions},
    np.absolute: ops.abs,
    np.amax: ops.max,
    np.amin: ops.min,
    np.true_divide: ops.divide,
    np.logaddexp: lambda a, b: ops.logsumexp(ops.stack(_broadcast_together(a, b)), axis=0),
    np.clip: lambda a, a_min=None, a_max=None, **bounds: ops.clip(
        a, **{"min": a_min, "max": a_max, **bounds}
    ),
    np.full_like: lambda a, fill_value, dtype=None, shape=None: _full_like(
        a, fill_value, dtype, shape
    ),
    np.reciprocal: lambda a: 1 / a,
    np.positive: lambda a: a,
    np.divmod: lambda a, b: (ops.floor_divide(a, b), ops.remainder(a, b)),
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
    "floor": "np.floor(x.data), whose derivative is 0 wherever it exists",
    "ceil": "np.ceil(x.data), whose derivative is 0 wherever it exists",
    "round": "np.round(x.data), whose derivative is 0 wherever it exists",
    "rint": "np.rint(x.data), whose derivative is 0 wherever it exists",
    "bitwise_and": "np.logical_and(x, y)",
    "bitwise_or": "np.logical_or(x, y)",
    "bitwise_xor": "np.logical_xor(x, y)",
    "left_shift": "x * 2**y",
    "right_shift": "x // 2**y",
    "invert": "np.logical_not(x)",
    "sort": "x[np.argsort(x.data)]",
    "diff": "x[1:] - x[:-1]",
    "average": "mean, or (w * x).sum() / w.sum()",
    "ptp": "max(x) - min(x)",
    "nan_to_num": "where(np.isnan(x.data), 0, x)",
    "hypot": "sqrt(a * a + b * b)",
    "fmax": "maximum",
    "fmin": "minimum",
    "nansum": "tg.sum(tg.where(np.isnan(x.data), 0, x))",
    "median": "the middle entry of x[np.argsort(x.data)]",
    "log2": "log(x) / np.log(2)",
    "log10": "log(x) / np.log(10)",
    "exp2": "2 ** x",
    "tan": "sin(x) / cos(x)",
    "sinh": "(exp(x) - exp(-x)) / 2",
    "cosh": "(exp(x) + exp(-x)) / 2",
    "float_power": "power",
    "cbrt": "x ** (1 / 3)",
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
    return _call_replacement(func, args, kwargs, numpy_name(func))


def _call_replacement(
    func: Callable[..., Any], args: Any, kwargs: dict[str, Any], name: str
) -> Any:
    """Call the replacement for NumPy's `func`, or `func` itself if its result has no gradient.

    Raises
    ------
    TypeError
        If there is no replacement, or if the replacement does not accept one of the arguments.
    """
    if func in differentiable:
        ours = differentiable[func]
        if kwargs or len(args) > 1:
            args, kwargs = _our_arguments(func, ours, args, kwargs)
        return ours(*args, **kwargs)
    if func in value_functions:
        return func(*_without_tensors(args), **_without_tensors(kwargs))
    raise _no_derivative_error(name)


def _our_arguments(
    func: Callable[..., Any], ours: Callable[..., Any], args: Any, kwargs: dict[str, Any]
) -> tuple[Any, dict[str, Any]]:
    """Return the arguments of a call of NumPy's `func` as arguments of `ours`.

    Optional arguments are passed by name, because `ours` may lack some of them. An argument that
    has NumPy's default value is left out.

    Raises
    ------
    TypeError
        If `ours` does not have an argument that is not left out.
    """
    theirs, our_names = _signature(func), _signature(ours).parameters
    if theirs is None or any(p.kind is p.VAR_POSITIONAL for p in theirs.parameters.values()):
        given = theirs.bind(*args, **kwargs).kwargs if theirs else kwargs
        _check_known(func, our_names, given)
        return args, kwargs
    required, optional = [], {}
    for name, value in theirs.bind(*args, **kwargs).arguments.items():
        parameter = theirs.parameters[name]
        default = parameter.default
        if parameter.kind is parameter.VAR_KEYWORD:
            optional |= value
        elif default is parameter.empty or parameter.kind is parameter.POSITIONAL_ONLY:
            required.append(value)
        elif not (value is default or (type(value) in IMMUTABLE and value == default)):
            optional[name] = value
    _check_known(func, our_names, optional)
    return required, optional


def _check_known(func: Any, our_names: Any, given: dict[str, Any]) -> None:
    """Raise TypeError if a call of NumPy's `func` has an argument that we do not have."""
    if any(p.kind is p.VAR_KEYWORD for p in our_names.values()):
        return
    unknown = ", ".join(f"{name}=" for name in given if name not in our_names)
    if unknown:
        operation, expected = f"np.{numpy_name(func)}", f"only {', '.join(our_names)} with a Tensor"
        fix = f"leave out {unknown}"
        raise argument_error(operation, unknown, expected, "a value", fix, TypeError)


@cache
def _signature(function: Callable[..., Any]) -> Any:
    """Return the signature of a function; None for one of NumPy's that has no signature."""
    try:
        return inspect.signature(function)
    except ValueError:
        return None


def _broadcast_together(*arrays: Any) -> list[Any]:
    """Return the arrays, broadcast to their common shape."""
    shape = np.broadcast_shapes(*(np.shape(a) for a in arrays))
    return [ops.broadcast_to(a, shape) for a in arrays]


def _full_like(a: Any, fill_value: Any, dtype: Any, shape: Any) -> Any:
    """Return an array filled with `fill_value`: a Tensor if that is one, else a plain array."""
    shape = np.shape(a) if shape is None else shape
    dtype = np.dtype(
        (a if isinstance(a, Value) else np.asarray(a)).dtype if dtype is None else dtype
    )
    if isinstance(fill_value, Value):
        return ops.astype(ops.broadcast_to(fill_value, shape), dtype=dtype)
    return np.full(shape, fill_value, dtype)


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
