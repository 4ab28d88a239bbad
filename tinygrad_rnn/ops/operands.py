"""The arguments of compositions as arrays and Tensors, and the dtypes that they compute in."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import check, tree
from ..dtypes import as_constant, as_dtype, as_ndarray, get_default_dtype
from ..errors import argument_error, describe
from ..errors.messages import check_sequence
from ..graph import Value
from ..op import registry


def as_operand(operation: str, argument: str, x: Any, *others: Any) -> Any:
    """Return `x` if it is a Tensor, else as an array of real numbers.

    Beside a Tensor among `others`, a number or a list of floats takes the dtype that it would have
    in an op: that of the floating Tensors, or the default dtype. A list that contains Tensors is
    stacked.

    Raises
    ------
    TypeError
        If `x` is not a Tensor, a rectangular array of real numbers, or nested lists of them.
    """
    if isinstance(x, Value) or (type(x) is np.ndarray and x.dtype.kind in "biuf"):
        return x
    try:
        if isinstance(x, list | tuple):
            leaves = tree.leaves(x)
            if any(isinstance(leaf, Value) for leaf in leaves):
                items = [as_operand(operation, argument, item, *leaves, *others) for item in x]
                return registry["stack"](items)  # `shapes`, which defines it, imports this module
        array = _as_array(x, [y.array for y in others if isinstance(y, Value)])
    except (ValueError, TypeError, OverflowError) as error:
        raise check.numbers_error(operation, argument, x) from error
    if array.dtype.kind not in "biuf":
        raise check.numbers_error(operation, argument, x)
    return array


def _as_array(x: Any, arrays: list[np.ndarray]) -> np.ndarray:
    """Return a constant as an array; `arrays` are those of the Tensors beside it."""
    constant = as_constant(x, arrays)
    if isinstance(constant, np.ndarray) or not arrays:
        return as_ndarray(constant)
    floating = {a.dtype for a in arrays if a.dtype.kind == "f"}
    if isinstance(constant, float) and not floating:
        floating = {get_default_dtype()}
    dtype = np.result_type(*floating) if len(floating) > 1 else next(iter(floating), None)
    return np.asarray(constant, dtype)


def as_operands(operation: str, **arguments: Any) -> list[Any]:
    """Return several arguments, each as `as_operand` does, in dtypes that fit each other."""
    values = arguments.values()
    return [
        x if isinstance(x, Value) else as_operand(operation, name, x, *values)
        for name, x in arguments.items()
    ]


def as_sequence(operation: str, argument: str, arrays: Any) -> list[Any]:
    """Return each item of a sequence, as `as_operand` does, in dtypes that fit each other."""
    items = check_sequence(operation, argument, arrays)
    return [
        x if isinstance(x, Value) else as_operand(operation, f"{argument}[{i}]", x, *items)
        for i, x in enumerate(items)
    ]


def with_axes(operation: str, argument: str, x: Any, count: int = 1) -> Any:
    """Return `x` as `as_operand` does; raise ValueError if it has less than `count` axes."""
    a = as_operand(operation, argument, x)
    if a.ndim < count:
        expected = f"at least {count} axes" if count > 1 else "at least one axis"
        fix = "add axes with expand_dims"
        raise argument_error(operation, argument, expected, describe(a), fix)
    return a


def as_index(operation: str, argument: str, x: Any) -> Any:
    """Return an argument that says which entries are meant: a slice, or a plain array.

    A Tensor that requires gradients raises TypeError, because such an argument has no derivative.
    """
    if isinstance(x, slice):
        return x
    array = check.real_array(operation, argument, x)
    is_empty_list = not array.size and not isinstance(x, np.ndarray)
    return array.astype(int) if is_empty_list else array


def as_floats(*arrays: Any) -> list[Any]:
    """Return `arrays` with integers as floats, in a dtype that holds both the integers and floats.

    A composition computes with floats if its result is floating, because integers wrap around:
    the square of 100 in int8 is 16.
    """
    dtype = np.result_type(*[a.dtype for a in arrays])
    dtype = dtype if dtype.kind == "f" else np.dtype(np.float64)
    return [a if a.dtype.kind == "f" else a.astype(dtype) for a in arrays]


def in_dtype_of(a: Any, y: Any) -> Any:
    """Return `y`, which was computed from `a` in a wider dtype, in the dtype of `a`.

    If `a` has no floating dtype, a floating Tensor gets the default dtype, as the result of an op
    of integers does. Any other `y` stays as it is.
    """
    if a.dtype.kind == "f":
        return y if y.dtype == a.dtype else y.astype(a.dtype)
    from_integers = isinstance(y, Value) and y.array.dtype.kind == "f"
    return y.astype(get_default_dtype()) if from_integers else y  # pyright: ignore


def with_dtype(operation: str, argument: str, a: Any, dtype: Any) -> Any:
    """Return `a` as a Tensor of the floating dtype that the call asks for, or of its own dtype."""
    a = as_operand(operation, argument, a)
    if dtype is None:
        return a
    expected = "a floating dtype, because others have no gradient"
    return a.astype(as_dtype(operation, dtype, "f", expected))
