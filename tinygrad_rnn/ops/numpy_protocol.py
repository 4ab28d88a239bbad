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
from functools import cache, partial
from typing import Any

import numpy as np

from .. import ops
from ..dtypes import StandIn, as_ndarray
from ..errors import argument_error
from ..graph import Value, unwrap
from ..op import IMMUTABLE, registry
from . import ufunc_methods
from .composition import compositions, numpy_name
from .operands import as_sequence, with_dtype
from .unsupported import instead, no_derivative_error

value_functions = {
    np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal,
    np.isnan, np.isinf, np.isfinite, np.signbit,
    np.logical_and, np.logical_or, np.logical_xor, np.logical_not,
    np.argmax, np.argmin, np.argsort, np.nonzero, np.count_nonzero, np.any, np.all,
    np.searchsorted, np.allclose, np.isclose, np.array_equal, np.shape, np.ndim, np.size,
    np.zeros_like, np.ones_like, np.empty_like, np.array_repr, np.array_str, np.array2string,
    np.result_type, np.iscomplexobj, np.isreal, np.isrealobj, np.iscomplex,
    np.isposinf, np.isneginf, np.argpartition, np.nanargmax, np.nanargmin, np.argwhere,
    np.flatnonzero, np.lexsort, np.digitize, np.isin, np.array_equiv,
    np.diag_indices_from, np.tril_indices_from, np.triu_indices_from, np.min_scalar_type,
    np.shares_memory, np.may_share_memory, np.gcd, np.lcm, np.linalg.matrix_rank,
    np.can_cast, np.common_type, np.einsum_path,
}  # fmt: skip
"""NumPy functions whose results have no gradient: comparisons, indices, shapes, new arrays, text.

On Tensors, these functions return what NumPy returns, without a graph.
"""


def _where(condition: Any, x: Any = None, y: Any = None) -> Any:
    """Return what `tg.where` returns; given only a condition, return the indices where it holds."""
    if x is None and y is None:
        return np.nonzero(condition)
    if x is None or y is None:
        argument, fix = "x" if x is None else "y", "write np.where(condition, x, 0), for example"
        raise argument_error("np.where", argument, "x and y, or neither", "None", fix)
    return ops.where(condition, x, y)  # pyright: ignore


def _concatenate(arrays: Any, axis: int | None = 0) -> Any:
    """Return what `tg.concatenate` returns. If `axis` is None, the arrays are flattened first."""
    if axis is None:
        return ops.concatenate([ops.ravel(a) for a in arrays])
    return ops.concatenate(arrays, axis)


def _full_like(a: Any, fill_value: Any, dtype: Any = None, shape: Any = None) -> Any:
    """Return a Tensor filled with `fill_value` if `fill_value` is a Tensor, else a plain array."""
    shape = np.shape(a) if shape is None else shape
    like: Any = a if isinstance(a, Value) else as_ndarray(a)
    dtype = np.dtype(like.dtype if dtype is None else dtype)
    if isinstance(fill_value, Value):
        return ops.astype(ops.broadcast_to(fill_value, shape), dtype=dtype)  # pyright: ignore
    return np.full(shape, fill_value, dtype)


composed: dict[Any, Callable[..., Any]] = {
    f: made.function for made in compositions.values() for f in made.numpy_functions
}
differentiable = {
    **composed,
    **{getattr(np, name): getattr(ops, name) for name in registry if hasattr(np, name)},
    np.where: _where,
    np.around: ops.round,
    np.concatenate: _concatenate,
    np.full_like: _full_like,
}
"""The NumPy functions with a derivative in tinygrad_rnn, each with the function to call instead.

For a few ops, such as `sum`, there is also a composition. It has the arguments that the op lacks.
"""

methods = {
    "reduce": ufunc_methods.reduce, "accumulate": ufunc_methods.accumulate,
    "outer": ufunc_methods.outer, "reduceat": ufunc_methods.reduceat,
}  # fmt: skip
"""The methods of ufuncs that return a Tensor. ``at`` does not: it writes into an array."""


def array_ufunc(self: Any, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """Return ``ufunc(*inputs)``. This is the method `__array_ufunc__` of Tensor."""
    called = method == "__call__"
    if called and not kwargs and ufunc in differentiable:
        return differentiable[ufunc](*inputs)
    name = ufunc.__name__ if called else f"{ufunc.__name__}.{method}"
    if ufunc in value_functions:
        try:
            return getattr(ufunc, method)(*_without_tensors(inputs), **_without_tensors(kwargs))
        except TypeError as error:
            wants_integers = ufunc in (np.gcd, np.lcm)
            fix = "use x.astype(int)" if wants_integers else f"use np.{ufunc.__name__}(x, y)"
            raise TypeError(f"np.{name}: {error}; {fix}") from error
    known = ufunc in differentiable and name not in instead
    if not known or not (called or (method in methods and ufunc.nin == 2)):
        places = ("axis",) if method == "reduce" else ()
        raise no_derivative_error(name, dict(zip(places, inputs[1:], strict=False)) | kwargs)
    settings = {key: value for key, value in kwargs.items() if not _is_default(key, value)}
    if (dtype := settings.pop("dtype", None)) is not None:
        n = ufunc.nin if called or method == "outer" else 1
        inputs = (*[_cast(name, x, dtype) for x in inputs[:n]], *inputs[n:])
    function = differentiable[ufunc] if called else partial(methods[method], ufunc)
    _check_known(name, function, settings)
    return function(*inputs) if called else function(differentiable[ufunc], *inputs, **settings)


def _is_default(name: str, value: Any) -> bool:
    """Return whether the argument `name` of a ufunc has its default value."""
    defaults = {"casting": "same_kind", "order": "K", "subok": True, "where": True, "out": None}
    return value is None if name == "initial" else name in defaults and value is defaults[name]


def _cast(name: str, x: Any, dtype: Any) -> Any:
    """Convert an argument of a function to `dtype`, the floating dtype that the call asks for.

    Of a sequence of Tensors, as in `numpy.concatenate`, convert each item.
    """
    name = f"np.{name}"
    if isinstance(x, list | tuple) and any(isinstance(item, Value) for item in x):
        return [with_dtype(name, "arrays", item, dtype) for item in as_sequence(name, "arrays", x)]
    return with_dtype(name, "x", x, dtype)


def array_function(self: Any, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
    """Return ``func(*args, **kwargs)``. This is the method `__array_function__` of Tensor.

    Raises
    ------
    TypeError
        If this library does not support the function, or does not support one of the arguments.
    """
    if func in differentiable:
        ours = differentiable[func]
        if kwargs or len(args) > 1:
            places, names = _shared(func, ours)
            if len(args) > places or not kwargs.keys() <= names:
                ours = composed.get(func, ours)
                args, kwargs = _our_arguments(func, ours, args, kwargs)  # pyright: ignore
        try:
            return ours(*args, **kwargs)  # pyright: ignore
        except (ValueError, TypeError, IndexError) as error:
            if f"{func.__name__}: " in str(error):
                raise
            raise type(error)(f"np.{numpy_name(func)}: {error}") from error
    if func in value_functions:
        return func(*_without_tensors(args), **_without_tensors(kwargs))
    theirs = _signature(func)
    settings = theirs.bind(*args, **kwargs).arguments if theirs else kwargs
    settings = {k: v for k, v in settings.items() if not isinstance(v, Value)}
    raise no_derivative_error(numpy_name(func), settings)


def _our_arguments(
    func: Callable[..., Any], ours: Callable[..., Any], args: Any, kwargs: dict[str, Any]
) -> tuple[Any, dict[str, Any]]:
    """Return the arguments of a call of NumPy's `func` as arguments of `ours`.

    Optional arguments are passed by name, because `ours` may lack some of them. An argument that
    has NumPy's default value is left out.

    Raises
    ------
    TypeError
        If `ours` lacks one of the arguments that are passed.
    """
    theirs, (_, our_names) = _signature(func), _shared(func, ours)
    if theirs is None or any(p.kind is p.VAR_POSITIONAL for p in theirs.parameters.values()):
        if theirs is None and "dtype" in kwargs and args:  # np.concatenate before NumPy 2.4
            args = _cast(numpy_name(func), args[0], kwargs["dtype"]), *args[1:]
            kwargs = {name: value for name, value in kwargs.items() if name != "dtype"}
        _check_known(numpy_name(func), ours, kwargs)
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
    if "dtype" in optional and "dtype" not in our_names:
        required[0] = _cast(numpy_name(func), required[0], optional.pop("dtype"))
    _check_known(numpy_name(func), ours, optional)
    return required, optional


@cache
def _shared(func: Callable[..., Any], ours: Callable[..., Any]) -> tuple[int, set[str]]:
    """Return how many leading arguments `func` and `ours` share, and the names that `ours` has."""
    theirs, names = _signature(func), _signature(ours).parameters
    pairs = zip(theirs.parameters.values() if theirs else [], names, strict=False)
    same = [p.default is p.empty or p.kind is p.POSITIONAL_ONLY or p.name == n for p, n in pairs]
    return [*same, False].index(False), set(names)


def _fix_for(name: str, unknown: str) -> str:
    """Return what to write in place of a call with arguments that are `unknown` here."""
    fixes = {
        "out=": f"write y = np.{name}(...), also instead of an operator like +=",
        "where=": f"use tg.where(mask, np.{name}(...), other)",
        "mean=": f"use np.{name.removeprefix('nan')}(x, axis, mean=mean, where=~np.isnan(x))",
        "hermitian=": "leave it out, and pass the whole matrix",
        "weights=": (
            f"use np.mean(x, axis, where=x.data == np.{name}(x.data, q, axis, weights=w, "
            "method='inverted_cdf', keepdims=True))"
        ),
    }
    return fixes.get(unknown, f"leave out {unknown}")


def _check_known(name: str, ours: Callable[..., Any], given: dict[str, Any]) -> None:
    """Raise TypeError if a call of the NumPy function `name` has an argument that `ours` lacks."""
    known = _signature(ours).parameters
    unknown = ", ".join(f"{key}=" for key in given if key not in known)
    if unknown and not any(p.kind is p.VAR_KEYWORD for p in known.values()):
        expected = "no such argument in a call with a Tensor"
        fix = _fix_for(name, unknown)
        raise argument_error(f"np.{name}", unknown, expected, "a value", fix, TypeError)


@cache
def _signature(function: Callable[..., Any]) -> Any:
    """Return the signature of a function, or None if it is a NumPy function without a signature."""
    try:
        return inspect.signature(function)
    except ValueError:
        return None


def _without_tensors(x: Any) -> Any:
    """Return `x`, which may be nested, with a read-only array in place of each Tensor."""
    if isinstance(x, Value):
        array = unwrap(x)
        if not isinstance(array, StandIn):
            array = array.view()
            array.flags.writeable = False
        return array
    if isinstance(x, list | tuple):
        return type(x)(_without_tensors(item) for item in x)
    return {key: _without_tensors(item) for key, item in x.items()} if isinstance(x, dict) else x
